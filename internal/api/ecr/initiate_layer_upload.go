package ecr

import (
	"context"

	"github.com/lighterage/lighterage/internal/api/awsjson"
	"github.com/lighterage/lighterage/internal/api/awsmodel/ecrmodel"
	"github.com/lighterage/lighterage/internal/digest"
	"github.com/lighterage/lighterage/internal/registry"
)

// partSize is the size of parts that clients are told to send, in bytes: the
// most that ECR's quota allows.
const partSize = 10 << 20

func (f *front) initiateLayerUpload(ctx context.Context, _ *awsjson.Call, key registry.RepositoryKey, _ *ecrmodel.InitiateLayerUploadRequest) (*ecrmodel.InitiateLayerUploadResponse, error) {
	id, err := f.Catalogue.StartUpload(ctx, key, digest.SHA256)
	if err != nil {
		return nil, err
	}
	return &ecrmodel.InitiateLayerUploadResponse{UploadId: new(string(id)), PartSize: new(int64(partSize))}, nil
}
