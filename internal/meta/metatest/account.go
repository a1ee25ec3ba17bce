package metatest

import (
	"context"
	"fmt"
	"slices"

	"github.com/google/go-cmp/cmp"

	"github.com/lighterage/lighterage/internal/meta"
	"github.com/lighterage/lighterage/internal/name"
)

const (
	home   name.AccountID = "111111111111"
	abroad name.AccountID = "222222222222"
	absent name.AccountID = "999999999999"
)

// twoAccounts adds the accounts home and abroad.
func (f *fixture) twoAccounts() {
	f.Helper()
	for _, id := range []name.AccountID{home, abroad} {
		f.update(func(t meta.Tx) error {
			return t.InsertAccount(meta.Account{ID: id, Name: "of " + string(id), CreatedAt: day})
		})
	}
}

// found asserts that a look-up answers what is wanted, in a view and in an
// update.
func found[V any](f *fixture, want V, get func(meta.Tx) (V, error)) {
	f.Helper()
	look := func(t meta.Tx) error {
		got, err := get(t)
		if diff := cmp.Diff(want, got); err == nil && diff != "" {
			err = fmt.Errorf("found (-want +got):\n%s", diff)
		}
		return err
	}
	f.view(look)
	f.update(look)
}

// missing asserts that a look-up is ErrNotFound, and leaves the transaction
// usable.
func missing[V any](f *fixture, get func(meta.Tx) (V, error)) {
	f.Helper()
	f.update(func(t meta.Tx) error {
		if got, err := get(t); err != meta.ErrNotFound {
			return fmt.Errorf("got %+v, %v, want ErrNotFound", got, err)
		}
		return nil
	})
}

// refused asserts that an act is refused with the error, and leaves the
// transaction usable.
func (f *fixture) refused(want error, act func(meta.Tx) error) {
	f.Helper()
	f.update(func(t meta.Tx) error {
		if err := act(t); err != want {
			return fmt.Errorf("got %v, want %v", err, want)
		}
		return nil
	})
}

func testAccount(f *fixture) {
	get := func(id name.AccountID) func(meta.Tx) (meta.Account, error) {
		return func(t meta.Tx) (meta.Account, error) { return t.Account(id, meta.NoLock) }
	}
	f.on("what is inserted is found as it was", func(f *fixture) {
		want := meta.Account{ID: "333333333333", Name: "Über uns", Alias: "about", CreatedAt: day}
		f.update(func(t meta.Tx) error { return t.InsertAccount(want) })
		found(f, want, get(want.ID))
		for _, lock := range []meta.Lock{meta.LockShared, meta.LockExclusive} {
			found(f, want, func(t meta.Tx) (meta.Account, error) { return t.Account(want.ID, lock) })
		}
		want.Name, want.Alias, want.RevokedAt = "us", "us", nextDay
		f.update(func(t meta.Tx) error { return t.SetAccount(want) })
		found(f, want, get(want.ID))
	})
	f.on("an id and an alias are there once, no alias any number of times", func(f *fixture) {
		f.twoAccounts()
		f.update(func(t meta.Tx) error { return t.InsertAccount(meta.Account{ID: "444444444444", Alias: "taken"}) })
		f.refused(meta.ErrExists, func(t meta.Tx) error { return t.InsertAccount(meta.Account{ID: home}) })
		f.refused(meta.ErrExists, func(t meta.Tx) error { return t.InsertAccount(meta.Account{ID: "555555555555", Alias: "taken"}) })
		f.refused(meta.ErrExists, func(t meta.Tx) error { return t.SetAccount(meta.Account{ID: home, Alias: "taken"}) })
		f.update(func(t meta.Tx) error {
			return t.SetAccount(meta.Account{ID: "444444444444", Name: "same alias", Alias: "taken"})
		})
		f.update(func(t meta.Tx) error { return t.SetAccount(meta.Account{ID: "444444444444"}) })
		f.update(func(t meta.Tx) error {
			return t.SetAccount(meta.Account{ID: home, Name: "of 111111111111", Alias: "taken"})
		})
	})
	f.on("lists are by id and pages have no gap", func(f *fixture) {
		for _, size := range []int{1, 2, 100} {
			var got []name.AccountID
			f.view(func(t meta.Tx) error {
				list, err := pages(size, t.ListAccounts, func(a meta.Account) name.AccountID { return a.ID })
				got = each(list, func(a meta.Account) name.AccountID { return a.ID })
				return err
			})
			if diff := cmp.Diff([]name.AccountID{home, abroad, "333333333333", "444444444444"}, got); diff != "" {
				f.Errorf("pages of %d: %s", size, diff)
			}
		}
	})
	f.on("what is not there is not found", func(f *fixture) {
		missing(f, get(absent))
		f.refused(meta.ErrNotFound, func(t meta.Tx) error { return t.SetAccount(meta.Account{ID: absent}) })
	})
	f.on("under the lock of an account a count of what it has stays true", func(f *fixture) {
		const limit = 5
		full := fmt.Errorf("full")
		errs := f.together(4*limit, func(i int, t meta.Tx) error {
			if _, err := t.Account(abroad, meta.LockExclusive); err != nil {
				return err
			}
			n, err := t.CountPrincipals(abroad, meta.User)
			if err != nil {
				return err
			}
			if n >= limit {
				return full
			}
			_, err = t.InsertPrincipal(userNamed(fmt.Sprint("counted", i), abroad))
			return err
		})
		if diff := cmp.Diff(map[string]int{"done": limit, "full": 3 * limit}, outcomes(errs, full, "full")); diff != "" {
			f.Error(diff)
		}
		found(f, limit, func(t meta.Tx) (int64, error) { return t.CountPrincipals(abroad, meta.User) })
	})
}

// testAccessVersion does everything that decisions can depend on, and some
// things that they cannot.
func testAccessVersion(f *fixture) {
	f.twoAccounts()
	version := func() (n int64) {
		f.Helper()
		f.view(func(t meta.Tx) (err error) {
			n, err = t.AccessVersion()
			return err
		})
		return n
	}
	var (
		one, two     = f.principal(userNamed("one", home)), f.principal(roleNamed("two", home))
		group        = f.principal(meta.Principal{Key: meta.PrincipalKey{Account: home, Kind: meta.Group, Name: "g"}, Path: "/", UniqueID: "AGPAVERSION", CreatedAt: day})
		policy       = f.policy("p", home)
		attached     = meta.PolicyRef{ARN: "arn:p", ID: policy}
		bare, tagged = f.repository(key("bare")), f.repository(key("tagged"))
		owner        = meta.Resource{Kind: meta.RepositoryResource, ID: int64(tagged)}
		made         meta.PrincipalID
		second       meta.PolicyID
		provider     meta.ProviderID
		err          error
	)
	for _, c := range []struct {
		what   string
		raises int64
		act    func(meta.Tx) error
	}{
		{"InsertAccount", 1, func(t meta.Tx) error { return t.InsertAccount(meta.Account{ID: "333333333333"}) }},
		{"SetAccount", 1, func(t meta.Tx) error { return t.SetAccount(meta.Account{ID: "333333333333", RevokedAt: day}) }},
		{"InsertPrincipal", 1, func(t meta.Tx) error { made, err = t.InsertPrincipal(userNamed("made", home)); return err }},
		{"SetPrincipal", 1, func(t meta.Tx) error { p := userNamed("renamed", home); p.ID = made; return t.SetPrincipal(p) }},
		{"DeletePrincipal", 1, func(t meta.Tx) error { return t.DeletePrincipal(made) }},
		{"RecordPrincipalUses", 0, func(t meta.Tx) error { return t.RecordPrincipalUses(map[meta.PrincipalID]meta.Use{two: {At: day}}) }},
		{"PutMember", 1, func(t meta.Tx) error { return t.PutMember(group, one) }},
		{"PutMember again", 0, func(t meta.Tx) error { return t.PutMember(group, one) }},
		{"DeleteMember", 1, func(t meta.Tx) error { return t.DeleteMember(group, one) }},
		{"InsertAccessKey", 1, func(t meta.Tx) error { return t.InsertAccessKey(accessKey("AKIAVERSION", home, one)) }},
		{"SetAccessKey", 1, func(t meta.Tx) error { return t.SetAccessKey(accessKey("AKIAVERSION", home, one)) }},
		{"RecordKeyUses", 0, func(t meta.Tx) error { return t.RecordKeyUses(map[string]meta.Use{"AKIAVERSION": {At: day}}) }},
		{"DeleteAccessKey", 1, func(t meta.Tx) error { return t.DeleteAccessKey("AKIAVERSION") }},
		{"InsertPolicy", 1, func(t meta.Tx) error { second, err = t.InsertPolicy(managed("second", home), "{}"); return err }},
		{"InsertPolicyVersion", 1, func(t meta.Tx) error { return t.InsertPolicyVersion(meta.PolicyVersion{Policy: second, Number: 2}) }},
		{"SetPolicy", 1, func(t meta.Tx) error {
			return t.SetPolicy(meta.Policy{ID: second, DefaultVersion: 2, LastVersion: 2})
		}},
		{"DeletePolicyVersion", 1, func(t meta.Tx) error { return t.DeletePolicyVersion(second, 1) }},
		{"DeletePolicy", 1, func(t meta.Tx) error { return t.DeletePolicy(second) }},
		{"AttachPolicy", 1, func(t meta.Tx) error { return t.AttachPolicy(one, attached) }},
		{"AttachPolicy again", 0, func(t meta.Tx) error { return t.AttachPolicy(one, attached) }},
		{"DetachPolicy", 1, func(t meta.Tx) error { return t.DetachPolicy(one, "arn:p") }},
		{"PutInlinePolicy", 1, func(t meta.Tx) error { return t.PutInlinePolicy(one, meta.InlinePolicy{Name: "i"}) }},
		{"PutInlinePolicy over another", 1, func(t meta.Tx) error { return t.PutInlinePolicy(one, meta.InlinePolicy{Name: "i", Document: "{}"}) }},
		{"DeleteInlinePolicy", 1, func(t meta.Tx) error { return t.DeleteInlinePolicy(one, "i") }},
		{"InsertOIDCProvider", 1, func(t meta.Tx) error {
			provider, err = t.InsertOIDCProvider(meta.OIDCProvider{Account: home, Host: "h"})
			return err
		}},
		{"SetOIDCProvider", 1, func(t meta.Tx) error { return t.SetOIDCProvider(meta.OIDCProvider{ID: provider}) }},
		{"DeleteOIDCProvider", 1, func(t meta.Tx) error { return t.DeleteOIDCProvider(provider) }},
		{"PutRegistryPolicy", 1, func(t meta.Tx) error { return t.PutRegistryPolicy(east, "{}") }},
		{"DeleteRegistryPolicy", 1, func(t meta.Tx) error { return t.DeleteRegistryPolicy(east) }},
		{"PutAccountSetting", 1, func(t meta.Tx) error { return t.PutAccountSetting(east, "s", "v") }},
		{"PutResourceTags", 1, func(t meta.Tx) error { return t.PutResourceTags(owner, []meta.ResourceTag{{Key: "k"}, {Key: "l"}}) }},
		{"PutResourceTags of none", 0, func(t meta.Tx) error { return t.PutResourceTags(owner, nil) }},
		{"DeleteResourceTags", 1, func(t meta.Tx) error { return t.DeleteResourceTags(owner, []string{"k"}) }},
		{"DeleteResourceTags of what is not there", 0, func(t meta.Tx) error { return t.DeleteResourceTags(owner, []string{"k"}) }},
		{"InsertRepository", 0, func(t meta.Tx) error { _, err := t.InsertRepository(plain(key("new"))); return err }},
		{"PutRepositoryPolicy", 1, func(t meta.Tx) error { return t.PutRepositoryPolicy(bare, "{}") }},
		{"DeleteRepositoryPolicy", 1, func(t meta.Tx) error { return t.DeleteRepositoryPolicy(bare) }},
		{"UnlinkRepository without policy and tags", 0, func(t meta.Tx) error { return t.UnlinkRepository(bare) }},
		{"UnlinkRepository with tags", 1, func(t meta.Tx) error { return t.UnlinkRepository(tagged) }},
		{"many acts in one update", 1, func(t meta.Tx) error {
			for i := range 3 {
				if err := t.PutInlinePolicy(one, meta.InlinePolicy{Name: fmt.Sprint(i)}); err != nil {
					return err
				}
			}
			return t.PutAccountSetting(east, "s", "w")
		}},
		{"PutSecret", 0, func(t meta.Tx) error { return t.PutSecret("s", []byte("x")) }},
	} {
		before := version()
		f.update(c.act)
		if got, err := f.store.RecentAccessVersion(context.Background()); err != nil || got != before+c.raises {
			f.Errorf("%s: the recent version is %d, %v; want %d", c.what, got, err, before+c.raises)
		}
		if got := version(); got != before+c.raises {
			f.Errorf("%s: the version went from %d to %d, want %d more", c.what, before, got, c.raises)
		}
	}
	f.on("a repository that goes with its policy is a change", func(f *fixture) {
		id := f.repository(key("with-policy"))
		f.update(func(t meta.Tx) error { return t.PutRepositoryPolicy(id, "{}") })
		before := version()
		f.update(func(t meta.Tx) error { return t.UnlinkRepository(id) })
		if got := version(); got != before+1 {
			f.Errorf("the version went from %d to %d", before, got)
		}
	})
	f.on("what was taken back is no change, what many did is as many", func(f *fixture) {
		before := version()
		f.fails(errOwn, func(t meta.Tx) error {
			if err := t.PutAccountSetting(east, "s", "taken back"); err != nil {
				return err
			}
			return errOwn
		})
		f.refused(meta.ErrNotFound, func(t meta.Tx) error { return t.DetachPolicy(one, "absent") })
		f.refused(meta.ErrExists, func(t meta.Tx) error { return t.InsertAccount(meta.Account{ID: home}) })
		if got := version(); got != before {
			f.Errorf("the version went from %d to %d by nothing", before, got)
		}
		errs := f.together(40, func(i int, t meta.Tx) error {
			ids := []meta.PrincipalID{one, two}
			if i%2 == 0 { // in both orders
				slices.Reverse(ids)
			}
			for _, id := range ids {
				if err := t.PutInlinePolicy(id, meta.InlinePolicy{Name: fmt.Sprint("many", i)}); err != nil {
					return err
				}
			}
			return nil
		})
		for _, err := range errs {
			if err != nil {
				f.Error(err)
			}
		}
		if got := version(); got != before+40 {
			f.Errorf("the version went from %d to %d by 40 updates", before, got)
		}
	})
	f.on("whoever sees a version sees its changes", func(f *fixture) {
		done := make(chan error, 1)
		start := version()
		go func() {
			errs := f.together(50, func(i int, t meta.Tx) error {
				return t.PutRegistryPolicy(name.RegistryID{Account: abroad, Region: name.Region(fmt.Sprint("r", i))}, "{}")
			})
			for _, err := range errs {
				if err != nil {
					done <- err
					return
				}
			}
			done <- nil
		}()
		for ended := false; !ended; {
			select {
			case err := <-done:
				if ended = true; err != nil {
					f.Error(err)
				}
			default:
			}
			f.view(func(t meta.Tx) error {
				seen := int64(0)
				for i := range 50 {
					switch _, err := t.RegistryPolicy(name.RegistryID{Account: abroad, Region: name.Region(fmt.Sprint("r", i))}); err {
					case nil:
						seen++
					case meta.ErrNotFound:
					default:
						return err
					}
				}
				n, err := t.AccessVersion()
				if err == nil && n != start+seen {
					err = fmt.Errorf("version %d with %d changes since %d", n, seen, start)
				}
				return err
			})
		}
	})
}
