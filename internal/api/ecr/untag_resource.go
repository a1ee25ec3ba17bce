package ecr

import (
	"context"

	"github.com/lighterage/lighterage/internal/api/awsjson"
	"github.com/lighterage/lighterage/internal/api/awsmodel/ecrmodel"
	"github.com/lighterage/lighterage/internal/registry"
)

func (f *front) untagResource(ctx context.Context, _ *awsjson.Call, key registry.RepositoryKey, in *ecrmodel.UntagResourceRequest) (*ecrmodel.UntagResourceResponse, error) {
	if err := f.Catalogue.DeleteResourceTags(ctx, key, in.TagKeys); err != nil {
		return nil, err
	}
	return &ecrmodel.UntagResourceResponse{}, nil
}
