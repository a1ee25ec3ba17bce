// Package directory holds the rules of an account's directory: its users,
// groups, roles and access keys, their policies, and the OIDC providers that it
// trusts; and of the accounts themselves.
//
//  1. Each method is one decision in one transaction: it happened, or nothing
//     did.
//  2. Changes of an account wait for each other. Of two that would make the
//     same, one is refused; a quota holds however many ask at once.
//  3. What is here has an id that is never given twice, so what is deleted and
//     made anew under the old name is another.
//  4. A secret leaves once, in the answer that made it; it is stored sealed,
//     bound to the id of its key, and no error, log or row shows it.
//  5. What another thing stands on is not deleted: it is refused, with what
//     holds it.
//
// It knows no HTTP, no SQL and no wire's spelling but ARNs, ids and the names
// of IAM's quotas. Who may call is decided before. Errors are *fault.Error.
//
// The rules are those of the IAM User Guide and the IAM API reference.
package directory

import (
	"context"
	"errors"

	"github.com/lighterage/lighterage/internal/fault"
	"github.com/lighterage/lighterage/internal/meta"
	"github.com/lighterage/lighterage/internal/name"
	"github.com/lighterage/lighterage/internal/seal"
)

// Config is what the rules stand on. Every field must be set; Quotas are the
// limits of IAM. Time is the store's.
type Config struct {
	Meta   meta.Store
	Seal   *seal.Sealer
	Limits Limits
}

// Directory is the rules over one metadata store. Its methods are safe for
// concurrent use.
type Directory struct{ Config }

// New returns the rules.
func New(c Config) *Directory { return &Directory{c} }

// The row types of the rules, for the fronts.
type (
	ResourceTag   = meta.ResourceTag
	PrincipalKind = meta.PrincipalKind
	PrincipalID   = meta.PrincipalID
	PolicyRef     = meta.PolicyRef
	Use           = meta.Use
)

// The kinds of principals.
const (
	User  = meta.User
	Group = meta.Group
	Role  = meta.Role
)

// The sorts of entities, as faults name them in Entity.
const (
	AccountEntity   = "account"
	AliasEntity     = "account alias"
	UserEntity      = "user"
	GroupEntity     = "group"
	RoleEntity      = "role"
	AccessKeyEntity = "access key"
	MemberEntity    = "group member" // Value of a fault is the group
	PolicyEntity    = "policy"
	VersionEntity   = "policy version"
	InlineEntity    = "inline policy"
	ProviderEntity  = "oidc provider"
)

// entityOf is what a principal of the kind is called in faults.
func entityOf(k PrincipalKind) string {
	switch k {
	case User:
		return UserEntity
	case Group:
		return GroupEntity
	}
	return RoleEntity
}

func entityFault(r fault.Reason, entity, called string) *fault.Error {
	return &fault.Error{Reason: r, Entity: entity, Name: called}
}

// quotaFault says that a quota of IAM's name would be passed.
func quotaFault(quota string, limit int64) *fault.Error {
	return &fault.Error{Reason: fault.LimitExceeded, Quota: quota, Limit: limit}
}

func refused(sentence string) *fault.Error {
	return &fault.Error{Reason: fault.InputRefused, Detail: sentence}
}

// change runs a change of an account. It holds the account's row from its
// first statement on, so that fn may count before it adds, and so that no two
// changes of an account wait for each other's rows. fn may run more than once.
func (d *Directory) change(ctx context.Context, account name.AccountID, fn func(tx meta.Tx) error) error {
	return meta.Fault(d.Meta.Update(ctx, func(tx meta.Tx) error {
		if _, err := tx.Account(account, meta.LockExclusive); err != nil {
			return missing(err, AccountEntity, string(account))
		}
		return fn(tx)
	}))
}

// view runs a reading at one moment.
func (d *Directory) view(ctx context.Context, fn func(tx meta.Tx) error) error {
	return meta.Fault(d.Meta.View(ctx, fn))
}

// missing is the fault of a look-up: EntityNotFound if the row was not there,
// else the error as it is.
func missing(err error, entity, called string) error {
	if errors.Is(err, meta.ErrNotFound) {
		return entityFault(fault.EntityNotFound, entity, called)
	}
	return err
}

// taken is the fault of an insertion: EntityExists if the row was there, else
// the error as it is.
func taken(err error, entity, called string) error {
	if errors.Is(err, meta.ErrExists) {
		return entityFault(fault.EntityExists, entity, called)
	}
	return err
}
