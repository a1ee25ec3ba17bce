package containers_test

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lighterage/lighterage/internal/containers"
	"github.com/lighterage/lighterage/internal/fault"
	"github.com/lighterage/lighterage/internal/meta/metatest"
)

// Each act, with the commit it makes failing: not applied, it changed nothing;
// applied, it changed everything, though its caller cannot know. Asked again,
// it never gives a number twice.
func TestAnActHappensWholeOrNotAtAll(t *testing.T) {
	w := open(t, containers.Limits{})
	d := w.push(home, "a")
	disabled := true
	for i, c := range []struct {
		name      string
		act       func(service string) error
		undone    string // what is seen of the service if the act did not happen
		performed string // and if it did
	}{
		{"create", func(s string) error {
			_, err := w.CreateService(w.ctx, key(s+"-new"), "nano", 1, []containers.ResourceTag{{Key: "k"}})
			return err
		}, "services 1, images [1], tags 0, disabled false", "services 2, images [1], tags 0, disabled false"},
		{"update", func(s string) error {
			_, err := w.UpdateService(w.ctx, key(s), containers.Change{Disabled: &disabled})
			return err
		}, "services 1, images [1], tags 0, disabled false", "services 1, images [1], tags 0, disabled true"},
		{"tag", func(s string) error {
			_, err := w.PutResourceTags(w.ctx, key(s), "", []containers.ResourceTag{{Key: "k"}})
			return err
		}, "services 1, images [1], tags 0, disabled false", "services 1, images [1], tags 1, disabled false"},
		{"register", func(s string) error {
			_, err := w.RegisterImage(w.ctx, key(s), "app", string(d))
			return err
		}, "services 1, images [1], tags 0, disabled false", "services 1, images [2 1], tags 0, disabled false"},
		{"delete an image", func(s string) error { return w.DeleteRegisteredImage(w.ctx, key(s), ":"+s+".app.1") },
			"services 1, images [1], tags 0, disabled false", "services 1, images [], tags 0, disabled false"},
		{"delete the service", func(s string) error { return w.DeleteService(w.ctx, key(s)) },
			"services 1, images [1], tags 0, disabled false", "services 0"},
	} {
		for mode, want := range map[metatest.Mode]string{metatest.NotApplied: c.undone, metatest.Applied: c.performed} {
			t.Run(fmt.Sprintf("%s, mode %d", c.name, mode), func(t *testing.T) {
				service := fmt.Sprintf("s%d-%d", i, mode)
				w.create(service)
				w.register(service, "app", d)
				w.faults.FailUpdate(1, mode)
				w.want(c.act(service), fault.StoreUnavailable)
				if diff := cmp.Diff(want, w.seen(service)); diff != "" {
					t.Errorf("seen (-want +got):\n%s", diff)
				}
				if mode == metatest.NotApplied { // again, as its caller will
					w.must(c.act(service))
					if diff := cmp.Diff(c.performed, w.seen(service)); diff != "" {
						t.Errorf("seen after the second try (-want +got):\n%s", diff)
					}
				}
			})
		}
	}
}

// seen is what there is of a service and those named after it.
func (w *world) seen(service string) string {
	w.t.Helper()
	n := 0
	for _, k := range []string{service, service + "-new"} {
		_, err := w.Service(w.ctx, key(k))
		if err == nil {
			n++
		} else {
			w.want(err, fault.ServiceNotFound)
		}
	}
	s, err := w.Service(w.ctx, key(service))
	if err != nil {
		return fmt.Sprintf("services %d", n)
	}
	images, err := w.RegisteredImages(w.ctx, key(service))
	w.must(err)
	versions := []int64{}
	for _, i := range images {
		versions = append(versions, i.Version)
	}
	return fmt.Sprintf("services %d, images %v, tags %d, disabled %v", n, versions, len(s.Tags), s.Disabled)
}
