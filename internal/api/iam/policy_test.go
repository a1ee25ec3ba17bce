package iam_test

import (
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"
	"github.com/google/go-cmp/cmp"

	"github.com/lighterage/lighterage/internal/directory"
	"github.com/lighterage/lighterage/internal/identity"
	"github.com/lighterage/lighterage/internal/name"
)

// pull and push are documents that managed and inline policies can have.
const (
	pull = `{"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "ecr:BatchGetImage", "Resource": "*"}}`
	push = `{"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "ecr:PutImage", "Resource": "*"}}`
)

// own is the ARN of a policy of the account.
func own(called string) string { return name.PolicyARN(account, "/", called) }

func (w *world) policy(called string) string {
	w.t.Helper()
	return *must2[*sdk.CreatePolicyOutput](w.t)(w.CreatePolicy(w.ctx, &sdk.CreatePolicyInput{PolicyName: &called, PolicyDocument: aws.String(pull)})).Policy.Arn
}

func TestAPolicyIsMadeReadAndDeleted(t *testing.T) {
	w := newWorld(t)
	made := must2[*sdk.CreatePolicyOutput](t)(w.CreatePolicy(w.ctx, &sdk.CreatePolicyInput{
		PolicyName: aws.String("Pull"), Path: aws.String("/team/a/"), PolicyDocument: aws.String(pull), Description: aws.String("to pull"),
		Tags: []types.Tag{{Key: aws.String("k"), Value: aws.String("v")}},
	})).Policy
	if !regexp.MustCompile(`^ANPA[A-Z2-7]{17}$`).MatchString(*made.PolicyId) {
		t.Errorf("its id is %s", *made.PolicyId)
	}
	want := types.Policy{
		PolicyName: aws.String("Pull"), Path: aws.String("/team/a/"), Arn: aws.String("arn:aws:iam::123456789012:policy/team/a/Pull"),
		PolicyId: made.PolicyId, DefaultVersionId: aws.String("v1"), AttachmentCount: aws.Int32(0), PermissionsBoundaryUsageCount: aws.Int32(0),
		IsAttachable: true, Description: aws.String("to pull"), CreateDate: aws.Time(instant), UpdateDate: aws.Time(instant),
		Tags: []types.Tag{{Key: aws.String("k"), Value: aws.String("v")}},
	}
	if diff := cmp.Diff(want, *made, plain); diff != "" {
		t.Errorf("made (-want +got):\n%s", diff)
	}
	w.user("bob")
	must2[*sdk.AttachUserPolicyOutput](t)(w.AttachUserPolicy(w.ctx, &sdk.AttachUserPolicyInput{UserName: aws.String("bob"), PolicyArn: made.Arn}))
	must2[*sdk.CreateRoleOutput](t)(w.CreateRole(w.ctx, &sdk.CreateRoleInput{RoleName: aws.String("r"), AssumeRolePolicyDocument: aws.String(trust), PermissionsBoundary: made.Arn}))
	want.AttachmentCount, want.PermissionsBoundaryUsageCount = aws.Int32(1), aws.Int32(1)
	got := must2[*sdk.GetPolicyOutput](t)(w.GetPolicy(w.ctx, &sdk.GetPolicyInput{PolicyArn: made.Arn})).Policy
	if diff := cmp.Diff(want, *got, plain); diff != "" {
		t.Errorf("read (-want +got):\n%s", diff)
	}

	_, err := w.DeletePolicy(w.ctx, &sdk.DeletePolicyInput{PolicyArn: made.Arn})
	wantRefusal(t, err, "DeleteConflict", "Cannot delete a policy attached to entities.")
	must2[*sdk.DetachUserPolicyOutput](t)(w.DetachUserPolicy(w.ctx, &sdk.DetachUserPolicyInput{UserName: aws.String("bob"), PolicyArn: made.Arn}))
	_, err = w.DeletePolicy(w.ctx, &sdk.DeletePolicyInput{PolicyArn: made.Arn})
	wantRefusal(t, err, "DeleteConflict", "Cannot delete a policy attached to entities.")
	must2[*sdk.DeleteRoleOutput](t)(w.DeleteRole(w.ctx, &sdk.DeleteRoleInput{RoleName: aws.String("r")}))
	must2[*sdk.DeletePolicyOutput](t)(w.DeletePolicy(w.ctx, &sdk.DeletePolicyInput{PolicyArn: made.Arn}))
	_, err = w.GetPolicy(w.ctx, &sdk.GetPolicyInput{PolicyArn: made.Arn})
	wantRefusal(t, err, "NoSuchEntity", "Policy arn:aws:iam::123456789012:policy/team/a/Pull was not found.")
}

func TestVersionsOfAPolicy(t *testing.T) {
	w := newWorld(t)
	arn := aws.String(w.policy("p"))
	create := func(asDefault bool) (*sdk.CreatePolicyVersionOutput, error) {
		return w.CreatePolicyVersion(w.ctx, &sdk.CreatePolicyVersionInput{PolicyArn: arn, PolicyDocument: aws.String(push), SetAsDefault: asDefault})
	}
	v2 := must2[*sdk.CreatePolicyVersionOutput](t)(create(false)).PolicyVersion
	if diff := cmp.Diff(types.PolicyVersion{VersionId: aws.String("v2"), CreateDate: aws.Time(instant)}, *v2, plain); diff != "" {
		t.Errorf("v2 (-want +got):\n%s", diff)
	}
	for range 3 {
		must2[*sdk.CreatePolicyVersionOutput](t)(create(true))
	}
	_, err := create(false)
	wantRefusal(t, err, "LimitExceeded", "A managed policy can have up to 5 versions. Before you create a new version, you must delete an existing version.")
	_, err = w.DeletePolicyVersion(w.ctx, &sdk.DeletePolicyVersionInput{PolicyArn: arn, VersionId: aws.String("v5")})
	wantRefusal(t, err, "DeleteConflict", "Cannot delete the default version of a policy.")
	must2[*sdk.SetDefaultPolicyVersionOutput](t)(w.SetDefaultPolicyVersion(w.ctx, &sdk.SetDefaultPolicyVersionInput{PolicyArn: arn, VersionId: aws.String("v2")}))
	must2[*sdk.DeletePolicyVersionOutput](t)(w.DeletePolicyVersion(w.ctx, &sdk.DeletePolicyVersionInput{PolicyArn: arn, VersionId: aws.String("v5")}))
	if v := must2[*sdk.CreatePolicyVersionOutput](t)(create(false)).PolicyVersion; *v.VersionId != "v6" {
		t.Errorf("a number was given again: %s", *v.VersionId)
	}

	var ids []string
	p := sdk.NewListPolicyVersionsPaginator(w.Client, &sdk.ListPolicyVersionsInput{PolicyArn: arn, MaxItems: aws.Int32(2)})
	for p.HasMorePages() {
		for _, v := range must2[*sdk.ListPolicyVersionsOutput](t)(p.NextPage(w.ctx)).Versions {
			ids = append(ids, *v.VersionId)
			if v.IsDefaultVersion != (*v.VersionId == "v2") || v.Document != nil {
				t.Errorf("listed as %+v", v)
			}
		}
	}
	if !slices.Equal(ids, []string{"v6", "v4", "v3", "v2", "v1"}) {
		t.Errorf("versions are %v", ids)
	}
	for id, document := range map[string]string{"v1": pull, "v2": push} {
		v := must2[*sdk.GetPolicyVersionOutput](t)(w.GetPolicyVersion(w.ctx, &sdk.GetPolicyVersionInput{PolicyArn: arn, VersionId: &id})).PolicyVersion
		if text, _ := url.QueryUnescape(*v.Document); text != document || strings.ContainsAny(*v.Document, "+ {\"") {
			t.Errorf("%s is %s", id, *v.Document)
		}
	}
	_, err = w.DeletePolicy(w.ctx, &sdk.DeletePolicyInput{PolicyArn: arn})
	wantRefusal(t, err, "DeleteConflict", "This policy has more than one version. Before you delete a policy, you must delete the policy's versions. The default version is deleted with the policy.")
	if p := must2[*sdk.GetPolicyOutput](t)(w.GetPolicy(w.ctx, &sdk.GetPolicyInput{PolicyArn: arn})).Policy; *p.DefaultVersionId != "v2" {
		t.Errorf("the default version is %s", *p.DefaultVersionId)
	}
}

func TestPoliciesAreListedByFilter(t *testing.T) {
	w := newWorld(t)
	for _, called := range []string{"b", "A", "readonlyaccess"} {
		w.policy(called)
	}
	w.user("bob")
	for _, arn := range []string{own("b"), readOnly} {
		must2[*sdk.AttachUserPolicyOutput](t)(w.AttachUserPolicy(w.ctx, &sdk.AttachUserPolicyInput{UserName: aws.String("bob"), PolicyArn: &arn}))
	}
	must2[*sdk.CreateUserOutput](t)(w.CreateUser(w.ctx, &sdk.CreateUserInput{UserName: aws.String("eve"), PermissionsBoundary: aws.String(own("A"))}))
	aws7 := []string{
		"AdministratorAccess", "AmazonEC2ContainerRegistryFullAccess", "AmazonEC2ContainerRegistryPowerUser", "AmazonEC2ContainerRegistryPullOnly",
		"AmazonEC2ContainerRegistryReadOnly", "PowerUserAccess", "ReadOnlyAccess",
	}
	tests := []struct {
		name string
		in   sdk.ListPoliciesInput
		want []string
	}{
		{"without a filter all are listed, AWS's first", sdk.ListPoliciesInput{}, append(slices.Clone(aws7), "A", "b", "readonlyaccess")},
		{"all", sdk.ListPoliciesInput{Scope: types.PolicyScopeTypeAll}, append(slices.Clone(aws7), "A", "b", "readonlyaccess")},
		{"AWS's", sdk.ListPoliciesInput{Scope: types.PolicyScopeTypeAws}, aws7},
		{"the account's", sdk.ListPoliciesInput{Scope: types.PolicyScopeTypeLocal}, []string{"A", "b", "readonlyaccess"}},
		{"those that somebody has", sdk.ListPoliciesInput{OnlyAttached: true}, []string{"ReadOnlyAccess", "b"}},
		{"those used for permissions", sdk.ListPoliciesInput{PolicyUsageFilter: types.PolicyUsageTypePermissionsPolicy}, []string{"ReadOnlyAccess", "b"}},
		{"those used as boundaries", sdk.ListPoliciesInput{PolicyUsageFilter: types.PolicyUsageTypePermissionsBoundary}, []string{"A"}},
		{"those of a path where none is", sdk.ListPoliciesInput{PathPrefix: aws.String("/none/")}, nil},
	}
	for _, tt := range tests {
		for _, size := range []int32{1, 2, 100} {
			var got []string
			tt.in.MaxItems = &size
			p := sdk.NewListPoliciesPaginator(w.Client, &tt.in)
			for p.HasMorePages() {
				page := must2[*sdk.ListPoliciesOutput](t)(p.NextPage(w.ctx))
				if len(page.Policies) > int(size) || page.IsTruncated != (page.Marker != nil) {
					t.Errorf("%s: a page of %d, truncated %v", tt.name, len(page.Policies), page.IsTruncated)
				}
				for _, one := range page.Policies {
					got = append(got, *one.PolicyName)
					if one.Description != nil {
						t.Errorf("%s: a list tells a description", tt.name)
					}
				}
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("%s, in pages of %d: %v", tt.name, size, got)
			}
		}
	}
	page := must2[*sdk.ListPoliciesOutput](t)(w.ListPolicies(w.ctx, &sdk.ListPoliciesInput{MaxItems: aws.Int32(1)}))
	_, err := w.ListPolicies(w.ctx, &sdk.ListPoliciesInput{Marker: page.Marker, OnlyAttached: true})
	wantRefusal(t, err, "ValidationError", "Invalid Marker.")
}

func TestPolicyTagsAreAddedListedAndTakenAway(t *testing.T) {
	w := newWorld(t, func(l *directory.Limits) { l.ResourceTags = 2 })
	arn := aws.String(w.policy("p"))
	tag := func(key string) error {
		_, err := w.TagPolicy(w.ctx, &sdk.TagPolicyInput{PolicyArn: arn, Tags: []types.Tag{{Key: &key, Value: aws.String("v")}}})
		return err
	}
	w.must(tag("a"))
	w.must(tag("b"))
	wantRefusal(t, tag("c"), "LimitExceeded", "Cannot exceed quota for TagsPerResource: 2")
	wantRefusal(t, tag("aws:c"), "InvalidInput", "Tag keys that start with aws: are reserved for AWS use.")
	must2[*sdk.UntagPolicyOutput](t)(w.UntagPolicy(w.ctx, &sdk.UntagPolicyInput{PolicyArn: arn, TagKeys: []string{"A"}}))
	got := must2[*sdk.ListPolicyTagsOutput](t)(w.ListPolicyTags(w.ctx, &sdk.ListPolicyTagsInput{PolicyArn: arn}))
	if len(got.Tags) != 1 || *got.Tags[0].Key != "b" {
		t.Errorf("tags are %+v", got.Tags)
	}
	got = must2[*sdk.ListPolicyTagsOutput](t)(w.ListPolicyTags(w.ctx, &sdk.ListPolicyTagsInput{PolicyArn: aws.String(readOnly)}))
	if len(got.Tags) != 0 {
		t.Errorf("one of AWS's has tags: %+v", got.Tags)
	}
}

func TestAPolicyOfAWSIsRead(t *testing.T) {
	w := newWorld(t)
	p := must2[*sdk.GetPolicyOutput](t)(w.GetPolicy(w.ctx, &sdk.GetPolicyInput{PolicyArn: aws.String(readOnly)})).Policy
	if *p.PolicyId != "ANPAILL3HVNFSB6DCOWYQ" || *p.DefaultVersionId != "v1" || *p.Description == "" {
		t.Errorf("got %+v", p)
	}
	versions := must2[*sdk.ListPolicyVersionsOutput](t)(w.ListPolicyVersions(w.ctx, &sdk.ListPolicyVersionsInput{PolicyArn: aws.String(readOnly)})).Versions
	if len(versions) != 1 || *versions[0].VersionId != "v1" || !versions[0].IsDefaultVersion {
		t.Errorf("versions are %+v", versions)
	}
	v := must2[*sdk.GetPolicyVersionOutput](t)(w.GetPolicyVersion(w.ctx, &sdk.GetPolicyVersionInput{PolicyArn: aws.String(readOnly), VersionId: aws.String("v1")})).PolicyVersion
	if text, _ := url.QueryUnescape(*v.Document); !strings.Contains(text, `"ecr:Describe*"`) {
		t.Errorf("it says %s", text)
	}
	_, err := w.GetPolicyVersion(w.ctx, &sdk.GetPolicyVersionInput{PolicyArn: aws.String(readOnly), VersionId: aws.String("v2")})
	wantRefusal(t, err, "NoSuchEntity", "Policy "+readOnly+" version v2 does not exist or is not attachable.")
}

// TestWhatIsNotTheAccountsIsNotChanged: nobody may change AWS's policies, and
// reach those of another account, whether or not they are there.
func TestWhatIsNotTheAccountsIsNotChanged(t *testing.T) {
	w := newWorld(t)
	them := w.as(identity.Caller{Account: foreign, Kind: identity.Root, ARN: name.RootARN(foreign)})
	theirs := must2[*sdk.CreatePolicyOutput](t)(them.CreatePolicy(w.ctx, &sdk.CreatePolicyInput{PolicyName: aws.String("theirs"), PolicyDocument: aws.String(pull)})).Policy.Arn
	absent := aws.String(name.PolicyARN(foreign, "/", "absent"))
	v1, tags := aws.String("v1"), []types.Tag{{Key: aws.String("k"), Value: aws.String("v")}}
	changes := map[string]func(arn *string) error{
		"iam:DeletePolicy": func(arn *string) error {
			_, err := w.DeletePolicy(w.ctx, &sdk.DeletePolicyInput{PolicyArn: arn})
			return err
		},
		"iam:CreatePolicyVersion": func(arn *string) error {
			_, err := w.CreatePolicyVersion(w.ctx, &sdk.CreatePolicyVersionInput{PolicyArn: arn, PolicyDocument: aws.String(pull)})
			return err
		},
		"iam:DeletePolicyVersion": func(arn *string) error {
			_, err := w.DeletePolicyVersion(w.ctx, &sdk.DeletePolicyVersionInput{PolicyArn: arn, VersionId: v1})
			return err
		},
		"iam:SetDefaultPolicyVersion": func(arn *string) error {
			_, err := w.SetDefaultPolicyVersion(w.ctx, &sdk.SetDefaultPolicyVersionInput{PolicyArn: arn, VersionId: v1})
			return err
		},
		"iam:TagPolicy": func(arn *string) error {
			_, err := w.TagPolicy(w.ctx, &sdk.TagPolicyInput{PolicyArn: arn, Tags: tags})
			return err
		},
		"iam:UntagPolicy": func(arn *string) error {
			_, err := w.UntagPolicy(w.ctx, &sdk.UntagPolicyInput{PolicyArn: arn, TagKeys: []string{"k"}})
			return err
		},
	}
	reads := map[string]func(arn *string) error{
		"iam:GetPolicy": func(arn *string) error {
			_, err := w.GetPolicy(w.ctx, &sdk.GetPolicyInput{PolicyArn: arn})
			return err
		},
		"iam:GetPolicyVersion": func(arn *string) error {
			_, err := w.GetPolicyVersion(w.ctx, &sdk.GetPolicyVersionInput{PolicyArn: arn, VersionId: v1})
			return err
		},
		"iam:ListPolicyVersions": func(arn *string) error {
			_, err := w.ListPolicyVersions(w.ctx, &sdk.ListPolicyVersionsInput{PolicyArn: arn})
			return err
		},
		"iam:ListPolicyTags": func(arn *string) error {
			_, err := w.ListPolicyTags(w.ctx, &sdk.ListPolicyTagsInput{PolicyArn: arn})
			return err
		},
		"iam:ListEntitiesForPolicy": func(arn *string) error {
			_, err := w.ListEntitiesForPolicy(w.ctx, &sdk.ListEntitiesForPolicyInput{PolicyArn: arn})
			return err
		},
	}
	denied := func(action string, err error, arn *string) {
		t.Helper()
		wantRefusal(t, err, "AccessDenied", "User: arn:aws:iam::123456789012:root is not authorized to perform: "+action+" on resource: "+*arn)
	}
	for action, do := range changes {
		for _, arn := range []*string{aws.String(readOnly), theirs, absent} {
			denied(action, do(arn), arn)
		}
		err := do(aws.String("arn:aws:iam::123456789012:role/not-a-policy"))
		wantRefusal(t, err, "InvalidInput", "ARN arn:aws:iam::123456789012:role/not-a-policy is not valid.")
		wantRefusal(t, do(aws.String(own("absent"))), "NoSuchEntity", "Policy "+own("absent")+" was not found.")
	}
	for action, do := range reads {
		for _, arn := range []*string{theirs, absent} {
			denied(action, do(arn), arn)
		}
		w.must(do(aws.String(readOnly)))
		wantRefusal(t, do(aws.String("arn:aws:iam::aws:policy/NoSuchPolicy")), "NoSuchEntity", "Policy arn:aws:iam::aws:policy/NoSuchPolicy was not found.")
		wantRefusal(t, do(aws.String(own("absent"))), "NoSuchEntity", "Policy "+own("absent")+" was not found.")
		wantRefusal(t, do(aws.String("arn:aws:iam::123456789012:user/not-a-policy")), "InvalidInput", "ARN arn:aws:iam::123456789012:user/not-a-policy is not valid.")
	}
	must2[*sdk.GetPolicyOutput](t)(them.GetPolicy(w.ctx, &sdk.GetPolicyInput{PolicyArn: theirs}))
}

func TestWhatIsRefusedOfPolicies(t *testing.T) {
	w := newWorld(t, func(l *directory.Limits) { l.Policies = 2 })
	arn := aws.String(w.policy("p"))
	long := strings.Replace(pull, "BatchGetImage", strings.Repeat("A", 6144), 1)
	spacious := strings.Replace(pull, ": ", ": "+strings.Repeat(" \n\t", 3000), 1)
	create := func(called, document string) error {
		_, err := w.CreatePolicy(w.ctx, &sdk.CreatePolicyInput{PolicyName: &called, PolicyDocument: &document})
		return err
	}
	version := func(document string) error {
		_, err := w.CreatePolicyVersion(w.ctx, &sdk.CreatePolicyVersionInput{PolicyArn: arn, PolicyDocument: &document})
		return err
	}
	tests := []struct {
		name          string
		err           error
		code, message string
	}{
		{"a name that is there in another case", create("P", pull), "EntityAlreadyExists", "A policy called P already exists. Duplicate names are not allowed."},
		{"no JSON", create("q", "x"), "MalformedPolicyDocument", "Syntax errors in policy."},
		{"the old version", create("q", strings.Replace(pull, "2012-10-17", "2008-10-17", 1)), "MalformedPolicyDocument", "Policy document must be version 2012-10-17 or greater."},
		{"a principal", create("q", strings.Replace(pull, `"Effect"`, `"Principal": "*", "Effect"`, 1)), "MalformedPolicyDocument", "Policy document should not specify a principal."},
		{"a document that is too long", create("q", long), "LimitExceeded", "Cannot exceed quota for PolicySize: 6144"},
		{"a version that is no JSON", version("x"), "MalformedPolicyDocument", "Syntax errors in policy."},
		{"a version that is too long", version(long), "LimitExceeded", "Cannot exceed quota for PolicySize: 6144"},
		{"white space is not counted", create("spacious", spacious), "", ""},
		{"one more than there may be", create("third", pull), "LimitExceeded", "Cannot exceed quota for PoliciesPerAccount: 2"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if tt.code == "" {
				if tt.err != nil {
					t.Error(tt.err)
				}
				return
			}
			wantRefusal(t, tt.err, tt.code, tt.message)
		})
	}
	for _, id := range []string{"v2", "v9223372036854775808", "v1.x"} {
		message := "Policy " + *arn + " version " + id + " does not exist or is not attachable."
		_, err := w.GetPolicyVersion(w.ctx, &sdk.GetPolicyVersionInput{PolicyArn: arn, VersionId: &id})
		wantRefusal(t, err, "NoSuchEntity", message)
		_, err = w.SetDefaultPolicyVersion(w.ctx, &sdk.SetDefaultPolicyVersionInput{PolicyArn: arn, VersionId: &id})
		wantRefusal(t, err, "NoSuchEntity", message)
		_, err = w.DeletePolicyVersion(w.ctx, &sdk.DeletePolicyVersionInput{PolicyArn: arn, VersionId: &id})
		wantRefusal(t, err, "NoSuchEntity", message)
	}
	_, err := w.GetPolicy(w.ctx, &sdk.GetPolicyInput{PolicyArn: aws.String(own("P"))})
	wantRefusal(t, err, "NoSuchEntity", "Policy "+own("P")+" was not found.")
	_, err = w.GetPolicy(w.ctx, &sdk.GetPolicyInput{PolicyArn: aws.String(name.PolicyARN(account, "/path/", "p"))})
	wantRefusal(t, err, "NoSuchEntity", "Policy "+name.PolicyARN(account, "/path/", "p")+" was not found.")
}
