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
		annotations := want.Annotations
		want.Annotations = "" // read by Annotations alone
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
			for image, want := range map[meta.ImageID]string{want.ID: annotations, 1 << 40: ""} {
				if got, err := t.Annotations(image); got != want {
					return fmt.Errorf("annotations %q, %w", got, err)
				}
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
		list, err := pages(size, func(p meta.Page[meta.ImageID]) ([]meta.Image, error) {
			return t.Images(id, meta.ImageFilter{Tags: status}, p)
		}, imageID)
		ids = each(list, imageID)
		return err
	})
	return ids
}
