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

// TestVeryManyResourceTags: what there cannot be is refused before a transaction
// begins, for which all writers would wait, and what is not there is not removed.
func TestVeryManyResourceTags(t *testing.T) {
	w := open(t, containers.Limits{Services: 5, Nodes: 20, ResourceTags: 3})
	w.create("web")
	var tags []containers.ResourceTag
	keys := []string{"a", "b"}
	for i := range 100_000 {
		tags = append(tags, containers.ResourceTag{Key: fmt.Sprint(i)})
		keys = append(keys, fmt.Sprint(i))
	}
	before := w.faults.Updates()
	w.refused(fault.TooManyTags)(w.PutResourceTags(w.ctx, key("web"), "", tags))
	_, err := w.CreateService(w.ctx, key("other"), "nano", 1, tags)
	w.want(err, fault.TooManyTags)
	if n := w.faults.Updates() - before; n > 0 {
		t.Errorf("%d transactions", n)
	}
	w.done(w.PutResourceTags(w.ctx, key("web"), "", []containers.ResourceTag{{Key: "a"}, {Key: "b"}, {Key: "c"}}))
	w.done(w.DeleteResourceTags(w.ctx, key("web"), "", keys))
	s, err := w.Service(w.ctx, key("web"))
	w.must(err)
	if diff := cmp.Diff([]containers.ResourceTag{{Key: "c"}}, s.Tags); diff != "" {
		t.Errorf("tags (-want +got):\n%s", diff)
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
