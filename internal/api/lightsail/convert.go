package lightsail

import (
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/lighterage/lighterage/internal/api/awsjson"
	"github.com/lighterage/lighterage/internal/api/awsmodel/lightsailmodel"
	"github.com/lighterage/lighterage/internal/containers"
	"github.com/lighterage/lighterage/internal/fault"
	"github.com/lighterage/lighterage/internal/name"
)

// keyOf names a service of the registry that the call means.
func keyOf(c *awsjson.Call, service *string) (containers.Key, error) {
	n, err := name.ParseServiceName(*service)
	return containers.Key{Registry: c.Registry, Name: n}, err
}

// value returns what a member points to, or the zero value of an absent one.
func value[T any](p *T) T {
	if p == nil {
		var zero T
		return zero
	}
	return *p
}

func tagsIn(tags []lightsailmodel.Tag) []containers.ResourceTag {
	var in []containers.ResourceTag
	for _, t := range tags {
		in = append(in, containers.ResourceTag{Key: value(t.Key), Value: value(t.Value)})
	}
	return in
}

// tagsOut is never nil: Lightsail sends an empty list. A tag without a value
// is a key alone.
func tagsOut(tags []containers.ResourceTag) []lightsailmodel.Tag {
	out := []lightsailmodel.Tag{}
	for _, t := range tags {
		tag := lightsailmodel.Tag{Key: &t.Key}
		if t.Value != "" {
			tag.Value = &t.Value
		}
		out = append(out, tag)
	}
	return out
}

// states is how the wire names a service's state, with the detail of those
// that have one.
var states = map[containers.State]struct {
	state  lightsailmodel.ContainerServiceState
	detail *lightsailmodel.ContainerServiceStateDetail
}{
	containers.Pending: {lightsailmodel.ContainerServiceStatePending, &lightsailmodel.ContainerServiceStateDetail{
		Code: new(lightsailmodel.ContainerServiceStateDetailCodeCreatingSystemResources), Message: new(""),
	}},
	containers.Updating: {lightsailmodel.ContainerServiceStateUpdating, &lightsailmodel.ContainerServiceStateDetail{
		Code: new(lightsailmodel.ContainerServiceStateDetailCodeProvisioningService), Message: new(""),
	}},
	containers.Ready:    {state: lightsailmodel.ContainerServiceStateReady},
	containers.Disabled: {state: lightsailmodel.ContainerServiceStateDisabled},
}

func location(r name.RegistryID) *lightsailmodel.ResourceLocation {
	return &lightsailmodel.ResourceLocation{AvailabilityZone: new("all"), RegionName: new(lightsailmodel.RegionName(r.Region))}
}

// serviceOut is a service as the client sees it. The members of what is not
// offered are those of a service that never used it.
func serviceOut(s containers.Service) *lightsailmodel.ContainerService {
	power, _ := containers.FindPower(s.Power)
	state := states[s.State]
	return &lightsailmodel.ContainerService{
		ContainerServiceName: new(string(s.Name)),
		Arn:                  new(s.ARN()),
		CreatedAt:            &s.CreatedAt,
		Location:             location(s.Registry),
		ResourceType:         new(lightsailmodel.ResourceTypeContainerService),
		Tags:                 tagsOut(s.Tags),
		Power:                new(lightsailmodel.ContainerServicePowerName(s.Power)),
		PowerId:              &power.ID,
		State:                &state.state,
		StateDetail:          state.detail,
		Scale:                new(int32(s.Scale)),
		IsDisabled:           &s.Disabled,
		PrincipalArn:         new(""),
		PrivateDomainName:    new(string(s.Name) + ".service.local"),
		Url:                  new(url(s)),
		PrivateRegistryAccess: &lightsailmodel.PrivateRegistryAccess{
			EcrImagePullerRole: &lightsailmodel.ContainerServiceECRImagePullerRole{IsActive: new(false), PrincipalArn: new("")},
		},
	}
}

// url is where the service's containers would answer. Its random part is of
// the service's id: it stays the same, and a service created anew has another.
func url(s containers.Service) string {
	random := strings.ReplaceAll(s.ResourceID, "-", "")
	return "https://" + string(s.Name) + "." + random[:min(13, len(random))] + "." + string(s.Registry.Region) + ".cs.amazonlightsail.com/"
}

func imageOut(service name.ServiceName, i containers.RegisteredImage) lightsailmodel.ContainerImage {
	image := containers.ImageName{Service: service, Label: i.Label, Version: i.Version}
	return lightsailmodel.ContainerImage{Image: new(image.String()), Digest: &i.Digest, CreatedAt: &i.CreatedAt}
}

// operationOut is the record of an operation that was done before it was
// answered. Its type may be one that the model's enum does not list: those of
// tags are not in it.
func operationOut(key containers.Key, operation lightsailmodel.OperationType, at time.Time) lightsailmodel.Operation {
	return lightsailmodel.Operation{
		Id:               new(uuid.NewString()),
		ResourceName:     new(string(key.Name)),
		ResourceType:     new(lightsailmodel.ResourceTypeContainerService),
		CreatedAt:        &at,
		Location:         location(key.Registry),
		IsTerminal:       new(true),
		OperationDetails: new(""),
		OperationType:    &operation,
		Status:           new(lightsailmodel.OperationStatusSucceeded),
		StatusChangedAt:  &at,
	}
}

// refuseDomains refuses custom domains; an entry without any detaches nothing.
func refuseDomains(certificates map[string][]string) error {
	for _, domains := range certificates {
		if len(domains) > 0 {
			return &fault.Error{Reason: fault.FeatureNotOffered, Member: "publicDomainNames", Detail: "this server has no certificates and no public endpoints"}
		}
	}
	return nil
}

// refusePuller refuses the role that pulls private images for deployments.
func refusePuller(a *lightsailmodel.PrivateRegistryAccessRequest) error {
	if a == nil || a.EcrImagePullerRole == nil || !value(a.EcrImagePullerRole.IsActive) {
		return nil
	}
	return &fault.Error{Reason: fault.FeatureNotOffered, Member: "privateRegistryAccess", Detail: "this server runs no containers that would pull from a private registry"}
}
