package ecr

import (
	"context"

	"github.com/lighterage/lighterage/internal/api/awsjson"
	"github.com/lighterage/lighterage/internal/api/awsmodel/ecrmodel"
	"github.com/lighterage/lighterage/internal/fault"
	"github.com/lighterage/lighterage/internal/registry"
)

// updateImageStorageClass archives an image or brings it back, which is done
// when it answers. An image that is there already stays, and the answer is the
// same.
func (f *front) updateImageStorageClass(ctx context.Context, _ *awsjson.Call, key registry.RepositoryKey, in *ecrmodel.UpdateImageStorageClassRequest) (*ecrmodel.UpdateImageStorageClassResponse, error) {
	asked := registry.Asked{Tag: value(in.ImageId.ImageTag), Digest: value(in.ImageId.ImageDigest)}
	if asked == (registry.Asked{}) {
		return nil, &fault.Error{Reason: fault.ParameterInvalid, Member: "imageId", Constraint: "both tag and digest cannot be null"}
	}
	change := f.Catalogue.RestoreImage
	if *in.TargetStorageClass == ecrmodel.TargetStorageClassArchive {
		change = f.Catalogue.ArchiveImage
	}
	i, err := change(ctx, key, asked)
	if err != nil {
		return nil, err
	}
	return &ecrmodel.UpdateImageStorageClassResponse{
		RegistryId: accountOf(key), RepositoryName: nameOf(key), ImageId: idOut(asked.Tag, string(i.Digest)), ImageStatus: statusOut(i),
	}, nil
}
