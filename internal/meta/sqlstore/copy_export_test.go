package sqlstore

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/lighterage/lighterage/internal/meta"
)

// CopiedTable is what a copy believes of a table, or a schema says.
type CopiedTable struct {
	Name    string
	Key     []string
	Serial  bool
	Parents []string
}

// Copied is the tables that are copied, in their order.
func Copied() (all []CopiedTable) {
	for _, c := range copied {
		all = append(all, CopiedTable{Name: c.name, Key: c.key, Serial: c.serial})
	}
	return all
}

// NotCopied is the reason why a table is not copied; empty: there is none.
func NotCopied(table string) string { return notCopied[table] }

// Schema asks the database for its tables.
func Schema(s *Store) (map[string]CopiedTable, error) {
	tables := map[string]CopiedTable{}
	err := s.engine.view(context.Background(), func(t *tx) error {
		names := `SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%'`
		if t.isPostgres() {
			names = `SELECT CAST(table_name AS TEXT) FROM information_schema.tables WHERE table_schema = current_schema()`
		}
		var all []string
		if err := t.rows(func(r *row) { all = append(all, r.text(0)) }, names); err != nil {
			return err
		}
		for _, table := range all {
			c := CopiedTable{Name: table}
			key := `SELECT name FROM pragma_table_info(?1) WHERE pk > 0 ORDER BY pk`
			parents := `SELECT DISTINCT "table" FROM pragma_foreign_key_list(?1)`
			serial := `SELECT 1 FROM sqlite_master WHERE name = ?1 AND sql LIKE '%AUTOINCREMENT%'`
			if t.isPostgres() {
				key = `SELECT CAST(a.attname AS TEXT) FROM pg_index i JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey)
					WHERE i.indisprimary AND i.indrelid = CAST(CAST(?1 AS TEXT) AS regclass) ORDER BY array_position(i.indkey, a.attnum)`
				parents = `SELECT DISTINCT CAST(c.confrelid::regclass AS TEXT) FROM pg_constraint c WHERE c.contype = 'f' AND c.conrelid = CAST(CAST(?1 AS TEXT) AS regclass)`
				serial = `SELECT 1 FROM information_schema.columns WHERE table_schema = current_schema() AND table_name = ?1 AND is_identity = 'YES'`
			}
			err := t.rows(func(r *row) { c.Key = append(c.Key, r.text(0)) }, key, table)
			if err == nil {
				err = t.rows(func(r *row) { c.Parents = append(c.Parents, r.text(0)) }, parents, table)
			}
			if err == nil {
				c.Serial, err = t.has(serial, table)
			}
			if err != nil {
				return fmt.Errorf("%s: %w", table, err)
			}
			tables[table] = c
		}
		return nil
	})
	return tables, err
}

// FillAll puts rows into every table of an SQLite store that is copied, of
// whatever their columns take, foreign keys included. The last id that was drawn
// for an image is 50,000.
func FillAll(s *Store, rows int) error {
	return s.engine.update(context.Background(), func(t *tx) error {
		for _, c := range copied {
			if slices.Equal(c.key, []string{"one"}) {
				continue
			}
			columns, values := []string{}, []string{}
			err := t.rows(func(r *row) {
				column, kind := r.text(0), r.text(1)
				columns = append(columns, column)
				switch {
				case column == "purpose":
					values = append(values, "'p' || i")
				case c.name == "blob" && column == "location":
					values = append(values, "CASE i % 3 WHEN 0 THEN 'inline:' ELSE 'file:' || i END")
				case kind == "BLOB" && r.int(2) == 0:
					values = append(values, "CASE i % 3 WHEN 0 THEN NULL ELSE CAST(x'01ff00' || i AS BLOB) END")
				case kind == "BLOB" && column == "digest":
					values = append(values, "CAST(x'01' || printf('%032d', i) AS BLOB)")
				case kind == "BLOB":
					values = append(values, "CAST(CASE i % 7 WHEN 0 THEN x'' ELSE x'00ff80' || i END AS BLOB)")
				case kind == "TEXT" && (column == "account" || c.name == "account" && column == "id"):
					values = append(values, "printf('%012d', i)")
				case kind == "TEXT":
					values = append(values, "CASE i % 5 WHEN 1 THEN 'ü' ELSE '' END || i")
				default:
					values = append(values, "i")
				}
			}, `SELECT name, type, "notnull" OR pk FROM pragma_table_info(?1)`, c.name)
			if err != nil {
				return err
			}
			sql := "WITH RECURSIVE n (i) AS (SELECT 1000 UNION ALL SELECT i + 1 FROM n WHERE i < ?1) INSERT INTO " + c.name +
				" (" + strings.Join(columns, ", ") + ") SELECT " + strings.Join(values, ", ") + " FROM n"
			if _, err := t.exec(sql, 1000+rows-1); err != nil {
				return fmt.Errorf("fill %s: %w", c.name, err)
			}
		}
		_, err := t.exec(`UPDATE sqlite_sequence SET seq = 50000 WHERE name = 'image'`)
		return err
	})
}

// LastIDs is the last id that was drawn for each table.
func LastIDs(s *Store) (map[string]int64, error) {
	last := map[string]int64{}
	err := s.View(context.Background(), func(m meta.Tx) error {
		for _, c := range copied {
			if !c.serial {
				continue
			}
			n, err := m.(*tx).sequence(c.name)
			if err != nil {
				return err
			}
			last[c.name] = n
		}
		return nil
	})
	return last, err
}
