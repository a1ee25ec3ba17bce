package containers_test

import (
	"fmt"
	"testing"
	"time"

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
	w.done(w.PutResourceTags(w.ctx, key("web"), "", []containers.ResourceTag{{Key: "b", Value: "1"}, {Key: "a"}}))
	has(containers.ResourceTag{Key: "a"}, containers.ResourceTag{Key: "b", Value: "1"})
	w.done(w.PutResourceTags(w.ctx, key("web"), arn, []containers.ResourceTag{{Key: "b", Value: "2"}, {Key: "c"}}))
	has(containers.ResourceTag{Key: "a"}, containers.ResourceTag{Key: "b", Value: "2"}, containers.ResourceTag{Key: "c"})
	w.refused(fault.TooManyTags)(w.PutResourceTags(w.ctx, key("web"), "", []containers.ResourceTag{{Key: "a", Value: "x"}, {Key: "d"}}))
	w.refused(fault.ResourceTagInvalid)(w.PutResourceTags(w.ctx, key("web"), "", []containers.ResourceTag{{Key: "aws:a"}}))
	has(containers.ResourceTag{Key: "a"}, containers.ResourceTag{Key: "b", Value: "2"}, containers.ResourceTag{Key: "c"})
	w.done(w.DeleteResourceTags(w.ctx, key("web"), arn, []string{"b", "absent"}))
	w.done(w.DeleteResourceTags(w.ctx, key("web"), "", []string{"c"}))
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
			w.refused(fault.ServiceNotFound)(w.PutResourceTags(w.ctx, key(c.service), c.arn, tags))
			w.refused(fault.ServiceNotFound)(w.DeleteResourceTags(w.ctx, key(c.service), c.arn, []string{"k"}))
		})
	}
	s, err := w.Service(w.ctx, key("web"))
	w.must(err)
	if len(s.Tags) != 0 {
		t.Errorf("tags %v", s.Tags)
	}
}

// done checks that a change of tags happened, and when.
func (w *world) done(at time.Time, err error) {
	w.t.Helper()
	w.must(err)
	if !at.Equal(w.clock.Now()) {
		w.t.Errorf("done at %v, want %v", at, w.clock.Now())
	}
}

func (w *world) refused(r fault.Reason) func(time.Time, error) {
	return func(_ time.Time, err error) {
		w.t.Helper()
		w.want(err, r)
	}
}
