package registry_test

import (
	"bytes"
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/lighterage/lighterage/internal/digest"
	"github.com/lighterage/lighterage/internal/fault"
	"github.com/lighterage/lighterage/internal/registry"
)

// compare reads everything that the model has.
func (h *history) compare() {
	h.t.Helper()
	for _, k := range []registry.RepositoryKey{key("a"), key("b"), key("c")} {
		r := h.repos[k]
		if r == nil {
			_, err := h.Repository(h.ctx, k)
			h.want(err, fault.RepositoryNotFound)
			continue
		}
		var tags []string
		for _, t := range slices.Sorted(maps.Keys(r.tags)) {
			tags = append(tags, string(t))
			i, err := h.Image(h.ctx, k, registry.Reference{Tag: t})
			if err != nil || i.Digest != r.tags[t] {
				h.t.Errorf("%s:%s is %s, want %s: %v", k.Name, t, i.Digest, r.tags[t], err)
			}
		}
		if got, want := h.tags(k), strings.Join(tags, " "); got != want {
			h.t.Errorf("%s has the tags %q, want %q", k.Name, got, want)
		}
		images, _, err := h.DescribeImages(h.ctx, k, registry.ImageFilter{}, 0, 1000)
		h.must(err)
		for _, i := range images {
			model := r.images[i.Image.Digest]
			if model == nil {
				h.t.Errorf("%s has the image %s", k.Name, i.Image.Digest)
				continue
			}
			body, err := h.Manifest(h.ctx, k, i.Image)
			if err != nil || !bytes.Equal(body, model.body) {
				h.t.Errorf("%s: other bytes of %s: %v", k.Name, i.Image.Digest, err)
			}
		}
		if len(images) != len(r.images) {
			h.t.Errorf("%s has %d images, want %d", k.Name, len(images), len(r.images))
		}
		for d := range r.layers {
			h.compareLayer(k, r, d)
		}
		h.check(k)
	}
}

func (h *history) compareLayer(k registry.RepositoryKey, r *repository, d digest.Digest) {
	h.t.Helper()
	content, err := h.OpenLayer(h.ctx, k, d)
	if fault.Is(err, fault.LayerNotFound) && !h.sure(r, d) {
		delete(r.layers, d)
		return
	}
	h.must(err)
	h.must(content.Close())
	if !bytes.Equal(h.read(k, d), h.bodies[d]) {
		h.t.Errorf("%s: other bytes of %s", k.Name, d)
	}
}

// end deletes everything, and checks that nothing is left of it.
func (h *history) end() {
	h.t.Helper()
	for k := range h.repos {
		_, err := h.DeleteRepository(h.ctx, k, true)
		h.must(err)
	}
	if h.movable {
		h.deserted()
		return
	}
	ctx, cancel := context.WithTimeout(h.ctx, 10*time.Second)
	defer cancel()
	for len(h.files()) > 0 && ctx.Err() == nil { // until the database's clock has gone on
		_, err := h.collector().Run(h.ctx)
		h.must(err)
	}
	if left := h.files(); len(left) > 0 {
		h.t.Errorf("files are left: %v", left)
	}
}
