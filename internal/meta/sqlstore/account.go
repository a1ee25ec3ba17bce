package sqlstore

import (
	"github.com/lighterage/lighterage/internal/meta"
	"github.com/lighterage/lighterage/internal/name"
)

const accountSelect = `SELECT a.id, a.name, a.alias, a.created_at, a.revoked_at FROM account a `

func readAccount(r *row) meta.Account {
	return meta.Account{
		ID:        name.AccountID(r.text(0)),
		Name:      r.text(1),
		Alias:     r.text(2),
		CreatedAt: r.time(3),
		RevokedAt: r.time(4),
	}
}

// Account finds one.
func (t *tx) Account(id name.AccountID, lock meta.Lock) (meta.Account, error) {
	var found meta.Account
	err := t.row(func(r *row) { found = readAccount(r) }, t.locked(accountSelect+`WHERE a.id = ?1`, lock, "a"), id)
	return found, err
}

// ListAccounts lists by id.
func (t *tx) ListAccounts(page meta.Page[name.AccountID]) ([]meta.Account, error) {
	var found []meta.Account
	err := t.rows(func(r *row) { found = append(found, readAccount(r)) },
		accountSelect+`WHERE a.id > ?1 ORDER BY a.id LIMIT ?2`, page.After, page.Limit)
	return found, err
}

// InsertAccount adds one.
func (t *tx) InsertAccount(a meta.Account) error {
	n, err := t.execAccess(`INSERT INTO account (id, name, alias, created_at, revoked_at) VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT DO NOTHING`,
		a.ID, a.Name, a.Alias, a.CreatedAt, a.RevokedAt)
	if err == nil && n == 0 {
		return meta.ErrExists
	}
	return err
}

// SetAccount stores what can change.
func (t *tx) SetAccount(a meta.Account) error {
	taken, err := t.has(`SELECT 1 FROM account WHERE alias = ?1 AND alias <> '' AND id <> ?2`, a.Alias, a.ID)
	if err != nil {
		return err
	}
	if taken {
		return meta.ErrExists
	}
	return t.changeAccess(`UPDATE account SET name = ?2, alias = ?3, revoked_at = ?4 WHERE id = ?1`, a.ID, a.Name, a.Alias, a.RevokedAt)
}
