package ecr

import (
	"context"

	"github.com/lighterage/lighterage/internal/api/awsjson"
	"github.com/lighterage/lighterage/internal/api/awsmodel/ecrmodel"
	"github.com/lighterage/lighterage/internal/registry"
)

// batchDeleteImage answers with an id for each tag that went, with its digest,
// and one with the digest alone for an image that had none.
func (f *front) batchDeleteImage(ctx context.Context, c *awsjson.Call, key registry.RepositoryKey, in *ecrmodel.BatchDeleteImageRequest) (*ecrmodel.BatchDeleteImageResponse, error) {
	deleted, failed, err := f.Catalogue.DeleteImages(ctx, c.Caller.ARN, key, idsIn(in.ImageIds))
	if err != nil {
		return nil, err
	}
	out := &ecrmodel.BatchDeleteImageResponse{ImageIds: []ecrmodel.ImageIdentifier{}, Failures: []ecrmodel.ImageFailure{}}
	for _, d := range deleted {
		out.ImageIds = append(out.ImageIds, *idOut(string(d.Tag), d.Digest))
	}
	for _, m := range failed {
		out.Failures = append(out.Failures, imageFailure(m))
	}
	return out, nil
}
