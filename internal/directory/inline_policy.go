package directory

import (
	"cmp"
	"context"
	"strconv"

	"github.com/lighterage/lighterage/internal/fault"
	"github.com/lighterage/lighterage/internal/meta"
	"github.com/lighterage/lighterage/internal/name"
	"github.com/lighterage/lighterage/internal/policy"
)

// InlinePolicy is a document that one principal has.
type InlinePolicy = meta.InlinePolicy

// inlineSize is how large all inline policies of a principal may be together.
func (d *Directory) inlineSize(kind PrincipalKind) int64 {
	switch kind {
	case User:
		return d.Limits.UserPolicySize
	case Group:
		return d.Limits.GroupPolicySize
	}
	return d.Limits.RolePolicySize
}

// PutInlinePolicy adds an inline policy to a principal or overwrites it.
// EntityNotFound, LimitExceeded, PolicyMalformed, ParameterInvalid.
func (d *Directory) PutInlinePolicy(ctx context.Context, account name.AccountID, kind PrincipalKind, called string, p InlinePolicy) error {
	if err := cmp.Or(checkName("policyName", p.Name, maxPolicyName), parse(policy.Identity, p.Document)); err != nil {
		return err
	}
	return d.change(ctx, account, func(tx meta.Tx) error {
		who, err := find(tx, account, kind, called, meta.NoLock)
		if err != nil {
			return err
		}
		have, err := tx.InlinePolicies(who.ID)
		if err != nil {
			return err
		}
		documents := []string{p.Document}
		for _, other := range have {
			if other.Name != p.Name {
				documents = append(documents, other.Document)
			}
		}
		if limit := d.inlineSize(kind); oversize(limit, documents...) {
			return &fault.Error{Reason: fault.LimitExceeded, Quota: "InlinePolicySize", Limit: limit,
				Detail: "Maximum policy size of " + strconv.FormatInt(limit, 10) + " bytes exceeded for " + entityOf(kind) + " " + who.Key.Name}
		}
		return tx.PutInlinePolicy(who.ID, p)
	})
}

// inlineMissing is the fault of a look-up of an inline policy.
func inlineMissing(err error, kind PrincipalKind, called string) error {
	err = missing(err, InlineEntity, called)
	if f, ok := err.(*fault.Error); ok {
		f.Detail = "The " + entityOf(kind) + " policy with name " + called + " cannot be found."
	}
	return err
}

// GetInlinePolicy returns an inline policy of a principal. EntityNotFound.
func (d *Directory) GetInlinePolicy(ctx context.Context, account name.AccountID, kind PrincipalKind, called, policy string) (who Principal, p InlinePolicy, err error) {
	err = d.view(ctx, func(tx meta.Tx) error {
		row, err := find(tx, account, kind, called, meta.NoLock)
		if err != nil {
			return err
		}
		who.Principal = row
		p, err = tx.InlinePolicy(row.ID, policy)
		return inlineMissing(err, kind, policy)
	})
	return who, p, err
}

// InlinePolicies lists a principal's inline policies by name. EntityNotFound.
func (d *Directory) InlinePolicies(ctx context.Context, account name.AccountID, kind PrincipalKind, called string) ([]InlinePolicy, error) {
	var all []InlinePolicy
	err := d.view(ctx, func(tx meta.Tx) error {
		who, err := find(tx, account, kind, called, meta.NoLock)
		if err != nil {
			return err
		}
		all, err = tx.InlinePolicies(who.ID)
		return err
	})
	return all, err
}

// DeleteInlinePolicy removes one. EntityNotFound.
func (d *Directory) DeleteInlinePolicy(ctx context.Context, account name.AccountID, kind PrincipalKind, called, policy string) error {
	return d.change(ctx, account, func(tx meta.Tx) error {
		who, err := find(tx, account, kind, called, meta.NoLock)
		if err != nil {
			return err
		}
		return inlineMissing(tx.DeleteInlinePolicy(who.ID, policy), kind, policy)
	})
}
