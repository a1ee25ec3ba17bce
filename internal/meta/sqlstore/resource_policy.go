package sqlstore

import (
	"github.com/lighterage/lighterage/internal/meta"
	"github.com/lighterage/lighterage/internal/name"
)

// text reads the one text of a query. ErrNotFound.
func (t *tx) text(sql string, args ...any) (string, error) {
	var s string
	err := t.row(func(r *row) { s = r.text(0) }, sql, args...)
	return s, err
}

// RepositoryPolicy reads one.
func (t *tx) RepositoryPolicy(id meta.RepositoryID) (string, error) {
	return t.text(`SELECT document FROM repository_policy WHERE repository_id = ?1`, id)
}

// PutRepositoryPolicy adds or overwrites. The lock on the name keeps the
// repository from being unlinked, which would drop the policy before it is
// there.
func (t *tx) PutRepositoryPolicy(id meta.RepositoryID, document string) error {
	if err := t.hold(`SELECT n.repository_id FROM repository_name n WHERE n.repository_id = ?1`, meta.LockShared, "n", id); err != nil {
		return err
	}
	_, err := t.execAccess(`INSERT INTO repository_policy (repository_id, document) VALUES (?1, ?2)
		ON CONFLICT (repository_id) DO UPDATE SET document = excluded.document`, id, document)
	return err
}

// DeleteRepositoryPolicy removes one.
func (t *tx) DeleteRepositoryPolicy(id meta.RepositoryID) error {
	return t.changeAccess(`DELETE FROM repository_policy WHERE repository_id = ?1`, id)
}

// RegistryPolicy reads one.
func (t *tx) RegistryPolicy(registry name.RegistryID) (string, error) {
	id, err := t.registry(registry, meta.ECR)
	if err != nil {
		return "", err
	}
	return t.text(`SELECT document FROM registry_policy WHERE registry_id = ?1`, id)
}

// PutRegistryPolicy adds or overwrites.
func (t *tx) PutRegistryPolicy(registry name.RegistryID, document string) error {
	id, err := t.makeRegistry(registry, meta.ECR)
	if err != nil {
		return err
	}
	_, err = t.execAccess(`INSERT INTO registry_policy (registry_id, document) VALUES (?1, ?2)
		ON CONFLICT (registry_id) DO UPDATE SET document = excluded.document`, id, document)
	return err
}

// DeleteRegistryPolicy removes one.
func (t *tx) DeleteRegistryPolicy(registry name.RegistryID) error {
	id, err := t.registry(registry, meta.ECR)
	if err != nil {
		return err
	}
	return t.changeAccess(`DELETE FROM registry_policy WHERE registry_id = ?1`, id)
}

// AccountSetting reads one.
func (t *tx) AccountSetting(registry name.RegistryID, setting string) (string, error) {
	id, err := t.registry(registry, meta.ECR)
	if err != nil {
		return "", err
	}
	return t.text(`SELECT value FROM account_setting WHERE registry_id = ?1 AND name = ?2`, id, setting)
}

// PutAccountSetting adds or overwrites.
func (t *tx) PutAccountSetting(registry name.RegistryID, setting, value string) error {
	id, err := t.makeRegistry(registry, meta.ECR)
	if err != nil {
		return err
	}
	_, err = t.execAccess(`INSERT INTO account_setting (registry_id, name, value) VALUES (?1, ?2, ?3)
		ON CONFLICT (registry_id, name) DO UPDATE SET value = excluded.value`, id, setting, value)
	return err
}
