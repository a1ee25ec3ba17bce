package iam

import (
	"context"
	"slices"

	"github.com/lighterage/lighterage/internal/access"
	"github.com/lighterage/lighterage/internal/api/awsquery"
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
	return awsquery.Op(operation, "iam:"+operation, resource, handle)
}

// operationsOfUsers are those of users, groups, access keys and the account.
func (f *front) operationsOfUsers() []awsquery.Operation {
	return nil
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
