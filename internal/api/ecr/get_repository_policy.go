package ecr

import (
	"context"

	"github.com/lighterage/lighterage/internal/api/awsjson"
	"github.com/lighterage/lighterage/internal/api/awsmodel/ecrmodel"
	"github.com/lighterage/lighterage/internal/registry"
)

func (f *front) getRepositoryPolicy(ctx context.Context, _ *awsjson.Call, key registry.RepositoryKey, _ *ecrmodel.GetRepositoryPolicyRequest) (*ecrmodel.GetRepositoryPolicyResponse, error) {
	document, err := f.Catalogue.RepositoryPolicy(ctx, key)
	if err != nil {
		return nil, err
	}
	return &ecrmodel.GetRepositoryPolicyResponse{RegistryId: accountOf(key), RepositoryName: nameOf(key), PolicyText: &document}, nil
}
