package iam_test

import (
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/lighterage/lighterage/internal/directory"
	"github.com/lighterage/lighterage/internal/meta"
)

// trust lets the account's own principals take on a role.
const trust = `{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::123456789012:root"}, "Action": "sts:AssumeRole"}]}`

const readOnly = "arn:aws:iam::aws:policy/ReadOnlyAccess"

func (w *world) role(called string) {
	w.t.Helper()
	_, err := w.CreateRole(w.ctx, &sdk.CreateRoleInput{RoleName: &called, AssumeRolePolicyDocument: aws.String(trust)})
	w.must(err)
}

// plain ignores what only the SDK looks at.
var plain = cmpopts.IgnoreUnexported(types.Role{}, types.Tag{}, types.AttachedPermissionsBoundary{}, types.RoleLastUsed{}, types.Policy{},
	types.PolicyVersion{}, types.AttachedPolicy{}, types.PolicyUser{}, types.PolicyGroup{}, types.PolicyRole{}, types.OpenIDConnectProviderListEntry{},
	types.Statement{}, types.Position{}, types.EvaluationResult{}, types.PermissionsBoundaryDecisionDetail{}, types.ResourceSpecificResult{})

func TestARoleIsMadeReadChangedAndDeleted(t *testing.T) {
	w := newWorld(t)
	made := must2[*sdk.CreateRoleOutput](t)(w.CreateRole(w.ctx, &sdk.CreateRoleInput{
		RoleName: aws.String("Deploy"), Path: aws.String("/ci/"), AssumeRolePolicyDocument: aws.String(trust), Description: aws.String("for pipelines"),
		MaxSessionDuration: aws.Int32(7200), PermissionsBoundary: aws.String(readOnly), Tags: []types.Tag{{Key: aws.String("team"), Value: aws.String("a")}},
	})).Role
	if !regexp.MustCompile(`^AROA[A-Z2-7]{17}$`).MatchString(*made.RoleId) {
		t.Errorf("its id is %s", *made.RoleId)
	}
	want := types.Role{
		RoleName: aws.String("Deploy"), Path: aws.String("/ci/"), Arn: aws.String("arn:aws:iam::123456789012:role/ci/Deploy"), RoleId: made.RoleId,
		CreateDate: aws.Time(instant), AssumeRolePolicyDocument: aws.String(strings.ReplaceAll(url.QueryEscape(trust), "+", "%20")),
		Description: aws.String("for pipelines"), MaxSessionDuration: aws.Int32(7200),
		PermissionsBoundary: &types.AttachedPermissionsBoundary{
			PermissionsBoundaryArn: aws.String(readOnly), PermissionsBoundaryType: types.PermissionsBoundaryAttachmentTypePolicy,
		},
		Tags: []types.Tag{{Key: aws.String("team"), Value: aws.String("a")}},
	}
	if diff := cmp.Diff(want, *made, plain); diff != "" {
		t.Errorf("made (-want +got):\n%s", diff)
	}
	want.RoleLastUsed = &types.RoleLastUsed{}
	got := must2[*sdk.GetRoleOutput](t)(w.GetRole(w.ctx, &sdk.GetRoleInput{RoleName: aws.String("deploy")})).Role
	if diff := cmp.Diff(want, *got, plain); diff != "" {
		t.Errorf("read (-want +got):\n%s", diff)
	}

	must2[*sdk.UpdateRoleOutput](t)(w.UpdateRole(w.ctx, &sdk.UpdateRoleInput{RoleName: aws.String("Deploy"), MaxSessionDuration: aws.Int32(3600)}))
	told := must2[*sdk.UpdateRoleDescriptionOutput](t)(w.UpdateRoleDescription(w.ctx, &sdk.UpdateRoleDescriptionInput{RoleName: aws.String("Deploy"), Description: aws.String("other")})).Role
	if *told.Description != "other" || *told.MaxSessionDuration != 3600 {
		t.Errorf("changed to %q and %d", *told.Description, *told.MaxSessionDuration)
	}
	nobody := strings.Replace(trust, "Allow", "Deny", 1)
	must2[*sdk.UpdateAssumeRolePolicyOutput](t)(w.UpdateAssumeRolePolicy(w.ctx, &sdk.UpdateAssumeRolePolicyInput{RoleName: aws.String("Deploy"), PolicyDocument: &nobody}))
	w.must(w.store.Update(w.ctx, func(tx meta.Tx) error {
		r, err := tx.Principal(meta.PrincipalKey{Account: account, Kind: meta.Role, Name: "deploy"}, meta.NoLock)
		if err != nil {
			return err
		}
		return tx.RecordPrincipalUses(map[meta.PrincipalID]meta.Use{r.ID: {At: instant.Add(time.Hour), Region: "eu-west-1"}})
	}))
	got = must2[*sdk.GetRoleOutput](t)(w.GetRole(w.ctx, &sdk.GetRoleInput{RoleName: aws.String("Deploy")})).Role
	if text, _ := url.QueryUnescape(*got.AssumeRolePolicyDocument); text != nobody || *got.Description != "other" {
		t.Errorf("changed to %s, %s", text, *got.Description)
	}
	if !got.RoleLastUsed.LastUsedDate.Equal(instant.Add(time.Hour)) || *got.RoleLastUsed.Region != "eu-west-1" {
		t.Errorf("used %v in %s", got.RoleLastUsed.LastUsedDate, *got.RoleLastUsed.Region)
	}

	profiles := must2[*sdk.ListInstanceProfilesForRoleOutput](t)(w.ListInstanceProfilesForRole(w.ctx, &sdk.ListInstanceProfilesForRoleInput{RoleName: aws.String("Deploy")}))
	if len(profiles.InstanceProfiles) != 0 || profiles.IsTruncated {
		t.Errorf("it has instance profiles: %+v", profiles)
	}
	must2[*sdk.DeleteRoleOutput](t)(w.DeleteRole(w.ctx, &sdk.DeleteRoleInput{RoleName: aws.String("Deploy")}))
	_, err := w.GetRole(w.ctx, &sdk.GetRoleInput{RoleName: aws.String("Deploy")})
	wantRefusal(t, err, "NoSuchEntity", "The role with name Deploy cannot be found.")
}

func TestRolesAreListedInPages(t *testing.T) {
	w := newWorld(t)
	for _, r := range []string{"/|c", "/x/|B", "/x/|a", "/xy/|d"} {
		path, called, _ := strings.Cut(r, "|")
		must2[*sdk.CreateRoleOutput](t)(w.CreateRole(w.ctx, &sdk.CreateRoleInput{RoleName: &called, Path: &path, AssumeRolePolicyDocument: aws.String(trust)}))
	}
	list := func(prefix *string) (names []string) {
		p := sdk.NewListRolesPaginator(w.Client, &sdk.ListRolesInput{PathPrefix: prefix, MaxItems: aws.Int32(1)})
		for p.HasMorePages() {
			for _, r := range must2[*sdk.ListRolesOutput](t)(p.NextPage(w.ctx)).Roles {
				names = append(names, *r.RoleName)
				if r.RoleLastUsed != nil || r.PermissionsBoundary != nil || r.Tags != nil || *r.MaxSessionDuration != 3600 {
					t.Errorf("a list tells %+v", r)
				}
			}
		}
		return names
	}
	if got := list(nil); !slices.Equal(got, []string{"a", "B", "c", "d"}) {
		t.Errorf("all are %v", got)
	}
	if got := list(aws.String("/x/")); !slices.Equal(got, []string{"a", "B"}) {
		t.Errorf("below /x/ are %v", got)
	}
	page := must2[*sdk.ListRolesOutput](t)(w.ListRoles(w.ctx, &sdk.ListRolesInput{MaxItems: aws.Int32(1)}))
	_, err := w.ListRoles(w.ctx, &sdk.ListRolesInput{Marker: page.Marker, PathPrefix: aws.String("/x/")})
	wantRefusal(t, err, "ValidationError", "Invalid Marker.")
}

func TestRoleTagsAreAddedListedAndTakenAway(t *testing.T) {
	w := newWorld(t, func(l *directory.Limits) { l.ResourceTags = 3 })
	w.role("r")
	tag := func(keys ...string) error {
		in := &sdk.TagRoleInput{RoleName: aws.String("r")}
		for _, k := range keys {
			in.Tags = append(in.Tags, types.Tag{Key: aws.String(k), Value: aws.String("of " + k)})
		}
		_, err := w.TagRole(w.ctx, in)
		return err
	}
	w.must(tag("a", "b"))
	w.must(tag("A", "c"))
	wantRefusal(t, tag("d"), "LimitExceeded", "Cannot exceed quota for TagsPerResource: 3")
	wantRefusal(t, tag("x", "X"), "InvalidInput", "Duplicate tag keys found. Please note that Tag keys are case insensitive.")
	must2[*sdk.UntagRoleOutput](t)(w.UntagRole(w.ctx, &sdk.UntagRoleInput{RoleName: aws.String("r"), TagKeys: []string{"B", "absent"}}))
	var got []string
	p := sdk.NewListRoleTagsPaginator(w.Client, &sdk.ListRoleTagsInput{RoleName: aws.String("r"), MaxItems: aws.Int32(1)})
	for p.HasMorePages() {
		for _, tag := range must2[*sdk.ListRoleTagsOutput](t)(p.NextPage(w.ctx)).Tags {
			got = append(got, *tag.Key+"="+*tag.Value)
		}
	}
	if !slices.Equal(got, []string{"A=of A", "c=of c"}) {
		t.Errorf("tags are %v", got)
	}
}

func TestWhatIsRefusedOfRoles(t *testing.T) {
	w := newWorld(t, func(l *directory.Limits) { l.Roles = 2 })
	w.role("r")
	create := func(edit func(*sdk.CreateRoleInput)) func() error {
		return func() error {
			in := &sdk.CreateRoleInput{RoleName: aws.String("new"), AssumeRolePolicyDocument: aws.String(trust)}
			edit(in)
			_, err := w.CreateRole(w.ctx, in)
			return err
		}
	}
	none := aws.String("none")
	tests := []struct {
		name          string
		do            func() error
		code, message string
	}{
		{"a name that is there in another case", create(func(in *sdk.CreateRoleInput) { in.RoleName = aws.String("R") }),
			"EntityAlreadyExists", "Role with name R already exists."},
		{"a trust policy that is no JSON", create(func(in *sdk.CreateRoleInput) { in.AssumeRolePolicyDocument = aws.String("{") }),
			"MalformedPolicyDocument", "This policy contains invalid Json"},
		{"a trust policy of another service", create(func(in *sdk.CreateRoleInput) {
			in.AssumeRolePolicyDocument = aws.String(strings.Replace(trust, "sts:AssumeRole", "ecr:PutImage", 1))
		}), "MalformedPolicyDocument", "AssumeRole policy may only specify STS AssumeRole actions."},
		{"a trust policy that is too long", create(func(in *sdk.CreateRoleInput) {
			in.AssumeRolePolicyDocument = aws.String(strings.Replace(trust, "sts:AssumeRole", "sts:"+strings.Repeat("A", 2048), 1))
		}), "LimitExceeded", "Cannot exceed quota for ACLSizePerRole: 2048"},
		{"a tag that is AWS's", create(func(in *sdk.CreateRoleInput) {
			in.Tags = []types.Tag{{Key: aws.String("aws:x"), Value: aws.String("")}}
		}), "InvalidInput", "Tag keys that start with aws: are reserved for AWS use."},
		{"a session that is too long", create(func(in *sdk.CreateRoleInput) { in.MaxSessionDuration = aws.Int32(43201) }),
			"ValidationError", "1 validation error detected: Value '43201' at 'maxSessionDuration' failed to satisfy constraint: Member must have value less than or equal to 43200"},
		{"a role to read that is not there", func() error {
			_, err := w.GetRole(w.ctx, &sdk.GetRoleInput{RoleName: none})
			return err
		}, "NoSuchEntity", "The role with name none cannot be found."},
		{"a role to change that is not there", func() error {
			_, err := w.UpdateRole(w.ctx, &sdk.UpdateRoleInput{RoleName: none})
			return err
		}, "NoSuchEntity", "The role with name none cannot be found."},
		{"a role to describe that is not there", func() error {
			_, err := w.UpdateRoleDescription(w.ctx, &sdk.UpdateRoleDescriptionInput{RoleName: none, Description: none})
			return err
		}, "NoSuchEntity", "The role with name none cannot be found."},
		{"a role to be trusted that is not there", func() error {
			_, err := w.UpdateAssumeRolePolicy(w.ctx, &sdk.UpdateAssumeRolePolicyInput{RoleName: none, PolicyDocument: aws.String(trust)})
			return err
		}, "NoSuchEntity", "The role with name none cannot be found."},
		{"a new trust policy with a resource", func() error {
			_, err := w.UpdateAssumeRolePolicy(w.ctx, &sdk.UpdateAssumeRolePolicyInput{RoleName: aws.String("r"), PolicyDocument: aws.String(strings.Replace(trust, `"Action"`, `"Resource": "*", "Action"`, 1))})
			return err
		}, "MalformedPolicyDocument", "Has prohibited field Resource"},
		{"a new trust policy that names nobody", func() error {
			_, err := w.UpdateAssumeRolePolicy(w.ctx, &sdk.UpdateAssumeRolePolicyInput{RoleName: aws.String("r"), PolicyDocument: aws.String(strings.Replace(trust, ":root", ":user/nobody", 1))})
			return err
		}, "MalformedPolicyDocument", `Invalid principal in policy: "AWS":"arn:aws:iam::123456789012:user/nobody"`},
		{"a new trust policy that is too long", func() error {
			_, err := w.UpdateAssumeRolePolicy(w.ctx, &sdk.UpdateAssumeRolePolicyInput{RoleName: aws.String("r"), PolicyDocument: aws.String(strings.Repeat("x", 2049))})
			return err
		}, "LimitExceeded", "Cannot exceed quota for ACLSizePerRole: 2048"},
		{"a role to delete that is not there", func() error {
			_, err := w.DeleteRole(w.ctx, &sdk.DeleteRoleInput{RoleName: none})
			return err
		}, "NoSuchEntity", "The role with name none cannot be found."},
		{"tags of a role that is not there", func() error {
			_, err := w.ListRoleTags(w.ctx, &sdk.ListRoleTagsInput{RoleName: none})
			return err
		}, "NoSuchEntity", "The role with name none cannot be found."},
		{"tags for a role that is not there", func() error {
			_, err := w.TagRole(w.ctx, &sdk.TagRoleInput{RoleName: none, Tags: []types.Tag{{Key: none, Value: none}}})
			return err
		}, "NoSuchEntity", "The role with name none cannot be found."},
		{"tags off a role that is not there", func() error {
			_, err := w.UntagRole(w.ctx, &sdk.UntagRoleInput{RoleName: none, TagKeys: []string{"a"}})
			return err
		}, "NoSuchEntity", "The role with name none cannot be found."},
		{"instance profiles of a role that is not there", func() error {
			_, err := w.ListInstanceProfilesForRole(w.ctx, &sdk.ListInstanceProfilesForRoleInput{RoleName: none})
			return err
		}, "NoSuchEntity", "The role with name none cannot be found."},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { wantRefusal(t, tt.do(), tt.code, tt.message) })
	}
	_, err := w.CreateRole(w.ctx, &sdk.CreateRoleInput{RoleName: aws.String("new"), AssumeRolePolicyDocument: aws.String(trust), PermissionsBoundary: aws.String("arn:aws:iam::210987654321:policy/theirs")})
	wantCode(t, err, "NoSuchEntity", "Scope ARN: arn:aws:iam::210987654321:policy/theirs does not exist or is not attachable.")
	w.role("s")
	_, err = w.CreateRole(w.ctx, &sdk.CreateRoleInput{RoleName: aws.String("new"), AssumeRolePolicyDocument: aws.String(trust)})
	wantRefusal(t, err, "LimitExceeded", "Cannot exceed quota for RolesPerAccount: 2")
}

// wantCode asserts an error that IAM gives though its model does not name it.
func wantCode(t *testing.T, err error, code, message string) {
	t.Helper()
	if err == nil || !strings.HasSuffix(err.Error(), fmt.Sprintf("api error %s: %s", code, message)) && !strings.HasSuffix(err.Error(), fmt.Sprintf("%sException: %s", code, message)) {
		t.Errorf("got %v, want %s: %s", err, code, message)
	}
}

func TestARoleThatHasPoliciesStays(t *testing.T) {
	w := newWorld(t)
	w.role("r")
	r := aws.String("r")
	must2[*sdk.AttachRolePolicyOutput](t)(w.AttachRolePolicy(w.ctx, &sdk.AttachRolePolicyInput{RoleName: r, PolicyArn: aws.String(readOnly)}))
	must2[*sdk.PutRolePolicyOutput](t)(w.PutRolePolicy(w.ctx, &sdk.PutRolePolicyInput{RoleName: r, PolicyName: aws.String("p"), PolicyDocument: aws.String(pull)}))
	_, err := w.DeleteRole(w.ctx, &sdk.DeleteRoleInput{RoleName: r})
	wantRefusal(t, err, "DeleteConflict", "Cannot delete entity, must detach all policies first.")
	must2[*sdk.DetachRolePolicyOutput](t)(w.DetachRolePolicy(w.ctx, &sdk.DetachRolePolicyInput{RoleName: r, PolicyArn: aws.String(readOnly)}))
	_, err = w.DeleteRole(w.ctx, &sdk.DeleteRoleInput{RoleName: r})
	wantRefusal(t, err, "DeleteConflict", "Cannot delete entity, must delete policies first.")
	must2[*sdk.DeleteRolePolicyOutput](t)(w.DeleteRolePolicy(w.ctx, &sdk.DeleteRolePolicyInput{RoleName: r, PolicyName: aws.String("p")}))
	must2[*sdk.DeleteRoleOutput](t)(w.DeleteRole(w.ctx, &sdk.DeleteRoleInput{RoleName: r}))
}
