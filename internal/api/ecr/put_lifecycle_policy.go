package ecr

import (
	"context"

	"github.com/lighterage/lighterage/internal/api/awsjson"
	"github.com/lighterage/lighterage/internal/api/awsmodel/ecrmodel"
	"github.com/lighterage/lighterage/internal/registry"
)

func (f *front) putLifecyclePolicy(ctx context.Context, _ *awsjson.Call, key registry.RepositoryKey, in *ecrmodel.PutLifecyclePolicyRequest) (*ecrmodel.PutLifecyclePolicyResponse, error) {
	if err := f.Lifecycle.Put(ctx, key, *in.LifecyclePolicyText); err != nil {
		return nil, err
	}
	return &ecrmodel.PutLifecyclePolicyResponse{RegistryId: accountOf(key), RepositoryName: nameOf(key), LifecyclePolicyText: in.LifecyclePolicyText}, nil
}
