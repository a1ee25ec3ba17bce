package lightsail

import (
	"context"

	"github.com/lighterage/lighterage/internal/api/awsjson"
	"github.com/lighterage/lighterage/internal/api/awsmodel/lightsailmodel"
	"github.com/lighterage/lighterage/internal/edge"
	"github.com/lighterage/lighterage/internal/identity"
)

// createContainerServiceRegistryLogin issues a login that can push and nothing
// else. registry is a bare host[:port], as clients put "/sr" behind it.
func (f *front) createContainerServiceRegistryLogin(ctx context.Context, c *awsjson.Call, _ *lightsailmodel.CreateContainerServiceRegistryLoginRequest) (*lightsailmodel.CreateContainerServiceRegistryLoginResult, error) {
	if err := f.Services.OpenRegistry(ctx, c.Registry); err != nil {
		return nil, err
	}
	token, err := f.Issuer.IssueToken(ctx, c.Caller, identity.LightsailPush, c.Registry.Region)
	if err != nil {
		return nil, err
	}
	return &lightsailmodel.CreateContainerServiceRegistryLoginResult{
		RegistryLogin: &lightsailmodel.ContainerServiceRegistryLogin{
			Username:  new(identity.TokenUser),
			Password:  &token.Password,
			ExpiresAt: &token.ExpiresAt,
			Registry:  new(f.Addresses.LightsailHost(edge.From(ctx), c.Registry)),
		},
	}, nil
}
