package ecr

import (
	"context"

	"github.com/lighterage/lighterage/internal/api/awsjson"
	"github.com/lighterage/lighterage/internal/api/awsmodel/ecrmodel"
)

func (f *front) deleteRegistryPolicy(ctx context.Context, c *awsjson.Call, _ *ecrmodel.DeleteRegistryPolicyRequest) (*ecrmodel.DeleteRegistryPolicyResponse, error) {
	document, err := f.Catalogue.DeleteRegistryPolicy(ctx, c.Registry)
	if err != nil {
		return nil, err
	}
	return &ecrmodel.DeleteRegistryPolicyResponse{RegistryId: new(string(c.Registry.Account)), PolicyText: &document}, nil
}
