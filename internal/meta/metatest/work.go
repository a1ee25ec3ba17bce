package metatest

import (
	"maps"
	"reflect"
	"sync"
	"sync/atomic"
	"testing"
	"unsafe"

	"modernc.org/libc"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// Work is what SQLite did for one text of a statement.
type Work struct {
	Runs int
	// Steps are instructions of SQLite's virtual machine: a few for each row
	// that was looked at, written or checked for a foreign key, on every machine
	// the same.
	Steps int
}

// Works adds up what SQLite does, by the text of the statement.
type Works struct {
	mu      sync.Mutex
	on      bool
	by      map[string]Work
	sampler func(tls *libc.TLS, event uint32, _, statement, _ uintptr) int32
}

// WatchSQLite makes a Works of all SQLite databases that are opened from now on
// until the test ends. It counts while it is switched on.
func WatchSQLite(t testing.TB) *Works {
	w := &Works{by: map[string]Work{}}
	w.sampler = w.sample
	var ended atomic.Bool
	t.Cleanup(func() { ended.Store(true) })
	// The driver keeps the hook for ever, and with it what SQLite may still call.
	sqlite.RegisterConnectionHook(func(conn sqlite.ExecQuerierContext, _ string) error {
		if !ended.Load() {
			db, tls := handles(conn)
			sampler := *(*uintptr)(unsafe.Pointer(&w.sampler))
			sqlite3.Xsqlite3_trace_v2(tls, db, sqlite3.SQLITE_TRACE_PROFILE, sampler, 0)
		}
		return nil
	})
	return w
}

// handles are SQLite's own of a connection, which the driver does not show.
func handles(conn sqlite.ExecQuerierContext) (db uintptr, tls *libc.TLS) {
	of := reflect.ValueOf(conn).Elem()
	return uintptr(of.FieldByName("db").Uint()), (*libc.TLS)(of.FieldByName("tls").UnsafePointer())
}

// sample is called at the end of each run of a statement.
func (w *Works) sample(tls *libc.TLS, _ uint32, _, statement, _ uintptr) int32 {
	steps := sqlite3.Xsqlite3_stmt_status(tls, statement, sqlite3.SQLITE_STMTSTATUS_VM_STEP, 1)
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.on {
		return 0
	}
	text := libc.GoString(sqlite3.Xsqlite3_sql(tls, statement))
	was := w.by[text]
	w.by[text] = Work{was.Runs + 1, was.Steps + int(steps)}
	return 0
}

// Count returns what is done while act runs.
func (w *Works) Count(act func()) map[string]Work {
	w.set(true)
	act()
	return w.set(false)
}

func (w *Works) set(on bool) map[string]Work {
	w.mu.Lock()
	defer w.mu.Unlock()
	was := maps.Clone(w.by)
	clear(w.by)
	w.on = on
	return was
}
