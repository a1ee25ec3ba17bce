package sqlstore

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/pressly/goose/v3"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/lighterage/lighterage/internal/meta"
)

const (
	readers = 8
	// pageSize favours the bytes of small blobs, which lie in a row each.
	pageSize = 8192
	// busyTimeout is for locks of other processes: a backup, a shell.
	busyTimeout = 10 * time.Second
	// lastBusyTimeout is for the same at the end.
	lastBusyTimeout = time.Second
)

// sqliteEngine has one writer, a pool of readers and a checkpointer, each with
// a connection of its own.
type sqliteEngine struct {
	db         *sql.DB
	writer     *writer
	readers    *readerPool
	checkpoint *checkpointer
	log        *slog.Logger

	mu    sync.Mutex
	conns []*sqliteConn
}

// OpenSQLite opens the database file, makes it if it is not there, and brings
// its schema up to date.
func OpenSQLite(ctx context.Context, path string, o Options) (*Store, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	dsn := "file:" + (&url.URL{Path: path}).EscapedPath() +
		fmt.Sprintf("?_pragma=busy_timeout(%d)&_pragma=foreign_keys(1)&_pragma=synchronous(2)&_pragma=wal_autocheckpoint(0)", busyTimeout.Milliseconds())
	db, err := sql.Open("sqlite", dsn)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	db.SetMaxIdleConns(-1) // the connections in use are held; no others are kept
	e := &sqliteEngine{db: db, log: o.logger()}
	e.readers = newReaderPool(func(ctx context.Context) (*reader, error) {
		c, err := e.conn(ctx, o, "PRAGMA query_only = 1", "PRAGMA cache_size = -2048")
		return &reader{c}, err
	})
	if err := e.open(ctx, o); err != nil {
		return nil, errors.Join(fmt.Errorf("open %s: %w", path, err), e.close())
	}
	return newStore(e), nil
}

func (e *sqliteEngine) open(ctx context.Context, o Options) error {
	// The size of pages is chosen before the file has its first.
	first, err := e.conn(ctx, o, "PRAGMA page_size = "+fmt.Sprint(pageSize), "PRAGMA journal_mode = WAL", "PRAGMA journal_size_limit = 67108864", "PRAGMA cache_size = -8192", "PRAGMA temp_store = MEMORY")
	if err != nil {
		return err
	}
	if err := migrate(ctx, e.db, goose.DialectSQLite3, "sqlite"); err != nil {
		return err
	}
	last, err := e.conn(ctx, o)
	if err != nil {
		return err
	}
	e.checkpoint = startCheckpointer(last, o)
	e.writer = startWriter(first, e.checkpoint, o)
	return nil
}

// sqliteConn is a connection with its prepared statements.
type sqliteConn struct {
	conn    *sql.Conn
	session *sqliteSession
}

func (e *sqliteEngine) conn(ctx context.Context, o Options, pragmas ...string) (*sqliteConn, error) {
	conn, err := e.db.Conn(ctx)
	if err != nil {
		return nil, err
	}
	for _, pragma := range pragmas {
		if _, err := conn.ExecContext(ctx, pragma); err != nil {
			return nil, errors.Join(fmt.Errorf("%s: %w", pragma, err), conn.Close())
		}
	}
	c := &sqliteConn{conn, &sqliteSession{clock: o.Clock, statements: map[string]driver.Stmt{}}}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.conns = append(e.conns, c)
	return c, nil
}

// use runs fn while the session may run statements. The statements live in the
// driver and skip the conversions of database/sql, which cost as much as the
// statement itself.
func (c *sqliteConn) use(fn func(*sqliteSession) error) error {
	return c.conn.Raw(func(raw any) error {
		c.session.conn = raw.(driver.ConnPrepareContext)
		return fn(c.session)
	})
}

func (e *sqliteEngine) update(ctx context.Context, fn func(*tx) error) error {
	return e.writer.update(ctx, fn)
}

// moment counts the beginnings and ends of commits. Between the two some readers
// see what is committed and others do not yet.
func (e *sqliteEngine) moment() (int64, bool) {
	m := e.writer.commits.Load()
	return m, m%2 == 0
}

func (e *sqliteEngine) view(ctx context.Context, fn func(*tx) error) error {
	r, err := e.readers.take(ctx)
	if err != nil {
		return err
	}
	defer e.readers.put(r)
	return r.view(fn)
}

func (e *sqliteEngine) look(ctx context.Context, fn func(*tx) error) error {
	r, err := e.readers.take(ctx)
	if err != nil {
		return err
	}
	defer e.readers.put(r)
	return r.look(fn)
}

func (e *sqliteEngine) ping(ctx context.Context) error {
	return e.view(ctx, func(t *tx) error {
		_, _, err := t.Identity()
		return err
	})
}

// close leaves the whole catalogue in the one file, so that a copy of it is a
// backup. After a failed sync it leaves the log as it is, because to sync again
// would only seem to succeed.
func (e *sqliteEngine) close() error {
	if e.writer != nil {
		e.writer.close()
	}
	if e.checkpoint != nil {
		e.checkpoint.close()
	}
	var errs []error
	if e.writer != nil && e.writer.dead == nil && e.checkpoint.fatal.Load() == nil && e.emptyLog() {
		// Prepared statements would keep the last connection from removing the log.
		for _, c := range e.conns {
			errs = append(errs, c.use((*sqliteSession).close))
		}
	}
	for _, c := range e.conns {
		errs = append(errs, c.conn.Close())
	}
	return errors.Join(append(errs, e.db.Close())...)
}

// emptyLog copies all of the log into the database. What stays in it is not
// lost: the next start reads both.
func (e *sqliteEngine) emptyLog() bool {
	var pages int64
	err := e.writer.conn.use(func(s *sqliteSession) (err error) {
		// Whoever reads may do so for hours.
		if err := s.query(fmt.Sprintf("PRAGMA busy_timeout = %d", lastBusyTimeout.Milliseconds()), nil, func(*row) {}); err != nil {
			return err
		}
		pages, _, err = logPages(s, "TRUNCATE")
		return err
	})
	level := slog.LevelWarn
	if e.writer.groups == 0 { // an earlier process left it; a start that is refused says only why
		level = slog.LevelDebug
	}
	switch {
	case err != nil:
		e.log.Log(context.Background(), level, "what was committed last stays in the database's -wal file", "err", err)
	case pages > 0:
		e.log.Log(context.Background(), level, "what was committed last stays in the database's -wal file: another process reads the database")
	}
	return err == nil
}

// readerPool lends the readers, the last used first: its page cache and
// statements are warm. A reader is opened when all that there are are lent, so
// that a start opens one, and what few need at once stays small.
type readerPool struct {
	open  func(context.Context) (*reader, error)
	idle  chan struct{} // a token for each reader that is in the stack or not yet opened
	mu    sync.Mutex
	stack []*reader
}

func newReaderPool(open func(context.Context) (*reader, error)) *readerPool {
	p := &readerPool{open: open, idle: make(chan struct{}, readers)}
	for range readers {
		p.idle <- struct{}{}
	}
	return p
}

func (p *readerPool) take(ctx context.Context) (*reader, error) {
	select {
	case <-p.idle:
	default:
		select {
		case <-p.idle:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	if r := p.pop(); r != nil {
		return r, nil
	}
	// The connection outlives the request that is the first to need it.
	r, err := p.open(context.WithoutCancel(ctx))
	if err != nil {
		p.idle <- struct{}{}
		return nil, fmt.Errorf("%w: open a reader: %w", meta.ErrUnavailable, err)
	}
	return r, nil
}

// pop returns nil if no reader is in the stack.
func (p *readerPool) pop() *reader {
	p.mu.Lock()
	defer p.mu.Unlock()
	last := len(p.stack) - 1
	if last < 0 {
		return nil
	}
	r := p.stack[last]
	p.stack = p.stack[:last]
	return r
}

func (p *readerPool) put(r *reader) {
	p.mu.Lock()
	p.stack = append(p.stack, r)
	p.mu.Unlock()
	p.idle <- struct{}{}
}

// reader is a connection that only reads.
type reader struct{ *sqliteConn }

// look runs fn without a transaction, since one statement is a transaction by
// itself, and in one if it asks for a second.
func (r *reader) look(fn func(*tx) error) error {
	again := false
	err := r.guard(func(s *sqliteSession) error {
		single := &singleSession{sqliteSession: s}
		err := fn(&tx{session: single})
		again = single.refused
		return err
	})
	if again {
		return r.view(fn)
	}
	return err
}

// view runs fn in a transaction.
func (r *reader) view(fn func(*tx) error) error {
	return r.guard(func(s *sqliteSession) (err error) {
		if _, err := s.exec("BEGIN", nil); err != nil {
			return s.translate("", err)
		}
		defer func() {
			if _, e := s.exec("ROLLBACK", nil); e != nil && err == nil {
				err = s.translate("", e)
			}
		}()
		return fn(&tx{session: s})
	})
}

// guard uses the connection. A panic of fn reaches the caller after that.
func (r *reader) guard(fn func(*sqliteSession) error) error {
	var panicked any
	err := r.use(func(s *sqliteSession) error {
		defer func() { panicked = recover() }()
		return fn(s)
	})
	if panicked != nil {
		panic(panicked)
	}
	return err
}

// singleSession runs one statement, and refuses every further one.
type singleSession struct {
	*sqliteSession
	used, refused bool
}

var errSecond = errors.New("a second statement outside of a transaction")

func (s *singleSession) query(sql string, args []any, fn func(*row)) error {
	if s.used {
		s.refused = true
		return errSecond
	}
	s.used = true
	return s.sqliteSession.query(sql, args, fn)
}

func (s *singleSession) exec(string, []any) (int64, error) {
	s.refused = true // nothing that a view asks for
	return 0, errSecond
}

// sqliteSession runs statements on one connection. Each text is prepared once.
type sqliteSession struct {
	conn       driver.ConnPrepareContext
	statements map[string]driver.Stmt
	args       []driver.NamedValue
	clock      func() time.Time
}

func (s *sqliteSession) statement(sql string) (driver.Stmt, error) {
	if statement, ok := s.statements[sql]; ok {
		return statement, nil
	}
	statement, err := s.conn.PrepareContext(context.Background(), sql)
	if err != nil {
		return nil, fmt.Errorf("prepare %q: %w", sql, err)
	}
	s.statements[sql] = statement
	return statement, nil
}

// named fills the session's own list, because a statement is done with it
// before the next one.
func (s *sqliteSession) named(args []any) []driver.NamedValue {
	s.args = s.args[:0]
	for i, a := range args {
		s.args = append(s.args, driver.NamedValue{Ordinal: i + 1, Value: value(a)})
	}
	return s.args
}

// close ends the statements; there is no use of the session after it.
func (s *sqliteSession) close() error {
	var errs []error
	for _, statement := range s.statements {
		errs = append(errs, statement.Close())
	}
	s.statements = nil
	return errors.Join(errs...)
}

// query and exec use the background context: a statement under a context that
// can end costs a goroutine, and one that is interrupted rolls back the whole
// transaction.

func (s *sqliteSession) query(sql string, args []any, fn func(*row)) error {
	statement, err := s.statement(sql)
	if err != nil {
		return err
	}
	rows, err := statement.(driver.StmtQueryContext).QueryContext(context.Background(), s.named(args))
	if err != nil {
		return err
	}
	return each(rows, fn)
}

func (s *sqliteSession) exec(sql string, args []any) (int64, error) {
	statement, err := s.statement(sql)
	if err != nil {
		return 0, err
	}
	result, err := statement.(driver.StmtExecContext).ExecContext(context.Background(), s.named(args))
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
}

func (s *sqliteSession) now() (time.Time, error) { return s.clock(), nil }

func (s *sqliteSession) locks() bool { return false }

func (s *sqliteSession) translate(sql string, err error) error {
	sentinel := error(nil)
	code, _ := sqliteCode(err)
	switch code {
	case sqlite3.SQLITE_CONSTRAINT_UNIQUE, sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY:
		sentinel = meta.ErrExists
	case sqlite3.SQLITE_CONSTRAINT_FOREIGNKEY:
		sentinel = foreignKey(sql)
	case sqlite3.SQLITE_IOERR_SHMSIZE:
		sentinel = meta.ErrFull // no room for the index of the log
	default:
		switch code & 0xff {
		case sqlite3.SQLITE_FULL:
			sentinel = meta.ErrFull
		case sqlite3.SQLITE_IOERR, sqlite3.SQLITE_BUSY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PROTOCOL, sqlite3.SQLITE_NOMEM:
			sentinel = meta.ErrUnavailable
		}
	}
	if sentinel == nil {
		return fmt.Errorf("%s: %w", head(sql), err)
	}
	return fmt.Errorf("%w: %s: %w", sentinel, head(sql), err)
}

// sqliteCode returns the extended result code of a driver's error.
func sqliteCode(err error) (int, bool) {
	e, ok := errors.AsType[*sqlite.Error](err)
	if !ok {
		return 0, false
	}
	return e.Code(), true
}

// foreignKey tells a delete of what is kept from an insert under what is gone.
func foreignKey(sql string) error {
	if strings.HasPrefix(sql, "DELETE") {
		return meta.ErrReferenced
	}
	return meta.ErrNotFound
}

// head is the part of a statement that tells which it is.
func head(sql string) string {
	sql = strings.Join(strings.Fields(sql), " ")
	if len(sql) > 60 {
		return sql[:60] + "…"
	}
	return sql
}
