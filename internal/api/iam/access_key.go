package iam

import (
	"context"

	"github.com/lighterage/lighterage/internal/access"
	"github.com/lighterage/lighterage/internal/api/awsmodel/iammodel"
	"github.com/lighterage/lighterage/internal/api/awsquery"
	"github.com/lighterage/lighterage/internal/directory"
	"github.com/lighterage/lighterage/internal/fault"
)

func (f *front) createAccessKey(ctx context.Context, c *awsquery.Call, in *iammodel.CreateAccessKeyRequest) (*iammodel.CreateAccessKeyResponse, error) {
	owner, err := ownerOf(c, in.UserName)
	if err != nil {
		return nil, err
	}
	key, secret, err := f.Directory.CreateAccessKey(ctx, owner)
	if err != nil {
		return nil, err
	}
	return &iammodel.CreateAccessKeyResponse{AccessKey: &iammodel.AccessKey{
		UserName: nameOut(key), AccessKeyId: new(key.ID), Status: statusOut(key), CreateDate: new(key.CreatedAt),
		SecretAccessKey: new(secret.Reveal()),
	}}, nil
}

func (f *front) listAccessKeys(ctx context.Context, c *awsquery.Call, in *iammodel.ListAccessKeysRequest) (*iammodel.ListAccessKeysResponse, error) {
	owner, err := ownerOf(c, in.UserName)
	if err != nil {
		return nil, err
	}
	l := listingOf(c, "ListAccessKeys", owner.User)
	after, err := l.Position(in.Marker)
	if err != nil {
		return nil, err
	}
	keys, more, err := f.Directory.ListAccessKeys(ctx, owner, directory.Page[string]{After: after, Limit: pageSize(in.MaxItems)})
	if err != nil {
		return nil, err
	}
	out := &iammodel.ListAccessKeysResponse{AccessKeyMetadata: make([]iammodel.AccessKeyMetadata, len(keys)), IsTruncated: new(more)}
	for i, key := range keys {
		out.AccessKeyMetadata[i] = iammodel.AccessKeyMetadata{
			UserName: nameOut(key), AccessKeyId: new(key.ID), Status: statusOut(key), CreateDate: new(key.CreatedAt),
		}
	}
	if more {
		out.Marker = l.Token(keys[len(keys)-1].ID)
	}
	return out, nil
}

func (f *front) updateAccessKey(ctx context.Context, c *awsquery.Call, in *iammodel.UpdateAccessKeyRequest) (*iammodel.UpdateAccessKeyResponse, error) {
	owner, err := ownerOf(c, in.UserName)
	if err != nil {
		return nil, err
	}
	if *in.Status == iammodel.StatusTypeExpired { // a status of other credentials than access keys
		return nil, &fault.Error{Reason: fault.ParameterInvalid, Member: "status", Value: string(*in.Status),
			Constraint: "Member must satisfy enum value set: [Active, Inactive]"}
	}
	active := *in.Status == iammodel.StatusTypeActive
	return &iammodel.UpdateAccessKeyResponse{}, f.Directory.SetAccessKey(ctx, owner, *in.AccessKeyId, active)
}

func (f *front) deleteAccessKey(ctx context.Context, c *awsquery.Call, in *iammodel.DeleteAccessKeyRequest) (*iammodel.DeleteAccessKeyResponse, error) {
	owner, err := ownerOf(c, in.UserName)
	if err != nil {
		return nil, err
	}
	return &iammodel.DeleteAccessKeyResponse{}, f.Directory.DeleteAccessKey(ctx, owner, *in.AccessKeyId)
}

// onKey names the user that a key is of; for a root's, and for a key that the
// account does not have, there is no narrower resource than all.
func (f *front) onKey(ctx context.Context, c *awsquery.Call, in *iammodel.GetAccessKeyLastUsedRequest) (access.Resource, error) {
	all := access.Resource{Account: c.Caller.Account, ARN: "*"}
	key, err := f.Directory.FindAccessKey(ctx, c.Caller.Account, *in.AccessKeyId)
	switch {
	case fault.Is(err, fault.EntityNotFound), err == nil && key.UserName == "":
		return all, nil
	case err != nil:
		return all, err
	}
	return f.ofPrincipal(ctx, c, directory.User, &key.UserName)
}

// neverUsed stands for region and service of a key that was not used (IAM API
// reference, AccessKeyLastUsed).
const neverUsed = "N/A"

func (f *front) getAccessKeyLastUsed(ctx context.Context, c *awsquery.Call, in *iammodel.GetAccessKeyLastUsedRequest) (*iammodel.GetAccessKeyLastUsedResponse, error) {
	key, err := f.Directory.FindAccessKey(ctx, c.Caller.Account, *in.AccessKeyId)
	if fault.Is(err, fault.EntityNotFound) {
		// The operation has no error for it (model): the key may well be there,
		// in an account where the caller has nothing to look for.
		return nil, &fault.Error{Reason: fault.AccessDenied, Principal: c.Caller.ARN, Action: "iam:GetAccessKeyLastUsed", Resource: "access key " + *in.AccessKeyId}
	}
	if err != nil {
		return nil, err
	}
	out := &iammodel.GetAccessKeyLastUsedResponse{
		UserName:          nameOut(key),
		AccessKeyLastUsed: &iammodel.AccessKeyLastUsed{Region: new(neverUsed), ServiceName: new(neverUsed)},
	}
	if use := key.LastUse; !use.At.IsZero() {
		out.AccessKeyLastUsed = &iammodel.AccessKeyLastUsed{LastUsedDate: new(use.At), Region: new(string(use.Region)), ServiceName: new(use.Service)}
	}
	return out, nil
}

// nameOut is the name of a key's user; a root has none.
func nameOut(key directory.AccessKey) *string {
	if key.UserName == "" {
		return nil
	}
	return new(key.UserName)
}

func statusOut(key directory.AccessKey) *iammodel.StatusType {
	if key.Active {
		return new(iammodel.StatusTypeActive)
	}
	return new(iammodel.StatusTypeInactive)
}
