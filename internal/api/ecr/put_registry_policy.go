package ecr

import (
	"context"

	"github.com/lighterage/lighterage/internal/api/awsjson"
	"github.com/lighterage/lighterage/internal/api/awsmodel/ecrmodel"
)

func (f *front) putRegistryPolicy(ctx context.Context, c *awsjson.Call, in *ecrmodel.PutRegistryPolicyRequest) (*ecrmodel.PutRegistryPolicyResponse, error) {
	if err := f.Catalogue.PutRegistryPolicy(ctx, c.Registry, *in.PolicyText); err != nil {
		return nil, err
	}
	return &ecrmodel.PutRegistryPolicyResponse{RegistryId: new(string(c.Registry.Account)), PolicyText: in.PolicyText}, nil
}
