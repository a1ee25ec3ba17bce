package sqlstore_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lighterage/lighterage/internal/meta"
	"github.com/lighterage/lighterage/internal/meta/metatest"
	"github.com/lighterage/lighterage/internal/meta/sqlstore"
)

func TestSQLite(t *testing.T) {
	metatest.Run(t, func(t testing.TB) func(testing.TB) meta.Store {
		path := filepath.Join(t.TempDir(), "a name? with %41 #marks.db")
		return func(t testing.TB) meta.Store { return planned{openSQLite(t, path), t} }
	})
}

func openSQLite(t testing.TB, path string) *sqlstore.Store {
	s, err := sqlstore.OpenSQLite(context.Background(), path, sqlstore.Options{Clock: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// planned looks, when the suite is done with a store, at how its statements
// were done: none may walk a table or sort.
type planned struct {
	*sqlstore.Store
	t testing.TB
}

func (p planned) Close() error {
	plans := map[string]string{}
	if p.Ping(context.Background()) == nil {
		plans = sqlstore.Plans(p.Store)
	}
	for sql, plan := range plans {
		for _, line := range strings.Split(plan, "\n") {
			switch {
			case strings.HasPrefix(line, "SCAN registry"): // at the start: one row for each account and region
			case line == "SCAN store", line == "SCAN u", line == "SCAN usage_delta": // one row; already found; the oldest few
			case line == "SCAN CONSTANT ROW", line == "SCAN k": // no table; a page
			case strings.Contains(line, "SCAN"), strings.Contains(line, "TEMP B-TREE"):
				p.t.Errorf("%s\n%s", sql, plan)
			}
		}
	}
	return p.Store.Close()
}

// What a stop leaves is one file with everything in it.
func TestACopyOfTheOneFileIsABackup(t *testing.T) {
	dir := t.TempDir()
	path, copied := filepath.Join(dir, "meta.db"), filepath.Join(t.TempDir(), "copy.db")
	s := openSQLite(t, path)
	for i := range 300 { // with all of the readers, whose statements stay prepared
		if err := putSecret(s, fmt.Sprint(i), 10_000); err != nil {
			t.Fatal(err)
		}
	}
	var wait sync.WaitGroup
	for range 50 {
		wait.Go(func() { hasSecret(s, "0") })
	}
	wait.Wait()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	files, err := os.ReadDir(dir)
	if err != nil || len(files) != 1 {
		t.Errorf("after the stop there are %v, %v, want the one file", files, err)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(copied, b, 0o600); err != nil {
		t.Fatal(err)
	}
	c := openSQLite(t, copied)
	defer c.Close()
	for i := range 300 {
		if !hasSecret(c, fmt.Sprint(i)) {
			t.Fatalf("secret %d is not in the copy", i)
		}
	}
}

// A reader of another process keeps the log from being emptied. The stop goes
// on without, and what was committed is there at the next start.
func TestAStopBesideAForeignReaderLosesNothing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "meta.db")
	s := openSQLite(t, path)
	if err := putSecret(s, "before", 10); err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("sqlite", "file:"+path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	reading, err := db.Begin()
	if err != nil {
		t.Fatal(err)
	}
	var n int
	if err := reading.QueryRow("SELECT count(*) FROM secret").Scan(&n); err != nil || n != 1 {
		t.Fatalf("the reader sees %d, %v", n, err)
	}
	if err := putSecret(s, "after", 10); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if err := reading.Rollback(); err != nil {
		t.Fatal(err)
	}
	s = openSQLite(t, path)
	defer s.Close()
	if !hasSecret(s, "before") || !hasSecret(s, "after") {
		t.Error("what was committed is lost")
	}
}

func TestARecentAccessVersionIsNeverOld(t *testing.T) {
	path := filepath.Join(t.TempDir(), "meta.db")
	s := openSQLite(t, path)
	if _, err := s.RecentAccessVersion(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	closed := time.Now()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		_, err := s.RecentAccessVersion(t.Context())
		if errors.Is(err, meta.ErrUnavailable) {
			return
		}
		if time.Since(closed) > 2*time.Second {
			t.Fatalf("two seconds after the store has closed: %v", err)
		}
		<-tick.C
	}
}

func BenchmarkRecentAccessVersion(b *testing.B) {
	s := openSQLite(b, filepath.Join(b.TempDir(), "meta.db"))
	defer s.Close()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.RecentAccessVersion(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
}
