package sts

import (
	"context"
	"time"

	"github.com/lighterage/lighterage/internal/api/awsmodel/stsmodel"
	"github.com/lighterage/lighterage/internal/api/awsquery"
	"github.com/lighterage/lighterage/internal/fault"
	"github.com/lighterage/lighterage/internal/identity"
)

// getSessionToken needs no permission, but a long-term key (STS API Reference,
// GetSessionToken).
func (s service) getSessionToken(ctx context.Context, c *awsquery.Call, in *stsmodel.GetSessionTokenRequest) (*stsmodel.GetSessionTokenResponse, error) {
	if err := noDevice(c.Caller, in.SerialNumber, in.TokenCode); err != nil {
		return nil, err
	}
	issued, err := s.Issuer.IssueOwnSession(ctx, c.Caller, seconds(in.DurationSeconds))
	if err != nil {
		return nil, err
	}
	return &stsmodel.GetSessionTokenResponse{Credentials: credentials(issued)}, nil
}

// noDevice refuses what a multi-factor device says: nobody has one here.
func noDevice(c identity.Caller, serial, code *string) error {
	if serial == nil && code == nil {
		return nil
	}
	return &fault.Error{Reason: fault.AccessDenied, Principal: c.ARN, Detail: "MultiFactorAuthentication failed with invalid MFA one time pass code."}
}

func seconds(n *int32) time.Duration {
	if n == nil {
		return 0
	}
	return time.Duration(*n) * time.Second
}

func credentials(c identity.SessionCredentials) *stsmodel.Credentials {
	return &stsmodel.Credentials{
		AccessKeyId:     new(c.KeyID),
		SecretAccessKey: new(c.Secret.Reveal()),
		SessionToken:    new(c.Token),
		Expiration:      new(c.Expires),
	}
}
