package containers_test

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lighterage/lighterage/internal/containers"
	"github.com/lighterage/lighterage/internal/fault"
)

func TestResourceTagsComeAndGo(t *testing.T) {
	w := open(t, containers.Limits{ResourceTags: 3})
	arn := w.create("web").ARN()
	has := func(want ...containers.ResourceTag) {
		t.Helper()
		s, err := w.Service(w.ctx, key("web"))
		w.must(err)
		if diff := cmp.Diff(want, s.Tags); diff != "" {
			t.Errorf("tags (-want +got):\n%s", diff)
		}
	}
	w.must(w.PutResourceTags(w.ctx, key("web"), "", []containers.ResourceTag{{Key: "b", Value: "1"}, {Key: "a"}}))
	has(containers.ResourceTag{Key: "a"}, containers.ResourceTag{Key: "b", Value: "1"})
	w.must(w.PutResourceTags(w.ctx, key("web"), arn, []containers.ResourceTag{{Key: "b", Value: "2"}, {Key: "c"}}))
	has(containers.ResourceTag{Key: "a"}, containers.ResourceTag{Key: "b", Value: "2"}, containers.ResourceTag{Key: "c"})
	w.want(w.PutResourceTags(w.ctx, key("web"), "", []containers.ResourceTag{{Key: "a", Value: "x"}, {Key: "d"}}), fault.TooManyTags)
	w.want(w.PutResourceTags(w.ctx, key("web"), "", []containers.ResourceTag{{Key: "aws:a"}}), fault.ResourceTagInvalid)
	has(containers.ResourceTag{Key: "a"}, containers.ResourceTag{Key: "b", Value: "2"}, containers.ResourceTag{Key: "c"})
	w.must(w.DeleteResourceTags(w.ctx, key("web"), arn, []string{"b", "absent"}))
	w.must(w.DeleteResourceTags(w.ctx, key("web"), "", []string{"c"}))
	has(containers.ResourceTag{Key: "a"})
}

func TestResourceTagsOfAServiceThatIsNotMeant(t *testing.T) {
	w := open(t, containers.Limits{})
	old := w.create("web").ARN()
	w.must(w.DeleteService(w.ctx, key("web")))
	w.create("web")
	tags := []containers.ResourceTag{{Key: "k"}}
	for i, c := range []struct{ service, arn string }{{"none", ""}, {"web", old}, {"web", "arn:aws:lightsail:us-east-1:000000000000:ContainerService/x"}} {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			w.want(w.PutResourceTags(w.ctx, key(c.service), c.arn, tags), fault.ServiceNotFound)
			w.want(w.DeleteResourceTags(w.ctx, key(c.service), c.arn, []string{"k"}), fault.ServiceNotFound)
		})
	}
	s, err := w.Service(w.ctx, key("web"))
	w.must(err)
	if len(s.Tags) != 0 {
		t.Errorf("tags %v", s.Tags)
	}
}
