package metatest

import (
	"github.com/google/go-cmp/cmp"

	"github.com/lighterage/lighterage/internal/meta"
	"github.com/lighterage/lighterage/internal/name"
)

func testOIDCProvider(f *fixture) {
	f.twoAccounts()
	get := func(account name.AccountID, host string, lock meta.Lock) func(meta.Tx) (meta.OIDCProvider, error) {
		return func(t meta.Tx) (meta.OIDCProvider, error) { return t.OIDCProvider(account, host, lock) }
	}
	want := meta.OIDCProvider{Account: home, Host: "token.example.com/path", ClientIDs: []string{"b", `a"`}, Thumbprints: []string{"0123"}, CreatedAt: day}
	f.update(func(t meta.Tx) (err error) {
		want.ID, err = t.InsertOIDCProvider(want)
		return err
	})
	for _, lock := range []meta.Lock{meta.NoLock, meta.LockShared, meta.LockExclusive} {
		found(f, want, get(home, want.Host, lock))
	}
	want.ClientIDs, want.Thumbprints = []string{"c"}, nil
	f.update(func(t meta.Tx) error { return t.SetOIDCProvider(want) })
	found(f, want, get(home, want.Host, meta.NoLock))

	f.refused(meta.ErrExists, func(t meta.Tx) error {
		_, err := t.InsertOIDCProvider(meta.OIDCProvider{Account: home, Host: want.Host})
		return err
	})
	missing(f, get(abroad, want.Host, meta.NoLock))
	for _, p := range []meta.OIDCProvider{{Account: abroad, Host: want.Host}, {Account: home, Host: "a.example.com"}, {Account: home, Host: "z.example.com"}} {
		f.update(func(t meta.Tx) error {
			_, err := t.InsertOIDCProvider(p)
			return err
		})
	}
	hosts := func(account name.AccountID, want ...string) {
		f.Helper()
		f.view(func(t meta.Tx) error {
			list, err := t.OIDCProviders(account)
			if diff := cmp.Diff(want, each(list, func(p meta.OIDCProvider) string { return p.Host })); diff != "" {
				f.Errorf("providers of %s: %s", account, diff)
			}
			return err
		})
	}
	hosts(home, "a.example.com", want.Host, "z.example.com")
	hosts(abroad, want.Host)

	tags := meta.Resource{Kind: meta.ProviderResource, ID: int64(want.ID)}
	f.update(func(t meta.Tx) error { return t.PutResourceTags(tags, []meta.ResourceTag{{Key: "k"}}) })
	f.update(func(t meta.Tx) error { return t.DeleteOIDCProvider(want.ID) })
	missing(f, get(home, want.Host, meta.NoLock))
	found(f, nil, func(t meta.Tx) ([]meta.ResourceTag, error) { return t.ResourceTags(tags) })
	hosts(home, "a.example.com", "z.example.com")
	f.refused(meta.ErrNotFound, func(t meta.Tx) error { return t.DeleteOIDCProvider(want.ID) })
	f.refused(meta.ErrNotFound, func(t meta.Tx) error { return t.SetOIDCProvider(want) })
	f.fails(meta.ErrNotFound, func(t meta.Tx) error {
		_, err := t.InsertOIDCProvider(meta.OIDCProvider{Account: absent, Host: "x"})
		return err
	})
}
