package sqlstore

import "github.com/lighterage/lighterage/internal/meta"

// InlinePolicies lists by name.
func (t *tx) InlinePolicies(principal meta.PrincipalID) ([]meta.InlinePolicy, error) {
	var found []meta.InlinePolicy
	err := t.rows(func(r *row) { found = append(found, meta.InlinePolicy{Name: r.text(0), Document: r.text(1)}) },
		`SELECT name, document FROM inline_policy WHERE principal_id = ?1 ORDER BY name`, principal)
	return found, err
}

// InlinePolicy finds one.
func (t *tx) InlinePolicy(principal meta.PrincipalID, policy string) (meta.InlinePolicy, error) {
	var found meta.InlinePolicy
	err := t.row(func(r *row) { found = meta.InlinePolicy{Name: r.text(0), Document: r.text(1)} },
		`SELECT name, document FROM inline_policy WHERE principal_id = ?1 AND name = ?2`, principal, policy)
	return found, err
}

// PutInlinePolicy adds or overwrites.
func (t *tx) PutInlinePolicy(principal meta.PrincipalID, p meta.InlinePolicy) error {
	_, err := t.execAccess(`INSERT INTO inline_policy (principal_id, name, document) VALUES (?1, ?2, ?3)
		ON CONFLICT (principal_id, name) DO UPDATE SET document = excluded.document`, principal, p.Name, p.Document)
	return err
}

// DeleteInlinePolicy removes one.
func (t *tx) DeleteInlinePolicy(principal meta.PrincipalID, policy string) error {
	return t.changeAccess(`DELETE FROM inline_policy WHERE principal_id = ?1 AND name = ?2`, principal, policy)
}
