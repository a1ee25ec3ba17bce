package registry

import (
	"context"
	"io"

	"github.com/lighterage/lighterage/internal/digest"
	"github.com/lighterage/lighterage/internal/fault"
	"github.com/lighterage/lighterage/internal/meta"
	"github.com/lighterage/lighterage/internal/name"
)

// Part is a piece of a layer as UploadLayerPart sends it: bytes First to Last,
// both included.
type Part struct {
	First, Last int64
	Size        int64 // bytes that Body gives
	Body        io.Reader
}

// AppendPart adds a part, which must follow the last one, and returns the last
// byte received. A part that fails counts with none of its bytes, and can be
// sent again. UploadNotFound, UploadPartInvalid, UploadPartCount,
// LayerTooLarge, KeyUnusable.
func (c *Catalogue) AppendPart(ctx context.Context, key RepositoryKey, id name.UploadID, p Part) (int64, error) {
	r, err := c.Repository(ctx, key)
	if err != nil {
		return 0, err
	}
	if err := c.Keys.Check(r.RepositorySettings); err != nil {
		return 0, err
	}
	l, err := c.lease(ctx, key, id)
	if err != nil {
		return 0, err
	}
	defer l.yield()
	var before mark
	err = l.step(func() (err error) {
		if err := c.checkPart(l.session, p); err != nil {
			return err
		}
		before, err = l.mark()
		return err
	})
	if err != nil {
		return 0, err
	}
	err = c.appendStream(ctx, l, p.First, p.Body)
	if err == nil {
		err = l.step(func() error {
			c.countPart(l.session, p.Size)
			return c.checkpoint(ctx, l.session)
		})
	}
	if err != nil {
		// The client may be gone, and its context too.
		_ = l.step(func() error { return c.rewind(context.WithoutCancel(ctx), l.session, before) })
		return 0, err
	}
	return l.offset() - 1, nil
}

// countPart notes a part that is smaller than only the last may be; mu is held.
func (c *Catalogue) countPart(s *session, size int64) {
	s.row.Parts++
	if s.row.SmallPart == 0 && size < c.Limits.MinPartSize {
		s.row.SmallPart = s.row.Parts
	}
}

// countChunk counts what came through the OCI door, if that is to be as large
// as parts. To ECR, a chunk that says where it belongs is a part; a stream is
// not (aws/containers-roadmap#2831, dotnet/sdk-container-builds#424). mu is
// held.
func (c *Catalogue) countChunk(s *session, before, at int64) {
	size := s.row.Offset - before
	if !c.Limits.Strict || size == 0 {
		return
	}
	if at == anywhere {
		size = max(size, c.Limits.MinPartSize)
	}
	c.countPart(s, size)
}

// checkParts refuses an upload with a small part that another followed; mu is
// held.
func (c *Catalogue) checkParts(s *session) error {
	if s.row.SmallPart == 0 || s.row.SmallPart == s.row.Parts {
		return nil
	}
	f := uploadFault(fault.UploadPartSmall, s.key, s.id)
	f.Limit = c.Limits.MinPartSize
	return f
}

// mark is where an upload stood.
type mark struct {
	row meta.Upload // with the state of the hash
	buf []byte
}

// mark notes where the session stands; mu is held.
func (s *session) mark() (mark, error) {
	state, err := s.hasher.State()
	row := s.row
	row.HashState = state
	return mark{row, s.buf}, storeFault(s.key, err)
}

// rewind takes a session back to where it stood; mu is held. One whose bytes
// were at a location then has its row say so, ends, and is loaded again, which
// cuts the bytes: while a row may name more of them, none are written over.
func (c *Catalogue) rewind(ctx context.Context, s *session, to mark) error {
	hasher, err := digest.ResumeHasher(to.row.HashState)
	if err != nil {
		return c.lost(s)
	}
	switch {
	case s.row.Location == "":
		s.release(len(s.buf) - len(to.buf))
	case to.row.Location != "":
		to.row.BootID = c.BootID
		if err := c.store(ctx, s, to.row); err != nil {
			return err
		}
		return c.lost(s)
	case !c.uploads.reserve(len(to.buf)):
		return c.lost(s)
	default: // spilled since
		s.out.Close()
		s.out, s.abandoned = nil, s.row.Location
	}
	s.row, s.buf, s.hasher = to.row, to.buf, hasher
	return nil
}

// checkPart refuses a part before any byte of it counts; mu is held.
func (c *Catalogue) checkPart(s *session, p Part) error {
	f := uploadFault(fault.UploadPartInvalid, s.key, s.id)
	f.LastByte = s.row.Offset - 1
	if p.First != s.row.Offset || p.Size != p.Last-p.First+1 || p.Size == 0 {
		return f
	}
	if limit := c.Limits.MaxPartSize; limit > 0 && p.Size > limit {
		return f
	}
	if limit := c.Limits.LayerParts; limit > 0 && s.row.Parts >= limit {
		f.Reason, f.Quota, f.Limit = fault.UploadPartCount, "layer parts", limit
		return f
	}
	return nil
}

// CompleteUpload is FinishUpload as the AWS API asks for it: the upload must
// have parts, of the size that is wanted, and one of the digests must match.
// UploadNotFound, UploadEmpty, UploadPartSmall, LayerMismatch, LayerExists,
// KeyUnusable.
func (c *Catalogue) CompleteUpload(ctx context.Context, key RepositoryKey, id name.UploadID, want []digest.Digest) (digest.Digest, error) {
	l, err := c.lease(ctx, key, id)
	if err != nil {
		return "", err
	}
	defer l.yield()
	var d digest.Digest
	existed := false
	err = l.step(func() (err error) {
		if l.row.Parts == 0 && l.row.Offset == 0 {
			return uploadFault(fault.UploadEmpty, key, id)
		}
		if err := c.checkParts(l.session); err != nil {
			return err
		}
		d, err = c.finish(ctx, l.session, want, &existed)
		return err
	})
	if err == nil && existed {
		err = layerFault(fault.LayerExists, key, d)
	}
	return d, err
}
