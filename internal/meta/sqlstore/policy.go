package sqlstore

import (
	"strings"

	"github.com/lighterage/lighterage/internal/meta"
	"github.com/lighterage/lighterage/internal/name"
)

const (
	policySelect = `SELECT p.id, p.account, p.name, p.path, p.unique_id, p.description, p.default_version, p.last_version, p.created_at, p.updated_at
	FROM policy p `
	versionSelect = `SELECT v.policy_id, v.number, v.document, v.created_at FROM policy_version v `
)

func readPolicy(r *row) meta.Policy {
	return meta.Policy{
		ID:             meta.PolicyID(r.int(0)),
		Account:        name.AccountID(r.text(1)),
		Name:           r.text(2),
		Path:           r.text(3),
		UniqueID:       r.text(4),
		Description:    r.text(5),
		DefaultVersion: int(r.int(6)),
		LastVersion:    int(r.int(7)),
		CreatedAt:      r.time(8),
		UpdatedAt:      r.time(9),
	}
}

func readVersion(r *row) meta.PolicyVersion {
	return meta.PolicyVersion{Policy: meta.PolicyID(r.int(0)), Number: int(r.int(1)), Document: r.text(2), CreatedAt: r.time(3)}
}

// Policy finds one.
func (t *tx) Policy(account name.AccountID, policy string, lock meta.Lock) (meta.Policy, error) {
	var found meta.Policy
	err := t.row(func(r *row) { found = readPolicy(r) },
		t.locked(policySelect+`WHERE p.account = ?1 AND p.name_key = ?2`, lock, "p"), account, strings.ToLower(policy))
	return found, err
}

// PolicyOf looks up by id.
func (t *tx) PolicyOf(id meta.PolicyID) (meta.Policy, error) {
	var found meta.Policy
	err := t.row(func(r *row) { found = readPolicy(r) }, policySelect+`WHERE p.id = ?1`, id)
	return found, err
}

// Policies lists by name.
func (t *tx) Policies(account name.AccountID, path string, page meta.Page[string]) ([]meta.Policy, error) {
	var found []meta.Policy
	err := t.rows(func(r *row) { found = append(found, readPolicy(r)) },
		policySelect+`WHERE p.account = ?1 AND p.name_key > ?2 AND substr(p.path, 1, length(?3)) = ?3 ORDER BY p.name_key LIMIT ?4`,
		account, strings.ToLower(page.After), path, page.Limit)
	return found, err
}

// CountPolicies counts in the index of names.
func (t *tx) CountPolicies(account name.AccountID) (int64, error) {
	return t.number(`SELECT COUNT(*) FROM policy WHERE account = ?1`, account)
}

// InsertPolicy adds a policy and its first version.
func (t *tx) InsertPolicy(p meta.Policy, document string) (meta.PolicyID, error) {
	id, err := t.insertAccess(`INSERT INTO policy (account, name, name_key, path, unique_id, description, default_version, last_version, created_at, updated_at)
		VALUES (?1, ?2, ?3, ?4, ?5, ?6, 1, 1, ?7, ?8) ON CONFLICT DO NOTHING RETURNING id`,
		p.Account, p.Name, strings.ToLower(p.Name), p.Path, p.UniqueID, p.Description, p.CreatedAt, p.UpdatedAt)
	if err != nil {
		return 0, err
	}
	return meta.PolicyID(id), t.InsertPolicyVersion(meta.PolicyVersion{Policy: meta.PolicyID(id), Number: 1, Document: document, CreatedAt: p.CreatedAt})
}

// lockPolicy makes what is read of the policy and its versions true.
func (t *tx) lockPolicy(id meta.PolicyID) error {
	return t.hold(`SELECT p.id FROM policy p WHERE p.id = ?1`, meta.LockExclusive, "p", id)
}

// SetPolicy stores what can change. Under the lock the default version stays.
func (t *tx) SetPolicy(p meta.Policy) error {
	if err := t.lockPolicy(p.ID); err != nil {
		return err
	}
	return t.changeAccess(`UPDATE policy SET description = ?2, default_version = ?3, last_version = ?4, updated_at = ?5
		WHERE id = ?1 AND EXISTS (SELECT 1 FROM policy_version v WHERE v.policy_id = ?1 AND v.number = ?3)`,
		p.ID, p.Description, p.DefaultVersion, p.LastVersion, p.UpdatedAt)
}

// policyReferrers are the rows that keep a policy.
var policyReferrers = []string{
	`SELECT 1 FROM attachment WHERE policy_id = ?1 LIMIT 1`,
	`SELECT 1 FROM principal WHERE boundary_id = ?1 LIMIT 1`,
}

// DeletePolicy removes a policy that nothing keeps.
func (t *tx) DeletePolicy(id meta.PolicyID) error {
	if err := t.lockPolicy(id); err != nil {
		return err
	}
	if err := t.unkept(int64(id), policyReferrers); err != nil {
		return err
	}
	if _, err := t.exec(`DELETE FROM policy_version WHERE policy_id = ?1`, id); err != nil {
		return err
	}
	if err := t.dropResourceTags(meta.Resource{Kind: meta.PolicyResource, ID: int64(id)}); err != nil {
		return err
	}
	return t.changeAccess(`DELETE FROM policy WHERE id = ?1`, id)
}

// PolicyVersions lists by number.
func (t *tx) PolicyVersions(id meta.PolicyID) ([]meta.PolicyVersion, error) {
	var found []meta.PolicyVersion
	err := t.rows(func(r *row) { found = append(found, readVersion(r)) }, versionSelect+`WHERE v.policy_id = ?1 ORDER BY v.number`, id)
	return found, err
}

// PolicyVersion finds one.
func (t *tx) PolicyVersion(id meta.PolicyID, number int) (meta.PolicyVersion, error) {
	var found meta.PolicyVersion
	err := t.row(func(r *row) { found = readVersion(r) }, versionSelect+`WHERE v.policy_id = ?1 AND v.number = ?2`, id, number)
	return found, err
}

// InsertPolicyVersion adds one.
func (t *tx) InsertPolicyVersion(v meta.PolicyVersion) error {
	n, err := t.execAccess(`INSERT INTO policy_version (policy_id, number, document, created_at) VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO NOTHING`,
		v.Policy, v.Number, v.Document, v.CreatedAt)
	if err == nil && n == 0 {
		return meta.ErrExists
	}
	return err
}

// DeletePolicyVersion removes one that is not the default: a policy without a
// document would deny nothing any more.
func (t *tx) DeletePolicyVersion(id meta.PolicyID, number int) error {
	if err := t.lockPolicy(id); err != nil {
		return err
	}
	policy, err := t.PolicyOf(id)
	if err != nil {
		return err
	}
	if policy.DefaultVersion == number {
		return meta.ErrReferenced
	}
	return t.changeAccess(`DELETE FROM policy_version WHERE policy_id = ?1 AND number = ?2`, id, number)
}
