package sts

import (
	"context"
	"slices"
	"strings"

	"github.com/lighterage/lighterage/internal/access"
	"github.com/lighterage/lighterage/internal/api/awsmodel/stsmodel"
	"github.com/lighterage/lighterage/internal/api/awsquery"
	"github.com/lighterage/lighterage/internal/edge"
	"github.com/lighterage/lighterage/internal/fault"
	"github.com/lighterage/lighterage/internal/identity"
	"github.com/lighterage/lighterage/internal/name"
)

// The actions that a role's trust policy speaks of.
const (
	assumeRole            = "sts:AssumeRole"
	assumeWithWebIdentity = "sts:AssumeRoleWithWebIdentity"
	tagSession            = "sts:TagSession"
	setSourceIdentity     = "sts:SetSourceIdentity"
)

// role returns the role that is asked for, with what its trust policy may look
// at. Tags that the caller's session passes on are as those of the request: the
// new session has them all.
func (s service) role(_ context.Context, c *awsquery.Call, in *stsmodel.AssumeRoleRequest) (access.Resource, error) {
	r, err := roleResource(*in.RoleArn, *in.RoleSessionName)
	if err != nil {
		return r, err
	}
	r.RequestTags = passedOn(c.Caller)
	for _, t := range in.Tags {
		r.RequestTags = append(r.RequestTags, [2]string{*t.Key, *t.Value})
	}
	if in.ExternalId != nil {
		r.Keys["sts:externalid"] = []string{*in.ExternalId}
	}
	if in.SourceIdentity != nil {
		r.Keys["sts:sourceidentity"] = []string{*in.SourceIdentity}
	}
	if len(in.TransitiveTagKeys) > 0 {
		r.Keys["sts:transitivetagkeys"] = in.TransitiveTagKeys
	}
	return r, nil
}

// passedOn returns the tags that the caller's session passes on to any other
// that is begun from it.
func passedOn(c identity.Caller) [][2]string {
	if c.Session == nil {
		return nil
	}
	var tags [][2]string
	for _, t := range c.Session.Tags {
		if slices.ContainsFunc(c.Session.Transitive, func(key string) bool { return strings.EqualFold(key, t[0]) }) {
			tags = append(tags, t)
		}
	}
	return tags
}

func roleResource(arn, session string) (access.Resource, error) {
	account, kind, _, _, ok := name.ParseDirectoryARN(arn)
	if _, err := name.ParseAccountID(string(account)); err != nil || !ok || kind != "role" {
		return access.Resource{}, &fault.Error{Reason: fault.InputRefused, Detail: arn + " is invalid"}
	}
	return access.Resource{Account: account, ARN: arn, Keys: map[string][]string{"sts:rolesessionname": {session}}}, nil
}

func (s service) assumeRole(ctx context.Context, c *awsquery.Call, in *stsmodel.AssumeRoleRequest) (*stsmodel.AssumeRoleResponse, error) {
	if err := noDevice(c.Caller, in.SerialNumber, in.TokenCode); err != nil {
		return nil, err
	}
	if len(in.ProvidedContexts) > 0 {
		return nil, &fault.Error{Reason: fault.InputRefused, Detail: "ProvidedContexts are not offered by this server"}
	}
	if err := s.mayNarrow(ctx, c, in); err != nil {
		return nil, err
	}
	arns, err := policyARNs(in.PolicyArns)
	if err != nil {
		return nil, err
	}
	spec := identity.RoleSessionSpec{
		Role: *in.RoleArn, Name: *in.RoleSessionName, Duration: seconds(in.DurationSeconds), Policy: text(in.Policy), PolicyARNs: arns,
		Transitive: in.TransitiveTagKeys, SourceIdentity: text(in.SourceIdentity),
	}
	for _, t := range in.Tags {
		spec.Tags = append(spec.Tags, [2]string{*t.Key, *t.Value})
	}
	issued, err := s.Issuer.IssueRoleSession(ctx, c.Caller, spec)
	if err != nil {
		return nil, err
	}
	out := &stsmodel.AssumeRoleResponse{Credentials: credentials(issued), AssumedRoleUser: assumed(issued), PackedPolicySize: packed(issued)}
	if id := issued.Caller.Session.SourceIdentity; id != "" {
		out.SourceIdentity = new(id)
	}
	return out, nil
}

// mayNarrow asks for what a session takes with it beside the role. Tags and a
// source identity that the caller's session passes on are asked for too.
func (s service) mayNarrow(ctx context.Context, c *awsquery.Call, in *stsmodel.AssumeRoleRequest) error {
	role, err := s.role(ctx, c, in)
	if err != nil {
		return err
	}
	if len(role.RequestTags)+len(in.TransitiveTagKeys) > 0 {
		if err := s.Access.Authorize(ctx, c.Caller, tagSession, role); err != nil {
			return err
		}
	}
	inherited := ""
	if c.Caller.Session != nil {
		inherited = c.Caller.Session.SourceIdentity
	}
	if in.SourceIdentity == nil && inherited == "" {
		return nil
	}
	if in.SourceIdentity == nil {
		role.Keys["sts:sourceidentity"] = []string{inherited}
	}
	return s.Access.Authorize(ctx, c.Caller, setSourceIdentity, role)
}

// assumeRoleWithWebIdentity is called without a signature: the token says who
// calls.
func (s service) assumeRoleWithWebIdentity(ctx context.Context, c *awsquery.Call, in *stsmodel.AssumeRoleWithWebIdentityRequest) (*stsmodel.AssumeRoleWithWebIdentityResponse, error) {
	role, err := roleResource(*in.RoleArn, *in.RoleSessionName)
	if err != nil {
		return nil, err
	}
	if in.ProviderId != nil {
		return nil, &fault.Error{Reason: fault.IdentityTokenInvalid, Detail: "ProviderId is for OAuth 2.0 access tokens, which are not offered by this server. Leave it out for OpenID Connect."}
	}
	arns, err := policyARNs(in.PolicyArns)
	if err != nil {
		return nil, err
	}
	proven, err := s.WebIdentities.Verify(ctx, role.Account, *in.WebIdentityToken)
	if err != nil {
		return nil, err
	}
	provider := name.ProviderARN(role.Account, proven.Provider)
	caller := identity.Caller{
		Account: role.Account, ARN: provider, UserID: proven.Provider + ":" + proven.Audience + ":" + proven.Subject,
		Kind: identity.WebIdentity, Origin: c.Caller.Origin,
		Session: &identity.Session{Provider: proven.Provider, Subject: proven.Subject, Audience: proven.Audience},
	}
	event := edge.From(ctx)
	event.Principal, event.Resource, event.Caller = caller.ARN, role.ARN, &caller
	if err := s.Access.Authorize(ctx, caller, assumeWithWebIdentity, role); err != nil {
		return nil, stranger(err)
	}
	issued, err := s.Issuer.IssueRoleSession(ctx, caller, identity.RoleSessionSpec{
		Role: role.ARN, Name: *in.RoleSessionName, Duration: seconds(in.DurationSeconds), Policy: text(in.Policy), PolicyARNs: arns,
	})
	if err != nil {
		return nil, stranger(err)
	}
	return &stsmodel.AssumeRoleWithWebIdentityResponse{
		Credentials: credentials(issued), AssumedRoleUser: assumed(issued), PackedPolicySize: packed(issued),
		SubjectFromWebIdentityToken: new(proven.Subject), Audience: new(proven.Audience), Provider: new(provider),
	}, nil
}

// stranger makes of a denial one that tells nothing of the account.
func stranger(err error) error {
	if !fault.Is(err, fault.AccessDenied) {
		return err
	}
	return &fault.Error{Reason: fault.AccessDenied, Detail: "Not authorized to perform " + assumeWithWebIdentity, Err: err}
}

func policyARNs(in []stsmodel.PolicyDescriptorType) ([]string, error) {
	var arns []string
	for _, p := range in {
		if p.Arn == nil {
			return nil, &fault.Error{Reason: fault.InputRefused, Detail: "An entry of PolicyArns has no arn."}
		}
		arns = append(arns, *p.Arn)
	}
	return arns, nil
}

func text(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

func assumed(c identity.SessionCredentials) *stsmodel.AssumedRoleUser {
	return &stsmodel.AssumedRoleUser{Arn: new(c.Caller.ARN), AssumedRoleId: new(c.Caller.UserID)}
}

func packed(c identity.SessionCredentials) *int32 {
	if c.Packed == 0 {
		return nil
	}
	return new(int32(c.Packed))
}
