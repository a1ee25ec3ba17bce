package sqlstore

import "github.com/lighterage/lighterage/internal/meta"

// AccessVersion reads the counter.
func (t *tx) AccessVersion() (int64, error) {
	return t.number(`SELECT version FROM access_version WHERE one = 1`)
}

// raiseAccessVersion is the last statement of a transaction that changed what
// decisions depend on: whoever holds the counter's row waits for nobody, so no
// deadlock goes through it.
func (t *tx) raiseAccessVersion() error {
	_, err := t.exec(`UPDATE access_version SET version = version + 1 WHERE one = 1`)
	return err
}

// execAccess, changeAccess and insertAccess are exec, change and number for
// statements that change what decisions depend on.

func (t *tx) execAccess(sql string, args ...any) (int64, error) {
	n, err := t.exec(sql, args...)
	t.access = t.access || n > 0
	return n, err
}

func (t *tx) changeAccess(sql string, args ...any) error {
	n, err := t.execAccess(sql, args...)
	if err == nil && n == 0 {
		return meta.ErrNotFound
	}
	return err
}

// insertAccess returns the id of the row that an insert has made; ErrExists
// when it made none.
func (t *tx) insertAccess(sql string, args ...any) (int64, error) {
	id, err := t.number(sql, args...)
	if err == meta.ErrNotFound {
		return 0, meta.ErrExists
	}
	t.access = true
	return id, err
}

// hold locks a row until the transaction ends. ErrNotFound. What a later
// statement then reads of the row and of what refers to it is true.
func (t *tx) hold(sql string, lock meta.Lock, of string, args ...any) error {
	return t.row(func(*row) {}, t.locked(sql, lock, of), args...)
}

// refer is an id that is NULL when it is 0.
func refer[ID ~int64](id ID) any {
	if id == 0 {
		return nil
	}
	return int64(id)
}
