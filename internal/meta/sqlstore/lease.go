package sqlstore

import (
	"errors"
	"time"

	"github.com/lighterage/lighterage/internal/meta"
)

// TakeLease makes the row, or changes it if it may. The first fence is the time,
// so that it grows also when a lease was ended in between.
func (t *tx) TakeLease(name, holder string, lasts time.Duration) (meta.Lease, error) {
	now, err := t.Now()
	if err != nil {
		return meta.Lease{}, err
	}
	l := meta.Lease{Name: name, Holder: holder, ExpiresAt: now.Add(lasts).Truncate(time.Millisecond)}
	l.Fence, err = t.number(`INSERT INTO lease (name, holder, fence, expires_at) VALUES (?1, ?2, ?3, ?4)
		ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, expires_at = excluded.expires_at,
			fence = CASE WHEN lease.holder = excluded.holder THEN lease.fence WHEN lease.fence < excluded.fence THEN excluded.fence ELSE lease.fence + 1 END
		WHERE lease.holder = excluded.holder OR lease.expires_at <= ?3
		RETURNING fence`, name, holder, now, l.ExpiresAt)
	if errors.Is(err, meta.ErrNotFound) {
		err = meta.ErrConflict
	}
	return l, err
}

// EndLease removes the row.
func (t *tx) EndLease(name, holder string) error {
	_, err := t.exec(`DELETE FROM lease WHERE name = ?1 AND holder = ?2`, name, holder)
	return err
}

// Leases lists them; no name begins with a higher byte than '~'.
func (t *tx) Leases(prefix string) ([]meta.Lease, error) {
	var found []meta.Lease
	err := t.rows(func(r *row) {
		found = append(found, meta.Lease{Name: r.text(0), Holder: r.text(1), Fence: r.int(2), ExpiresAt: r.time(3)})
	}, `SELECT name, holder, fence, expires_at FROM lease WHERE name >= ?1 AND name < ?2 ORDER BY name`, prefix, prefix+"~")
	return found, err
}
