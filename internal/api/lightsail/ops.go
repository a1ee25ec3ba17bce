package lightsail

import (
	"context"

	"github.com/lighterage/lighterage/internal/access"
	"github.com/lighterage/lighterage/internal/api/awsjson"
	"github.com/lighterage/lighterage/internal/api/awsmodel/lightsailmodel"
	"github.com/lighterage/lighterage/internal/name"
)

// operations is the table of what is offered: the operation, its IAM action
// (Service Authorization Reference) and what the action is done to.
func (f *front) operations() []awsjson.Operation {
	return []awsjson.Operation{
		onServices("CreateContainerService", f.createContainerService, newService),
		onServices("UpdateContainerService", f.updateContainerService, on(func(in *lightsailmodel.UpdateContainerServiceRequest) *string { return in.ServiceName })),
		onServices("DeleteContainerService", f.deleteContainerService, on(func(in *lightsailmodel.DeleteContainerServiceRequest) *string { return in.ServiceName })),
		onServices("GetContainerServices", f.getContainerServices, on(func(in *lightsailmodel.GetContainerServicesRequest) *string { return in.ServiceName })),
		onAnything("GetContainerServicePowers", f.getContainerServicePowers),
		onAnything("GetContainerAPIMetadata", f.getContainerAPIMetadata),
		onAnything("CreateContainerServiceRegistryLogin", f.createContainerServiceRegistryLogin),

		onServices("RegisterContainerImage", f.registerContainerImage, on(func(in *lightsailmodel.RegisterContainerImageRequest) *string { return in.ServiceName })),
		onServices("GetContainerImages", f.getContainerImages, on(func(in *lightsailmodel.GetContainerImagesRequest) *string { return in.ServiceName })),
		onServices("DeleteContainerImage", f.deleteContainerImage, on(func(in *lightsailmodel.DeleteContainerImageRequest) *string { return in.ServiceName })),

		onServices("TagResource", f.tagResource, on(func(in *lightsailmodel.TagResourceRequest) *string { return in.ResourceName }), addedTags),
		onServices("UntagResource", f.untagResource, on(func(in *lightsailmodel.UntagResourceRequest) *string { return in.ResourceName }), removedTags),
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
// registry, and access finds the one that with adds.
func onServices[In, Out any](
	operation string, handle func(context.Context, *awsjson.Call, *In) (*Out, error), with ...func(*In, *access.Resource),
) awsjson.Operation {
	resource := func(c *awsjson.Call, in *In) (access.Resource, error) {
		r := anyService(c)
		for _, add := range with {
			add(in, &r)
		}
		return r, nil
	}
	return awsjson.Op(operation, "lightsail:"+operation, resource, handle)
}

func anyService(c *awsjson.Call) access.Resource {
	return access.Resource{Account: c.Registry.Account, ARN: name.ServiceARN(c.Registry, "*")}
}

// on adds the service that an input names. A name that none can have names
// none.
func on[In any](member func(*In) *string) func(*In, *access.Resource) {
	return func(in *In, r *access.Resource) {
		if named := member(in); named != nil {
			r.Service, _ = name.ParseServiceName(*named)
		}
	}
}

// The resource tags that policies may look at.

func newService(in *lightsailmodel.CreateContainerServiceRequest, r *access.Resource) {
	r.RequestTags = pairs(in.Tags)
}

func addedTags(in *lightsailmodel.TagResourceRequest, r *access.Resource) {
	r.RequestTags = pairs(in.Tags)
}

func removedTags(in *lightsailmodel.UntagResourceRequest, r *access.Resource) { r.TagKeys = in.TagKeys }

func pairs(tags []lightsailmodel.Tag) [][2]string {
	var out [][2]string
	for _, t := range tags {
		pair := [2]string{}
		if t.Key != nil {
			pair[0] = *t.Key
		}
		if t.Value != nil {
			pair[1] = *t.Value
		}
		out = append(out, pair)
	}
	return out
}
