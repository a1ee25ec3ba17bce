package iam

import (
	"context"
	"slices"

	"github.com/lighterage/lighterage/internal/access"
	"github.com/lighterage/lighterage/internal/api/awsmodel/iammodel"
	"github.com/lighterage/lighterage/internal/api/awsquery"
	"github.com/lighterage/lighterage/internal/fault"
	"github.com/lighterage/lighterage/internal/identity"
)

// operations is the table of the offered operations. Actions and resources are
// those of the Service Authorization Reference.
func (f *front) operations() []awsquery.Operation {
	return slices.Concat(f.operationsOfUsers(), f.operationsOfPolicies())
}

// op returns the row of an operation, whose action has its name.
func op[In, Out any](
	operation string,
	resource func(context.Context, *awsquery.Call, *In) (access.Resource, error),
	handle func(context.Context, *awsquery.Call, *In) (*Out, error),
) awsquery.Operation {
	return awsquery.Op(operation, "iam:"+operation, func(ctx context.Context, c *awsquery.Call, in *In) (access.Resource, error) {
		if borrowed(c.Caller) {
			return access.Resource{}, fault.New(fault.CredentialUnknown)
		}
		return resource(ctx, c, in)
	}, handle)
}

// tagged is op for what creates a thing with tags: that also takes the action
// that tags it (IAM User Guide, tagging IAM resources). Otherwise whoever may
// create it could give it what policies go by.
func tagged[In, Out any](
	f *front, operation, tagging string,
	resource func(context.Context, *awsquery.Call, *In) (access.Resource, error),
	handle func(context.Context, *awsquery.Call, *In) (*Out, error),
) awsquery.Operation {
	return op(operation, resource, func(ctx context.Context, c *awsquery.Call, in *In) (*Out, error) {
		r, err := resource(ctx, c, in)
		if err != nil {
			return nil, err
		}
		if len(r.RequestTags) > 0 {
			r.Keys = nil // they are of the creation
			if err := f.Authorizer.Authorize(ctx, c.Caller, tagging, r); err != nil {
				return nil, err
			}
		}
		return handle(ctx, c, in)
	})
}

// borrowed reports whether the caller is a user or root by credentials of
// GetSessionToken: they do not open this API, so that nobody makes lasting
// credentials out of passing ones (STS API reference, GetSessionToken). AWS
// answers as if it did not know them (99designs/aws-vault#1056,
// aws/aws-sdk-js#460).
func borrowed(c identity.Caller) bool {
	return c.Session != nil && (c.Kind == identity.User || c.Kind == identity.Root)
}

// operationsOfUsers are those of users, groups, access keys and the account.
func (f *front) operationsOfUsers() []awsquery.Operation {
	return []awsquery.Operation{
		tagged(f, "CreateUser", "iam:TagUser", newUser, f.createUser),
		op("GetUser", onUser(f, func(in *iammodel.GetUserRequest) *string { return in.UserName }), f.getUser),
		op("ListUsers", onUsers, f.listUsers),
		op("UpdateUser", onUser(f, func(in *iammodel.UpdateUserRequest) *string { return in.UserName }), f.updateUser),
		op("DeleteUser", onUser(f, func(in *iammodel.DeleteUserRequest) *string { return in.UserName }), f.deleteUser),
		op("TagUser", f.onTagUser, f.tagUser),
		op("UntagUser", f.onUntagUser, f.untagUser),
		op("ListUserTags", onUser(f, func(in *iammodel.ListUserTagsRequest) *string { return in.UserName }), f.listUserTags),

		op("CreateGroup", newGroup, f.createGroup),
		op("GetGroup", onGroup(f, func(in *iammodel.GetGroupRequest) *string { return in.GroupName }), f.getGroup),
		op("ListGroups", onGroups, f.listGroups),
		op("ListGroupsForUser", onUser(f, func(in *iammodel.ListGroupsForUserRequest) *string { return in.UserName }), f.listGroupsForUser),
		op("UpdateGroup", onGroup(f, func(in *iammodel.UpdateGroupRequest) *string { return in.GroupName }), f.updateGroup),
		op("DeleteGroup", onGroup(f, func(in *iammodel.DeleteGroupRequest) *string { return in.GroupName }), f.deleteGroup),
		op("AddUserToGroup", onGroup(f, func(in *iammodel.AddUserToGroupRequest) *string { return in.GroupName }), f.addUserToGroup),
		op("RemoveUserFromGroup", onGroup(f, func(in *iammodel.RemoveUserFromGroupRequest) *string { return in.GroupName }), f.removeUserFromGroup),

		op("CreateAccessKey", onUser(f, func(in *iammodel.CreateAccessKeyRequest) *string { return in.UserName }), f.createAccessKey),
		op("ListAccessKeys", onUser(f, func(in *iammodel.ListAccessKeysRequest) *string { return in.UserName }), f.listAccessKeys),
		op("UpdateAccessKey", onUser(f, func(in *iammodel.UpdateAccessKeyRequest) *string { return in.UserName }), f.updateAccessKey),
		op("DeleteAccessKey", onUser(f, func(in *iammodel.DeleteAccessKeyRequest) *string { return in.UserName }), f.deleteAccessKey),
		op("GetAccessKeyLastUsed", f.onKey, f.getAccessKeyLastUsed),

		op("CreateAccountAlias", awsquery.Everything[iammodel.CreateAccountAliasRequest], f.createAccountAlias),
		op("ListAccountAliases", awsquery.Everything[iammodel.ListAccountAliasesRequest], f.listAccountAliases),
		op("DeleteAccountAlias", awsquery.Everything[iammodel.DeleteAccountAliasRequest], f.deleteAccountAlias),
		op("GetAccountSummary", awsquery.Everything[iammodel.GetAccountSummaryRequest], f.getAccountSummary),
		op("GetAccountAuthorizationDetails", awsquery.Everything[iammodel.GetAccountAuthorizationDetailsRequest], f.getAccountAuthorizationDetails),
	}
}

// notOffered are the operations that IAM has beyond the model, and are refused
// by name: passwords, MFA devices, certificates, SAML, instance profiles, and
// whatever else speaks of things that a registry does not have.
var notOffered = []string{
	"AcceptDelegationRequest", "AcquireRole", "AddRoleToInstanceProfile", "AssociateDelegationRequest", "ChangePassword",
	"CreateDelegationRequest", "CreateInstanceProfile", "CreateLoginProfile", "CreateSAMLProvider",
	"CreateServiceLinkedRole", "CreateServiceSpecificCredential", "CreateVirtualMFADevice", "DeactivateMFADevice",
	"DeleteAccountPasswordPolicy", "DeleteInstanceProfile", "DeleteLoginProfile", "DeleteRolePermissionsBoundary",
	"DeleteSAMLProvider", "DeleteSSHPublicKey", "DeleteServerCertificate", "DeleteServiceLinkedRole",
	"DeleteServiceSpecificCredential", "DeleteSigningCertificate", "DeleteUserPermissionsBoundary",
	"DeleteVirtualMFADevice", "DisableOrganizationsRootCredentialsManagement", "DisableOrganizationsRootSessions",
	"DisableOutboundWebIdentityFederation", "EnableMFADevice", "EnableOrganizationsRootCredentialsManagement",
	"EnableOrganizationsRootSessions", "EnableOutboundWebIdentityFederation", "GenerateCredentialReport",
	"GenerateOrganizationsAccessReport", "GenerateServiceLastAccessedDetails", "GetAccountPasswordPolicy",
	"GetAccountProperties", "GetContextKeysForCustomPolicy", "GetContextKeysForPrincipalPolicy", "GetCredentialReport",
	"GetDelegationRequest", "GetHumanReadableSummary", "GetInstanceProfile", "GetLoginProfile", "GetMFADevice",
	"GetOrganizationsAccessReport", "GetOutboundWebIdentityFederationInfo", "GetRoleTemplateVersion", "GetSAMLProvider",
	"GetSSHPublicKey", "GetServerCertificate", "GetServiceLastAccessedDetails",
	"GetServiceLastAccessedDetailsWithEntities", "GetServiceLinkedRoleDeletionStatus", "ListDelegationRequests",
	"ListInstanceProfileTags", "ListInstanceProfiles", "ListMFADeviceTags", "ListMFADevices",
	"ListOpenIDConnectProviderTags", "ListOrganizationsFeatures", "ListPoliciesGrantingServiceAccess",
	"ListSAMLProviderTags", "ListSAMLProviders", "ListSSHPublicKeys", "ListServerCertificateTags",
	"ListServerCertificates", "ListServiceSpecificCredentials", "ListSigningCertificates", "ListVirtualMFADevices",
	"PutAccountProperties", "PutRolePermissionsBoundary", "PutUserPermissionsBoundary", "RejectDelegationRequest",
	"RemoveRoleFromInstanceProfile", "ResetServiceSpecificCredential", "ResyncMFADevice", "SendDelegationToken",
	"SetSecurityTokenServicePreferences", "TagInstanceProfile", "TagMFADevice", "TagOpenIDConnectProvider",
	"TagSAMLProvider", "TagServerCertificate", "UntagInstanceProfile", "UntagMFADevice", "UntagOpenIDConnectProvider",
	"UntagSAMLProvider", "UntagServerCertificate", "UpdateAccountPasswordPolicy", "UpdateDelegationRequest",
	"UpdateLoginProfile", "UpdateSAMLProvider", "UpdateSSHPublicKey", "UpdateServerCertificate",
	"UpdateServiceSpecificCredential", "UpdateSigningCertificate", "UploadSSHPublicKey", "UploadServerCertificate",
	"UploadSigningCertificate",
}
