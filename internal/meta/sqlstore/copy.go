package sqlstore

import (
	"context"
	"crypto/sha256"
	"database/sql"
	bigendian "encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"slices"
	"strconv"
	"strings"

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
		return nil
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

// BlobTotals counts the blobs with bytes outside of the catalogue, and theirs.
// It reads all of them.
func (s *Store) BlobTotals(ctx context.Context) (blobs, bytes int64, err error) {
	err = s.snapshot(ctx, func(t *tx) error {
		return t.row(func(r *row) { blobs, bytes = r.int(0), r.int(1) },
			`SELECT COUNT(*), CAST(COALESCE(SUM(size), 0) AS BIGINT) FROM blob WHERE location <> ?1`, meta.Inline)
	})
	return blobs, bytes, err
}

// RowCounts counts the rows of every table that a copy takes along.
func (s *Store) RowCounts(ctx context.Context) (map[string]int64, error) {
	counts := map[string]int64{}
	err := s.snapshot(ctx, func(t *tx) error {
		for _, c := range copied {
			sql := "SELECT COUNT(*) FROM " + c.name
			if c.where != "" {
				sql += " WHERE " + c.where
			}
			n, err := t.number(sql)
			if err != nil {
				return err
			}
			counts[c.name] = n
		}
		return nil
	})
	return counts, err
}

// CompareRows reads all rows of a source and of its copy and returns how many
// they are, or which table differs.
func CompareRows(ctx context.Context, from, to *Store) (rows int64, err error) {
	err = from.snapshot(ctx, func(src *tx) error {
		return to.snapshot(ctx, func(dst *tx) error {
			for _, c := range copied {
				columns, err := sameColumns(ctx, src, to, c.name)
				if err != nil {
					return err
				}
				columns = slices.DeleteFunc(columns, func(s string) bool { return slices.Contains(c.differ, s) })
				want, err := c.sum(src, columns)
				if err != nil {
					return err
				}
				got, err := c.sum(dst, columns)
				if err != nil {
					return err
				}
				if got != want {
					return fmt.Errorf("table %s has %d rows in the source and %d in the target, or rows that differ", c.name, want.rows, got.rows)
				}
				rows += got.rows
			}
			return nil
		})
	})
	return rows, err
}

type rowsSum struct {
	rows int64
	sum  [sha256.Size]byte
}

func (c copiedTable) sum(t *tx, columns []string) (rowsSum, error) {
	h := sha256.New()
	var s rowsSum
	err := t.rows(func(r *row) {
		s.rows++
		for _, v := range r.values {
			sumValue(h, v)
		}
	}, c.selects(columns, nil))
	h.Sum(s.sum[:0])
	return s, err
}

// sumValue adds a value with its kind and length, so that no two rows look alike.
func sumValue(h hash.Hash, v any) {
	var head [9]byte
	var body []byte
	switch v := v.(type) {
	case nil:
		head[0] = 'n'
	case int64:
		head[0] = 'i'
		bigendian.BigEndian.PutUint64(head[1:], uint64(v))
	case string:
		head[0], body = 's', []byte(v)
		bigendian.BigEndian.PutUint64(head[1:], uint64(len(v)))
	case []byte:
		head[0], body = 'b', v
		bigendian.BigEndian.PutUint64(head[1:], uint64(len(v)))
	default: // no schema of ours has another
		head[0], body = '?', fmt.Append(nil, v)
	}
	h.Write(head[:])
	h.Write(body)
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

// Snapshot writes one moment of the catalogue to a new SQLite file, while others
// read and write. It returns the identity of the store.
func (s *Store) Snapshot(ctx context.Context, path string, o Options) (id string, generation int64, err error) {
	if err := s.writeSnapshot(ctx, path, o); err != nil {
		return "", 0, fmt.Errorf("write a snapshot of the catalogue: %w", err)
	}
	copied, err := OpenSQLite(ctx, path, o)
	if err != nil {
		return "", 0, err
	}
	err = copied.View(ctx, func(tx meta.Tx) (err error) {
		id, generation, err = tx.Identity()
		return err
	})
	return id, generation, errors.Join(err, copied.Close())
}

func (s *Store) writeSnapshot(ctx context.Context, path string, o Options) error {
	if e, ok := s.engine.(*sqliteEngine); ok {
		s.gate.RLock()
		defer s.gate.RUnlock()
		if err := s.ready(ctx); err != nil {
			return err
		}
		conn, err := e.db.Conn(ctx) // its own: a statement that ctx ends takes no other along
		if err != nil {
			return err
		}
		defer conn.Close()
		if _, err := conn.ExecContext(ctx, "VACUUM INTO ?", path); err != nil {
			return (&sqliteSession{}).translate("VACUUM INTO", err)
		}
		return nil
	}
	to, err := OpenSQLite(ctx, path, o)
	if err != nil {
		return err
	}
	return errors.Join(s.copyInto(ctx, to), to.Close())
}

func (s *Store) copyInto(ctx context.Context, to *Store) error {
	var id string
	var generation int64
	err := s.View(ctx, func(tx meta.Tx) (err error) {
		id, generation, err = tx.Identity()
		return err
	})
	if err != nil {
		return err
	}
	if err := to.BeginCopy(ctx, id, generation); err != nil {
		return err
	}
	if err := CopyRows(ctx, s, to, nil); err != nil {
		return err
	}
	return to.EndCopy(ctx)
}
