package ecr

import (
	"context"

	"github.com/lighterage/lighterage/internal/api/awsjson"
	"github.com/lighterage/lighterage/internal/api/awsmodel/ecrmodel"
)

// describeRegistry tells the registry's id; nothing is replicated.
func (f *front) describeRegistry(_ context.Context, c *awsjson.Call, _ *ecrmodel.DescribeRegistryRequest) (*ecrmodel.DescribeRegistryResponse, error) {
	return &ecrmodel.DescribeRegistryResponse{
		RegistryId:               new(string(c.Registry.Account)),
		ReplicationConfiguration: &ecrmodel.ReplicationConfiguration{Rules: []ecrmodel.ReplicationRule{}},
	}, nil
}
