package metatest

import (
	"errors"
	"fmt"
	"slices"

	"github.com/google/go-cmp/cmp"

	"github.com/lighterage/lighterage/internal/meta"
	"github.com/lighterage/lighterage/internal/name"
)

func testSecret(f *fixture) {
	f.on("a secret stays what it first was", func(f *fixture) {
		errs := f.together(10, func(i int, t meta.Tx) error { return t.PutSecret("tokens", []byte{0, byte(i), 255}) })
		if diff := cmp.Diff(map[string]int{"done": 1, "exists": 9}, outcomes(errs, meta.ErrExists, "exists")); diff != "" {
			f.Error(diff)
		}
		f.view(func(t meta.Tx) error {
			got, err := t.Secret("tokens")
			if len(got) != 3 || errs[got[1]] != nil {
				return fmt.Errorf("secret %v, %w", got, err)
			}
			return err
		})
		f.misses(meta.ErrNotFound, func(t meta.Tx) error {
			_, err := t.Secret("other")
			return err
		})
	})
	f.on("a secret can be replaced, and not be made so", func(f *fixture) {
		f.update(func(t meta.Tx) error { return t.PutSecret("replaced", []byte("old")) })
		f.update(func(t meta.Tx) error { return t.SetSecret("replaced", []byte("new")) })
		f.view(func(t meta.Tx) error {
			got, err := t.Secret("replaced")
			if err == nil && string(got) != "new" {
				err = fmt.Errorf("secret %q", got)
			}
			return err
		})
		f.fails(meta.ErrNotFound, func(t meta.Tx) error { return t.SetSecret("never put", []byte("new")) })
	})
	f.on("the store has an identity", func(f *fixture) {
		f.view(func(t meta.Tx) error {
			id, generation, err := t.Identity()
			if err == nil && (len(id) != 36 || generation != 1) {
				err = errors.New(fmt.Sprint("identity ", id, " generation ", generation))
			}
			return err
		})
	})
	f.on("the accounts are those with a repository, each once", func(f *fixture) {
		before := f.accounts()
		for _, k := range []name.RegistryID{{Account: "777788889999", Region: "us-east-1"}, {Account: "111122223333", Region: "us-east-1"}, {Account: "111122223333", Region: "eu-west-1"}} {
			f.repository(meta.RepositoryKey{Registry: k, Space: meta.ECR, Name: "some/thing"})
		}
		want := slices.Compact(slices.Sorted(slices.Values(append(before, "777788889999", "111122223333"))))
		if diff := cmp.Diff(want, f.accounts()); diff != "" {
			f.Error(diff)
		}
	})
}

func (f *fixture) accounts() (accounts []name.AccountID) {
	f.Helper()
	f.view(func(t meta.Tx) (err error) {
		accounts, err = t.Accounts()
		return err
	})
	return accounts
}
