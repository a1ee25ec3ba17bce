package iam

import (
	"context"

	"github.com/lighterage/lighterage/internal/access"
	"github.com/lighterage/lighterage/internal/api/awsmodel/iammodel"
	"github.com/lighterage/lighterage/internal/api/awsquery"
	"github.com/lighterage/lighterage/internal/directory"
)

// ofPrincipal names the user, group or role of the name as a resource of the
// caller's account.
func (f *front) ofPrincipal(ctx context.Context, c *awsquery.Call, kind directory.PrincipalKind, called *string) (access.Resource, error) {
	arn, err := f.Directory.PrincipalARN(ctx, c.Caller.Account, kind, text(called))
	return access.Resource{Account: c.Caller.Account, ARN: arn}, err
}

// authorizeMove asks whether the caller may have a user or group under the name
// and path that it would get: policies speak of ARNs, and IAM wants the action
// allowed on both.
func (f *front) authorizeMove(ctx context.Context, c *awsquery.Call, action string, kind directory.PrincipalKind, called string, to directory.Change) error {
	arn, err := f.Directory.MovedARN(ctx, c.Caller.Account, kind, called, to)
	if err != nil {
		return err
	}
	return f.Authorizer.Authorize(ctx, c.Caller, action, access.Resource{Account: c.Caller.Account, ARN: arn})
}

// boundaryOut is a permissions boundary; nil for none.
func boundaryOut(p directory.PolicyRef) *iammodel.AttachedPermissionsBoundary {
	if p.ARN == "" {
		return nil
	}
	return &iammodel.AttachedPermissionsBoundary{
		PermissionsBoundaryType: new(iammodel.PermissionsBoundaryAttachmentTypePermissionsBoundaryPolicy),
		PermissionsBoundaryArn:  new(p.ARN),
	}
}
