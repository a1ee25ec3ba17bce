package lightsail

import (
	"context"

	"github.com/lighterage/lighterage/internal/api/awsjson"
	"github.com/lighterage/lighterage/internal/api/awsmodel/lightsailmodel"
)

func (f *front) deleteContainerService(ctx context.Context, c *awsjson.Call, in *lightsailmodel.DeleteContainerServiceRequest) (*lightsailmodel.DeleteContainerServiceResult, error) {
	key, err := keyOf(c, in.ServiceName)
	if err != nil {
		return nil, err
	}
	if err := f.Services.DeleteService(ctx, key); err != nil {
		return nil, err
	}
	return &lightsailmodel.DeleteContainerServiceResult{}, nil
}
