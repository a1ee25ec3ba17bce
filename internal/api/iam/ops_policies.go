package iam

import (
	"slices"

	m "github.com/lighterage/lighterage/internal/api/awsmodel/iammodel"
	"github.com/lighterage/lighterage/internal/api/awsquery"
	"github.com/lighterage/lighterage/internal/directory"
)

// operationsOfPolicies are those of roles, policies, attachments and OIDC
// providers, and the simulations.
func (f *front) operationsOfPolicies() []awsquery.Operation {
	return slices.Concat(f.operationsOfRoles(), f.operationsOfManaged(), f.operationsOfAttachments(), f.operationsOfInline(), f.operationsOfProviders())
}

func (f *front) operationsOfRoles() []awsquery.Operation {
	return []awsquery.Operation{
		tagged(f, "CreateRole", "iam:TagRole", newRole, f.createRole),
		op("GetRole", onRole(f, func(in *m.GetRoleRequest) *string { return in.RoleName }), f.getRole),
		op("ListRoles", onRoles, f.listRoles),
		op("UpdateRole", onRole(f, func(in *m.UpdateRoleRequest) *string { return in.RoleName }), f.updateRole),
		op("UpdateRoleDescription", onRole(f, func(in *m.UpdateRoleDescriptionRequest) *string { return in.RoleName }), f.updateRoleDescription),
		op("UpdateAssumeRolePolicy", onRole(f, func(in *m.UpdateAssumeRolePolicyRequest) *string { return in.RoleName }), f.updateAssumeRolePolicy),
		op("DeleteRole", onRole(f, func(in *m.DeleteRoleRequest) *string { return in.RoleName }), f.deleteRole),
		op("TagRole", f.onTagRole, f.tagRole),
		op("UntagRole", f.onUntagRole, f.untagRole),
		op("ListRoleTags", onRole(f, func(in *m.ListRoleTagsRequest) *string { return in.RoleName }), f.listRoleTags),
		op("ListInstanceProfilesForRole", onRole(f, func(in *m.ListInstanceProfilesForRoleRequest) *string { return in.RoleName }), f.listInstanceProfilesForRole),
	}
}

func (f *front) operationsOfManaged() []awsquery.Operation {
	return []awsquery.Operation{
		tagged(f, "CreatePolicy", "iam:TagPolicy", newPolicy, f.createPolicy),
		op("GetPolicy", reading(func(in *m.GetPolicyRequest) *string { return in.PolicyArn }), f.getPolicy),
		op("ListPolicies", onPolicies, f.listPolicies),
		op("DeletePolicy", changing(func(in *m.DeletePolicyRequest) *string { return in.PolicyArn }), f.deletePolicy),
		op("CreatePolicyVersion", changing(func(in *m.CreatePolicyVersionRequest) *string { return in.PolicyArn }), f.createPolicyVersion),
		op("GetPolicyVersion", reading(func(in *m.GetPolicyVersionRequest) *string { return in.PolicyArn }), f.getPolicyVersion),
		op("ListPolicyVersions", reading(func(in *m.ListPolicyVersionsRequest) *string { return in.PolicyArn }), f.listPolicyVersions),
		op("SetDefaultPolicyVersion", changing(func(in *m.SetDefaultPolicyVersionRequest) *string { return in.PolicyArn }), f.setDefaultPolicyVersion),
		op("DeletePolicyVersion", changing(func(in *m.DeletePolicyVersionRequest) *string { return in.PolicyArn }), f.deletePolicyVersion),
		op("TagPolicy", onTagPolicy, f.tagPolicy),
		op("UntagPolicy", onUntagPolicy, f.untagPolicy),
		op("ListPolicyTags", reading(func(in *m.ListPolicyTagsRequest) *string { return in.PolicyArn }), f.listPolicyTags),
		op("ListEntitiesForPolicy", reading(func(in *m.ListEntitiesForPolicyRequest) *string { return in.PolicyArn }), f.listEntitiesForPolicy),
		op("SimulateCustomPolicy", awsquery.Everything[m.SimulateCustomPolicyRequest], f.simulateCustomPolicy),
		op("SimulatePrincipalPolicy", onSimulated, f.simulatePrincipalPolicy),
	}
}

func (f *front) operationsOfAttachments() []awsquery.Operation {
	attach, detach := f.Directory.AttachPolicy, f.Directory.DetachPolicy
	return []awsquery.Operation{
		attachments[m.AttachUserPolicyRequest, m.AttachUserPolicyResponse](f, "AttachUserPolicy", directory.User,
			func(in *m.AttachUserPolicyRequest) (called, policy *string) { return in.UserName, in.PolicyArn }, attach),
		attachments[m.AttachGroupPolicyRequest, m.AttachGroupPolicyResponse](f, "AttachGroupPolicy", directory.Group,
			func(in *m.AttachGroupPolicyRequest) (called, policy *string) { return in.GroupName, in.PolicyArn }, attach),
		attachments[m.AttachRolePolicyRequest, m.AttachRolePolicyResponse](f, "AttachRolePolicy", directory.Role,
			func(in *m.AttachRolePolicyRequest) (called, policy *string) { return in.RoleName, in.PolicyArn }, attach),
		attachments[m.DetachUserPolicyRequest, m.DetachUserPolicyResponse](f, "DetachUserPolicy", directory.User,
			func(in *m.DetachUserPolicyRequest) (called, policy *string) { return in.UserName, in.PolicyArn }, detach),
		attachments[m.DetachGroupPolicyRequest, m.DetachGroupPolicyResponse](f, "DetachGroupPolicy", directory.Group,
			func(in *m.DetachGroupPolicyRequest) (called, policy *string) { return in.GroupName, in.PolicyArn }, detach),
		attachments[m.DetachRolePolicyRequest, m.DetachRolePolicyResponse](f, "DetachRolePolicy", directory.Role,
			func(in *m.DetachRolePolicyRequest) (called, policy *string) { return in.RoleName, in.PolicyArn }, detach),

		attached(f, "ListAttachedUserPolicies", directory.User,
			func(in *m.ListAttachedUserPoliciesRequest) (called, path, marker *string, maxItems *int32) {
				return in.UserName, in.PathPrefix, in.Marker, in.MaxItems
			}, func(all []m.AttachedPolicy, more bool, marker *string) *m.ListAttachedUserPoliciesResponse {
				return &m.ListAttachedUserPoliciesResponse{AttachedPolicies: all, IsTruncated: &more, Marker: marker}
			}),
		attached(f, "ListAttachedGroupPolicies", directory.Group,
			func(in *m.ListAttachedGroupPoliciesRequest) (called, path, marker *string, maxItems *int32) {
				return in.GroupName, in.PathPrefix, in.Marker, in.MaxItems
			}, func(all []m.AttachedPolicy, more bool, marker *string) *m.ListAttachedGroupPoliciesResponse {
				return &m.ListAttachedGroupPoliciesResponse{AttachedPolicies: all, IsTruncated: &more, Marker: marker}
			}),
		attached(f, "ListAttachedRolePolicies", directory.Role,
			func(in *m.ListAttachedRolePoliciesRequest) (called, path, marker *string, maxItems *int32) {
				return in.RoleName, in.PathPrefix, in.Marker, in.MaxItems
			}, func(all []m.AttachedPolicy, more bool, marker *string) *m.ListAttachedRolePoliciesResponse {
				return &m.ListAttachedRolePoliciesResponse{AttachedPolicies: all, IsTruncated: &more, Marker: marker}
			}),
	}
}

func (f *front) operationsOfInline() []awsquery.Operation {
	return []awsquery.Operation{
		putInline[m.PutUserPolicyRequest, m.PutUserPolicyResponse](f, "PutUserPolicy", directory.User,
			func(in *m.PutUserPolicyRequest) (called, policy, document *string) {
				return in.UserName, in.PolicyName, in.PolicyDocument
			}),
		putInline[m.PutGroupPolicyRequest, m.PutGroupPolicyResponse](f, "PutGroupPolicy", directory.Group,
			func(in *m.PutGroupPolicyRequest) (called, policy, document *string) {
				return in.GroupName, in.PolicyName, in.PolicyDocument
			}),
		putInline[m.PutRolePolicyRequest, m.PutRolePolicyResponse](f, "PutRolePolicy", directory.Role,
			func(in *m.PutRolePolicyRequest) (called, policy, document *string) {
				return in.RoleName, in.PolicyName, in.PolicyDocument
			}),

		getInline(f, "GetUserPolicy", directory.User,
			func(in *m.GetUserPolicyRequest) (called, policy *string) { return in.UserName, in.PolicyName },
			func(called, policy, document *string) *m.GetUserPolicyResponse {
				return &m.GetUserPolicyResponse{UserName: called, PolicyName: policy, PolicyDocument: document}
			}),
		getInline(f, "GetGroupPolicy", directory.Group,
			func(in *m.GetGroupPolicyRequest) (called, policy *string) { return in.GroupName, in.PolicyName },
			func(called, policy, document *string) *m.GetGroupPolicyResponse {
				return &m.GetGroupPolicyResponse{GroupName: called, PolicyName: policy, PolicyDocument: document}
			}),
		getInline(f, "GetRolePolicy", directory.Role,
			func(in *m.GetRolePolicyRequest) (called, policy *string) { return in.RoleName, in.PolicyName },
			func(called, policy, document *string) *m.GetRolePolicyResponse {
				return &m.GetRolePolicyResponse{RoleName: called, PolicyName: policy, PolicyDocument: document}
			}),

		listInline(f, "ListUserPolicies", directory.User,
			func(in *m.ListUserPoliciesRequest) (called, marker *string, maxItems *int32) {
				return in.UserName, in.Marker, in.MaxItems
			},
			func(names []string, more bool, marker *string) *m.ListUserPoliciesResponse {
				return &m.ListUserPoliciesResponse{PolicyNames: names, IsTruncated: &more, Marker: marker}
			}),
		listInline(f, "ListGroupPolicies", directory.Group,
			func(in *m.ListGroupPoliciesRequest) (called, marker *string, maxItems *int32) {
				return in.GroupName, in.Marker, in.MaxItems
			},
			func(names []string, more bool, marker *string) *m.ListGroupPoliciesResponse {
				return &m.ListGroupPoliciesResponse{PolicyNames: names, IsTruncated: &more, Marker: marker}
			}),
		listInline(f, "ListRolePolicies", directory.Role,
			func(in *m.ListRolePoliciesRequest) (called, marker *string, maxItems *int32) {
				return in.RoleName, in.Marker, in.MaxItems
			},
			func(names []string, more bool, marker *string) *m.ListRolePoliciesResponse {
				return &m.ListRolePoliciesResponse{PolicyNames: names, IsTruncated: &more, Marker: marker}
			}),

		deleteInline[m.DeleteUserPolicyRequest, m.DeleteUserPolicyResponse](f, "DeleteUserPolicy", directory.User,
			func(in *m.DeleteUserPolicyRequest) (called, policy *string) { return in.UserName, in.PolicyName }),
		deleteInline[m.DeleteGroupPolicyRequest, m.DeleteGroupPolicyResponse](f, "DeleteGroupPolicy", directory.Group,
			func(in *m.DeleteGroupPolicyRequest) (called, policy *string) { return in.GroupName, in.PolicyName }),
		deleteInline[m.DeleteRolePolicyRequest, m.DeleteRolePolicyResponse](f, "DeleteRolePolicy", directory.Role,
			func(in *m.DeleteRolePolicyRequest) (called, policy *string) { return in.RoleName, in.PolicyName }),
	}
}

func (f *front) operationsOfProviders() []awsquery.Operation {
	return []awsquery.Operation{
		tagged(f, "CreateOpenIDConnectProvider", "iam:TagOpenIDConnectProvider", newProvider, f.createProvider),
		op("GetOpenIDConnectProvider", onProvider(func(in *m.GetOpenIDConnectProviderRequest) *string { return in.OpenIDConnectProviderArn }), f.getProvider),
		op("ListOpenIDConnectProviders", awsquery.Everything[m.ListOpenIDConnectProvidersRequest], f.listProviders),
		op("DeleteOpenIDConnectProvider", onProvider(func(in *m.DeleteOpenIDConnectProviderRequest) *string { return in.OpenIDConnectProviderArn }), f.deleteProvider),
		op("AddClientIDToOpenIDConnectProvider",
			onProvider(func(in *m.AddClientIDToOpenIDConnectProviderRequest) *string { return in.OpenIDConnectProviderArn }), f.addClientID),
		op("RemoveClientIDFromOpenIDConnectProvider",
			onProvider(func(in *m.RemoveClientIDFromOpenIDConnectProviderRequest) *string { return in.OpenIDConnectProviderArn }), f.removeClientID),
		op("UpdateOpenIDConnectProviderThumbprint",
			onProvider(func(in *m.UpdateOpenIDConnectProviderThumbprintRequest) *string { return in.OpenIDConnectProviderArn }), f.updateThumbprints),
	}
}
