package sqlstore

import (
	"github.com/lighterage/lighterage/internal/meta"
	"github.com/lighterage/lighterage/internal/name"
)

// AttachPolicy adds an attachment.
func (t *tx) AttachPolicy(principal meta.PrincipalID, policy meta.PolicyRef) error {
	n, err := t.execAccess(`INSERT INTO attachment (principal_id, arn, account, policy_id)
		SELECT p.id, CAST(?2 AS TEXT), p.account, CAST(?3 AS BIGINT) FROM principal p WHERE p.id = ?1 ON CONFLICT DO NOTHING`,
		principal, policy.ARN, refer(policy.ID))
	if err != nil || n > 0 {
		return err
	}
	return t.row(func(*row) {}, `SELECT 1 FROM attachment WHERE principal_id = ?1 AND arn = ?2`, principal, policy.ARN)
}

// DetachPolicy removes an attachment.
func (t *tx) DetachPolicy(principal meta.PrincipalID, arn string) error {
	return t.changeAccess(`DELETE FROM attachment WHERE principal_id = ?1 AND arn = ?2`, principal, arn)
}

// AttachedPolicies lists by ARN.
func (t *tx) AttachedPolicies(principal meta.PrincipalID) ([]meta.PolicyRef, error) {
	var found []meta.PolicyRef
	err := t.rows(func(r *row) { found = append(found, meta.PolicyRef{ARN: r.text(0), ID: meta.PolicyID(r.int(1))}) },
		`SELECT arn, policy_id FROM attachment WHERE principal_id = ?1 ORDER BY arn`, principal)
	return found, err
}

// Attached lists by id.
func (t *tx) Attached(account name.AccountID, arn string, page meta.Page[meta.PrincipalID]) ([]meta.Principal, error) {
	return t.principals(principalSelect+`JOIN attachment a ON a.principal_id = p.id
		WHERE a.account = ?1 AND a.arn = ?2 AND a.principal_id > ?3 ORDER BY a.principal_id LIMIT ?4`, account, arn, page.After, page.Limit)
}

// CountAttached counts in the index of ARNs.
func (t *tx) CountAttached(account name.AccountID, arn string) (int64, error) {
	return t.number(`SELECT COUNT(*) FROM attachment WHERE account = ?1 AND arn = ?2`, account, arn)
}

// Bounded lists by id. The filter is spelled as the partial index is.
func (t *tx) Bounded(account name.AccountID, arn string, page meta.Page[meta.PrincipalID]) ([]meta.Principal, error) {
	return t.principals(principalSelect+`WHERE p.account = ?1 AND p.boundary = ?2 AND p.boundary <> '' AND p.id > ?3 ORDER BY p.id LIMIT ?4`,
		account, arn, page.After, page.Limit)
}

// CountBounded counts in the index of boundaries.
func (t *tx) CountBounded(account name.AccountID, arn string) (int64, error) {
	return t.number(`SELECT COUNT(*) FROM principal WHERE account = ?1 AND boundary = ?2 AND boundary <> ''`, account, arn)
}

// PolicyUses counts in the same indexes.
func (t *tx) PolicyUses(account name.AccountID) (map[string]meta.PolicyUse, error) {
	uses := map[string]meta.PolicyUse{}
	err := t.rows(func(r *row) {
		arn := r.text(0)
		use := uses[arn]
		use.Attached, use.Bounded = use.Attached+r.int(1), use.Bounded+r.int(2)
		uses[arn] = use
	}, `SELECT arn, COUNT(*), 0 FROM attachment WHERE account = ?1 GROUP BY arn
		UNION ALL SELECT boundary, 0, COUNT(*) FROM principal WHERE account = ?1 AND boundary <> '' GROUP BY boundary`, account)
	return uses, err
}
