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

// tagsIn and tagsOut are tags from and to the wire.
func tagsIn(tags []iammodel.Tag) []directory.ResourceTag {
	in := make([]directory.ResourceTag, len(tags))
	for i, tag := range tags {
		in[i] = directory.ResourceTag{Key: *tag.Key, Value: *tag.Value}
	}
	return in
}

func tagsOut(tags []directory.ResourceTag) []iammodel.Tag {
	out := make([]iammodel.Tag, len(tags))
	for i, tag := range tags {
		out[i] = iammodel.Tag{Key: new(tag.Key), Value: new(tag.Value)}
	}
	return out
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
