package sqlstore

import (
	"errors"
	"slices"
	"time"

	"github.com/lighterage/lighterage/internal/digest"
	"github.com/lighterage/lighterage/internal/meta"
	"github.com/lighterage/lighterage/internal/name"
)

// Reviews lists by time and id.
func (t *tx) Reviews(page meta.Page[meta.Turn]) ([]meta.Review, error) {
	return t.reviews(`SELECT id, subject, of_id, due FROM review WHERE (due, id) > (?1, ?2) ORDER BY due, id LIMIT ?3`, page.After.Due, page.After.ID, page.Limit)
}

// AllGarbage lists by time and id.
func (t *tx) AllGarbage(page meta.Page[meta.Turn]) ([]meta.Garbage, error) {
	return t.garbage(`WHERE (remove_after, id) > (?1, ?2) ORDER BY remove_after, id LIMIT ?3`, page.After.Due, page.After.ID, page.Limit)
}

// Uploads lists by time and id.
func (t *tx) Uploads(page meta.Page[meta.UploadTurn]) ([]meta.Upload, error) {
	var found []meta.Upload
	err := t.rows(func(r *row) { found = append(found, readUpload(r)) },
		uploadSelect+`WHERE (expires_at, id) > (?1, ?2) ORDER BY expires_at, id LIMIT ?3`, page.After.Expires, page.After.ID, page.Limit)
	return found, err
}

const checkedColumns = `b.id, b.domain, b.digest, b.size, b.location, b.state, b.verified_at`

func readChecked(r *row) meta.CheckedBlob {
	return meta.CheckedBlob{Blob: meta.Blob{
		ID: meta.BlobID(r.int(0)), Domain: r.int(1), Digest: r.digest(2), Size: r.int(3),
		Location: name.Location(r.text(4)), State: meta.BlobState(r.int(5)),
	}, VerifiedAt: r.time(6)}
}

// Blobs lists by id.
func (t *tx) Blobs(page meta.Page[meta.BlobID]) ([]meta.CheckedBlob, error) {
	var found []meta.CheckedBlob
	err := t.rows(func(r *row) { found = append(found, readChecked(r)) }, `SELECT `+checkedColumns+` FROM blob b WHERE b.id > ?1 ORDER BY b.id LIMIT ?2`, page.After, page.Limit)
	return found, err
}

// LastBlob reads the end of the index.
func (t *tx) LastBlob() (meta.BlobID, error) {
	id, err := t.number(`SELECT b.id FROM blob b WHERE b.id > 0 ORDER BY b.id DESC LIMIT 1`)
	if errors.Is(err, meta.ErrNotFound) {
		err = nil
	}
	return meta.BlobID(id), err
}

// LastImage reads the end of the index.
func (t *tx) LastImage() (meta.ImageID, error) {
	id, err := t.number(`SELECT i.id FROM image i WHERE i.id > 0 ORDER BY i.id DESC LIMIT 1`)
	if errors.Is(err, meta.ErrNotFound) {
		err = nil
	}
	return meta.ImageID(id), err
}

// AllImages lists by id.
func (t *tx) AllImages(page meta.Page[meta.ImageID]) ([]meta.Image, error) {
	return t.images(imageSelect+`WHERE i.id > ?1 ORDER BY i.id LIMIT ?2`, page.After, page.Limit)
}

// LayersOf lists by id.
func (t *tx) LayersOf(blob meta.BlobID, limit int) ([]meta.Layer, error) {
	var found []meta.Layer
	err := t.rows(func(r *row) { found = append(found, readLayer(r)) }, layerSelect+`WHERE l.blob_id = ?1 LIMIT ?2`, blob, limit)
	slices.SortFunc(found, func(a, b meta.Layer) int { return int(a.ID - b.ID) })
	return found, err
}

// KeptLayers joins down to the blobs, so that a row that lacks is missed.
func (t *tx) KeptLayers(id meta.ImageID) (map[digest.Digest]meta.Blob, error) {
	found := map[digest.Digest]meta.Blob{}
	err := t.rows(func(r *row) {
		b := readChecked(r).Blob
		found[b.Digest] = b
	}, `SELECT `+checkedColumns+` FROM image_layer k
		JOIN layer l ON l.id = k.layer_id JOIN blob b ON b.id = l.blob_id WHERE k.image_id = ?1`, id)
	return found, err
}

// StrayTags walks the key of tags.
func (t *tx) StrayTags(page meta.Page[meta.TagTurn]) (astray []meta.Stray, last meta.TagTurn, looked int, err error) {
	err = t.rows(func(r *row) {
		looked++
		last = meta.TagTurn{Repository: meta.RepositoryID(r.int(0)), Name: name.Tag(r.text(1))}
		if r.int(3) == 0 {
			astray = append(astray, meta.Stray{Repository: last.Repository, Name: last.Name, Image: meta.ImageID(r.int(2))})
		}
	}, `SELECT t.repository_id, t.name, t.image_id, i.id FROM tag t LEFT JOIN image i ON i.id = t.image_id AND i.repository_id = t.repository_id
		WHERE (t.repository_id, t.name) > (?1, ?2) ORDER BY t.repository_id, t.name LIMIT ?3`, page.After.Repository, page.After.Name, page.Limit)
	return astray, last, looked, err
}

// NamedLocations looks in the three places that name one.
func (t *tx) NamedLocations(at []name.Location) (map[name.Location]bool, error) {
	named := map[name.Location]bool{}
	note := func(r *row) { named[name.Location(r.text(0))] = true }
	for part := range slices.Chunk(slices.Sorted(slices.Values(at)), layersAtOnce) {
		in, args := list(nil, part)
		for _, sql := range []string{
			`SELECT location FROM blob WHERE location IN ` + in + ` AND location <> 'inline:'`,
			`SELECT location FROM upload WHERE location IN ` + in + ` AND location <> ''`,
			`SELECT location FROM garbage WHERE location IN ` + in,
		} {
			if err := t.rows(note, sql, args...); err != nil {
				return nil, err
			}
		}
	}
	return named, nil
}

// MarkBlob compares the location.
func (t *tx) MarkBlob(id meta.BlobID, at name.Location, state meta.BlobState) (bool, error) {
	now, err := t.Now()
	if err != nil {
		return false, err
	}
	n, err := t.exec(`UPDATE blob SET state = ?3, verified_at = ?4 WHERE id = ?1 AND location = ?2`, id, at, state, now)
	return n == 1, err
}

// SetVerified notes it of those that are still OK.
func (t *tx) SetVerified(ids []meta.BlobID, at time.Time) error {
	for part := range slices.Chunk(slices.Sorted(slices.Values(ids)), layersAtOnce) {
		in, args := list([]any{at, meta.BlobOK}, part)
		if _, err := t.exec(`UPDATE blob SET verified_at = ?1 WHERE state = ?2 AND id IN `+in, args...); err != nil {
			return err
		}
	}
	return nil
}

// Scrub reads the one row.
func (t *tx) Scrub() (meta.Scrub, error) {
	var s meta.Scrub
	err := t.row(func(r *row) {
		s = meta.Scrub{Cursor: r.text(0), BeganAt: r.time(1), EndedAt: r.time(2), Checked: r.int(3), Bytes: r.int(4), Found: r.int(5)}
	}, `SELECT cursor, began_at, ended_at, checked, bytes, found FROM scrub WHERE one = 1`)
	if errors.Is(err, meta.ErrNotFound) {
		err = nil
	}
	return s, err
}

// PutScrub writes the one row.
func (t *tx) PutScrub(s meta.Scrub) error {
	_, err := t.exec(`INSERT INTO scrub (one, cursor, began_at, ended_at, checked, bytes, found) VALUES (1, ?1, ?2, ?3, ?4, ?5, ?6)
		ON CONFLICT (one) DO UPDATE SET cursor = excluded.cursor, began_at = excluded.began_at, ended_at = excluded.ended_at,
			checked = excluded.checked, bytes = excluded.bytes, found = excluded.found`, s.Cursor, s.BeganAt, s.EndedAt, s.Checked, s.Bytes, s.Found)
	return err
}
