package lightsail

import (
	"context"

	"github.com/lighterage/lighterage/internal/api/awsjson"
	"github.com/lighterage/lighterage/internal/api/awsmodel/lightsailmodel"
)

func (f *front) deleteContainerImage(ctx context.Context, c *awsjson.Call, in *lightsailmodel.DeleteContainerImageRequest) (*lightsailmodel.DeleteContainerImageResult, error) {
	key, err := keyOf(c, in.ServiceName)
	if err != nil {
		return nil, err
	}
	if err := f.Services.DeleteRegisteredImage(ctx, key, *in.Image); err != nil {
		return nil, err
	}
	return &lightsailmodel.DeleteContainerImageResult{}, nil
}
