package registry_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lighterage/lighterage/internal/digest"
	"github.com/lighterage/lighterage/internal/fault"
	"github.com/lighterage/lighterage/internal/name"
	"github.com/lighterage/lighterage/internal/registry"
)

const week = 7 * 24 * time.Hour

func withTrash(c *registry.Config) { c.Trash = week }

// drop deletes images, all of which must go.
func (w *world) drop(k registry.RepositoryKey, asked ...registry.Asked) {
	w.t.Helper()
	_, failed, err := w.DeleteImages(w.ctx, "arn:me", k, asked)
	if err != nil || len(failed) > 0 {
		w.t.Fatalf("delete: %v, %v", failed, err)
	}
}

// undelete brings an image back, and returns the digests of what came.
func (w *world) undelete(k registry.RepositoryKey, ref registry.Reference) []digest.Digest {
	w.t.Helper()
	back, err := w.UndeleteImage(w.ctx, "arn:me", k, ref, false)
	w.must(err)
	var ds []digest.Digest
	for _, x := range back {
		ds = append(ds, x.Digest)
	}
	return ds
}

// later lets time pass, with the collector at work in between.
func (w *world) later(d time.Duration) {
	w.t.Helper()
	for range 4 {
		w.clock.Advance(d / 4)
		_, err := w.collector().Run(w.ctx)
		w.must(err)
	}
}

func TestAnImageComesBackAsItWas(t *testing.T) {
	w := open(t, withTrash)
	k := w.create("app")
	layer, config := random(200_000, 1), []byte("{}")
	body := manifestOf(w.push(k, config), len(config), w.push(k, layer), len(layer))
	before := w.put(k, body, "v1", "v2", "v3")
	w.clock.Advance(time.Hour)
	w.drop(k, registry.Asked{Tag: "v1"}, registry.Asked{Tag: "v2"}, registry.Asked{Tag: "v3"})

	if got := w.tags(k); got != "" {
		t.Errorf("tags %q are left", got)
	}
	_, err := w.Image(w.ctx, k, registry.Reference{Digest: before.Digest})
	w.want(err, fault.ImageNotFound)
	w.later(week - time.Hour)
	_, err = w.Layer(w.ctx, k, digest.Of(digest.SHA256, layer))
	w.want(err, fault.LayerNotFound)

	list, err := w.TrashedImages(w.ctx, 0, 10)
	w.must(err)
	if len(list) != 1 || list[0].Digest != before.Digest || list[0].By != "arn:me" || !list[0].Until.Equal(list[0].At.Add(week)) {
		t.Errorf("the trash has %+v", list)
	}
	w.undelete(k, registry.Reference{Tag: "v2"})
	after, err := w.Image(w.ctx, k, registry.Reference{Tag: "v1"})
	w.must(err)
	after.ID = before.ID
	if diff := cmp.Diff(before, after); diff != "" {
		t.Error(diff)
	}
	if got := w.tags(k); got != "v1 v2 v3" {
		t.Errorf("tags %q came back", got)
	}
	w.later(week)
	if got := w.read(k, digest.Of(digest.SHA256, layer)); !bytes.Equal(got, layer) {
		t.Error("other bytes came back")
	}
	w.check(k)
	_, err = w.UndeleteImage(w.ctx, "arn:me", k, registry.Reference{Tag: "v1"}, false)
	w.want(err, fault.NotInTrash)
}

func TestWhatNoLongerFitsDoesNotComeBack(t *testing.T) {
	for _, c := range []struct {
		name   string
		limits registry.Limits
		change func(w *world, k registry.RepositoryKey, of registry.Image)
		ref    registry.Reference
		want   fault.Reason
	}{
		{name: "the tag is another's", want: fault.TagTaken,
			change: func(w *world, k registry.RepositoryKey, _ registry.Image) { w.put(k, w.image(k, "other"), "v1") }},
		{name: "the digest was pushed again", want: fault.ImageExists,
			change: func(w *world, k registry.RepositoryKey, _ registry.Image) { w.put(k, w.image(k, "one"), "v2") }},
		{name: "the repository is full", limits: registry.Limits{ImagesPerRepo: 1}, want: fault.LimitExceeded,
			change: func(w *world, k registry.RepositoryKey, _ registry.Image) { w.put(k, w.image(k, "other"), "v2") }},
		{name: "the repository is in the trash itself", want: fault.RepositoryThrown,
			change: func(w *world, k registry.RepositoryKey, _ registry.Image) {
				_, err := w.DeleteRepository(w.ctx, "arn:me", k, true)
				w.must(err)
			}},
		{name: "another repository has the name", want: fault.NotInTrash,
			change: func(w *world, k registry.RepositoryKey, _ registry.Image) {
				_, err := w.DeleteRepository(w.ctx, "arn:me", k, true)
				w.must(err)
				w.create(string(k.Name))
			}},
		{name: "the time is over", want: fault.NotInTrash,
			change: func(w *world, _ registry.RepositoryKey, _ registry.Image) { w.clock.Advance(week) }},
		{name: "no image was deleted with that tag", want: fault.NotInTrash, ref: registry.Reference{Tag: "v9"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := open(t, withTrash, func(r *registry.Config) {
				c.limits.ResourceTags, c.limits.ManifestSize = r.Limits.ResourceTags, r.Limits.ManifestSize
				r.Limits = c.limits
			})
			k := w.create("app")
			i := w.put(k, w.image(k, "one"), "v1")
			w.drop(k, byDigest(i.Digest))
			if c.change != nil {
				c.change(w, k, i)
			}
			if c.ref == (registry.Reference{}) {
				c.ref.Digest = i.Digest
			}
			var before string
			if _, err := w.Repository(w.ctx, k); err == nil {
				before = w.tags(k)
			}
			_, err := w.UndeleteImage(w.ctx, "arn:me", k, c.ref, false)
			w.want(err, c.want)
			if _, err := w.Repository(w.ctx, k); err == nil {
				if got := w.tags(k); got != before {
					t.Errorf("tags %q, were %q", got, before)
				}
				w.check(k)
			}
		})
	}
}

func TestWithoutItsTagsAnImageComesBackBesideTheOneThatHasThem(t *testing.T) {
	w := open(t, withTrash)
	k := w.create("app")
	i := w.put(k, w.image(k, "one"), "v1")
	w.drop(k, byDigest(i.Digest))
	other := w.put(k, w.image(k, "other"), "v1")
	_, err := w.UndeleteImage(w.ctx, "arn:me", k, registry.Reference{Digest: i.Digest}, true)
	w.must(err)
	if found, err := w.Image(w.ctx, k, registry.Reference{Tag: "v1"}); err != nil || found.Digest != other.Digest {
		t.Errorf("v1 is %s, %v", found.Digest, err)
	}
	if _, err := w.Image(w.ctx, k, registry.Reference{Digest: i.Digest}); err != nil {
		t.Error(err)
	}
}

func TestAnIndexComesBackWithWhatItListsAndWhatReferredToIt(t *testing.T) {
	w := open(t, withTrash)
	k := w.create("app")
	a, b := w.put(k, w.image(k, "a"), "a"), w.put(k, w.image(k, "b"))
	all := w.put(k, index(a.Digest, b.Digest), "all")
	early, signed := w.put(k, append(signature(all.Digest), ' ')), w.put(k, signature(all.Digest))
	attested := w.put(k, signature(signed.Digest))
	w.drop(k, byDigest(early.Digest))
	w.clock.Advance(time.Hour)
	w.drop(k, byDigest(a.Digest), byDigest(b.Digest), byDigest(all.Digest), byDigest(signed.Digest), byDigest(attested.Digest))
	w.later(week / 2)
	back := w.undelete(k, registry.Reference{Tag: "all"})
	if diff := cmp.Diff([]digest.Digest{a.Digest, b.Digest, all.Digest, signed.Digest, attested.Digest}, back); diff != "" {
		t.Error(diff)
	}
	if got := w.tags(k); got != "a all" {
		t.Errorf("tags %q", got)
	}
	_, err := w.Image(w.ctx, k, registry.Reference{Digest: early.Digest})
	w.want(err, fault.ImageNotFound) // it was not deleted with the others
	w.check(k)
}

func TestAnArchivedIndexComesBackIntoTheArchive(t *testing.T) {
	w := open(t, withTrash)
	k := w.create("app")
	a := w.put(k, w.image(k, "a"))
	all := w.put(k, index(a.Digest), "all")
	for _, d := range []digest.Digest{all.Digest, a.Digest} {
		_, err := w.ArchiveImage(w.ctx, k, byDigest(d))
		w.must(err)
	}
	w.drop(k, byDigest(all.Digest))
	w.undelete(k, registry.Reference{Digest: all.Digest})
	if diff := cmp.Diff([]digest.Digest{a.Digest, all.Digest}, w.with(k, registry.Archived)); diff != "" {
		t.Error(diff)
	}
	w.drop(k, byDigest(all.Digest), byDigest(a.Digest))
	w.undelete(k, registry.Reference{Tag: "all"})
	if got := w.with(k, registry.Archived); len(got) != 2 {
		t.Errorf("archived: %v", got)
	}
	w.check(k)
}

func TestARepositoryComesBackWithAllThatItHad(t *testing.T) {
	w := open(t, withTrash, func(c *registry.Config) { c.Limits.Repositories = 2 })
	k := w.create("app")
	i := w.put(k, w.image(k, "one"), "v1")
	_, err := w.SetMutability(w.ctx, k, registry.Immutable, nil)
	w.must(err)
	before, err := w.Repository(w.ctx, k)
	w.must(err)
	_, err = w.DeleteRepository(w.ctx, "arn:me", k, true)
	w.must(err)
	_, err = w.Image(w.ctx, k, registry.Reference{Tag: "v1"})
	w.want(err, fault.RepositoryNotFound)
	list, err := w.TrashedRepositories(w.ctx, 0, 10)
	w.must(err)
	if len(list) != 1 || list[0].Key != k || list[0].Images != 1 || list[0].By != "arn:me" {
		t.Errorf("the trash has %+v", list)
	}
	w.later(week - time.Hour)
	w.create("app")
	_, err = w.UndeleteRepository(w.ctx, k, "")
	w.want(err, fault.RepositoryExists)
	w.create("other")
	_, err = w.UndeleteRepository(w.ctx, k, "old")
	w.want(err, fault.LimitExceeded)
	_, err = w.DeleteRepository(w.ctx, "arn:me", key("other"), false)
	w.must(err)
	after, err := w.UndeleteRepository(w.ctx, k, "old")
	w.must(err)
	before.Key.Name = "old"
	if diff := cmp.Diff(before, after); diff != "" {
		t.Error(diff)
	}
	w.later(week)
	if found, err := w.Image(w.ctx, key("old"), registry.Reference{Tag: "v1"}); err != nil || found.Digest != i.Digest {
		t.Errorf("v1 is %s, %v", found.Digest, err)
	}
	w.check(key("old"))
	_, err = w.UndeleteRepository(w.ctx, k, "old")
	w.want(err, fault.NotInTrash)
}

func TestWhatHasLeftTheTrashLeavesNothing(t *testing.T) {
	for _, c := range []struct {
		name  string
		leave func(w *world)
	}{
		{"by the time", func(w *world) { w.later(week) }},
		{"by hand", func(w *world) {
			images, repositories, err := w.EmptyTrash(w.ctx, w.clock.Now())
			w.must(err)
			if images != 2 || repositories != 1 {
				w.t.Errorf("%d images and %d repositories left the trash", images, repositories)
			}
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := open(t, withTrash)
			k, thrown := w.create("app"), w.create("thrown")
			var ds []digest.Digest
			for n, k := range []registry.RepositoryKey{k, thrown, thrown} {
				layer := random(200_000, uint64(n))
				d := w.push(k, layer)
				ds = append(ds, d)
				i := w.put(k, manifestOf(d, len(layer), d, len(layer)), name.Tag(fmt.Sprint("v", n)))
				if n != 2 {
					w.drop(k, byDigest(i.Digest))
				}
			}
			_, err := w.DeleteRepository(w.ctx, "arn:me", thrown, true)
			w.must(err)
			w.later(week / 2)
			if left := w.orphans(nil, nil); len(left) != 3 {
				t.Errorf("%d files are there, want 3", len(left))
			}
			c.leave(w)
			for range 4 {
				w.later(4 * time.Hour)
			}
			if left := w.orphans([]registry.RepositoryKey{k}, ds); len(left) != 0 {
				t.Errorf("%v are left", left)
			}
			w.check(k)
		})
	}
}

func TestWithoutATrashNothingIsKept(t *testing.T) {
	w := open(t)
	k := w.create("app")
	i := w.put(k, w.image(k, "one"), "v1")
	w.drop(k, registry.Asked{Tag: "v1"})
	_, err := w.UndeleteImage(w.ctx, "arn:me", k, registry.Reference{Digest: i.Digest}, false)
	w.want(err, fault.NotInTrash)
	_, err = w.DeleteRepository(w.ctx, "arn:me", k, true)
	w.must(err)
	_, err = w.UndeleteRepository(w.ctx, k, "")
	w.want(err, fault.NotInTrash)
	_, err = w.UndeleteImage(w.ctx, "arn:me", key(strings.Repeat("x", 10)), registry.Reference{Tag: "v1"}, false)
	w.want(err, fault.RepositoryNotFound)
}
