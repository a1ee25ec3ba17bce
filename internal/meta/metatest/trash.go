package metatest

import (
	"fmt"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/lighterage/lighterage/internal/meta"
	"github.com/lighterage/lighterage/internal/name"
)

var thrown = meta.Discard{By: "deleter", Until: nextDay}

// discard deletes an image into the trash.
func (f *fixture) discard(image meta.ImageID, d meta.Discard) meta.TrashedImage {
	f.Helper()
	var x meta.TrashedImage
	f.update(func(t meta.Tx) error {
		i, err := t.ImageOf(image)
		if err != nil {
			return err
		}
		if err := t.DiscardImage(image, nextDay, d); err != nil {
			return err
		}
		x, err = t.LastTrashedImage(i.Repository, i.Digest)
		return err
	})
	return x
}

func testTrashedImage(f *fixture) {
	id := f.repository(key("trash"))
	f.on("it comes back as it was, and meanwhile keeps the blobs", func(f *fixture) {
		layer, shared := f.layer(id, "x layer"), f.layer(id, "x shared")
		f.image(id, "x other", []meta.LayerID{shared})
		whole := manifest(id, "x image")
		whole.Annotations, whole.ArtifactType, whole.ConfigMediaType, whole.Subject, whole.PulledAt = `{"a":"b"}`, "a/b", "c/d", sha("x subject"), nextDay
		var before meta.Image
		f.update(func(t meta.Tx) error {
			image, err := t.InsertImage(whole, []byte("x image"), []meta.LayerID{layer, shared}, nil)
			if err != nil {
				return err
			}
			for _, tag := range []name.Tag{"x2", "x1"} {
				if err := t.PutTag(id, tag, image, "pusher"); err != nil {
					return err
				}
			}
			if err := t.ArchiveImage(image, day); err != nil {
				return err
			}
			before, err = t.ImageOf(image)
			return err
		})
		images, bytes := f.usage(id)
		f.drain()
		x := f.discard(before.ID, meta.Discard{By: "deleter", Until: nextDay, Tags: []name.Tag{"x3", "x1"}})
		f.misses(meta.ErrNotFound, func(t meta.Tx) error { _, err := t.ImageOf(before.ID); return err })
		if n, _ := f.usage(id); n != images-1 {
			f.Errorf("%d images are counted, want %d", n, images-1)
		}
		want := before
		want.ID = 0
		if diff := cmp.Diff(want, x.Image); diff != "" {
			f.Error(diff)
		}
		if diff := cmp.Diff([]name.Tag{"x1", "x2", "x3"}, x.Tags); diff != "" || x.By != "deleter" || !x.Until.Equal(nextDay) || x.At.IsZero() || x.Key != key("trash") {
			f.Errorf("%+v: %s", x, diff)
		}
		if got := f.drain(); len(got) != 2 {
			f.Errorf("reviews of layers: %v", got)
		}
		f.update(func(t meta.Tx) error { return t.DeleteLayer(layer, day) })
		f.misses(meta.ErrNotFound, func(t meta.Tx) error { _, err := t.FindLayer(key("trash"), sha("x layer")); return err })
		var blobs map[string]meta.BlobID
		f.view(func(t meta.Tx) error {
			found, err := t.TrashedBlobs(x.TrashID)
			blobs = map[string]meta.BlobID{}
			for _, b := range found {
				body, err := t.InlineBytes(b.ID)
				if err != nil || b.State != meta.BlobOK {
					return fmt.Errorf("%+v, %w", b, err)
				}
				blobs[string(body)] = b.ID
			}
			return err
		})
		if len(blobs) != 2 || blobs["x layer"] == 0 || blobs["x shared"] == 0 {
			f.Fatalf("blobs %v", blobs)
		}
		f.fails(meta.ErrReferenced, func(t meta.Tx) error { return t.DeleteBlob(blobs["x layer"], day) })
		f.update(func(t meta.Tx) error {
			body, err := t.TrashedManifest(x.TrashID)
			if string(body) != "x image" || err != nil {
				return fmt.Errorf("manifest %q, %w", body, err)
			}
			again, err := t.PutLayer(id, blobs["x layer"], nextDay)
			if err != nil {
				return err
			}
			back, err := t.RestoreImage(x.TrashID, []meta.LayerID{again, shared}, nil)
			if err != nil {
				return err
			}
			i, err := t.ImageOf(back)
			if diff := cmp.Diff(before, i, cmpopts.IgnoreFields(meta.Image{}, "ID")); diff != "" || err != nil || back == before.ID {
				return fmt.Errorf("came back as %d: %s, %w", back, diff, err)
			}
			text, err := t.Annotations(back)
			if text != whole.Annotations || err != nil {
				return fmt.Errorf("annotations %q, %w", text, err)
			}
			if body, err := t.Manifest(back); string(body) != "x image" || err != nil {
				return fmt.Errorf("manifest %q, %w", body, err)
			}
			kept, err := t.LayerReferenced(again)
			if !kept || err != nil {
				return fmt.Errorf("layer kept: %v, %w", kept, err)
			}
			tags, err := t.TagsOf(back, 10)
			if len(tags) > 0 {
				return fmt.Errorf("tags %v", tags)
			}
			return err
		})
		if n, b := f.usage(id); n != images || b != bytes {
			f.Errorf("%d images of %d bytes are counted, want %d of %d", n, b, images, bytes)
		}
		f.fails(meta.ErrNotFound, func(t meta.Tx) error { _, err := t.RestoreImage(x.TrashID, nil, nil); return err })
	})
	f.on("what keeps an image keeps it from the trash", func(f *fixture) {
		child := f.image(id, "y child", nil)
		f.index(id, "y index", nil, []meta.ImageID{child})
		f.fails(meta.ErrReferenced, func(t meta.Tx) error { return t.DiscardImage(child, day, thrown) })
		f.misses(meta.ErrNotFound, func(t meta.Tx) error { _, err := t.LastTrashedImage(id, sha("y child")); return err })
		f.fails(meta.ErrNotFound, func(t meta.Tx) error { return t.DiscardImage(1<<40, day, thrown) })
	})
	f.on("the same digest may be there again, and come twice", func(f *fixture) {
		first := f.discard(f.image(id, "z image", nil), thrown)
		second := f.discard(f.image(id, "z image", nil), thrown)
		if second.TrashID <= first.TrashID {
			f.Errorf("the later is %d, the first %d", second.TrashID, first.TrashID)
		}
		f.image(id, "z image", nil)
		f.fails(meta.ErrExists, func(t meta.Tx) error { _, err := t.RestoreImage(first.TrashID, nil, nil); return err })
		f.update(func(t meta.Tx) error {
			for _, x := range []meta.TrashedImage{first, second} {
				if err := t.DropTrashedImage(x.TrashID, nextDay); err != nil {
					return err
				}
			}
			return nil
		})
		f.fails(meta.ErrNotFound, func(t meta.Tx) error { return t.DropTrashedImage(first.TrashID, nextDay) })
	})
	f.on("an index comes back with its children only", func(f *fixture) {
		child := f.image(id, "i child", nil)
		x := f.discard(f.index(id, "i index", nil, []meta.ImageID{child}), thrown)
		f.update(func(t meta.Tx) error {
			index, err := t.RestoreImage(x.TrashID, nil, []meta.ImageID{child})
			if err != nil {
				return err
			}
			children, err := t.Children(index)
			if len(children) != 1 || children[0].ID != child {
				return fmt.Errorf("children %v, %w", children, err)
			}
			return nil
		})
		f.fails(meta.ErrReferenced, func(t meta.Tx) error { return t.DeleteImage(child, "x", day) })
	})
	f.on("it is found by subject, by page and by time, and its blobs are reviewed when it goes", func(f *fixture) {
		layer := f.layer(id, "p layer")
		referrer := manifest(id, "p referrer")
		referrer.Subject = sha("p subject")
		f.update(func(t meta.Tx) (err error) {
			referrer.ID, err = t.InsertImage(referrer, []byte("p referrer"), []meta.LayerID{layer}, nil)
			return err
		})
		x := f.discard(referrer.ID, meta.Discard{By: "deleter", Until: day})
		f.drain()
		f.update(func(t meta.Tx) error { return t.DeleteLayer(layer, day) })
		f.view(func(t meta.Tx) error {
			found, err := t.TrashedReferrers(id, sha("p subject"), 10)
			if len(found) != 1 || found[0].TrashID != x.TrashID {
				return fmt.Errorf("referrers %v, %w", found, err)
			}
			all, err := pages(1, t.TrashedImages, func(x meta.TrashedImage) meta.TrashID { return x.TrashID })
			if len(all) == 0 || all[len(all)-1].TrashID != x.TrashID || err != nil {
				return fmt.Errorf("pages %v, %w", all, err)
			}
			due, err := t.DueTrash(day, 10)
			if diff := cmp.Diff([]meta.TrashID{x.TrashID}, due.Images); diff != "" || err != nil || due.Len() != 1 {
				return fmt.Errorf("due: %s, %w", diff, err)
			}
			due, err = t.DueTrash(day.Add(-1), 10)
			if due.Len() != 0 {
				return fmt.Errorf("due before its time: %v", due)
			}
			return err
		})
		var blob meta.BlobID
		f.update(func(t meta.Tx) error {
			blobs, err := t.TrashedBlobs(x.TrashID)
			if err != nil || len(blobs) != 1 {
				return fmt.Errorf("blobs %v, %w", blobs, err)
			}
			blob = blobs[0].ID
			return t.DropTrashedImage(x.TrashID, nextDay)
		})
		if diff := cmp.Diff([]meta.Review{{Subject: meta.BlobSubject, Of: int64(blob), Due: nextDay}}, f.drain()); diff != "" {
			f.Error(diff)
		}
		f.update(func(t meta.Tx) error { return t.DeleteBlob(blob, day) })
		f.fails(meta.ErrNotFound, func(t meta.Tx) error { return t.DeleteBlob(blob, day) })
		f.misses(meta.ErrNotFound, func(t meta.Tx) error { _, err := t.BlobOf(blob); return err })
	})
}

func (f *fixture) usage(id meta.RepositoryID) (images, bytes int64) {
	f.Helper()
	f.view(func(t meta.Tx) (err error) {
		images, bytes, err = t.ImageUsage(id)
		return err
	})
	return images, bytes
}

func testTrashedRepository(f *fixture) {
	k := key("thrown")
	id := f.repository(k)
	layer := f.layer(id, "thrown layer")
	image := f.image(id, "thrown image", []meta.LayerID{layer}, "v1")
	old := f.discard(f.image(id, "old image", []meta.LayerID{layer}), meta.Discard{By: "deleter", Until: nextDay.Add(time.Second)})
	tag := meta.Resource{Kind: meta.RepositoryResource, ID: int64(id)}
	f.update(func(t meta.Tx) error {
		if err := t.PutRepositoryPolicy(id, "policy"); err != nil {
			return err
		}
		if err := t.PutLifecyclePolicy(meta.LifecyclePolicy{Repository: id, Text: "lifecycle", SetAt: day, EvaluatedAt: day, DueAt: day}); err != nil {
			return err
		}
		return t.PutResourceTags(tag, []meta.ResourceTag{{Key: "k", Value: "v"}})
	})
	count := f.count(east)
	f.drain()
	f.update(func(t meta.Tx) error { return t.DiscardRepository(id, thrown) })
	f.fails(meta.ErrNotFound, func(t meta.Tx) error { return t.DiscardRepository(id, thrown) })
	if got := f.count(east); got != count-1 {
		f.Errorf("%d repositories are counted, want %d", got, count-1)
	}
	if got := f.drain(); len(got) != 0 {
		f.Errorf("reviews: %v", got)
	}
	f.on("it is not there, and nobody purges it", func(f *fixture) {
		f.misses(meta.ErrNotFound, func(t meta.Tx) error { _, err := t.Repository(k, meta.NoLock); return err })
		f.misses(meta.ErrNoRepository, func(t meta.Tx) error { _, err := t.FindImage(k, meta.Reference{Tag: "v1"}); return err })
		f.misses(meta.ErrNoRepository, func(t meta.Tx) error { _, err := t.FindLayer(k, sha("thrown layer")); return err })
		f.fails(meta.ErrNotFound, func(t meta.Tx) error { return t.PutRepositoryPolicy(id, "policy") })
		f.fails(meta.ErrReferenced, func(t meta.Tx) error { _, err := t.PurgeRepository(id, 10, day); return err })
		f.view(func(t meta.Tx) error {
			holders, err := t.LayerHolders(east, meta.ECR, sha("thrown layer"), 10)
			if len(holders) != 0 || err != nil {
				return fmt.Errorf("holders %v, %w", holders, err)
			}
			policies, err := t.LifecyclePolicies(meta.Page[meta.RepositoryID]{After: id - 1, Limit: 1})
			if err != nil || len(policies) == 1 && policies[0].Repository == id {
				return fmt.Errorf("lifecycle policies %v, %w", policies, err)
			}
			return nil
		})
	})
	next := f.repository(k)
	f.on("it comes back under a free name, with all that it had", func(f *fixture) {
		f.fails(meta.ErrExists, func(t meta.Tx) error { return t.RestoreRepository(id, k.Name, nextDay) })
		f.update(func(t meta.Tx) error {
			x, err := t.TrashedRepository(k, meta.LockExclusive)
			if err != nil || x.ID != id || x.Key != k || x.By != "deleter" || !x.Until.Equal(nextDay) || x.At.IsZero() || x.Mutability != "MUTABLE" {
				return fmt.Errorf("%+v, %w", x, err)
			}
			all, err := pages(1, t.TrashedRepositories, func(x meta.TrashedRepository) meta.RepositoryID { return x.ID })
			if diff := cmp.Diff([]meta.TrashedRepository{x}, all); diff != "" || err != nil {
				return fmt.Errorf("%s, %w", diff, err)
			}
			return t.RestoreRepository(id, "thrown/again", nextDay)
		})
		f.view(func(t meta.Tx) error {
			k.Name = "thrown/again"
			r, err := t.Repository(k, meta.NoLock)
			if r.ID != id || r.Key != k || err != nil {
				return fmt.Errorf("%+v, %w", r, err)
			}
			if i, err := t.FindImage(k, meta.Reference{Tag: "v1"}); i.ID != image || err != nil {
				return fmt.Errorf("image %+v, %w", i, err)
			}
			if text, err := t.RepositoryPolicy(id); text != "policy" || err != nil {
				return fmt.Errorf("policy %q, %w", text, err)
			}
			want := meta.LifecyclePolicy{Repository: id, Text: "lifecycle", SetAt: day, DueAt: nextDay}
			p, err := t.LifecyclePolicy(id, meta.NoLock)
			if diff := cmp.Diff(want, p); diff != "" || err != nil {
				return fmt.Errorf("%s, %w", diff, err)
			}
			tags, err := t.ResourceTags(tag)
			if len(tags) != 1 || err != nil {
				return fmt.Errorf("resource tags %v, %w", tags, err)
			}
			return nil
		})
		if got := f.count(east); got != count+1 {
			f.Errorf("%d repositories are counted, want %d", got, count+1)
		}
		f.fails(meta.ErrNotFound, func(t meta.Tx) error { return t.RestoreRepository(id, "thrown/twice", nextDay) })
	})
	f.on("of those that had a name the last comes first", func(f *fixture) {
		k.Name = "thrown"
		f.update(func(t meta.Tx) error { return t.DiscardRepository(next, thrown) })
		f.update(func(t meta.Tx) error {
			x, err := t.TrashedRepository(k, meta.NoLock)
			if x.ID != next || err != nil {
				return fmt.Errorf("%+v, %w", x, err)
			}
			return t.RestoreRepository(next, "thrown", nextDay)
		})
	})
	f.on("when it leaves the trash it is purged, with its own trash", func(f *fixture) {
		f.update(func(t meta.Tx) error { return t.DiscardRepository(id, thrown) })
		f.view(func(t meta.Tx) error {
			due, err := t.DueTrash(nextDay, 10)
			if len(due.Repositories) != 1 || due.Repositories[0] != id || due.Len() != 1 || err != nil {
				return fmt.Errorf("%+v, %w", due, err)
			}
			return nil
		})
		f.drain()
		f.update(func(t meta.Tx) error { return t.DropTrashedRepository(id) })
		f.fails(meta.ErrNotFound, func(t meta.Tx) error { return t.DropTrashedRepository(id) })
		if got := f.drain(); len(got) != 1 || got[0].Subject != meta.RepositorySubject || got[0].Of != int64(id) {
			f.Errorf("reviews: %v", got)
		}
		f.update(func(t meta.Tx) error {
			for range 5 {
				if done, err := t.PurgeRepository(id, 1, nextDay); done || err != nil {
					return err
				}
			}
			return fmt.Errorf("the purge does not end")
		})
		f.misses(meta.ErrNotFound, func(t meta.Tx) error { _, err := t.TrashedImage(old.TrashID, meta.NoLock); return err })
		if got := f.drain(); len(got) != 1 || got[0].Subject != meta.BlobSubject {
			f.Errorf("reviews of blobs: %v", got)
		}
	})
}

func testTrashedService(f *fixture) {
	sr := f.repository(meta.RepositoryKey{Registry: east, Space: meta.Lightsail, Name: "sr"})
	image := f.image(sr, "registered", nil)
	id := f.service("thrown")
	var registered []meta.RegisteredImage
	f.update(func(t meta.Tx) error {
		registered = nil
		for _, label := range []name.Label{"a", "a", "b"} {
			r, err := t.RegisterImage(id, label, image)
			if err != nil {
				return err
			}
			registered = append(registered, r)
		}
		return t.PutResourceTags(meta.Resource{Kind: meta.ServiceResource, ID: int64(id)}, []meta.ResourceTag{{Key: "k", Value: "v"}})
	})
	list := func() []meta.RegisteredImage {
		f.Helper()
		var found []meta.RegisteredImage
		f.view(func(t meta.Tx) (err error) {
			found, err = t.RegisteredImages(id, 10)
			return err
		})
		return found
	}
	all := list()
	f.on("a registered image comes back with its number, and keeps its image meanwhile", func(f *fixture) {
		second := registered[1]
		f.update(func(t meta.Tx) error { return t.DiscardRegisteredImage(second.ID, false, thrown) })
		f.fails(meta.ErrNotFound, func(t meta.Tx) error { return t.DiscardRegisteredImage(second.ID, false, thrown) })
		if len(list()) != 2 {
			f.Errorf("listed: %v", list())
		}
		f.view(func(t meta.Tx) error {
			x, err := t.TrashedRegistration(id, "a", 2, meta.NoLock)
			want := meta.TrashedRegistration{RegisteredImage: second, Registry: east, ServiceName: "thrown", Discarded: meta.Discarded{By: "deleter", At: x.At, Until: nextDay}}
			if diff := cmp.Diff(want, x); diff != "" || err != nil || x.At.IsZero() {
				return fmt.Errorf("%s, %w", diff, err)
			}
			listed, err := pages(1, t.TrashedRegistrations, func(x meta.TrashedRegistration) int64 { return x.ID })
			if diff := cmp.Diff([]meta.TrashedRegistration{want}, listed); diff != "" || err != nil {
				return fmt.Errorf("%s, %w", diff, err)
			}
			return nil
		})
		f.update(func(t meta.Tx) error { return t.RestoreRegisteredImage(second.ID) })
		f.fails(meta.ErrNotFound, func(t meta.Tx) error { return t.RestoreRegisteredImage(second.ID) })
		if diff := cmp.Diff(all, list()); diff != "" {
			f.Error(diff)
		}
	})
	discard := func() {
		f.Helper()
		f.fails(meta.ErrReferenced, func(t meta.Tx) error { return t.DiscardService(id, thrown) })
		f.update(func(t meta.Tx) error {
			for _, r := range registered {
				if err := t.DiscardRegisteredImage(r.ID, r.ID != registered[0].ID, thrown); err != nil {
					return err
				}
			}
			return t.DiscardService(id, thrown)
		})
	}
	f.on("a service comes back with what went with it", func(f *fixture) {
		discard()
		f.misses(meta.ErrNotFound, func(t meta.Tx) error { _, err := t.Service(east, "thrown", meta.NoLock); return err })
		f.fails(meta.ErrReferenced, func(t meta.Tx) error { return t.DeleteImage(image, "x", day) })
		f.view(func(t meta.Tx) error {
			kept, err := t.ImageRegistered(image)
			if !kept || err != nil {
				return fmt.Errorf("kept %v, %w", kept, err)
			}
			return nil
		})
		f.fails(meta.ErrNotFound, func(t meta.Tx) error { return t.RestoreRegisteredImage(registered[0].ID) })
		again := f.service("thrown")
		f.fails(meta.ErrExists, func(t meta.Tx) error { return t.RestoreService(id) })
		f.update(func(t meta.Tx) error { return t.DeleteService(again) })
		f.update(func(t meta.Tx) error {
			x, err := t.TrashedService(east, "thrown", meta.LockExclusive)
			if x.ID != id || x.By != "deleter" || err != nil {
				return fmt.Errorf("%+v, %w", x, err)
			}
			listed, err := pages(1, t.TrashedServices, func(x meta.TrashedService) meta.ServiceID { return x.ID })
			if len(listed) != 1 || listed[0] != x || err != nil {
				return fmt.Errorf("%+v, %w", listed, err)
			}
			return t.RestoreService(id)
		})
		if diff := cmp.Diff(all[:2], list()); diff != "" {
			f.Error(diff)
		}
		f.update(func(t meta.Tx) error {
			if err := t.RestoreRegisteredImage(registered[0].ID); err != nil {
				return err
			}
			r, err := t.RegisterImage(id, "a", image)
			if err != nil || r.Version != 3 {
				return fmt.Errorf("version %d, want 3, %w", r.Version, err)
			}
			tags, err := t.ResourceTags(meta.Resource{Kind: meta.ServiceResource, ID: int64(id)})
			if len(tags) != 1 || err != nil {
				return fmt.Errorf("resource tags %v, %w", tags, err)
			}
			return t.DeleteRegisteredImage(r.ID)
		})
	})
	f.on("what leaves the trash is gone, and the images are looked at", func(f *fixture) {
		discard()
		f.drain()
		f.fails(meta.ErrReferenced, func(t meta.Tx) error { return t.DropTrashedService(id) })
		f.update(func(t meta.Tx) error {
			due, err := t.DueTrash(nextDay, 10)
			if len(due.Registrations) != 3 || len(due.Services) != 1 || err != nil {
				return fmt.Errorf("%+v, %w", due, err)
			}
			for _, r := range due.Registrations {
				if err := t.DropTrashedRegistration(r); err != nil {
					return err
				}
			}
			return t.DropTrashedService(due.Services[0])
		})
		if got := f.drain(); len(got) != 3 || got[0].Subject != meta.ImageSubject || got[0].Of != int64(image) {
			f.Errorf("reviews: %v", got)
		}
		f.fails(meta.ErrNotFound, func(t meta.Tx) error { return t.DropTrashedService(id) })
		f.fails(meta.ErrNotFound, func(t meta.Tx) error { return t.DropTrashedRegistration(registered[0].ID) })
		f.fails(meta.ErrNotFound, func(t meta.Tx) error { return t.RestoreService(id) })
		f.update(func(t meta.Tx) error { return t.DeleteImage(image, "x", day) })
	})
}
