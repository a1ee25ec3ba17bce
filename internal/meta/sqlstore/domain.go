package sqlstore

import "github.com/lighterage/lighterage/internal/meta"

func (t *tx) domain(sql string, args ...any) (found meta.Domain, err error) {
	err = t.row(func(r *row) { found = readDomain(r) }, sql, args...)
	return found, err
}

func readDomain(r *row) meta.Domain {
	return meta.Domain{ID: r.int(0), Kind: meta.DomainKind(r.text(1)), Key: r.text(2)}
}

// Domain finds one.
func (t *tx) Domain(kind meta.DomainKind, key string) (meta.Domain, error) {
	return t.domain(`SELECT id, kind, key_name FROM domain WHERE kind = ?1 AND key_name = ?2`, string(kind), key)
}

// DomainOf finds one by id.
func (t *tx) DomainOf(id int64) (meta.Domain, error) {
	return t.domain(`SELECT id, kind, key_name FROM domain WHERE id = ?1`, id)
}

// encrypting is the schema whose programs know of encryption.
const encrypting = 10

// PutDomain adds one, and keeps programs away that know of none. The update that
// changes nothing locks the row.
func (t *tx) PutDomain(kind meta.DomainKind, key string) (meta.Domain, error) {
	if _, err := t.exec(`UPDATE schema SET min_binary = ?1 WHERE one = 1 AND min_binary < ?1`, encrypting); err != nil {
		return meta.Domain{}, err
	}
	return t.domain(`INSERT INTO domain (kind, key_name) VALUES (?1, ?2)
		ON CONFLICT (kind, key_name) DO UPDATE SET key_name = excluded.key_name RETURNING id, kind, key_name`, string(kind), key)
}

// Domains lists by id.
func (t *tx) Domains(page meta.Page[int64]) (found []meta.Domain, err error) {
	err = t.rows(func(r *row) { found = append(found, readDomain(r)) },
		`SELECT id, kind, key_name FROM domain WHERE id > ?1 ORDER BY id LIMIT ?2`, page.After, page.Limit)
	return found, err
}

const dataKeySelect = `SELECT id, domain_id, wrapped, created_at FROM data_key `

func readDataKey(r *row) meta.DataKey {
	return meta.DataKey{Number: r.int(0), Domain: r.int(1), Wrapped: r.bytes(2), CreatedAt: r.time(3)}
}

func (t *tx) dataKey(where string, args ...any) (found meta.DataKey, err error) {
	err = t.row(func(r *row) { found = readDataKey(r) }, dataKeySelect+where, args...)
	return found, err
}

// InsertDataKey adds one.
func (t *tx) InsertDataKey(domain int64, wrapped []byte) (int64, error) {
	now, err := t.Now()
	if err != nil {
		return 0, err
	}
	return t.number(`INSERT INTO data_key (domain_id, wrapped, created_at) VALUES (?1, ?2, ?3) RETURNING id`, domain, wrapped, now)
}

// SetDataKey compares and sets.
func (t *tx) SetDataKey(number int64, was, wrapped []byte) error {
	n, err := t.exec(`UPDATE data_key SET wrapped = ?3 WHERE id = ?1 AND wrapped = ?2`, number, was, wrapped)
	if err == nil && n == 0 {
		return meta.ErrConflict
	}
	return err
}

// DataKeyOf finds one by number.
func (t *tx) DataKeyOf(number int64) (meta.DataKey, error) {
	return t.dataKey(`WHERE id = ?1`, number)
}

// NewestDataKey finds the one with the greatest number.
func (t *tx) NewestDataKey(domain int64) (meta.DataKey, error) {
	return t.dataKey(`WHERE domain_id = ?1 ORDER BY id DESC LIMIT 1`, domain)
}

// DataKeys lists by number.
func (t *tx) DataKeys(page meta.Page[int64]) (found []meta.DataKey, err error) {
	err = t.rows(func(r *row) { found = append(found, readDataKey(r)) }, dataKeySelect+`WHERE id > ?1 ORDER BY id LIMIT ?2`, page.After, page.Limit)
	return found, err
}
