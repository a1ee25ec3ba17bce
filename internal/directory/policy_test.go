package directory_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lighterage/lighterage/internal/directory"
	"github.com/lighterage/lighterage/internal/fault"
	"github.com/lighterage/lighterage/internal/meta"
	"github.com/lighterage/lighterage/internal/name"
)

const (
	pull  = `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"ecr:BatchGetImage","Resource":"*"}}`
	trust = `{"Statement":{"Effect":"Allow","Principal":{"AWS":"123456789012"},"Action":"sts:AssumeRole"}}`
)

// policy and role make one in the account home.
func (w *world) policy(called string) string {
	w.t.Helper()
	return must2[directory.Policy](w.t)(w.CreatePolicy(w.ctx, home, directory.NewPolicy{Name: called, Document: pull})).ARN
}

func (w *world) role(called string) directory.Principal {
	w.t.Helper()
	return must2[directory.Principal](w.t)(w.CreateRole(w.ctx, home, directory.NewRole{Name: called, Trust: trust}))
}

func TestAPolicyMadeAnewIsAnother(t *testing.T) {
	w := newWorld(t)
	first := must2[directory.Policy](t)(w.CreatePolicy(w.ctx, home, directory.NewPolicy{Name: "p", Document: pull, Tags: []directory.ResourceTag{{Key: "k", Value: "v"}}}))
	if first.ARN != "arn:aws:iam::123456789012:policy/p" || first.Path != "/" || first.DefaultVersion != "v1" {
		t.Errorf("made %+v", first)
	}
	_, err := w.CreatePolicy(w.ctx, home, directory.NewPolicy{Name: "P", Path: "/x/", Document: pull})
	w.refused(err, fault.EntityExists, "policy", "P")
	must2[directory.Policy](t)(w.CreatePolicy(w.ctx, abroad, directory.NewPolicy{Name: "p", Document: pull}))
	w.must(w.DeletePolicy(w.ctx, home, first.ARN))
	w.refused(w.DeletePolicy(w.ctx, home, first.ARN), fault.EntityNotFound, "policy", first.ARN)
	w.policy("p")
	again := must2[directory.Policy](t)(w.GetPolicy(w.ctx, home, first.ARN))
	if again.UniqueID == first.UniqueID || len(again.Tags) > 0 {
		t.Errorf("it is the old one: %+v", again)
	}
}

func TestNamesAndPathsOfPoliciesAreChecked(t *testing.T) {
	w := newWorld(t)
	for _, n := range []directory.NewPolicy{
		{Name: ""}, {Name: "a b"}, {Name: "a/b"}, {Name: strings.Repeat("a", 129)}, {Name: "a", Path: "x"}, {Name: "a", Path: "/x"}, {Name: "a", Path: "/x y/"},
	} {
		n.Document = pull
		if _, err := w.CreatePolicy(w.ctx, home, n); !fault.Is(err, fault.ParameterInvalid) {
			t.Errorf("%q at %q: %v", n.Name, n.Path, err)
		}
		if _, err := w.CreateRole(w.ctx, home, directory.NewRole{Name: n.Name, Path: n.Path, Trust: trust}); !fault.Is(err, fault.ParameterInvalid) {
			t.Errorf("role %q at %q: %v", n.Name, n.Path, err)
		}
		if n.Path == "" {
			w.user("bob")
			err := w.PutInlinePolicy(w.ctx, home, directory.User, "bob", directory.InlinePolicy{Name: n.Name, Document: pull})
			if !fault.Is(err, fault.ParameterInvalid) {
				t.Errorf("inline %q: %v", n.Name, err)
			}
			w.must(w.DeleteUser(w.ctx, home, "bob"))
		}
	}
}

// TestChangesOfAWSPoliciesAreRefused though no front lets them through.
func TestChangesOfAWSPoliciesAreRefused(t *testing.T) {
	w := newWorld(t)
	_, err := w.CreatePolicyVersion(w.ctx, home, readOnly, pull, true)
	for what, err := range map[string]error{
		"a new version":     err,
		"deletion":          w.DeletePolicy(w.ctx, home, readOnly),
		"another default":   w.SetDefaultPolicyVersion(w.ctx, home, readOnly, "v1"),
		"a version's end":   w.DeletePolicyVersion(w.ctx, home, readOnly, "v1"),
		"tags":              w.TagPolicy(w.ctx, home, readOnly, []directory.ResourceTag{{Key: "k"}}),
		"tags' end":         w.UntagPolicy(w.ctx, home, readOnly, []string{"k"}),
		"through the other": w.DeletePolicy(w.ctx, abroad, readOnly),
	} {
		if !fault.Is(err, fault.EntityProtected) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// TestAccountsKeepTheirPoliciesApart: an ARN of another account names nothing.
func TestAccountsKeepTheirPoliciesApart(t *testing.T) {
	w := newWorld(t)
	arn := w.policy("p")
	must2[directory.Principal](t)(w.CreateUser(w.ctx, abroad, directory.NewUser{Name: "eve"}))
	_, getting := w.GetPolicy(w.ctx, abroad, arn)
	_, listing := w.ListPolicyVersions(w.ctx, abroad, arn)
	_, _, entities := w.EntitiesOf(w.ctx, abroad, arn, directory.EntityFilter{}, directory.Page[directory.PrincipalID]{Limit: 1})
	_, bounding := w.CreateUser(w.ctx, abroad, directory.NewUser{Name: "bounded", Boundary: arn})
	_, role := w.CreateRole(w.ctx, abroad, directory.NewRole{Name: "bounded", Boundary: arn, Trust: trust})
	for what, err := range map[string]error{
		"reading": getting, "its versions": listing, "who has it": entities, "a user's boundary": bounding, "a role's boundary": role,
		"attaching": w.AttachPolicy(w.ctx, abroad, directory.User, "eve", arn), "detaching": w.DetachPolicy(w.ctx, abroad, directory.User, "eve", arn),
		"deleting": w.DeletePolicy(w.ctx, abroad, arn), "tagging": w.TagPolicy(w.ctx, abroad, arn, []directory.ResourceTag{{Key: "k"}}),
	} {
		t.Run(what, func(t *testing.T) { w.refused(err, fault.EntityNotFound, "policy", arn) })
	}
	must2[directory.Policy](t)(w.GetPolicy(w.ctx, home, arn))
}

func TestAttachmentsOfAWSPoliciesAreCountedByAccount(t *testing.T) {
	w := newWorld(t)
	w.user("bob")
	w.must(w.AttachPolicy(w.ctx, home, directory.User, "bob", readOnly))
	must2[directory.Principal](t)(w.CreateRole(w.ctx, home, directory.NewRole{Name: "r", Trust: trust, Boundary: readOnly}))
	for account, want := range map[name.AccountID][2]int64{home: {1, 1}, abroad: {0, 0}} {
		p := must2[directory.Policy](t)(w.GetPolicy(w.ctx, account, readOnly))
		if diff := cmp.Diff(want, [2]int64{p.Attached, p.Bounded}); diff != "" {
			t.Errorf("in %s (-want +got):\n%s", account, diff)
		}
	}
}

func TestAStoresFailureIsAFault(t *testing.T) {
	w := newWorld(t)
	arn := w.policy("p")
	w.user("bob")
	w.role("r")
	_, err := w.CreateProvider(w.ctx, home, directory.NewProvider{URL: "https://issuer.example.com"})
	w.must(err)
	provider := name.ProviderARN(home, "issuer.example.com")
	w.store.SetDown(meta.ErrUnavailable)
	_, read := w.GetPolicy(w.ctx, home, arn)
	_, _, list := w.ListPolicies(w.ctx, home, directory.PolicyFilter{}, directory.Page[string]{Limit: 1})
	_, _, simulate := w.Simulate(w.ctx, home, directory.Simulation{Policies: []string{pull}, Actions: []string{"ecr:GetX"}}, 0, 1)
	_, described := w.UpdateRole(w.ctx, home, "r", directory.RoleChange{Description: new("x")})
	for what, err := range map[string]error{
		"reading a policy": read, "listing": list, "simulating": simulate, "changing a role": described,
		"attaching": w.AttachPolicy(w.ctx, home, directory.User, "bob", arn), "an inline policy": w.PutInlinePolicy(w.ctx, home, directory.User, "bob", directory.InlinePolicy{Name: "p", Document: pull}),
		"a provider": w.AddClientID(w.ctx, home, provider, "x"),
	} {
		if !fault.Is(err, fault.StoreUnavailable) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

func raceForPolicies(w *world) {
	made, refused := w.race(8, func(i int) error {
		_, err := w.CreatePolicy(w.ctx, home, directory.NewPolicy{Name: fmt.Sprint("p", i/2), Document: pull})
		return err
	})
	if made != 3 || refused[fault.EntityExists]+refused[fault.LimitExceeded] != 5 {
		w.t.Errorf("%d were made, the others refused for %v", made, refused)
	}
}

func raceForVersions(w *world) {
	arn := w.policy("p")
	made, refused := w.race(8, func(int) error {
		_, err := w.CreatePolicyVersion(w.ctx, home, arn, pull, true)
		return err
	})
	if made != 4 || refused[fault.LimitExceeded] != 4 {
		w.t.Errorf("%d were made, the others refused for %v", made, refused)
	}
	versions := must2[[]directory.PolicyVersion](w.t)(w.ListPolicyVersions(w.ctx, home, arn))
	if len(versions) != 5 || versions[0].ID != "v5" || !versions[0].Default {
		w.t.Errorf("there are %+v", versions)
	}
}

// raceForAttachments: six attach at a quota of three, of which one is there.
func raceForAttachments(w *world) {
	w.role("r")
	w.must(w.AttachPolicy(w.ctx, home, directory.Role, "r", readOnly))
	arns := make([]string, 6)
	for i := range arns {
		arns[i] = w.policy(fmt.Sprint("p", i))
	}
	made, refused := w.race(len(arns), func(i int) error { return w.AttachPolicy(w.ctx, home, directory.Role, "r", arns[i]) })
	if made != 2 || refused[fault.LimitExceeded] != 4 {
		w.t.Errorf("%d were attached, the others refused for %v", made, refused)
	}
	if have := must2[[]directory.AttachedPolicy](w.t)(w.AttachedPolicies(w.ctx, home, directory.Role, "r", "/")); len(have) != 3 {
		w.t.Errorf("attached are %v", have)
	}
}

// raceOfAnEnd: a policy is attached, made a boundary and deleted at once.
func raceOfAnEnd(w *world) {
	arn := w.policy("p")
	w.user("bob")
	_, refused := w.race(6, func(i int) error {
		switch i % 3 {
		case 0:
			return w.DeletePolicy(w.ctx, home, arn)
		case 1:
			return w.AttachPolicy(w.ctx, home, directory.User, "bob", arn)
		}
		_, err := w.CreateRole(w.ctx, home, directory.NewRole{Name: fmt.Sprint("r", i), Trust: trust, Boundary: arn})
		return err
	})
	for reason := range refused {
		if reason != fault.EntityNotFound && reason != fault.EntityInUse {
			w.t.Errorf("refused for %s", reason)
		}
	}
	have := must2[[]directory.AttachedPolicy](w.t)(w.AttachedPolicies(w.ctx, home, directory.User, "bob", "/"))
	roles, _, err := w.ListRoles(w.ctx, home, "/", directory.Page[string]{Limit: 10})
	w.must(err)
	_, err = w.GetPolicy(w.ctx, home, arn)
	if gone := fault.Is(err, fault.EntityNotFound); gone != (len(have)+len(roles) == 0) {
		w.t.Errorf("the policy is gone: %v, and attached %d times, a boundary %d times", gone, len(have), len(roles))
	}
}

// raceForInlineSize: of documents that fit one by one, as many get in as fit
// together.
func raceForInlineSize(w *world) {
	w.user("bob")
	made, refused := w.race(4, func(i int) error {
		return w.PutInlinePolicy(w.ctx, home, directory.User, "bob", directory.InlinePolicy{Name: fmt.Sprint("p", i), Document: pull})
	})
	if made != 2 || refused[fault.LimitExceeded] != 2 {
		w.t.Errorf("%d were put, the others refused for %v", made, refused)
	}
}

// raceForProviders: of two creations of one provider, one succeeds, and clients
// that are added at once are all there.
func raceForProviders(w *world) {
	made, refused := w.race(2, func(int) error {
		_, err := w.CreateProvider(w.ctx, home, directory.NewProvider{URL: "https://issuer.example.com"})
		return err
	})
	if made != 1 || refused[fault.EntityExists] != 1 {
		w.t.Errorf("%d were made, the others refused for %v", made, refused)
	}
	arn := name.ProviderARN(home, "issuer.example.com")
	w.race(5, func(i int) error { return w.AddClientID(w.ctx, home, arn, fmt.Sprint("client", i)) })
	if p := must2[directory.Provider](w.t)(w.GetProvider(w.ctx, home, arn)); len(p.ClientIDs) != 5 {
		w.t.Errorf("clients are %v", p.ClientIDs)
	}
}

// TestWhiteSpaceIsNotFreeWithoutEnd: quotas do not count it, but every decision
// would have to read it.
func TestWhiteSpaceIsNotFreeWithoutEnd(t *testing.T) {
	w := newWorld(t)
	user := w.user("alice")
	padded := func(document string, size int64) string {
		return document + strings.Repeat(" ", int(size)-len(document))
	}
	for name, put := range map[string]struct {
		quota int64
		do    func(called string, size int64) error
	}{
		"a managed policy": {directory.Quotas.PolicySize, func(called string, size int64) error {
			_, err := w.CreatePolicy(w.ctx, home, directory.NewPolicy{Name: called, Document: padded(pull, size)})
			return err
		}},
		"an inline policy": {directory.Quotas.UserPolicySize, func(called string, size int64) error {
			return w.PutInlinePolicy(w.ctx, home, directory.User, user.Key.Name, directory.InlinePolicy{Name: "only", Document: padded(pull, size)})
		}},
		"a trust policy": {directory.Quotas.TrustSize, func(called string, size int64) error {
			trust := `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"Service":"ecr.amazonaws.com"},"Action":"sts:AssumeRole"}}`
			_, err := w.CreateRole(w.ctx, home, directory.NewRole{Name: called, Trust: padded(trust, size)})
			return err
		}},
	} {
		if err := put.do("within", 3*put.quota); err != nil {
			t.Errorf("%s of three times the quota: %v", name, err)
		}
		if err := put.do("beyond", 3*put.quota+1); !fault.Is(err, fault.LimitExceeded) {
			t.Errorf("%s of more: %v", name, err)
		}
	}
	err := w.PutInlinePolicy(w.ctx, home, directory.User, user.Key.Name, directory.InlinePolicy{Name: "another", Document: pull})
	if !fault.Is(err, fault.LimitExceeded) {
		t.Errorf("another inline policy beside one that takes all room: %v", err)
	}
}
