package sqlstore

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/lighterage/lighterage/internal/meta"
)

// recentTime is how old a version may be that other processes may have raised.
const recentTime = 500 * time.Millisecond

// recent is the highest access version that this process knows of: from its
// own updates, and from a look into the store now and then.
type recent struct {
	start   time.Time
	version atomic.Int64
	looked  atomic.Int64  // when the last look began, since start, in nanoseconds
	turn    chan struct{} // of who looks
}

func newRecent() *recent {
	r := &recent{start: time.Now(), turn: make(chan struct{}, 1)}
	r.forget()
	return r
}

// learn takes a version that was committed.
func (r *recent) learn(version int64) {
	for {
		known := r.version.Load()
		if version <= known || r.version.CompareAndSwap(known, version) {
			return
		}
	}
}

// forget makes the next who asks look: a commit's outcome is not known.
func (r *recent) forget() { r.looked.Store(int64(-2 * recentTime)) }

func (r *recent) age() time.Duration { return time.Since(r.start) - time.Duration(r.looked.Load()) }

// RecentAccessVersion looks into the store when half of the time is over. Until
// all of it is, only one caller waits for that.
func (s *Store) RecentAccessVersion(ctx context.Context) (int64, error) {
	r := s.recent
	age := r.age()
	if age < recentTime/2 {
		return r.version.Load(), nil
	}
	select {
	case r.turn <- struct{}{}:
	default:
		if age < recentTime {
			return r.version.Load(), nil
		}
		select {
		case r.turn <- struct{}{}:
		case <-ctx.Done():
			return 0, ctx.Err()
		}
	}
	defer func() { <-r.turn }()
	if r.age() < recentTime/2 { // somebody else has looked meanwhile
		return r.version.Load(), nil
	}
	if err := s.look(ctx); err != nil && r.age() >= recentTime {
		return 0, err
	}
	return r.version.Load(), nil
}

func (s *Store) look(ctx context.Context) error {
	var version int64
	began := time.Since(s.recent.start)
	err := s.View(ctx, func(t meta.Tx) (err error) {
		version, err = t.AccessVersion()
		return err
	})
	if err != nil {
		return err
	}
	s.recent.learn(version)
	s.recent.looked.Store(int64(began))
	return nil
}

// AccessVersion reads the counter.
func (t *tx) AccessVersion() (int64, error) {
	return t.number(`SELECT version FROM access_version WHERE one = 1`)
}

// raiseAccessVersion is the last statement of a transaction that changed what
// decisions depend on: whoever holds the counter's row waits for nobody, so no
// deadlock goes through it.
func (t *tx) raiseAccessVersion() error {
	version, err := t.number(`UPDATE access_version SET version = version + 1 WHERE one = 1 RETURNING version`)
	t.raised = version
	return err
}

// execAccess, changeAccess and insertAccess are exec, change and number for
// statements that change what decisions depend on.

func (t *tx) execAccess(sql string, args ...any) (int64, error) {
	n, err := t.exec(sql, args...)
	t.access = t.access || n > 0
	return n, err
}

func (t *tx) changeAccess(sql string, args ...any) error {
	n, err := t.execAccess(sql, args...)
	if err == nil && n == 0 {
		return meta.ErrNotFound
	}
	return err
}

// insertAccess returns the id of the row that an insert has made; ErrExists
// when it made none.
func (t *tx) insertAccess(sql string, args ...any) (int64, error) {
	id, err := t.number(sql, args...)
	if err == meta.ErrNotFound {
		return 0, meta.ErrExists
	}
	t.access = true
	return id, err
}

// hold locks a row until the transaction ends. ErrNotFound. What a later
// statement then reads of the row and of what refers to it is true.
func (t *tx) hold(sql string, lock meta.Lock, of string, args ...any) error {
	return t.row(func(*row) {}, t.locked(sql, lock, of), args...)
}

// refer is an id that is NULL when it is 0.
func refer[ID ~int64](id ID) any {
	if id == 0 {
		return nil
	}
	return int64(id)
}
