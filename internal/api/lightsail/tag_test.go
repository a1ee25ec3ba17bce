package lightsail_test

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/lightsail"
	"github.com/aws/aws-sdk-go-v2/service/lightsail/types"
	"github.com/google/go-cmp/cmp"
)

// tags are a service's, as key=value.
func (w *world) tags(service string) []string {
	w.t.Helper()
	out, err := w.GetContainerServices(w.ctx, &sdk.GetContainerServicesInput{ServiceName: &service})
	w.must(err)
	tags := []string{}
	for _, t := range out.ContainerServices[0].Tags {
		tags = append(tags, *t.Key+"="+aws.ToString(t.Value))
	}
	return tags
}

// finished checks the record of an operation on the service web.
func (w *world) finished(os []types.Operation, operation string) {
	w.t.Helper()
	if len(os) != 1 {
		w.t.Fatalf("%d operations", len(os))
	}
	o := os[0]
	if aws.ToString(o.Id) == "" || *o.ResourceName != "web" || o.ResourceType != types.ResourceTypeContainerService || !*o.IsTerminal ||
		o.OperationType != types.OperationType(operation) || o.Status != types.OperationStatusSucceeded || *o.Location.AvailabilityZone != "all" || o.Location.RegionName != region {
		w.t.Errorf("operation %+v", o)
	}
	if !o.CreatedAt.Equal(w.clock.Now()) || !o.StatusChangedAt.Equal(w.clock.Now()) {
		w.t.Errorf("created at %v, changed at %v", o.CreatedAt, o.StatusChangedAt)
	}
}

func TestTagResourceAndUntagResource(t *testing.T) {
	w := open(t)
	arn := w.create("web").Arn
	tagged, err := w.TagResource(w.ctx, &sdk.TagResourceInput{ResourceName: aws.String("web"), Tags: []types.Tag{{Key: aws.String("a"), Value: aws.String("1")}, {Key: aws.String("b")}}})
	w.must(err)
	w.finished(tagged.Operations, "TagResource")
	tagged, err = w.TagResource(w.ctx, &sdk.TagResourceInput{ResourceName: aws.String("web"), ResourceArn: arn, Tags: []types.Tag{{Key: aws.String("a"), Value: aws.String("2")}}})
	w.must(err)
	w.finished(tagged.Operations, "TagResource")
	if diff := cmp.Diff([]string{"a=2", "b="}, w.tags("web")); diff != "" {
		t.Errorf("tags (-want +got):\n%s", diff)
	}
	untagged, err := w.UntagResource(w.ctx, &sdk.UntagResourceInput{ResourceName: aws.String("web"), ResourceArn: arn, TagKeys: []string{"a", "absent"}})
	w.must(err)
	w.finished(untagged.Operations, "UntagResource")
	if diff := cmp.Diff([]string{"b="}, w.tags("web")); diff != "" {
		t.Errorf("tags (-want +got):\n%s", diff)
	}
}

func TestTagResourceAndUntagResourceRefuse(t *testing.T) {
	w := open(t)
	w.create("web")
	other := w.create("api").Arn
	one := []types.Tag{{Key: aws.String("k")}}
	for _, c := range []struct {
		name, code, text string
		resource         string
		arn              *string
		tags             []types.Tag // nil: the tags are not at fault
	}{
		{"an unknown service", "NotFoundException", "none does not exist", "none", nil, nil},
		{"a name that no service can have", "NotFoundException", "My_Disk does not exist", "My_Disk", nil, nil},
		{"a name of one character, which the model does not allow here", "InvalidInputException", "'resourceName'", "w", nil, nil},
		{"another service's ARN", "NotFoundException", "web does not exist", "web", other, nil},
		{"no ARN", "InvalidInputException", "'resourceArn'", "web", aws.String("web"), nil},
		{"a tag of AWS's own", "InvalidInputException", "aws:k", "web", nil, []types.Tag{{Key: aws.String("aws:k")}}},
		{"a tag twice", "InvalidInputException", "'k'", "web", nil, append(one, one...)},
	} {
		t.Run(c.name, func(t *testing.T) {
			tags := c.tags
			if tags == nil {
				tags = one
				_, err := w.UntagResource(w.ctx, &sdk.UntagResourceInput{ResourceName: &c.resource, ResourceArn: c.arn, TagKeys: []string{"k"}})
				w.want(err, c.code, 400, c.text)
			}
			_, err := w.TagResource(w.ctx, &sdk.TagResourceInput{ResourceName: &c.resource, ResourceArn: c.arn, Tags: tags})
			w.want(err, c.code, 400, c.text)
			if got := w.tags("web"); len(got) != 0 {
				t.Errorf("tags %v", got)
			}
		})
	}
}
