package directory

import (
	"context"
	"errors"
	"fmt"

	"github.com/lighterage/lighterage/internal/identity"
	"github.com/lighterage/lighterage/internal/meta"
	"github.com/lighterage/lighterage/internal/name"
)

// Owner is whose access keys are meant: a user's of the account, or with an
// empty User the account's root's.
type Owner struct {
	Account name.AccountID
	User    string
}

// AccessKey is an access key and the name of its user, empty for a root's. Its
// secret is not in it.
type AccessKey struct {
	meta.AccessKey
	UserName string
}

// CreateAccessKey makes an active key and returns its secret, this once.
// EntityNotFound for the user, LimitExceeded.
func (d *Directory) CreateAccessKey(ctx context.Context, owner Owner) (AccessKey, identity.Secret, error) {
	row, secret, err := d.newKey(owner.Account)
	if err != nil {
		return AccessKey{}, identity.Secret{}, err
	}
	var made AccessKey
	err = d.change(ctx, owner.Account, func(tx meta.Tx) error {
		user, err := ownerOf(tx, owner)
		if err != nil {
			return err
		}
		have, err := tx.AccessKeys(owner.Account, user.ID)
		if err != nil {
			return err
		}
		if int64(len(have)) >= d.Limits.AccessKeys {
			return quotaFault("AccessKeysPerUser", d.Limits.AccessKeys)
		}
		row.User = user.ID
		if row.CreatedAt, err = tx.Now(); err != nil {
			return err
		}
		made = AccessKey{row, user.Key.Name}
		return tx.InsertAccessKey(row)
	})
	if err != nil {
		return AccessKey{}, identity.Secret{}, err
	}
	return made, secret, nil
}

// newKey draws an active key of an account's, with its secret sealed. Whoever
// opens it says the key's id with it.
func (d *Directory) newKey(account name.AccountID) (meta.AccessKey, identity.Secret, error) {
	row, secret := meta.AccessKey{ID: newKeyID(), Account: account, Active: true}, newSecret()
	var err error
	if row.Sealed, err = d.Seal.Seal([]byte(secret.Reveal()), []byte(row.ID)); err != nil {
		return meta.AccessKey{}, identity.Secret{}, meta.Fault(fmt.Errorf("seal the secret of an access key: %w", err))
	}
	return row, secret, nil
}

// ListAccessKeys lists an owner's keys by id; a page continues after an id.
// EntityNotFound for the user.
func (d *Directory) ListAccessKeys(ctx context.Context, owner Owner, page Page[string]) (keys []AccessKey, more bool, err error) {
	err = d.view(ctx, func(tx meta.Tx) error {
		user, err := ownerOf(tx, owner)
		if err != nil {
			return err
		}
		rows, err := tx.AccessKeys(owner.Account, user.ID)
		keys, more = nil, false
		for _, row := range rows {
			if row.ID <= page.After {
				continue
			}
			if more = len(keys) == page.Limit; more {
				break
			}
			keys = append(keys, AccessKey{row, user.Key.Name})
		}
		return err
	})
	return keys, more, err
}

// SetAccessKey makes a key of the owner's active or inactive. EntityNotFound.
func (d *Directory) SetAccessKey(ctx context.Context, owner Owner, id string, active bool) error {
	return d.change(ctx, owner.Account, func(tx meta.Tx) error {
		row, err := ownKey(tx, owner, id)
		if err != nil || row.Active == active {
			return err
		}
		row.Active = active
		return tx.SetAccessKey(row)
	})
}

// DeleteAccessKey removes a key of the owner's. EntityNotFound.
func (d *Directory) DeleteAccessKey(ctx context.Context, owner Owner, id string) error {
	return d.change(ctx, owner.Account, func(tx meta.Tx) error {
		row, err := ownKey(tx, owner, id)
		if err != nil {
			return err
		}
		return tx.DeleteAccessKey(row.ID)
	})
}

// FindAccessKey returns a key of the account's, whoever has it.
// EntityNotFound, for a key of another account too.
func (d *Directory) FindAccessKey(ctx context.Context, account name.AccountID, id string) (AccessKey, error) {
	var found AccessKey
	err := d.view(ctx, func(tx meta.Tx) error {
		row, err := tx.AccessKey(id)
		if err != nil {
			return missing(err, AccessKeyEntity, id)
		}
		if row.Account != account {
			return missing(meta.ErrNotFound, AccessKeyEntity, id)
		}
		found = AccessKey{AccessKey: row}
		if row.User == 0 {
			return nil
		}
		user, err := tx.PrincipalOf(row.User)
		found.UserName = user.Key.Name
		return err
	})
	return found, err
}

// ownerOf finds the user, or for a root the zero principal. EntityNotFound.
func ownerOf(tx meta.Tx, owner Owner) (meta.Principal, error) {
	if owner.User == "" {
		return meta.Principal{}, nil
	}
	return find(tx, owner.Account, User, owner.User, meta.LockShared)
}

// ownKey finds a key of the owner's. EntityNotFound.
func ownKey(tx meta.Tx, owner Owner, id string) (meta.AccessKey, error) {
	user, err := ownerOf(tx, owner)
	if err != nil {
		return meta.AccessKey{}, err
	}
	row, err := tx.AccessKey(id)
	if err == nil && (row.Account != owner.Account || row.User != user.ID) {
		err = meta.ErrNotFound
	}
	if errors.Is(err, meta.ErrNotFound) {
		return meta.AccessKey{}, missing(err, AccessKeyEntity, id)
	}
	return row, err
}
