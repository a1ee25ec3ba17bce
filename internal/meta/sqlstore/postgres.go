package sqlstore

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"

	"github.com/lighterage/lighterage/internal/meta"
)

const (
	connections = 16
	// transactionTime bounds a transaction, whatever the network does.
	transactionTime = time.Minute
	// attempts bounds the runs of one update; attemptsForeign those that lost
	// a row they refer to, which a second look mostly explains.
	attempts        = 8
	attemptsForeign = 3
	// settleTime is how long the outcome of a lost COMMIT is asked for.
	settleTime = 5 * time.Second
	// migrationLock is the key of the advisory lock around migrations.
	migrationLock = 0x6c696768746572 // "lighter"
)

// postgresEngine runs transactions on a pool of connections. Updates are READ
// COMMITTED and lock the rows that they decide by; views see one snapshot.
type postgresEngine struct {
	db    *sql.DB
	log   *slog.Logger
	texts sync.Map // SQL text → the same with $1, $2
}

// OpenPostgres connects to the database of the URL and brings its schema up to
// date. A server whose settings lose acknowledged transactions is refused.
func OpenPostgres(ctx context.Context, url string, o Options) (*Store, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	config, err := postgresConfig(url)
	if err != nil {
		return nil, err
	}
	// A replica that stalls must not hold its locks for ever.
	config.RuntimeParams["idle_in_transaction_session_timeout"] = fmt.Sprint(transactionTime.Milliseconds())
	e := &postgresEngine{db: stdlib.OpenDB(*config), log: o.logger()}
	e.db.SetMaxOpenConns(connections)
	e.db.SetMaxIdleConns(connections)
	e.db.SetConnMaxIdleTime(5 * time.Minute)
	if err := e.open(ctx, o); err != nil {
		return nil, errors.Join(openError(config, err), e.close())
	}
	return newStore(e), nil
}

// postgresConfig reads the URL; an error does not name the password.
func postgresConfig(url string) (*pgx.ConnConfig, error) {
	config, err := pgx.ParseConfig(url)
	if err != nil {
		return nil, urlError(url, err)
	}
	if config.ConnectTimeout == 0 {
		config.ConnectTimeout = 10 * time.Second
	}
	if config.RuntimeParams["application_name"] == "" {
		config.RuntimeParams["application_name"] = "lighterage"
	}
	return config, nil
}

func (e *postgresEngine) open(ctx context.Context, o Options) error {
	conn, err := e.db.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	for _, setting := range []string{"fsync", "synchronous_commit"} {
		var state string
		if err := conn.QueryRowContext(ctx, "SHOW "+setting).Scan(&state); err != nil {
			return err
		}
		if state == "off" && !o.AllowUnsafePostgres {
			return fmt.Errorf("the server runs with %s=off and would lose what it acknowledged", setting)
		}
	}
	if _, err := conn.ExecContext(ctx, "SELECT pg_advisory_lock($1)", migrationLock); err != nil {
		return fmt.Errorf("lock migrations: %w", err)
	}
	err = migrate(ctx, e.db, goose.DialectPostgres, "postgres")
	if _, e := conn.ExecContext(context.WithoutCancel(ctx), "SELECT pg_advisory_unlock($1)", migrationLock); err == nil && e != nil {
		err = fmt.Errorf("unlock migrations: %w", e)
	}
	return err
}

func (e *postgresEngine) close() error { return e.db.Close() }

// moment: other servers may write to the database.
func (e *postgresEngine) moment() (int64, bool) { return 0, false }

func (e *postgresEngine) ping(ctx context.Context) error {
	if _, err := e.db.ExecContext(ctx, "SELECT id FROM store"); err != nil {
		return fmt.Errorf("%w: %w", meta.ErrUnavailable, err)
	}
	return nil
}

// look is view: whoever asks another process has other costs.
func (e *postgresEngine) look(ctx context.Context, fn func(*tx) error) error { return e.view(ctx, fn) }

func (e *postgresEngine) view(ctx context.Context, fn func(*tx) error) error {
	for attempt := 1; ; attempt++ {
		err, again := e.viewOnce(ctx, fn)
		if !again || attempt == attempts || !pause(ctx, attempt) {
			return err
		}
	}
}

func (e *postgresEngine) viewOnce(ctx context.Context, fn func(*tx) error) (err error, again bool) {
	conn, end, err := e.conn(ctx)
	if err != nil {
		return err, false
	}
	defer end()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), transactionTime)
	defer cancel()
	open, err := conn.BeginTx(ctx, &sql.TxOptions{Isolation: sql.LevelRepeatableRead, ReadOnly: true})
	if err != nil {
		return translatePostgres("BEGIN", err), isLost(err)
	}
	defer open.Rollback() // also when fn panics; nothing is lost by it
	t := &tx{session: &postgresSession{engine: e, ctx: ctx, tx: open}}
	err = fn(t)
	return err, t.failed != nil && mayRunAgain(t.failed, 1)
}

func (e *postgresEngine) update(ctx context.Context, fn func(*tx) error) error {
	for attempt := 1; ; attempt++ {
		err, again := e.updateOnce(ctx, fn, attempt)
		if !again || attempt == attempts || !pause(ctx, attempt) {
			return err
		}
	}
}

// updateOnce reports, of an error, whether it is proven that nothing was
// stored and another run may succeed.
func (e *postgresEngine) updateOnce(ctx context.Context, fn func(*tx) error, attempt int) (err error, again bool) {
	conn, end, err := e.conn(ctx)
	if err != nil {
		return err, false
	}
	defer end()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), transactionTime)
	defer cancel()
	open, err := conn.BeginTx(ctx, nil)
	if err != nil {
		return translatePostgres("BEGIN", err), isLost(err)
	}
	defer open.Rollback() // after COMMIT it does nothing
	s := &postgresSession{engine: e, ctx: ctx, tx: open}
	if err := s.start(); err != nil {
		return translatePostgres("BEGIN", err), isLost(err)
	}
	t := &tx{session: s, writes: true}
	if err := fn(t); err != nil {
		return err, t.failed != nil && mayRunAgain(t.failed, attempt)
	}
	if err := open.Commit(); err != nil {
		if isRefused(err) {
			return translatePostgres("COMMIT", err), mayRunAgain(err, attempt)
		}
		return e.settle(ctx, s.id, err)
	}
	return nil, false
}

// conn takes a connection; only this wait obeys the caller's context.
func (e *postgresEngine) conn(ctx context.Context) (*sql.Conn, func(), error) {
	conn, err := e.db.Conn(ctx)
	if err != nil {
		if ctx.Err() != nil {
			return nil, nil, ctx.Err()
		}
		return nil, nil, fmt.Errorf("%w: %w", meta.ErrUnavailable, err)
	}
	return conn, func() {
		if err := conn.Close(); err != nil {
			e.log.Debug("give a connection back", "err", err)
		}
	}, nil
}

// settle asks what became of a transaction whose COMMIT was not answered.
func (e *postgresEngine) settle(ctx context.Context, id string, cause error) (err error, again bool) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), settleTime)
	defer cancel()
	for attempt := 1; ; attempt++ {
		var status sql.NullString
		err := e.db.QueryRowContext(ctx, "SELECT pg_xact_status(CAST(CAST($1 AS TEXT) AS xid8))", id).Scan(&status)
		switch {
		case err == nil && status.String == "committed":
			return nil, false
		case err == nil && status.String == "aborted":
			return fmt.Errorf("%w: COMMIT: %w", meta.ErrUnavailable, cause), true
		}
		if !pause(ctx, attempt) {
			e.log.Error("the outcome of a commit is not known", "transaction", id, "err", cause, "status", status.String)
			return fmt.Errorf("%w: %w", meta.ErrInDoubt, cause), false
		}
	}
}

// pause waits a little longer each time, and not in step with others. It
// returns false when the context has ended.
func pause(ctx context.Context, attempt int) bool {
	most := min(5*time.Millisecond<<attempt, 500*time.Millisecond)
	timer := time.NewTimer(most/2 + rand.N(most/2))
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// postgresSession runs statements in one open transaction. Its context is not
// a request's: it only bounds the transaction.
type postgresSession struct {
	engine *postgresEngine
	ctx    context.Context
	tx     *sql.Tx
	id     string
	time   time.Time
}

const clockSQL = `CAST(floor(extract(epoch FROM now()) * 1000) AS BIGINT)`

// start learns the transaction's id, by which its outcome can be asked for,
// and its time.
func (s *postgresSession) start() error {
	var ms int64
	if err := s.tx.QueryRowContext(s.ctx, `SELECT CAST(pg_current_xact_id() AS TEXT), `+clockSQL).Scan(&s.id, &ms); err != nil {
		return err
	}
	s.time = time.UnixMilli(ms)
	return nil
}

func (s *postgresSession) now() (time.Time, error) {
	if s.time.IsZero() {
		var ms int64
		if err := s.tx.QueryRowContext(s.ctx, `SELECT `+clockSQL).Scan(&ms); err != nil {
			return time.Time{}, err
		}
		s.time = time.UnixMilli(ms)
	}
	return s.time, nil
}

func (s *postgresSession) locks() bool { return true }

func (s *postgresSession) exec(sql string, args []any) (int64, error) {
	result, err := s.tx.ExecContext(s.ctx, s.engine.text(sql), values(args)...)
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
}

func (s *postgresSession) query(sql string, args []any, fn func(*row)) error {
	rows, err := s.tx.QueryContext(s.ctx, s.engine.text(sql), values(args)...)
	if err != nil {
		return err
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		return err
	}
	r := row{values: make([]driver.Value, len(columns))}
	to := make([]any, len(columns))
	for i := range to {
		to[i] = (*any)(&r.values[i])
	}
	for rows.Next() {
		if err := rows.Scan(to...); err != nil {
			return err
		}
		fn(&r)
	}
	return rows.Err()
}

func (s *postgresSession) translate(sql string, err error) error { return translatePostgres(sql, err) }

func values(args []any) []any {
	to := make([]any, len(args))
	for i, a := range args {
		to[i] = value(a)
	}
	return to
}

// text returns a statement in PostgreSQL's spelling of parameters. No literal
// of ours has a question mark.
func (e *postgresEngine) text(sql string) string {
	if text, ok := e.texts.Load(sql); ok {
		return text.(string)
	}
	text := strings.ReplaceAll(sql, "?", "$")
	e.texts.Store(sql, text)
	return text
}

func translatePostgres(sql string, err error) error {
	sentinel := error(nil)
	if p, ok := errors.AsType[*pgconn.PgError](err); ok {
		switch p.Code {
		case "23505":
			sentinel = meta.ErrExists
		case "23503":
			sentinel = foreignKey(sql)
		case "53100":
			sentinel = meta.ErrFull
		case "40001", "40P01", "55P03", "25006": // lost a race, a lock, or the primary
			sentinel = meta.ErrUnavailable
		default:
			switch p.Code[:2] {
			case "08", "53", "57", "58":
				sentinel = meta.ErrUnavailable
			}
		}
	} else if isLost(err) {
		sentinel = meta.ErrUnavailable
	}
	if sentinel == nil {
		return fmt.Errorf("%s: %w", head(sql), err)
	}
	return fmt.Errorf("%w: %s: %w", sentinel, head(sql), err)
}

// isRefused reports whether the server answered that it has rolled back. An
// answer that ends the connection does not say so.
func isRefused(err error) bool {
	p, ok := errors.AsType[*pgconn.PgError](err)
	return ok && p.SeverityUnlocalized == "ERROR" || errors.Is(err, pgx.ErrTxCommitRollback)
}

// isLost reports whether the connection failed, and not a statement.
func isLost(err error) bool {
	if p, ok := errors.AsType[*pgconn.PgError](err); ok {
		return p.SeverityUnlocalized == "FATAL" || p.SeverityUnlocalized == "PANIC"
	}
	var network net.Error
	return errors.As(err, &network) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) ||
		errors.Is(err, driver.ErrBadConn) || errors.Is(err, net.ErrClosed) || errors.Is(err, context.DeadlineExceeded) ||
		pgconn.SafeToRetry(err) // nothing was sent, because the connection was known to be closed
}

// mayRunAgain reports whether a transaction that was rolled back may succeed
// when it runs again: it lost a race, or its connection before COMMIT was sent.
func mayRunAgain(err error, attempt int) bool {
	p, ok := errors.AsType[*pgconn.PgError](err)
	if !ok {
		return isLost(err) && !errors.Is(err, context.DeadlineExceeded)
	}
	switch p.Code {
	case "40001", "40P01":
		return true
	case "23503":
		return attempt < attemptsForeign
	}
	return isLost(err)
}
