package sqlstore_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lighterage/lighterage/internal/meta"
	"github.com/lighterage/lighterage/internal/meta/metatest"
	"github.com/lighterage/lighterage/internal/meta/sqlstore"
	"github.com/lighterage/lighterage/internal/name"
)

// TestEveryTableIsCopiedOrSaidNotToBe, with its primary key and after those that
// it refers to, so that no migration can leave a move without its rows.
func TestEveryTableIsCopiedOrSaidNotToBe(t *testing.T) {
	server := metatest.StartPostgres(t)
	for kind, s := range map[string]*sqlstore.Store{
		"SQLite": openSQLite(t, filepath.Join(t.TempDir(), "a.db")), "PostgreSQL": openPostgres(t, server.NewDatabase(t)),
	} {
		t.Run(kind, func(t *testing.T) {
			defer s.Close()
			schema, err := sqlstore.Schema(s)
			if err != nil {
				t.Fatal(err)
			}
			if len(schema) < 40 {
				t.Errorf("%d tables were found", len(schema))
			}
			seen := map[string]bool{}
			for _, c := range sqlstore.Copied() {
				table, ok := schema[c.Name]
				if !ok {
					t.Errorf("%s is no table", c.Name)
				}
				if diff := cmp.Diff(table.Key, c.Key); diff != "" {
					t.Errorf("the key of %s (-schema +copy):\n%s", c.Name, diff)
				}
				if table.Serial != c.Serial {
					t.Errorf("ids of %s are drawn by the database: %t, and copied so: %t", c.Name, table.Serial, c.Serial)
				}
				for _, parent := range table.Parents {
					if !seen[parent] && parent != c.Name {
						t.Errorf("%s is copied before %s, which it refers to", c.Name, parent)
					}
				}
				seen[c.Name] = true
			}
			for table := range schema {
				why := sqlstore.NotCopied(table)
				if seen[table] == (why != "") {
					t.Errorf("%s must be either copied, or have a reason why it is not (%q)", table, why)
				}
			}
		})
	}
}

// TestACopyHasAllRows fills every table with whatever its columns take, there
// and back over both kinds of database.
func TestACopyHasAllRows(t *testing.T) {
	server := metatest.StartPostgres(t)
	first := openSQLite(t, filepath.Join(t.TempDir(), "first.db"))
	defer first.Close()
	if err := sqlstore.FillAll(first, 1500); err != nil {
		t.Fatal(err)
	}
	id, generation, err := first.Identity(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	from := first
	for _, to := range []*sqlstore.Store{openPostgres(t, server.NewDatabase(t)), openSQLite(t, filepath.Join(t.TempDir(), "last.db"))} {
		defer to.Close()
		generation++
		if err := to.BeginCopy(t.Context(), id, generation); err != nil {
			t.Fatal(err)
		}
		if err := sqlstore.CopyRows(t.Context(), from, to, nil); err != nil {
			t.Fatal(err)
		}
		rows, err := sqlstore.CompareRows(t.Context(), from, to)
		if err != nil {
			t.Fatal(err)
		}
		if want := int64(len(sqlstore.Copied())-1) * 1400; rows < want {
			t.Errorf("%d rows were compared, want %d or more", rows, want)
		}
		if err := to.EndCopy(t.Context()); err != nil {
			t.Fatal(err)
		}
		gotID, gotGeneration, err := to.Identity(t.Context())
		if err != nil || gotID != id || gotGeneration != generation {
			t.Errorf("the copy is %s %d, %v; want %s %d", gotID, gotGeneration, err, id, generation)
		}
		from = to
	}
	if _, err := sqlstore.CompareRows(t.Context(), first, from); err != nil {
		t.Errorf("there and back: %v", err)
	}
	if err := sqlstore.Exec(from, `UPDATE tag SET updated_at = updated_at + 1 WHERE name = (SELECT MAX(name) FROM tag)`); err != nil {
		t.Fatal(err)
	}
	if _, err := sqlstore.CompareRows(t.Context(), first, from); err == nil || !strings.Contains(err.Error(), "table tag ") {
		t.Errorf("one row that differs: %v", err)
	}
	for _, s := range []*sqlstore.Store{first, from} {
		last, err := sqlstore.LastIDs(s)
		if err != nil {
			t.Fatal(err)
		}
		if last["image"] != 50_000 {
			t.Errorf("the last id of an image is %d, want 50000, which was drawn and deleted", last["image"])
		}
	}
}

// TestACopyThatWasCutShortGoesOn wherever it was.
func TestACopyThatWasCutShortGoesOn(t *testing.T) {
	from := openSQLite(t, filepath.Join(t.TempDir(), "from.db"))
	defer from.Close()
	if err := sqlstore.FillAll(from, 20); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "to.db")
	cuts := 0
	for done := false; !done; cuts++ {
		to := openSQLite(t, path)
		if err := to.BeginCopy(t.Context(), "me", 2); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		calls := 0
		err := sqlstore.CopyRows(ctx, from, to, func(string, int64) {
			if calls++; calls == 5 {
				cancel()
			}
		})
		cancel()
		if done = err == nil; !done && !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
		if done {
			if _, err := sqlstore.CompareRows(t.Context(), from, to); err != nil {
				t.Error(err)
			}
			if err := to.EndCopy(t.Context()); err != nil {
				t.Error(err)
			}
		}
		if err := to.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if cuts < 10 {
		t.Errorf("it was cut %d times only", cuts)
	}
}

func TestATargetWithContentIsRefused(t *testing.T) {
	for _, tt := range []struct {
		name string
		make func(*sqlstore.Store) error
	}{
		{"an account", func(s *sqlstore.Store) error {
			return s.Update(t.Context(), func(tx meta.Tx) error { return tx.InsertAccount(meta.Account{ID: "123456789012"}) })
		}},
		{"a secret", func(s *sqlstore.Store) error { return putSecret(s, "x", 1) }},
		{"another copy", func(s *sqlstore.Store) error { return s.BeginCopy(t.Context(), "other", 2) }},
		{"another generation", func(s *sqlstore.Store) error { return s.BeginCopy(t.Context(), "me", 3) }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := openSQLite(t, filepath.Join(t.TempDir(), "a.db"))
			defer s.Close()
			if err := tt.make(s); err != nil {
				t.Fatal(err)
			}
			if err := s.BeginCopy(t.Context(), "me", 2); !errors.Is(err, sqlstore.ErrOtherContent) {
				t.Errorf("begin: %v", err)
			}
		})
	}
}

// TestASnapshotIsOneMoment while others write: of two rows that are always
// written together it has both or none.
func TestASnapshotIsOneMoment(t *testing.T) {
	server := metatest.StartPostgres(t)
	for kind, s := range map[string]*sqlstore.Store{
		"SQLite": openSQLite(t, filepath.Join(t.TempDir(), "a.db")), "PostgreSQL": openPostgres(t, server.NewDatabase(t)),
	} {
		t.Run(kind, func(t *testing.T) {
			defer s.Close()
			ctx, cancel := context.WithCancel(t.Context())
			written := make(chan error, 1)
			go func() {
				for i := 0; ; i++ {
					err := s.Update(ctx, func(tx meta.Tx) error {
						// Of tables that are read first and last.
						return errors.Join(tx.PutSecret(fmt.Sprint(i), []byte("x")), tx.InsertAccount(meta.Account{ID: name.AccountID(fmt.Sprintf("%012d", i))}))
					})
					if err != nil {
						written <- err
						return
					}
				}
			}()
			for i := range 5 {
				path := filepath.Join(t.TempDir(), fmt.Sprint(i))
				copied, err := s.Snapshot(t.Context(), path, sqlstore.Options{Clock: time.Now})
				if err != nil {
					t.Fatal(err)
				}
				rows, err := copied.RowCounts(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				if rows["secret"] != rows["account"] {
					t.Errorf("a snapshot has %d secrets and %d accounts", rows["secret"], rows["account"])
				}
				if err := copied.Close(); err != nil {
					t.Error(err)
				}
			}
			cancel()
			if err := <-written; !errors.Is(err, context.Canceled) {
				t.Errorf("writes did not go on: %v", err)
			}
		})
	}
}
