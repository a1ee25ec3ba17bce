package iam

import (
	"context"
	"path"

	"github.com/lighterage/lighterage/internal/api/awsmodel/iammodel"
	"github.com/lighterage/lighterage/internal/api/awsquery"
	"github.com/lighterage/lighterage/internal/directory"
)

// getAccountSummary answers with the keys that the model has. What a registry
// has not is 0, with IAM's quota of it.
func (f *front) getAccountSummary(ctx context.Context, c *awsquery.Call, _ *iammodel.GetAccountSummaryRequest) (*iammodel.GetAccountSummaryResponse, error) {
	s, err := f.Directory.Summarize(ctx, c.Caller.Account)
	if err != nil {
		return nil, err
	}
	limits := f.Directory.Limits
	return &iammodel.GetAccountSummaryResponse{SummaryMap: map[iammodel.SummaryKeyType]int32{
		iammodel.SummaryKeyTypeUsers:                    int32(s.Users),
		iammodel.SummaryKeyTypeUsersQuota:               int32(limits.Users),
		iammodel.SummaryKeyTypeGroups:                   int32(s.Groups),
		iammodel.SummaryKeyTypeGroupsQuota:              int32(limits.Groups),
		iammodel.SummaryKeyTypeGroupsPerUserQuota:       int32(limits.GroupsPerUser),
		iammodel.SummaryKeyTypeRoles:                    int32(s.Roles),
		iammodel.SummaryKeyTypeRolesQuota:               int32(limits.Roles),
		iammodel.SummaryKeyTypePolicies:                 int32(s.Policies),
		iammodel.SummaryKeyTypePoliciesQuota:            int32(limits.Policies),
		iammodel.SummaryKeyTypeProviders:                int32(s.Providers),
		iammodel.SummaryKeyTypeAccessKeysPerUserQuota:   int32(limits.AccessKeys),
		iammodel.SummaryKeyTypePolicyVersionsInUse:      int32(s.VersionsInUse),
		iammodel.SummaryKeyTypePolicyVersionsInUseQuota: 10000,
		iammodel.SummaryKeyTypeVersionsPerPolicyQuota:   int32(limits.Versions),

		iammodel.SummaryKeyTypePolicySizeQuota:           int32(limits.PolicySize),
		iammodel.SummaryKeyTypeUserPolicySizeQuota:       int32(limits.UserPolicySize),
		iammodel.SummaryKeyTypeGroupPolicySizeQuota:      int32(limits.GroupPolicySize),
		iammodel.SummaryKeyTypeRolePolicySizeQuota:       int32(limits.RolePolicySize),
		iammodel.SummaryKeyTypeAssumeRolePolicySizeQuota: int32(limits.TrustSize),

		iammodel.SummaryKeyTypeAttachedPoliciesPerUserQuota:  int32(limits.Attached),
		iammodel.SummaryKeyTypeAttachedPoliciesPerGroupQuota: int32(limits.Attached),
		iammodel.SummaryKeyTypeAttachedPoliciesPerRoleQuota:  int32(limits.Attached),

		iammodel.SummaryKeyTypeAccountAccessKeysPresent:          min(1, int32(s.RootKeys)),
		iammodel.SummaryKeyTypeAccountMFAEnabled:                 0,
		iammodel.SummaryKeyTypeAccountPasswordPresent:            0,
		iammodel.SummaryKeyTypeAccountSigningCertificatesPresent: 0,
		iammodel.SummaryKeyTypeMFADevices:                        0,
		iammodel.SummaryKeyTypeMFADevicesInUse:                   0,
		iammodel.SummaryKeyTypeServerCertificates:                0,
		iammodel.SummaryKeyTypeServerCertificatesQuota:           20,
		iammodel.SummaryKeyTypeSigningCertificatesPerUserQuota:   2,
		iammodel.SummaryKeyTypeInstanceProfiles:                  0,
		iammodel.SummaryKeyTypeInstanceProfilesQuota:             1000,
		iammodel.SummaryKeyTypeGlobalEndpointTokenVersion:        1,
	}}, nil
}

// detailKinds are the entities that a filter asks for.
var detailKinds = map[iammodel.EntityType]directory.DetailKind{
	iammodel.EntityTypeUser:               directory.UserDetails,
	iammodel.EntityTypeGroup:              directory.GroupDetails,
	iammodel.EntityTypeRole:               directory.RoleDetails,
	iammodel.EntityTypeLocalManagedPolicy: directory.OwnPolicyDetails,
	iammodel.EntityTypeAWSManagedPolicy:   directory.AWSPolicyDetails,
}

func (f *front) getAccountAuthorizationDetails(ctx context.Context, c *awsquery.Call, in *iammodel.GetAccountAuthorizationDetailsRequest) (*iammodel.GetAccountAuthorizationDetailsResponse, error) {
	kinds, filter := []directory.DetailKind{}, []string{}
	for _, entity := range in.Filter {
		kinds, filter = append(kinds, detailKinds[entity]), append(filter, string(entity))
	}
	if len(kinds) == 0 {
		for _, kind := range detailKinds {
			kinds = append(kinds, kind)
		}
	}
	l := listingOf(c, "GetAccountAuthorizationDetails", filter...)
	position, err := l.Position(in.Marker)
	if err != nil {
		return nil, err
	}
	after, err := directory.ParseDetailKey(position)
	if err != nil {
		return nil, err
	}
	details, next, more, err := f.Directory.Details(ctx, c.Caller.Account, kinds, directory.Page[directory.DetailKey]{After: after, Limit: pageSize(in.MaxItems)})
	if err != nil {
		return nil, err
	}
	out := &iammodel.GetAccountAuthorizationDetailsResponse{
		UserDetailList: []iammodel.UserDetail{}, GroupDetailList: []iammodel.GroupDetail{}, RoleDetailList: []iammodel.RoleDetail{},
		Policies: []iammodel.ManagedPolicyDetail{}, IsTruncated: new(more),
	}
	for _, d := range details {
		addDetail(out, d)
	}
	if more {
		out.Marker = l.Token(next.String())
	}
	return out, nil
}

func addDetail(out *iammodel.GetAccountAuthorizationDetailsResponse, d directory.Detail) {
	switch {
	case d.Policy != nil:
		out.Policies = append(out.Policies, policyDetail(d.Policy))
	case d.Principal.Key.Kind == directory.User:
		out.UserDetailList = append(out.UserDetailList, userDetail(d.Principal))
	case d.Principal.Key.Kind == directory.Group:
		out.GroupDetailList = append(out.GroupDetailList, groupDetail(d.Principal))
	default:
		out.RoleDetailList = append(out.RoleDetailList, roleDetail(d.Principal))
	}
}

func userDetail(u *directory.PrincipalDetail) iammodel.UserDetail {
	return iammodel.UserDetail{
		Path: new(u.Path), UserName: new(u.Key.Name), UserId: new(u.UniqueID), Arn: new(u.ARN()), CreateDate: new(u.CreatedAt),
		UserPolicyList: inlineDetails(u.Inline), GroupList: append([]string{}, u.Groups...), AttachedManagedPolicies: attachedDetails(u.Attached),
		PermissionsBoundary: boundaryOut(u.Boundary), Tags: tagsOut(u.Tags),
	}
}

func groupDetail(g *directory.PrincipalDetail) iammodel.GroupDetail {
	return iammodel.GroupDetail{
		Path: new(g.Path), GroupName: new(g.Key.Name), GroupId: new(g.UniqueID), Arn: new(g.ARN()), CreateDate: new(g.CreatedAt),
		GroupPolicyList: inlineDetails(g.Inline), AttachedManagedPolicies: attachedDetails(g.Attached),
	}
}

func roleDetail(r *directory.PrincipalDetail) iammodel.RoleDetail {
	out := iammodel.RoleDetail{
		Path: new(r.Path), RoleName: new(r.Key.Name), RoleId: new(r.UniqueID), Arn: new(r.ARN()), CreateDate: new(r.CreatedAt),
		AssumeRolePolicyDocument: new(r.Trust), InstanceProfileList: []iammodel.InstanceProfile{},
		RolePolicyList: inlineDetails(r.Inline), AttachedManagedPolicies: attachedDetails(r.Attached),
		PermissionsBoundary: boundaryOut(r.Boundary), Tags: tagsOut(r.Tags), RoleLastUsed: &iammodel.RoleLastUsed{},
	}
	if use := r.LastUse; !use.At.IsZero() {
		out.RoleLastUsed = &iammodel.RoleLastUsed{LastUsedDate: new(use.At), Region: new(string(use.Region))}
	}
	return out
}

func policyDetail(p *directory.PolicyDetail) iammodel.ManagedPolicyDetail {
	out := iammodel.ManagedPolicyDetail{
		PolicyName: new(p.Name), PolicyId: new(p.UniqueID), Arn: new(p.ARN), Path: new(p.Path), DefaultVersionId: new(p.DefaultVersion),
		AttachmentCount: new(int32(p.Attached)), PermissionsBoundaryUsageCount: new(int32(p.Bounded)), IsAttachable: new(true),
		CreateDate: new(p.CreatedAt), UpdateDate: new(p.UpdatedAt), PolicyVersionList: make([]iammodel.PolicyVersion, len(p.Versions)),
	}
	if p.Description != "" {
		out.Description = new(p.Description)
	}
	for i, v := range p.Versions {
		out.PolicyVersionList[i] = iammodel.PolicyVersion{
			Document: new(v.Document), VersionId: new(v.ID), IsDefaultVersion: new(v.Default), CreateDate: new(v.CreatedAt),
		}
	}
	return out
}

func inlineDetails(policies []directory.InlinePolicy) []iammodel.PolicyDetail {
	out := make([]iammodel.PolicyDetail, len(policies))
	for i, p := range policies {
		out[i] = iammodel.PolicyDetail{PolicyName: new(p.Name), PolicyDocument: new(p.Document)}
	}
	return out
}

func attachedDetails(policies []directory.PolicyRef) []iammodel.AttachedPolicy {
	out := make([]iammodel.AttachedPolicy, len(policies))
	for i, p := range policies {
		out[i] = iammodel.AttachedPolicy{PolicyName: new(path.Base(p.ARN)), PolicyArn: new(p.ARN)}
	}
	return out
}
