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

// NewRole is a role to be made.
type NewRole struct {
	Name        string
	Path        string // empty: "/"
	Trust       string // policy document
	Description string
	MaxSession  time.Duration // 0: an hour
	Boundary    string        // ARN of the permissions boundary; empty: none
	Tags        []ResourceTag
}

// CreateRole adds a role. EntityExists, for a name that differs in case only
// too; EntityNotFound for the boundary; LimitExceeded, PolicyMalformed,
// ParameterInvalid, InputRefused.
func (d *Directory) CreateRole(ctx context.Context, account name.AccountID, n NewRole) (Principal, error) {
	n.Path, n.MaxSession = cmp.Or(n.Path, "/"), cmp.Or(n.MaxSession, minMaxSession)
	if err := cmp.Or(checkNamed("roleName", n.Name, maxRoleName, n.Path), checkMaxSession(n.MaxSession)); err != nil {
		return Principal{}, err
	}
	trust, err := d.parseTrust(n.Trust)
	if err != nil {
		return Principal{}, err
	}
	row := meta.Principal{
		Key:         meta.PrincipalKey{Account: account, Kind: Role, Name: n.Name},
		Path:        n.Path,
		UniqueID:    uniqueID(rolePrefix),
		Trust:       n.Trust,
		Description: n.Description,
		MaxSession:  n.MaxSession,
	}
	var made Principal
	err = d.change(ctx, account, func(tx meta.Tx) (err error) {
		if err := checkMentions(tx, trust); err != nil {
			return err
		}
		if row.Boundary, err = boundaryRef(tx, account, n.Boundary); err != nil {
			return err
		}
		made, err = d.insert(tx, row, n.Tags)
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

// parseTrust reads a role's trust policy. PolicyMalformed, LimitExceeded.
func (d *Directory) parseTrust(document string) (*policy.Document, error) {
	if oversize(d.Limits.TrustSize, document) {
		return nil, quotaFault("ACLSizePerRole", d.Limits.TrustSize)
	}
	parsed, err := policy.Parse(policy.Trust, document)
	return parsed, malformed(err)
}

// checkMentions checks that whom a trust policy names is there, in this account
// or another. PolicyMalformed.
func checkMentions(tx meta.Tx, trust *policy.Document) error {
	return malformed(meta.CheckMentions(tx, trust))
}

// GetRole returns a role with its tags. EntityNotFound.
func (d *Directory) GetRole(ctx context.Context, account name.AccountID, role string) (Principal, error) {
	return d.get(ctx, account, Role, role)
}

// ListRoles lists roles whose paths begin so, by name, without their tags. A
// page continues after a name.
func (d *Directory) ListRoles(ctx context.Context, account name.AccountID, path string, page Page[string]) (roles []Principal, more bool, err error) {
	return d.list(ctx, account, Role, path, page)
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
	var trust *policy.Document
	if c.Trust != nil {
		var err error
		if trust, err = d.parseTrust(*c.Trust); err != nil {
			return Principal{}, err
		}
	}
	var changed Principal
	err := d.change(ctx, account, func(tx meta.Tx) error {
		row, err := find(tx, account, Role, called, meta.LockExclusive)
		if err != nil {
			return err
		}
		if trust != nil {
			if err := checkMentions(tx, trust); err != nil {
				return err
			}
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

// TagRole adds tags or overwrites them. EntityNotFound, LimitExceeded,
// InputRefused.
func (d *Directory) TagRole(ctx context.Context, account name.AccountID, role string, tags []ResourceTag) error {
	return d.tag(ctx, account, Role, role, tags)
}

// UntagRole takes tags off; absent ones are no error. EntityNotFound.
func (d *Directory) UntagRole(ctx context.Context, account name.AccountID, role string, keys []string) error {
	return d.untag(ctx, account, Role, role, keys)
}
