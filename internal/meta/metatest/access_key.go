package metatest

import (
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lighterage/lighterage/internal/meta"
	"github.com/lighterage/lighterage/internal/name"
)

func accessKey(id string, account name.AccountID, user meta.PrincipalID) meta.AccessKey {
	return meta.AccessKey{ID: id, Account: account, User: user, Sealed: []byte{0, 1, 255}, Active: true, CreatedAt: day}
}

func testAccessKey(f *fixture) {
	f.twoAccounts()
	owner := f.principal(userNamed("owner", home))
	get := func(id string) func(meta.Tx) (meta.AccessKey, error) {
		return func(t meta.Tx) (meta.AccessKey, error) { return t.AccessKey(id) }
	}
	insert := func(keys ...meta.AccessKey) {
		f.Helper()
		for _, k := range keys {
			f.update(func(t meta.Tx) error { return t.InsertAccessKey(k) })
		}
	}
	f.on("what is inserted is found as it was", func(f *fixture) {
		want := accessKey("AKIAFOUND", home, owner)
		insert(want)
		found(f, want, get(want.ID))
		want.Sealed, want.Active = []byte("sealed anew"), false
		f.update(func(t meta.Tx) error { return t.SetAccessKey(want) })
		found(f, want, get(want.ID))
		f.refused(meta.ErrExists, func(t meta.Tx) error { return t.InsertAccessKey(accessKey(want.ID, abroad, 0)) })
		found(f, want, get(want.ID))
		f.update(func(t meta.Tx) error { return t.DeleteAccessKey(want.ID) })
		missing(f, get(want.ID))
	})
	f.on("lists are a user's or a root's, by id", func(f *fixture) {
		other := f.principal(userNamed("other", home))
		insert(accessKey("AKIA2", home, owner), accessKey("AKIA1", home, owner), accessKey("AKIA3", home, other),
			accessKey("AKIA5", home, 0), accessKey("AKIA4", home, 0), accessKey("AKIA6", abroad, 0))
		for _, c := range []struct {
			account name.AccountID
			user    meta.PrincipalID
			want    []string
		}{
			{home, owner, []string{"AKIA1", "AKIA2"}},
			{home, other, []string{"AKIA3"}},
			{home, 0, []string{"AKIA4", "AKIA5"}},
			{abroad, 0, []string{"AKIA6"}},
			{abroad, owner, []string{}},
			{absent, 0, []string{}},
		} {
			f.view(func(t meta.Tx) error {
				list, err := t.AccessKeys(c.account, c.user)
				if diff := cmp.Diff(c.want, each(list, func(k meta.AccessKey) string { return k.ID })); diff != "" {
					f.Errorf("keys of %d in %s: %s", c.user, c.account, diff)
				}
				return err
			})
		}
		found(f, 3, func(t meta.Tx) (int64, error) { return t.CountAccessKeys(home) })
		found(f, 0, func(t meta.Tx) (int64, error) { return t.CountAccessKeys(abroad) })
	})
	f.on("uses are never set back, and those of what is gone are dropped", func(f *fixture) {
		want := accessKey("AKIAUSED", home, owner)
		insert(want)
		record := func(at time.Time, region name.Region, service string) {
			f.Helper()
			f.update(func(t meta.Tx) error {
				return t.RecordKeyUses(map[string]meta.Use{want.ID: {At: at, Region: region, Service: service}, "AKIAGONE": {At: at}})
			})
		}
		record(day, "us-east-1", "ecr")
		want.LastUse = meta.Use{At: day, Region: "us-east-1", Service: "ecr"}
		found(f, want, get(want.ID))
		record(day.Add(-time.Second), "us-west-1", "iam")
		found(f, want, get(want.ID))
		record(nextDay, "us-west-2", "sts")
		want.LastUse = meta.Use{At: nextDay, Region: "us-west-2", Service: "sts"}
		found(f, want, get(want.ID))
		f.update(func(t meta.Tx) error { return t.SetAccessKey(accessKey(want.ID, home, owner)) }) // does not touch it
		found(f, want, get(want.ID))
		f.update(func(t meta.Tx) error { return t.DeleteAccessKey(want.ID) })
		insert(want)
		want.LastUse = meta.Use{}
		found(f, want, get(want.ID))
	})
	f.on("recorders and a delete do not hinder each other", func(f *fixture) {
		for range 5 {
			insert(accessKey("AKIARACE1", home, owner), accessKey("AKIARACE2", home, owner))
			errs := f.together(4, func(i int, t meta.Tx) error {
				if i == 0 {
					return t.DeleteAccessKey("AKIARACE1")
				}
				return t.RecordKeyUses(map[string]meta.Use{"AKIARACE1": {At: day.Add(time.Duration(i) * time.Hour)}, "AKIARACE2": {At: day}})
			})
			for _, err := range errs {
				if err != nil {
					f.Error(err)
				}
			}
			f.update(func(t meta.Tx) error { return t.DeleteAccessKey("AKIARACE2") })
			missing(f, get("AKIARACE1"))
		}
	})
	f.on("what is not there is not found", func(f *fixture) {
		missing(f, get("AKIANEVER"))
		f.refused(meta.ErrNotFound, func(t meta.Tx) error { return t.SetAccessKey(accessKey("AKIANEVER", home, 0)) })
		f.refused(meta.ErrNotFound, func(t meta.Tx) error { return t.DeleteAccessKey("AKIANEVER") })
		for _, k := range []meta.AccessKey{accessKey("AKIANEVER", absent, 0), accessKey("AKIANEVER", home, 1<<40), accessKey("AKIANEVER", abroad, owner)} {
			f.fails(meta.ErrNotFound, func(t meta.Tx) error { return t.InsertAccessKey(k) })
		}
	})
}
