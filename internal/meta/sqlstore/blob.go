package sqlstore

import (
	"slices"
	"time"

	"github.com/lighterage/lighterage/internal/meta"
	"github.com/lighterage/lighterage/internal/name"
)

// replacedFor is how long bytes that a better copy replaced are kept: someone
// may be reading them.
const replacedFor = 24 * time.Hour

// PutBlob records bytes. The insert waits for another transaction that puts
// the same digest, and the row it returns is locked.
func (t *tx) PutBlob(b meta.Blob, inline []byte) (meta.Blob, error) {
	now, err := t.Now()
	if err != nil {
		return meta.Blob{}, err
	}
	known := b
	err = t.row(func(r *row) {
		known.ID, known.Size, known.Location, known.State = meta.BlobID(r.int(0)), r.int(1), name.Location(r.text(2)), meta.BlobState(r.int(3))
	}, `INSERT INTO blob (domain, digest, size, location, state, verified_at, touched_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?6)
		ON CONFLICT (domain, digest) DO UPDATE SET touched_at = excluded.touched_at RETURNING id, size, location, state`,
		b.Domain, b.Digest, b.Size, b.Location, meta.BlobOK, now)
	if err != nil {
		return meta.Blob{}, err
	}
	if known.State == meta.BlobOK && known.Size == b.Size {
		return known, t.settleNewcomer(known, b, inline, now)
	}
	return t.heal(known, b, inline, now)
}

// settleNewcomer stores a new inline blob's bytes, or drops what a known blob
// does not need.
func (t *tx) settleNewcomer(known, b meta.Blob, inline []byte, now time.Time) error {
	if b.Location != meta.Inline {
		if known.Location == b.Location {
			return nil
		}
		return t.AddGarbage(b.Location, now)
	}
	if known.Location != meta.Inline {
		return nil
	}
	_, err := t.exec(`INSERT INTO blob_bytes (blob_id, bytes) VALUES (?1, ?2) ON CONFLICT DO NOTHING`, known.ID, inline)
	return err
}

// heal gives a known blob the newcomer's bytes.
func (t *tx) heal(known, b meta.Blob, inline []byte, now time.Time) (meta.Blob, error) {
	if known.Location != meta.Inline && known.Location != b.Location {
		if err := t.AddGarbage(known.Location, now.Add(replacedFor)); err != nil {
			return meta.Blob{}, err
		}
	}
	if _, err := t.exec(`DELETE FROM blob_bytes WHERE blob_id = ?1`, known.ID); err != nil {
		return meta.Blob{}, err
	}
	if b.Location == meta.Inline {
		if _, err := t.exec(`INSERT INTO blob_bytes (blob_id, bytes) VALUES (?1, ?2)`, known.ID, inline); err != nil {
			return meta.Blob{}, err
		}
	}
	known.Size, known.Location, known.State = b.Size, b.Location, meta.BlobOK
	return known, t.change(`UPDATE blob SET size = ?2, location = ?3, state = ?4, verified_at = ?5 WHERE id = ?1`,
		known.ID, known.Size, known.Location, known.State, now)
}

// deleteBlob removes a blob that no layer keeps.
func (t *tx) deleteBlob(b meta.Blob, removeAfter time.Time) error {
	if _, err := t.exec(`DELETE FROM blob_bytes WHERE blob_id = ?1`, b.ID); err != nil {
		return err
	}
	if err := t.change(`DELETE FROM blob WHERE id = ?1`, b.ID); err != nil {
		return err
	}
	if b.Location == meta.Inline {
		return nil
	}
	return t.AddGarbage(b.Location, removeAfter)
}

// InlineBytes reads the bytes.
func (t *tx) InlineBytes(id meta.BlobID) ([]byte, error) {
	var b []byte
	err := t.row(func(r *row) { b = r.bytes(0) }, `SELECT bytes FROM blob_bytes WHERE blob_id = ?1`, id)
	return b, err
}

// SetBlobState marks a blob.
func (t *tx) SetBlobState(id meta.BlobID, state meta.BlobState) error {
	now, err := t.Now()
	if err != nil {
		return err
	}
	return t.change(`UPDATE blob SET state = ?2, verified_at = ?3 WHERE id = ?1`, id, state, now)
}

// AddGarbage enqueues a location.
func (t *tx) AddGarbage(at name.Location, removeAfter time.Time) error {
	_, err := t.exec(`INSERT INTO garbage (location, remove_after) VALUES (?1, ?2)`, at, removeAfter)
	return err
}

// DueGarbage lists the longest due first.
func (t *tx) DueGarbage(now time.Time, limit int) ([]meta.Garbage, error) {
	var found []meta.Garbage
	err := t.rows(func(r *row) {
		found = append(found, meta.Garbage{ID: r.int(0), Location: name.Location(r.text(1))})
	}, `SELECT id, location FROM garbage WHERE remove_after <= ?1 ORDER BY remove_after, id LIMIT ?2`, now, limit)
	return found, err
}

// ForgetGarbage removes lines.
func (t *tx) ForgetGarbage(ids []int64) error {
	for part := range slices.Chunk(slices.Sorted(slices.Values(ids)), layersAtOnce) {
		in, args := list(nil, part)
		if _, err := t.exec(`DELETE FROM garbage WHERE id IN `+in, args...); err != nil {
			return err
		}
	}
	return nil
}
