package registry

import (
	"context"
	"errors"
	"io"
	"sync"

	"github.com/google/uuid"

	"github.com/lighterage/lighterage/internal/blob"
	"github.com/lighterage/lighterage/internal/digest"
	"github.com/lighterage/lighterage/internal/fault"
	"github.com/lighterage/lighterage/internal/meta"
	"github.com/lighterage/lighterage/internal/name"
)

// StartUpload begins a layer upload that hashes with the algorithm. Until its
// bytes pass 128 KiB or it rests for a minute it lives in memory: after kill
// -9 it is unknown and the client starts again.
// RepositoryNotFound, KeyUnusable.
func (c *Catalogue) StartUpload(ctx context.Context, key RepositoryKey, a digest.Algorithm) (name.UploadID, error) {
	s := newSession(key, meta.Upload{ID: name.UploadID(uuid.NewString())})
	s.mu.Lock()
	defer s.mu.Unlock()
	if c.Limits.Strict { // what ECR's answers call the calculated digest
		a = digest.SHA256
	}
	_, inMemory := c.uploads.add(s)
	err := c.begin(ctx, s, a)
	if err == nil && !inMemory { // too many are: this one begins as a row
		err = c.note(ctx, s)
	}
	if err != nil {
		c.forget(s)
		return "", err
	}
	return s.id, nil
}

// begin makes a session an upload of its repository; mu is held.
func (c *Catalogue) begin(ctx context.Context, s *session, a digest.Algorithm) error {
	var r Repository
	err := c.Meta.View(ctx, func(tx meta.Tx) (err error) {
		r, err = live(tx, s.key, meta.NoLock)
		return err
	})
	if err != nil {
		return storeFault(s.key, err)
	}
	if err := c.Keys.Check(r.RepositorySettings); err != nil {
		return err
	}
	now := c.Clock()
	s.row.Repository, s.row.CreatedAt, s.row.ExpiresAt = r.ID, now, now.Add(c.UploadTTL)
	s.hasher, s.used = digest.NewHasher(a), now
	return nil
}

// note writes the session's row as it stands; mu is held.
func (c *Catalogue) note(ctx context.Context, s *session) error {
	state, err := s.hasher.State()
	if err != nil {
		return storeFault(s.key, err)
	}
	row := s.row
	row.HashState, row.BootID = state, c.BootID
	if err := c.store(ctx, s, row); err != nil {
		return err
	}
	s.row, s.noted = row, row.Offset
	return nil
}

// store writes a row for the session and gives up the abandoned location,
// which the row named until now; mu is held. When another process has the
// upload, or nobody, the session ends: UploadNotFound.
func (c *Catalogue) store(ctx context.Context, s *session, row meta.Upload) error {
	s.tried = true
	err := c.Meta.Update(ctx, func(tx meta.Tx) error {
		if err := discard(tx, s.abandoned); err != nil {
			return err
		}
		if !s.stored {
			// ErrExists: an attempt that seemed to fail had stored it.
			if err := tx.InsertUpload(row); !errors.Is(err, meta.ErrExists) {
				return err
			}
		}
		return tx.AdvanceUpload(row)
	})
	if errors.Is(err, meta.ErrNotFound) || errors.Is(err, meta.ErrConflict) {
		return c.lost(s)
	}
	if err != nil {
		return storeFault(s.key, err)
	}
	s.stored, s.abandoned = true, ""
	return nil
}

// discard lets the collector remove what is at a location, if there is one.
func discard(tx meta.Tx, at name.Location) error {
	if at == "" {
		return nil
	}
	now, err := tx.Now()
	if err != nil {
		return err
	}
	return tx.AddGarbage(at, now)
}

// lost ends a session that can go on no more: its row or the right to write at
// its location is gone. What the row still names goes when it expires.
func (c *Catalogue) lost(s *session) error {
	c.forget(s)
	return uploadFault(fault.UploadNotFound, s.key, s.id)
}

// blobFault turns an error of the session's location into a fault. A writer
// that is closed does not open again.
func (c *Catalogue) blobFault(s *session, err error) error {
	if errors.Is(err, blob.ErrClosed) {
		return c.lost(s)
	}
	return storeFault(s.key, err)
}

// anywhere is the position that AppendUpload does not check.
const anywhere = -1

// Anywhere says that a stream goes to the end of the upload, wherever it is.
const Anywhere int64 = anywhere

// AppendUpload adds a stream's bytes at the given position, which must be the
// upload's end, and returns the new end. When the stream fails, what arrived
// counts. A returned nil survives kill -9 once the upload has a row.
// UploadNotFound, RangeInvalid, LayerTooLarge.
func (c *Catalogue) AppendUpload(ctx context.Context, key RepositoryKey, id name.UploadID, at int64, r io.Reader) (int64, error) {
	l, err := c.lease(ctx, key, id)
	if err != nil {
		return 0, err
	}
	defer l.yield()
	before := l.offset()
	if err := c.appendStream(ctx, l, at, r); err != nil {
		return l.offset(), err
	}
	err = l.step(func() error {
		c.countChunk(l.session, before, at)
		return c.checkpoint(ctx, l.session)
	})
	return l.offset(), err
}

func (l *lease) offset() int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.row.Offset
}

var chunks = sync.Pool{New: func() any { b := make([]byte, 256<<10); return &b }}

func (c *Catalogue) appendStream(ctx context.Context, l *lease, at int64, r io.Reader) error {
	err := l.step(func() error {
		if at != anywhere && at != l.row.Offset {
			f := uploadFault(fault.RangeInvalid, l.key, l.id)
			f.LastByte = l.row.Offset - 1
			return f
		}
		return nil
	})
	if err != nil {
		return err
	}
	chunk := chunks.Get().(*[]byte)
	defer chunks.Put(chunk)
	for {
		n, readErr := fill(*chunk, r)
		if n > 0 {
			if err := l.step(func() error { return c.write(ctx, l.session, (*chunk)[:n]) }); err != nil {
				return err
			}
		}
		if readErr == io.EOF {
			return nil
		}
		if readErr != nil {
			l.step(func() error { return c.checkpoint(ctx, l.session) })
			return &fault.Error{Reason: fault.BodyMalformed, Upload: string(l.id), Detail: "the body ended early", Err: readErr}
		}
	}
}

// fill reads until p is full or r ends. To io.ReadFull the io.ErrUnexpectedEOF
// of a connection that broke would be a short last piece like any other.
func fill(p []byte, r io.Reader) (n int, err error) {
	for n < len(p) && err == nil {
		var m int
		m, err = r.Read(p[n:])
		n += m
	}
	return n, err
}

// write adds a chunk to the buffer or the location; mu is held.
func (c *Catalogue) write(ctx context.Context, s *session, chunk []byte) error {
	end := s.row.Offset + int64(len(chunk))
	if limit := c.Limits.LayerSize; limit > 0 && end > limit {
		f := uploadFault(fault.LayerTooLarge, s.key, s.id)
		f.Quota, f.Limit = "layer size", limit
		return f
	}
	if s.sealed {
		return uploadFault(fault.UploadNotFound, s.key, s.id)
	}
	// What has a row must survive: it is not gathered in memory any more.
	if s.row.Location == "" && !s.tried && end <= inlineMax && c.uploads.reserve(len(chunk)) {
		s.buf = append(s.buf, chunk...)
		s.hasher.Write(chunk)
		s.row.Offset = end
		return nil
	}
	if s.row.Location == "" {
		if err := c.spill(ctx, s); err != nil {
			return err
		}
	}
	n, err := s.out.Write(chunk)
	s.hasher.Write(chunk[:n])
	s.row.Offset += int64(n)
	if errors.Is(err, blob.ErrFull) {
		return c.makeSpace(ctx, s, err)
	}
	if err != nil {
		return c.blobFault(s, err)
	}
	if s.row.Offset-s.noted >= checkpointAt {
		return c.checkpoint(ctx, s)
	}
	return nil
}

// makeSpace gives an upload up that filled the store; mu is held. Its bytes go
// at once: without room not even the transaction commits that would have the
// collector take them. The row goes when its time is over.
func (c *Catalogue) makeSpace(ctx context.Context, s *session, full error) error {
	at := s.row.Location
	c.forget(s)
	c.removeNow(ctx, at)
	return storeFault(s.key, full)
}

// removeNow removes the bytes of a location that was never sealed. What cannot
// be removed is left to the collector.
func (c *Catalogue) removeNow(ctx context.Context, at name.Location) {
	if err := c.Blobs.Remove(context.WithoutCancel(ctx), at); err != nil {
		c.Logger.Warn("the bytes of a failed upload stay for now", "location", at, "error", err)
	}
}

// spill moves the buffer to a location, whose row is committed first; mu is
// held. The buffer stays until the location has its bytes.
func (c *Catalogue) spill(ctx context.Context, s *session) error {
	state, err := digest.NewHasher(s.hasher.Algorithm()).State()
	if err != nil {
		return storeFault(s.key, err)
	}
	row := s.row
	row.Location, row.Offset, row.HashState, row.BootID = c.Blobs.NewLocation(), 0, state, c.BootID
	if err := c.store(ctx, s, row); err != nil {
		return err
	}
	s.abandoned = row.Location
	out, err := c.Blobs.Create(ctx, row.Location)
	if err != nil {
		return storeFault(s.key, err)
	}
	if _, err := out.Write(s.buf); err != nil {
		out.Close()
		c.removeNow(ctx, row.Location)
		return storeFault(s.key, err)
	}
	row.Offset = s.row.Offset
	s.row, s.out, s.noted, s.abandoned = row, out, 0, ""
	if s.buf != nil {
		s.release(len(s.buf))
		s.buf = nil
	}
	return nil
}

// checkpoint records how far a spilled upload got; mu is held.
func (c *Catalogue) checkpoint(ctx context.Context, s *session) error {
	if s.out == nil || s.noted == s.row.Offset && s.stored {
		return nil
	}
	state, err := s.out.Checkpoint(ctx)
	if err != nil {
		return c.blobFault(s, err)
	}
	s.row.BlobState = state
	return c.note(ctx, s)
}

// UploadOffset returns how many bytes an upload has. UploadNotFound.
func (c *Catalogue) UploadOffset(ctx context.Context, key RepositoryKey, id name.UploadID) (int64, error) {
	l, err := c.lease(ctx, key, id)
	if err != nil {
		return 0, err
	}
	defer l.yield()
	return l.offset(), nil
}

// CancelUpload drops an upload with its bytes. UploadNotFound.
func (c *Catalogue) CancelUpload(ctx context.Context, key RepositoryKey, id name.UploadID) error {
	l, err := c.lease(ctx, key, id)
	if err != nil {
		return err
	}
	defer l.yield()
	return l.step(func() error { return c.drop(ctx, l.session) })
}

// drop ends a session and removes its row; mu is held.
func (c *Catalogue) drop(ctx context.Context, s *session) error {
	if s.tried {
		err := c.Meta.Update(ctx, func(tx meta.Tx) error {
			if err := tx.DeleteUpload(s.id); err != nil {
				return err
			}
			return errors.Join(discard(tx, s.row.Location), discard(tx, s.abandoned))
		})
		// ErrNotFound: whoever removed the row has seen to the bytes.
		if err != nil && !errors.Is(err, meta.ErrNotFound) {
			return storeFault(s.key, err)
		}
	}
	c.forget(s)
	return nil
}
