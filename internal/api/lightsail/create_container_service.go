package lightsail

import (
	"context"

	"github.com/lighterage/lighterage/internal/api/awsjson"
	"github.com/lighterage/lighterage/internal/api/awsmodel/lightsailmodel"
	"github.com/lighterage/lighterage/internal/fault"
)

// createContainerService adds a service, which has nothing to run: what needs
// a running container is refused first.
func (f *front) createContainerService(ctx context.Context, c *awsjson.Call, in *lightsailmodel.CreateContainerServiceRequest) (*lightsailmodel.CreateContainerServiceResult, error) {
	if len(in.Tags) > 0 { // creating with tags takes both permissions (Service Authorization Reference)
		r := anyService(c)
		newService(in, &r)
		if err := f.Access.Authorize(ctx, c.Caller, "lightsail:TagResource", r); err != nil {
			return nil, err
		}
	}
	key, err := keyOf(c, in.ServiceName)
	if err != nil {
		return nil, err
	}
	if in.Deployment != nil {
		return nil, &fault.Error{Reason: fault.FeatureNotOffered, Member: "deployment", Detail: "this server stores container images and does not run them"}
	}
	if err := refuseDomains(in.PublicDomainNames); err != nil {
		return nil, err
	}
	if err := refusePuller(in.PrivateRegistryAccess); err != nil {
		return nil, err
	}
	s, err := f.Services.CreateService(ctx, key, string(*in.Power), int64(*in.Scale), tagsIn(in.Tags))
	if err != nil {
		return nil, err
	}
	return &lightsailmodel.CreateContainerServiceResult{ContainerService: serviceOut(s)}, nil
}
