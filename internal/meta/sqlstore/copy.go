package sqlstore

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/lighterage/lighterage/internal/digest"
	"github.com/lighterage/lighterage/internal/meta"
	"github.com/lighterage/lighterage/internal/name"
)

// A copy takes all rows of one store into another, new one, of either kind of
// database. It goes through the tables with parents before children, in pages
// by key, and notes in the transaction of each page how far it came: whoever
// begins it again goes on there. Ids stay what they are.
//
// Locations of blobs are the source's until PlaceBlobs replaces them. Until
// EndCopy the target has the secret meta.Unfinished, and no server serves it.

// copiedTable is a table whose rows go along.
type copiedTable struct {
	name   string
	key    []string // the primary key
	serial bool     // the database draws its ids
	wide   bool     // a row may have megabytes
	where  string   // of the rows that go along; empty: all
	differ []string // columns that are the target's own in the end
}

// ownSecrets are those that are not of the content, but of the one store.
var ownSecrets = []string{meta.Unfinished, meta.GarbageHold, meta.StoreWitness}

// copied is every table whose rows go along, parents first.
var copied = []copiedTable{
	{name: "access_version", key: []string{"one"}},
	{name: "secret", key: []string{"purpose"}, where: "purpose NOT IN ('" + strings.Join(ownSecrets, "', '") + "')"},
	{name: "domain", key: []string{"id"}, serial: true},
	{name: "data_key", key: []string{"id"}, serial: true},
	{name: "registry", key: []string{"id"}, serial: true},
	{name: "repository", key: []string{"id"}, serial: true},
	{name: "repository_name", key: []string{"registry_id", "name"}},
	{name: "image", key: []string{"id"}, serial: true},
	{name: "manifest", key: []string{"image_id"}, wide: true},
	{name: "image_annotation", key: []string{"image_id"}, wide: true},
	{name: "image_pull", key: []string{"image_id"}},
	{name: "image_child", key: []string{"parent_id", "child_id"}},
	{name: "tag", key: []string{"repository_id", "name"}},
	{name: "tag_history", key: []string{"id"}, serial: true},
	{name: "blob", key: []string{"id"}, serial: true, differ: []string{"location", "state"}},
	{name: "blob_bytes", key: []string{"blob_id"}, wide: true},
	{name: "layer", key: []string{"id"}, serial: true},
	{name: "image_layer", key: []string{"image_id", "layer_id"}},
	{name: "review", key: []string{"id"}, serial: true},
	{name: "usage_delta", key: []string{"id"}, serial: true},
	{name: "repository_usage", key: []string{"repository_id"}},
	{name: "service", key: []string{"id"}, serial: true},
	{name: "trash_image", key: []string{"id"}, serial: true, wide: true},
	{name: "trash_blob", key: []string{"trash_id", "blob_id"}},
	{name: "trash_repository", key: []string{"repository_id"}, wide: true},
	{name: "service_label", key: []string{"service_id", "label"}},
	{name: "registered_image", key: []string{"id"}, serial: true},
	{name: "trash_service", key: []string{"service_id"}},
	{name: "trash_registered", key: []string{"id"}},
	{name: "resource_tag", key: []string{"kind", "resource_id", "key"}},
	{name: "account", key: []string{"id"}},
	{name: "policy", key: []string{"id"}, serial: true},
	{name: "policy_version", key: []string{"policy_id", "number"}, wide: true},
	{name: "principal", key: []string{"id"}, serial: true},
	{name: "principal_use", key: []string{"principal_id"}},
	{name: "group_member", key: []string{"group_id", "user_id"}},
	{name: "access_key", key: []string{"id"}},
	{name: "access_key_use", key: []string{"key_id"}},
	{name: "attachment", key: []string{"principal_id", "arn"}},
	{name: "inline_policy", key: []string{"principal_id", "name"}, wide: true},
	{name: "oidc_provider", key: []string{"id"}, serial: true},
	{name: "repository_policy", key: []string{"repository_id"}, wide: true},
	{name: "registry_policy", key: []string{"registry_id"}, wide: true},
	{name: "account_setting", key: []string{"registry_id", "name"}},
	{name: "lifecycle_policy", key: []string{"repository_id"}, wide: true},
	{name: "lifecycle_preview", key: []string{"repository_id"}, wide: true},
	{name: "lifecycle_preview_result", key: []string{"repository_id", "position"}},
}

// notCopied is every other table, and why its rows stay.
var notCopied = map[string]string{
	"goose_db_version": "the target's own migrations",
	"schema":           "the target's own migrations",
	"store":            "BeginCopy sets it",
	"upload":           "its bytes are of no store but the source's; who pushes begins anew",
	"garbage":          "its bytes are the source's",
	"lease":            "no server of the source runs",
	"scrub":            "how far the source's bytes were checked",
}

// The bounds of a page of rows.
const (
	copyPage     = 500
	copyWidePage = 16
	copyAtOnce   = 32 // rows of one statement
)

// unfinished is the note of a copy in its target.
type unfinished struct {
	From    string          `json:"from"` // store and generation of the source
	Table   int             `json:"table"`
	Key     []string        `json:"key,omitempty"` // of the last row of Table that is copied
	Blob    meta.BlobID     `json:"blob"`          // up to which bytes are placed
	Pending []name.Location `json:"pending,omitempty"`
}

// ErrOtherContent: the target of a copy has content that is not of the copy.
var ErrOtherContent = errors.New("is not empty")

// BeginCopy makes the store the target of a copy, as the given id in the given
// generation, or finds that it is so. ErrOtherContent if it has content or is
// the target of another copy.
func (s *Store) BeginCopy(ctx context.Context, id string, generation int64) error {
	from := fmt.Sprintf("%s %d", id, generation)
	return s.engine.update(ctx, func(t *tx) error {
		note, err := t.unfinished()
		if err == nil {
			if note.From != from {
				return fmt.Errorf("%w: it is the target of another copy, which was not finished", ErrOtherContent)
			}
			return nil
		}
		if !errors.Is(err, meta.ErrNotFound) {
			return err
		}
		for _, table := range []string{"registry", "account", "blob", "secret"} {
			if found, err := t.has(`SELECT 1 FROM ` + table + ` LIMIT 1`); err != nil || found {
				return errors.Join(err, ErrOtherContent)
			}
		}
		if _, err := t.exec(`DELETE FROM access_version`); err != nil {
			return err
		}
		if err := t.change(`UPDATE store SET id = ?1, generation = ?2`, id, generation); err != nil {
			return err
		}
		return t.note(unfinished{From: from})
	})
}

// unfinished reads the note. ErrNotFound.
func (t *tx) unfinished() (unfinished, error) {
	var u unfinished
	value, err := t.Secret(meta.Unfinished)
	if err != nil {
		return u, err
	}
	return u, json.Unmarshal(value, &u)
}

func (t *tx) note(u unfinished) error {
	value, err := json.Marshal(u)
	if err != nil {
		return err
	}
	_, err = t.exec(`INSERT INTO secret (purpose, value) VALUES (?1, ?2) ON CONFLICT (purpose) DO UPDATE SET value = excluded.value`, meta.Unfinished, value)
	return err
}

// CopyRows copies what is not copied yet from one moment of the source, which
// in all calls of one copy must have the same content. told may be nil; it is
// told of the table that is copied and of the rows that this call has copied.
func CopyRows(ctx context.Context, from, to *Store, told func(table string, rows int64)) error {
	if told == nil {
		told = func(string, int64) {}
	}
	rows := int64(0)
	return from.snapshot(ctx, func(src *tx) error {
		var at unfinished
		err := to.snapshot(ctx, func(t *tx) (err error) {
			at, err = t.unfinished()
			return err
		})
		if err != nil {
			return fmt.Errorf("begin the copy: %w", err)
		}
		for ; at.Table < len(copied); at.Table, at.Key = at.Table+1, nil {
			table := copied[at.Table]
			columns, err := sameColumns(ctx, src, to, table.name)
			if err != nil {
				return err
			}
			told(table.name, rows)
			for more := true; more; told(table.name, rows) {
				if err := ctx.Err(); err != nil {
					return err
				}
				page, key, err := table.page(src, columns, at.Key)
				if err != nil {
					return fmt.Errorf("read %s: %w", table.name, err)
				}
				more = len(page) > 0
				at.Key = key
				next := at
				if !more {
					next.Table, next.Key = at.Table+1, nil
				}
				if err := to.engine.update(ctx, func(t *tx) error {
					if err := table.insert(t, columns, page); err != nil {
						return err
					}
					if !more && table.serial {
						if err := copySequence(src, t, table.name); err != nil {
							return err
						}
					}
					return t.note(next)
				}); err != nil {
					return fmt.Errorf("write %s: %w", table.name, err)
				}
				rows += int64(len(page))
			}
		}
		return copyMinBinary(ctx, src, to)
	})
}

// copyMinBinary keeps from the target those programs that the source's rows were
// too new for.
func copyMinBinary(ctx context.Context, src *tx, to *Store) error {
	needs, err := src.number(`SELECT min_binary FROM schema`)
	if err != nil {
		return err
	}
	return to.engine.update(ctx, func(t *tx) error {
		_, err := t.exec(`UPDATE schema SET min_binary = ?1 WHERE min_binary < ?1`, needs)
		return err
	})
}

// sameColumns returns the columns of a table, in order of their names.
func sameColumns(ctx context.Context, src *tx, to *Store, table string) ([]string, error) {
	have, err := src.columns(table)
	if err != nil {
		return nil, err
	}
	var want []string
	err = to.engine.view(ctx, func(t *tx) (err error) {
		want, err = t.columns(table)
		return err
	})
	if err == nil && (len(have) == 0 || !slices.Equal(have, want)) {
		err = fmt.Errorf("table %s has other columns in the target", table)
	}
	return have, err
}

func (t *tx) columns(table string) ([]string, error) {
	sql := `SELECT name FROM pragma_table_info(?1)`
	if t.isPostgres() {
		sql = `SELECT CAST(column_name AS TEXT) FROM information_schema.columns WHERE table_schema = current_schema() AND table_name = ?1`
	}
	var columns []string
	err := t.rows(func(r *row) { columns = append(columns, r.text(0)) }, sql, table)
	slices.Sort(columns)
	return columns, err
}

func (t *tx) isPostgres() bool {
	_, ok := t.session.(*postgresSession)
	return ok
}

// page reads the rows after a key, and returns the key of the last.
func (c copiedTable) page(t *tx, columns, after []string) (rows [][]any, last []string, err error) {
	limit := copyPage
	if c.wide {
		limit = copyWidePage
	}
	args := []any{}
	conditions := []string{}
	if after != nil {
		var marks []string
		for _, k := range after {
			v, err := parseKey(k)
			if err != nil {
				return nil, nil, err
			}
			args = append(args, v)
			marks = append(marks, fmt.Sprintf("?%d", len(args)))
		}
		conditions = append(conditions, "("+strings.Join(c.key, ", ")+") > ("+strings.Join(marks, ", ")+")")
	}
	args = append(args, limit)
	sql := c.selects(columns, conditions) + fmt.Sprintf(" LIMIT ?%d", len(args))
	err = t.rows(func(r *row) {
		line := make([]any, len(r.values))
		for i, v := range r.values {
			line[i] = v
		}
		rows = append(rows, line)
	}, sql, args...)
	if err != nil || len(rows) == 0 {
		return nil, after, err
	}
	for _, k := range c.key {
		last = append(last, formatKey(rows[len(rows)-1][slices.Index(columns, k)]))
	}
	return rows, last, nil
}

// selects is the query of a table's rows in the order of its key.
func (c copiedTable) selects(columns, conditions []string) string {
	if c.where != "" {
		conditions = append(conditions, c.where)
	}
	sql := "SELECT " + strings.Join(columns, ", ") + " FROM " + c.name
	if len(conditions) > 0 {
		sql += " WHERE " + strings.Join(conditions, " AND ")
	}
	return sql + " ORDER BY " + strings.Join(c.key, ", ")
}

// formatKey and parseKey keep a key's kind.
func formatKey(v any) string {
	if n, ok := v.(int64); ok {
		return "i" + strconv.FormatInt(n, 10)
	}
	return "s" + fmt.Sprint(v)
}

func parseKey(s string) (any, error) {
	if text, ok := strings.CutPrefix(s, "s"); ok {
		return text, nil
	}
	return strconv.ParseInt(strings.TrimPrefix(s, "i"), 10, 64)
}

// insert writes rows, most of them many to a statement.
func (c copiedTable) insert(t *tx, columns []string, rows [][]any) error {
	into := "INSERT INTO " + c.name + " (" + strings.Join(columns, ", ") + ") VALUES "
	for len(rows) > 0 {
		n := copyAtOnce
		if len(rows) < n {
			n = 1
		}
		var args []any
		var lines []string
		for _, row := range rows[:n] {
			marks := make([]string, len(row))
			for i, v := range row {
				args = append(args, v)
				marks[i] = fmt.Sprintf("?%d", len(args))
			}
			lines = append(lines, "("+strings.Join(marks, ", ")+")")
		}
		if _, err := t.exec(into+strings.Join(lines, ", "), args...); err != nil {
			return err
		}
		rows = rows[n:]
	}
	return nil
}

// copySequence makes the target draw no id that the source ever drew.
func copySequence(src, t *tx, table string) error {
	last, err := src.sequence(table)
	if err != nil || last == 0 {
		return err
	}
	if t.isPostgres() {
		return t.rows(func(*row) {}, `SELECT setval(pg_get_serial_sequence(?1, 'id'), ?2)`, table, last)
	}
	n, err := t.exec(`UPDATE sqlite_sequence SET seq = ?2 WHERE name = ?1`, table, last)
	if err == nil && n == 0 {
		_, err = t.exec(`INSERT INTO sqlite_sequence (name, seq) VALUES (?1, ?2)`, table, last)
	}
	return err
}

// sequence returns the last id that was drawn for a table, or at least one
// below all that will be; 0: none was.
func (t *tx) sequence(table string) (int64, error) {
	sql, args := `SELECT seq FROM sqlite_sequence WHERE name = ?1`, []any{table}
	if t.isPostgres() {
		sql, args = `SELECT CASE WHEN is_called THEN last_value ELSE last_value - 1 END FROM `+table+`_id_seq`, nil
	}
	n, err := t.number(sql, args...)
	if errors.Is(err, meta.ErrNotFound) {
		return 0, nil
	}
	return n, err
}

// CopiedBlobs lists the next blobs of a target whose bytes are the source's
// still, and locations that an earlier run wrote to in vain.
func (s *Store) CopiedBlobs(ctx context.Context, limit int) (found []meta.Blob, vain []name.Location, err error) {
	err = s.engine.view(ctx, func(t *tx) error {
		at, err := t.unfinished()
		if err != nil {
			return err
		}
		vain = at.Pending
		found, err = t.blobsAfter(at.Blob, limit)
		return err
	})
	return found, vain, err
}

// PendingBlobs notes locations that are written to next, in the place of those
// that were noted before.
func (s *Store) PendingBlobs(ctx context.Context, at []name.Location) error {
	return s.engine.update(ctx, func(t *tx) error {
		note, err := t.unfinished()
		if err != nil {
			return err
		}
		note.Pending = at
		return t.note(note)
	})
}

// PlaceBlobs records where bytes are now and what is thought of them, in
// ascending order of ids, and forgets what was pending.
func (s *Store) PlaceBlobs(ctx context.Context, placed []meta.Blob) error {
	return s.engine.update(ctx, func(t *tx) error {
		note, err := t.unfinished()
		if err != nil {
			return err
		}
		for _, b := range placed {
			if err := t.change(`UPDATE blob SET location = ?2, state = ?3 WHERE id = ?1`, b.ID, b.Location, b.State); err != nil {
				return err
			}
			note.Blob = b.ID
		}
		note.Pending = nil
		return t.note(note)
	})
}

// EndCopy takes the note away: the store may be served.
func (s *Store) EndCopy(ctx context.Context) error {
	return s.engine.update(ctx, func(t *tx) error {
		return t.change(`DELETE FROM secret WHERE purpose = ?1`, meta.Unfinished)
	})
}

// BlobsAfter lists blobs by id, those with bytes in the catalogue left out.
func (s *Store) BlobsAfter(ctx context.Context, after meta.BlobID, limit int) (found []meta.Blob, err error) {
	err = s.engine.view(ctx, func(t *tx) (err error) {
		found, err = t.blobsAfter(after, limit)
		return err
	})
	return found, err
}

func (t *tx) blobsAfter(after meta.BlobID, limit int) ([]meta.Blob, error) {
	var found []meta.Blob
	err := t.rows(func(r *row) {
		found = append(found, meta.Blob{
			ID: meta.BlobID(r.int(0)), Domain: r.int(1), Digest: r.digest(2), Size: r.int(3), Location: name.Location(r.text(4)), State: meta.BlobState(r.int(5)),
		})
	}, `SELECT id, domain, digest, size, location, state FROM blob WHERE id > ?1 AND location <> ?2 ORDER BY id LIMIT ?3`, after, meta.Inline, limit)
	return found, err
}

// HasBlob reports whether the catalogue has a blob of the digest.
func (s *Store) HasBlob(ctx context.Context, domain int64, d digest.Digest) (found bool, err error) {
	err = s.engine.view(ctx, func(t *tx) (err error) {
		found, err = t.has(`SELECT 1 FROM blob WHERE domain = ?1 AND digest = ?2 AND location <> ?3`, domain, d, meta.Inline)
		return err
	})
	return found, err
}

// Identity returns what the store calls itself.
func (s *Store) Identity(ctx context.Context) (id string, generation int64, err error) {
	err = s.engine.view(ctx, func(t *tx) (err error) {
		id, generation, err = t.Identity()
		return err
	})
	return id, generation, err
}

// snapshot runs fn once over one moment of the store, however long it takes.
func (s *Store) snapshot(ctx context.Context, fn func(*tx) error) error {
	s.gate.RLock()
	defer s.gate.RUnlock()
	if err := s.ready(ctx); err != nil {
		return err
	}
	e, ok := s.engine.(*postgresEngine)
	if !ok {
		return s.engine.view(ctx, fn)
	}
	conn, end, err := e.conn(ctx)
	if err != nil {
		return err
	}
	defer end()
	open, err := conn.BeginTx(ctx, &sql.TxOptions{Isolation: sql.LevelRepeatableRead, ReadOnly: true})
	if err != nil {
		return translatePostgres("BEGIN", err)
	}
	defer open.Rollback() // nothing was changed
	if _, err := open.ExecContext(ctx, "SET LOCAL idle_in_transaction_session_timeout = 0"); err != nil {
		return translatePostgres("SET", err)
	}
	return fn(&tx{session: &postgresSession{engine: e, ctx: ctx, tx: open}})
}
