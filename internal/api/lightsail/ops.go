package lightsail

import (
	"context"

	"github.com/lighterage/lighterage/internal/access"
	"github.com/lighterage/lighterage/internal/api/awsjson"
	"github.com/lighterage/lighterage/internal/name"
)

// operations is the table of what is offered: the operation, its IAM action
// (Service Authorization Reference) and what the action is done to.
func (f *front) operations() []awsjson.Operation {
	return []awsjson.Operation{
		onServices("CreateContainerService", f.createContainerService),
		onServices("UpdateContainerService", f.updateContainerService),
		onServices("DeleteContainerService", f.deleteContainerService),
		onServices("GetContainerServices", f.getContainerServices),
		onAnything("GetContainerServicePowers", f.getContainerServicePowers),
		onAnything("GetContainerAPIMetadata", f.getContainerAPIMetadata),
		onAnything("CreateContainerServiceRegistryLogin", f.createContainerServiceRegistryLogin),

		onServices("RegisterContainerImage", f.registerContainerImage),
		onServices("GetContainerImages", f.getContainerImages),
		onServices("DeleteContainerImage", f.deleteContainerImage),

		onServices("TagResource", f.tagResource),
		onServices("UntagResource", f.untagResource),
	}
}

// notOffered are all other operations of the model: they are about running
// containers, and about other parts of Lightsail.
var notOffered = []string{
	"CreateContainerServiceDeployment", "GetContainerServiceDeployments", "GetContainerLog", "GetContainerServiceMetricData",
	"GetOperation", "GetOperations", "GetRegions",
}

// onAnything is the row of an operation that IAM knows no resource for.
func onAnything[In, Out any](operation string, handle func(context.Context, *awsjson.Call, *In) (*Out, error)) awsjson.Operation {
	return awsjson.Op(operation, "lightsail:"+operation, awsjson.Everything, handle)
}

// onServices is the row of an operation on a container service. Its ARN holds
// an id that only looking it up would tell, and whether it is there is nobody's
// business before access allowed it: the resource is any service of the
// registry.
func onServices[In, Out any](operation string, handle func(context.Context, *awsjson.Call, *In) (*Out, error)) awsjson.Operation {
	resource := func(c *awsjson.Call, _ *In) (access.Resource, error) {
		return access.Resource{Account: c.Registry.Account, ARN: name.ServiceARN(c.Registry, "*")}, nil
	}
	return awsjson.Op(operation, "lightsail:"+operation, resource, handle)
}
