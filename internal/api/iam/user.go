package iam

import (
	"context"

	"github.com/lighterage/lighterage/internal/access"
	"github.com/lighterage/lighterage/internal/api/awsmodel/iammodel"
	"github.com/lighterage/lighterage/internal/api/awsquery"
	"github.com/lighterage/lighterage/internal/directory"
	"github.com/lighterage/lighterage/internal/fault"
	"github.com/lighterage/lighterage/internal/identity"
	"github.com/lighterage/lighterage/internal/name"
)

// onUser names the user that an input names; without a name, the caller.
func onUser[In any](f *front, called func(*In) *string) func(context.Context, *awsquery.Call, *In) (access.Resource, error) {
	return func(ctx context.Context, c *awsquery.Call, in *In) (access.Resource, error) {
		owner, err := ownerOf(c, called(in))
		if err != nil {
			return access.Resource{}, err
		}
		if owner.User == "" {
			return access.Resource{Account: c.Caller.Account, ARN: name.RootARN(c.Caller.Account)}, nil
		}
		return f.ofPrincipal(ctx, c, directory.User, &owner.User)
	}
}

// ownerOf returns whom an input means: the user it names, else the caller, who
// must be a user or the root. ParameterInvalid.
func ownerOf(c *awsquery.Call, user *string) (directory.Owner, error) {
	owner := directory.Owner{Account: c.Caller.Account, User: text(user)}
	switch {
	case user != nil, c.Caller.Kind == identity.Root:
		return owner, nil
	case c.Caller.Kind == identity.User:
		owner.User = c.Caller.Name
		return owner, nil
	}
	return owner, &fault.Error{Reason: fault.ParameterInvalid, Member: "userName", Detail: "Must specify userName when calling with non-User credentials"}
}

// newUser is what the creation of a user is decided on.
func newUser(_ context.Context, c *awsquery.Call, in *iammodel.CreateUserRequest) (access.Resource, error) {
	r := access.Resource{Account: c.Caller.Account, ARN: name.UserARN(c.Caller.Account, pathOf(in.Path), *in.UserName), RequestTags: requestTags(in.Tags)}
	if in.PermissionsBoundary != nil {
		r.Keys = map[string][]string{boundaryKey: {*in.PermissionsBoundary}}
	}
	return r, nil
}

func (f *front) createUser(ctx context.Context, c *awsquery.Call, in *iammodel.CreateUserRequest) (*iammodel.CreateUserResponse, error) {
	u, err := f.Directory.CreateUser(ctx, c.Caller.Account, directory.NewUser{
		Name: *in.UserName, Path: pathOf(in.Path), Boundary: text(in.PermissionsBoundary), Tags: tagsIn(in.Tags),
	})
	if err != nil {
		return nil, err
	}
	return &iammodel.CreateUserResponse{User: new(userOut(u))}, nil
}

func (f *front) getUser(ctx context.Context, c *awsquery.Call, in *iammodel.GetUserRequest) (*iammodel.GetUserResponse, error) {
	owner, err := ownerOf(c, in.UserName)
	if err != nil {
		return nil, err
	}
	if owner.User == "" {
		return f.getRoot(ctx, c)
	}
	u, err := f.Directory.GetUser(ctx, owner.Account, owner.User)
	if err != nil {
		return nil, err
	}
	return &iammodel.GetUserResponse{User: new(userOut(u))}, nil
}

// getRoot answers as IAM does: an account's root has neither name nor path.
func (f *front) getRoot(ctx context.Context, c *awsquery.Call) (*iammodel.GetUserResponse, error) {
	a, err := f.Directory.GetAccount(ctx, c.Caller.Account)
	if err != nil {
		return nil, err
	}
	return &iammodel.GetUserResponse{User: &iammodel.User{
		UserId: new(string(a.ID)), Arn: new(name.RootARN(a.ID)), CreateDate: new(a.CreatedAt),
	}}, nil
}

// onUsers is what a list of users is decided on: not *, but the path that is
// asked for. IAM denies iam:ListUsers on arn:aws:iam::<account>:user/, as the
// documentation of Metasploit's module cloud/aws/enum_ec2 shows.
func onUsers(_ context.Context, c *awsquery.Call, in *iammodel.ListUsersRequest) (access.Resource, error) {
	return access.Resource{Account: c.Caller.Account, ARN: name.UserARN(c.Caller.Account, pathOf(in.PathPrefix), "")}, nil
}

func (f *front) listUsers(ctx context.Context, c *awsquery.Call, in *iammodel.ListUsersRequest) (*iammodel.ListUsersResponse, error) {
	path := pathOf(in.PathPrefix)
	l := listingOf(c, "ListUsers", path)
	after, err := l.Position(in.Marker)
	if err != nil {
		return nil, err
	}
	users, more, err := f.Directory.ListUsers(ctx, c.Caller.Account, path, directory.Page[string]{After: after, Limit: pageSize(in.MaxItems)})
	if err != nil {
		return nil, err
	}
	out := &iammodel.ListUsersResponse{Users: usersOut(users), IsTruncated: new(more)}
	if more {
		out.Marker = l.Token(users[len(users)-1].Key.Name)
	}
	return out, nil
}

// updateUser asks for the name that the user would have too: else whoever may
// rename a user could make it one that policies grant more.
func (f *front) updateUser(ctx context.Context, c *awsquery.Call, in *iammodel.UpdateUserRequest) (*iammodel.UpdateUserResponse, error) {
	change := directory.Change{Name: in.NewUserName, Path: in.NewPath}
	if err := f.authorizeMove(ctx, c, "iam:UpdateUser", directory.User, *in.UserName, change); err != nil {
		return nil, err
	}
	return &iammodel.UpdateUserResponse{}, f.Directory.UpdateUser(ctx, c.Caller.Account, *in.UserName, change)
}

func (f *front) deleteUser(ctx context.Context, c *awsquery.Call, in *iammodel.DeleteUserRequest) (*iammodel.DeleteUserResponse, error) {
	return &iammodel.DeleteUserResponse{}, f.Directory.DeleteUser(ctx, c.Caller.Account, *in.UserName)
}

func (f *front) onTagUser(ctx context.Context, c *awsquery.Call, in *iammodel.TagUserRequest) (access.Resource, error) {
	r, err := f.ofPrincipal(ctx, c, directory.User, in.UserName)
	r.RequestTags = requestTags(in.Tags)
	return r, err
}

func (f *front) tagUser(ctx context.Context, c *awsquery.Call, in *iammodel.TagUserRequest) (*iammodel.TagUserResponse, error) {
	return &iammodel.TagUserResponse{}, f.Directory.TagUser(ctx, c.Caller.Account, *in.UserName, tagsIn(in.Tags))
}

func (f *front) onUntagUser(ctx context.Context, c *awsquery.Call, in *iammodel.UntagUserRequest) (access.Resource, error) {
	r, err := f.ofPrincipal(ctx, c, directory.User, in.UserName)
	r.TagKeys = in.TagKeys
	return r, err
}

func (f *front) untagUser(ctx context.Context, c *awsquery.Call, in *iammodel.UntagUserRequest) (*iammodel.UntagUserResponse, error) {
	return &iammodel.UntagUserResponse{}, f.Directory.UntagUser(ctx, c.Caller.Account, *in.UserName, in.TagKeys)
}

func (f *front) listUserTags(ctx context.Context, c *awsquery.Call, in *iammodel.ListUserTagsRequest) (*iammodel.ListUserTagsResponse, error) {
	u, err := f.Directory.GetUser(ctx, c.Caller.Account, *in.UserName)
	if err != nil {
		return nil, err
	}
	tags, next, err := cut(listingOf(c, "ListUserTags", u.UniqueID), u.Tags, in.Marker, in.MaxItems)
	return &iammodel.ListUserTagsResponse{Tags: tagsOut(tags), IsTruncated: new(next != nil), Marker: next}, err
}

func userOut(u directory.Principal) iammodel.User {
	out := iammodel.User{
		Path: new(u.Path), UserName: new(u.Key.Name), UserId: new(u.UniqueID), Arn: new(u.ARN()), CreateDate: new(u.CreatedAt),
		PermissionsBoundary: boundaryOut(u.Boundary),
	}
	if len(u.Tags) > 0 {
		out.Tags = tagsOut(u.Tags)
	}
	return out
}

// usersOut are the users of a list, which tells neither boundaries nor tags
// (IAM API reference, ListUsers).
func usersOut(users []directory.Principal) []iammodel.User {
	out := make([]iammodel.User, len(users))
	for i, u := range users {
		out[i] = userOut(u)
		out[i].PermissionsBoundary = nil
	}
	return out
}
