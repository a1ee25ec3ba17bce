package ecr

import (
	"context"

	"github.com/lighterage/lighterage/internal/api/awsjson"
	"github.com/lighterage/lighterage/internal/api/awsmodel/ecrmodel"
)

func (f *front) getRegistryPolicy(ctx context.Context, c *awsjson.Call, _ *ecrmodel.GetRegistryPolicyRequest) (*ecrmodel.GetRegistryPolicyResponse, error) {
	document, err := f.Catalogue.RegistryPolicy(ctx, c.Registry)
	if err != nil {
		return nil, err
	}
	return &ecrmodel.GetRegistryPolicyResponse{RegistryId: new(string(c.Registry.Account)), PolicyText: &document}, nil
}
