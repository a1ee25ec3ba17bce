package sqlstore_test

import (
	"context"
	"path/filepath"
	"testing"
	"time"

	"github.com/lighterage/lighterage/internal/meta"
	"github.com/lighterage/lighterage/internal/meta/metatest"
	"github.com/lighterage/lighterage/internal/meta/sqlstore"
)

func TestSQLite(t *testing.T) {
	metatest.Run(t, func(t testing.TB) func(testing.TB) meta.Store {
		path := filepath.Join(t.TempDir(), "a name? with %41 #marks.db")
		return func(t testing.TB) meta.Store { return openSQLite(t, path) }
	})
}

func openSQLite(t testing.TB, path string) *sqlstore.Store {
	s, err := sqlstore.OpenSQLite(context.Background(), path, sqlstore.Options{Clock: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	return s
}
