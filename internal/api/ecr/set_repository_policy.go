package ecr

import (
	"context"

	"github.com/lighterage/lighterage/internal/api/awsjson"
	"github.com/lighterage/lighterage/internal/api/awsmodel/ecrmodel"
	"github.com/lighterage/lighterage/internal/registry"
)

// setRepositoryPolicy refuses a policy that locks its caller out, unless it is
// forced.
func (f *front) setRepositoryPolicy(ctx context.Context, c *awsjson.Call, key registry.RepositoryKey, in *ecrmodel.SetRepositoryPolicyRequest) (*ecrmodel.SetRepositoryPolicyResponse, error) {
	locksOut := func() (bool, error) {
		return f.Access.LocksOut(ctx, c.Caller, key.Registry, key.Name, *in.PolicyText)
	}
	if value(in.Force) {
		locksOut = nil
	}
	if err := f.Catalogue.SetRepositoryPolicy(ctx, key, *in.PolicyText, locksOut); err != nil {
		return nil, err
	}
	return &ecrmodel.SetRepositoryPolicyResponse{RegistryId: accountOf(key), RepositoryName: nameOf(key), PolicyText: in.PolicyText}, nil
}
