package s3

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/lighterage/lighterage/internal/blob"
	"github.com/lighterage/lighterage/internal/name"
)

// upload is the writer of one location. Its lock is held during every step;
// closing it from elsewhere cuts the step short and waits for it.
type upload struct {
	store *Store
	at    name.Location
	key   string
	ctx   context.Context // ends with the upload
	stop  context.CancelFunc
	steps atomic.Int64 // grows with every write

	mu     sync.Mutex
	ended  bool
	id     string // of the multipart upload; empty: there is none yet
	parts  []part // that S3 has
	flight *flight
	size   int    // bytes after those of parts and flight
	buf    []byte // those bytes; nil when they are in the tail object alone
	noted  tail   // what the tail object of this part has; size 0: there is none
	older  int    // the part whose tail object was noted before
	last   *part  // the bytes of buf as the last part, by a Seal that failed later
}

// flight is a full part on its way.
type flight struct {
	buf  []byte // nil once S3 has it
	id   string
	part part
	err  error
	done chan struct{} // closed when part, or err, is there
}

func (s *Store) newUpload(at name.Location, key string) *upload {
	u := &upload{store: s, at: at, key: key}
	u.ctx, u.stop = context.WithCancel(s.life)
	return u
}

// Write appends b. A part that S3 would not take is kept, and tried again by
// the next step.
func (u *upload) Write(b []byte) (int, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.closed() {
		return 0, blob.ErrClosed
	}
	u.steps.Add(1)
	for n := 0; ; {
		if n == len(b) {
			return n, nil
		}
		if err := u.makeRoom(); err != nil {
			return n, fmt.Errorf("write blob: %w", u.fault(err))
		}
		u.last = nil
		m := copy(u.buf[u.size:partSize], b[n:])
		u.buf = u.buf[:u.size+m]
		u.size, n = u.size+m, n+m
		if u.size == partSize && (u.flight == nil || u.flight.landed()) {
			_ = u.send() // what fails is tried again when there must be room
		}
	}
}

// makeRoom sees to it that buf has the tail and is not full.
func (u *upload) makeRoom() error {
	if u.size == partSize {
		if err := u.send(); err != nil {
			return err
		}
	}
	return u.load(u.ctx)
}

// load sees to it that buf has the tail.
func (u *upload) load(ctx context.Context) error {
	if u.buf != nil {
		return nil
	}
	buf, err := u.store.take(ctx, u.flight)
	if err != nil {
		return err
	}
	if u.size > 0 {
		if buf, err = u.store.readTail(ctx, u.store.tailKey(u.at, u.number()), buf, u.noted); err != nil {
			u.store.pool.give(buf)
			return err
		}
		buf = buf[:u.size]
	}
	u.buf = buf
	return nil
}

// number is that of the part which the tail begins.
func (u *upload) number() int {
	n := len(u.parts) + 1
	if u.flight != nil {
		n++
	}
	return n
}

// send begins to send the full buffer, once the part before has arrived.
func (u *upload) send() error {
	if err := u.settle(u.ctx); err != nil {
		return err
	}
	if len(u.parts) == maxParts {
		return fmt.Errorf("more than %d parts of %d bytes: %w", maxParts, partSize, blob.ErrFull)
	}
	if err := u.load(u.ctx); err != nil {
		return err
	}
	u.turn()
	u.launch(u.buf)
	u.buf, u.size = nil, 0
	return nil
}

// turn notes that the tail object of this part will not be written again.
func (u *upload) turn() {
	if u.noted.size == 0 {
		return
	}
	if u.older != 0 {
		u.store.tidy(u.store.tailKey(u.at, u.older))
	}
	u.older, u.noted = u.number(), tail{}
}

func (u *upload) launch(buf []byte) {
	f := &flight{buf: buf, id: u.id, done: make(chan struct{})}
	u.flight = f
	number := len(u.parts) + 1
	go func() {
		defer close(f.done)
		if f.id == "" {
			if f.id, f.err = u.store.begin(u.ctx, u.key); f.err != nil {
				return
			}
		}
		f.part, f.err = u.store.sendPart(u.ctx, u.key, f.id, number, f.buf)
		if f.err == nil { // the upload itself may be waiting for a buffer
			u.store.pool.give(f.buf)
			f.buf = nil
		}
	}()
}

func (f *flight) landed() bool { return f.over() && f.err == nil }

func (f *flight) over() bool {
	select {
	case <-f.done:
		return true
	default:
		return false
	}
}

// settle waits for the part on its way; one that failed before is sent again.
func (u *upload) settle(ctx context.Context) error {
	f := u.flight
	if f == nil {
		return nil
	}
	if f.over() && f.err != nil {
		u.retry()
		f = u.flight
	}
	select {
	case <-f.done:
	case <-ctx.Done():
		return ctx.Err()
	}
	if f.id != "" {
		u.id = f.id
	}
	if f.err != nil {
		return f.err
	}
	u.parts = append(u.parts, f.part)
	u.flight = nil
	return nil
}

// retry sends the part again that failed.
func (u *upload) retry() {
	if f := u.flight; f.id != "" {
		u.id = f.id
	}
	u.launch(u.flight.buf)
}

// Offset is the number of bytes written, also after the end.
func (u *upload) Offset() int64 {
	u.mu.Lock()
	defer u.mu.Unlock()
	n := int64(len(u.parts))*partSize + int64(u.size)
	if u.flight != nil {
		n += partSize
	}
	return n
}

// Checkpoint waits for the parts and writes the tail object, if its bytes have
// changed.
func (u *upload) Checkpoint(ctx context.Context) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.closed() {
		return nil, blob.ErrClosed
	}
	ctx, cancel := u.both(ctx)
	defer cancel()
	if u.size == partSize {
		if err := u.send(); err != nil {
			return nil, fmt.Errorf("checkpoint blob: %w", u.fault(err))
		}
	}
	err := u.settle(ctx)
	if err == nil {
		err = u.note(ctx)
	}
	if err != nil {
		return nil, fmt.Errorf("checkpoint blob: %w", u.fault(err))
	}
	return state{u.id, u.parts, u.noted, u.older}.encode(), nil
}

// note brings the tail object up to date.
func (u *upload) note(ctx context.Context) error {
	if u.size == u.noted.size {
		return nil
	}
	if err := u.load(ctx); err != nil {
		return err
	}
	digest := sha256.Sum256(u.buf)
	if err := u.store.putTail(ctx, u.store.tailKey(u.at, u.number()), u.buf, digest); err != nil {
		return err
	}
	u.noted = tail{u.size, digest}
	return nil
}

// yield gives the buffer up if the tail object has its bytes, or may get them.
// The upload goes on without knowing. A part of one that rests is sent again if
// it failed.
func (u *upload) yield(ctx context.Context, rests bool) bool {
	if rests && !u.ended && u.flight != nil && u.flight.over() && u.flight.err != nil {
		u.retry()
		return false
	}
	if u.ended || u.buf == nil || u.flight != nil && !u.flight.landed() {
		return false
	}
	if u.size != u.noted.size {
		if !rests || u.note(ctx) != nil {
			return false
		}
	}
	u.store.pool.give(u.buf)
	u.buf = nil
	return true
}

// restore puts the upload where its state says that it stood. The tail stays in
// its object until it is needed, but must be there.
func (u *upload) restore(ctx context.Context, offset int64, text []byte) error {
	if err := u.store.sealed(ctx, u.key); err != nil {
		return err
	}
	if len(text) == 0 {
		return fmt.Errorf("%s has no checkpoint: %w", u.at, blob.ErrNotFound)
	}
	s, err := decode(text)
	if err != nil {
		return fmt.Errorf("%s: %w: %w", u.at, err, blob.ErrNotFound)
	}
	if s.offset() != offset {
		return fmt.Errorf("%s has %d bytes, not %d: %w", u.at, s.offset(), offset, blob.ErrNotFound)
	}
	ctx, cancel := u.both(ctx)
	defer cancel()
	u.id, u.parts, u.size, u.noted, u.older = s.id, s.parts, s.tail.size, s.tail, s.older
	err = nil
	if u.size > 0 {
		err = u.load(ctx)
	}
	if errors.Is(err, blob.ErrClosed) {
		return fmt.Errorf("the tail of %s is another's: %w", u.at, blob.ErrNotFound)
	}
	return err
}

// Seal makes the object. After an error that is not ErrClosed it can be called
// again, or the upload go on.
func (u *upload) Seal(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.closed() {
		return blob.ErrClosed
	}
	ctx, cancel := u.both(ctx)
	defer cancel()
	if err := u.seal(ctx); err != nil {
		return fmt.Errorf("seal blob: %w", u.fault(err))
	}
	if u.noted.size > 0 {
		u.store.tidy(u.store.tailKey(u.at, u.number()))
	}
	if u.older > 0 {
		u.store.tidy(u.store.tailKey(u.at, u.older))
	}
	u.finish()
	return nil
}

func (u *upload) seal(ctx context.Context) error {
	if err := u.settle(ctx); err != nil {
		return err
	}
	if u.size > 0 {
		if err := u.load(ctx); err != nil {
			return err
		}
	}
	if u.id == "" {
		return u.store.put(ctx, u.key, u.buf)
	}
	parts := u.parts
	if u.size > 0 {
		if u.last == nil {
			p, err := u.store.sendPart(ctx, u.key, u.id, len(u.parts)+1, u.buf)
			if err != nil {
				return err
			}
			u.last = &p
		}
		parts = append(parts[:len(parts):len(parts)], *u.last)
	}
	return u.store.complete(ctx, u.key, u.id, parts, int64(len(u.parts))*partSize+int64(u.size))
}

// Close gives the upload up; what its checkpoints cover stays for Resume.
func (u *upload) Close() error {
	u.stop() // the step that is under way
	u.mu.Lock()
	defer u.mu.Unlock()
	u.finish()
	return nil
}

// finish ends the upload; u.mu is held. What was on its way is not counted any
// more as being so, nor forgotten in the offset.
func (u *upload) finish() {
	if u.ended {
		return
	}
	u.ended = true
	u.stop()
	if f := u.flight; f != nil {
		<-f.done
		if f.buf != nil {
			u.store.pool.give(f.buf)
			f.buf = nil
		}
	}
	if u.buf != nil {
		u.store.pool.give(u.buf)
		u.buf = nil
	}
	u.store.leave(u)
}

// closed reports whether nothing more may be done; u.mu is held.
func (u *upload) closed() bool { return u.ended || u.ctx.Err() != nil }

// fault is an error as the upload's caller is told it: what was cut short by
// the upload's end is no failure of S3.
func (u *upload) fault(err error) error {
	if u.ctx.Err() != nil {
		return blob.ErrClosed
	}
	return err
}

// both returns a context that ends with the caller's and with the upload.
func (u *upload) both(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	stop := context.AfterFunc(u.ctx, cancel)
	return ctx, func() { stop(); cancel() }
}
