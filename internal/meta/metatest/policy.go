package metatest

import (
	"fmt"
	"strings"

	"github.com/google/go-cmp/cmp"

	"github.com/lighterage/lighterage/internal/meta"
	"github.com/lighterage/lighterage/internal/name"
)

func managed(n string, account name.AccountID) meta.Policy {
	return meta.Policy{
		Account: account, Name: n, Path: "/", UniqueID: "ANPA" + string(account) + n, Description: "policy " + n,
		DefaultVersion: 1, LastVersion: 1, CreatedAt: day, UpdatedAt: day,
	}
}

func (f *fixture) policy(n string, account name.AccountID) (id meta.PolicyID) {
	f.Helper()
	f.update(func(t meta.Tx) (err error) {
		id, err = t.InsertPolicy(managed(n, account), "{}")
		return err
	})
	return id
}

func testPolicy(f *fixture) {
	f.twoAccounts()
	get := func(p meta.Policy) func(meta.Tx) (meta.Policy, error) {
		return func(t meta.Tx) (meta.Policy, error) { return t.Policy(p.Account, p.Name, meta.NoLock) }
	}
	versions := func(id meta.PolicyID) func(meta.Tx) ([]meta.PolicyVersion, error) {
		return func(t meta.Tx) ([]meta.PolicyVersion, error) { return t.PolicyVersions(id) }
	}
	f.on("what is inserted is found as it was", func(f *fixture) {
		want := managed("Found", home)
		want.Path = "/div/"
		asked := want
		asked.DefaultVersion, asked.LastVersion = 7, 0 // the first is number 1 whatever was asked
		f.update(func(t meta.Tx) (err error) {
			want.ID, err = t.InsertPolicy(asked, `{"Version":"2012-10-17"}`)
			return err
		})
		first := meta.PolicyVersion{Policy: want.ID, Number: 1, Document: `{"Version":"2012-10-17"}`, CreatedAt: day}
		found(f, want, get(want))
		found(f, want, func(t meta.Tx) (meta.Policy, error) { return t.PolicyOf(want.ID) })
		for _, lock := range []meta.Lock{meta.LockShared, meta.LockExclusive} {
			found(f, want, func(t meta.Tx) (meta.Policy, error) { return t.Policy(home, strings.ToUpper(want.Name), lock) })
		}
		found(f, []meta.PolicyVersion{first}, versions(want.ID))

		second := meta.PolicyVersion{Policy: want.ID, Number: 2, Document: "{}", CreatedAt: nextDay}
		f.update(func(t meta.Tx) error { return t.InsertPolicyVersion(second) })
		found(f, want, get(want))
		found(f, []meta.PolicyVersion{first, second}, versions(want.ID))
		found(f, second, func(t meta.Tx) (meta.PolicyVersion, error) { return t.PolicyVersion(want.ID, 2) })
		f.refused(meta.ErrExists, func(t meta.Tx) error { return t.InsertPolicyVersion(second) })

		want.Description, want.DefaultVersion, want.LastVersion, want.UpdatedAt = "new", 2, 9, nextDay
		f.update(func(t meta.Tx) error { return t.SetPolicy(want) })
		found(f, want, get(want))
		f.refused(meta.ErrReferenced, func(t meta.Tx) error { return t.DeletePolicyVersion(want.ID, 2) })
		f.update(func(t meta.Tx) error { return t.DeletePolicyVersion(want.ID, 1) })
		found(f, []meta.PolicyVersion{second}, versions(want.ID))
		f.refused(meta.ErrNotFound, func(t meta.Tx) error { return t.DeletePolicyVersion(want.ID, 1) })
		bad := want
		bad.DefaultVersion = 1
		f.refused(meta.ErrNotFound, func(t meta.Tx) error { return t.SetPolicy(bad) })
		found(f, want, get(want))
	})
	f.on("a name is there once in whatever case, and free in another account", func(f *fixture) {
		f.policy("Once", home)
		again := managed("oNCE", home)
		again.UniqueID = "ANPAAGAIN"
		f.refused(meta.ErrExists, func(t meta.Tx) error { _, err := t.InsertPolicy(again, "{}"); return err })
		again.Name, again.UniqueID = "third", managed("Once", home).UniqueID
		f.refused(meta.ErrExists, func(t meta.Tx) error { _, err := t.InsertPolicy(again, "{}"); return err })
		missing(f, get(managed("once", abroad)))
		f.policy("once", abroad)
	})
	f.on("lists are by lower-case name and pages have no gap", func(f *fixture) {
		here := name.AccountID("333333333333")
		f.update(func(t meta.Tx) error { return t.InsertAccount(meta.Account{ID: here}) })
		for i, n := range []string{"b", "A", "a-b", "aB"} {
			p := managed(n, here)
			if i%2 == 0 {
				p.Path = "/even/"
			}
			f.update(func(t meta.Tx) error { _, err := t.InsertPolicy(p, "{}"); return err })
		}
		for path, want := range map[string][]string{"/": {"A", "a-b", "aB", "b"}, "/even/": {"a-b", "b"}, "/odd/": {}} {
			for _, size := range []int{1, 3, 100} {
				f.view(func(t meta.Tx) error {
					list, err := pages(size, func(p meta.Page[string]) ([]meta.Policy, error) { return t.Policies(here, path, p) },
						func(p meta.Policy) string { return p.Name })
					if diff := cmp.Diff(want, each(list, func(p meta.Policy) string { return p.Name })); diff != "" {
						f.Errorf("below %s in pages of %d: %s", path, size, diff)
					}
					return err
				})
			}
		}
		found(f, 4, func(t meta.Tx) (int64, error) { return t.CountPolicies(here) })
		found(f, 0, func(t meta.Tx) (int64, error) { return t.CountPolicies(absent) })
	})
	f.on("one deleted takes its versions and resource tags along", func(f *fixture) {
		id := f.policy("deleted", home)
		tags := meta.Resource{Kind: meta.PolicyResource, ID: int64(id)}
		f.update(func(t meta.Tx) error { return t.PutResourceTags(tags, []meta.ResourceTag{{Key: "k"}}) })
		f.update(func(t meta.Tx) error { return t.DeletePolicy(id) })
		missing(f, get(managed("deleted", home)))
		found(f, nil, versions(id))
		found(f, nil, func(t meta.Tx) ([]meta.ResourceTag, error) { return t.ResourceTags(tags) })
		if next := f.policy("deleted", home); next <= id {
			f.Errorf("policy %d came after %d", next, id)
		}
	})
	f.on("what a principal has or is bounded by cannot be deleted", func(f *fixture) {
		id, owner := f.policy("kept", home), f.principal(userNamed("keeper", home))
		f.update(func(t meta.Tx) error { return t.AttachPolicy(owner, meta.PolicyRef{ARN: "arn:kept", ID: id}) })
		f.refused(meta.ErrReferenced, func(t meta.Tx) error { return t.DeletePolicy(id) })
		f.update(func(t meta.Tx) error { return t.DetachPolicy(owner, "arn:kept") })
		p := userNamed("keeper", home)
		p.ID, p.Boundary = owner, meta.PolicyRef{ARN: "arn:kept", ID: id}
		f.update(func(t meta.Tx) error { return t.SetPrincipal(p) })
		f.refused(meta.ErrReferenced, func(t meta.Tx) error { return t.DeletePolicy(id) })
		p.Boundary = meta.PolicyRef{}
		f.update(func(t meta.Tx) error { return t.SetPrincipal(p) })
		f.update(func(t meta.Tx) error { return t.DeletePolicy(id) })
	})
	f.on("of a delete and an attachment one wins", func(f *fixture) {
		owner := f.principal(userNamed("racer", home))
		for i := range 10 {
			id := f.policy(fmt.Sprint("race", i), home)
			errs := f.together(2, func(i int, t meta.Tx) error {
				if i == 0 {
					return t.DeletePolicy(id)
				}
				return t.AttachPolicy(owner, meta.PolicyRef{ARN: fmt.Sprint("arn:race", id), ID: id})
			})
			checkRace(f, errs, meta.ErrReferenced, meta.ErrNotFound)
		}
	})
	f.on("of a version's delete and its choice as the default one wins", func(f *fixture) {
		for i := range 10 {
			p := managed(fmt.Sprint("default", i), home)
			p.ID, p.DefaultVersion, p.LastVersion = f.policy(p.Name, home), 2, 2
			f.update(func(t meta.Tx) error { return t.InsertPolicyVersion(meta.PolicyVersion{Policy: p.ID, Number: 2}) })
			errs := f.together(2, func(i int, t meta.Tx) error {
				if i == 0 {
					return t.DeletePolicyVersion(p.ID, 2)
				}
				return t.SetPolicy(p)
			})
			checkRace(f, errs, meta.ErrReferenced, meta.ErrNotFound)
		}
	})
	f.on("what is not there is not found", func(f *fixture) {
		missing(f, get(managed("never", home)))
		missing(f, func(t meta.Tx) (meta.Policy, error) { return t.PolicyOf(1 << 40) })
		missing(f, func(t meta.Tx) (meta.PolicyVersion, error) { return t.PolicyVersion(1<<40, 1) })
		f.refused(meta.ErrNotFound, func(t meta.Tx) error { return t.SetPolicy(meta.Policy{ID: 1 << 40, DefaultVersion: 1}) })
		f.refused(meta.ErrNotFound, func(t meta.Tx) error { return t.DeletePolicy(1 << 40) })
		f.refused(meta.ErrNotFound, func(t meta.Tx) error { return t.DeletePolicyVersion(1<<40, 1) })
		f.fails(meta.ErrNotFound, func(t meta.Tx) error { _, err := t.InsertPolicy(managed("never", absent), "{}"); return err })
		f.fails(meta.ErrNotFound, func(t meta.Tx) error { return t.InsertPolicyVersion(meta.PolicyVersion{Policy: 1 << 40, Number: 1}) })
	})
}
