package ecr

import (
	"context"

	"github.com/lighterage/lighterage/internal/api/awsjson"
	"github.com/lighterage/lighterage/internal/api/awsmodel/ecrmodel"
	"github.com/lighterage/lighterage/internal/registry"
)

func (f *front) listTagsForResource(ctx context.Context, _ *awsjson.Call, key registry.RepositoryKey, _ *ecrmodel.ListTagsForResourceRequest) (*ecrmodel.ListTagsForResourceResponse, error) {
	tags, err := f.Catalogue.ResourceTags(ctx, key)
	if err != nil {
		return nil, err
	}
	out := &ecrmodel.ListTagsForResourceResponse{Tags: make([]ecrmodel.Tag, 0, len(tags))}
	for _, t := range tags {
		out.Tags = append(out.Tags, ecrmodel.Tag{Key: &t.Key, Value: &t.Value})
	}
	return out, nil
}
