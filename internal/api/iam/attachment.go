package iam

import (
	"context"
	"slices"
	"strconv"

	"github.com/lighterage/lighterage/internal/access"
	"github.com/lighterage/lighterage/internal/api/awsmodel/iammodel"
	"github.com/lighterage/lighterage/internal/api/awsplan"
	"github.com/lighterage/lighterage/internal/api/awsquery"
	"github.com/lighterage/lighterage/internal/directory"
	"github.com/lighterage/lighterage/internal/name"
)

// ofTarget names a principal whose policies are to change, with the key that
// says what bounds it: a policy may let somebody give rights to the bounded
// alone.
func (f *front) ofTarget(ctx context.Context, c *awsquery.Call, kind directory.PrincipalKind, called string) (access.Resource, error) {
	arn, boundary, err := f.Directory.Target(ctx, c.Caller.Account, kind, called)
	r := access.Resource{Account: c.Caller.Account, ARN: arn, Keys: map[string][]string{}}
	if boundary != "" {
		r.Keys[boundaryKey] = []string{boundary}
	}
	return r, err
}

// attachments is the row of an operation that attaches or detaches.
func attachments[In, Out any](
	f *front, operation string, kind directory.PrincipalKind,
	parts func(*In) (called, policy *string),
	act func(ctx context.Context, account name.AccountID, kind directory.PrincipalKind, called, arn string) error,
) awsquery.Operation {
	return op(operation, func(ctx context.Context, c *awsquery.Call, in *In) (access.Resource, error) {
		called, policy := parts(in)
		r, err := f.ofTarget(ctx, c, kind, *called)
		r.Keys[policyKey] = []string{*policy}
		return r, err
	}, func(ctx context.Context, c *awsquery.Call, in *In) (*Out, error) {
		called, policy := parts(in)
		return new(Out), act(ctx, c.Caller.Account, kind, *called, *policy)
	})
}

// attached is the row of an operation that lists what a principal has.
func attached[In, Out any](
	f *front, operation string, kind directory.PrincipalKind,
	parts func(*In) (called, path, marker *string, maxItems *int32),
	out func(policies []iammodel.AttachedPolicy, truncated bool, marker *string) *Out,
) awsquery.Operation {
	return op(operation, func(ctx context.Context, c *awsquery.Call, in *In) (access.Resource, error) {
		called, _, _, _ := parts(in)
		return f.ofPrincipal(ctx, c, kind, called)
	}, func(ctx context.Context, c *awsquery.Call, in *In) (*Out, error) {
		called, path, marker, maxItems := parts(in)
		l := listingOf(c, operation, *called, pathOf(path))
		after, err := l.Position(marker)
		if err != nil {
			return nil, err
		}
		all, err := f.Directory.AttachedPolicies(ctx, c.Caller.Account, kind, *called, pathOf(path))
		if err != nil {
			return nil, err
		}
		page, more := behind(all, directory.AttachedPolicy.Position, after, pageSize(maxItems))
		policies := make([]iammodel.AttachedPolicy, len(page))
		for i, p := range page {
			policies[i] = iammodel.AttachedPolicy{PolicyName: new(p.Name), PolicyArn: new(p.ARN)}
		}
		return out(policies, more, nextMarker(l, page, directory.AttachedPolicy.Position, more)), nil
	})
}

// behind returns a page of a whole list that is sorted by position: what comes
// after one, which need not be there any more.
func behind[V any](all []V, position func(V) string, after string, size int) (page []V, more bool) {
	if after != "" {
		all = slices.DeleteFunc(slices.Clone(all), func(v V) bool { return position(v) <= after })
	}
	if len(all) <= size {
		return all, false
	}
	return all[:size], true
}

// nextMarker returns the marker behind a page; nil if there is nothing.
func nextMarker[V any](l awsplan.Listing, page []V, position func(V) string, more bool) *string {
	if !more {
		return nil
	}
	return l.Token(position(page[len(page)-1]))
}

// entityKinds are the principals that a filter asks for. Policies are none.
var entityKinds = map[iammodel.EntityType]directory.PrincipalKind{
	iammodel.EntityTypeUser:  directory.User,
	iammodel.EntityTypeGroup: directory.Group,
	iammodel.EntityTypeRole:  directory.Role,
}

// listEntitiesForPolicy lists users, groups and roles in one order, by age, and
// a page has some of each.
func (f *front) listEntitiesForPolicy(ctx context.Context, c *awsquery.Call, in *iammodel.ListEntitiesForPolicyRequest) (*iammodel.ListEntitiesForPolicyResponse, error) {
	out := &iammodel.ListEntitiesForPolicyResponse{
		PolicyGroups: []iammodel.PolicyGroup{}, PolicyUsers: []iammodel.PolicyUser{}, PolicyRoles: []iammodel.PolicyRole{}, IsTruncated: new(false),
	}
	filter := directory.EntityFilter{Path: pathOf(in.PathPrefix), Usage: usages[iammodel.PolicyUsageType(text(in.PolicyUsageFilter))]}
	if in.EntityFilter != nil {
		kind, ok := entityKinds[*in.EntityFilter]
		if !ok {
			_, err := f.Directory.GetPolicy(ctx, c.Caller.Account, *in.PolicyArn) // policies are attached to no policy
			return out, err
		}
		filter.Kind = kind
	}
	l := listingOf(c, "ListEntitiesForPolicy", *in.PolicyArn, text(in.EntityFilter), filter.Path, text(in.PolicyUsageFilter))
	after, err := l.Number(in.Marker)
	if err != nil {
		return nil, err
	}
	who, more, err := f.Directory.EntitiesOf(ctx, c.Caller.Account, *in.PolicyArn, filter, directory.Page[directory.PrincipalID]{
		After: directory.PrincipalID(after), Limit: pageSize(in.MaxItems),
	})
	if err != nil {
		return nil, err
	}
	for _, p := range who {
		switch p.Key.Kind {
		case directory.User:
			out.PolicyUsers = append(out.PolicyUsers, iammodel.PolicyUser{UserName: new(p.Key.Name), UserId: new(p.UniqueID)})
		case directory.Group:
			out.PolicyGroups = append(out.PolicyGroups, iammodel.PolicyGroup{GroupName: new(p.Key.Name), GroupId: new(p.UniqueID)})
		default:
			out.PolicyRoles = append(out.PolicyRoles, iammodel.PolicyRole{RoleName: new(p.Key.Name), RoleId: new(p.UniqueID)})
		}
	}
	out.IsTruncated = new(more)
	out.Marker = nextMarker(l, who, func(p directory.Principal) string { return strconv.FormatInt(int64(p.ID), 10) }, more)
	return out, nil
}
