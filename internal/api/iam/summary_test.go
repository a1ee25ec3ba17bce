package iam_test

import (
	"net/url"
	"strings"
	"testing"

	sdk "github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"
	"github.com/google/go-cmp/cmp"

	"github.com/lighterage/lighterage/internal/api/awsmodel/iammodel"
)

const (
	anything  = `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}`
	rootTrust = `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::123456789012:root"},"Action":"sts:AssumeRole"}}`
	viewer    = "arn:aws:iam::aws:policy/ReadOnlyAccess"
)

// furnish gives the account something of everything.
func (w *world) furnish() (policyARN string) {
	w.t.Helper()
	_, err := w.CreateUser(w.ctx, &sdk.CreateUserInput{UserName: new("bob"), Path: new("/x/"), PermissionsBoundary: new(viewer), Tags: []types.Tag{{Key: new("a"), Value: new("1")}}})
	w.must(err)
	w.user("eve")
	w.group("ops")
	_, err = w.AddUserToGroup(w.ctx, &sdk.AddUserToGroupInput{GroupName: new("ops"), UserName: new("bob")})
	w.must(err)
	_, err = w.CreateRole(w.ctx, &sdk.CreateRoleInput{RoleName: new("r"), AssumeRolePolicyDocument: new(rootTrust)})
	w.must(err)
	policyARN = *must2[*sdk.CreatePolicyOutput](w.t)(w.CreatePolicy(w.ctx, &sdk.CreatePolicyInput{PolicyName: new("all"), Path: new("/p/"), PolicyDocument: new(anything), Description: new("d")})).Policy.Arn
	_, err = w.AttachUserPolicy(w.ctx, &sdk.AttachUserPolicyInput{UserName: new("bob"), PolicyArn: &policyARN})
	w.must(err)
	_, err = w.PutGroupPolicy(w.ctx, &sdk.PutGroupPolicyInput{GroupName: new("ops"), PolicyName: new("in"), PolicyDocument: new(anything)})
	w.must(err)
	_, err = w.CreateAccessKey(w.ctx, nil)
	w.must(err)
	return policyARN
}

func TestGetAccountSummary(t *testing.T) {
	w := newWorld(t)
	w.furnish()
	got := must2[*sdk.GetAccountSummaryOutput](t)(w.GetAccountSummary(w.ctx, nil)).SummaryMap
	want := map[string]int32{
		"Users": 2, "UsersQuota": 5000, "Groups": 1, "GroupsQuota": 300, "GroupsPerUserQuota": 10, "Roles": 1, "RolesQuota": 1000,
		"Policies": 1, "PoliciesQuota": 1500, "PolicyVersionsInUse": 2, "PolicyVersionsInUseQuota": 10000, "VersionsPerPolicyQuota": 5,
		"PolicySizeQuota": 6144, "UserPolicySizeQuota": 2048, "GroupPolicySizeQuota": 5120, "RolePolicySizeQuota": 10240, "AssumeRolePolicySizeQuota": 2048,
		"AttachedPoliciesPerUserQuota": 10, "AttachedPoliciesPerGroupQuota": 10, "AttachedPoliciesPerRoleQuota": 10,
		"AccessKeysPerUserQuota": 2, "AccountAccessKeysPresent": 1, "AccountMFAEnabled": 0, "AccountPasswordPresent": 0, "AccountSigningCertificatesPresent": 0,
		"MFADevices": 0, "MFADevicesInUse": 0, "ServerCertificates": 0, "ServerCertificatesQuota": 20, "SigningCertificatesPerUserQuota": 2,
		"InstanceProfiles": 0, "InstanceProfilesQuota": 1000, "Providers": 0, "GlobalEndpointTokenVersion": 1,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	o, _ := iammodel.Model.Operation("GetAccountSummary")
	for _, key := range o.Output.Members[0].Shape.Key.Enum {
		if _, ok := got[key]; !ok {
			t.Errorf("%s of the model is not told", key)
		}
	}
}

func TestGetAccountAuthorizationDetails(t *testing.T) {
	w := newWorld(t)
	arn := w.furnish()
	got := must2[*sdk.GetAccountAuthorizationDetailsOutput](t)(w.GetAccountAuthorizationDetails(w.ctx, nil))
	if len(got.UserDetailList) != 2 || len(got.GroupDetailList) != 1 || len(got.RoleDetailList) != 1 || len(got.Policies) != 2 || got.IsTruncated {
		t.Fatalf("got %+v", got)
	}
	bob := got.UserDetailList[0]
	if *bob.Arn != "arn:aws:iam::123456789012:user/x/bob" || bob.GroupList[0] != "ops" || *bob.AttachedManagedPolicies[0].PolicyArn != arn ||
		*bob.AttachedManagedPolicies[0].PolicyName != "all" || *bob.PermissionsBoundary.PermissionsBoundaryArn != viewer || *bob.Tags[0].Key != "a" {
		t.Errorf("bob: %+v", bob)
	}
	if document, err := url.PathUnescape(*got.GroupDetailList[0].GroupPolicyList[0].PolicyDocument); err != nil || document != anything {
		t.Errorf("the group's policy: %s, %v", document, err)
	}
	if document, err := url.PathUnescape(*got.RoleDetailList[0].AssumeRolePolicyDocument); err != nil || document != rootTrust {
		t.Errorf("the role's trust: %s, %v", document, err)
	}
	if p := got.Policies[0]; *p.Arn != arn || *p.AttachmentCount != 1 || !p.IsAttachable || *p.Description != "d" || *p.DefaultVersionId != "v1" || !p.PolicyVersionList[0].IsDefaultVersion {
		t.Errorf("the policy: %+v", p)
	}
	if p := got.Policies[1]; *p.Arn != viewer || *p.PermissionsBoundaryUsageCount != 1 {
		t.Errorf("AWS's policy: %+v", p)
	}
}

func TestDetailsAreFilteredAndPaged(t *testing.T) {
	w := newWorld(t)
	w.furnish()
	for _, tt := range []struct {
		filter []types.EntityType
		size   int32
		want   string
	}{
		{nil, 2, "bob eve | ops r | all ReadOnlyAccess |"},
		{nil, 100, "bob eve ops r all ReadOnlyAccess |"},
		{[]types.EntityType{types.EntityTypeRole, types.EntityTypeUser}, 2, "bob eve | r |"},
		{[]types.EntityType{types.EntityTypeGroup}, 1, "ops |"},
		{[]types.EntityType{types.EntityTypeLocalManagedPolicy}, 1, "all |"},
		{[]types.EntityType{types.EntityTypeAWSManagedPolicy}, 1, "ReadOnlyAccess |"},
	} {
		var got []string
		pages := sdk.NewGetAccountAuthorizationDetailsPaginator(w, &sdk.GetAccountAuthorizationDetailsInput{Filter: tt.filter, MaxItems: &tt.size})
		for pages.HasMorePages() {
			page := must2[*sdk.GetAccountAuthorizationDetailsOutput](t)(pages.NextPage(w.ctx))
			for _, u := range page.UserDetailList {
				got = append(got, *u.UserName)
			}
			for _, g := range page.GroupDetailList {
				got = append(got, *g.GroupName)
			}
			for _, r := range page.RoleDetailList {
				got = append(got, *r.RoleName)
			}
			for _, p := range page.Policies {
				got = append(got, *p.PolicyName)
			}
			got = append(got, "|")
		}
		if s := strings.Join(got, " "); s != tt.want {
			t.Errorf("%v by %d: got %s", tt.filter, tt.size, s)
		}
	}
	_, err := w.GetAccountAuthorizationDetails(w.ctx, &sdk.GetAccountAuthorizationDetailsInput{Filter: []types.EntityType{"Dog"}})
	wantRefusal(t, err, "ValidationError", "1 validation error detected: Value 'Dog' at 'filter.1.member' failed to satisfy constraint: Member must satisfy enum value set: [Role, Group, AWSManagedPolicy, User, LocalManagedPolicy]")
}
