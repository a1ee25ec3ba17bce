package sqlstore

import (
	"database/sql/driver"
	"fmt"
	"io"
	"reflect"
	"strings"
	"time"

	"github.com/lighterage/lighterage/internal/digest"
	"github.com/lighterage/lighterage/internal/meta"
)

// session runs statements inside one open transaction. Parameters are ?1, ?2,
// and so on.
type session interface {
	// query calls each for every row; the row is valid during the call.
	query(sql string, args []any, each func(*row)) error
	exec(sql string, args []any) (changed int64, err error)
	// translate gives a driver's error its sentinel.
	translate(sql string, err error) error
	// now is the time of the transaction.
	now() (time.Time, error)
	// locks reports whether rows need locks.
	locks() bool
}

// tx is a meta.Tx. After a statement has failed it refuses every further one,
// because the database may have rolled the transaction back by itself, and
// further statements would then run outside of it.
type tx struct {
	session    session
	writes     bool
	registries *registries
	learned    map[registryKey]int64 // cached when the transaction is committed
	time       time.Time
	access     bool  // what decisions depend on was changed
	raised     int64 // what the access version becomes with the commit
	failed     error
}

var _ meta.Tx = (*tx)(nil)

// run runs fn; a failed statement fails the transaction even if fn hid it.
func (t *tx) run(fn func(meta.Tx) error) error {
	if err := fn(t); err != nil {
		return err
	}
	if t.access {
		return t.raiseAccessVersion()
	}
	return t.failed
}

// Now returns the transaction's time.
func (t *tx) Now() (time.Time, error) {
	if !t.time.IsZero() {
		return t.time, nil
	}
	if t.failed != nil {
		return time.Time{}, t.failed
	}
	now, err := t.session.now()
	if err != nil {
		return time.Time{}, t.fail("", err)
	}
	t.time = now.UTC().Truncate(time.Millisecond)
	return t.time, nil
}

func (t *tx) fail(sql string, err error) error {
	t.failed = t.session.translate(sql, err)
	return t.failed
}

// exec runs a statement and returns the number of rows it changed.
func (t *tx) exec(sql string, args ...any) (int64, error) {
	if t.failed != nil {
		return 0, t.failed
	}
	n, err := t.session.exec(sql, args)
	if err != nil {
		return 0, t.fail(sql, err)
	}
	return n, nil
}

// change is exec for a statement that must change a row. ErrNotFound.
func (t *tx) change(sql string, args ...any) error {
	n, err := t.exec(sql, args...)
	if err == nil && n == 0 {
		return meta.ErrNotFound
	}
	return err
}

// rows calls each for every row of a query.
func (t *tx) rows(each func(*row), sql string, args ...any) error {
	if t.failed != nil {
		return t.failed
	}
	var bad error
	err := t.session.query(sql, args, func(r *row) {
		each(r)
		if bad == nil {
			bad = r.err
		}
	})
	if err == nil {
		err = bad
	}
	if err != nil {
		return t.fail(sql, err)
	}
	return nil
}

// row reads the first row of a query. ErrNotFound.
func (t *tx) row(each func(*row), sql string, args ...any) error {
	found := false
	err := t.rows(func(r *row) {
		if !found {
			found = true
			each(r)
		}
	}, sql, args...)
	if err == nil && !found {
		return meta.ErrNotFound
	}
	return err
}

// has reports whether a query has a row.
func (t *tx) has(sql string, args ...any) (bool, error) {
	found := false
	err := t.rows(func(*row) { found = true }, sql, args...)
	return found, err
}

// number reads the one integer of a query. ErrNotFound.
func (t *tx) number(sql string, args ...any) (int64, error) {
	var n int64
	err := t.row(func(r *row) { n = r.int(0) }, sql, args...)
	return n, err
}

// locked adds the clause that locks the rows of the given tables, where rows
// need locks and the transaction may take them.
func (t *tx) locked(sql string, lock meta.Lock, of string) string {
	if lock == meta.NoLock || !t.writes || !t.session.locks() {
		return sql
	}
	if lock == meta.LockShared {
		return sql + " FOR SHARE OF " + of
	}
	return sql + " FOR UPDATE OF " + of
}

// row is one row of an answer; NULL reads as the zero value.
type row struct {
	values []driver.Value
	err    error // first value of an unexpected kind
}

func (r *row) wrong(i int) {
	if r.err == nil && r.values[i] != nil {
		r.err = fmt.Errorf("column %d holds a %T", i, r.values[i])
	}
}

func (r *row) int(i int) int64 {
	v, ok := r.values[i].(int64)
	if !ok {
		r.wrong(i)
	}
	return v
}

func (r *row) bool(i int) bool { return r.int(i) != 0 }

func (r *row) text(i int) string {
	v, ok := r.values[i].(string)
	if !ok {
		r.wrong(i)
	}
	return v
}

func (r *row) bytes(i int) []byte {
	v, ok := r.values[i].([]byte)
	if !ok {
		r.wrong(i)
	}
	return v
}

func (r *row) time(i int) time.Time {
	if ms := r.int(i); ms != 0 {
		return time.UnixMilli(ms).UTC()
	}
	return time.Time{}
}

func (r *row) digest(i int) digest.Digest {
	b := r.bytes(i)
	if len(b) == 0 {
		return ""
	}
	d, err := digest.FromBytes(b)
	if err != nil && r.err == nil {
		r.err = err
	}
	return d
}

// each reads driver rows to their end: SQLite checks foreign keys of a
// statement with RETURNING only there.
func each(rows driver.Rows, fn func(*row)) (err error) {
	defer func() {
		if e := rows.Close(); err == nil {
			err = e
		}
	}()
	r := row{values: make([]driver.Value, len(rows.Columns()))}
	for {
		switch err := rows.Next(r.values); err {
		case nil:
			fn(&r)
		case io.EOF:
			return nil
		default:
			return err
		}
	}
}

// value is a parameter as drivers take it.
func value(a any) driver.Value {
	switch v := a.(type) {
	case nil, int64, string:
		return v
	case []byte:
		if v == nil {
			return []byte{}
		}
		return v
	case bool:
		if v {
			return int64(1)
		}
		return int64(0)
	case int:
		return int64(v)
	case time.Time:
		if v.IsZero() {
			return int64(0)
		}
		return v.UnixMilli()
	case digest.Digest:
		if v == "" {
			return nil
		}
		return v.Bytes()
	}
	switch v := reflect.ValueOf(a); v.Kind() { // the named types of meta and name
	case reflect.Int64:
		return v.Int()
	case reflect.Uint8:
		return int64(v.Uint())
	case reflect.String:
		return v.String()
	}
	return a // drivers refuse it
}

// list appends values to args as the members of an IN list, and returns the
// list's text. The last value fills the list up to a power of two, so that few
// different texts arise. There must be one value at least.
func list[V any](args []any, values []V) (string, []any) {
	size := 1
	for size < len(values) {
		size *= 2
	}
	var b strings.Builder
	for i := range size {
		if i > 0 {
			b.WriteByte(',')
		}
		args = append(args, values[min(i, len(values)-1)])
		fmt.Fprintf(&b, "?%d", len(args))
	}
	return "(" + b.String() + ")", args
}
