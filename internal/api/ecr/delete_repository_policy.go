package ecr

import (
	"context"

	"github.com/lighterage/lighterage/internal/api/awsjson"
	"github.com/lighterage/lighterage/internal/api/awsmodel/ecrmodel"
	"github.com/lighterage/lighterage/internal/registry"
)

func (f *front) deleteRepositoryPolicy(ctx context.Context, _ *awsjson.Call, key registry.RepositoryKey, _ *ecrmodel.DeleteRepositoryPolicyRequest) (*ecrmodel.DeleteRepositoryPolicyResponse, error) {
	document, err := f.Catalogue.DeleteRepositoryPolicy(ctx, key)
	if err != nil {
		return nil, err
	}
	return &ecrmodel.DeleteRepositoryPolicyResponse{RegistryId: accountOf(key), RepositoryName: nameOf(key), PolicyText: &document}, nil
}
