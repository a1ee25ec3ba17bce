package sqlstore_test

import (
	"context"
	"path/filepath"
	"strings"
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
			case line == "SCAN store", line == "SCAN u", line == "SCAN usage_delta": // one row; already found; the oldest few
			case strings.Contains(line, "SCAN"), strings.Contains(line, "TEMP B-TREE"):
				p.t.Errorf("%s\n%s", sql, plan)
			}
		}
	}
	return p.Store.Close()
}
