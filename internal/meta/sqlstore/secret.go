package sqlstore

import (
	"github.com/lighterage/lighterage/internal/meta"
	"github.com/lighterage/lighterage/internal/name"
)

// Secret reads one.
func (t *tx) Secret(purpose string) ([]byte, error) {
	var secret []byte
	err := t.row(func(r *row) { secret = r.bytes(0) }, `SELECT value FROM secret WHERE purpose = ?1`, purpose)
	return secret, err
}

// PutSecret adds one.
func (t *tx) PutSecret(purpose string, secret []byte) error {
	n, err := t.exec(`INSERT INTO secret (purpose, value) VALUES (?1, ?2) ON CONFLICT DO NOTHING`, purpose, secret)
	if err == nil && n == 0 {
		return meta.ErrExists
	}
	return err
}

// SetSecret replaces one.
func (t *tx) SetSecret(purpose string, secret []byte) error {
	return t.change(`UPDATE secret SET value = ?2 WHERE purpose = ?1`, purpose, secret)
}

// Identity reads what the store was made with.
func (t *tx) Identity() (string, int64, error) {
	var id string
	var generation int64
	err := t.row(func(r *row) { id, generation = r.text(0), r.int(1) }, `SELECT id, generation FROM store`)
	return id, generation, err
}

// Accounts reads those of the registries.
func (t *tx) Accounts() ([]name.AccountID, error) {
	var accounts []name.AccountID
	err := t.rows(func(r *row) { accounts = append(accounts, name.AccountID(r.text(0))) },
		`SELECT DISTINCT account FROM registry ORDER BY account`)
	return accounts, err
}
