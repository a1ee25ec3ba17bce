package iam_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"

	"github.com/lighterage/lighterage/internal/directory"
	"github.com/lighterage/lighterage/internal/identity"
	"github.com/lighterage/lighterage/internal/name"
)

// holder is how the operations of one kind of principal are called.
type holder struct {
	kind             string
	make             func(w *world, called string)
	attach, detach   func(w *world, called, arn string) error
	attached         func(w *world, called string, path, marker *string, size *int32) ([]types.AttachedPolicy, *string, error)
	put              func(w *world, called, policy, document string) error
	get              func(w *world, called, policy string) (holder, name, document *string, err error)
	list             func(w *world, called string, marker *string, size *int32) ([]string, *string, error)
	remove           func(w *world, called, policy string) error
	limit            int64 // of inline policies
	attachmentsQuota string
}

var holders = []holder{
	{
		kind: "user", make: (*world).user, limit: 2048, attachmentsQuota: "PoliciesPerUser",
		attach: func(w *world, called, arn string) error {
			_, err := w.AttachUserPolicy(w.ctx, &sdk.AttachUserPolicyInput{UserName: &called, PolicyArn: &arn})
			return err
		},
		detach: func(w *world, called, arn string) error {
			_, err := w.DetachUserPolicy(w.ctx, &sdk.DetachUserPolicyInput{UserName: &called, PolicyArn: &arn})
			return err
		},
		attached: func(w *world, called string, path, marker *string, size *int32) ([]types.AttachedPolicy, *string, error) {
			out, err := w.ListAttachedUserPolicies(w.ctx, &sdk.ListAttachedUserPoliciesInput{UserName: &called, PathPrefix: path, Marker: marker, MaxItems: size})
			if err != nil {
				return nil, nil, err
			}
			return out.AttachedPolicies, out.Marker, nil
		},
		put: func(w *world, called, policy, document string) error {
			_, err := w.PutUserPolicy(w.ctx, &sdk.PutUserPolicyInput{UserName: &called, PolicyName: &policy, PolicyDocument: &document})
			return err
		},
		get: func(w *world, called, policy string) (holder, name, document *string, err error) {
			out, err := w.GetUserPolicy(w.ctx, &sdk.GetUserPolicyInput{UserName: &called, PolicyName: &policy})
			if err != nil {
				return nil, nil, nil, err
			}
			return out.UserName, out.PolicyName, out.PolicyDocument, nil
		},
		list: func(w *world, called string, marker *string, size *int32) ([]string, *string, error) {
			out, err := w.ListUserPolicies(w.ctx, &sdk.ListUserPoliciesInput{UserName: &called, Marker: marker, MaxItems: size})
			if err != nil {
				return nil, nil, err
			}
			return out.PolicyNames, out.Marker, nil
		},
		remove: func(w *world, called, policy string) error {
			_, err := w.DeleteUserPolicy(w.ctx, &sdk.DeleteUserPolicyInput{UserName: &called, PolicyName: &policy})
			return err
		},
	},
	{
		kind: "group", make: (*world).group, limit: 5120, attachmentsQuota: "PoliciesPerGroup",
		attach: func(w *world, called, arn string) error {
			_, err := w.AttachGroupPolicy(w.ctx, &sdk.AttachGroupPolicyInput{GroupName: &called, PolicyArn: &arn})
			return err
		},
		detach: func(w *world, called, arn string) error {
			_, err := w.DetachGroupPolicy(w.ctx, &sdk.DetachGroupPolicyInput{GroupName: &called, PolicyArn: &arn})
			return err
		},
		attached: func(w *world, called string, path, marker *string, size *int32) ([]types.AttachedPolicy, *string, error) {
			out, err := w.ListAttachedGroupPolicies(w.ctx, &sdk.ListAttachedGroupPoliciesInput{GroupName: &called, PathPrefix: path, Marker: marker, MaxItems: size})
			if err != nil {
				return nil, nil, err
			}
			return out.AttachedPolicies, out.Marker, nil
		},
		put: func(w *world, called, policy, document string) error {
			_, err := w.PutGroupPolicy(w.ctx, &sdk.PutGroupPolicyInput{GroupName: &called, PolicyName: &policy, PolicyDocument: &document})
			return err
		},
		get: func(w *world, called, policy string) (holder, name, document *string, err error) {
			out, err := w.GetGroupPolicy(w.ctx, &sdk.GetGroupPolicyInput{GroupName: &called, PolicyName: &policy})
			if err != nil {
				return nil, nil, nil, err
			}
			return out.GroupName, out.PolicyName, out.PolicyDocument, nil
		},
		list: func(w *world, called string, marker *string, size *int32) ([]string, *string, error) {
			out, err := w.ListGroupPolicies(w.ctx, &sdk.ListGroupPoliciesInput{GroupName: &called, Marker: marker, MaxItems: size})
			if err != nil {
				return nil, nil, err
			}
			return out.PolicyNames, out.Marker, nil
		},
		remove: func(w *world, called, policy string) error {
			_, err := w.DeleteGroupPolicy(w.ctx, &sdk.DeleteGroupPolicyInput{GroupName: &called, PolicyName: &policy})
			return err
		},
	},
	{
		kind: "role", make: (*world).role, limit: 10240, attachmentsQuota: "PoliciesPerRole",
		attach: func(w *world, called, arn string) error {
			_, err := w.AttachRolePolicy(w.ctx, &sdk.AttachRolePolicyInput{RoleName: &called, PolicyArn: &arn})
			return err
		},
		detach: func(w *world, called, arn string) error {
			_, err := w.DetachRolePolicy(w.ctx, &sdk.DetachRolePolicyInput{RoleName: &called, PolicyArn: &arn})
			return err
		},
		attached: func(w *world, called string, path, marker *string, size *int32) ([]types.AttachedPolicy, *string, error) {
			out, err := w.ListAttachedRolePolicies(w.ctx, &sdk.ListAttachedRolePoliciesInput{RoleName: &called, PathPrefix: path, Marker: marker, MaxItems: size})
			if err != nil {
				return nil, nil, err
			}
			return out.AttachedPolicies, out.Marker, nil
		},
		put: func(w *world, called, policy, document string) error {
			_, err := w.PutRolePolicy(w.ctx, &sdk.PutRolePolicyInput{RoleName: &called, PolicyName: &policy, PolicyDocument: &document})
			return err
		},
		get: func(w *world, called, policy string) (holder, name, document *string, err error) {
			out, err := w.GetRolePolicy(w.ctx, &sdk.GetRolePolicyInput{RoleName: &called, PolicyName: &policy})
			if err != nil {
				return nil, nil, nil, err
			}
			return out.RoleName, out.PolicyName, out.PolicyDocument, nil
		},
		list: func(w *world, called string, marker *string, size *int32) ([]string, *string, error) {
			out, err := w.ListRolePolicies(w.ctx, &sdk.ListRolePoliciesInput{RoleName: &called, Marker: marker, MaxItems: size})
			if err != nil {
				return nil, nil, err
			}
			return out.PolicyNames, out.Marker, nil
		},
		remove: func(w *world, called, policy string) error {
			_, err := w.DeleteRolePolicy(w.ctx, &sdk.DeleteRolePolicyInput{RoleName: &called, PolicyName: &policy})
			return err
		},
	},
}

// eachHolder runs a test for users, groups and roles, with one called Bob.
func eachHolder(t *testing.T, test func(t *testing.T, w *world, h holder), edits ...func(*directory.Limits)) {
	for _, h := range holders {
		t.Run(h.kind, func(t *testing.T) {
			w := newWorld(t, edits...)
			h.make(w, "Bob")
			test(t, w, h)
		})
	}
}

func TestPoliciesAreAttachedListedAndDetached(t *testing.T) {
	eachHolder(t, func(t *testing.T, w *world, h holder) {
		w.policy("b")
		w.policy("a")
		must2[*sdk.CreatePolicyOutput](t)(w.CreatePolicy(w.ctx, &sdk.CreatePolicyInput{PolicyName: aws.String("c"), Path: aws.String("/x/"), PolicyDocument: aws.String(pull)}))
		below := name.PolicyARN(account, "/x/", "c")
		for _, arn := range []string{own("b"), below, own("a"), readOnly, own("a")} { // again is no error
			w.must(h.attach(w, "bob", arn))
		}
		list := func(path *string) (got []string) {
			var marker *string
			for {
				page, next, err := h.attached(w, "bob", path, marker, aws.Int32(1))
				w.must(err)
				for _, p := range page {
					got = append(got, *p.PolicyName+" "+*p.PolicyArn)
				}
				if marker = next; next == nil {
					return got
				}
			}
		}
		if got := list(nil); !slices.Equal(got, []string{"a " + own("a"), "ReadOnlyAccess " + readOnly, "b " + own("b"), "c " + below}) {
			t.Errorf("attached are %v", got)
		}
		if got := list(aws.String("/x/")); !slices.Equal(got, []string{"c " + below}) {
			t.Errorf("attached below /x/ are %v", got)
		}
		w.must(h.detach(w, "BOB", own("a")))
		wantRefusal(t, h.detach(w, "Bob", own("a")), "NoSuchEntity", "Policy "+own("a")+" was not found.")
		if got := list(nil); len(got) != 3 {
			t.Errorf("after a was detached there are %v", got)
		}
	})
}

func TestWhatCannotBeAttached(t *testing.T) {
	eachHolder(t, func(t *testing.T, w *world, h holder) {
		them := w.as(identity.Caller{Account: foreign, Kind: identity.Root, ARN: name.RootARN(foreign)})
		theirs := *must2[*sdk.CreatePolicyOutput](t)(them.CreatePolicy(w.ctx, &sdk.CreatePolicyInput{PolicyName: aws.String("p"), PolicyDocument: aws.String(pull)})).Policy.Arn
		w.policy("p")
		for _, arn := range []string{own("absent"), own("P"), name.PolicyARN(account, "/x/", "p"), "arn:aws:iam::aws:policy/NoSuchPolicy", theirs} {
			wantRefusal(t, h.attach(w, "bob", arn), "NoSuchEntity", "Policy "+arn+" does not exist or is not attachable.")
		}
		wantRefusal(t, h.attach(w, "bob", "arn:aws:iam::123456789012:user/bob"), "InvalidInput", "ARN arn:aws:iam::123456789012:user/bob is not valid.")
		wantRefusal(t, h.attach(w, "eve", readOnly), "NoSuchEntity", "The "+h.kind+" with name eve cannot be found.")
		wantRefusal(t, h.detach(w, "eve", readOnly), "NoSuchEntity", "The "+h.kind+" with name eve cannot be found.")
		_, _, err := h.attached(w, "eve", nil, nil, nil)
		wantRefusal(t, err, "NoSuchEntity", "The "+h.kind+" with name eve cannot be found.")
		for i := range 2 {
			w.must(h.attach(w, "bob", w.policy(fmt.Sprint("p", i))))
		}
		wantRefusal(t, h.attach(w, "bob", readOnly), "LimitExceeded", "Cannot exceed quota for "+h.attachmentsQuota+": 2")
		w.must(h.attach(w, "bob", own("p1"))) // it has it
	}, func(l *directory.Limits) { l.Attached = 2 })
}

func TestEntitiesOfAPolicyAreListedByFilter(t *testing.T) {
	w := newWorld(t)
	arn := aws.String(w.policy("p"))
	for _, h := range holders {
		h.make(w, "a"+h.kind)
		w.must(h.attach(w, "a"+h.kind, *arn))
	}
	must2[*sdk.CreateUserOutput](t)(w.CreateUser(w.ctx, &sdk.CreateUserInput{UserName: aws.String("bounded"), Path: aws.String("/x/"), PermissionsBoundary: arn}))
	must2[*sdk.CreateUserOutput](t)(w.CreateUser(w.ctx, &sdk.CreateUserInput{UserName: aws.String("both"), Path: aws.String("/x/"), PermissionsBoundary: arn}))
	must2[*sdk.AttachUserPolicyOutput](t)(w.AttachUserPolicy(w.ctx, &sdk.AttachUserPolicyInput{UserName: aws.String("both"), PolicyArn: arn}))
	w.user("neither")
	tests := []struct {
		name string
		in   sdk.ListEntitiesForPolicyInput
		want []string
	}{
		{"all", sdk.ListEntitiesForPolicyInput{}, []string{"auser", "agroup", "arole", "bounded", "both"}},
		{"users", sdk.ListEntitiesForPolicyInput{EntityFilter: types.EntityTypeUser}, []string{"auser", "bounded", "both"}},
		{"groups", sdk.ListEntitiesForPolicyInput{EntityFilter: types.EntityTypeGroup}, []string{"agroup"}},
		{"roles", sdk.ListEntitiesForPolicyInput{EntityFilter: types.EntityTypeRole}, []string{"arole"}},
		{"policies, to which none is attached", sdk.ListEntitiesForPolicyInput{EntityFilter: types.EntityTypeLocalManagedPolicy}, nil},
		{"those of a path", sdk.ListEntitiesForPolicyInput{PathPrefix: aws.String("/x/")}, []string{"bounded", "both"}},
		{"those that have it", sdk.ListEntitiesForPolicyInput{PolicyUsageFilter: types.PolicyUsageTypePermissionsPolicy}, []string{"auser", "agroup", "arole", "both"}},
		{"those that are bounded by it", sdk.ListEntitiesForPolicyInput{PolicyUsageFilter: types.PolicyUsageTypePermissionsBoundary}, []string{"bounded", "both"}},
	}
	for _, tt := range tests {
		for _, size := range []int32{1, 2, 100} {
			tt.in.PolicyArn, tt.in.MaxItems = arn, &size
			var got []string
			p := sdk.NewListEntitiesForPolicyPaginator(w.Client, &tt.in)
			for p.HasMorePages() {
				page := must2[*sdk.ListEntitiesForPolicyOutput](t)(p.NextPage(w.ctx))
				for _, u := range page.PolicyUsers {
					got = append(got, *u.UserName)
				}
				for _, g := range page.PolicyGroups {
					got = append(got, *g.GroupName)
				}
				for _, r := range page.PolicyRoles {
					got = append(got, *r.RoleName)
				}
			}
			slices.Sort(got)
			slices.Sort(tt.want)
			if !slices.Equal(got, tt.want) {
				t.Errorf("%s, in pages of %d: %v", tt.name, size, got)
			}
		}
	}
}

// TestWhatAttachmentsAreDecidedOn: the policy and the target's boundary are
// there for conditions.
func TestWhatAttachmentsAreDecidedOn(t *testing.T) {
	w := newWorld(t)
	must2[*sdk.CreateUserOutput](t)(w.CreateUser(w.ctx, &sdk.CreateUserInput{UserName: aws.String("bob"), Path: aws.String("/x/"), PermissionsBoundary: aws.String(readOnly)}))
	w.gate.questions()
	user := holders[0]
	w.must(user.attach(w, "bob", readOnly))
	w.must(user.put(w, "bob", "p", pull))
	w.must(user.remove(w, "bob", "p"))
	w.must(user.detach(w, "bob", readOnly))
	w.role("r")
	w.gate.mu.Lock()
	defer w.gate.mu.Unlock()
	for i, action := range []string{"iam:AttachUserPolicy", "iam:PutUserPolicy", "iam:DeleteUserPolicy", "iam:DetachUserPolicy"} {
		a := w.gate.asked[i]
		if a.action != action || a.resource.ARN != "arn:aws:iam::123456789012:user/x/bob" || !slices.Equal(a.resource.Keys["iam:permissionsboundary"], []string{readOnly}) {
			t.Errorf("asked %+v", a)
		}
		if attaching := i == 0 || i == 3; attaching != slices.Equal(a.resource.Keys["iam:policyarn"], []string{readOnly}) {
			t.Errorf("%s knows of the policy: %v", action, a.resource.Keys)
		}
	}
}
