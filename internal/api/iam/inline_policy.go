package iam

import (
	"context"

	"github.com/lighterage/lighterage/internal/access"
	"github.com/lighterage/lighterage/internal/api/awsquery"
	"github.com/lighterage/lighterage/internal/directory"
)

// putInline is the row of an operation that puts an inline policy.
func putInline[In, Out any](
	f *front, operation string, kind directory.PrincipalKind, parts func(*In) (called, policy, document *string),
) awsquery.Operation {
	return op(operation, func(ctx context.Context, c *awsquery.Call, in *In) (access.Resource, error) {
		called, _, _ := parts(in)
		return f.ofTarget(ctx, c, kind, *called)
	}, func(ctx context.Context, c *awsquery.Call, in *In) (*Out, error) {
		called, policy, document := parts(in)
		return new(Out), f.Directory.PutInlinePolicy(ctx, c.Caller.Account, kind, *called, directory.InlinePolicy{Name: *policy, Document: *document})
	})
}

// getInline is the row of an operation that reads one. Its answer has the name
// of the principal as it is written there.
func getInline[In, Out any](
	f *front, operation string, kind directory.PrincipalKind, parts func(*In) (called, policy *string),
	out func(called, policy, document *string) *Out,
) awsquery.Operation {
	return op(operation, func(ctx context.Context, c *awsquery.Call, in *In) (access.Resource, error) {
		called, _ := parts(in)
		return f.ofPrincipal(ctx, c, kind, called)
	}, func(ctx context.Context, c *awsquery.Call, in *In) (*Out, error) {
		called, policy := parts(in)
		who, p, err := f.Directory.GetInlinePolicy(ctx, c.Caller.Account, kind, *called, *policy)
		if err != nil {
			return nil, err
		}
		return out(&who.Key.Name, &p.Name, &p.Document), nil
	})
}

// listInline is the row of an operation that lists the names of them.
func listInline[In, Out any](
	f *front, operation string, kind directory.PrincipalKind, parts func(*In) (called, marker *string, maxItems *int32),
	out func(names []string, truncated bool, marker *string) *Out,
) awsquery.Operation {
	return op(operation, func(ctx context.Context, c *awsquery.Call, in *In) (access.Resource, error) {
		called, _, _ := parts(in)
		return f.ofPrincipal(ctx, c, kind, called)
	}, func(ctx context.Context, c *awsquery.Call, in *In) (*Out, error) {
		called, marker, maxItems := parts(in)
		l := listingOf(c, operation, *called)
		after, err := l.Position(marker)
		if err != nil {
			return nil, err
		}
		all, err := f.Directory.InlinePolicies(ctx, c.Caller.Account, kind, *called)
		if err != nil {
			return nil, err
		}
		nameOf := func(p directory.InlinePolicy) string { return p.Name }
		page, more := behind(all, nameOf, after, pageSize(maxItems))
		names := make([]string, len(page))
		for i, p := range page {
			names[i] = p.Name
		}
		return out(names, more, nextMarker(l, page, nameOf, more)), nil
	})
}

// deleteInline is the row of an operation that deletes one.
func deleteInline[In, Out any](
	f *front, operation string, kind directory.PrincipalKind, parts func(*In) (called, policy *string),
) awsquery.Operation {
	return op(operation, func(ctx context.Context, c *awsquery.Call, in *In) (access.Resource, error) {
		called, _ := parts(in)
		return f.ofTarget(ctx, c, kind, *called)
	}, func(ctx context.Context, c *awsquery.Call, in *In) (*Out, error) {
		called, policy := parts(in)
		return new(Out), f.Directory.DeleteInlinePolicy(ctx, c.Caller.Account, kind, *called, *policy)
	})
}
