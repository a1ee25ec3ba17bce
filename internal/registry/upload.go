package registry

import (
	"context"
	"errors"
	"io"
	"maps"
	"slices"
	"sync"
	"time"

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
	if err := c.appendStream(ctx, l, at, r); err != nil {
		return l.offset(), err
	}
	err = l.step(func() error { return c.checkpoint(ctx, l.session) })
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
	if err != nil {
		return c.blobFault(s, err)
	}
	if s.row.Offset-s.noted >= checkpointAt {
		return c.checkpoint(ctx, s)
	}
	return nil
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
			l.row.Parts++
			if l.row.SmallPart == 0 && p.Size < c.Limits.MinPartSize {
				l.row.SmallPart = l.row.Parts
			}
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

// FinishUpload turns an upload into a layer of the digest, after adding the
// stream's bytes if there is one. A nil error survives power loss. When the
// digest is another, the upload is dropped. UploadNotFound, LayerMismatch, and
// what AppendUpload gives.
func (c *Catalogue) FinishUpload(ctx context.Context, key RepositoryKey, id name.UploadID, want digest.Digest, at int64, r io.Reader) error {
	l, err := c.lease(ctx, key, id)
	if err != nil {
		return err
	}
	defer l.yield()
	if r != nil {
		if err := c.appendStream(ctx, l, at, r); err != nil {
			return err
		}
	}
	return l.step(func() error {
		_, err := c.finish(ctx, l.session, []digest.Digest{want}, nil)
		return err
	})
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
		switch {
		case l.row.Parts == 0 && l.row.Offset == 0:
			return uploadFault(fault.UploadEmpty, key, id)
		case l.row.SmallPart != 0 && l.row.SmallPart != l.row.Parts: // another part followed it
			f := uploadFault(fault.UploadPartSmall, key, id)
			f.Limit = c.Limits.MinPartSize
			return f
		}
		d, err = c.finish(ctx, l.session, want, &existed)
		return err
	})
	if err == nil && existed {
		err = layerFault(fault.LayerExists, key, d)
	}
	return d, err
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

// ParkUploads writes down the uploads that rested for the given time and
// forgets them: memory and descriptors are for those at work.
func (c *Catalogue) ParkUploads(ctx context.Context) error { return c.parkUploads(ctx, time.Minute) }

func (c *Catalogue) parkUploads(ctx context.Context, rested time.Duration) error {
	var failed error
	for _, s := range c.uploads.all() {
		if _, err := c.rest(ctx, s, rested); err != nil {
			failed = errors.Join(failed, err)
		}
	}
	return failed
}

// rest parks a session that rested for the given time, and reports whether it
// has left memory.
func (c *Catalogue) rest(ctx context.Context, s *session, rested time.Duration) (bool, error) {
	l := s.try(c.Clock, rested)
	if l == nil {
		return false, nil
	}
	defer l.yield()
	err := l.step(func() error { return c.park(ctx, s) })
	if fault.Is(err, fault.UploadNotFound) { // lost, which is as good
		return true, nil
	}
	return err == nil, err
}

// makeRoom parks the session that rested longest.
func (c *Catalogue) makeRoom(ctx context.Context) {
	used := map[*session]time.Time{}
	for _, s := range c.uploads.all() {
		if s.mu.TryLock() { // else it is at work
			used[s] = s.used
			s.mu.Unlock()
		}
	}
	oldest := slices.SortedFunc(maps.Keys(used), func(a, b *session) int { return used[a].Compare(used[b]) })
	for _, s := range oldest {
		if gone, err := c.rest(ctx, s, 0); gone || err != nil {
			return
		}
	}
}

// park makes a session a row and ends it; mu is held. One past its time ends
// without.
func (c *Catalogue) park(ctx context.Context, s *session) error {
	if !s.row.ExpiresAt.After(c.Clock()) {
		return c.drop(ctx, s)
	}
	if len(s.buf) > 0 {
		if err := c.spill(ctx, s); err != nil {
			return err
		}
	}
	err := c.checkpoint(ctx, s)
	if err == nil && !s.stored {
		err = c.note(ctx, s)
	}
	if err != nil {
		return err
	}
	c.forget(s)
	return nil
}
