package lightsail

import (
	"context"

	"github.com/lighterage/lighterage/internal/api/awsjson"
	"github.com/lighterage/lighterage/internal/api/awsmodel/lightsailmodel"
	"github.com/lighterage/lighterage/internal/containers"
	"github.com/lighterage/lighterage/internal/fault"
)

// tagResource answers a list with its one operation, which is done (model:
// TagResourceResult).
func (f *front) tagResource(ctx context.Context, c *awsjson.Call, in *lightsailmodel.TagResourceRequest) (*lightsailmodel.TagResourceResult, error) {
	key, err := resourceKey(c, in.ResourceName)
	if err != nil {
		return nil, err
	}
	at, err := f.Services.PutResourceTags(ctx, key, value(in.ResourceArn), tagsIn(in.Tags))
	if err != nil {
		return nil, err
	}
	return &lightsailmodel.TagResourceResult{Operations: []lightsailmodel.Operation{
		operationOut(key, "TagResource", at),
	}}, nil
}

// resourceKey names what carries tags. Of Lightsail's resources there are only
// container services here, so another's name is of none.
func resourceKey(c *awsjson.Call, resource *string) (containers.Key, error) {
	key, err := keyOf(c, resource)
	if err != nil {
		return key, &fault.Error{Reason: fault.ServiceNotFound, Account: string(c.Registry.Account), Service: *resource}
	}
	return key, nil
}
