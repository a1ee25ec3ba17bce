package sqlstore

import (
	"time"

	"github.com/lighterage/lighterage/internal/meta"
	"github.com/lighterage/lighterage/internal/name"
)

const (
	uploadColumns = `id, repository_id, location, received, hash_state, blob_state, boot_id, parts, small_part, fence, created_at, expires_at`
	uploadSelect  = `SELECT ` + uploadColumns + ` FROM upload `
)

func readUpload(r *row) meta.Upload {
	return meta.Upload{
		ID:         name.UploadID(r.text(0)),
		Repository: meta.RepositoryID(r.int(1)),
		Location:   name.Location(r.text(2)),
		Offset:     r.int(3),
		HashState:  r.bytes(4),
		BlobState:  r.bytes(5),
		BootID:     r.text(6),
		Parts:      r.int(7),
		SmallPart:  r.int(8),
		Fence:      r.int(9),
		CreatedAt:  r.time(10),
		ExpiresAt:  r.time(11),
	}
}

// Upload finds one.
func (t *tx) Upload(id name.UploadID, lock meta.Lock) (meta.Upload, error) {
	var found meta.Upload
	err := t.row(func(r *row) { found = readUpload(r) }, t.locked(uploadSelect+`WHERE id = ?1`, lock, "upload"), id)
	return found, err
}

// InsertUpload adds one.
func (t *tx) InsertUpload(u meta.Upload) error {
	n, err := t.exec(`INSERT INTO upload (`+uploadColumns+`) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12) ON CONFLICT DO NOTHING`,
		u.ID, u.Repository, u.Location, u.Offset, u.HashState, u.BlobState, u.BootID, u.Parts, u.SmallPart, u.Fence, u.CreatedAt, u.ExpiresAt)
	if err == nil && n == 0 {
		return meta.ErrExists
	}
	return err
}

// AdvanceUpload compares the fence and sets the rest.
func (t *tx) AdvanceUpload(u meta.Upload) error {
	n, err := t.exec(`UPDATE upload SET location = ?3, received = ?4, hash_state = ?5, blob_state = ?6, boot_id = ?7, parts = ?8, small_part = ?9, expires_at = ?10
		WHERE id = ?1 AND fence = ?2`,
		u.ID, u.Fence, u.Location, u.Offset, u.HashState, u.BlobState, u.BootID, u.Parts, u.SmallPart, u.ExpiresAt)
	if err != nil || n == 1 {
		return err
	}
	there, err := t.has(`SELECT 1 FROM upload WHERE id = ?1`, u.ID)
	if err != nil {
		return err
	}
	if there {
		return meta.ErrConflict
	}
	return meta.ErrNotFound
}

// FenceUpload raises the fence.
func (t *tx) FenceUpload(id name.UploadID) (meta.Upload, error) {
	var found meta.Upload
	err := t.row(func(r *row) { found = readUpload(r) }, `UPDATE upload SET fence = fence + 1 WHERE id = ?1 RETURNING `+uploadColumns, id)
	return found, err
}

// DeleteUpload consumes one.
func (t *tx) DeleteUpload(id name.UploadID) error {
	return t.change(`DELETE FROM upload WHERE id = ?1`, id)
}

// ExpiredUploads lists the longest expired first.
func (t *tx) ExpiredUploads(now time.Time, limit int) ([]meta.Upload, error) {
	var found []meta.Upload
	err := t.rows(func(r *row) { found = append(found, readUpload(r)) }, uploadSelect+`WHERE expires_at <= ?1 ORDER BY expires_at, id LIMIT ?2`, now, limit)
	return found, err
}
