package ecr

import (
	"context"
	"time"

	"github.com/lighterage/lighterage/internal/api/awsjson"
	"github.com/lighterage/lighterage/internal/api/awsmodel/ecrmodel"
	"github.com/lighterage/lighterage/internal/registry"
)

func (f *front) getLifecyclePolicy(ctx context.Context, _ *awsjson.Call, key registry.RepositoryKey, _ *ecrmodel.GetLifecyclePolicyRequest) (*ecrmodel.GetLifecyclePolicyResponse, error) {
	p, err := f.Lifecycle.Get(ctx, key)
	if err != nil {
		return nil, err
	}
	return &ecrmodel.GetLifecyclePolicyResponse{
		RegistryId: accountOf(key), RepositoryName: nameOf(key), LifecyclePolicyText: &p.Text, LastEvaluatedAt: evaluated(p.EvaluatedAt),
	}, nil
}

// evaluated is when a policy was evaluated; one that was not yet has the time 0,
// as in the examples of the AWS CLI's reference.
func evaluated(at time.Time) *time.Time {
	if at.IsZero() {
		return new(time.Unix(0, 0))
	}
	return &at
}
