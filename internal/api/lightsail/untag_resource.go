package lightsail

import (
	"context"

	"github.com/lighterage/lighterage/internal/api/awsjson"
	"github.com/lighterage/lighterage/internal/api/awsmodel/lightsailmodel"
)

func (f *front) untagResource(ctx context.Context, c *awsjson.Call, in *lightsailmodel.UntagResourceRequest) (*lightsailmodel.UntagResourceResult, error) {
	key, err := resourceKey(c, in.ResourceName)
	if err != nil {
		return nil, err
	}
	at, err := f.Services.DeleteResourceTags(ctx, key, value(in.ResourceArn), in.TagKeys)
	if err != nil {
		return nil, err
	}
	return &lightsailmodel.UntagResourceResult{Operations: []lightsailmodel.Operation{
		operationOut(key, "UntagResource", at),
	}}, nil
}
