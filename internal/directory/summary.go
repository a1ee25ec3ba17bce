package directory

import (
	"context"

	"github.com/lighterage/lighterage/internal/meta"
	"github.com/lighterage/lighterage/internal/name"
	"github.com/lighterage/lighterage/internal/policy"
)

// Summary counts what an account has.
type Summary struct {
	Users, Groups, Roles, Policies, Providers int64
	// VersionsInUse counts the managed policies, AWS's too, that somebody has
	// or is bounded by: of each, the default version is in use.
	VersionsInUse int64
	RootKeys      int64 // that are stored; one that the server was started with is not
}

// Summarize counts what the account has at one moment.
func (d *Directory) Summarize(ctx context.Context, account name.AccountID) (Summary, error) {
	var s Summary
	err := d.view(ctx, func(tx meta.Tx) error {
		s = Summary{}
		for kind, n := range map[PrincipalKind]*int64{User: &s.Users, Group: &s.Groups, Role: &s.Roles} {
			var err error
			if *n, err = tx.CountPrincipals(account, kind); err != nil {
				return err
			}
		}
		providers, err := tx.OIDCProviders(account)
		if err != nil {
			return err
		}
		keys, err := tx.AccessKeys(account, 0)
		if err != nil {
			return err
		}
		s.Providers, s.RootKeys = int64(len(providers)), int64(len(keys))
		if s.Policies, err = tx.CountPolicies(account); err != nil {
			return err
		}
		s.VersionsInUse, err = versionsInUse(tx, account)
		return err
	})
	return s, err
}

func versionsInUse(tx meta.Tx, account name.AccountID) (int64, error) {
	var n int64
	count := func(p Policy) error {
		p, err := counted(tx, account, p)
		if err == nil && p.Attached+p.Bounded > 0 {
			n++
		}
		return err
	}
	for _, p := range policy.ManagedPolicies() {
		if err := count(managedOf(p)); err != nil {
			return 0, err
		}
	}
	for page := (Page[string]{Limit: 100}); ; {
		rows, err := tx.Policies(account, "/", page)
		if err != nil || len(rows) == 0 {
			return n, err
		}
		for _, row := range rows {
			if err := count(policyOf(row)); err != nil {
				return 0, err
			}
		}
		page.After = rows[len(rows)-1].Name
	}
}
