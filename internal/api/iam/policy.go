package iam

import (
	"context"

	"github.com/lighterage/lighterage/internal/access"
	"github.com/lighterage/lighterage/internal/api/awsmodel/iammodel"
	"github.com/lighterage/lighterage/internal/api/awsquery"
	"github.com/lighterage/lighterage/internal/directory"
	"github.com/lighterage/lighterage/internal/fault"
	"github.com/lighterage/lighterage/internal/name"
)

// ofARN is what an ARN of an account's directory names. It is its owner's:
// nobody reads or changes another account's, nor changes AWS's. InputRefused.
func ofARN(kind, arn string) (access.Resource, error) {
	owner, is, _, _, ok := name.ParseDirectoryARN(arn)
	if !ok || is != kind {
		return access.Resource{}, &fault.Error{Reason: fault.InputRefused, Detail: "ARN " + arn + " is not valid."}
	}
	return access.Resource{Account: owner, ARN: arn}, nil
}

// changing names the policy that an input wants to change.
func changing[In any](arn func(*In) *string) func(context.Context, *awsquery.Call, *In) (access.Resource, error) {
	return func(_ context.Context, _ *awsquery.Call, in *In) (access.Resource, error) {
		return ofARN("policy", *arn(in))
	}
}

// reading names the policy that an input wants to read. AWS's are everybody's
// to read.
func reading[In any](arn func(*In) *string) func(context.Context, *awsquery.Call, *In) (access.Resource, error) {
	return func(_ context.Context, c *awsquery.Call, in *In) (access.Resource, error) {
		r, err := ofARN("policy", *arn(in))
		if r.Account == "aws" {
			r.Account = c.Caller.Account
		}
		return r, err
	}
}

// newPolicy is what the creation of a policy is decided on.
func newPolicy(_ context.Context, c *awsquery.Call, in *iammodel.CreatePolicyRequest) (access.Resource, error) {
	return access.Resource{
		Account: c.Caller.Account, ARN: name.PolicyARN(c.Caller.Account, pathOf(in.Path), *in.PolicyName), RequestTags: requestTags(in.Tags),
	}, nil
}

func (f *front) createPolicy(ctx context.Context, c *awsquery.Call, in *iammodel.CreatePolicyRequest) (*iammodel.CreatePolicyResponse, error) {
	p, err := f.Directory.CreatePolicy(ctx, c.Caller.Account, directory.NewPolicy{
		Name: *in.PolicyName, Path: pathOf(in.Path), Description: text(in.Description), Document: *in.PolicyDocument, Tags: tagsIn(in.Tags),
	})
	if err != nil {
		return nil, err
	}
	return &iammodel.CreatePolicyResponse{Policy: new(policyOut(p))}, nil
}

func (f *front) getPolicy(ctx context.Context, c *awsquery.Call, in *iammodel.GetPolicyRequest) (*iammodel.GetPolicyResponse, error) {
	p, err := f.Directory.GetPolicy(ctx, c.Caller.Account, *in.PolicyArn)
	if err != nil {
		return nil, err
	}
	return &iammodel.GetPolicyResponse{Policy: new(policyOut(p))}, nil
}

// usages are what a filter of usages asks for.
var usages = map[iammodel.PolicyUsageType]directory.PolicyUsage{
	"": directory.AnyUsage,
	iammodel.PolicyUsageTypePermissionsPolicy:   directory.AsPermissions,
	iammodel.PolicyUsageTypePermissionsBoundary: directory.AsBoundary,
}

func onPolicies(_ context.Context, c *awsquery.Call, in *iammodel.ListPoliciesRequest) (access.Resource, error) {
	return access.Resource{Account: c.Caller.Account, ARN: name.PolicyARN(c.Caller.Account, pathOf(in.PathPrefix), "")}, nil
}

func (f *front) listPolicies(ctx context.Context, c *awsquery.Call, in *iammodel.ListPoliciesRequest) (*iammodel.ListPoliciesResponse, error) {
	filter := directory.PolicyFilter{
		NotAWS:   text(in.Scope) == string(iammodel.PolicyScopeTypeLocal),
		NotOwn:   text(in.Scope) == string(iammodel.PolicyScopeTypeAws),
		Attached: in.OnlyAttached != nil && *in.OnlyAttached,
		Path:     pathOf(in.PathPrefix),
		Usage:    usages[iammodel.PolicyUsageType(text(in.PolicyUsageFilter))],
	}
	attached := ""
	if filter.Attached {
		attached = "attached"
	}
	l := listingOf(c, "ListPolicies", text(in.Scope), attached, filter.Path, text(in.PolicyUsageFilter))
	after, err := l.Position(in.Marker)
	if err != nil {
		return nil, err
	}
	policies, more, err := f.Directory.ListPolicies(ctx, c.Caller.Account, filter, directory.Page[string]{After: after, Limit: pageSize(in.MaxItems)})
	if err != nil {
		return nil, err
	}
	out := &iammodel.ListPoliciesResponse{Policies: policiesOut(policies), IsTruncated: new(more)}
	if more {
		out.Marker = l.Token(policies[len(policies)-1].Position())
	}
	return out, nil
}

func (f *front) deletePolicy(ctx context.Context, c *awsquery.Call, in *iammodel.DeletePolicyRequest) (*iammodel.DeletePolicyResponse, error) {
	return &iammodel.DeletePolicyResponse{}, f.Directory.DeletePolicy(ctx, c.Caller.Account, *in.PolicyArn)
}

func (f *front) createPolicyVersion(ctx context.Context, c *awsquery.Call, in *iammodel.CreatePolicyVersionRequest) (*iammodel.CreatePolicyVersionResponse, error) {
	asDefault := in.SetAsDefault != nil && *in.SetAsDefault
	v, err := f.Directory.CreatePolicyVersion(ctx, c.Caller.Account, *in.PolicyArn, *in.PolicyDocument, asDefault)
	if err != nil {
		return nil, err
	}
	out := versionOut(v)
	out.Document = nil
	return &iammodel.CreatePolicyVersionResponse{PolicyVersion: &out}, nil
}

func (f *front) getPolicyVersion(ctx context.Context, c *awsquery.Call, in *iammodel.GetPolicyVersionRequest) (*iammodel.GetPolicyVersionResponse, error) {
	v, err := f.Directory.GetPolicyVersion(ctx, c.Caller.Account, *in.PolicyArn, *in.VersionId)
	if err != nil {
		return nil, err
	}
	return &iammodel.GetPolicyVersionResponse{PolicyVersion: new(versionOut(v))}, nil
}

// listPolicyVersions tells no documents, as IAM does not.
func (f *front) listPolicyVersions(ctx context.Context, c *awsquery.Call, in *iammodel.ListPolicyVersionsRequest) (*iammodel.ListPolicyVersionsResponse, error) {
	all, err := f.Directory.ListPolicyVersions(ctx, c.Caller.Account, *in.PolicyArn)
	if err != nil {
		return nil, err
	}
	page, next, err := cut(listingOf(c, "ListPolicyVersions", *in.PolicyArn), all, in.Marker, in.MaxItems)
	out := &iammodel.ListPolicyVersionsResponse{Versions: make([]iammodel.PolicyVersion, len(page)), IsTruncated: new(next != nil), Marker: next}
	for i, v := range page {
		out.Versions[i] = versionOut(v)
		out.Versions[i].Document = nil
	}
	return out, err
}

func (f *front) setDefaultPolicyVersion(ctx context.Context, c *awsquery.Call, in *iammodel.SetDefaultPolicyVersionRequest) (*iammodel.SetDefaultPolicyVersionResponse, error) {
	return &iammodel.SetDefaultPolicyVersionResponse{}, f.Directory.SetDefaultPolicyVersion(ctx, c.Caller.Account, *in.PolicyArn, *in.VersionId)
}

func (f *front) deletePolicyVersion(ctx context.Context, c *awsquery.Call, in *iammodel.DeletePolicyVersionRequest) (*iammodel.DeletePolicyVersionResponse, error) {
	return &iammodel.DeletePolicyVersionResponse{}, f.Directory.DeletePolicyVersion(ctx, c.Caller.Account, *in.PolicyArn, *in.VersionId)
}

func onTagPolicy(_ context.Context, _ *awsquery.Call, in *iammodel.TagPolicyRequest) (access.Resource, error) {
	r, err := ofARN("policy", *in.PolicyArn)
	r.RequestTags = requestTags(in.Tags)
	return r, err
}

func (f *front) tagPolicy(ctx context.Context, c *awsquery.Call, in *iammodel.TagPolicyRequest) (*iammodel.TagPolicyResponse, error) {
	return &iammodel.TagPolicyResponse{}, f.Directory.TagPolicy(ctx, c.Caller.Account, *in.PolicyArn, tagsIn(in.Tags))
}

func onUntagPolicy(_ context.Context, _ *awsquery.Call, in *iammodel.UntagPolicyRequest) (access.Resource, error) {
	r, err := ofARN("policy", *in.PolicyArn)
	r.TagKeys = in.TagKeys
	return r, err
}

func (f *front) untagPolicy(ctx context.Context, c *awsquery.Call, in *iammodel.UntagPolicyRequest) (*iammodel.UntagPolicyResponse, error) {
	return &iammodel.UntagPolicyResponse{}, f.Directory.UntagPolicy(ctx, c.Caller.Account, *in.PolicyArn, in.TagKeys)
}

func (f *front) listPolicyTags(ctx context.Context, c *awsquery.Call, in *iammodel.ListPolicyTagsRequest) (*iammodel.ListPolicyTagsResponse, error) {
	all, err := f.Directory.PolicyTags(ctx, c.Caller.Account, *in.PolicyArn)
	if err != nil {
		return nil, err
	}
	tags, next, err := cut(listingOf(c, "ListPolicyTags", *in.PolicyArn), all, in.Marker, in.MaxItems)
	return &iammodel.ListPolicyTagsResponse{Tags: tagsOut(tags), IsTruncated: new(next != nil), Marker: next}, err
}

func policyOut(p directory.Policy) iammodel.Policy {
	out := iammodel.Policy{
		PolicyName: new(p.Name), PolicyId: new(p.UniqueID), Arn: new(p.ARN), Path: new(p.Path), DefaultVersionId: new(p.DefaultVersion),
		AttachmentCount: new(int32(p.Attached)), PermissionsBoundaryUsageCount: new(int32(p.Bounded)), IsAttachable: new(true),
		CreateDate: new(p.CreatedAt), UpdateDate: new(p.UpdatedAt),
	}
	if p.Description != "" {
		out.Description = new(p.Description)
	}
	if len(p.Tags) > 0 {
		out.Tags = tagsOut(p.Tags)
	}
	return out
}

// policiesOut are the policies of a list, which tells no descriptions (IAM API
// reference, Policy).
func policiesOut(policies []directory.Policy) []iammodel.Policy {
	out := make([]iammodel.Policy, len(policies))
	for i, p := range policies {
		out[i] = policyOut(p)
		out[i].Description = nil
	}
	return out
}

func versionOut(v directory.PolicyVersion) iammodel.PolicyVersion {
	return iammodel.PolicyVersion{Document: new(v.Document), VersionId: new(v.ID), IsDefaultVersion: new(v.Default), CreateDate: new(v.CreatedAt)}
}

// The condition keys of IAM's own.
const (
	boundaryKey = "iam:permissionsboundary"
	policyKey   = "iam:policyarn"
)

// requestTags are the tags that a request brings, for the decision.
func requestTags(tags []iammodel.Tag) [][2]string {
	out := make([][2]string, len(tags))
	for i, tag := range tags {
		out[i] = [2]string{*tag.Key, *tag.Value}
	}
	return out
}
