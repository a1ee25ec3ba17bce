package directory

import (
	"cmp"
	"context"
	"time"

	"github.com/lighterage/lighterage/internal/fault"
	"github.com/lighterage/lighterage/internal/meta"
	"github.com/lighterage/lighterage/internal/name"
	"github.com/lighterage/lighterage/internal/policy"
)

// How long the sessions of a role may be set to last (IAM API reference,
// CreateRole).
const (
	minMaxSession = time.Hour
	maxMaxSession = 12 * time.Hour
)

// RoleSpec is what a role is made of.
type RoleSpec struct {
	Name, Path, Trust, Description string
	MaxSession                     time.Duration // 0: an hour
	Boundary                       string        // ARN; empty: none
	Tags                           []ResourceTag
}

// CreateRole adds a role. EntityExists, EntityNotFound for the boundary,
// LimitExceeded, PolicyMalformed, ParameterInvalid, InputRefused.
func (d *Directory) CreateRole(ctx context.Context, account name.AccountID, s RoleSpec) (Principal, error) {
	s.MaxSession = cmp.Or(s.MaxSession, minMaxSession)
	if err := cmp.Or(checkName("roleName", s.Name, maxRoleName), checkPath(s.Path), checkMaxSession(s.MaxSession), d.checkTrust(s.Trust)); err != nil {
		return Principal{}, err
	}
	var made Principal
	err := d.change(ctx, account, func(tx meta.Tx) error {
		boundary, err := boundaryRef(tx, account, s.Boundary)
		if err != nil {
			return err
		}
		made, err = d.insert(tx, meta.Principal{
			Key: meta.PrincipalKey{Account: account, Kind: Role, Name: s.Name}, Path: s.Path, UniqueID: uniqueID(rolePrefix),
			Boundary: boundary, Trust: s.Trust, Description: s.Description, MaxSession: s.MaxSession,
		}, s.Tags)
		return err
	})
	return made, err
}

func checkMaxSession(d time.Duration) error {
	if d < minMaxSession || d > maxMaxSession {
		return &fault.Error{Reason: fault.ParameterInvalid, Member: "maxSessionDuration", Value: d.String(),
			Detail: "The maximum session duration must be between 3600 and 43200 seconds."}
	}
	return nil
}

// checkTrust checks a role's trust policy. PolicyMalformed, LimitExceeded.
func (d *Directory) checkTrust(document string) error {
	if significant(document) > d.Limits.TrustSize {
		return quotaFault("ACLSizePerRole", d.Limits.TrustSize)
	}
	return parse(policy.Trust, document)
}

// GetRole returns a role with its tags. EntityNotFound.
func (d *Directory) GetRole(ctx context.Context, account name.AccountID, called string) (Principal, error) {
	var got Principal
	err := d.view(ctx, func(tx meta.Tx) error {
		row, err := find(tx, account, Role, called, meta.NoLock)
		if err != nil {
			return err
		}
		got, err = describe(tx, row)
		return err
	})
	return got, err
}

// ListRoles lists the roles whose paths begin so, by name. A page continues
// after a name. Tags are not filled in.
func (d *Directory) ListRoles(ctx context.Context, account name.AccountID, path string, page Page[string]) ([]Principal, bool, error) {
	var all []Principal
	var more bool
	err := d.view(ctx, func(tx meta.Tx) error {
		all = nil
		rows, rest, err := listed(page, func(p Page[string]) ([]meta.Principal, error) { return tx.Principals(account, Role, path, p) })
		for _, row := range rows {
			all = append(all, Principal{Principal: row})
		}
		more = rest
		return err
	})
	return all, more, err
}

// RoleChange is what is to become of a role; nil leaves as it is.
type RoleChange struct {
	Description *string
	MaxSession  *time.Duration
	Trust       *string
}

// UpdateRole changes a role. EntityNotFound, LimitExceeded, PolicyMalformed,
// ParameterInvalid.
func (d *Directory) UpdateRole(ctx context.Context, account name.AccountID, called string, c RoleChange) (Principal, error) {
	if c.MaxSession != nil {
		if err := checkMaxSession(*c.MaxSession); err != nil {
			return Principal{}, err
		}
	}
	if c.Trust != nil {
		if err := d.checkTrust(*c.Trust); err != nil {
			return Principal{}, err
		}
	}
	var changed Principal
	err := d.change(ctx, account, func(tx meta.Tx) error {
		row, err := find(tx, account, Role, called, meta.LockExclusive)
		if err != nil {
			return err
		}
		set(&row.Description, c.Description)
		set(&row.MaxSession, c.MaxSession)
		set(&row.Trust, c.Trust)
		if err := tx.SetPrincipal(row); err != nil {
			return err
		}
		changed, err = describe(tx, row)
		return err
	})
	return changed, err
}

func set[T any](value, to *T) {
	if to != nil {
		*value = *to
	}
}

// DeleteRole removes a role. EntityInUse while it has policies;
// EntityNotFound.
func (d *Directory) DeleteRole(ctx context.Context, account name.AccountID, called string) error {
	return d.change(ctx, account, func(tx meta.Tx) error { return remove(tx, account, Role, called) })
}

// TagRole adds tags to a role or overwrites them. EntityNotFound, InputRefused,
// LimitExceeded.
func (d *Directory) TagRole(ctx context.Context, account name.AccountID, called string, tags []ResourceTag) error {
	return d.change(ctx, account, func(tx meta.Tx) error {
		row, err := find(tx, account, Role, called, meta.NoLock)
		if err != nil {
			return err
		}
		return d.putResourceTags(tx, tagged(row), tags)
	})
}

// UntagRole takes tags off a role. EntityNotFound.
func (d *Directory) UntagRole(ctx context.Context, account name.AccountID, called string, keys []string) error {
	return d.change(ctx, account, func(tx meta.Tx) error {
		row, err := find(tx, account, Role, called, meta.NoLock)
		if err != nil {
			return err
		}
		return deleteResourceTags(tx, tagged(row), keys)
	})
}
