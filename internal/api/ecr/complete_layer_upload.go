package ecr

import (
	"context"

	"github.com/lighterage/lighterage/internal/api/awsjson"
	"github.com/lighterage/lighterage/internal/api/awsmodel/ecrmodel"
	"github.com/lighterage/lighterage/internal/digest"
	"github.com/lighterage/lighterage/internal/name"
	"github.com/lighterage/lighterage/internal/registry"
)

// completeLayerUpload asks for one of the digests to match: one of an
// algorithm that is not known here matches nothing.
func (f *front) completeLayerUpload(ctx context.Context, _ *awsjson.Call, key registry.RepositoryKey, in *ecrmodel.CompleteLayerUploadRequest) (*ecrmodel.CompleteLayerUploadResponse, error) {
	id, err := name.ParseUploadID(*in.UploadId)
	if err != nil {
		return nil, err
	}
	var want []digest.Digest
	for _, s := range in.LayerDigests {
		if d, err := digest.Parse(s); err == nil {
			want = append(want, d)
		}
	}
	d, err := f.Catalogue.CompleteUpload(ctx, key, id, want)
	if err != nil {
		return nil, err
	}
	return &ecrmodel.CompleteLayerUploadResponse{
		RegistryId: accountOf(key), RepositoryName: nameOf(key), UploadId: new(string(id)), LayerDigest: new(string(d)),
	}, nil
}
