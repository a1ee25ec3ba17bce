package ecr

import (
	"context"

	"github.com/lighterage/lighterage/internal/api/awsjson"
	"github.com/lighterage/lighterage/internal/api/awsmodel/ecrmodel"
	"github.com/lighterage/lighterage/internal/registry"
)

func (f *front) putImageTagMutability(ctx context.Context, _ *awsjson.Call, key registry.RepositoryKey, in *ecrmodel.PutImageTagMutabilityRequest) (*ecrmodel.PutImageTagMutabilityResponse, error) {
	r, err := f.Catalogue.SetMutability(ctx, key, string(*in.ImageTagMutability), filtersIn(in.ImageTagMutabilityExclusionFilters))
	if err != nil {
		return nil, err
	}
	return &ecrmodel.PutImageTagMutabilityResponse{
		RegistryId:                         accountOf(key),
		RepositoryName:                     nameOf(key),
		ImageTagMutability:                 new(ecrmodel.ImageTagMutability(r.Mutability)),
		ImageTagMutabilityExclusionFilters: filtersOut(r.MutabilityFilters),
	}, nil
}
