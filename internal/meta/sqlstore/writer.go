package sqlstore

import (
	"context"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync/atomic"
	"time"

	sqlite3 "modernc.org/sqlite/lib"

	"github.com/lighterage/lighterage/internal/meta"
)

const (
	groupCalls = 128                   // closures of one COMMIT
	groupTime  = 10 * time.Millisecond // after which a group takes no more
	commitBusy = 5                     // times that a busy COMMIT is tried, busyTimeout each
)

// writer is the only goroutine that writes to a SQLite database.
type writer struct {
	conn       *sqliteConn
	checkpoint *checkpointer
	log        *slog.Logger
	clock      func() time.Time
	fatal      func(error)

	commits atomic.Int64 // begun and ended: odd while one is under way

	queue chan *call
	stop  chan struct{}
	done  chan struct{}

	// Of the goroutine alone.
	session *sqliteSession
	dead    error
	groups  int
}

// call is a closure on its way through the writer.
type call struct {
	fn       func(*tx) error
	taken    atomic.Bool // by the writer, or by the caller who gave up
	done     chan struct{}
	err      error
	panicked any
}

func startWriter(conn *sqliteConn, c *checkpointer, o Options) *writer {
	w := &writer{
		conn: conn, checkpoint: c, log: o.logger(), clock: o.Clock, fatal: o.Fatal,
		queue: make(chan *call, 2*groupCalls), stop: make(chan struct{}), done: make(chan struct{}),
	}
	go w.loop()
	return w
}

// update hands fn to the writer. A caller who gives up while fn waits is gone;
// one whose fn was taken waits for its outcome.
func (w *writer) update(ctx context.Context, fn func(*tx) error) error {
	c := &call{fn: fn, done: make(chan struct{})}
	select {
	case w.queue <- c:
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case <-c.done:
	case <-ctx.Done():
		if c.taken.CompareAndSwap(false, true) {
			return ctx.Err()
		}
		<-c.done
	}
	if c.panicked != nil {
		panic(c.panicked)
	}
	return c.err
}

// close waits for the goroutine. Nobody may be in update.
func (w *writer) close() {
	close(w.stop)
	<-w.done
}

func (w *writer) loop() {
	defer close(w.done)
	err := w.conn.use(func(s *sqliteSession) error {
		w.session = s
		for {
			select {
			case c := <-w.queue:
				if c.taken.CompareAndSwap(false, true) {
					for _, c := range w.group(c) {
						close(c.done)
					}
					w.tend()
					w.report()
				}
			case <-w.stop:
				return nil
			}
		}
	})
	if err != nil {
		w.log.Error("the writer's connection", "err", err)
	}
}

// report tells once why the store stopped, after those who wait have their
// answers.
func (w *writer) report() {
	if w.dead != nil && w.fatal != nil {
		fatal := w.fatal
		w.fatal = nil
		fatal(w.dead)
	}
}

// next returns a closure that waits, while the group has room and time.
func (w *writer) next(size int, since time.Time) *call {
	if size >= groupCalls || w.clock().Sub(since) > groupTime {
		return nil
	}
	for {
		select {
		case c := <-w.queue:
			if c.taken.CompareAndSwap(false, true) {
				return c
			}
		default:
			return nil
		}
	}
}

// group runs closures up to one COMMIT and returns them with their outcomes.
func (w *writer) group(first *call) []*call {
	calls := []*call{first}
	if err := w.begin(); err != nil {
		first.err = err
		return calls
	}
	// The first closure needs no savepoint: before it there is nothing.
	if !w.run(first) {
		w.rollback()
		return calls
	}
	since := w.clock()
	for c := w.next(1, since); c != nil; c = w.next(len(calls), since) {
		calls = append(calls, c)
		if !w.nested(c) {
			w.alone(calls)
			return calls
		}
	}
	err, rolledBack := w.commit()
	switch {
	case err == nil:
	case rolledBack && len(calls) > 1:
		w.alone(calls)
	default:
		fail(calls, err)
	}
	return calls
}

// fail gives an error to the closures that have none of their own.
func fail(calls []*call, err error) {
	for _, c := range calls {
		if c.err == nil && c.panicked == nil {
			c.err = err
		}
	}
}

// alone runs each closure in a transaction of its own, after the one that they
// shared was lost.
func (w *writer) alone(calls []*call) {
	w.rollback()
	for _, c := range calls {
		if c.panicked != nil {
			continue
		}
		c.err = w.begin()
		if c.err != nil {
			continue
		}
		if !w.run(c) {
			w.rollback()
			continue
		}
		if err, _ := w.commit(); err != nil {
			c.err = err
		}
	}
}

// nested runs a closure in a savepoint, and reports whether the transaction is
// still open: a full disk, among others, ends it whole and silently.
func (w *writer) nested(c *call) bool {
	if _, err := w.session.exec("SAVEPOINT closure", nil); err != nil {
		return false
	}
	if !w.run(c) {
		if _, err := w.session.exec("ROLLBACK TO closure", nil); err != nil {
			return false
		}
	}
	_, err := w.session.exec("RELEASE closure", nil)
	return err == nil
}

// run runs a closure and reports whether its changes are to stay.
func (w *writer) run(c *call) bool {
	t := &tx{session: w.session, writes: true}
	ended := false
	defer func() {
		if !ended {
			// runtime.Goexit cannot be stopped here, and without its goroutine
			// every caller would wait for ever.
			panic("sqlstore: a closure ended the writer's goroutine")
		}
	}()
	func() {
		defer func() {
			if c.panicked = recover(); c.panicked != nil {
				ended = true
				w.log.Error("panic in an update", "panic", c.panicked, "stack", string(debug.Stack()))
			}
		}()
		c.err = c.fn(t)
		ended = true
	}()
	if t.failed != nil && isSyncError(t.failed) {
		w.die(t.failed)
	}
	return c.err == nil && c.panicked == nil
}

func (w *writer) begin() error {
	if w.dead != nil {
		return fmt.Errorf("%w: a commit failed: %w", meta.ErrUnavailable, w.dead)
	}
	if _, err := w.session.exec("BEGIN IMMEDIATE", nil); err != nil {
		w.rollback()
		return w.session.translate("BEGIN", err)
	}
	return nil
}

// rollback ends a transaction that may have ended by itself.
func (w *writer) rollback() {
	if _, err := w.session.exec("ROLLBACK", nil); err != nil {
		w.log.Debug("roll back", "err", err)
	}
}

// commit ends the transaction and reports, of an error, whether it is certain
// that nothing was stored.
func (w *writer) commit() (err error, rolledBack bool) {
	if w.dead != nil {
		w.rollback()
		return fmt.Errorf("%w: %w", meta.ErrUnavailable, w.dead), false
	}
	w.commits.Add(1)
	defer w.commits.Add(1)
	for range commitBusy {
		_, err = w.session.exec("COMMIT", nil)
		if code, _ := sqliteCode(err); code&0xff != sqlite3.SQLITE_BUSY {
			break
		}
	}
	if err == nil {
		return nil, true
	}
	w.rollback()
	if code, _ := sqliteCode(err); code&0xff == sqlite3.SQLITE_IOERR {
		w.die(err)
		return fmt.Errorf("%w: COMMIT: %w", meta.ErrInDoubt, err), false
	}
	return w.session.translate("COMMIT", err), true
}

// isSyncError reports whether a sync failed inside a statement, which happens
// when the cache spills into a new log.
func isSyncError(err error) bool {
	code, _ := sqliteCode(err)
	return code == sqlite3.SQLITE_IOERR_FSYNC || code == sqlite3.SQLITE_IOERR_DIR_FSYNC
}

// die stops all further work: what a failed sync has left behind is not known,
// and to sync again would only seem to succeed.
func (w *writer) die(err error) {
	if w.dead == nil {
		w.dead = err
	}
}
