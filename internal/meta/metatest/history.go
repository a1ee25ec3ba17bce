package metatest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/lighterage/lighterage/internal/digest"
	"github.com/lighterage/lighterage/internal/meta"
	"github.com/lighterage/lighterage/internal/name"
)

// model is what a store should hold, in maps.
type model struct {
	ids   map[string]meta.RepositoryID // live repositories
	repos map[string]*modelRepository
}

type modelRepository struct {
	images map[digest.Digest]*modelImage
	tags   map[name.Tag]digest.Digest
	layers map[digest.Digest]bool
}

type modelImage struct {
	layers, children []digest.Digest
}

func (r *modelRepository) parents(d digest.Digest) bool {
	for _, i := range r.images {
		if slices.Contains(i.children, d) {
			return true
		}
	}
	return false
}

func (r *modelRepository) holders(d digest.Digest) bool {
	for _, i := range r.images {
		if slices.Contains(i.layers, d) {
			return true
		}
	}
	return false
}

// testHistory does random things to the store and to a model. The seeds are
// printed; to see a failure again, put its seed into the list.
func testHistory(f *fixture) {
	for i, seed := range []uint64{1, 2, rand.Uint64()} {
		f.on(fmt.Sprint("history ", i), func(f *fixture) {
			f.Logf("seed %d", seed)
			h := &history{fixture: f, r: rand.New(rand.NewPCG(seed, 0)), prefix: fmt.Sprint("history", i, "/"),
				model: model{ids: map[string]meta.RepositoryID{}, repos: map[string]*modelRepository{}}}
			for n := range 300 {
				h.step(n)
				if n%50 == 49 {
					h.compare()
				}
				if f.Failed() {
					f.Fatalf("seed %d, step %d", seed, n)
				}
			}
		})
	}
}

type history struct {
	*fixture
	r *rand.Rand
	model
	prefix string
}

// step does one act in an update and in the model; one in eight updates is
// made to fail at its end, and then changes nothing.
func (h *history) step(n int) {
	repo := h.prefix + string(rune('a'+h.r.IntN(3)))
	act, apply := h.act(n, repo)
	fails := h.r.IntN(8) == 0
	err := h.store.Update(context.Background(), func(t meta.Tx) error {
		err := act(t)
		if err == nil && fails {
			err = errOwn
		}
		return err
	})
	if fails && errors.Is(err, errOwn) {
		return
	}
	if want := apply(); !errors.Is(err, want) {
		h.Errorf("step %d on %s: got %v, want %v", n, repo, err, want)
	}
}

// act draws an act: what it does to the store, and what it does to the model
// with the error that it should have.
func (h *history) act(n int, repo string) (func(meta.Tx) error, func() error) {
	id, r := h.ids[repo], h.repos[repo]
	if r == nil || h.r.IntN(60) == 0 {
		return h.createOrUnlink(repo, id, r)
	}
	image, tag := h.pick(slices.Sorted(maps.Keys(r.images))), name.Tag(fmt.Sprint("t", h.r.IntN(6)))
	layer := sha(fmt.Sprint("layer ", h.r.IntN(12)))
	switch h.r.IntN(8) {
	case 0, 1:
		body := fmt.Sprint("layer ", h.r.IntN(12))
		return func(t meta.Tx) error { _, err := putLayer(t, id, body); return err },
			func() error { r.layers[sha(body)] = true; return nil }
	case 2, 3:
		return h.push(id, r, fmt.Sprint("image ", h.r.IntN(40)))
	case 4:
		return func(t meta.Tx) error {
				i, err := t.Image(id, meta.Reference{Digest: image})
				if err != nil {
					return err
				}
				return t.PutTag(id, tag, i.ID, "x")
			}, func() error {
				if r.images[image] == nil {
					return meta.ErrNotFound
				}
				r.tags[tag] = image
				return nil
			}
	case 5:
		return func(t meta.Tx) error { return t.DeleteTag(id, tag, "x") }, func() error {
			if r.tags[tag] == "" {
				return meta.ErrNotFound
			}
			delete(r.tags, tag)
			return nil
		}
	case 6:
		return func(t meta.Tx) error {
				i, err := t.Image(id, meta.Reference{Digest: image})
				if err != nil {
					return err
				}
				return t.DeleteImage(i.ID, "x", day)
			}, func() error {
				switch {
				case r.images[image] == nil:
					return meta.ErrNotFound
				case r.parents(image):
					return meta.ErrReferenced
				}
				delete(r.images, image)
				maps.DeleteFunc(r.tags, func(_ name.Tag, d digest.Digest) bool { return d == image })
				return nil
			}
	}
	return func(t meta.Tx) error {
			l, err := t.FindLayer(key(repo), layer)
			if err != nil {
				return err
			}
			return t.DeleteLayer(l.ID, day)
		}, func() error {
			switch {
			case !r.layers[layer]:
				return meta.ErrNotFound
			case r.holders(layer):
				return meta.ErrReferenced
			}
			delete(r.layers, layer)
			return nil
		}
}

func (h *history) createOrUnlink(repo string, id meta.RepositoryID, r *modelRepository) (func(meta.Tx) error, func() error) {
	if r == nil {
		var made meta.RepositoryID
		return func(t meta.Tx) (err error) {
				made, err = t.InsertRepository(plain(key(repo)))
				return err
			}, func() error {
				h.ids[repo] = made
				h.repos[repo] = &modelRepository{map[digest.Digest]*modelImage{}, map[name.Tag]digest.Digest{}, map[digest.Digest]bool{}}
				return nil
			}
	}
	return func(t meta.Tx) error {
			if err := t.UnlinkRepository(id); err != nil {
				return err
			}
			_, err := t.PurgeRepository(id, 10_000, day)
			return err
		}, func() error {
			delete(h.ids, repo)
			delete(h.repos, repo)
			return nil
		}
}

func (h *history) pick(list []digest.Digest) digest.Digest {
	if len(list) == 0 || h.r.IntN(10) == 0 {
		return sha("absent")
	}
	return list[h.r.IntN(len(list))]
}

// push inserts an image that keeps some of what the repository has, with a
// tag.
func (h *history) push(id meta.RepositoryID, r *modelRepository, body string) (func(meta.Tx) error, func() error) {
	kept := &modelImage{}
	for _, d := range slices.Sorted(maps.Keys(r.layers)) {
		if h.r.IntN(3) == 0 {
			kept.layers = append(kept.layers, d)
		}
	}
	for _, d := range slices.Sorted(maps.Keys(r.images)) {
		if h.r.IntN(8) == 0 && d != sha(body) {
			kept.children = append(kept.children, d)
		}
	}
	return func(t meta.Tx) error {
			found, err := t.Layers(id, kept.layers, meta.LockShared)
			if err != nil {
				return err
			}
			var layers []meta.LayerID
			for _, d := range kept.layers {
				layers = append(layers, found[d].ID)
			}
			var children []meta.ImageID
			for _, d := range kept.children {
				child, err := t.Image(id, meta.Reference{Digest: d})
				if err != nil {
					return err
				}
				children = append(children, child.ID)
			}
			image, err := t.InsertImage(manifest(id, body), []byte(body), layers, children)
			if err != nil {
				return err
			}
			return t.PutTag(id, "latest", image, "x")
		}, func() error {
			if r.images[sha(body)] != nil {
				return meta.ErrExists
			}
			r.images[sha(body)] = kept
			r.tags["latest"] = sha(body)
			return nil
		}
}

// compare reads the whole store and the whole model.
func (h *history) compare() {
	for repo, r := range h.repos {
		id := h.ids[repo]
		h.view(func(t meta.Tx) error {
			images, err := t.Images(id, meta.ImageFilter{}, meta.Page[meta.ImageID]{Limit: 1000})
			if err != nil {
				return err
			}
			got := digests(images)
			slices.Sort(got)
			if diff := cmp.Diff(slices.Sorted(maps.Keys(r.images)), got, cmpopts.EquateEmpty()); diff != "" {
				return fmt.Errorf("images of %s: %s", repo, diff)
			}
			for _, i := range images {
				children, err := t.Children(i.ID)
				if err != nil {
					return err
				}
				got := digests(children)
				slices.Sort(got)
				if diff := cmp.Diff(r.images[i.Digest].children, got, cmpopts.EquateEmpty()); diff != "" {
					return fmt.Errorf("children of %s: %s", i.Digest, diff)
				}
				if body, err := t.Manifest(i.ID); sha(string(body)) != i.Digest {
					return fmt.Errorf("manifest of %s: %q, %w", i.Digest, body, err)
				}
			}
			count, bytes, err := t.ImageUsage(id)
			if err != nil || count != int64(len(images)) || bytes < count {
				return fmt.Errorf("usage of %s: %d images of %d bytes, %w", repo, count, bytes, err)
			}
			tags, err := t.Tags(id, meta.AnyImageStatus, meta.Page[name.Tag]{Limit: 1000})
			if err != nil {
				return err
			}
			pointed := map[name.Tag]digest.Digest{}
			tagged := map[digest.Digest]bool{}
			for _, tag := range tags {
				pointed[tag.Name], tagged[tag.Digest] = tag.Digest, true
			}
			if diff := cmp.Diff(r.tags, pointed, cmpopts.EquateEmpty()); diff != "" {
				return fmt.Errorf("tags of %s: %s", repo, diff)
			}
			list, err := t.Images(id, meta.ImageFilter{Tags: meta.Tagged}, meta.Page[meta.ImageID]{Limit: 1000})
			if err != nil || len(list) != len(tagged) {
				return fmt.Errorf("%d images of %s are tagged, listed %d, %w", len(tagged), repo, len(list), err)
			}
			for n := range 12 {
				body := fmt.Sprint("layer ", n)
				l, err := t.FindLayer(key(repo), sha(body))
				if (err == nil) != r.layers[sha(body)] {
					return fmt.Errorf("%s of %s: %w", body, repo, err)
				}
				if err != nil {
					continue
				}
				if kept, err := t.LayerReferenced(l.ID); kept != r.holders(sha(body)) {
					return fmt.Errorf("%s of %s is kept: %v, %w", body, repo, kept, err)
				}
				if bytes, err := t.InlineBytes(l.Blob.ID); string(bytes) != body {
					return fmt.Errorf("bytes of %s: %q, %w", body, bytes, err)
				}
			}
			return nil
		})
	}
}

func digests(images []meta.Image) []digest.Digest {
	return each(images, func(i meta.Image) digest.Digest { return i.Digest })
}
