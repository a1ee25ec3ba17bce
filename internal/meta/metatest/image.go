package metatest

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lighterage/lighterage/internal/digest"
	"github.com/lighterage/lighterage/internal/meta"
	"github.com/lighterage/lighterage/internal/name"
)

func testImage(f *fixture) {
	k := key("images")
	id := f.repository(k)
	f.on("an image is found as it was, by tag and digest, from outside and inside", func(f *fixture) {
		want := meta.Image{
			Repository: id, Digest: digest.Of(digest.SHA512, []byte("whole")), MediaType: "application/vnd.oci.image.manifest.v1+json",
			ArtifactType: "application/sbom", ConfigMediaType: "application/config", Subject: sha("subject"),
			ManifestSize: 5, ImageSize: 1 << 40, Annotations: `{"a":"ü"}`, PushedAt: day,
		}
		f.update(func(t meta.Tx) (err error) {
			if want.ID, err = t.InsertImage(want, []byte("whole\x00\xff"), nil, nil); err != nil {
				return err
			}
			return t.PutTag(id, "whole", want.ID, "x")
		})
		f.view(func(t meta.Tx) error {
			for what, get := range map[string]func() (meta.Image, error){
				"FindImage by tag":    func() (meta.Image, error) { return t.FindImage(k, meta.Reference{Tag: "whole"}) },
				"FindImage by digest": func() (meta.Image, error) { return t.FindImage(k, meta.Reference{Digest: want.Digest}) },
				"Image by tag":        func() (meta.Image, error) { return t.Image(id, meta.Reference{Tag: "whole"}) },
				"Image by digest":     func() (meta.Image, error) { return t.Image(id, meta.Reference{Digest: want.Digest}) },
				"tag before digest":   func() (meta.Image, error) { return t.Image(id, meta.Reference{Tag: "whole", Digest: sha("other")}) },
				"ImageOf":             func() (meta.Image, error) { return t.ImageOf(want.ID) },
			} {
				got, err := get()
				if err != nil {
					return fmt.Errorf("%s: %w", what, err)
				}
				if diff := cmp.Diff(want, got); diff != "" {
					return fmt.Errorf("%s: %s", what, diff)
				}
			}
			body, err := t.Manifest(want.ID)
			if string(body) != "whole\x00\xff" {
				return fmt.Errorf("manifest %q, %w", body, err)
			}
			return nil
		})
	})
	f.on("a digest is there once in a repository", func(f *fixture) {
		other := f.repository(key("images/other"))
		first := f.image(id, "once", nil)
		f.fails(meta.ErrExists, func(t meta.Tx) error {
			_, err := t.InsertImage(manifest(id, "once"), []byte("once"), nil, nil)
			return err
		})
		if second := f.image(other, "once", nil); second == first {
			f.Error("two repositories have one image")
		}
	})
	f.on("what is missing has its own error", func(f *fixture) {
		for _, c := range []struct {
			key  meta.RepositoryKey
			ref  meta.Reference
			want error
		}{
			{key("no/such"), meta.Reference{Tag: "x"}, meta.ErrNoRepository},
			{key("no/such"), meta.Reference{Digest: sha("x")}, meta.ErrNoRepository},
			{meta.RepositoryKey{Registry: west, Space: meta.ECR, Name: "images"}, meta.Reference{Tag: "x"}, meta.ErrNoRepository},
			{meta.RepositoryKey{Registry: east, Space: meta.Lightsail, Name: "images"}, meta.Reference{Tag: "x"}, meta.ErrNoRepository},
			{k, meta.Reference{Tag: "absent"}, meta.ErrNotFound},
			{k, meta.Reference{Digest: sha("absent")}, meta.ErrNotFound},
			{k, meta.Reference{}, meta.ErrNotFound},
		} {
			f.misses(c.want, func(t meta.Tx) error {
				_, err := t.FindImage(c.key, c.ref)
				if c.want == meta.ErrNotFound && errors.Is(err, meta.ErrNoRepository) {
					return errors.New("the repository is there")
				}
				return err
			})
		}
		for what, get := range map[string]func(meta.Tx) error{
			"Image":    func(t meta.Tx) error { _, err := t.Image(id, meta.Reference{Tag: "absent"}); return err },
			"ImageOf":  func(t meta.Tx) error { _, err := t.ImageOf(1 << 40); return err },
			"Manifest": func(t meta.Tx) error { _, err := t.Manifest(1 << 40); return err },
		} {
			f.on(what, func(f *fixture) { f.misses(meta.ErrNotFound, get) })
		}
	})
	f.on("what an image keeps is of its repository", func(f *fixture) {
		other := f.repository(key("images/foreign"))
		layer, child := f.layer(other, "foreign layer"), f.image(other, "foreign child", nil)
		for what, insert := range map[string]func(meta.Tx) error{
			"a layer of another": func(t meta.Tx) error {
				_, err := t.InsertImage(manifest(id, "keeps"), []byte("keeps"), []meta.LayerID{layer}, nil)
				return err
			},
			"a child of another": func(t meta.Tx) error {
				_, err := t.InsertImage(manifest(id, "keeps"), []byte("keeps"), nil, []meta.ImageID{child})
				return err
			},
			"a layer that never was": func(t meta.Tx) error {
				_, err := t.InsertImage(manifest(id, "keeps"), []byte("keeps"), []meta.LayerID{1 << 40}, nil)
				return err
			},
			"a repository that never was": func(t meta.Tx) error {
				_, err := t.InsertImage(manifest(1<<40, "keeps"), []byte("keeps"), nil, nil)
				return err
			},
		} {
			f.on(what, func(f *fixture) { f.fails(meta.ErrNotFound, insert) })
		}
		f.misses(meta.ErrNotFound, func(t meta.Tx) error {
			_, err := t.Image(id, meta.Reference{Digest: sha("keeps")})
			return err
		})
	})
	f.on("a layer or child named twice is kept once", func(f *fixture) {
		layer := f.layer(id, "twice layer")
		child := f.image(id, "twice child", []meta.LayerID{layer, layer})
		parent := f.index(id, "twice parent", nil, []meta.ImageID{child, child})
		f.view(func(t meta.Tx) error {
			children, err := t.Children(parent)
			if len(children) != 1 {
				return fmt.Errorf("children %v, %w", children, err)
			}
			return nil
		})
	})
	f.on("children and parents", func(f *fixture) {
		a, b := f.image(id, "family a", nil), f.image(id, "family b", nil)
		p1 := f.index(id, "family p1", nil, []meta.ImageID{a, b})
		p2 := f.index(id, "family p2", nil, []meta.ImageID{b})
		f.view(func(t meta.Tx) error {
			for _, c := range []struct {
				what string
				get  func() ([]meta.Image, error)
				want []meta.ImageID
			}{
				{"children of p1", func() ([]meta.Image, error) { return t.Children(p1) }, []meta.ImageID{a, b}},
				{"children of a", func() ([]meta.Image, error) { return t.Children(a) }, []meta.ImageID{}},
				{"parents of b", func() ([]meta.Image, error) { return t.Parents(b, 10) }, []meta.ImageID{p1, p2}},
				{"one parent of b", func() ([]meta.Image, error) { return t.Parents(b, 1) }, []meta.ImageID{p1}},
				{"parents of p1", func() ([]meta.Image, error) { return t.Parents(p1, 10) }, []meta.ImageID{}},
			} {
				list, err := c.get()
				if err != nil {
					return err
				}
				if diff := cmp.Diff(c.want, each(list, imageID)); diff != "" {
					return fmt.Errorf("%s: %s", c.what, diff)
				}
			}
			return nil
		})
	})
	f.on("lists are by id, pages have no gap, filters answer what they say", func(f *fixture) {
		id := f.repository(key("images/listed"))
		want := map[meta.TagStatus][]meta.ImageID{}
		if f.hasImages(id) {
			f.Error("an empty repository has images")
		}
		for i := range 23 {
			body := fmt.Sprint("listed ", i)
			var tags []name.Tag
			status := meta.Untagged
			if i%3 == 0 {
				status, tags = meta.Tagged, []name.Tag{name.Tag(fmt.Sprint("a", i)), name.Tag(fmt.Sprint("b", i))}
			}
			image := f.image(id, body, nil, tags...)
			want[status] = append(want[status], image)
			want[meta.AnyTagStatus] = append(want[meta.AnyTagStatus], image)
		}
		if !f.hasImages(id) {
			f.Error("the repository has no images")
		}
		for _, status := range []meta.TagStatus{meta.AnyTagStatus, meta.Tagged, meta.Untagged} {
			if !slices.IsSorted(want[status]) {
				f.Errorf("ids do not grow: %v", want[status])
			}
			for _, size := range []int{1, 4, 100} {
				if diff := cmp.Diff(want[status], f.images(id, status, size)); diff != "" {
					f.Errorf("status %d, pages of %d: %s", status, size, diff)
				}
			}
		}
	})
	f.on("pull times only grow, and only of images that are there", func(f *fixture) {
		a, b := f.image(id, "pulled a", nil), f.image(id, "pulled b", nil)
		for _, at := range []map[meta.ImageID]time.Time{
			{a: nextDay, b: day, 1 << 40: day},
			{a: day, b: nextDay},
			{},
		} {
			f.update(func(t meta.Tx) error { return t.RecordPulls(at) })
		}
		f.view(func(t meta.Tx) error {
			for _, i := range []meta.ImageID{a, b} {
				image, err := t.ImageOf(i)
				if err != nil || !image.PulledAt.Equal(nextDay) {
					return fmt.Errorf("image %d pulled at %v, %w", i, image.PulledAt, err)
				}
			}
			return nil
		})
	})
}

func imageID(i meta.Image) meta.ImageID { return i.ID }

func (f *fixture) hasImages(id meta.RepositoryID) (has bool) {
	f.Helper()
	f.view(func(t meta.Tx) (err error) {
		has, err = t.HasImages(id)
		return err
	})
	return has
}

// images lists ids in pages of the size.
func (f *fixture) images(id meta.RepositoryID, status meta.TagStatus, size int) (ids []meta.ImageID) {
	f.Helper()
	f.view(func(t meta.Tx) error {
		list, err := pages(size, func(p meta.Page[meta.ImageID]) ([]meta.Image, error) { return t.Images(id, status, p) }, imageID)
		ids = each(list, imageID)
		return err
	})
	return ids
}

func testImageDelete(f *fixture) {
	id := f.repository(key("deleted"))
	f.on("the image goes with its tags and bytes, and its layers are to be reviewed", func(f *fixture) {
		l1, l2 := f.layer(id, "d layer 1"), f.layer(id, "d layer 2")
		image := f.image(id, "d image", []meta.LayerID{l1, l2}, "d1", "d2")
		other := f.image(id, "d other", []meta.LayerID{l1}, "d3")
		f.drain()
		f.update(func(t meta.Tx) error { return t.DeleteImage(image, "deleter", nextDay) })
		f.view(func(t meta.Tx) error {
			if _, err := t.ImageOf(image); err != meta.ErrNotFound {
				return fmt.Errorf("image: %w", err)
			}
			if _, err := t.Manifest(image); err != meta.ErrNotFound {
				return fmt.Errorf("manifest: %w", err)
			}
			tags, err := t.Tags(id, meta.Page[name.Tag]{Limit: 10})
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

func testReferrer(f *fixture) {
	id := f.repository(key("referrers"))
	subject := sha("referred to, perhaps never pushed")
	type want = []meta.ImageID
	var all, sboms, sigs want
	f.update(func(t meta.Tx) error {
		for i := range 12 {
			body := fmt.Sprint("referrer ", i)
			image := manifest(id, body)
			image.Subject = subject
			switch i % 3 {
			case 0:
				image.ArtifactType, image.ConfigMediaType = "type/sbom", "type/sig"
			case 1:
				image.ConfigMediaType = "type/sig"
			}
			ref, err := t.InsertImage(image, []byte(body), nil, nil)
			if err != nil {
				return err
			}
			all = append(all, ref)
			switch i % 3 {
			case 0:
				sboms = append(sboms, ref)
			case 1:
				sigs = append(sigs, ref)
			}
		}
		return nil
	})
	both := append(slices.Clone(sboms), sigs...)
	slices.Sort(both)
	f.image(id, "refers to nothing", nil)
	for _, c := range []struct {
		name    string
		subject digest.Digest
		types   []string
		want    want
	}{
		{"all", subject, nil, all},
		{"by artifact type", subject, []string{"type/sbom"}, sboms},
		{"by config type where there is no artifact type", subject, []string{"type/sig"}, sigs},
		{"of several types", subject, []string{"type/none", "type/sig", "type/sbom"}, both},
		{"of no such type", subject, []string{"type/none"}, want{}},
		{"of another subject", sha("other"), nil, want{}},
	} {
		for _, size := range []int{1, 5, 100} {
			var got want
			f.view(func(t meta.Tx) error {
				list, err := pages(size, func(p meta.Page[meta.ImageID]) ([]meta.Image, error) {
					return t.Referrers(id, c.subject, c.types, p)
				}, imageID)
				got = each(list, imageID)
				return err
			})
			if diff := cmp.Diff(c.want, got); diff != "" {
				f.Errorf("%s, pages of %d: %s", c.name, size, diff)
			}
		}
	}
}

func testUsage(f *fixture) {
	id, other := f.repository(key("usage")), f.repository(key("usage/other"))
	usage := func(id meta.RepositoryID) (got [2]int64) {
		f.view(func(t meta.Tx) (err error) {
			got[0], got[1], err = t.ImageUsage(id)
			return err
		})
		return got
	}
	check := func(when string, images, bytes int64) {
		f.Helper()
		if got := usage(id); got != [2]int64{images, bytes} {
			f.Errorf("%s: %d images of %d bytes, want %d of %d", when, got[0], got[1], images, bytes)
		}
	}
	fold := func(limit int) (n int) {
		f.update(func(t meta.Tx) (err error) {
			n, err = t.FoldUsage(limit)
			return err
		})
		return n
	}
	check("at first", 0, 0)
	a, b := f.image(id, "aaaa", nil), f.image(id, "bbbbb", nil)
	f.image(other, "other", nil)
	check("after two pushes", 2, 2009)
	f.update(func(t meta.Tx) error {
		_, err := t.InsertImage(manifest(id, "cc"), []byte("cc"), nil, nil)
		if err != nil {
			return err
		}
		images, bytes, err := t.ImageUsage(id)
		if images != 3 || bytes != 3011 {
			return fmt.Errorf("within the push: %d, %d, %w", images, bytes, err)
		}
		return nil
	})
	if n := fold(3); n != 3 {
		f.Errorf("folded %d, want 3", n)
	}
	check("partly folded", 3, 3011)
	if n := fold(100); n != 1 {
		f.Errorf("folded %d, want 1", n)
	}
	if n := fold(100); n != 0 {
		f.Errorf("folded %d of nothing", n)
	}
	check("folded", 3, 3011)
	index := f.index(id, "idx", nil, []meta.ImageID{a, b})
	check("an index counts its own bytes", 4, 3014)
	f.update(func(t meta.Tx) error {
		if err := t.DeleteImage(index, "x", day); err != nil {
			return err
		}
		return t.DeleteImage(a, "x", day)
	})
	check("after deletes", 2, 2007)
	f.together(20, func(i int, t meta.Tx) error {
		if i%2 == 0 {
			_, err := t.FoldUsage(3)
			return err
		}
		body := fmt.Sprintf("u%02d", i)
		_, err := t.InsertImage(manifest(id, body), []byte(body), nil, nil)
		return err
	})
	check("after pushes and folds at once", 12, 2007+10*1003)
	for fold(5) > 0 {
	}
	check("all folded", 12, 2007+10*1003)
	if got := usage(other); got != [2]int64{1, 1005} {
		f.Errorf("the other repository: %v", got)
	}
}
