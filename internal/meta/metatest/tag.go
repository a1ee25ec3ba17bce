package metatest

import (
	"errors"
	"fmt"
	"slices"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/lighterage/lighterage/internal/meta"
	"github.com/lighterage/lighterage/internal/name"
)

func testTag(f *fixture) {
	id := f.repository(key("tags"))
	a, b := f.image(id, "tag a", nil), f.image(id, "tag b", nil)
	put := func(tag name.Tag, image meta.ImageID) func(meta.Tx) error {
		return func(t meta.Tx) error { return t.PutTag(id, tag, image, "putter") }
	}
	f.on("a tag moves, goes, and its history tells", func(f *fixture) {
		f.update(put("v", a))
		f.update(put("v", b))
		var got meta.Tag
		f.view(func(t meta.Tx) (err error) {
			got, err = t.Tag(id, "v")
			return err
		})
		if got.Name != "v" || got.Image != b || got.Digest != sha("tag b") || got.UpdatedAt.IsZero() {
			f.Errorf("tag %+v", got)
		}
		f.update(func(t meta.Tx) error { return t.DeleteTag(id, "v", "deleter") })
		f.misses(meta.ErrNotFound, func(t meta.Tx) error {
			_, err := t.Tag(id, "v")
			return err
		})
		f.fails(meta.ErrNotFound, func(t meta.Tx) error { return t.DeleteTag(id, "v", "deleter") })
		want := []meta.TagChange{
			{Tag: "v", Old: sha("tag b"), By: "deleter"},
			{Tag: "v", Old: sha("tag a"), New: sha("tag b"), By: "putter"},
			{Tag: "v", New: sha("tag a"), By: "putter"},
		}
		for _, limit := range []int{2, 10} {
			var got []meta.TagChange
			f.view(func(t meta.Tx) (err error) {
				got, err = t.TagHistory(id, "v", limit)
				return err
			})
			if diff := cmp.Diff(want[:min(limit, 3)], got, cmpopts.IgnoreFields(meta.TagChange{}, "When")); diff != "" {
				f.Error(diff)
			}
		}
	})
	f.on("a tag points into its own repository", func(f *fixture) {
		other := f.repository(key("tags/other"))
		foreign := f.image(other, "tag foreign", nil)
		f.fails(meta.ErrNotFound, put("foreign", foreign))
		f.fails(meta.ErrNotFound, put("nothing", 1<<40))
	})
	f.on("lists are by bytes and pages have no gap, also where one name begins another", func(f *fixture) {
		id := f.repository(key("tags/listed"))
		image := f.image(id, "listed", nil)
		tags := []name.Tag{"1", "1.0", "1.0.0", "1.0-a", "10", "A", "B", "Z", "_", "a", "aa", "aaa", "a-", "a.", "a_", "b", "latest", "v1", "v1.1", "V1"}
		f.update(func(t meta.Tx) error {
			for _, tag := range tags {
				if err := t.PutTag(id, tag, image, "x"); err != nil {
					return err
				}
			}
			return nil
		})
		slices.Sort(tags)
		for _, size := range []int{1, 7, 20, 100} {
			var got []name.Tag
			f.view(func(t meta.Tx) error {
				list, err := pages(size, func(p meta.Page[name.Tag]) ([]meta.Tag, error) { return t.Tags(id, meta.AnyImageStatus, p) }, func(t meta.Tag) name.Tag { return t.Name })
				got = each(list, func(t meta.Tag) name.Tag { return t.Name })
				return err
			})
			if diff := cmp.Diff(tags, got); diff != "" {
				f.Errorf("pages of %d: %s", size, diff)
			}
		}
		f.view(func(t meta.Tx) error {
			after, err := t.Tags(id, meta.AnyImageStatus, meta.Page[name.Tag]{After: "a-zzz", Limit: 1})
			if len(after) != 1 || after[0].Name != "a." {
				return fmt.Errorf("after a key that is not there: %v, %w", after, err)
			}
			some, err := t.TagsOf(image, 5)
			if diff := cmp.Diff(tags[:5], some); diff != "" {
				return fmt.Errorf("tags of the image: %s, %w", diff, err)
			}
			every, err := t.TagsOf(image, 1000)
			if diff := cmp.Diff(tags, every); diff != "" {
				return fmt.Errorf("tags of the image: %s, %w", diff, err)
			}
			return nil
		})
	})
	f.on("tags of one name in two repositories are two", func(f *fixture) {
		other := f.repository(key("tags/twin"))
		twin := f.image(other, "tag a", nil, "twin")
		f.update(put("twin", a))
		f.update(func(t meta.Tx) error { return t.DeleteTag(id, "twin", "x") })
		f.view(func(t meta.Tx) error {
			tag, err := t.Tag(other, "twin")
			if tag.Image != twin {
				return fmt.Errorf("tag %v, %w", tag, err)
			}
			return nil
		})
	})
	f.on("many who put one tag leave it at one of their images, and a whole history", func(f *fixture) {
		var images []meta.ImageID
		for i := range 16 {
			images = append(images, f.image(id, fmt.Sprint("contended ", i), nil))
		}
		errs := f.together(len(images), func(i int, t meta.Tx) error { return t.PutTag(id, "contended", images[i], fmt.Sprint(i)) })
		if err := errors.Join(errs...); err != nil {
			f.Fatal(err)
		}
		f.view(func(t meta.Tx) error {
			tag, err := t.Tag(id, "contended")
			if err != nil {
				return err
			}
			history, err := t.TagHistory(id, "contended", 100)
			if err != nil {
				return err
			}
			if len(history) != len(images) || history[0].New != tag.Digest {
				return fmt.Errorf("tag at %s, history %v", tag.Digest, history)
			}
			for i := range len(history) - 1 {
				if history[i].Old != history[i+1].New {
					return fmt.Errorf("change %d began at %s, the one before ended at %s", i, history[i].Old, history[i+1].New)
				}
			}
			return nil
		})
	})
}

// testTagged checks, by the two filtered lists, that the store knows which
// images are tagged.
func testTagged(f *fixture) {
	id := f.repository(key("flag"))
	check := func() {
		f.Helper()
		var want [3][]meta.ImageID
		f.view(func(t meta.Tx) error {
			list, err := t.Images(id, meta.ImageFilter{}, meta.Page[meta.ImageID]{Limit: 1000})
			for _, i := range list {
				tags, err := t.TagsOf(i.ID, 1)
				if err != nil {
					return err
				}
				status := meta.Untagged
				if len(tags) > 0 {
					status = meta.Tagged
				}
				want[status] = append(want[status], i.ID)
			}
			return err
		})
		for _, status := range []meta.TagStatus{meta.Tagged, meta.Untagged} {
			if diff := cmp.Diff(want[status], f.images(id, status, 1000), cmpopts.EquateEmpty()); diff != "" {
				f.Errorf("status %d: %s", status, diff)
			}
		}
	}
	a, b := f.image(id, "flag a", nil), f.image(id, "flag b", nil)
	for _, step := range []struct {
		name string
		do   func(meta.Tx) error
	}{
		{"first tag", func(t meta.Tx) error { return t.PutTag(id, "1", a, "x") }},
		{"second tag", func(t meta.Tx) error { return t.PutTag(id, "2", a, "x") }},
		{"the same again", func(t meta.Tx) error { return t.PutTag(id, "2", a, "x") }},
		{"one moves", func(t meta.Tx) error { return t.PutTag(id, "1", b, "x") }},
		{"the last moves", func(t meta.Tx) error { return t.PutTag(id, "2", b, "x") }},
		{"one goes", func(t meta.Tx) error { return t.DeleteTag(id, "1", "x") }},
		{"the last goes", func(t meta.Tx) error { return t.DeleteTag(id, "2", "x") }},
	} {
		f.on(step.name, func(f *fixture) {
			f.update(step.do)
			check()
		})
	}
	f.on("under concurrency", func(f *fixture) {
		images := []meta.ImageID{a, b}
		for i := range 4 {
			images = append(images, f.image(id, fmt.Sprint("flag more ", i), nil))
		}
		for round := range 4 {
			errs := f.together(40, func(i int, t meta.Tx) error {
				tag := name.Tag(fmt.Sprint("t", (i*7+round)%5))
				if i%4 == 3 {
					return t.DeleteTag(id, tag, "x")
				}
				return t.PutTag(id, tag, images[(i*5+round)%len(images)], "x")
			})
			got := outcomes(errs, meta.ErrNotFound, "absent")
			if got["done"]+got["absent"] != len(errs) {
				f.Errorf("round %d: %v", round, got)
			}
			check()
		}
	})
	f.on("an image deleted while it is tagged", func(f *fixture) {
		for round := range 10 {
			image := f.image(id, fmt.Sprint("flag gone ", round), nil, "gone")
			errs := f.together(4, func(i int, t meta.Tx) error {
				if i == 0 {
					return t.DeleteImage(image, "x", day)
				}
				return t.PutTag(id, name.Tag(fmt.Sprint("gone", i)), image, "x")
			})
			if errs[0] != nil {
				f.Errorf("round %d: delete: %v", round, errs[0])
			}
			if got := outcomes(errs, meta.ErrNotFound, "absent"); got["done"]+got["absent"] != len(errs) {
				f.Errorf("round %d: %v", round, got)
			}
			f.view(func(t meta.Tx) error {
				tags, err := t.Tags(id, meta.AnyImageStatus, meta.Page[name.Tag]{After: "gone", Limit: 100})
				for _, tag := range tags {
					if tag.Image == image {
						return fmt.Errorf("tag %s points to an image that is gone", tag.Name)
					}
				}
				return err
			})
			check()
		}
	})
}
