package sqlstore

import (
	"log/slog"
	"sync/atomic"
)

const (
	checkpointPages = 1024     // pages of the log from which they are copied in the background
	restartPages    = 4 * 1024 // from which the writer finishes the copy
	checkpointEvery = 8        // groups between two looks at the log
)

// checkpointer copies the log back into the database beside the writer. While
// the writer goes on it never gets to the end, so the writer, once the log is
// long, does the small rest itself between two transactions; the next
// transaction then starts the log anew.
type checkpointer struct {
	conn  *sqliteConn
	log   *slog.Logger
	wake  chan struct{}
	done  chan struct{}
	rest  atomic.Bool  // only a small rest is not copied
	fatal atomic.Value // an error after which nothing more may be synced
}

func startCheckpointer(conn *sqliteConn, o Options) *checkpointer {
	c := &checkpointer{conn: conn, log: o.logger(), wake: make(chan struct{}, 1), done: make(chan struct{})}
	go c.loop()
	return c
}

func (c *checkpointer) loop() {
	defer close(c.done)
	for range c.wake {
		err := c.conn.use(func(s *sqliteSession) error {
			_, _, err := logPages(s, "PASSIVE")
			return err
		})
		if err == nil {
			c.rest.Store(true)
			continue
		}
		c.log.Error("copy the log into the database", "err", err)
		if isSyncError(err) {
			c.fatal.Store(err)
			return
		}
	}
}

// start asks for a run; one that waits is enough.
func (c *checkpointer) start() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

func (c *checkpointer) close() {
	close(c.wake)
	<-c.done
}

// logPages runs a checkpoint of a mode and returns the pages of the log and
// how many of them are in the database.
func logPages(s *sqliteSession, mode string) (pages, copied int64, err error) {
	err = s.query("PRAGMA wal_checkpoint("+mode+")", nil, func(r *row) { pages, copied = r.int(1), r.int(2) })
	return pages, copied, err
}

// tend keeps the log short. The writer calls it between two groups.
func (w *writer) tend() {
	if failed, ok := w.checkpoint.fatal.Load().(error); ok {
		w.die(failed)
	}
	if w.groups++; w.groups%checkpointEvery != 0 && !w.checkpoint.rest.Load() || w.dead != nil {
		return
	}
	pages, copied, err := logPages(w.session, "NOOP")
	switch {
	case err != nil:
	case w.checkpoint.rest.Swap(false) && pages > restartPages:
		_, _, err = logPages(w.session, "PASSIVE")
	case pages-copied > checkpointPages:
		w.checkpoint.start()
	}
	if err == nil {
		return
	}
	w.log.Error("look at the log", "err", err)
	if isSyncError(err) {
		w.die(err)
	}
}
