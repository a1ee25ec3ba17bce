package lightsail

import (
	"context"

	"github.com/lighterage/lighterage/internal/api/awsjson"
	"github.com/lighterage/lighterage/internal/api/awsmodel/lightsailmodel"
)

// getContainerImages lists a service's registered images, the newest first.
func (f *front) getContainerImages(ctx context.Context, c *awsjson.Call, in *lightsailmodel.GetContainerImagesRequest) (*lightsailmodel.GetContainerImagesResult, error) {
	key, err := keyOf(c, in.ServiceName)
	if err != nil {
		return nil, err
	}
	images, err := f.Services.RegisteredImages(ctx, key)
	if err != nil {
		return nil, err
	}
	out := &lightsailmodel.GetContainerImagesResult{ContainerImages: []lightsailmodel.ContainerImage{}}
	for _, i := range images {
		out.ContainerImages = append(out.ContainerImages, imageOut(key.Name, i))
	}
	return out, nil
}
