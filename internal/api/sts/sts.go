// Package sts is the front of the AWS Security Token Service: of it,
// GetCallerIdentity, because clients ask first who they are.
//
// The service's model: models/sts.json.
package sts

import (
	"context"
	"net/http"
	"net/url"

	"github.com/lighterage/lighterage/internal/access"
	"github.com/lighterage/lighterage/internal/api/awsquery"
	"github.com/lighterage/lighterage/internal/identity"
)

// New returns the handler of STS requests. A root mux gives it the requests of
// awsquery.Match.
func New(auth awsquery.Authenticator, decider awsquery.Authorizer) http.Handler {
	return awsquery.New(service, auth, decider)
}

var service = awsquery.Service{
	Name:      "sts",
	Version:   "2011-06-15",
	Namespace: "https://sts.amazonaws.com/doc/2011-06-15/",
	Operations: []awsquery.Operation{
		{Name: "GetCallerIdentity", Action: "sts:GetCallerIdentity", Resource: anything, Handle: getCallerIdentity},
	},
	NotOffered: []string{
		"AssumeRole", "AssumeRoleWithSAML", "AssumeRoleWithWebIdentity", "AssumeRoot", "DecodeAuthorizationMessage",
		"GetAccessKeyInfo", "GetDelegatedAccessToken", "GetFederationToken", "GetSessionToken", "GetWebIdentityToken",
	},
}

// anything is the resource of actions without one: * in the caller's account.
func anything(c identity.Caller, _ url.Values) access.Resource {
	return access.Resource{Account: c.Account, ARN: "*"}
}

type callerIdentity struct {
	Arn     string
	UserID  string `xml:"UserId"`
	Account string
}

// getCallerIdentity needs no permission on AWS: every principal is allowed to
// know itself.
func getCallerIdentity(_ context.Context, c identity.Caller, _ url.Values) (any, error) {
	return callerIdentity{Arn: c.ARN, UserID: c.UserID, Account: string(c.Account)}, nil
}
