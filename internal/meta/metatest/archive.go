package metatest

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lighterage/lighterage/internal/meta"
	"github.com/lighterage/lighterage/internal/name"
)

func testArchive(f *fixture) {
	k := key("archive")
	id := f.repository(k)
	f.on("an archived image is there with its tags, and not found from outside", func(f *fixture) {
		want := manifest(id, "a image")
		want.ID = f.image(id, "a image", nil, "a")
		image := func(t meta.Tx) (meta.Image, error) { return t.ImageOf(want.ID) }
		f.update(archive(want.ID))
		want.Archived, want.ArchivedAt = true, day
		found(f, want, image)
		found(f, want, func(t meta.Tx) (meta.Image, error) { return t.Image(id, meta.Reference{Tag: "a"}) })
		found(f, want, func(t meta.Tx) (meta.Image, error) { return t.Image(id, meta.Reference{Digest: want.Digest}) })
		for _, ref := range []meta.Reference{{Tag: "a"}, {Digest: want.Digest}} {
			f.misses(meta.ErrNotFound, func(t meta.Tx) error {
				_, err := t.FindImage(k, ref)
				if errors.Is(err, meta.ErrNoRepository) {
					return errors.New("the repository is there")
				}
				return err
			})
		}
		f.update(func(t meta.Tx) error { return t.ArchiveImage(want.ID, nextDay) })
		found(f, want, image)
		f.update(func(t meta.Tx) error { return t.ActivateImage(want.ID, nextDay) })
		want.Archived, want.ActivatedAt = false, nextDay
		found(f, want, image)
		f.update(func(t meta.Tx) error { return t.ActivateImage(want.ID, nextDay.Add(1e9)) })
		found(f, want, image)
		want.ArchivedAt, want.ActivatedAt = time.Time{}, time.Time{}
		found(f, want, func(t meta.Tx) (meta.Image, error) { return t.FindImage(k, meta.Reference{Tag: "a"}) })
	})
	f.on("what is not there is neither archived nor brought back", func(f *fixture) {
		f.refused(meta.ErrNotFound, archive(1<<40))
		f.refused(meta.ErrNotFound, activate(1<<40))
	})
	f.on("an archived image can be deleted, and its repository purged", func(f *fixture) {
		gone := f.repository(key("archive/gone"))
		layer := f.layer(gone, "g layer")
		first, second := f.image(gone, "g first", []meta.LayerID{layer}, "g"), f.image(gone, "g second", nil)
		f.update(archive(first))
		f.update(archive(second))
		f.update(func(t meta.Tx) error { return t.DeleteImage(first, "x", nextDay) })
		f.update(func(t meta.Tx) error { return t.UnlinkRepository(gone) })
		f.update(func(t meta.Tx) error {
			done, err := t.PurgeRepository(gone, 100, nextDay)
			if err == nil && !done {
				err = errors.New("not done")
			}
			return err
		})
	})
	f.on("an index keeps what it lists from the archive, until it is archived", func(f *fixture) {
		leaf := f.image(id, "i leaf", nil)
		shared := f.image(id, "i shared", nil)
		inner := f.index(id, "i inner", nil, []meta.ImageID{leaf, shared})
		outer := f.index(id, "i outer", nil, []meta.ImageID{inner, shared})
		for _, child := range []meta.ImageID{leaf, shared, inner} {
			f.refused(meta.ErrReferenced, archive(child))
		}
		f.update(archive(outer))
		f.update(archive(inner))
		f.update(archive(leaf))
		f.wantArchived(map[meta.ImageID]bool{outer: true, inner: true, leaf: true, shared: false})
		f.update(activate(inner))
		f.wantArchived(map[meta.ImageID]bool{outer: true, inner: false, leaf: false, shared: false})
		f.refused(meta.ErrReferenced, archive(leaf))
		f.update(archive(inner))
		f.update(archive(leaf))
		f.update(activate(outer))
		f.wantArchived(map[meta.ImageID]bool{outer: false, inner: false, leaf: false, shared: false})
		f.view(func(t meta.Tx) error {
			came, err := t.ImageOf(leaf)
			stayed, err2 := t.ImageOf(shared)
			if !came.ActivatedAt.Equal(nextDay) || !stayed.ActivatedAt.IsZero() {
				f.Errorf("brought back at %v, and what was not archived at %v", came.ActivatedAt, stayed.ActivatedAt)
			}
			return errors.Join(err, err2)
		})
	})
	f.on("a registered image stays out of the archive", func(f *fixture) {
		hidden := f.repository(meta.RepositoryKey{Registry: west, Space: meta.Lightsail, Name: "sr"})
		image := f.image(hidden, "r image", nil)
		f.update(func(t meta.Tx) error {
			s, err := t.InsertService(meta.Service{Registry: west, Name: "web", Power: "nano", Scale: 1, CreatedAt: day})
			if err == nil {
				_, err = t.RegisterImage(s, "app", image)
			}
			return err
		})
		f.refused(meta.ErrReferenced, archive(image))
	})
	testArchiveLists(f)
	testArchiveRaces(f)
}

func testArchiveLists(f *fixture) {
	f.on("lists are filtered by status", func(f *fixture) {
		id, other := f.repository(key("archive/lists")), f.repository(key("archive/other"))
		subject := sha("l subject")
		lists := map[meta.ImageFilter][]meta.ImageID{}
		referrers, tags := map[meta.ImageStatus][]meta.ImageID{}, map[meta.ImageStatus][]name.Tag{}
		archived := int64(0)
		for i := range 16 {
			f.update(archive(f.image(other, fmt.Sprint("l other ", i), nil, name.Tag(fmt.Sprint("o", i)))))
			image := manifest(id, fmt.Sprint("l ", i))
			image.Subject = subject
			status, tagged := meta.Active, meta.Untagged
			f.update(func(t meta.Tx) (err error) {
				image.ID, err = t.InsertImage(image, nil, nil, nil)
				if tag := name.Tag(fmt.Sprintf("t%02d", i)); err == nil && i%2 == 0 {
					err = t.PutTag(id, tag, image.ID, "x")
				}
				return err
			})
			if i%3 == 0 {
				f.update(archive(image.ID))
				status = meta.Archived
				archived++
			}
			if i%2 == 0 {
				tagged = meta.Tagged
			}
			for _, s := range []meta.ImageStatus{meta.AnyImageStatus, status} {
				for _, t := range []meta.TagStatus{meta.AnyTagStatus, tagged} {
					filter := meta.ImageFilter{Tags: t, Status: s}
					lists[filter] = append(lists[filter], image.ID)
				}
				referrers[s] = append(referrers[s], image.ID)
				if i%2 == 0 {
					tags[s] = append(tags[s], name.Tag(fmt.Sprintf("t%02d", i)))
				}
			}
		}
		if len(lists) != 9 {
			f.Fatalf("%d filters", len(lists))
		}
		for _, size := range []int{1, 3, 100} {
			f.view(func(t meta.Tx) error {
				for filter, want := range lists {
					got, err := pages(size, func(p meta.Page[meta.ImageID]) ([]meta.Image, error) { return t.Images(id, filter, p) }, imageID)
					if diff := cmp.Diff(want, each(got, imageID)); diff != "" || err != nil {
						return fmt.Errorf("images %+v in pages of %d: %s, %w", filter, size, diff, err)
					}
				}
				for status, want := range referrers {
					got, err := pages(size, func(p meta.Page[meta.ImageID]) ([]meta.Referrer, error) {
						return t.Referrers(id, subject, meta.ReferrerFilter{Status: status}, p)
					}, referrerID)
					if diff := cmp.Diff(want, each(got, referrerID)); diff != "" || err != nil {
						return fmt.Errorf("referrers %d in pages of %d: %s, %w", status, size, diff, err)
					}
				}
				for status, want := range tags {
					got, err := pages(size, func(p meta.Page[name.Tag]) ([]meta.Tag, error) { return t.Tags(id, status, p) }, func(t meta.Tag) name.Tag { return t.Name })
					if diff := cmp.Diff(want, each(got, func(t meta.Tag) name.Tag { return t.Name })); diff != "" || err != nil {
						return fmt.Errorf("tags %d in pages of %d: %s, %w", status, size, diff, err)
					}
				}
				names, err := pages(size, func(p meta.Page[name.Tag]) ([]name.Tag, error) { return t.TagNames(id, p) }, func(t name.Tag) name.Tag { return t })
				if diff := cmp.Diff(tags[meta.Active], names); diff != "" || err != nil {
					return fmt.Errorf("names of tags in pages of %d: %s, %w", size, diff, err)
				}
				return nil
			})
		}
		found(f, archived, func(t meta.Tx) (int64, error) { return t.CountArchived(id) })
		found(f, 0, func(t meta.Tx) (int64, error) { return t.CountArchived(1 << 40) })
	})
	f.on("a layer is archived with the last image that keeps it", func(f *fixture) {
		id := f.repository(key("archive/layers"))
		one, both, none := f.layer(id, "al one"), f.layer(id, "al both"), f.layer(id, "al none")
		all := []meta.LayerID{none, both, one}
		layers := func(t meta.Tx) ([]meta.LayerID, error) { return t.ArchivedLayers(id, all) }
		a, b := f.image(id, "al a", []meta.LayerID{one, both}), f.image(id, "al b", []meta.LayerID{both})
		for _, step := range []struct {
			act  func(meta.Tx) error
			want []meta.LayerID
		}{
			{func(meta.Tx) error { return nil }, nil},
			{archive(a), []meta.LayerID{one}},
			{archive(b), []meta.LayerID{one, both}},
			{activate(a), nil},
			{archive(a), []meta.LayerID{one, both}},
			{func(t meta.Tx) error { return t.DeleteImage(a, "x", nextDay) }, []meta.LayerID{both}},
		} {
			f.update(step.act)
			found(f, step.want, layers)
		}
		for i := range 70 { // more than one statement takes
			all = append(all, f.layer(id, fmt.Sprint("al many ", i)))
		}
		c := f.image(id, "al c", all)
		found(f, nil, layers)
		f.update(archive(c))
		slices.Sort(all)
		found(f, all, layers)
	})
}

func testArchiveRaces(f *fixture) {
	id := f.repository(key("archive/races"))
	f.on("an index does not come to list what is being archived", func(f *fixture) {
		for round := range 10 {
			child, body := f.image(id, fmt.Sprint("p child ", round), nil), fmt.Sprint("p index ", round)
			errs := f.together(2, func(i int, t meta.Tx) error {
				if i == 0 {
					return t.ArchiveImage(child, day)
				}
				if _, err := t.InsertImage(manifest(id, body), []byte(body), nil, []meta.ImageID{child}); err != nil {
					return err
				}
				if c, err := t.ImageOf(child); err != nil || c.Archived {
					return errors.Join(err, meta.ErrConflict)
				}
				return nil
			})
			archived, pushed := errs[0] == nil, errs[1] == nil
			if archived == pushed || !archived && !errors.Is(errs[0], meta.ErrReferenced) || !pushed && !errors.Is(errs[1], meta.ErrConflict) {
				f.Errorf("round %d: archive %v, push %v", round, errs[0], errs[1])
			}
		}
	})
	f.on("an index that comes back brings what is being archived", func(f *fixture) {
		for round := range 10 {
			child := f.image(id, fmt.Sprint("b child ", round), nil)
			index := f.index(id, fmt.Sprint("b index ", round), nil, []meta.ImageID{child})
			f.update(archive(index))
			errs := f.together(2, func(i int, t meta.Tx) error {
				if i == 0 {
					return t.ArchiveImage(child, day)
				}
				return t.ActivateImage(index, nextDay)
			})
			if errs[0] != nil && !errors.Is(errs[0], meta.ErrReferenced) || errs[1] != nil {
				f.Errorf("round %d: archive %v, bring back %v", round, errs[0], errs[1])
			}
			f.wantArchived(map[meta.ImageID]bool{index: false, child: false})
		}
	})
}

func archive(id meta.ImageID) func(meta.Tx) error {
	return func(t meta.Tx) error { return t.ArchiveImage(id, day) }
}

func activate(id meta.ImageID) func(meta.Tx) error {
	return func(t meta.Tx) error { return t.ActivateImage(id, nextDay) }
}

func (f *fixture) wantArchived(want map[meta.ImageID]bool) {
	f.Helper()
	f.view(func(t meta.Tx) error {
		got := map[meta.ImageID]bool{}
		for id := range want {
			i, err := t.ImageOf(id)
			if err != nil {
				return err
			}
			got[id] = i.Archived
		}
		if diff := cmp.Diff(want, got); diff != "" {
			f.Errorf("archived: %s", diff)
		}
		return nil
	})
}
