package ecr

import (
	"context"

	"github.com/lighterage/lighterage/internal/api/awsjson"
	"github.com/lighterage/lighterage/internal/api/awsmodel/ecrmodel"
	"github.com/lighterage/lighterage/internal/name"
	"github.com/lighterage/lighterage/internal/registry"
)

func (f *front) putImage(ctx context.Context, c *awsjson.Call, key registry.RepositoryKey, in *ecrmodel.PutImageRequest) (*ecrmodel.PutImageResponse, error) {
	put := registry.Put{By: c.Caller.ARN, Key: key, Body: []byte(*in.ImageManifest), MediaType: value(in.ImageManifestMediaType)}
	if in.ImageTag != nil {
		t, err := name.ParseTag(*in.ImageTag)
		if err != nil {
			return nil, err
		}
		put.Tags = []name.Tag{t}
	}
	if in.ImageDigest != nil {
		d, err := digestIn("imageDigest", *in.ImageDigest)
		if err != nil {
			return nil, err
		}
		put.Digest = d
	}
	i, err := f.Catalogue.PutImage(ctx, put)
	if err != nil {
		return nil, err
	}
	return &ecrmodel.PutImageResponse{Image: &ecrmodel.Image{
		RegistryId:             accountOf(key),
		RepositoryName:         nameOf(key),
		ImageId:                idOut(value(in.ImageTag), string(i.Digest)),
		ImageManifest:          in.ImageManifest,
		ImageManifestMediaType: &i.MediaType,
	}}, nil
}
