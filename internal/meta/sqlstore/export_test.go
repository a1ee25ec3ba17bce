package sqlstore

import (
	"context"
	"database/sql"
	"fmt"
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

// PostgresTexts are the statements that the store has run.
func PostgresTexts(s *Store) (texts []string) {
	s.engine.(*postgresEngine).texts.Range(func(key, _ any) bool {
		texts = append(texts, key.(string))
		return true
	})
	return texts
}

// PostgresPlans fills the tables, and returns as JSON how PostgreSQL does each
// of the statements if it can do it by an index.
func PostgresPlans(s *Store, texts []string) (map[string]string, error) {
	ctx := context.Background()
	e := s.engine.(*postgresEngine)
	conn, err := e.db.Conn(ctx)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	if err := fill(ctx, conn); err != nil {
		return nil, err
	}
	for _, set := range []string{
		"plan_cache_mode = force_generic_plan", "enable_seqscan = off", "enable_bitmapscan = off", "enable_sort = off",
		"enable_hashjoin = off", "enable_mergejoin = off", "jit = off",
	} {
		if _, err := conn.ExecContext(ctx, "SET "+set); err != nil {
			return nil, err
		}
	}
	plans := map[string]string{}
	for _, text := range texts {
		if plans[text], err = explain(ctx, conn, text, e.text(text)); err != nil {
			return nil, err
		}
	}
	return plans, nil
}

// fill puts rows into every table that has more than one: some of each
// repository, registry and account.
func fill(ctx context.Context, conn *sql.Conn) error {
	if _, err := conn.ExecContext(ctx, "SET session_replication_role = replica"); err != nil { // no foreign keys
		return err
	}
	rows, err := conn.QueryContext(ctx, `SELECT table_name,
		string_agg(quote_ident(column_name), ', '),
		string_agg(CASE
			WHEN column_name IN ('repository_id', 'registry_id', 'account', 'kind', 'subject', 'location', 'archived', 'tagged', 'status') THEN '(i % 100)' ELSE 'i' END ||
			CASE data_type WHEN 'bytea' THEN '::text::bytea' WHEN 'text' THEN '::text' ELSE '' END, ', ')
		FROM information_schema.columns c WHERE table_schema = 'public' AND NOT EXISTS (
			SELECT 1 FROM information_schema.columns o WHERE o.table_name = c.table_name AND o.column_name IN ('one', 'tstamp'))
		GROUP BY table_name`)
	if err != nil {
		return err
	}
	var inserts []string
	for rows.Next() {
		var table, columns, values string
		if err := rows.Scan(&table, &columns, &values); err != nil {
			return err
		}
		inserts = append(inserts, "INSERT INTO "+table+" ("+columns+") SELECT "+values+" FROM generate_series(1000, 6000) i ON CONFLICT DO NOTHING")
	}
	if err := rows.Err(); err != nil {
		return err
	}
	for _, insert := range append(inserts, "VACUUM ANALYZE") {
		if _, err := conn.ExecContext(ctx, insert); err != nil {
			return fmt.Errorf("%s: %w", insert, err)
		}
	}
	return nil
}

func explain(ctx context.Context, conn *sql.Conn, name, text string) (string, error) {
	parameters := 0
	for strings.Contains(text, fmt.Sprintf("$%d", parameters+1)) {
		parameters++
	}
	if _, err := conn.ExecContext(ctx, "PREPARE explained AS "+text); err != nil {
		return "", fmt.Errorf("%s: %w", name, err)
	}
	run := "EXPLAIN (FORMAT JSON, COSTS OFF) EXECUTE explained"
	if parameters > 0 {
		run += "(NULL" + strings.Repeat(", NULL", parameters-1) + ")"
	}
	var plan string
	if err := conn.QueryRowContext(ctx, run).Scan(&plan); err != nil {
		return "", fmt.Errorf("%s: %w", name, err)
	}
	_, err := conn.ExecContext(ctx, "DEALLOCATE explained")
	return plan, err
}
