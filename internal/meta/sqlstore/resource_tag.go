package sqlstore

import "github.com/lighterage/lighterage/internal/meta"

// ResourceTags lists by key.
func (t *tx) ResourceTags(r meta.Resource) ([]meta.ResourceTag, error) {
	var found []meta.ResourceTag
	err := t.rows(func(r *row) { found = append(found, meta.ResourceTag{Key: r.text(0), Value: r.text(1)}) },
		`SELECT key, value FROM resource_tag WHERE kind = ?1 AND resource_id = ?2 ORDER BY key`, r.Kind, r.ID)
	return found, err
}

// PutResourceTags adds or overwrites.
func (t *tx) PutResourceTags(r meta.Resource, tags []meta.ResourceTag) error {
	for _, tag := range tags {
		_, err := t.execAccess(`INSERT INTO resource_tag (kind, resource_id, key, value) VALUES (?1, ?2, ?3, ?4)
			ON CONFLICT (kind, resource_id, key) DO UPDATE SET value = excluded.value`, r.Kind, r.ID, tag.Key, tag.Value)
		if err != nil {
			return err
		}
	}
	return nil
}

// DeleteResourceTags removes keys.
func (t *tx) DeleteResourceTags(r meta.Resource, keys []string) error {
	for _, key := range keys {
		if _, err := t.execAccess(`DELETE FROM resource_tag WHERE kind = ?1 AND resource_id = ?2 AND key = ?3`, r.Kind, r.ID, key); err != nil {
			return err
		}
	}
	return nil
}

// dropResourceTags is for an owner that goes for ever.
func (t *tx) dropResourceTags(r meta.Resource) error {
	_, err := t.exec(`DELETE FROM resource_tag WHERE kind = ?1 AND resource_id = ?2`, r.Kind, r.ID)
	return err
}
