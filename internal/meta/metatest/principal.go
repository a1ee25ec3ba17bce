package metatest

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lighterage/lighterage/internal/meta"
	"github.com/lighterage/lighterage/internal/name"
)

func userNamed(n string, account name.AccountID) meta.Principal {
	return meta.Principal{Key: meta.PrincipalKey{Account: account, Kind: meta.User, Name: n}, Path: "/", UniqueID: "AIDA" + string(account) + n, CreatedAt: day}
}

func roleNamed(n string, account name.AccountID) meta.Principal {
	return meta.Principal{
		Key: meta.PrincipalKey{Account: account, Kind: meta.Role, Name: n}, Path: "/", UniqueID: "AROA" + string(account) + n, CreatedAt: day,
		Trust: `{"Statement":[]}`, Description: "for " + n, MaxSession: time.Hour,
	}
}

func groupNamed(n string, account name.AccountID) meta.Principal {
	return meta.Principal{Key: meta.PrincipalKey{Account: account, Kind: meta.Group, Name: n}, Path: "/", UniqueID: "AGPA" + string(account) + n, CreatedAt: day}
}

func (f *fixture) principal(p meta.Principal) (id meta.PrincipalID) {
	f.Helper()
	f.update(func(t meta.Tx) (err error) {
		id, err = t.InsertPrincipal(p)
		return err
	})
	return id
}

func principalName(p meta.Principal) string { return p.Key.Name }

func principalID(p meta.Principal) meta.PrincipalID { return p.ID }

func testPrincipal(f *fixture) {
	f.twoAccounts()
	get := func(p meta.Principal) func(meta.Tx) (meta.Principal, error) {
		return func(t meta.Tx) (meta.Principal, error) { return t.Principal(p.Key, meta.NoLock) }
	}
	f.on("what is inserted is found as it was", func(f *fixture) {
		want := roleNamed("Deploy+=,.@-_", home)
		want.Path, want.Description, want.MaxSession = "/ci/linux/", "Rolle für „CI“", 12*time.Hour
		want.Boundary = meta.PolicyRef{ARN: "arn:aws:iam::aws:policy/ReadOnlyAccess"}
		want.ID = f.principal(want)
		check := func() {
			f.Helper()
			found(f, want, get(want))
			found(f, want, func(t meta.Tx) (meta.Principal, error) { return t.PrincipalOf(want.ID) })
			found(f, want, func(t meta.Tx) (meta.Principal, error) { return t.PrincipalByUniqueID(want.UniqueID) })
			for _, lock := range []meta.Lock{meta.LockShared, meta.LockExclusive} {
				key := want.Key
				key.Name = strings.ToUpper(key.Name)
				found(f, want, func(t meta.Tx) (meta.Principal, error) { return t.Principal(key, lock) })
			}
		}
		check()
		old := want
		want.Key.Name, want.Path, want.Trust, want.Description, want.MaxSession = "Renamed", "/", "{}", "", 900*time.Second
		want.Boundary = meta.PolicyRef{ARN: "arn:b", ID: f.policy("b", home)}
		f.update(func(t meta.Tx) error { return t.SetPrincipal(want) })
		check()
		missing(f, get(old))
		want.Key.Name, want.Boundary = "RENAMED", meta.PolicyRef{}
		f.update(func(t meta.Tx) error { return t.SetPrincipal(want) })
		check()
	})
	f.on("a name is there once in whatever case, and free for another kind and account", func(f *fixture) {
		id := f.principal(userNamed("Once", home))
		other := f.principal(userNamed("other", home))
		again := userNamed("oNCE", home)
		again.UniqueID = "AIDAAGAIN"
		f.refused(meta.ErrExists, func(t meta.Tx) error { _, err := t.InsertPrincipal(again); return err })
		again.Key.Name, again.UniqueID = "third", userNamed("Once", home).UniqueID
		f.refused(meta.ErrExists, func(t meta.Tx) error { _, err := t.InsertPrincipal(again); return err })
		f.refused(meta.ErrExists, func(t meta.Tx) error { p := userNamed("ONCE", home); p.ID = other; return t.SetPrincipal(p) })
		for _, p := range []meta.Principal{roleNamed("once", home), groupNamed("once", home), userNamed("once", abroad)} {
			missing(f, get(p))
			if p.ID = f.principal(p); p.ID == id {
				f.Errorf("two principals are %d", id)
			}
			found(f, p, get(p))
		}
	})
	f.on("one deleted and made again has another id", func(f *fixture) {
		id := f.principal(userNamed("again", home))
		tags := meta.Resource{Kind: meta.UserResource, ID: int64(id)}
		f.update(func(t meta.Tx) error { return t.PutResourceTags(tags, []meta.ResourceTag{{Key: "k"}}) })
		f.update(func(t meta.Tx) error { return t.RecordPrincipalUses(map[meta.PrincipalID]meta.Use{id: {At: day}}) })
		f.update(func(t meta.Tx) error { return t.DeletePrincipal(id) })
		missing(f, get(userNamed("again", home)))
		found(f, nil, func(t meta.Tx) ([]meta.ResourceTag, error) { return t.ResourceTags(tags) })
		if next := f.principal(userNamed("again", home)); next <= id {
			f.Errorf("principal %d came after %d", next, id)
		}
	})
	f.on("lists are by lower-case name and pages have no gap", func(f *fixture) {
		var names []string
		for i, n := range []string{"b", "A", "a-b", "Z", "a_b", "aB", "C", "a0"} {
			p := userNamed("list."+n, abroad)
			if p.Path = "/div/"; i%2 == 0 {
				p.Path = "/div/sub/"
			}
			f.principal(p)
			names = append(names, p.Key.Name)
		}
		slices.SortFunc(names, func(a, b string) int { return strings.Compare(strings.ToLower(a), strings.ToLower(b)) })
		f.principal(roleNamed("list.role", abroad))
		for path, want := range map[string][]string{
			"/div":       names,
			"/div/":      names,
			"/div/sub/":  {"list.a-b", "list.a_b", "list.b", "list.C"},
			"/di_/":      nil,
			"/div/sub/x": nil,
		} {
			for _, size := range []int{1, 3, 100} {
				var got []string
				f.view(func(t meta.Tx) error {
					list, err := pages(size, func(p meta.Page[string]) ([]meta.Principal, error) {
						return t.Principals(abroad, meta.User, path, p)
					}, principalName)
					for _, p := range list {
						got = append(got, p.Key.Name)
					}
					return err
				})
				if diff := cmp.Diff(want, got); diff != "" {
					f.Errorf("below %s in pages of %d: %s", path, size, diff)
				}
			}
		}
		found(f, 9, func(t meta.Tx) (int64, error) { return t.CountPrincipals(abroad, meta.User) }) // and once
		found(f, 1, func(t meta.Tx) (int64, error) { return t.CountPrincipals(abroad, meta.Role) })
		found(f, 0, func(t meta.Tx) (int64, error) { return t.CountPrincipals(abroad, meta.Group) })
	})
	f.on("what is kept cannot be deleted", func(f *fixture) {
		member, of := f.principal(userNamed("member", home)), f.principal(groupNamed("of", home))
		for _, c := range []struct {
			what       string
			id         meta.PrincipalID
			keep, free func(meta.Tx) error
		}{
			{"a group with a member", of,
				func(t meta.Tx) error { return t.PutMember(of, member) },
				func(t meta.Tx) error { return nil }},
			{"a user in a group", member,
				func(t meta.Tx) error { return nil },
				func(t meta.Tx) error { return t.DeleteMember(of, member) }},
			{"a user with a key", member,
				func(t meta.Tx) error { return t.InsertAccessKey(accessKey("AKIAKEPT", home, member)) },
				func(t meta.Tx) error { return t.DeleteAccessKey("AKIAKEPT") }},
			{"a user with a policy of AWS", member,
				func(t meta.Tx) error { return t.AttachPolicy(member, meta.PolicyRef{ARN: "arn:aws"}) },
				func(t meta.Tx) error { return t.DetachPolicy(member, "arn:aws") }},
			{"a user with an inline policy", member,
				func(t meta.Tx) error { return t.PutInlinePolicy(member, meta.InlinePolicy{Name: "i"}) },
				func(t meta.Tx) error { return t.DeleteInlinePolicy(member, "i") }},
		} {
			f.on(c.what, func(f *fixture) {
				f.update(c.keep)
				f.refused(meta.ErrReferenced, func(t meta.Tx) error { return t.DeletePrincipal(c.id) })
				f.update(c.free)
			})
		}
		f.update(func(t meta.Tx) error { return t.DeletePrincipal(member) })
		f.update(func(t meta.Tx) error { return t.DeletePrincipal(of) })
	})
	f.on("of a delete and what would keep the principal one wins", func(f *fixture) {
		for i := range 10 {
			id := f.principal(userNamed(fmt.Sprint("race", i), home))
			errs := f.together(2, func(i int, t meta.Tx) error {
				if i == 0 {
					return t.DeletePrincipal(id)
				}
				return t.AttachPolicy(id, meta.PolicyRef{ARN: "arn:aws"})
			})
			checkRace(f, errs, meta.ErrReferenced, meta.ErrNotFound)
		}
	})
	f.on("uses are never set back, and those of what is gone are dropped", func(f *fixture) {
		want := roleNamed("used", home)
		want.ID = f.principal(want)
		record := func(at time.Time, region name.Region) {
			f.Helper()
			f.update(func(t meta.Tx) error {
				return t.RecordPrincipalUses(map[meta.PrincipalID]meta.Use{want.ID: {At: at, Region: region, Service: "ecr"}, 1 << 40: {At: at}})
			})
		}
		record(day, "us-east-1")
		want.LastUse = meta.Use{At: day, Region: "us-east-1"}
		found(f, want, get(want))
		record(day.Add(-time.Second), "us-west-1")
		found(f, want, get(want))
		record(nextDay, "us-west-2")
		want.LastUse = meta.Use{At: nextDay, Region: "us-west-2"}
		found(f, want, get(want))
		f.update(func(t meta.Tx) error { return t.SetPrincipal(want) }) // does not touch it
		found(f, want, get(want))
		f.update(func(t meta.Tx) error { return t.RecordPrincipalUses(nil) })
	})
	f.on("what is not there is not found", func(f *fixture) {
		missing(f, get(userNamed("never", home)))
		missing(f, func(t meta.Tx) (meta.Principal, error) { return t.PrincipalOf(1 << 40) })
		missing(f, func(t meta.Tx) (meta.Principal, error) { return t.PrincipalByUniqueID("AIDANEVER") })
		f.refused(meta.ErrNotFound, func(t meta.Tx) error { p := userNamed("never", home); p.ID = 1 << 40; return t.SetPrincipal(p) })
		f.refused(meta.ErrNotFound, func(t meta.Tx) error { return t.DeletePrincipal(1 << 40) })
		f.fails(meta.ErrNotFound, func(t meta.Tx) error { _, err := t.InsertPrincipal(userNamed("never", absent)); return err })
		p := userNamed("unbounded", home)
		for _, boundary := range []meta.PolicyID{1 << 40, f.policy("foreign-boundary", abroad)} {
			p.Boundary = meta.PolicyRef{ARN: "arn:x", ID: boundary}
			f.fails(meta.ErrNotFound, func(t meta.Tx) error { _, err := t.InsertPrincipal(p); return err })
		}
		missing(f, get(p))
		p.ID = f.principal(userNamed("unbounded", home))
		f.fails(meta.ErrNotFound, func(t meta.Tx) error { return t.SetPrincipal(p) })
	})
}

// checkRace asserts that of two updates exactly one was done, and that the
// other failed as it should.
func checkRace(f *fixture, errs []error, first, second error) {
	f.Helper()
	got := outcomes(errs[:1], first, "lost")
	for what, n := range outcomes(errs[1:], second, "lost") {
		got[what] += n
	}
	if diff := cmp.Diff(map[string]int{"done": 1, "lost": 1}, got); diff != "" {
		f.Error(diff)
	}
}

func testMember(f *fixture) {
	f.twoAccounts()
	admins, devs := f.principal(groupNamed("admins", home)), f.principal(groupNamed("devs", home))
	foreign := f.principal(groupNamed("foreign", abroad))
	var users []meta.PrincipalID
	for i := range 5 {
		users = append(users, f.principal(userNamed(fmt.Sprint("u", 9-i), home)))
	}
	f.update(func(t meta.Tx) error {
		for _, u := range []int{3, 1, 4, 0, 2, 3} { // one of them twice
			if err := t.PutMember(admins, users[u]); err != nil {
				return err
			}
		}
		return t.PutMember(devs, users[1])
	})
	list := func(of meta.PrincipalID, size int, page func(meta.Tx) func(meta.PrincipalID, meta.Page[meta.PrincipalID]) ([]meta.Principal, error)) (got []meta.PrincipalID) {
		f.view(func(t meta.Tx) error {
			all, err := pages(size, func(p meta.Page[meta.PrincipalID]) ([]meta.Principal, error) { return page(t)(of, p) }, principalID)
			got = each(all, principalID)
			return err
		})
		return got
	}
	members := func(t meta.Tx) func(meta.PrincipalID, meta.Page[meta.PrincipalID]) ([]meta.Principal, error) {
		return t.Members
	}
	groups := func(t meta.Tx) func(meta.PrincipalID, meta.Page[meta.PrincipalID]) ([]meta.Principal, error) {
		return t.Groups
	}
	for _, size := range []int{1, 2, 100} {
		if diff := cmp.Diff(users, list(admins, size, members)); diff != "" {
			f.Errorf("members in pages of %d: %s", size, diff)
		}
		if diff := cmp.Diff([]meta.PrincipalID{admins, devs}, list(users[1], size, groups)); diff != "" {
			f.Errorf("groups in pages of %d: %s", size, diff)
		}
	}
	f.update(func(t meta.Tx) error { return t.DeleteMember(admins, users[1]) })
	f.refused(meta.ErrNotFound, func(t meta.Tx) error { return t.DeleteMember(admins, users[1]) })
	if diff := cmp.Diff([]meta.PrincipalID{devs}, list(users[1], 10, groups)); diff != "" {
		f.Errorf("groups after one was left: %s", diff)
	}
	want := userNamed("u9", home)
	want.ID = users[0]
	found(f, []meta.Principal{want}, func(t meta.Tx) ([]meta.Principal, error) {
		return t.Members(admins, meta.Page[meta.PrincipalID]{Limit: 1})
	})
	for what, pair := range map[string][2]meta.PrincipalID{
		"a group that is not there":     {1 << 40, users[0]},
		"a user who is not there":       {admins, 1 << 40},
		"a user as the group":           {users[0], users[1]},
		"a group as the user":           {admins, devs},
		"a group of another account":    {foreign, users[0]},
		"a role, which is in no groups": {admins, f.principal(roleNamed("r", home))},
	} {
		f.on(what, func(f *fixture) {
			f.refused(meta.ErrNotFound, func(t meta.Tx) error { return t.PutMember(pair[0], pair[1]) })
		})
	}
}
