package directory

import (
	"context"

	"github.com/lighterage/lighterage/internal/fault"
	"github.com/lighterage/lighterage/internal/meta"
	"github.com/lighterage/lighterage/internal/name"
)

// CreateGroup adds a group; an empty path is "/". EntityExists, LimitExceeded,
// ParameterInvalid.
func (d *Directory) CreateGroup(ctx context.Context, account name.AccountID, group, path string) (Principal, error) {
	if path == "" {
		path = "/"
	}
	if err := checkNamed("groupName", group, maxGroupName, path); err != nil {
		return Principal{}, err
	}
	row := meta.Principal{
		Key:      meta.PrincipalKey{Account: account, Kind: Group, Name: group},
		Path:     path,
		UniqueID: uniqueID(groupPrefix),
	}
	var made Principal
	err := d.change(ctx, account, func(tx meta.Tx) (err error) {
		made, err = d.insert(tx, row, nil)
		return err
	})
	return made, err
}

// GetGroup returns a group and a page of its users, by their ids: a name can
// change while somebody pages. EntityNotFound.
func (d *Directory) GetGroup(ctx context.Context, account name.AccountID, group string, page Page[PrincipalID]) (g Principal, users []Principal, more bool, err error) {
	err = d.view(ctx, func(tx meta.Tx) error {
		row, err := find(tx, account, Group, group, meta.NoLock)
		if err != nil {
			return err
		}
		var rows []meta.Principal
		rows, more, err = listed(page, func(p Page[PrincipalID]) ([]meta.Principal, error) { return tx.Members(row.ID, p) })
		g, users = Principal{Principal: row}, bare(rows)
		return err
	})
	return g, users, more, err
}

// ListGroups lists groups whose paths begin so, by name. A page continues
// after a name.
func (d *Directory) ListGroups(ctx context.Context, account name.AccountID, path string, page Page[string]) (groups []Principal, more bool, err error) {
	return d.list(ctx, account, Group, path, page)
}

// ListGroupsOf lists the groups that a user is in, by their ids.
// EntityNotFound.
func (d *Directory) ListGroupsOf(ctx context.Context, account name.AccountID, user string, page Page[PrincipalID]) (groups []Principal, more bool, err error) {
	err = d.view(ctx, func(tx meta.Tx) error {
		row, err := find(tx, account, User, user, meta.NoLock)
		if err != nil {
			return err
		}
		var rows []meta.Principal
		rows, more, err = listed(page, func(p Page[PrincipalID]) ([]meta.Principal, error) { return tx.Groups(row.ID, p) })
		groups = bare(rows)
		return err
	})
	return groups, more, err
}

// UpdateGroup renames or moves a group, which stays the same one.
// EntityNotFound, EntityExists, ParameterInvalid.
func (d *Directory) UpdateGroup(ctx context.Context, account name.AccountID, group string, c Change) error {
	return d.rename(ctx, account, Group, group, c)
}

// DeleteGroup removes a group that has neither users nor policies.
// EntityNotFound, EntityInUse.
func (d *Directory) DeleteGroup(ctx context.Context, account name.AccountID, group string) error {
	return d.change(ctx, account, func(tx meta.Tx) error { return remove(tx, account, Group, group) })
}

// AddMember puts a user into a group; again is no error. EntityNotFound,
// LimitExceeded.
func (d *Directory) AddMember(ctx context.Context, account name.AccountID, group, user string) error {
	return d.change(ctx, account, func(tx meta.Tx) error {
		g, u, err := findBoth(tx, account, group, user)
		if err != nil {
			return err
		}
		have, err := tx.Groups(u.ID, Page[PrincipalID]{Limit: int(d.Limits.GroupsPerUser) + 1})
		if err != nil {
			return err
		}
		for _, in := range have {
			if in.ID == g.ID {
				return nil
			}
		}
		if int64(len(have)) >= d.Limits.GroupsPerUser {
			return quotaFault("GroupsPerUser", d.Limits.GroupsPerUser)
		}
		return tx.PutMember(g.ID, u.ID)
	})
}

// RemoveMember takes a user out of a group. EntityNotFound, of the member if
// both are there.
func (d *Directory) RemoveMember(ctx context.Context, account name.AccountID, group, user string) error {
	return d.change(ctx, account, func(tx meta.Tx) error {
		g, u, err := findBoth(tx, account, group, user)
		if err != nil {
			return err
		}
		err = missing(tx.DeleteMember(g.ID, u.ID), MemberEntity, u.Key.Name)
		if fault.Is(err, fault.EntityNotFound) {
			return &fault.Error{Reason: fault.EntityNotFound, Entity: MemberEntity, Name: u.Key.Name, Value: g.Key.Name}
		}
		return err
	})
}

func findBoth(tx meta.Tx, account name.AccountID, group, user string) (g, u meta.Principal, err error) {
	if g, err = find(tx, account, Group, group, meta.LockShared); err != nil {
		return g, u, err
	}
	u, err = find(tx, account, User, user, meta.LockShared)
	return g, u, err
}
