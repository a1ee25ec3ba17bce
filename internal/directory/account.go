package directory

import (
	"context"
	"errors"
	"regexp"

	"github.com/lighterage/lighterage/internal/fault"
	"github.com/lighterage/lighterage/internal/identity"
	"github.com/lighterage/lighterage/internal/meta"
	"github.com/lighterage/lighterage/internal/name"
)

// Account is an account's row.
type Account = meta.Account

// accountName is what AWS Organizations allows, of 1 to 50 characters.
var accountName = regexp.MustCompile(`^[ -~]{1,50}$`)

// CreateAccount makes an account with an access key of its root, whose secret
// is returned this once. Without an id, one is drawn. EntityExists,
// ParameterInvalid.
func (d *Directory) CreateAccount(ctx context.Context, id name.AccountID, called string) (Account, AccessKey, identity.Secret, error) {
	drawn := id == ""
	for {
		if drawn {
			id = newAccountID()
		}
		account, key, secret, err := d.createAccount(ctx, id, called)
		if drawn && fault.Is(err, fault.EntityExists) {
			continue // one in 900 thousand million
		}
		return account, key, secret, err
	}
}

func (d *Directory) createAccount(ctx context.Context, id name.AccountID, called string) (Account, AccessKey, identity.Secret, error) {
	fail := func(err error) (Account, AccessKey, identity.Secret, error) {
		return Account{}, AccessKey{}, identity.Secret{}, meta.Fault(err)
	}
	if err := checkAccount(id, called); err != nil {
		return fail(err)
	}
	key, secret, err := d.newKey(id)
	if err != nil {
		return fail(err)
	}
	account := Account{ID: id, Name: called}
	err = d.Meta.Update(ctx, func(tx meta.Tx) (err error) {
		if account.CreatedAt, err = tx.Now(); err != nil {
			return err
		}
		if err := tx.InsertAccount(account); err != nil {
			return taken(err, AccountEntity, string(id))
		}
		key.CreatedAt = account.CreatedAt
		return tx.InsertAccessKey(key)
	})
	if err != nil {
		return fail(err)
	}
	return account, AccessKey{AccessKey: key}, secret, nil
}

// checkAccount checks an id and a name. ParameterInvalid.
func checkAccount(id name.AccountID, called string) error {
	if _, err := name.ParseAccountID(string(id)); err != nil {
		return &fault.Error{Reason: fault.ParameterInvalid, Member: "accountId", Value: string(id), Detail: "An account id has twelve digits."}
	}
	if !accountName.MatchString(called) {
		return &fault.Error{Reason: fault.ParameterInvalid, Member: "accountName", Value: called,
			Detail: "An account name has 1 to 50 printable characters of ASCII."}
	}
	return nil
}

// EnsureAccount makes an account if it is not there, without a key: its root's
// comes from elsewhere. ParameterInvalid.
func (d *Directory) EnsureAccount(ctx context.Context, id name.AccountID, called string) error {
	if err := checkAccount(id, called); err != nil {
		return err
	}
	_, err := d.GetAccount(ctx, id)
	if !fault.Is(err, fault.EntityNotFound) {
		return err
	}
	return meta.Fault(d.Meta.Update(ctx, func(tx meta.Tx) error {
		now, err := tx.Now()
		if err != nil {
			return err
		}
		err = tx.InsertAccount(Account{ID: id, Name: called, CreatedAt: now})
		if errors.Is(err, meta.ErrExists) { // another replica was quicker
			return nil
		}
		return err
	}))
}

// GetAccount returns an account. EntityNotFound.
func (d *Directory) GetAccount(ctx context.Context, id name.AccountID) (Account, error) {
	var found Account
	err := d.view(ctx, func(tx meta.Tx) (err error) {
		found, err = tx.Account(id, meta.NoLock)
		return missing(err, AccountEntity, string(id))
	})
	return found, err
}

// ListAccounts lists by id; a page continues after an id.
func (d *Directory) ListAccounts(ctx context.Context, page Page[name.AccountID]) (accounts []Account, more bool, err error) {
	err = d.view(ctx, func(tx meta.Tx) (err error) {
		accounts, more, err = listed(page, tx.ListAccounts)
		return err
	})
	return accounts, more, err
}

// RevokeTokens ends every token and session of the account that was issued
// until now. EntityNotFound.
func (d *Directory) RevokeTokens(ctx context.Context, id name.AccountID) (Account, error) {
	return d.setAccount(ctx, id, func(tx meta.Tx, a *Account) error {
		now, err := tx.Now()
		if now.After(a.RevokedAt) { // a clock that went back must not revive what was revoked
			a.RevokedAt = now
		}
		return err
	})
}

// SetAlias gives an account another alias in the place of the one it has: an
// account has one at most (IAM API reference, ListAccountAliases). EntityExists,
// also if it is the account's own.
func (d *Directory) SetAlias(ctx context.Context, id name.AccountID, alias string) error {
	if err := checkAlias(alias); err != nil {
		return err
	}
	_, err := d.setAccount(ctx, id, func(_ meta.Tx, a *Account) error {
		if a.Alias == alias {
			return entityFault(fault.EntityExists, AliasEntity, alias)
		}
		a.Alias = alias
		return nil
	})
	return err
}

// DeleteAlias takes away the alias that the account has. EntityNotFound for
// any other.
func (d *Directory) DeleteAlias(ctx context.Context, id name.AccountID, alias string) error {
	_, err := d.setAccount(ctx, id, func(_ meta.Tx, a *Account) error {
		if a.Alias != alias || alias == "" {
			return entityFault(fault.EntityNotFound, AliasEntity, alias)
		}
		a.Alias = ""
		return nil
	})
	return err
}

// alias is the grammar of aliases, of 3 to 63 characters (IAM model,
// accountAliasType).
var alias = regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`)

func checkAlias(s string) error {
	if len(s) < 3 || len(s) > 63 || !alias.MatchString(s) {
		return &fault.Error{Reason: fault.ParameterInvalid, Member: "accountAlias", Value: s,
			Detail: "An account alias has 3 to 63 lower-case letters, digits and single hyphens between them."}
	}
	return nil
}

// setAccount changes an account's row.
func (d *Directory) setAccount(ctx context.Context, id name.AccountID, edit func(meta.Tx, *Account) error) (Account, error) {
	var changed Account
	err := d.Meta.Update(ctx, func(tx meta.Tx) (err error) {
		if changed, err = tx.Account(id, meta.LockExclusive); err != nil {
			return missing(err, AccountEntity, string(id))
		}
		if err := edit(tx, &changed); err != nil {
			return err
		}
		return taken(tx.SetAccount(changed), AliasEntity, changed.Alias)
	})
	return changed, meta.Fault(err)
}
