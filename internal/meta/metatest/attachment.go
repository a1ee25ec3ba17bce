package metatest

import (
	"fmt"

	"github.com/google/go-cmp/cmp"

	"github.com/lighterage/lighterage/internal/meta"
	"github.com/lighterage/lighterage/internal/name"
)

func testAttachment(f *fixture) {
	f.twoAccounts()
	const aws, own = "arn:aws:iam::aws:policy/ReadOnlyAccess", "arn:aws:iam::111111111111:policy/own"
	policy := meta.PolicyRef{ARN: own, ID: f.policy("own", home)}
	boundary := meta.PolicyRef{ARN: own, ID: policy.ID}
	var ids []meta.PrincipalID
	for i, p := range []meta.Principal{userNamed("z", home), groupNamed("y", home), roleNamed("x", home), userNamed("w", home), roleNamed("v", home)} {
		if p.Boundary = boundary; i == 4 {
			p.Boundary = meta.PolicyRef{ARN: aws}
		}
		ids = append(ids, f.principal(p))
	}
	foreign := f.principal(userNamed("z", abroad))
	f.update(func(t meta.Tx) error {
		for _, i := range []int{2, 0, 3, 1, 0} { // one of them twice
			if err := t.AttachPolicy(ids[i], policy); err != nil {
				return err
			}
		}
		if err := t.AttachPolicy(foreign, meta.PolicyRef{ARN: aws}); err != nil {
			return err
		}
		return t.AttachPolicy(ids[0], meta.PolicyRef{ARN: aws})
	})
	f.on("a principal's are listed by ARN", func(f *fixture) {
		found(f, []meta.PolicyRef{policy, {ARN: aws}}, func(t meta.Tx) ([]meta.PolicyRef, error) { return t.AttachedPolicies(ids[0]) })
		found(f, nil, func(t meta.Tx) ([]meta.PolicyRef, error) { return t.AttachedPolicies(ids[4]) })
	})
	type listing = func(name.AccountID, string, meta.Page[meta.PrincipalID]) ([]meta.Principal, error)
	type counting = func(name.AccountID, string) (int64, error)
	attached := func(t meta.Tx) (listing, counting) { return t.Attached, t.CountAttached }
	bounded := func(t meta.Tx) (listing, counting) { return t.Bounded, t.CountBounded }
	for _, c := range []struct {
		what    string
		of      func(meta.Tx) (listing, counting)
		account name.AccountID
		arn     string
		want    []meta.PrincipalID
	}{
		{"who has the account's policy", attached, home, own, ids[:4]},
		{"who has AWS's policy", attached, home, aws, ids[:1]},
		{"who has AWS's policy in another account", attached, abroad, aws, []meta.PrincipalID{foreign}},
		{"who has another account's policy", attached, abroad, own, []meta.PrincipalID{}},
		{"who is bounded by the account's policy", bounded, home, own, ids[:4]},
		{"who is bounded by AWS's policy", bounded, home, aws, ids[4:]},
		{"who is bounded in another account", bounded, abroad, own, []meta.PrincipalID{}},
		{"who is bounded by nothing is not listed", bounded, abroad, "", []meta.PrincipalID{}},
	} {
		f.on(c.what, func(f *fixture) {
			for _, size := range []int{1, 3, 100} {
				f.view(func(t meta.Tx) error {
					list, count := c.of(t)
					all, err := pages(size, func(p meta.Page[meta.PrincipalID]) ([]meta.Principal, error) { return list(c.account, c.arn, p) }, principalID)
					if err != nil {
						return err
					}
					if diff := cmp.Diff(c.want, each(all, principalID)); diff != "" {
						f.Errorf("pages of %d: %s", size, diff)
					}
					n, err := count(c.account, c.arn)
					if err == nil && n != int64(len(c.want)) {
						err = fmt.Errorf("counted %d", n)
					}
					return err
				})
			}
		})
	}
	f.on("all uses are counted at once", func(f *fixture) {
		for account, want := range map[name.AccountID]map[string]meta.PolicyUse{
			home: {own: {Attached: 4, Bounded: 4}, aws: {Attached: 1, Bounded: 1}}, abroad: {aws: {Attached: 1}}, "999999999999": {},
		} {
			found(f, want, func(t meta.Tx) (map[string]meta.PolicyUse, error) { return t.PolicyUses(account) })
		}
	})
	f.on("what is listed is whole", func(f *fixture) {
		want := userNamed("z", home)
		want.ID, want.Boundary = ids[0], boundary
		page := meta.Page[meta.PrincipalID]{Limit: 1}
		found(f, []meta.Principal{want}, func(t meta.Tx) ([]meta.Principal, error) { return t.Attached(home, own, page) })
		found(f, []meta.Principal{want}, func(t meta.Tx) ([]meta.Principal, error) { return t.Bounded(home, own, page) })
	})
	f.on("what is detached is gone", func(f *fixture) {
		f.update(func(t meta.Tx) error { return t.DetachPolicy(ids[0], own) })
		f.refused(meta.ErrNotFound, func(t meta.Tx) error { return t.DetachPolicy(ids[0], own) })
		found(f, []meta.PolicyRef{{ARN: aws}}, func(t meta.Tx) ([]meta.PolicyRef, error) { return t.AttachedPolicies(ids[0]) })
	})
	f.on("what is not there is not found", func(f *fixture) {
		f.refused(meta.ErrNotFound, func(t meta.Tx) error { return t.AttachPolicy(1<<40, policy) })
		f.fails(meta.ErrNotFound, func(t meta.Tx) error { return t.AttachPolicy(ids[0], meta.PolicyRef{ARN: "arn:gone", ID: 1 << 40}) })
		f.fails(meta.ErrNotFound, func(t meta.Tx) error { return t.AttachPolicy(foreign, policy) })
	})
}
