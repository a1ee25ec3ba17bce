package lightsail

import (
	"context"

	"github.com/lighterage/lighterage/internal/api/awsjson"
	"github.com/lighterage/lighterage/internal/api/awsmodel/lightsailmodel"
	"github.com/lighterage/lighterage/internal/containers"
)

func (f *front) getContainerServicePowers(context.Context, *awsjson.Call, *lightsailmodel.GetContainerServicePowersRequest) (*lightsailmodel.GetContainerServicePowersResult, error) {
	out := &lightsailmodel.GetContainerServicePowersResult{}
	for _, p := range containers.Powers() {
		out.Powers = append(out.Powers, lightsailmodel.ContainerServicePower{
			PowerId: &p.ID, Price: &p.Price, CpuCount: &p.CPU, RamSizeInGb: &p.RAM, Name: &p.Name, IsActive: new(true),
		})
	}
	return out, nil
}
