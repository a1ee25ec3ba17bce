package metatest

import (
	"fmt"
	"slices"

	"github.com/google/go-cmp/cmp"

	"github.com/lighterage/lighterage/internal/meta"
	"github.com/lighterage/lighterage/internal/name"
)

func testRegisteredImage(f *fixture) {
	sr := f.repository(meta.RepositoryKey{Registry: east, Space: meta.Lightsail, Name: "sr"})
	image := f.image(sr, "registered", nil)
	register := func(s meta.ServiceID, label name.Label, i meta.ImageID) (m meta.RegisteredImage) {
		f.Helper()
		f.update(func(t meta.Tx) (err error) {
			m, err = t.RegisterImage(s, label, i)
			return err
		})
		return m
	}
	f.on("versions count from 1 per service and label, and never come twice", func(f *fixture) {
		s, other := f.service("counting"), f.service("other")
		for _, c := range []struct {
			service meta.ServiceID
			label   name.Label
			want    int64
		}{{s, "web", 1}, {s, "web", 2}, {s, "db", 1}, {other, "web", 1}, {s, "web", 3}} {
			m := register(c.service, c.label, image)
			if m.Version != c.want || m.Service != c.service || m.Label != c.label || m.Image != image || m.Digest != string(sha("registered")) || m.CreatedAt.IsZero() || m.ID == 0 {
				f.Errorf("%v: %+v", c, m)
			}
			f.view(func(t meta.Tx) error {
				got, err := t.RegisteredImage(c.service, c.label, c.want)
				if diff := cmp.Diff(m, got); diff != "" {
					return fmt.Errorf("found: %s, %w", diff, err)
				}
				return nil
			})
		}
		for version := int64(1); version <= 3; version++ {
			f.update(func(t meta.Tx) error {
				m, err := t.RegisteredImage(s, "web", version)
				if err != nil {
					return err
				}
				return t.DeleteRegisteredImage(m.ID)
			})
		}
		if m := register(s, "web", image); m.Version != 4 {
			f.Errorf("after deletes: version %d, want 4", m.Version)
		}
	})
	f.on("the newest come first", func(f *fixture) {
		s := f.service("listed")
		var want []int64
		for i := range 5 {
			want = append(want, register(s, name.Label([]string{"a", "b"}[i%2]), image).ID)
		}
		slices.Reverse(want)
		for _, limit := range []int{2, 5, 100} {
			var got []int64
			f.view(func(t meta.Tx) error {
				list, err := t.RegisteredImages(s, limit)
				got = each(list, func(m meta.RegisteredImage) int64 { return m.ID })
				return err
			})
			if diff := cmp.Diff(want[:min(limit, 5)], got); diff != "" {
				f.Error(diff)
			}
		}
	})
	f.on("a registered image keeps its image and its service", func(f *fixture) {
		s := f.service("keeping")
		mine := f.image(sr, "kept by registration", nil)
		registered := func() (is bool) {
			f.view(func(t meta.Tx) (err error) {
				is, err = t.ImageRegistered(mine)
				return err
			})
			return is
		}
		if registered() {
			f.Error("registered before it was")
		}
		m := register(s, "x", mine)
		if !registered() {
			f.Error("not registered")
		}
		f.fails(meta.ErrReferenced, func(t meta.Tx) error { return t.DeleteImage(mine, "x", nextDay) })
		f.fails(meta.ErrReferenced, func(t meta.Tx) error { return t.DeleteService(s) })
		f.update(func(t meta.Tx) error { return t.DeleteRegisteredImage(m.ID) })
		if registered() {
			f.Error("still registered")
		}
		f.update(func(t meta.Tx) error { return t.DeleteImage(mine, "x", nextDay) })
		f.update(func(t meta.Tx) error { return t.DeleteService(s) })
		if m := register(f.service("keeping"), "x", image); m.Version != 1 {
			f.Errorf("a service made anew begins with version %d", m.Version)
		}
	})
	f.on("registrations at once never repeat a number, also while versions go", func(f *fixture) {
		s := f.service("contended")
		var got [60]meta.RegisteredImage
		errs := f.together(len(got), func(i int, t meta.Tx) (err error) {
			if got[i], err = t.RegisterImage(s, "web", image); err != nil {
				return err
			}
			switch i % 5 {
			case 1:
				return t.DeleteRegisteredImage(got[i].ID)
			case 2:
				return errOwn
			}
			return nil
		})
		seen := map[int64]bool{}
		most := int64(0)
		for i, m := range got {
			if i%5 == 2 {
				continue // rolled back: its number was never given
			}
			if errs[i] != nil || seen[m.Version] {
				f.Errorf("registration %d: version %d, %v", i, m.Version, errs[i])
			}
			seen[m.Version] = true
			most = max(most, m.Version)
		}
		if m := register(s, "web", image); m.Version <= most {
			f.Errorf("version %d after %d", m.Version, most)
		}
	})
	f.on("an image and its registration do not miss each other", func(f *fixture) {
		s := f.service("racing")
		for round := range 10 {
			mine := f.image(sr, fmt.Sprint("racing ", round), nil)
			errs := f.together(2, func(i int, t meta.Tx) error {
				if i == 0 {
					return t.DeleteImage(mine, "x", nextDay)
				}
				_, err := t.RegisterImage(s, "r", mine)
				return err
			})
			if (errs[0] == nil) == (errs[1] == nil) {
				f.Errorf("round %d: %v", round, errs)
			}
		}
	})
	f.on("what is missing is not found", func(f *fixture) {
		s := f.service("missing")
		for what, fn := range map[string]func(meta.Tx) error{
			"the service":    func(t meta.Tx) error { _, err := t.RegisterImage(1<<40, "x", image); return err },
			"the image":      func(t meta.Tx) error { _, err := t.RegisterImage(s, "x", 1<<40); return err },
			"the version":    func(t meta.Tx) error { _, err := t.RegisteredImage(s, "x", 1); return err },
			"what to delete": func(t meta.Tx) error { return t.DeleteRegisteredImage(1 << 40) },
		} {
			f.on(what, func(f *fixture) { f.fails(meta.ErrNotFound, fn) })
		}
	})
}
