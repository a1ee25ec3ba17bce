// Package sts is the front of the AWS Security Token Service: of it,
// GetCallerIdentity, because clients ask first who they are.
package sts

import (
	"context"

	"github.com/lighterage/lighterage/internal/api/awsmodel/stsmodel"
	"github.com/lighterage/lighterage/internal/api/awsquery"
)

// New returns the service for awsquery to serve.
func New() awsquery.Service {
	return awsquery.Service{
		Model: stsmodel.Model,
		Operations: []awsquery.Operation{
			awsquery.Op("GetCallerIdentity", "sts:GetCallerIdentity", awsquery.Everything[stsmodel.GetCallerIdentityRequest], getCallerIdentity),
		},
		NotOffered: []string{
			"AssumeRole", "AssumeRoleWithSAML", "AssumeRoleWithWebIdentity", "AssumeRoot", "DecodeAuthorizationMessage",
			"GetAccessKeyInfo", "GetDelegatedAccessToken", "GetFederationToken", "GetSessionToken", "GetWebIdentityToken",
		},
	}
}

// getCallerIdentity needs no permission on AWS: every principal is allowed to
// know itself.
func getCallerIdentity(_ context.Context, c *awsquery.Call, _ *stsmodel.GetCallerIdentityRequest) (*stsmodel.GetCallerIdentityResponse, error) {
	return &stsmodel.GetCallerIdentityResponse{
		Arn:     new(c.Caller.ARN),
		UserId:  new(c.Caller.UserID),
		Account: new(string(c.Caller.Account)),
	}, nil
}
