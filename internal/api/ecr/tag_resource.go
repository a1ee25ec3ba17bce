package ecr

import (
	"context"

	"github.com/lighterage/lighterage/internal/api/awsjson"
	"github.com/lighterage/lighterage/internal/api/awsmodel/ecrmodel"
	"github.com/lighterage/lighterage/internal/registry"
)

func (f *front) tagResource(ctx context.Context, _ *awsjson.Call, key registry.RepositoryKey, in *ecrmodel.TagResourceRequest) (*ecrmodel.TagResourceResponse, error) {
	if err := f.Catalogue.PutResourceTags(ctx, key, tagsIn(in.Tags)); err != nil {
		return nil, err
	}
	return &ecrmodel.TagResourceResponse{}, nil
}
