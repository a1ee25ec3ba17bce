package sqlstore

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/lighterage/lighterage/internal/meta"
	"github.com/lighterage/lighterage/internal/name"
)

const (
	principalColumns = `p.id, p.account, p.kind, p.name, p.path, p.unique_id, p.created_at, p.boundary, p.boundary_id,
	p.trust, p.description, p.max_session, u.used_at, u.region`
	principalSelect = `SELECT ` + principalColumns + ` FROM principal p LEFT JOIN principal_use u ON u.principal_id = p.id `
)

func readPrincipal(r *row) meta.Principal {
	return meta.Principal{
		ID:          meta.PrincipalID(r.int(0)),
		Key:         meta.PrincipalKey{Account: name.AccountID(r.text(1)), Kind: meta.PrincipalKind(r.int(2)), Name: r.text(3)},
		Path:        r.text(4),
		UniqueID:    r.text(5),
		CreatedAt:   r.time(6),
		Boundary:    meta.PolicyRef{ARN: r.text(7), ID: meta.PolicyID(r.int(8))},
		Trust:       r.text(9),
		Description: r.text(10),
		MaxSession:  time.Duration(r.int(11)) * time.Millisecond,
		LastUse:     meta.Use{At: r.time(12), Region: name.Region(r.text(13))},
	}
}

func (t *tx) principal(sql string, args ...any) (meta.Principal, error) {
	var found meta.Principal
	err := t.row(func(r *row) { found = readPrincipal(r) }, sql, args...)
	return found, err
}

func (t *tx) principals(sql string, args ...any) ([]meta.Principal, error) {
	var found []meta.Principal
	err := t.rows(func(r *row) { found = append(found, readPrincipal(r)) }, sql, args...)
	return found, err
}

// Principal finds one.
func (t *tx) Principal(key meta.PrincipalKey, lock meta.Lock) (meta.Principal, error) {
	return t.principal(t.locked(principalSelect+`WHERE p.account = ?1 AND p.kind = ?2 AND p.name_key = ?3`, lock, "p"),
		key.Account, key.Kind, strings.ToLower(key.Name))
}

// PrincipalOf looks up by id.
func (t *tx) PrincipalOf(id meta.PrincipalID) (meta.Principal, error) {
	return t.principal(principalSelect+`WHERE p.id = ?1`, id)
}

// PrincipalByUniqueID looks up by the id that is shown.
func (t *tx) PrincipalByUniqueID(id string) (meta.Principal, error) {
	return t.principal(principalSelect+`WHERE p.unique_id = ?1`, id)
}

// Principals lists by name.
func (t *tx) Principals(account name.AccountID, kind meta.PrincipalKind, path string, page meta.Page[string]) ([]meta.Principal, error) {
	return t.principals(principalSelect+`WHERE p.account = ?1 AND p.kind = ?2 AND p.name_key > ?3 AND substr(p.path, 1, length(?4)) = ?4
		ORDER BY p.name_key LIMIT ?5`, account, kind, strings.ToLower(page.After), path, page.Limit)
}

// CountPrincipals counts in the index of names.
func (t *tx) CountPrincipals(account name.AccountID, kind meta.PrincipalKind) (int64, error) {
	return t.number(`SELECT COUNT(*) FROM principal WHERE account = ?1 AND kind = ?2`, account, kind)
}

// InsertPrincipal adds one.
func (t *tx) InsertPrincipal(p meta.Principal) (meta.PrincipalID, error) {
	id, err := t.insertAccess(`INSERT INTO principal (account, kind, name, name_key, path, unique_id, boundary, boundary_id, trust, description, max_session, created_at)
		VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12) ON CONFLICT DO NOTHING RETURNING id`,
		p.Key.Account, p.Key.Kind, p.Key.Name, strings.ToLower(p.Key.Name), p.Path, p.UniqueID, p.Boundary.ARN, refer(p.Boundary.ID),
		p.Trust, p.Description, p.MaxSession.Milliseconds(), p.CreatedAt)
	return meta.PrincipalID(id), err
}

// SetPrincipal stores what can change.
func (t *tx) SetPrincipal(p meta.Principal) error {
	key := strings.ToLower(p.Key.Name)
	taken, err := t.has(`SELECT 1 FROM principal p JOIN principal o ON o.account = p.account AND o.kind = p.kind AND o.name_key = ?2
		WHERE p.id = ?1 AND o.id <> p.id`, p.ID, key)
	if err != nil {
		return err
	}
	if taken {
		return meta.ErrExists
	}
	return t.changeAccess(`UPDATE principal SET name = ?2, name_key = ?3, path = ?4, boundary = ?5, boundary_id = ?6, trust = ?7, description = ?8, max_session = ?9
		WHERE id = ?1`, p.ID, p.Key.Name, key, p.Path, p.Boundary.ARN, refer(p.Boundary.ID), p.Trust, p.Description, p.MaxSession.Milliseconds())
}

// principalReferrers are the rows that keep a principal.
var principalReferrers = []string{
	`SELECT 1 FROM group_member WHERE group_id = ?1 LIMIT 1`,
	`SELECT 1 FROM group_member WHERE user_id = ?1 LIMIT 1`,
	`SELECT 1 FROM access_key WHERE user_id = ?1 LIMIT 1`,
	`SELECT 1 FROM attachment WHERE principal_id = ?1 LIMIT 1`,
	`SELECT 1 FROM inline_policy WHERE principal_id = ?1 LIMIT 1`,
}

// DeletePrincipal removes a principal that nothing keeps.
func (t *tx) DeletePrincipal(id meta.PrincipalID) error {
	if err := t.hold(`SELECT p.id FROM principal p WHERE p.id = ?1`, meta.LockExclusive, "p", id); err != nil {
		return err
	}
	if err := t.unkept(int64(id), principalReferrers); err != nil {
		return err
	}
	if _, err := t.exec(`DELETE FROM principal_use WHERE principal_id = ?1`, id); err != nil {
		return err
	}
	for _, kind := range []meta.ResourceKind{meta.UserResource, meta.RoleResource} { // an id is of one kind only
		if err := t.dropResourceTags(meta.Resource{Kind: kind, ID: int64(id)}); err != nil {
			return err
		}
	}
	return t.changeAccess(`DELETE FROM principal WHERE id = ?1`, id)
}

// unkept is ErrReferenced when one of the queries finds a row that keeps the
// one with the id.
func (t *tx) unkept(id int64, queries []string) error {
	for _, sql := range queries {
		kept, err := t.has(sql, id)
		if err != nil {
			return err
		}
		if kept {
			return meta.ErrReferenced
		}
	}
	return nil
}

// RecordPrincipalUses writes in the order of ids, so that two recorders cannot
// wait for each other.
func (t *tx) RecordPrincipalUses(uses map[meta.PrincipalID]meta.Use) error {
	for _, id := range slices.Sorted(maps.Keys(uses)) {
		_, err := t.exec(`INSERT INTO principal_use (principal_id, used_at, region)
			SELECT p.id, CAST(?2 AS BIGINT), CAST(?3 AS TEXT) FROM principal p WHERE p.id = ?1
			ON CONFLICT (principal_id) DO UPDATE SET used_at = excluded.used_at, region = excluded.region
			WHERE principal_use.used_at < excluded.used_at`, id, uses[id].At, uses[id].Region)
		if err != nil {
			return err
		}
	}
	return nil
}

// PutMember adds a membership.
func (t *tx) PutMember(group, user meta.PrincipalID) error {
	n, err := t.execAccess(`INSERT INTO group_member (group_id, user_id)
		SELECT g.id, u.id FROM principal g JOIN principal u ON u.account = g.account
		WHERE g.id = ?1 AND g.kind = ?3 AND u.id = ?2 AND u.kind = ?4 ON CONFLICT DO NOTHING`, group, user, meta.Group, meta.User)
	if err != nil || n > 0 {
		return err
	}
	return t.row(func(*row) {}, `SELECT 1 FROM group_member WHERE group_id = ?1 AND user_id = ?2`, group, user)
}

// DeleteMember removes a membership.
func (t *tx) DeleteMember(group, user meta.PrincipalID) error {
	return t.changeAccess(`DELETE FROM group_member WHERE group_id = ?1 AND user_id = ?2`, group, user)
}

// Members lists by id.
func (t *tx) Members(group meta.PrincipalID, page meta.Page[meta.PrincipalID]) ([]meta.Principal, error) {
	return t.principals(principalSelect+`JOIN group_member m ON m.user_id = p.id
		WHERE m.group_id = ?1 AND m.user_id > ?2 ORDER BY m.user_id LIMIT ?3`, group, page.After, page.Limit)
}

// Groups lists by id.
func (t *tx) Groups(user meta.PrincipalID, page meta.Page[meta.PrincipalID]) ([]meta.Principal, error) {
	return t.principals(principalSelect+`JOIN group_member m ON m.group_id = p.id
		WHERE m.user_id = ?1 AND m.group_id > ?2 ORDER BY m.group_id LIMIT ?3`, user, page.After, page.Limit)
}
