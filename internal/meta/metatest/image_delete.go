package metatest

import (
	"errors"
	"fmt"

	"github.com/google/go-cmp/cmp"

	"github.com/lighterage/lighterage/internal/meta"
	"github.com/lighterage/lighterage/internal/name"
)

func testImageDelete(f *fixture) {
	id := f.repository(key("deleted"))
	f.on("the image goes with its tags and bytes, and its layers are to be reviewed", func(f *fixture) {
		l1, l2 := f.layer(id, "d layer 1"), f.layer(id, "d layer 2")
		image := f.image(id, "d image", []meta.LayerID{l1, l2}, "d1", "d2")
		annotated := manifest(id, "d annotated")
		annotated.Annotations = `{"a":"b"}`
		f.update(func(t meta.Tx) (err error) {
			annotated.ID, err = t.InsertImage(annotated, []byte("d annotated"), nil, nil)
			return err
		})
		other := f.image(id, "d other", []meta.LayerID{l1}, "d3")
		f.drain()
		f.update(func(t meta.Tx) error { return t.DeleteImage(annotated.ID, "deleter", nextDay) })
		f.update(func(t meta.Tx) error { return t.DeleteImage(image, "deleter", nextDay) })
		f.view(func(t meta.Tx) error {
			if _, err := t.ImageOf(image); err != meta.ErrNotFound {
				return fmt.Errorf("image: %w", err)
			}
			if _, err := t.Manifest(image); err != meta.ErrNotFound {
				return fmt.Errorf("manifest: %w", err)
			}
			if left, err := t.Annotations(annotated.ID); left != "" || err != nil {
				return fmt.Errorf("annotations: %q, %w", left, err)
			}
			tags, err := t.Tags(id, meta.AnyImageStatus, meta.Page[name.Tag]{Limit: 10})
			if len(tags) != 1 || tags[0].Image != other {
				return fmt.Errorf("tags %v, %w", tags, err)
			}
			for _, tag := range []name.Tag{"d1", "d2"} {
				h, err := t.TagHistory(id, tag, 1)
				if len(h) != 1 || h[0].By != "deleter" || h[0].Old != sha("d image") || h[0].New != "" {
					return fmt.Errorf("history of %s: %v, %w", tag, h, err)
				}
			}
			for layer, want := range map[meta.LayerID]bool{l1: true, l2: false} {
				if got, err := t.LayerReferenced(layer); got != want {
					return fmt.Errorf("layer %d referenced: %v, %w", layer, got, err)
				}
			}
			return nil
		})
		want := []meta.Review{{Subject: meta.LayerSubject, Of: int64(l1), Due: nextDay}, {Subject: meta.LayerSubject, Of: int64(l2), Due: nextDay}}
		if diff := cmp.Diff(want, f.drain()); diff != "" {
			f.Error(diff)
		}
	})
	f.on("an index keeps its children, and not the other way round", func(f *fixture) {
		child := f.image(id, "k child", nil, "k")
		index := f.index(id, "k index", nil, []meta.ImageID{child})
		f.fails(meta.ErrReferenced, func(t meta.Tx) error { return t.DeleteImage(child, "x", nextDay) })
		f.view(func(t meta.Tx) error {
			_, err := t.Tag(id, "k")
			return err
		})
		f.drain()
		f.update(func(t meta.Tx) error { return t.DeleteImage(index, "x", nextDay) })
		if got := f.drain(); len(got) != 0 {
			f.Errorf("an ECR child is reviewed: %v", got)
		}
		f.update(func(t meta.Tx) error { return t.DeleteImage(child, "x", nextDay) })
		f.fails(meta.ErrNotFound, func(t meta.Tx) error { return t.DeleteImage(child, "x", nextDay) })
	})
	f.on("the children of a Lightsail index are to be reviewed", func(f *fixture) {
		id := f.repository(meta.RepositoryKey{Registry: east, Space: meta.Lightsail, Name: "sr"})
		a, b := f.image(id, "ls a", nil), f.image(id, "ls b", nil)
		index := f.index(id, "ls index", nil, []meta.ImageID{a, b})
		f.drain()
		f.update(func(t meta.Tx) error { return t.DeleteImage(index, "x", nextDay) })
		want := []meta.Review{{Subject: meta.ImageSubject, Of: int64(a), Due: nextDay}, {Subject: meta.ImageSubject, Of: int64(b), Due: nextDay}}
		if diff := cmp.Diff(want, f.drain()); diff != "" {
			f.Error(diff)
		}
	})
	f.on("an image and an index that would keep it do not miss each other", func(f *fixture) {
		for round := range 15 {
			child := f.image(id, fmt.Sprint("race child ", round), nil)
			body := fmt.Sprint("race index ", round)
			errs := f.together(2, func(i int, t meta.Tx) error {
				if i == 0 {
					return t.DeleteImage(child, "x", nextDay)
				}
				_, err := t.InsertImage(manifest(id, body), []byte(body), nil, []meta.ImageID{child})
				return err
			})
			deleted, pushed := errs[0] == nil, errs[1] == nil
			if deleted == pushed || !deleted && !errors.Is(errs[0], meta.ErrReferenced) || !pushed && !errors.Is(errs[1], meta.ErrNotFound) {
				f.Errorf("round %d: delete %v, push %v", round, errs[0], errs[1])
			}
		}
	})
}
