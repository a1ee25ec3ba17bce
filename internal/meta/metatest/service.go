package metatest

import (
	"fmt"

	"github.com/google/go-cmp/cmp"

	"github.com/lighterage/lighterage/internal/meta"
	"github.com/lighterage/lighterage/internal/name"
)

func service(n name.ServiceName) meta.Service {
	return meta.Service{Registry: east, Name: n, ResourceID: "11111111-2222-3333-4444-555555555555", Power: "nano", Scale: 1, CreatedAt: day}
}

func (f *fixture) service(n name.ServiceName) meta.ServiceID {
	f.Helper()
	var id meta.ServiceID
	f.update(func(t meta.Tx) (err error) {
		id, err = t.InsertService(service(n))
		return err
	})
	return id
}

func testService(f *fixture) {
	f.on("what is inserted is found as it was", func(f *fixture) {
		want := service("found")
		want.Disabled = true
		f.update(func(t meta.Tx) (err error) {
			want.ID, err = t.InsertService(want)
			return err
		})
		check := func() {
			f.Helper()
			for _, lock := range []meta.Lock{meta.NoLock, meta.LockShared, meta.LockExclusive} {
				f.update(func(t meta.Tx) error {
					got, err := t.Service(east, "found", lock)
					if diff := cmp.Diff(want, got); diff != "" {
						return fmt.Errorf("lock %d: %s, %w", lock, diff, err)
					}
					return nil
				})
			}
		}
		check()
		want.Power, want.Scale, want.Disabled = "xlarge", 20, false
		f.update(func(t meta.Tx) error { return t.SetService(want) })
		check()
	})
	f.on("a name is there once in a registry", func(f *fixture) {
		id := f.service("once")
		f.fails(meta.ErrExists, func(t meta.Tx) error {
			_, err := t.InsertService(service("once"))
			return err
		})
		f.misses(meta.ErrNotFound, func(t meta.Tx) error {
			_, err := t.Service(west, "once", meta.NoLock)
			return err
		})
		f.update(func(t meta.Tx) error {
			s := service("once")
			s.Registry = west
			other, err := t.InsertService(s)
			if other == id {
				return fmt.Errorf("two services are %d", id)
			}
			return err
		})
	})
	f.on("lists are by bytes and pages have no gap", func(f *fixture) {
		here := name.RegistryID{Account: "555555555555", Region: "eu-west-1"}
		want := []name.ServiceName{"a", "a-b", "a0", "aa", "b"}
		for _, n := range []int{3, 0, 4, 2, 1} {
			s := service(want[n])
			s.Registry = here
			f.update(func(t meta.Tx) error {
				_, err := t.InsertService(s)
				return err
			})
		}
		for _, size := range []int{1, 2, 100} {
			var got []name.ServiceName
			f.view(func(t meta.Tx) error {
				list, err := pages(size, func(p meta.Page[name.ServiceName]) ([]meta.Service, error) { return t.Services(here, p) }, func(s meta.Service) name.ServiceName { return s.Name })
				got = each(list, func(s meta.Service) name.ServiceName { return s.Name })
				return err
			})
			if diff := cmp.Diff(want, got); diff != "" {
				f.Errorf("pages of %d: %s", size, diff)
			}
		}
	})
	f.on("a service goes with its resource tags", func(f *fixture) {
		id := f.service("gone")
		r := meta.Resource{Kind: meta.ServiceResource, ID: int64(id)}
		f.update(func(t meta.Tx) error { return t.PutResourceTags(r, []meta.ResourceTag{{Key: "k", Value: "v"}}) })
		f.update(func(t meta.Tx) error { return t.DeleteService(id) })
		f.view(func(t meta.Tx) error {
			if tags, err := t.ResourceTags(r); len(tags) != 0 {
				return fmt.Errorf("tags %v, %w", tags, err)
			}
			return nil
		})
		f.fails(meta.ErrNotFound, func(t meta.Tx) error { return t.DeleteService(id) })
		f.fails(meta.ErrNotFound, func(t meta.Tx) error { return t.SetService(meta.Service{ID: id}) })
		f.misses(meta.ErrNotFound, func(t meta.Tx) error {
			_, err := t.Service(east, "gone", meta.NoLock)
			return err
		})
		if again := f.service("gone"); again == id {
			f.Error("the new service has the id of the old")
		}
	})
}
