package iam

import (
	"context"

	"github.com/lighterage/lighterage/internal/access"
	"github.com/lighterage/lighterage/internal/api/awsmodel/iammodel"
	"github.com/lighterage/lighterage/internal/api/awsplan"
	"github.com/lighterage/lighterage/internal/api/awsquery"
	"github.com/lighterage/lighterage/internal/directory"
	"github.com/lighterage/lighterage/internal/name"
)

// onGroup names the group that an input names.
func onGroup[In any](f *front, called func(*In) *string) func(context.Context, *awsquery.Call, *In) (access.Resource, error) {
	return func(ctx context.Context, c *awsquery.Call, in *In) (access.Resource, error) {
		return f.ofPrincipal(ctx, c, directory.Group, called(in))
	}
}

// newGroup is what the creation of a group is decided on.
func newGroup(_ context.Context, c *awsquery.Call, in *iammodel.CreateGroupRequest) (access.Resource, error) {
	return access.Resource{Account: c.Caller.Account, ARN: name.GroupARN(c.Caller.Account, pathOf(in.Path), *in.GroupName)}, nil
}

func (f *front) createGroup(ctx context.Context, c *awsquery.Call, in *iammodel.CreateGroupRequest) (*iammodel.CreateGroupResponse, error) {
	g, err := f.Directory.CreateGroup(ctx, c.Caller.Account, *in.GroupName, pathOf(in.Path))
	if err != nil {
		return nil, err
	}
	return &iammodel.CreateGroupResponse{Group: new(groupOut(g))}, nil
}

func (f *front) getGroup(ctx context.Context, c *awsquery.Call, in *iammodel.GetGroupRequest) (*iammodel.GetGroupResponse, error) {
	l := listingOf(c, "GetGroup", *in.GroupName)
	after, err := l.Number(in.Marker)
	if err != nil {
		return nil, err
	}
	g, users, more, err := f.Directory.GetGroup(ctx, c.Caller.Account, *in.GroupName, pageAfter(after, in.MaxItems))
	if err != nil {
		return nil, err
	}
	out := &iammodel.GetGroupResponse{Group: new(groupOut(g)), Users: usersOut(users), IsTruncated: new(more)}
	if more {
		out.Marker = afterPrincipal(l, users)
	}
	return out, nil
}

// pageAfter is a page of principals by id.
func pageAfter(id int64, maxItems *int32) directory.Page[directory.PrincipalID] {
	return directory.Page[directory.PrincipalID]{After: directory.PrincipalID(id), Limit: pageSize(maxItems)}
}

// afterPrincipal is the Marker after the last of a page by id.
func afterPrincipal(l awsplan.Listing, page []directory.Principal) *string {
	return l.TokenAt(int64(page[len(page)-1].ID))
}

// onGroups is what a list of groups is decided on, as onUsers.
func onGroups(_ context.Context, c *awsquery.Call, in *iammodel.ListGroupsRequest) (access.Resource, error) {
	return access.Resource{Account: c.Caller.Account, ARN: name.GroupARN(c.Caller.Account, pathOf(in.PathPrefix), "")}, nil
}

func (f *front) listGroups(ctx context.Context, c *awsquery.Call, in *iammodel.ListGroupsRequest) (*iammodel.ListGroupsResponse, error) {
	path := pathOf(in.PathPrefix)
	l := listingOf(c, "ListGroups", path)
	after, err := l.Position(in.Marker)
	if err != nil {
		return nil, err
	}
	groups, more, err := f.Directory.ListGroups(ctx, c.Caller.Account, path, directory.Page[string]{After: after, Limit: pageSize(in.MaxItems)})
	if err != nil {
		return nil, err
	}
	out := &iammodel.ListGroupsResponse{Groups: groupsOut(groups), IsTruncated: new(more)}
	if more {
		out.Marker = l.Token(groups[len(groups)-1].Key.Name)
	}
	return out, nil
}

func (f *front) listGroupsForUser(ctx context.Context, c *awsquery.Call, in *iammodel.ListGroupsForUserRequest) (*iammodel.ListGroupsForUserResponse, error) {
	l := listingOf(c, "ListGroupsForUser", *in.UserName)
	after, err := l.Number(in.Marker)
	if err != nil {
		return nil, err
	}
	groups, more, err := f.Directory.ListGroupsOf(ctx, c.Caller.Account, *in.UserName, pageAfter(after, in.MaxItems))
	if err != nil {
		return nil, err
	}
	out := &iammodel.ListGroupsForUserResponse{Groups: groupsOut(groups), IsTruncated: new(more)}
	if more {
		out.Marker = afterPrincipal(l, groups)
	}
	return out, nil
}

// updateGroup asks for the name that the group would have too, as updateUser.
func (f *front) updateGroup(ctx context.Context, c *awsquery.Call, in *iammodel.UpdateGroupRequest) (*iammodel.UpdateGroupResponse, error) {
	change := directory.Change{Name: in.NewGroupName, Path: in.NewPath}
	if err := f.authorizeMove(ctx, c, "iam:UpdateGroup", directory.Group, *in.GroupName, change); err != nil {
		return nil, err
	}
	return &iammodel.UpdateGroupResponse{}, f.Directory.UpdateGroup(ctx, c.Caller.Account, *in.GroupName, change)
}

func (f *front) deleteGroup(ctx context.Context, c *awsquery.Call, in *iammodel.DeleteGroupRequest) (*iammodel.DeleteGroupResponse, error) {
	return &iammodel.DeleteGroupResponse{}, f.Directory.DeleteGroup(ctx, c.Caller.Account, *in.GroupName)
}

func (f *front) addUserToGroup(ctx context.Context, c *awsquery.Call, in *iammodel.AddUserToGroupRequest) (*iammodel.AddUserToGroupResponse, error) {
	return &iammodel.AddUserToGroupResponse{}, f.Directory.AddMember(ctx, c.Caller.Account, *in.GroupName, *in.UserName)
}

func (f *front) removeUserFromGroup(ctx context.Context, c *awsquery.Call, in *iammodel.RemoveUserFromGroupRequest) (*iammodel.RemoveUserFromGroupResponse, error) {
	return &iammodel.RemoveUserFromGroupResponse{}, f.Directory.RemoveMember(ctx, c.Caller.Account, *in.GroupName, *in.UserName)
}

func groupOut(g directory.Principal) iammodel.Group {
	return iammodel.Group{
		Path: new(g.Path), GroupName: new(g.Key.Name), GroupId: new(g.UniqueID), Arn: new(g.ARN()), CreateDate: new(g.CreatedAt),
	}
}

func groupsOut(groups []directory.Principal) []iammodel.Group {
	out := make([]iammodel.Group, len(groups))
	for i, g := range groups {
		out[i] = groupOut(g)
	}
	return out
}
