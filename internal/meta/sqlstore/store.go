// Package sqlstore is the metadata store on SQLite and on PostgreSQL: one SQL
// text for both, one file per noun.
//
// Beside the promises of meta.Store it keeps these:
//
//  1. On SQLite one goroutine writes. Closures that wait together share one
//     COMMIT and one sync, each within a savepoint of its own; none is answered
//     before the COMMIT returned, and one that fails does not touch its
//     neighbours.
//  2. A COMMIT that fails with an I/O error on SQLite is never tried again: the
//     store stops and tells Options.Fatal.
//  3. On PostgreSQL only a proven rollback is run again; an ambiguous COMMIT is
//     settled by the transaction's status, else it is meta.ErrInDoubt.
//  4. No request's context reaches a statement.
//  5. Only ids of registries are cached, after they are committed; they never
//     change.
//
// It does not know the rules of a registry, and it does not lock the data
// directory: whoever opens a SQLite store makes sure that no other process does.
package sqlstore

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/lighterage/lighterage/internal/meta"
)

// Options is what both databases need to know.
type Options struct {
	// Clock is the time of transactions on SQLite; PostgreSQL has its own. It
	// must not be nil.
	Clock func() time.Time
	// Logger receives what no caller can be told. Nil: nothing is logged.
	Logger *slog.Logger
	// Fatal is called once when a commit failed in a way after which nobody
	// can say what is durable. The process must end; Fatal itself must not
	// wait for the store, whose writer calls it. Nil: the store only
	// refuses further work.
	Fatal func(error)
	// AllowUnsafePostgres opens a PostgreSQL server whose settings lose
	// acknowledged transactions in a crash.
	AllowUnsafePostgres bool
}

// Store is a meta.Store on an SQL database.
type Store struct {
	engine     engine
	registries *registries
	recent     *recent

	gate   sync.RWMutex // held shared by what runs; Close takes it whole
	closed bool
}

var _ meta.Store = (*Store)(nil)

// engine runs transactions on one kind of database.
type engine interface {
	view(ctx context.Context, fn func(*tx) error) error
	look(ctx context.Context, fn func(*tx) error) error
	update(ctx context.Context, fn func(*tx) error) error
	moment() (int64, bool)
	ping(ctx context.Context) error
	close() error
}

var errClosed = fmt.Errorf("%w: closed", meta.ErrUnavailable)

func newStore(e engine) *Store {
	return &Store{engine: e, registries: &registries{}, recent: newRecent()}
}

// View runs fn in a transaction that only reads.
func (s *Store) View(ctx context.Context, fn func(meta.Tx) error) error {
	s.gate.RLock()
	defer s.gate.RUnlock()
	if err := s.ready(ctx); err != nil {
		return err
	}
	return s.engine.view(ctx, func(t *tx) error {
		t.registries = s.registries
		return t.run(fn)
	})
}

// Look runs fn, which asks for one statement.
func (s *Store) Look(ctx context.Context, fn func(meta.Tx) error) error {
	s.gate.RLock()
	defer s.gate.RUnlock()
	if err := s.ready(ctx); err != nil {
		return err
	}
	return s.engine.look(ctx, func(t *tx) error {
		t.registries = s.registries
		return t.run(fn)
	})
}

// Update runs fn in a transaction that writes.
func (s *Store) Update(ctx context.Context, fn func(meta.Tx) error) error {
	s.gate.RLock()
	defer s.gate.RUnlock()
	if err := s.ready(ctx); err != nil {
		return err
	}
	var learned map[registryKey]int64
	var raised int64
	err := s.engine.update(ctx, func(t *tx) error {
		t.registries = s.registries
		err := t.run(fn)
		learned, raised = t.learned, t.raised
		return err
	})
	if errors.Is(err, meta.ErrInDoubt) {
		s.recent.forget()
	}
	if err == nil {
		s.registries.add(learned)
		s.recent.learn(raised)
	}
	return err
}

// Moment counts the commits of a SQLite store.
func (s *Store) Moment() (int64, bool) { return s.engine.moment() }

// Ping reads a row.
func (s *Store) Ping(ctx context.Context) error {
	s.gate.RLock()
	defer s.gate.RUnlock()
	if err := s.ready(ctx); err != nil {
		return err
	}
	return s.engine.ping(ctx)
}

func (s *Store) ready(ctx context.Context) error {
	if s.closed {
		return errClosed
	}
	return ctx.Err()
}

// Close waits for what runs and releases the database.
func (s *Store) Close() error {
	s.gate.Lock()
	defer s.gate.Unlock()
	if s.closed {
		return nil
	}
	s.closed = true
	return s.engine.close()
}

func (o Options) logger() *slog.Logger {
	if o.Logger == nil {
		return slog.New(slog.DiscardHandler)
	}
	return o.Logger
}

func (o Options) check() error {
	if o.Clock == nil {
		return errors.New("sqlstore: no clock")
	}
	return nil
}
