package directory

import (
	"context"

	"github.com/lighterage/lighterage/internal/meta"
	"github.com/lighterage/lighterage/internal/name"
)

// NewUser is a user to be made.
type NewUser struct {
	Name     string
	Path     string // empty: "/"
	Boundary string // ARN of the permissions boundary; empty: none
	Tags     []ResourceTag
}

// CreateUser adds a user. EntityExists, for a name that differs in case only
// too; EntityNotFound for the boundary; LimitExceeded, InputRefused,
// ParameterInvalid.
func (d *Directory) CreateUser(ctx context.Context, account name.AccountID, n NewUser) (Principal, error) {
	if n.Path == "" {
		n.Path = "/"
	}
	if err := checkNamed("userName", n.Name, maxUserName, n.Path); err != nil {
		return Principal{}, err
	}
	row := meta.Principal{
		Key:      meta.PrincipalKey{Account: account, Kind: User, Name: n.Name},
		Path:     n.Path,
		UniqueID: uniqueID(userPrefix),
	}
	var made Principal
	err := d.change(ctx, account, func(tx meta.Tx) (err error) {
		if row.Boundary, err = boundaryRef(tx, account, n.Boundary); err != nil {
			return err
		}
		made, err = d.insert(tx, row, n.Tags)
		return err
	})
	return made, err
}

// GetUser returns a user with its tags. EntityNotFound.
func (d *Directory) GetUser(ctx context.Context, account name.AccountID, user string) (Principal, error) {
	return d.get(ctx, account, User, user)
}

// ListUsers lists users whose paths begin so, by name, without their tags. A
// page continues after a name.
func (d *Directory) ListUsers(ctx context.Context, account name.AccountID, path string, page Page[string]) (users []Principal, more bool, err error) {
	return d.list(ctx, account, User, path, page)
}

// Change is what of a user or group is to be another; nil stays.
type Change struct{ Name, Path *string }

// UpdateUser renames or moves a user, who stays the same one: keys, policies
// and groups go with it. EntityNotFound, EntityExists, ParameterInvalid.
func (d *Directory) UpdateUser(ctx context.Context, account name.AccountID, user string, c Change) error {
	return d.rename(ctx, account, User, user, c)
}

// DeleteUser removes a user who is in no group and has neither keys nor
// policies. EntityNotFound, EntityInUse.
func (d *Directory) DeleteUser(ctx context.Context, account name.AccountID, user string) error {
	return d.change(ctx, account, func(tx meta.Tx) error { return remove(tx, account, User, user) })
}

// TagUser adds tags or overwrites them. EntityNotFound, LimitExceeded,
// InputRefused.
func (d *Directory) TagUser(ctx context.Context, account name.AccountID, user string, tags []ResourceTag) error {
	return d.tag(ctx, account, User, user, tags)
}

// UntagUser takes tags off; absent ones are no error. EntityNotFound.
func (d *Directory) UntagUser(ctx context.Context, account name.AccountID, user string, keys []string) error {
	return d.untag(ctx, account, User, user, keys)
}
