// Package sts is the front of the AWS Security Token Service: who the caller
// is, and temporary credentials, of a role or of the caller's own.
//
//  1. Credentials of a role leave only after access has allowed the caller each
//     of what it asks for: the role, its tags, its source identity.
//  2. Whoever is refused a role does not learn whether it is there.
//
// What sessions are, and how long they may last, is package identity's to say;
// whose a web identity's token is, package webidentity's.
package sts

import (
	"context"
	"time"

	"github.com/lighterage/lighterage/internal/api/awsmodel/stsmodel"
	"github.com/lighterage/lighterage/internal/api/awsquery"
	"github.com/lighterage/lighterage/internal/identity"
	"github.com/lighterage/lighterage/internal/name"
	"github.com/lighterage/lighterage/internal/webidentity"
)

// Issuer makes temporary credentials; *identity.Authority is one.
type Issuer interface {
	IssueRoleSession(ctx context.Context, c identity.Caller, spec identity.RoleSessionSpec) (identity.SessionCredentials, error)
	IssueOwnSession(ctx context.Context, c identity.Caller, lasts time.Duration) (identity.SessionCredentials, error)
	KeyAccount(ctx context.Context, keyID string) (name.AccountID, error)
}

// WebIdentities proves tokens of web identities; *webidentity.Verifier does.
type WebIdentities interface {
	Verify(ctx context.Context, account name.AccountID, token string) (webidentity.Identity, error)
}

// Config is what the service is made of. All of it must be set.
type Config struct {
	Issuer        Issuer
	Access        awsquery.Authorizer
	WebIdentities WebIdentities
}

type service struct{ Config }

// New returns the service for awsquery to serve.
func New(c Config) awsquery.Service {
	s := service{c}
	return awsquery.Service{
		Model: stsmodel.Model,
		Operations: []awsquery.Operation{
			awsquery.Op("AssumeRole", assumeRole, s.role, s.assumeRole),
			awsquery.Open("AssumeRoleWithWebIdentity", assumeWithWebIdentity, s.assumeRoleWithWebIdentity),
			awsquery.Op("GetAccessKeyInfo", "sts:GetAccessKeyInfo", awsquery.Everything[stsmodel.GetAccessKeyInfoRequest], s.getAccessKeyInfo),
			awsquery.Op("GetCallerIdentity", "sts:GetCallerIdentity", awsquery.Everything[stsmodel.GetCallerIdentityRequest], getCallerIdentity),
			awsquery.Op("GetSessionToken", "sts:GetSessionToken", awsquery.Everything[stsmodel.GetSessionTokenRequest], s.getSessionToken),
		},
		NotOffered: []string{
			"AssumeRoleWithSAML", "AssumeRoot", "DecodeAuthorizationMessage", "GetDelegatedAccessToken", "GetFederationToken", "GetWebIdentityToken",
		},
		Errors: wordFault,
	}
}

// getCallerIdentity needs no permission: every principal may know itself.
func getCallerIdentity(_ context.Context, c *awsquery.Call, _ *stsmodel.GetCallerIdentityRequest) (*stsmodel.GetCallerIdentityResponse, error) {
	return &stsmodel.GetCallerIdentityResponse{
		Arn:     new(c.Caller.ARN),
		UserId:  new(c.Caller.UserID),
		Account: new(string(c.Caller.Account)),
	}, nil
}

func (s service) getAccessKeyInfo(ctx context.Context, _ *awsquery.Call, in *stsmodel.GetAccessKeyInfoRequest) (*stsmodel.GetAccessKeyInfoResponse, error) {
	account, err := s.Issuer.KeyAccount(ctx, *in.AccessKeyId)
	if err != nil {
		return nil, err
	}
	return &stsmodel.GetAccessKeyInfoResponse{Account: new(string(account))}, nil
}
