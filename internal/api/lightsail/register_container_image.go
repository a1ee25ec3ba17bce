package lightsail

import (
	"context"

	"github.com/lighterage/lighterage/internal/api/awsjson"
	"github.com/lighterage/lighterage/internal/api/awsmodel/lightsailmodel"
	"github.com/lighterage/lighterage/internal/name"
)

func (f *front) registerContainerImage(ctx context.Context, c *awsjson.Call, in *lightsailmodel.RegisterContainerImageRequest) (*lightsailmodel.RegisterContainerImageResult, error) {
	key, err := keyOf(c, in.ServiceName)
	if err != nil {
		return nil, err
	}
	label, err := name.ParseLabel(*in.Label)
	if err != nil {
		return nil, err
	}
	i, err := f.Services.RegisterImage(ctx, key, label, *in.Digest)
	if err != nil {
		return nil, err
	}
	return &lightsailmodel.RegisterContainerImageResult{ContainerImage: new(imageOut(key.Name, i))}, nil
}
