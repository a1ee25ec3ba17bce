package sqlstore

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"
)

const (
	// aloneLock is the first half of the lock's key. The second is the schema:
	// each schema of a database has a server of its own.
	aloneLock = 0x6c676874 // "lght"
	// aloneWait is how long the lock is waited for at the start: PostgreSQL
	// notes the end of a killed server a moment later.
	aloneWait = 2 * time.Second
	// aloneLook is how often the connection is asked whether it lives. One that
	// is closed is noticed at once.
	aloneLook = 5 * time.Second
	// aloneTime bounds one attempt to take the lock.
	aloneTime = 10 * time.Second
)

// ErrNotAlone: another server holds the database.
var ErrNotAlone = errors.New("is in use by another lighterage")

// errMoved: the lock was let go of between two looks; try again.
var errMoved = errors.New("the lock on the database is changing hands")

// Alone is the right to be the only server of a PostgreSQL database, an
// advisory lock that a connection of its own holds.
//
// A connection that is lost is made again in the background. Until then
// another server may take the lock; then lost is called, once, with an error
// that is ErrNotAlone, and the process must end.
type Alone struct {
	config *pgx.ConnConfig
	log    *slog.Logger
	lost   func(error)

	stop context.CancelFunc
	done chan struct{}

	conn *pgx.Conn // of the goroutine alone, once it runs
	pid  uint32    // of the latest connection that held the lock
}

// HoldPostgres takes the lock of the URL's database, and is ErrNotAlone when
// another server has it.
func HoldPostgres(ctx context.Context, url string, log *slog.Logger, lost func(error)) (*Alone, error) {
	config, err := postgresConfig(url)
	if err != nil {
		return nil, err
	}
	// A holder whose machine is gone must not hold the lock for hours.
	for name, seconds := range map[string]string{"tcp_keepalives_idle": "10", "tcp_keepalives_interval": "5", "tcp_keepalives_count": "3"} {
		config.RuntimeParams[name] = seconds
	}
	a := &Alone{config: config, log: log, lost: lost, done: make(chan struct{})}
	limit, cancel := context.WithTimeout(ctx, aloneWait)
	defer cancel()
	err = a.take(ctx)
	for attempt := 1; (errors.Is(err, ErrNotAlone) || errors.Is(err, errMoved)) && pause(limit, attempt); attempt++ {
		err = a.take(ctx)
	}
	if errors.Is(err, ErrNotAlone) {
		return nil, err
	}
	if err != nil {
		return nil, openError(config, err)
	}
	life, stop := context.WithCancel(context.WithoutCancel(ctx))
	a.stop = stop
	go a.hold(life)
	return a, nil
}

// Close lets the lock go.
func (a *Alone) Close() error {
	a.stop()
	<-a.done
	return nil
}

func (a *Alone) hold(ctx context.Context) {
	defer close(a.done)
	for {
		lost := a.watch(ctx)
		if ctx.Err() != nil {
			a.drop()
			return
		}
		a.log.Warn("the connection that holds the database for this server is lost; taking the lock again", "err", lost)
		a.drop()
		err := a.take(ctx)
		for attempt := 1; err != nil && !errors.Is(err, ErrNotAlone) && pause(ctx, min(attempt, attempts)); attempt++ {
			err = a.take(ctx)
		}
		if errors.Is(err, ErrNotAlone) {
			a.lost(err)
			return
		}
		if err == nil {
			a.log.Info("the lock on the database is taken again")
		}
	}
}

// watch returns when the connection is lost or ctx ends.
func (a *Alone) watch(ctx context.Context) error {
	for {
		if a.conn == nil {
			return ctx.Err()
		}
		look, cancel := context.WithTimeout(ctx, aloneLook)
		_, err := a.conn.WaitForNotification(look)
		waited := look.Err() != nil
		cancel()
		if err != nil && !waited || ctx.Err() != nil {
			return err
		}
		alive, cancel := context.WithTimeout(ctx, aloneLook)
		err = a.conn.Ping(alive)
		cancel()
		if err != nil {
			return err
		}
	}
}

// take connects and takes the lock. Whoever has it may be our own former
// connection, of which the server has not noticed the end: it is ended.
func (a *Alone) take(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, aloneTime)
	defer cancel()
	conn, err := pgx.ConnectConfig(ctx, a.config)
	if err != nil {
		return err
	}
	taken := false
	err = conn.QueryRow(ctx, "SELECT pg_try_advisory_lock($1, "+schemaKey+")", int32(aloneLock)).Scan(&taken)
	if err == nil && taken {
		a.conn, a.pid = conn, conn.PgConn().PID()
		return nil
	}
	if err == nil {
		err = a.explain(ctx, conn)
	}
	return errors.Join(err, closeConn(conn))
}

const schemaKey = "hashtext(coalesce(current_schema(), ''))"

// explain says who has the lock.
func (a *Alone) explain(ctx context.Context, conn *pgx.Conn) error {
	var pid uint32
	var from *string
	err := conn.QueryRow(ctx, `SELECT l.pid, host(s.client_addr) FROM pg_locks l LEFT JOIN pg_stat_activity s ON s.pid = l.pid
		WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 2 AND l.classid::bigint = $1 AND l.objid::bigint = `+schemaKey+`::bigint & 4294967295
		AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())`, int64(aloneLock)).Scan(&pid, &from)
	if errors.Is(err, pgx.ErrNoRows) {
		return errMoved
	}
	if err != nil {
		return err
	}
	if pid == a.pid {
		if _, err := conn.Exec(ctx, "SELECT pg_terminate_backend($1)", int32(pid)); err != nil {
			return err
		}
		return errMoved
	}
	who := ""
	if from != nil {
		who = " on " + *from
	}
	return fmt.Errorf("database %s of the PostgreSQL server %s:%d %w%s", a.config.Database, a.config.Host, a.config.Port, ErrNotAlone, who)
}

func (a *Alone) drop() {
	if a.conn == nil {
		return
	}
	if err := closeConn(a.conn); err != nil {
		a.log.Debug("close the connection that held the lock", "err", err)
	}
	a.conn = nil
}

// closeConn ends a connection, politely while the network lets it.
func closeConn(conn *pgx.Conn) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	return conn.Close(ctx)
}
