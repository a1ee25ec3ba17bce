package sqlstore

import (
	"errors"
	"slices"
	"time"

	"github.com/lighterage/lighterage/internal/digest"
	"github.com/lighterage/lighterage/internal/meta"
	"github.com/lighterage/lighterage/internal/name"
)

const (
	layerColumns = `l.id, l.repository_id, l.touched_at, l.digest, b.id, b.domain, b.size, b.location, b.state`
	layerSelect  = `SELECT ` + layerColumns + ` FROM layer l JOIN blob b ON b.id = l.blob_id `
	findLayer    = `SELECT ` + layerColumns + ` FROM repository_name n
	LEFT JOIN layer l ON l.digest = ?3 AND l.repository_id = n.repository_id
	LEFT JOIN blob b ON b.id = l.blob_id
	WHERE n.registry_id = ?1 AND n.name = ?2`
)

func readLayer(r *row) meta.Layer {
	return meta.Layer{
		ID:         meta.LayerID(r.int(0)),
		Repository: meta.RepositoryID(r.int(1)),
		TouchedAt:  r.time(2),
		Blob: meta.Blob{
			Digest:   r.digest(3),
			ID:       meta.BlobID(r.int(4)),
			Domain:   r.int(5),
			Size:     r.int(6),
			Location: name.Location(r.text(7)),
			State:    meta.BlobState(r.int(8)),
		},
	}
}

func (t *tx) layer(sql string, args ...any) (meta.Layer, error) {
	var found meta.Layer
	err := t.row(func(r *row) { found = readLayer(r) }, sql, args...)
	return found, err
}

// FindLayer looks up by name in one statement.
func (t *tx) FindLayer(key meta.RepositoryKey, d digest.Digest) (meta.Layer, error) {
	registry, err := t.registry(key.Registry, key.Space)
	if err != nil {
		return meta.Layer{}, noRepository(err)
	}
	found, err := t.layer(findLayer, registry, key.Name, d)
	if err != nil {
		return meta.Layer{}, noRepository(err)
	}
	if found.ID == 0 {
		return meta.Layer{}, meta.ErrNotFound
	}
	return found, nil
}

// layersAtOnce bounds the digests of one statement.
const layersAtOnce = 64

// Layers looks up many, in the order of their digests.
func (t *tx) Layers(repository meta.RepositoryID, ds []digest.Digest, lock meta.Lock) (map[digest.Digest]meta.Layer, error) {
	found := make(map[digest.Digest]meta.Layer, len(ds))
	for part := range slices.Chunk(slices.Sorted(slices.Values(ds)), layersAtOnce) {
		in, args := list([]any{repository}, part)
		sql := t.locked(layerSelect+`WHERE l.repository_id = ?1 AND l.digest IN `+in+` ORDER BY l.digest`, lock, "l")
		err := t.rows(func(r *row) {
			l := readLayer(r)
			found[l.Blob.Digest] = l
		}, sql, args...)
		if err != nil {
			return nil, err
		}
	}
	return found, nil
}

// leaps bounds how often LayerHolders passes over other registries.
const leaps = 10

// LayerHolders lists by the repository's id. The layer is perhaps in very many
// repositories of others: after some of them it leaps to the next repository of
// the registry.
func (t *tx) LayerHolders(registry name.RegistryID, space meta.Space, d digest.Digest, limit int) ([]meta.RepositoryKey, error) {
	id, err := t.registry(registry, space)
	if errors.Is(err, meta.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var found []meta.RepositoryKey
	from := int64(0)
	for range leaps {
		seen := 0
		err := t.rows(func(r *row) {
			seen, from = seen+1, r.int(0)
			if r.int(1) == id && len(found) < limit {
				found = append(found, meta.RepositoryKey{Registry: registry, Space: space, Name: name.RepositoryName(r.text(2))})
			}
		}, `SELECT l.repository_id, n.registry_id, n.name FROM layer l LEFT JOIN repository_name n ON n.repository_id = l.repository_id
			WHERE l.digest = ?1 AND l.repository_id >= ?2 ORDER BY l.repository_id LIMIT ?3`, d, from, limit)
		if err != nil || seen < limit || len(found) == limit {
			return found, err
		}
		from, err = t.number(`SELECT r.id FROM repository r WHERE r.registry_id = ?1 AND r.id > ?2 ORDER BY r.id LIMIT 1`, id, from)
		if errors.Is(err, meta.ErrNotFound) {
			return found, nil
		}
		if err != nil {
			return nil, err
		}
	}
	return found, nil
}

// LayerOf looks up by id. In an update it locks the layer: a collector decides
// by what it reads here, and nobody may touch the layer until it has.
func (t *tx) LayerOf(id meta.LayerID) (meta.Layer, error) {
	if err := t.lockLayer(id); err != nil {
		return meta.Layer{}, err
	}
	return t.layer(layerSelect+`WHERE l.id = ?1`, id)
}

// lockLayer locks a layer's blob, then the layer, in the order of a push.
func (t *tx) lockLayer(id meta.LayerID) error {
	if !t.writes || !t.session.locks() {
		return nil
	}
	if _, err := t.has(`SELECT 1 FROM blob b WHERE b.id = (SELECT l.blob_id FROM layer l WHERE l.id = ?1) FOR UPDATE OF b`, id); err != nil {
		return err
	}
	_, err := t.has(`SELECT 1 FROM layer l WHERE l.id = ?1 FOR UPDATE OF l`, id)
	return err
}

// LayerReferenced looks for one image.
func (t *tx) LayerReferenced(id meta.LayerID) (bool, error) {
	return t.has(`SELECT 1 FROM image_layer WHERE layer_id = ?1 LIMIT 1`, id)
}

// ArchivedLayers looks for images only in a repository that has archived ones.
func (t *tx) ArchivedLayers(repository meta.RepositoryID, ids []meta.LayerID) ([]meta.LayerID, error) {
	any, err := t.has(`SELECT 1 FROM image i WHERE i.repository_id = ?1 AND i.archived = 1 AND i.tagged = 0
		UNION ALL SELECT 1 FROM image i WHERE i.repository_id = ?1 AND i.archived = 1 AND i.tagged = 1 LIMIT 1`, repository)
	if err != nil || !any {
		return nil, err
	}
	var found []meta.LayerID
	for part := range slices.Chunk(ids, layersAtOnce) {
		in, args := list(nil, part)
		err := t.rows(func(r *row) { found = append(found, meta.LayerID(r.int(0))) }, `SELECT l.id FROM layer l WHERE l.id IN `+in+`
			AND NOT EXISTS (SELECT 1 FROM image_layer k JOIN image i ON i.id = k.image_id WHERE k.layer_id = l.id AND i.archived = 0)
			AND EXISTS (SELECT 1 FROM image_layer k WHERE k.layer_id = l.id) ORDER BY l.id`, args...)
		if err != nil {
			return nil, err
		}
	}
	return found, nil
}

// PutLayer adds or touches a layer.
func (t *tx) PutLayer(repository meta.RepositoryID, blob meta.BlobID, due time.Time) (meta.LayerID, error) {
	now, err := t.Now()
	if err != nil {
		return 0, err
	}
	for {
		id, err := t.number(`INSERT INTO layer (repository_id, blob_id, digest, touched_at)
			SELECT CAST(?1 AS BIGINT), b.id, b.digest, CAST(?3 AS BIGINT) FROM blob b WHERE b.id = ?2
			ON CONFLICT DO NOTHING RETURNING id`, repository, blob, now)
		if err == nil {
			return meta.LayerID(id), t.EnqueueReview(meta.LayerSubject, id, due)
		}
		if err != meta.ErrNotFound {
			return 0, err
		}
		id, err = t.number(`UPDATE layer SET touched_at = ?3
			WHERE repository_id = ?1 AND digest = (SELECT b.digest FROM blob b WHERE b.id = ?2) RETURNING id`, repository, blob, now)
		if err != meta.ErrNotFound {
			return meta.LayerID(id), err
		}
		// There is no such blob, or the layer went between the two.
		there, err := t.has(`SELECT 1 FROM blob WHERE id = ?1`, blob)
		if err != nil {
			return 0, err
		}
		if !there {
			return 0, meta.ErrNotFound
		}
	}
}

// TouchLayer sets the time.
func (t *tx) TouchLayer(id meta.LayerID) error {
	now, err := t.Now()
	if err != nil {
		return err
	}
	return t.change(`UPDATE layer SET touched_at = ?2 WHERE id = ?1`, id, now)
}

// DeleteLayer removes a layer and perhaps its blob, whose row is locked
// first: a push of the same blob waits, finds it gone and runs again.
func (t *tx) DeleteLayer(id meta.LayerID, removeAfter time.Time) error {
	layer, err := t.LayerOf(id)
	if err != nil {
		return err
	}
	kept, err := t.LayerReferenced(id)
	if err != nil {
		return err
	}
	if kept {
		return meta.ErrReferenced
	}
	if err := t.change(`DELETE FROM layer WHERE id = ?1`, id); err != nil {
		return err
	}
	shared, err := t.has(`SELECT 1 FROM layer WHERE blob_id = ?1 LIMIT 1`, layer.Blob.ID)
	if err != nil || shared {
		return err
	}
	return t.deleteBlob(layer.Blob, removeAfter)
}
