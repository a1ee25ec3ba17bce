package directory

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/lighterage/lighterage/internal/fault"
	"github.com/lighterage/lighterage/internal/meta"
	"github.com/lighterage/lighterage/internal/name"
)

// AttachedPolicy is a managed policy that a principal has.
type AttachedPolicy struct{ Name, ARN string }

// Position is where the policy stands in lists, as Policy's.
func (p AttachedPolicy) Position() string { return Policy{ARN: p.ARN, Name: p.Name}.Position() }

// attachedQuotas are IAM's names of the quotas.
var attachedQuotas = map[PrincipalKind]string{User: "PoliciesPerUser", Group: "PoliciesPerGroup", Role: "PoliciesPerRole"}

// AttachPolicy gives a principal a managed policy; one that it has is no
// error. EntityNotFound, also for a policy of another account; LimitExceeded,
// InputRefused.
func (d *Directory) AttachPolicy(ctx context.Context, account name.AccountID, kind PrincipalKind, called, arn string) error {
	return d.change(ctx, account, func(tx meta.Tx) error {
		who, err := find(tx, account, kind, called, meta.NoLock)
		if err != nil {
			return err
		}
		p, err := findPolicy(tx, account, arn)
		if err != nil {
			return notAttachable(err, arn)
		}
		have, err := tx.AttachedPolicies(who.ID)
		if err != nil {
			return err
		}
		if slices.ContainsFunc(have, func(r PolicyRef) bool { return r.ARN == arn }) {
			return nil
		}
		if int64(len(have)) >= d.Limits.Attached {
			return quotaFault(attachedQuotas[kind], d.Limits.Attached)
		}
		return tx.AttachPolicy(who.ID, p.ref(arn))
	})
}

// notAttachable says of a policy that is not there what IAM says where one is
// to be attached.
func notAttachable(err error, arn string) error {
	if !fault.Is(err, fault.EntityNotFound) {
		return err
	}
	return &fault.Error{Reason: fault.EntityNotFound, Entity: PolicyEntity, Name: arn, Detail: "Policy " + arn + " does not exist or is not attachable."}
}

// DetachPolicy takes a managed policy from a principal. EntityNotFound.
func (d *Directory) DetachPolicy(ctx context.Context, account name.AccountID, kind PrincipalKind, called, arn string) error {
	return d.change(ctx, account, func(tx meta.Tx) error {
		who, err := find(tx, account, kind, called, meta.NoLock)
		if err != nil {
			return err
		}
		return missing(tx.DetachPolicy(who.ID, arn), PolicyEntity, arn)
	})
}

// AttachedPolicies lists the managed policies of a principal whose paths begin
// so, AWS's first. EntityNotFound.
func (d *Directory) AttachedPolicies(ctx context.Context, account name.AccountID, kind PrincipalKind, called, path string) ([]AttachedPolicy, error) {
	var all []AttachedPolicy
	err := d.view(ctx, func(tx meta.Tx) error {
		who, err := find(tx, account, kind, called, meta.NoLock)
		if err != nil {
			return err
		}
		all, err = attachedPolicies(tx, who.ID, path)
		return err
	})
	return all, err
}

func attachedPolicies(tx meta.Tx, id meta.PrincipalID, path string) ([]AttachedPolicy, error) {
	refs, err := tx.AttachedPolicies(id)
	var all []AttachedPolicy
	for _, ref := range refs {
		_, _, at, called, _ := name.ParseDirectoryARN(ref.ARN)
		if strings.HasPrefix(at, path) {
			all = append(all, AttachedPolicy{Name: called, ARN: ref.ARN})
		}
	}
	slices.SortFunc(all, func(a, b AttachedPolicy) int { return cmp.Compare(a.Position(), b.Position()) })
	return all, err
}

// EntityFilter chooses among principals; the zero filter takes all.
type EntityFilter struct {
	Kind  PrincipalKind // 0: any
	Path  string
	Usage PolicyUsage
}

func (f EntityFilter) takes(p meta.Principal) bool {
	return (f.Kind == 0 || f.Kind == p.Key.Kind) && strings.HasPrefix(p.Path, f.Path)
}

// EntitiesOf lists the account's principals that have a policy or are bounded
// by it, by id. EntityNotFound, InputRefused.
func (d *Directory) EntitiesOf(ctx context.Context, account name.AccountID, arn string, f EntityFilter, page Page[meta.PrincipalID]) ([]Principal, bool, error) {
	var all []Principal
	err := d.view(ctx, func(tx meta.Tx) error {
		all = nil
		if _, err := findPolicy(tx, account, arn); err != nil {
			return err
		}
		for from := page.After; len(all) <= page.Limit; {
			rows, err := users(tx, account, arn, f.Usage, Page[meta.PrincipalID]{After: from, Limit: page.Limit + 1})
			if err != nil || len(rows) == 0 {
				return err
			}
			for _, row := range rows {
				if f.takes(row) {
					all = append(all, Principal{Principal: row})
				}
			}
			from = rows[len(rows)-1].ID
		}
		return nil
	})
	if err != nil || len(all) <= page.Limit {
		return all, false, err
	}
	return all[:page.Limit], true, nil
}

// users lists who uses a policy, each once.
func users(tx meta.Tx, account name.AccountID, arn string, usage PolicyUsage, page Page[meta.PrincipalID]) ([]meta.Principal, error) {
	var all []meta.Principal
	if usage != AsBoundary {
		rows, err := tx.Attached(account, arn, page)
		if err != nil {
			return nil, err
		}
		all = rows
	}
	if usage != AsPermissions {
		rows, err := tx.Bounded(account, arn, page)
		if err != nil {
			return nil, err
		}
		all = append(all, rows...)
	}
	slices.SortFunc(all, func(a, b meta.Principal) int { return cmp.Compare(a.ID, b.ID) })
	all = slices.CompactFunc(all, func(a, b meta.Principal) bool { return a.ID == b.ID })
	return all[:min(len(all), page.Limit)], nil
}

// Target names a principal as PrincipalARN does, and the policy that bounds it:
// what may be done to somebody's policies can depend on the boundary.
func (d *Directory) Target(ctx context.Context, account name.AccountID, kind PrincipalKind, called string) (arn, boundary string, err error) {
	err = d.view(ctx, func(tx meta.Tx) error {
		arn, boundary = principalARN(account, kind, "/", called), ""
		p, err := tx.Principal(meta.PrincipalKey{Account: account, Kind: kind, Name: called}, meta.NoLock)
		switch {
		case errors.Is(err, meta.ErrNotFound):
			return nil
		case err == nil:
			arn, boundary = principalARN(account, kind, p.Path, p.Key.Name), p.Boundary.ARN
		}
		return err
	})
	return arn, boundary, err
}
