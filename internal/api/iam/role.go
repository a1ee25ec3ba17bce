package iam

import (
	"context"
	"time"

	"github.com/lighterage/lighterage/internal/access"
	"github.com/lighterage/lighterage/internal/api/awsmodel/iammodel"
	"github.com/lighterage/lighterage/internal/api/awsquery"
	"github.com/lighterage/lighterage/internal/directory"
	"github.com/lighterage/lighterage/internal/name"
)

// onRole names the role that an input names.
func onRole[In any](f *front, called func(*In) *string) func(context.Context, *awsquery.Call, *In) (access.Resource, error) {
	return func(ctx context.Context, c *awsquery.Call, in *In) (access.Resource, error) {
		return f.ofPrincipal(ctx, c, directory.Role, called(in))
	}
}

// newRole is what the creation of a role is decided on.
func newRole(_ context.Context, c *awsquery.Call, in *iammodel.CreateRoleRequest) (access.Resource, error) {
	r := access.Resource{Account: c.Caller.Account, ARN: name.RoleARN(c.Caller.Account, pathOf(in.Path), *in.RoleName), RequestTags: requestTags(in.Tags)}
	if in.PermissionsBoundary != nil {
		r.Keys = map[string][]string{boundaryKey: {*in.PermissionsBoundary}}
	}
	return r, nil
}

func (f *front) createRole(ctx context.Context, c *awsquery.Call, in *iammodel.CreateRoleRequest) (*iammodel.CreateRoleResponse, error) {
	n := directory.NewRole{
		Name: *in.RoleName, Path: pathOf(in.Path), Trust: *in.AssumeRolePolicyDocument, Description: text(in.Description),
		Boundary: text(in.PermissionsBoundary), Tags: tagsIn(in.Tags),
	}
	if in.MaxSessionDuration != nil {
		n.MaxSession = seconds(*in.MaxSessionDuration)
	}
	r, err := f.Directory.CreateRole(ctx, c.Caller.Account, n)
	if err != nil {
		return nil, err
	}
	out := roleOut(r)
	out.RoleLastUsed = nil
	return &iammodel.CreateRoleResponse{Role: &out}, nil
}

func seconds(n int32) time.Duration { return time.Duration(n) * time.Second }

func (f *front) getRole(ctx context.Context, c *awsquery.Call, in *iammodel.GetRoleRequest) (*iammodel.GetRoleResponse, error) {
	r, err := f.Directory.GetRole(ctx, c.Caller.Account, *in.RoleName)
	if err != nil {
		return nil, err
	}
	return &iammodel.GetRoleResponse{Role: new(roleOut(r))}, nil
}

func onRoles(_ context.Context, c *awsquery.Call, in *iammodel.ListRolesRequest) (access.Resource, error) {
	return access.Resource{Account: c.Caller.Account, ARN: name.RoleARN(c.Caller.Account, pathOf(in.PathPrefix), "")}, nil
}

func (f *front) listRoles(ctx context.Context, c *awsquery.Call, in *iammodel.ListRolesRequest) (*iammodel.ListRolesResponse, error) {
	path := pathOf(in.PathPrefix)
	l := listingOf(c, "ListRoles", path)
	after, err := l.Position(in.Marker)
	if err != nil {
		return nil, err
	}
	roles, more, err := f.Directory.ListRoles(ctx, c.Caller.Account, path, directory.Page[string]{After: after, Limit: pageSize(in.MaxItems)})
	if err != nil {
		return nil, err
	}
	out := &iammodel.ListRolesResponse{Roles: rolesOut(roles), IsTruncated: new(more)}
	if more {
		out.Marker = l.Token(roles[len(roles)-1].Key.Name)
	}
	return out, nil
}

func (f *front) updateRole(ctx context.Context, c *awsquery.Call, in *iammodel.UpdateRoleRequest) (*iammodel.UpdateRoleResponse, error) {
	change := directory.RoleChange{Description: in.Description}
	if in.MaxSessionDuration != nil {
		change.MaxSession = new(seconds(*in.MaxSessionDuration))
	}
	_, err := f.Directory.UpdateRole(ctx, c.Caller.Account, *in.RoleName, change)
	return &iammodel.UpdateRoleResponse{}, err
}

func (f *front) updateRoleDescription(ctx context.Context, c *awsquery.Call, in *iammodel.UpdateRoleDescriptionRequest) (*iammodel.UpdateRoleDescriptionResponse, error) {
	r, err := f.Directory.UpdateRole(ctx, c.Caller.Account, *in.RoleName, directory.RoleChange{Description: in.Description})
	if err != nil {
		return nil, err
	}
	return &iammodel.UpdateRoleDescriptionResponse{Role: new(roleOut(r))}, nil
}

func (f *front) updateAssumeRolePolicy(ctx context.Context, c *awsquery.Call, in *iammodel.UpdateAssumeRolePolicyRequest) (*iammodel.UpdateAssumeRolePolicyResponse, error) {
	_, err := f.Directory.UpdateRole(ctx, c.Caller.Account, *in.RoleName, directory.RoleChange{Trust: in.PolicyDocument})
	return &iammodel.UpdateAssumeRolePolicyResponse{}, err
}

func (f *front) deleteRole(ctx context.Context, c *awsquery.Call, in *iammodel.DeleteRoleRequest) (*iammodel.DeleteRoleResponse, error) {
	return &iammodel.DeleteRoleResponse{}, f.Directory.DeleteRole(ctx, c.Caller.Account, *in.RoleName)
}

func (f *front) onTagRole(ctx context.Context, c *awsquery.Call, in *iammodel.TagRoleRequest) (access.Resource, error) {
	r, err := f.ofPrincipal(ctx, c, directory.Role, in.RoleName)
	r.RequestTags = requestTags(in.Tags)
	return r, err
}

func (f *front) tagRole(ctx context.Context, c *awsquery.Call, in *iammodel.TagRoleRequest) (*iammodel.TagRoleResponse, error) {
	return &iammodel.TagRoleResponse{}, f.Directory.TagRole(ctx, c.Caller.Account, *in.RoleName, tagsIn(in.Tags))
}

func (f *front) onUntagRole(ctx context.Context, c *awsquery.Call, in *iammodel.UntagRoleRequest) (access.Resource, error) {
	r, err := f.ofPrincipal(ctx, c, directory.Role, in.RoleName)
	r.TagKeys = in.TagKeys
	return r, err
}

func (f *front) untagRole(ctx context.Context, c *awsquery.Call, in *iammodel.UntagRoleRequest) (*iammodel.UntagRoleResponse, error) {
	return &iammodel.UntagRoleResponse{}, f.Directory.UntagRole(ctx, c.Caller.Account, *in.RoleName, in.TagKeys)
}

func (f *front) listRoleTags(ctx context.Context, c *awsquery.Call, in *iammodel.ListRoleTagsRequest) (*iammodel.ListRoleTagsResponse, error) {
	r, err := f.Directory.GetRole(ctx, c.Caller.Account, *in.RoleName)
	if err != nil {
		return nil, err
	}
	tags, next, err := cut(listingOf(c, "ListRoleTags", r.UniqueID), r.Tags, in.Marker, in.MaxItems)
	return &iammodel.ListRoleTagsResponse{Tags: tagsOut(tags), IsTruncated: new(next != nil), Marker: next}, err
}

// listInstanceProfilesForRole answers with none: there are no instances here,
// and clients ask before they delete a role.
func (f *front) listInstanceProfilesForRole(ctx context.Context, c *awsquery.Call, in *iammodel.ListInstanceProfilesForRoleRequest) (*iammodel.ListInstanceProfilesForRoleResponse, error) {
	if _, err := listingOf(c, "ListInstanceProfilesForRole").Position(in.Marker); err != nil {
		return nil, err
	}
	if _, err := f.Directory.GetRole(ctx, c.Caller.Account, *in.RoleName); err != nil {
		return nil, err
	}
	return &iammodel.ListInstanceProfilesForRoleResponse{InstanceProfiles: []iammodel.InstanceProfile{}, IsTruncated: new(false)}, nil
}

// roleOut is a role; its last use has no members if it was never used.
func roleOut(r directory.Principal) iammodel.Role {
	out := iammodel.Role{
		Path: new(r.Path), RoleName: new(r.Key.Name), RoleId: new(r.UniqueID), Arn: new(r.ARN()), CreateDate: new(r.CreatedAt),
		AssumeRolePolicyDocument: new(r.Trust), MaxSessionDuration: new(int32(r.MaxSession / time.Second)),
		PermissionsBoundary: boundaryOut(r.Boundary), RoleLastUsed: &iammodel.RoleLastUsed{},
	}
	if r.Description != "" {
		out.Description = new(r.Description)
	}
	if len(r.Tags) > 0 {
		out.Tags = tagsOut(r.Tags)
	}
	if use := r.LastUse; !use.At.IsZero() {
		out.RoleLastUsed = &iammodel.RoleLastUsed{LastUsedDate: new(use.At), Region: new(string(use.Region))}
	}
	return out
}

// rolesOut are the roles of a list, which tells neither boundaries, tags nor
// uses (IAM API reference, ListRoles).
func rolesOut(roles []directory.Principal) []iammodel.Role {
	out := make([]iammodel.Role, len(roles))
	for i, r := range roles {
		out[i] = roleOut(r)
		out[i].PermissionsBoundary, out[i].RoleLastUsed = nil, nil
	}
	return out
}
