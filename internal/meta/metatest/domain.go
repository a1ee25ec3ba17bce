package metatest

import (
	"context"
	"errors"
	"sync"

	"github.com/google/go-cmp/cmp"

	"github.com/lighterage/lighterage/internal/meta"
)

func testDomain(f *fixture) {
	put := func(kind meta.DomainKind, key string) (d meta.Domain) {
		f.Helper()
		f.update(func(t meta.Tx) (err error) {
			d, err = t.PutDomain(kind, key)
			return err
		})
		return d
	}
	server, kms := put(meta.ServerDomain, ""), put(meta.KMSDomain, "arn:key/1")
	f.on("a domain is one of its kind and key", func(f *fixture) {
		for _, want := range []meta.Domain{server, kms} {
			if again := put(want.Kind, want.Key); again != want {
				f.Errorf("put again: %+v, want %+v", again, want)
			}
			f.view(func(t meta.Tx) error {
				found, err := t.Domain(want.Kind, want.Key)
				byID, errOf := t.DomainOf(want.ID)
				if found != want || byID != want {
					f.Errorf("found %+v and %+v, want %+v", found, byID, want)
				}
				return errors.Join(err, errOf)
			})
		}
		if twice := put(meta.DSSEDomain, kms.Key); twice.ID == kms.ID || kms.ID == server.ID || kms.ID == 0 {
			f.Errorf("domains %+v, %+v and %+v are not three", server, kms, twice)
		}
	})
	f.on("what is not there is not found", func(f *fixture) {
		f.misses(meta.ErrNotFound, func(t meta.Tx) error { _, err := t.Domain(meta.KMSDomain, ""); return err })
		f.misses(meta.ErrNotFound, func(t meta.Tx) error { _, err := t.DomainOf(1 << 40); return err })
		f.misses(meta.ErrNotFound, func(t meta.Tx) error { _, err := t.DataKeyOf(1 << 40); return err })
		f.misses(meta.ErrNotFound, func(t meta.Tx) error { _, err := t.NewestDataKey(server.ID); return err })
	})
	insert := func(domain int64, wrapped string) (number int64) {
		f.Helper()
		f.update(func(t meta.Tx) (err error) {
			number, err = t.InsertDataKey(domain, []byte(wrapped))
			return err
		})
		return number
	}
	f.on("the last data key is the newest of its domain", func(f *fixture) {
		one := insert(server.ID, "one")
		two := insert(server.ID, "two")
		three := insert(kms.ID, "three")
		f.view(func(t meta.Tx) error {
			newest, err := t.NewestDataKey(server.ID)
			if newest.Number != two || string(newest.Wrapped) != "two" || newest.Domain != server.ID || newest.CreatedAt.IsZero() {
				f.Errorf("the newest is %+v, want number %d", newest, two)
			}
			old, errOf := t.DataKeyOf(one)
			if string(old.Wrapped) != "one" {
				f.Errorf("number %d is %+v", one, old)
			}
			first, errPage := t.DataKeys(meta.Page[int64]{Limit: 2})
			rest, errRest := t.DataKeys(meta.Page[int64]{After: two, Limit: 2})
			var numbers []int64
			for _, k := range append(first, rest...) {
				numbers = append(numbers, k.Number)
			}
			if diff := cmp.Diff([]int64{one, two, three}, numbers); diff != "" {
				f.Errorf("all keys: %s", diff)
			}
			all, errAll := t.Domains(meta.Page[int64]{Limit: 10})
			if len(all) != 3 || all[0] != server {
				f.Errorf("all domains: %+v", all)
			}
			return errors.Join(err, errOf, errPage, errRest, errAll)
		})
	})
	f.on("a data key is wrapped anew only if it is as it was", func(f *fixture) {
		number := insert(kms.ID, "was")
		f.update(func(t meta.Tx) error { return t.SetDataKey(number, []byte("was"), []byte("is")) })
		f.fails(meta.ErrConflict, func(t meta.Tx) error { return t.SetDataKey(number, []byte("was"), []byte("else")) })
		f.view(func(t meta.Tx) error {
			k, err := t.DataKeyOf(number)
			if string(k.Wrapped) != "is" {
				f.Errorf("wrapped %q, want %q", k.Wrapped, "is")
			}
			return err
		})
	})
	f.on("of many who begin a domain at once one draws its key", func(f *fixture) {
		var all sync.WaitGroup
		for range 8 {
			all.Go(func() {
				err := f.store.Update(context.Background(), func(t meta.Tx) error {
					d, err := t.PutDomain(meta.KMSDomain, "arn:key/2")
					if err != nil {
						return err
					}
					_, err = t.NewestDataKey(d.ID)
					if errors.Is(err, meta.ErrNotFound) {
						_, err = t.InsertDataKey(d.ID, []byte("x"))
					}
					return err
				})
				if err != nil {
					f.Errorf("begin a domain: %v", err)
				}
			})
		}
		all.Wait()
		f.view(func(t meta.Tx) error {
			d, err := t.Domain(meta.KMSDomain, "arn:key/2")
			if err != nil {
				return err
			}
			keys, err := t.DataKeys(meta.Page[int64]{Limit: 100})
			n := 0
			for _, k := range keys {
				if k.Domain == d.ID {
					n++
				}
			}
			if n != 1 {
				f.Errorf("the domain has %d keys", n)
			}
			return err
		})
	})
}
