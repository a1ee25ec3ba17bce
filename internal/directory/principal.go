package directory

import (
	"context"
	"errors"

	"github.com/lighterage/lighterage/internal/fault"
	"github.com/lighterage/lighterage/internal/meta"
	"github.com/lighterage/lighterage/internal/name"
)

// Principal is a user, group or role with its resource tags. Groups have none.
type Principal struct {
	meta.Principal
	Tags []ResourceTag // by key
}

// ARN names the principal.
func (p Principal) ARN() string {
	return principalARN(p.Key.Account, p.Key.Kind, p.Path, p.Key.Name)
}

func principalARN(account name.AccountID, kind PrincipalKind, path, called string) string {
	switch kind {
	case User:
		return name.UserARN(account, path, called)
	case Group:
		return name.GroupARN(account, path, called)
	}
	return name.RoleARN(account, path, called)
}

// tagged is the principal as the owner of resource tags.
func tagged(p meta.Principal) meta.Resource {
	if p.Key.Kind == Role {
		return meta.Resource{Kind: meta.RoleResource, ID: int64(p.ID)}
	}
	return meta.Resource{Kind: meta.UserResource, ID: int64(p.ID)}
}

// find finds a principal by its name inside a transaction. EntityNotFound.
func find(tx meta.Tx, account name.AccountID, kind PrincipalKind, called string, lock meta.Lock) (meta.Principal, error) {
	p, err := tx.Principal(meta.PrincipalKey{Account: account, Kind: kind, Name: called}, lock)
	return p, missing(err, entityOf(kind), called)
}

// describe adds to a row what is beside it.
func describe(tx meta.Tx, row meta.Principal) (Principal, error) {
	if row.Key.Kind == Group {
		return Principal{Principal: row}, nil
	}
	tags, err := tx.ResourceTags(tagged(row))
	return Principal{Principal: row, Tags: tags}, err
}

// insert adds a principal with its tags, if the account may have one more. It
// is called inside a change, which holds the account. EntityExists,
// LimitExceeded, InputRefused.
func (d *Directory) insert(tx meta.Tx, row meta.Principal, tags []ResourceTag) (Principal, error) {
	kind, account := row.Key.Kind, row.Key.Account
	quota, limit := d.quotaOf(kind)
	// Who asks for what is there hears so, full or not: that is what makes
	// asking again harmless.
	switch _, err := tx.Principal(row.Key, meta.NoLock); {
	case err == nil:
		return Principal{}, entityFault(fault.EntityExists, entityOf(kind), row.Key.Name)
	case !errors.Is(err, meta.ErrNotFound):
		return Principal{}, err
	}
	have, err := tx.CountPrincipals(account, kind)
	if err != nil {
		return Principal{}, err
	}
	if have >= limit {
		return Principal{}, quotaFault(quota, limit)
	}
	if row.CreatedAt, err = tx.Now(); err != nil {
		return Principal{}, err
	}
	if row.ID, err = tx.InsertPrincipal(row); err != nil {
		return Principal{}, taken(err, entityOf(kind), row.Key.Name)
	}
	if err := d.putResourceTags(tx, tagged(row), tags); err != nil {
		return Principal{}, err
	}
	return describe(tx, row)
}

// quotaOf is the quota of principals of the kind, with IAM's name of it.
func (d *Directory) quotaOf(kind PrincipalKind) (quota string, limit int64) {
	switch kind {
	case User:
		return "UsersPerAccount", d.Limits.Users
	case Group:
		return "GroupsPerAccount", d.Limits.Groups
	}
	return "RolesPerAccount", d.Limits.Roles
}

// get returns a principal with its tags. EntityNotFound.
func (d *Directory) get(ctx context.Context, account name.AccountID, kind PrincipalKind, called string) (Principal, error) {
	var found Principal
	err := d.view(ctx, func(tx meta.Tx) error {
		row, err := find(tx, account, kind, called, meta.NoLock)
		if err != nil {
			return err
		}
		found, err = describe(tx, row)
		return err
	})
	return found, err
}

// list lists principals by name, without their tags.
func (d *Directory) list(ctx context.Context, account name.AccountID, kind PrincipalKind, path string, page Page[string]) (found []Principal, more bool, err error) {
	err = d.view(ctx, func(tx meta.Tx) error {
		var rows []meta.Principal
		rows, more, err = listed(page, func(p Page[string]) ([]meta.Principal, error) {
			return tx.Principals(account, kind, path, p)
		})
		found = bare(rows)
		return err
	})
	return found, more, err
}

// bare are principals without their tags.
func bare(rows []meta.Principal) []Principal {
	found := make([]Principal, len(rows))
	for i, row := range rows {
		found[i] = Principal{Principal: row}
	}
	return found
}

// rename changes name or path. EntityNotFound, EntityExists, ParameterInvalid.
func (d *Directory) rename(ctx context.Context, account name.AccountID, kind PrincipalKind, called string, c Change) error {
	return d.change(ctx, account, func(tx meta.Tx) error {
		row, err := find(tx, account, kind, called, meta.LockExclusive)
		if err != nil {
			return err
		}
		if c.Name != nil {
			row.Key.Name = *c.Name
		}
		if c.Path != nil {
			row.Path = *c.Path
		}
		if kind == User {
			err = checkNamed("newUserName", row.Key.Name, maxUserName, row.Path)
		} else {
			err = checkNamed("newGroupName", row.Key.Name, maxGroupName, row.Path)
		}
		if err != nil {
			return err
		}
		return taken(tx.SetPrincipal(row), entityOf(kind), row.Key.Name)
	})
}

// tag adds tags or overwrites them. EntityNotFound, LimitExceeded,
// InputRefused.
func (d *Directory) tag(ctx context.Context, account name.AccountID, kind PrincipalKind, called string, tags []ResourceTag) error {
	return d.change(ctx, account, func(tx meta.Tx) error {
		row, err := find(tx, account, kind, called, meta.LockExclusive)
		if err != nil {
			return err
		}
		return d.putResourceTags(tx, tagged(row), tags)
	})
}

// untag takes tags off; absent ones are no error. EntityNotFound.
func (d *Directory) untag(ctx context.Context, account name.AccountID, kind PrincipalKind, called string, keys []string) error {
	return d.change(ctx, account, func(tx meta.Tx) error {
		row, err := find(tx, account, kind, called, meta.LockExclusive)
		if err != nil {
			return err
		}
		return deleteResourceTags(tx, tagged(row), keys)
	})
}

// remove deletes a principal on which nothing stands any more. It is called
// inside a change. EntityNotFound, EntityInUse.
func remove(tx meta.Tx, account name.AccountID, kind PrincipalKind, called string) error {
	row, err := find(tx, account, kind, called, meta.LockExclusive)
	if err != nil {
		return err
	}
	holds, err := holder(tx, row)
	if err != nil {
		return err
	}
	if holds != "" {
		f := entityFault(fault.EntityInUse, entityOf(kind), row.Key.Name)
		f.Constraint = holds
		return f
	}
	return tx.DeletePrincipal(row.ID)
}

// holder says what must be done before the principal can go, as IAM puts it
// (ansible/ansible#22832, hashicorp/terraform#29147); nothing: it can. Which of
// several reasons IAM tells first is not documented; the order is ours.
func holder(tx meta.Tx, p meta.Principal) (string, error) {
	for _, held := range []struct {
		by  string
		any func() (int, error)
	}{
		{"detach all policies", func() (int, error) { rows, err := tx.AttachedPolicies(p.ID); return len(rows), err }},
		{"delete policies", func() (int, error) { rows, err := tx.InlinePolicies(p.ID); return len(rows), err }},
		{"remove users from group", func() (int, error) { rows, err := tx.Members(p.ID, one); return len(rows), err }},
		{"remove users from group", func() (int, error) { rows, err := tx.Groups(p.ID, one); return len(rows), err }},
		{"delete access keys", func() (int, error) {
			if p.Key.Kind != User {
				return 0, nil
			}
			rows, err := tx.AccessKeys(p.Key.Account, p.ID)
			return len(rows), err
		}},
	} {
		n, err := held.any()
		if err != nil {
			return "", err
		}
		if n > 0 {
			return held.by, nil
		}
	}
	return "", nil
}

var one = Page[meta.PrincipalID]{Limit: 1}

// PrincipalARN names a principal as what is done to it is decided: with the
// path and the letter case of the one that is there, else as if one of that
// name was there with the path /.
func (d *Directory) PrincipalARN(ctx context.Context, account name.AccountID, kind PrincipalKind, called string) (string, error) {
	arn := principalARN(account, kind, "/", called)
	err := d.view(ctx, func(tx meta.Tx) error {
		p, err := tx.Principal(meta.PrincipalKey{Account: account, Kind: kind, Name: called}, meta.NoLock)
		if err == nil {
			arn = principalARN(account, kind, p.Path, p.Key.Name)
		}
		if errors.Is(err, meta.ErrNotFound) {
			return nil
		}
		return err
	})
	return arn, err
}

// MovedARN names a user or group as it would be after a change; one that is
// not there, as if its path was /.
func (d *Directory) MovedARN(ctx context.Context, account name.AccountID, kind PrincipalKind, called string, c Change) (string, error) {
	path := "/"
	err := d.view(ctx, func(tx meta.Tx) error {
		p, err := tx.Principal(meta.PrincipalKey{Account: account, Kind: kind, Name: called}, meta.NoLock)
		if errors.Is(err, meta.ErrNotFound) {
			return nil
		}
		path, called = p.Path, p.Key.Name
		return err
	})
	if c.Name != nil {
		called = *c.Name
	}
	if c.Path != nil {
		path = *c.Path
	}
	return principalARN(account, kind, path, called), err
}
