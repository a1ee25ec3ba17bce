package ecr

import (
	"context"

	"github.com/lighterage/lighterage/internal/api/awsjson"
	"github.com/lighterage/lighterage/internal/api/awsmodel/ecrmodel"
	"github.com/lighterage/lighterage/internal/name"
	"github.com/lighterage/lighterage/internal/registry"
)

func (f *front) uploadLayerPart(ctx context.Context, _ *awsjson.Call, key registry.RepositoryKey, in *ecrmodel.UploadLayerPartRequest) (*ecrmodel.UploadLayerPartResponse, error) {
	id, err := name.ParseUploadID(*in.UploadId)
	if err != nil {
		return nil, err
	}
	last, err := f.Catalogue.AppendPart(ctx, key, id, registry.Part{
		First: *in.PartFirstByte, Last: *in.PartLastByte, Size: in.LayerPartBlob.Len(), Body: in.LayerPartBlob.Reader(),
	})
	if err != nil {
		return nil, err
	}
	return &ecrmodel.UploadLayerPartResponse{
		RegistryId: accountOf(key), RepositoryName: nameOf(key), UploadId: new(string(id)), LastByteReceived: &last,
	}, nil
}
