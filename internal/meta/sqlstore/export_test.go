package sqlstore

import (
	"context"
	"io/fs"
	"strings"
)

// Exec runs a statement in an update of its own.
func Exec(s *Store, sql string, args ...any) error {
	return s.engine.update(context.Background(), func(t *tx) error {
		return t.session.query(sql, args, func(*row) {})
	})
}

// Plans returns how SQLite does each statement that the store has prepared.
func Plans(s *Store) map[string]string {
	plans := map[string]string{}
	explain := func(t *sqliteSession) {
		var texts []string
		for sql := range t.statements {
			if verb, _, _ := strings.Cut(sql, " "); strings.Contains("SELECT INSERT UPDATE DELETE", verb) {
				texts = append(texts, sql)
			}
		}
		for _, sql := range texts {
			_ = t.query("EXPLAIN QUERY PLAN "+sql, make([]any, 100), func(r *row) { plans[sql] += r.text(3) + "\n" })
		}
	}
	e := s.engine.(*sqliteEngine)
	for range readers {
		r, err := e.readers.take(context.Background())
		if err != nil {
			panic(err)
		}
		defer e.readers.put(r)
		_ = r.use(func(t *sqliteSession) error {
			explain(t)
			return nil
		})
	}
	_ = e.update(context.Background(), func(t *tx) error {
		explain(t.session.(*sqliteSession))
		return nil
	})
	return plans
}

// Migrations is the folder of a database's migrations.
func Migrations(folder string) fs.FS {
	sub, err := fs.Sub(migrations, "migrations/"+folder)
	if err != nil {
		panic(err)
	}
	return sub
}
