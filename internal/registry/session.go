package registry

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/lighterage/lighterage/internal/blob"
	"github.com/lighterage/lighterage/internal/digest"
	"github.com/lighterage/lighterage/internal/fault"
	"github.com/lighterage/lighterage/internal/meta"
	"github.com/lighterage/lighterage/internal/name"
)

// The bounds of uploads in memory.
const (
	inlineMax    = 128 << 10 // a body up to here never becomes a file
	bufferBudget = 32 << 20  // bytes of all bodies buffered at once
	sessionsMax  = 10_000    // above, an upload begins as a row
	stallAfter   = 10 * time.Second
	checkpointAt = 64 << 20 // bytes between checkpoints of one long stream
)

// session is an upload that this process works on. Small bodies live in buf
// until they are finished; larger ones at a location that a committed row
// names. It leaves memory when it is finished, or parked for lack of use.
type session struct {
	id   name.UploadID
	key  RepositoryKey
	turn chan struct{} // holds one token while nobody has the lease

	mu     sync.Mutex // guards what follows; held during every step of I/O
	holder int64      // grows with each lease: a step of an older one fails
	used   time.Time  // last step, or end of a lease
	gone   bool       // finished, cancelled, parked or lost
	row    meta.Upload
	tried  bool // to store the row: there may be one, whatever the answer was
	stored bool // the row is in the store
	// abandoned is the location that the row names and that a spill that
	// failed may have left bytes at.
	abandoned name.Location
	hasher    *digest.Hasher
	buf       []byte
	out       blob.Upload // open while bytes go to the location
	sealed    bool
	noted     int64 // offset of the last checkpoint
	release   func(int)
}

// sessions is the set of uploads in memory.
type sessions struct {
	mu       sync.Mutex
	byID     map[name.UploadID]*session
	buffered int // bytes, of bufferBudget
}

func newSessions() *sessions { return &sessions{byID: map[name.UploadID]*session{}} }

func (u *sessions) get(id name.UploadID) *session {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.byID[id]
}

// add keeps s, or returns the session that was there first. False: no room.
func (u *sessions) add(s *session) (*session, bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if first, ok := u.byID[s.id]; ok {
		return first, true
	}
	if len(u.byID) >= sessionsMax {
		return nil, false
	}
	s.release = u.free
	u.byID[s.id] = s
	return s, true
}

func (u *sessions) remove(s *session) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.byID[s.id] == s {
		delete(u.byID, s.id)
	}
}

func (u *sessions) all() []*session {
	u.mu.Lock()
	defer u.mu.Unlock()
	out := make([]*session, 0, len(u.byID))
	for _, s := range u.byID {
		out = append(out, s)
	}
	return out
}

// reserve takes n bytes of the buffer budget; false when it is used up.
func (u *sessions) reserve(n int) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.buffered+n > bufferBudget {
		return false
	}
	u.buffered += n
	return true
}

func (u *sessions) free(n int) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.buffered -= n
}

// dropRepository ends the sessions of a repository that was deleted; their
// rows go with the repository. A session is added before its repository is
// read, so that none is missed.
func (u *sessions) dropRepository(key RepositoryKey, id meta.RepositoryID) {
	for _, s := range u.all() {
		if s.key != key {
			continue
		}
		s.mu.Lock()
		if s.row.Repository == id {
			s.end()
			u.remove(s)
		}
		s.mu.Unlock()
	}
}

// end closes the session; mu is held.
func (s *session) end() {
	if s.out != nil {
		s.out.Close()
		s.out = nil
	}
	if s.buf != nil && s.release != nil {
		s.release(len(s.buf))
	}
	s.buf, s.gone = nil, true
}

// lease is the right to work on a session. Whoever takes it over makes every
// later step of the former holder fail.
type lease struct {
	*session
	number int64
	clock  func() time.Time
}

// step runs fn with the session locked, if the lease still holds.
func (l *lease) step(fn func() error) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.gone || l.holder != l.number {
		return uploadFault(fault.UploadNotFound, l.key, l.id)
	}
	l.used = l.clock()
	return fn()
}

// yield gives the lease back, unless it was taken over. Rest begins here: who
// waited through a long silence of the stream need not take over any more.
func (l *lease) yield() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.holder == l.number {
		l.used = l.clock()
		l.turn <- struct{}{}
	}
}

func uploadFault(r fault.Reason, key RepositoryKey, id name.UploadID) *fault.Error {
	f := repositoryFault(r, key)
	f.Upload = string(id)
	return f
}

// lease waits for the session's turn, or takes it over from a holder that has
// made no step for stallAfter: a client that lost its connection must be able
// to go on.
func (c *Catalogue) lease(ctx context.Context, key RepositoryKey, id name.UploadID) (*lease, error) {
	for {
		s, err := c.session(ctx, key, id)
		if err != nil {
			return nil, err
		}
		l, err := s.wait(ctx, key, c.Clock)
		if err != nil || l != nil {
			return l, err
		}
	}
}

// wait returns a lease, or nil if the session is gone. An upload of another
// repository, or past its time, is unknown.
func (s *session) wait(ctx context.Context, key RepositoryKey, clock func() time.Time) (*lease, error) {
	select {
	case <-s.turn:
		return s.grant(key, clock, true)
	default:
	}
	check := time.NewTicker(stallAfter / 10)
	defer check.Stop()
	for {
		taken := false
		select {
		case <-s.turn:
			taken = true
		case <-check.C:
		case <-ctx.Done():
			return nil, &fault.Error{Reason: fault.Overloaded, Upload: string(s.id), Err: ctx.Err()}
		}
		l, err := s.grant(key, clock, taken)
		if err != errBusy {
			return l, err
		}
	}
}

var errBusy = errors.New("registry: upload is being worked on")

// grant gives a lease to who has the turn, or has waited for a holder that
// stalled. Without a lease the turn is the next one's.
func (s *session) grant(key RepositoryKey, clock func() time.Time, turn bool) (l *lease, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := clock()
	switch {
	case s.gone:
	case s.key != key, !s.row.ExpiresAt.After(now):
		err = uploadFault(fault.UploadNotFound, key, s.id)
	case turn, now.Sub(s.used) > stallAfter:
		s.holder++
		s.used = now
		return &lease{s, s.holder, clock}, nil
	default:
		return nil, errBusy
	}
	if turn {
		s.turn <- struct{}{}
	}
	return nil, err
}

// try returns a lease of a session that nobody holds and that rested for the
// given time, else nil.
func (s *session) try(clock func() time.Time, rested time.Duration) *lease {
	select {
	case <-s.turn:
	default:
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.gone || clock().Sub(s.used) < rested {
		s.turn <- struct{}{}
		return nil
	}
	s.holder++
	s.used = clock()
	return &lease{s, s.holder, clock}
}

// session finds an upload in memory or loads it from its row. Of many who ask
// for a stored upload at once one loads it; the others wait for its lock.
func (c *Catalogue) session(ctx context.Context, key RepositoryKey, id name.UploadID) (*session, error) {
	if s := c.uploads.get(id); s != nil {
		return s, nil
	}
	s := newSession(key, meta.Upload{ID: id})
	s.mu.Lock()
	defer s.mu.Unlock()
	first, ok := c.uploads.add(s)
	if !ok {
		c.makeRoom(ctx)
		if first, ok = c.uploads.add(s); !ok {
			return nil, &fault.Error{Reason: fault.Overloaded, Upload: string(id)}
		}
	}
	if first != s {
		return first, nil
	}
	if err := c.load(ctx, s); err != nil {
		c.forget(s)
		return nil, err
	}
	return s, nil
}

func newSession(key RepositoryKey, row meta.Upload) *session {
	s := &session{id: row.ID, key: key, row: row, turn: make(chan struct{}, 1), used: row.CreatedAt}
	s.turn <- struct{}{}
	return s
}

// load takes a stored upload over from whoever worked on it, and continues it
// where its row says that it stands; mu is held.
func (c *Catalogue) load(ctx context.Context, s *session) error {
	var row meta.Upload
	err := c.Meta.Update(ctx, func(tx meta.Tx) error {
		r, err := live(tx, s.key, meta.NoLock)
		if err != nil {
			return err
		}
		row, err = tx.FenceUpload(s.id)
		if errors.Is(err, meta.ErrNotFound) || err == nil && row.Repository != r.ID {
			return uploadFault(fault.UploadNotFound, s.key, s.id)
		}
		return err
	})
	if err != nil {
		return storeFault(s.key, err)
	}
	if !row.ExpiresAt.After(c.Clock()) {
		return uploadFault(fault.UploadNotFound, s.key, s.id)
	}
	s.row, s.tried, s.stored, s.noted = row, true, true, row.Offset
	return c.reopen(ctx, s)
}

// reopen opens the hash and the location of a row. What was written without a
// sync before the machine's last boot is hashed again.
func (c *Catalogue) reopen(ctx context.Context, s *session) error {
	hasher, err := digest.ResumeHasher(s.row.HashState)
	if err != nil || s.row.Offset > 0 && s.row.BootID != c.BootID {
		if hasher, err = c.rehash(ctx, s, algorithmOf(hasher)); err != nil {
			return err
		}
	}
	s.hasher, s.used = hasher, c.Clock()
	if s.row.Location == "" {
		return nil
	}
	s.out, err = c.Blobs.Resume(ctx, s.row.Location, s.row.Offset, s.row.BlobState)
	// ErrClosed: sealed by a process that did not live to commit.
	if errors.Is(err, blob.ErrNotFound) || errors.Is(err, blob.ErrClosed) {
		return uploadFault(fault.UploadNotFound, s.key, s.id)
	}
	return storeFault(s.key, err)
}

func algorithmOf(h *digest.Hasher) digest.Algorithm {
	if h == nil {
		return digest.SHA256
	}
	return h.Algorithm()
}
