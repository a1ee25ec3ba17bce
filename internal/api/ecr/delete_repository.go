package ecr

import (
	"context"

	"github.com/lighterage/lighterage/internal/api/awsjson"
	"github.com/lighterage/lighterage/internal/api/awsmodel/ecrmodel"
	"github.com/lighterage/lighterage/internal/registry"
)

// deleteRepository answers with the repository as it was.
func (f *front) deleteRepository(ctx context.Context, _ *awsjson.Call, key registry.RepositoryKey, in *ecrmodel.DeleteRepositoryRequest) (*ecrmodel.DeleteRepositoryResponse, error) {
	r, err := f.Catalogue.DeleteRepository(ctx, key, value(in.Force))
	if err != nil {
		return nil, err
	}
	return &ecrmodel.DeleteRepositoryResponse{Repository: f.repositoryOut(ctx, r)}, nil
}
