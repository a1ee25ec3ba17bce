package sqlstore

import (
	"maps"
	"slices"

	"github.com/lighterage/lighterage/internal/meta"
	"github.com/lighterage/lighterage/internal/name"
)

const accessKeySelect = `SELECT k.id, k.account, k.user_id, k.sealed, k.active, k.created_at, u.used_at, u.region, u.service
	FROM access_key k LEFT JOIN access_key_use u ON u.key_id = k.id `

func readAccessKey(r *row) meta.AccessKey {
	return meta.AccessKey{
		ID:        r.text(0),
		Account:   name.AccountID(r.text(1)),
		User:      meta.PrincipalID(r.int(2)),
		Sealed:    r.bytes(3),
		Active:    r.bool(4),
		CreatedAt: r.time(5),
		LastUse:   meta.Use{At: r.time(6), Region: name.Region(r.text(7)), Service: r.text(8)},
	}
}

// AccessKey finds one.
func (t *tx) AccessKey(id string) (meta.AccessKey, error) {
	var found meta.AccessKey
	err := t.row(func(r *row) { found = readAccessKey(r) }, accessKeySelect+`WHERE k.id = ?1`, id)
	return found, err
}

// AccessKeys lists by id.
func (t *tx) AccessKeys(account name.AccountID, user meta.PrincipalID) ([]meta.AccessKey, error) {
	var found []meta.AccessKey
	add := func(r *row) { found = append(found, readAccessKey(r)) }
	if user == 0 {
		err := t.rows(add, accessKeySelect+`WHERE k.account = ?1 AND k.user_id IS NULL ORDER BY k.id`, account)
		return found, err
	}
	err := t.rows(add, accessKeySelect+`WHERE k.account = ?1 AND k.user_id = ?2 ORDER BY k.id`, account, user)
	return found, err
}

// CountAccessKeys counts in the index of owners.
func (t *tx) CountAccessKeys(account name.AccountID) (int64, error) {
	return t.number(`SELECT COUNT(*) FROM access_key WHERE account = ?1 AND user_id IS NOT NULL`, account)
}

// InsertAccessKey adds one.
func (t *tx) InsertAccessKey(k meta.AccessKey) error {
	n, err := t.execAccess(`INSERT INTO access_key (id, account, user_id, sealed, active, created_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT DO NOTHING`,
		k.ID, k.Account, refer(k.User), k.Sealed, k.Active, k.CreatedAt)
	if err == nil && n == 0 {
		return meta.ErrExists
	}
	return err
}

// SetAccessKey stores what can change.
func (t *tx) SetAccessKey(k meta.AccessKey) error {
	return t.changeAccess(`UPDATE access_key SET sealed = ?2, active = ?3 WHERE id = ?1`, k.ID, k.Sealed, k.Active)
}

// DeleteAccessKey removes a key with its use, which nobody records under the
// lock.
func (t *tx) DeleteAccessKey(id string) error {
	if err := t.hold(`SELECT k.id FROM access_key k WHERE k.id = ?1`, meta.LockExclusive, "k", id); err != nil {
		return err
	}
	if _, err := t.exec(`DELETE FROM access_key_use WHERE key_id = ?1`, id); err != nil {
		return err
	}
	return t.changeAccess(`DELETE FROM access_key WHERE id = ?1`, id)
}

// RecordKeyUses writes in the order of ids, so that two recorders cannot wait
// for each other.
func (t *tx) RecordKeyUses(uses map[string]meta.Use) error {
	for _, id := range slices.Sorted(maps.Keys(uses)) {
		_, err := t.exec(`INSERT INTO access_key_use (key_id, used_at, region, service)
			SELECT k.id, CAST(?2 AS BIGINT), CAST(?3 AS TEXT), CAST(?4 AS TEXT) FROM access_key k WHERE k.id = ?1
			ON CONFLICT (key_id) DO UPDATE SET used_at = excluded.used_at, region = excluded.region, service = excluded.service
			WHERE access_key_use.used_at < excluded.used_at`, id, uses[id].At, uses[id].Region, uses[id].Service)
		if err != nil {
			return err
		}
	}
	return nil
}
