package registry

import (
	"context"
	"errors"
	"io"

	"github.com/lighterage/lighterage/internal/blob"
	"github.com/lighterage/lighterage/internal/digest"
	"github.com/lighterage/lighterage/internal/fault"
	"github.com/lighterage/lighterage/internal/meta"
	"github.com/lighterage/lighterage/internal/name"
)

// FinishUpload turns an upload into a layer of the digest, after adding the
// stream's bytes if there is one. A nil error survives power loss. When the
// digest is another, the upload is dropped. UploadNotFound, LayerMismatch, and
// what AppendUpload gives; with Limits.Strict also UploadEmpty and
// UploadPartSmall.
func (c *Catalogue) FinishUpload(ctx context.Context, key RepositoryKey, id name.UploadID, want digest.Digest, at int64, r io.Reader) error {
	l, err := c.lease(ctx, key, id)
	if err != nil {
		return err
	}
	defer l.yield()
	before := l.offset()
	if r != nil {
		if err := c.appendStream(ctx, l, at, r); err != nil {
			return err
		}
	}
	return l.step(func() error {
		if c.Limits.Strict {
			c.countChunk(l.session, before, at)
			if err := c.checkWhole(l.session); err != nil {
				return err
			}
		}
		_, err := c.finish(ctx, l.session, []digest.Digest{want}, nil)
		return err
	})
}

// checkWhole refuses what ECR cannot complete, on its OCI door too: a layer
// without bytes (radius-project/radius#7855, devcontainers/cli#814) and small
// parts; mu is held.
func (c *Catalogue) checkWhole(s *session) error {
	if s.row.Offset == 0 {
		return uploadFault(fault.UploadEmpty, s.key, s.id)
	}
	return c.checkParts(s)
}

// finish verifies the digest, seals the bytes and makes them a layer in one
// transaction that consumes the upload's row; mu is held. With existed, it
// also tells whether the repository had the layer before.
func (c *Catalogue) finish(ctx context.Context, s *session, want []digest.Digest, existed *bool) (digest.Digest, error) {
	d, err := c.match(ctx, s, want)
	if fault.Is(err, fault.LayerMismatch) {
		if dropErr := c.drop(ctx, s); dropErr != nil {
			return "", dropErr
		}
	}
	if err != nil {
		return "", err
	}
	b := meta.Blob{Digest: d, Size: s.row.Offset, Location: meta.Inline, State: meta.BlobOK}
	if s.row.Location != "" {
		b.Location = s.row.Location
		if err := c.seal(ctx, s); err != nil {
			return "", err
		}
	}
	err = c.Meta.Update(ctx, func(tx meta.Tx) error { return c.publish(tx, s, b, existed) })
	if errors.Is(err, meta.ErrNotFound) { // consumed before: by an attempt whose answer was lost?
		if _, err = c.Layer(ctx, s.key, d); fault.Is(err, fault.LayerNotFound) {
			err = c.lost(s)
		}
	}
	if err != nil {
		return "", storeFault(s.key, err)
	}
	if b.Location == meta.Inline {
		c.bodies.put(d, s.buf)
	}
	c.forget(s)
	return d, nil
}

// forget ends a session and takes it out of memory; mu is held.
func (c *Catalogue) forget(s *session) {
	s.end()
	c.uploads.remove(s)
}

func (c *Catalogue) seal(ctx context.Context, s *session) error {
	if s.sealed { // an attempt before this one got that far
		return nil
	}
	if err := s.out.Seal(ctx); err != nil {
		return c.blobFault(s, err)
	}
	s.sealed, s.out = true, nil
	return nil
}

// publish consumes the upload's row and makes its bytes a layer.
func (c *Catalogue) publish(tx meta.Tx, s *session, b meta.Blob, existed *bool) error {
	r, err := live(tx, s.key, meta.LockShared)
	if err != nil {
		return err
	}
	if r.ID != s.row.Repository {
		return uploadFault(fault.UploadNotFound, s.key, s.id)
	}
	if err := c.Keys.Check(r.RepositorySettings); err != nil {
		return err
	}
	if s.tried {
		if err := tx.DeleteUpload(s.id); err != nil && (s.stored || !errors.Is(err, meta.ErrNotFound)) {
			return err
		}
		if err := discard(tx, s.abandoned); err != nil {
			return err
		}
	}
	if existed != nil {
		have, err := tx.Layers(r.ID, []digest.Digest{b.Digest}, meta.NoLock)
		if err != nil {
			return err
		}
		*existed = len(have) > 0
	}
	kept, err := tx.PutBlob(b, s.buf)
	if err != nil {
		return err
	}
	return c.addLayer(tx, r.ID, kept.ID)
}

// match returns the first wanted digest that the bytes hash to. An algorithm
// that was not announced costs a second reading.
func (c *Catalogue) match(ctx context.Context, s *session, want []digest.Digest) (digest.Digest, error) {
	computed := map[digest.Algorithm]digest.Digest{s.hasher.Algorithm(): s.hasher.Digest()}
	for _, w := range want {
		if c.Limits.Strict && w.Algorithm() != digest.SHA256 {
			continue
		}
		got, ok := computed[w.Algorithm()]
		if !ok {
			h, err := c.rehash(ctx, s, w.Algorithm())
			if err != nil {
				return "", err
			}
			got = h.Digest()
			computed[w.Algorithm()] = got
		}
		if got == w {
			return w, nil
		}
	}
	f := uploadFault(fault.LayerMismatch, s.key, s.id)
	f.Digest = string(s.hasher.Digest())
	return "", f
}

// rehash reads an upload's bytes again.
func (c *Catalogue) rehash(ctx context.Context, s *session, a digest.Algorithm) (*digest.Hasher, error) {
	h := digest.NewHasher(a)
	if s.row.Location == "" {
		h.Write(s.buf)
		return h, nil
	}
	r, err := c.Blobs.Open(ctx, s.row.Location)
	if err == nil {
		defer r.Close()
		_, err = io.CopyN(h, r, s.row.Offset)
	}
	if errors.Is(err, blob.ErrNotFound) || errors.Is(err, io.EOF) {
		return nil, uploadFault(fault.UploadNotFound, s.key, s.id)
	}
	return h, storeFault(s.key, err)
}
