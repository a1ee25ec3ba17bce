package lightsail

import (
	"context"

	"github.com/lighterage/lighterage/internal/api/awsjson"
	"github.com/lighterage/lighterage/internal/api/awsmodel/lightsailmodel"
	"github.com/lighterage/lighterage/internal/containers"
)

func (f *front) updateContainerService(ctx context.Context, c *awsjson.Call, in *lightsailmodel.UpdateContainerServiceRequest) (*lightsailmodel.UpdateContainerServiceResult, error) {
	key, err := keyOf(c, in.ServiceName)
	if err != nil {
		return nil, err
	}
	if err := refuseDomains(in.PublicDomainNames); err != nil {
		return nil, err
	}
	if err := refusePuller(in.PrivateRegistryAccess); err != nil {
		return nil, err
	}
	change := containers.Change{Disabled: in.IsDisabled}
	if in.Power != nil {
		change.Power = new(string(*in.Power))
	}
	if in.Scale != nil {
		change.Scale = new(int64(*in.Scale))
	}
	s, err := f.Services.UpdateService(ctx, key, change)
	if err != nil {
		return nil, err
	}
	return &lightsailmodel.UpdateContainerServiceResult{ContainerService: serviceOut(s)}, nil
}
