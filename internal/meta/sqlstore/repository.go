package sqlstore

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/lighterage/lighterage/internal/meta"
	"github.com/lighterage/lighterage/internal/name"
)

const (
	repositoryColumns = `r.id, r.name, r.mutability, r.mutability_filters, r.scan_on_push, r.encryption_type, r.kms_key, r.created_at`
	repositorySelect  = `SELECT ` + repositoryColumns + ` FROM repository_name n JOIN repository r ON r.id = n.repository_id `
)

func readRepository(r *row, registry name.RegistryID, space meta.Space) meta.Repository {
	return meta.Repository{
		ID:  meta.RepositoryID(r.int(0)),
		Key: meta.RepositoryKey{Registry: registry, Space: space, Name: name.RepositoryName(r.text(1))},
		RepositorySettings: meta.RepositorySettings{
			Mutability:        r.text(2),
			MutabilityFilters: r.strings(3),
			ScanOnPush:        r.bool(4),
			EncryptionType:    r.text(5),
			KMSKey:            r.text(6),
		},
		CreatedAt: r.time(7),
	}
}

// strings reads a JSON list; an empty one is nil.
func (r *row) strings(i int) []string {
	s := r.text(i)
	if s == "" {
		return nil
	}
	var list []string
	if err := json.Unmarshal([]byte(s), &list); err != nil && r.err == nil {
		r.err = err
	}
	return list
}

func stringsJSON(list []string) (string, error) {
	if len(list) == 0 {
		return "", nil
	}
	b, err := json.Marshal(list)
	return string(b), err
}

// Repository finds a live repository. The lock is on its name too, so that
// whoever waited for an unlink finds the name gone.
func (t *tx) Repository(key meta.RepositoryKey, lock meta.Lock) (meta.Repository, error) {
	registry, err := t.registry(key.Registry, key.Space)
	if err != nil {
		return meta.Repository{}, err
	}
	var found meta.Repository
	err = t.row(func(r *row) { found = readRepository(r, key.Registry, key.Space) },
		t.locked(repositorySelect+`WHERE n.registry_id = ?1 AND n.name = ?2`, lock, "n, r"), registry, key.Name)
	return found, err
}

// Repositories lists by name.
func (t *tx) Repositories(registry name.RegistryID, space meta.Space, page meta.Page[name.RepositoryName]) ([]meta.Repository, error) {
	id, err := t.registry(registry, space)
	if errors.Is(err, meta.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var found []meta.Repository
	err = t.rows(func(r *row) { found = append(found, readRepository(r, registry, space)) },
		repositorySelect+`WHERE n.registry_id = ?1 AND n.name > ?2 ORDER BY n.name LIMIT ?3`, id, page.After, page.Limit)
	return found, err
}

// CountRepositories reads the registry's counter. A view older than the
// registry does not see its row, though the id may be known by now.
func (t *tx) CountRepositories(registry name.RegistryID, space meta.Space) (int64, error) {
	id, err := t.registry(registry, space)
	if err != nil && !errors.Is(err, meta.ErrNotFound) {
		return 0, err
	}
	n, err := t.number(`SELECT repositories FROM registry WHERE id = ?1`, id)
	if errors.Is(err, meta.ErrNotFound) {
		return 0, nil
	}
	return n, err
}

// InsertRepository adds a repository and its name. The lock on the registry
// makes the look for the name exact.
func (t *tx) InsertRepository(r meta.Repository) (meta.RepositoryID, error) {
	registry, err := t.makeRegistry(r.Key.Registry, r.Key.Space)
	if err != nil {
		return 0, err
	}
	filters, err := stringsJSON(r.MutabilityFilters)
	if err != nil {
		return 0, fmt.Errorf("mutability filters: %w", err)
	}
	if _, err := t.has(t.locked(`SELECT g.id FROM registry g WHERE g.id = ?1`, meta.LockExclusive, "g"), registry); err != nil {
		return 0, err
	}
	taken, err := t.has(`SELECT 1 FROM repository_name WHERE registry_id = ?1 AND name = ?2`, registry, r.Key.Name)
	if err != nil {
		return 0, err
	}
	if taken {
		return 0, meta.ErrExists
	}
	id, err := t.number(`INSERT INTO repository (registry_id, name, mutability, mutability_filters, scan_on_push, encryption_type, kms_key, created_at)
		VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) RETURNING id`,
		registry, r.Key.Name, r.Mutability, filters, r.ScanOnPush, r.EncryptionType, r.KMSKey, r.CreatedAt)
	if err != nil {
		return 0, err
	}
	if _, err := t.exec(`INSERT INTO repository_name (registry_id, name, repository_id) VALUES (?1, ?2, ?3)`, registry, r.Key.Name, id); err != nil {
		return 0, err
	}
	_, err = t.exec(`UPDATE registry SET repositories = repositories + 1 WHERE id = ?1`, registry)
	return meta.RepositoryID(id), err
}

// SetRepository stores settings of a live repository.
func (t *tx) SetRepository(id meta.RepositoryID, s meta.RepositorySettings) error {
	filters, err := stringsJSON(s.MutabilityFilters)
	if err != nil {
		return fmt.Errorf("mutability filters: %w", err)
	}
	return t.change(`UPDATE repository SET mutability = ?2, mutability_filters = ?3, scan_on_push = ?4, encryption_type = ?5, kms_key = ?6
		WHERE id = ?1 AND EXISTS (SELECT 1 FROM repository_name n WHERE n.repository_id = ?1)`,
		id, s.Mutability, filters, s.ScanOnPush, s.EncryptionType, s.KMSKey)
}

// RepositoryOf looks up by id, and locks a row that Repository locks too.
func (t *tx) RepositoryOf(id meta.RepositoryID, lock meta.Lock) (meta.Repository, error) {
	var found meta.Repository
	err := t.row(func(r *row) {
		registry := name.RegistryID{Account: name.AccountID(r.text(8)), Region: name.Region(r.text(9))}
		found = readRepository(r, registry, meta.Space(r.int(10)))
	}, t.locked(`SELECT `+repositoryColumns+`, g.account, g.region, g.space
		FROM repository r JOIN registry g ON g.id = r.registry_id WHERE r.id = ?1`, lock, "r"), id)
	return found, err
}

// UnlinkRepository frees the name. What decisions knew of a repository by that
// name is not true of the next one that has it.
func (t *tx) UnlinkRepository(id meta.RepositoryID) error {
	registry, err := t.number(`DELETE FROM repository_name WHERE repository_id = ?1 RETURNING registry_id`, id)
	if err != nil {
		return err
	}
	if _, err := t.execAccess(`DELETE FROM repository_policy WHERE repository_id = ?1`, id); err != nil {
		return err
	}
	if _, err := t.exec(`DELETE FROM lifecycle_policy WHERE repository_id = ?1`, id); err != nil {
		return err
	}
	tagged, err := t.has(`SELECT 1 FROM resource_tag WHERE kind = ?1 AND resource_id = ?2 LIMIT 1`, meta.RepositoryResource, id)
	if err != nil {
		return err
	}
	t.access = t.access || tagged
	_, err = t.exec(`UPDATE registry SET repositories = repositories - 1 WHERE id = ?1`, registry)
	return err
}

// PurgeRepository removes a bounded part of an unlinked repository: images
// from the newest, because an index is always newer than its children, then
// layers, uploads, history and the results of a preview.
func (t *tx) PurgeRepository(id meta.RepositoryID, limit int, removeAfter time.Time) (bool, error) {
	linked, err := t.has(`SELECT 1 FROM repository_name WHERE repository_id = ?1`, id)
	if err != nil {
		return false, err
	}
	if linked {
		return false, meta.ErrReferenced
	}
	for _, step := range []func(meta.RepositoryID, int, time.Time) (int, error){t.purgeImages, t.purgeLayers, t.purgeUploads, t.purgeHistory, t.purgePreview} {
		n, err := step(id, limit, removeAfter)
		if err != nil {
			return false, err
		}
		if limit -= n; limit <= 0 {
			return false, nil
		}
	}
	for _, sql := range []string{
		`DELETE FROM lifecycle_preview WHERE repository_id = ?1`,
		`DELETE FROM usage_delta WHERE repository_id = ?1`,
		`DELETE FROM repository_usage WHERE repository_id = ?1`,
		`DELETE FROM repository WHERE id = ?1`,
	} {
		if _, err := t.exec(sql, id); err != nil {
			return false, err
		}
	}
	return true, t.dropResourceTags(meta.Resource{Kind: meta.RepositoryResource, ID: int64(id)})
}

func (t *tx) purgeImages(id meta.RepositoryID, limit int, _ time.Time) (int, error) {
	images, err := t.numbers(`SELECT id FROM image WHERE repository_id = ?1 ORDER BY id DESC LIMIT ?2`, id, limit)
	if err != nil {
		return 0, err
	}
	all := []string{dropTags, dropLayers, dropChildren, dropPull, dropAnnotation, dropManifest}
	for _, image := range images {
		if err := t.removeImage(meta.ImageID(image), all); err != nil && !errors.Is(err, meta.ErrNotFound) {
			return 0, err
		}
	}
	return len(images), nil
}

func (t *tx) purgeLayers(id meta.RepositoryID, limit int, removeAfter time.Time) (int, error) {
	layers, err := t.numbers(`SELECT id FROM layer WHERE repository_id = ?1 ORDER BY id LIMIT ?2`, id, limit)
	if err != nil {
		return 0, err
	}
	for _, layer := range layers {
		if err := t.DeleteLayer(meta.LayerID(layer), removeAfter); err != nil && !errors.Is(err, meta.ErrNotFound) {
			return 0, err
		}
	}
	return len(layers), nil
}

func (t *tx) purgeUploads(id meta.RepositoryID, limit int, removeAfter time.Time) (int, error) {
	var locations []name.Location
	err := t.rows(func(r *row) { locations = append(locations, name.Location(r.text(0))) },
		`DELETE FROM upload WHERE id IN (SELECT id FROM upload WHERE repository_id = ?1 LIMIT ?2) RETURNING location`, id, limit)
	if err != nil {
		return 0, err
	}
	for _, at := range locations {
		if at == "" || at == meta.Inline {
			continue
		}
		if err := t.AddGarbage(at, removeAfter); err != nil {
			return 0, err
		}
	}
	return len(locations), nil
}

// purgeHistory counts a thousand lines as one, for they are small.
func (t *tx) purgeHistory(id meta.RepositoryID, limit int, _ time.Time) (int, error) {
	n, err := t.exec(`DELETE FROM tag_history WHERE id IN (SELECT id FROM tag_history WHERE repository_id = ?1 LIMIT ?2)`, id, limit*1000)
	return int(n / 1000), err
}

// purgePreview counts as purgeHistory does.
func (t *tx) purgePreview(id meta.RepositoryID, limit int, _ time.Time) (int, error) {
	n, err := t.DropPreviewResults(id, limit*1000)
	return n / 1000, err
}

// numbers reads a column of integers.
func (t *tx) numbers(sql string, args ...any) ([]int64, error) {
	var all []int64
	err := t.rows(func(r *row) { all = append(all, r.int(0)) }, sql, args...)
	return all, err
}
