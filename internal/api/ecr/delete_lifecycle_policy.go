package ecr

import (
	"context"

	"github.com/lighterage/lighterage/internal/api/awsjson"
	"github.com/lighterage/lighterage/internal/api/awsmodel/ecrmodel"
	"github.com/lighterage/lighterage/internal/registry"
)

func (f *front) deleteLifecyclePolicy(ctx context.Context, _ *awsjson.Call, key registry.RepositoryKey, _ *ecrmodel.DeleteLifecyclePolicyRequest) (*ecrmodel.DeleteLifecyclePolicyResponse, error) {
	p, err := f.Lifecycle.Delete(ctx, key)
	if err != nil {
		return nil, err
	}
	return &ecrmodel.DeleteLifecyclePolicyResponse{
		RegistryId: accountOf(key), RepositoryName: nameOf(key), LifecyclePolicyText: &p.Text, LastEvaluatedAt: evaluated(p.EvaluatedAt),
	}, nil
}
