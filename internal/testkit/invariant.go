package testkit

import (
	"context"
	"errors"
	"fmt"
	"io"
	"testing"

	"github.com/lighterage/lighterage/internal/digest"
	"github.com/lighterage/lighterage/internal/manifest"
	"github.com/lighterage/lighterage/internal/meta"
	"github.com/lighterage/lighterage/internal/name"
)

// CheckInvariants reads all that the account has in every served region and
// fails the test for each invariant (docs/ARCHITECTURE.md) that does not hold.
func (s *Server) CheckInvariants(t testing.TB) {
	t.Helper()
	c := &checker{s: s, t: t, seen: map[meta.BlobID]bool{}}
	for _, region := range s.regions() {
		id := name.RegistryID{Account: s.Config.Account, Region: name.Region(region)}
		for _, space := range []meta.Space{meta.ECR, meta.Lightsail} {
			for _, r := range c.repositories(id, space) {
				c.repository(r)
			}
		}
		c.services(id)
	}
}

// pageSize is small, so that paging is walked too.
const pageSize = 50

type checker struct {
	s    *Server
	t    testing.TB
	seen map[meta.BlobID]bool // whose bytes were read
}

func (c *checker) view(fn func(meta.Tx) error) {
	c.t.Helper()
	if err := c.s.Meta.View(context.Background(), fn); err != nil {
		c.t.Errorf("check invariants: %v", err)
	}
}

func (c *checker) repositories(id name.RegistryID, space meta.Space) []meta.Repository {
	var all []meta.Repository
	c.view(func(tx meta.Tx) error {
		all = nil
		page := meta.Page[name.RepositoryName]{Limit: pageSize}
		for {
			rows, err := tx.Repositories(id, space, page)
			if all = append(all, rows...); err != nil || len(rows) < page.Limit {
				break
			}
			page.After = rows[len(rows)-1].Key.Name
		}
		n, err := tx.CountRepositories(id, space)
		if err == nil && n != int64(len(all)) {
			c.t.Errorf("%v has %d repositories and counts %d", id, len(all), n)
		}
		return err
	})
	return all
}

func (c *checker) repository(r meta.Repository) {
	var images []meta.Image
	c.view(func(tx meta.Tx) error {
		images = nil
		page := meta.Page[meta.ImageID]{Limit: pageSize}
		for {
			rows, err := tx.Images(r.ID, meta.ImageFilter{}, page)
			if err != nil {
				return err
			}
			if images = append(images, rows...); len(rows) < page.Limit {
				break
			}
			page.After = rows[len(rows)-1].ID
		}
		n, _, err := tx.ImageUsage(r.ID)
		if err == nil && n != int64(len(images)) {
			c.t.Errorf("%s has %d images and counts %d", r.Key.Name, len(images), n)
		}
		return errors.Join(err, c.tags(tx, r))
	})
	for _, i := range images {
		c.image(r, i)
	}
}

// image checks I1 and I8, and I2 for the layers that the image keeps.
func (c *checker) image(r meta.Repository, i meta.Image) {
	var layers map[digest.Digest]meta.Layer
	c.view(func(tx meta.Tx) error {
		body, err := tx.Manifest(i.ID)
		if err != nil {
			return fmt.Errorf("%s %s: manifest: %w", r.Key.Name, i.Digest, err)
		}
		h := digest.NewHasher(i.Digest.Algorithm())
		h.Write(body)
		if h.Digest() != i.Digest {
			c.t.Errorf("%s: the manifest of %s hashes to %s", r.Key.Name, i.Digest, h.Digest())
		}
		m, err := manifest.Parse(body, i.MediaType)
		if err != nil {
			return fmt.Errorf("%s %s: %w", r.Key.Name, i.Digest, err)
		}
		if layers, err = tx.Layers(r.ID, m.RequiredLayers(), meta.NoLock); err != nil {
			return err
		}
		for _, d := range m.RequiredLayers() {
			l, ok := layers[d]
			if !ok {
				c.t.Errorf("I1: %s %s has no layer %s", r.Key.Name, i.Digest, d)
				continue
			}
			if kept, err := tx.LayerReferenced(l.ID); err != nil || !kept {
				c.t.Errorf("I1: %s %s does not keep its layer %s: %v", r.Key.Name, i.Digest, d, err)
			}
		}
		for _, d := range m.RequiredChildren() {
			child, err := tx.Image(r.ID, meta.Reference{Digest: d})
			if err != nil {
				c.t.Errorf("I1: %s %s has no child %s: %v", r.Key.Name, i.Digest, d, err)
			}
			if child.Archived && !i.Archived {
				c.t.Errorf("I8: %s %s is not archived, its child %s is", r.Key.Name, i.Digest, d)
			}
		}
		return nil
	})
	for _, l := range layers {
		c.blob(l.Blob)
	}
}

// blob checks I2.
func (c *checker) blob(b meta.Blob) {
	if c.seen[b.ID] {
		return
	}
	c.seen[b.ID] = true
	if b.State != meta.BlobOK {
		c.t.Errorf("I2: %s is in state %d", b.Digest, b.State)
		return
	}
	h := digest.NewHasher(b.Digest.Algorithm())
	n, err := c.read(b, h)
	if err != nil {
		c.t.Errorf("I2: %s at %s: %v", b.Digest, b.Location, err)
		return
	}
	if h.Digest() != b.Digest || n != b.Size {
		c.t.Errorf("I2: %s at %s has %d bytes that hash to %s, not %d", b.Digest, b.Location, n, h.Digest(), b.Size)
	}
}

func (c *checker) read(b meta.Blob, h *digest.Hasher) (int64, error) {
	if b.Location == meta.Inline {
		var body []byte
		err := c.s.Meta.View(context.Background(), func(tx meta.Tx) (err error) {
			body, err = tx.InlineBytes(b.ID)
			return err
		})
		n, _ := h.Write(body)
		return int64(n), err
	}
	r, err := c.s.Blobs.Open(context.Background(), b.Location)
	if err != nil {
		return 0, err
	}
	defer r.Close()
	return io.Copy(h, r)
}

// tags checks I3.
func (c *checker) tags(tx meta.Tx, r meta.Repository) error {
	page := meta.Page[name.Tag]{Limit: pageSize}
	for {
		rows, err := tx.Tags(r.ID, meta.AnyImageStatus, page)
		if err != nil {
			return err
		}
		for _, tag := range rows {
			i, err := tx.ImageOf(tag.Image)
			if err != nil || i.Repository != r.ID || i.Digest != tag.Digest {
				c.t.Errorf("I3: %s:%s points to %s, which is image %v of repository %v: %v", r.Key.Name, tag.Name, tag.Digest, i.Digest, i.Repository, err)
			}
		}
		if len(rows) < page.Limit {
			return nil
		}
		page.After = rows[len(rows)-1].Name
	}
}

// services checks I7.
func (c *checker) services(id name.RegistryID) {
	c.view(func(tx meta.Tx) error {
		rows, err := tx.Services(id, meta.Page[name.ServiceName]{Limit: 1000})
		if err != nil {
			return err
		}
		for _, service := range rows {
			images, err := tx.RegisteredImages(service.ID, 10_000)
			if err != nil {
				return err
			}
			given := map[string]bool{}
			for _, r := range images {
				version := fmt.Sprintf(":%s.%s.%d", service.Name, r.Label, r.Version)
				i, err := tx.ImageOf(r.Image)
				if err != nil || string(i.Digest) != r.Digest {
					c.t.Errorf("I7: %s keeps %s, but its image is %s: %v", version, r.Digest, i.Digest, err)
				}
				if given[version] || r.Version < 1 {
					c.t.Errorf("I7: the version %s is given twice, or below 1", version)
				}
				given[version] = true
			}
		}
		return nil
	})
}
