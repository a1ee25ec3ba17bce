package lightsail

import (
	"context"

	"github.com/lighterage/lighterage/internal/api/awsjson"
	"github.com/lighterage/lighterage/internal/api/awsmodel/lightsailmodel"
	"github.com/lighterage/lighterage/internal/containers"
)

// getContainerServices describes the named service, or all.
func (f *front) getContainerServices(ctx context.Context, c *awsjson.Call, in *lightsailmodel.GetContainerServicesRequest) (*lightsailmodel.ContainerServicesListResult, error) {
	found, err := f.findServices(ctx, c, in.ServiceName)
	if err != nil {
		return nil, err
	}
	out := &lightsailmodel.ContainerServicesListResult{ContainerServices: []lightsailmodel.ContainerService{}}
	for _, s := range found {
		out.ContainerServices = append(out.ContainerServices, *serviceOut(s))
	}
	return out, nil
}

func (f *front) findServices(ctx context.Context, c *awsjson.Call, service *string) ([]containers.Service, error) {
	if service == nil {
		return f.Services.Services(ctx, c.Registry)
	}
	key, err := keyOf(c, service)
	if err != nil {
		return nil, err
	}
	s, err := f.Services.Service(ctx, key)
	return []containers.Service{s}, err
}
