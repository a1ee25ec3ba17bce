package containers_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lighterage/lighterage/internal/containers"
	"github.com/lighterage/lighterage/internal/fault"
	"github.com/lighterage/lighterage/internal/meta/metatest"
	"github.com/lighterage/lighterage/internal/meta/sqlstore"
	"github.com/lighterage/lighterage/internal/name"
)

// What happens at the same time is tried on SQLite, which has one writer, and
// on PostgreSQL, where rows are locked. The clock is right on SQLite alone.
func TestAtTheSameTime(t *testing.T) {
	server := metatest.StartPostgres(t)
	for _, c := range []struct {
		name   string
		limits containers.Limits
		test   func(*testing.T, *world)
	}{
		{"services that are created count each other", containers.Limits{Services: 5}, servicesCountEachOther},
		{"one of many gets the name", containers.Limits{}, oneOfManyGetsTheName},
		{"registrations get each number once", containers.Limits{Images: 150}, registrationsGetEachNumberOnce},
		{"registrations keep the quota", containers.Limits{Images: 7}, registrationsKeepTheQuota},
		{"acts on one service", containers.Limits{}, actsOnOneService},
	} {
		t.Run(c.name+", SQLite", func(t *testing.T) { c.test(t, open(t, c.limits)) })
		t.Run(c.name+", PostgreSQL", func(t *testing.T) {
			at := &clock{now: time.Now()}
			store, err := sqlstore.OpenPostgres(context.Background(), server.NewDatabase(t), sqlstore.Options{Clock: at.Now, Logger: quiet})
			if err != nil {
				t.Fatal(err)
			}
			c.test(t, over(t, store, at, c.limits))
		})
	}
}

func servicesCountEachOther(t *testing.T, w *world) {
	var created, refused atomic.Int64
	var all sync.WaitGroup
	for i := range 20 {
		all.Go(func() {
			_, err := w.CreateService(w.ctx, key(fmt.Sprintf("s%d", i)), "nano", 1, nil)
			switch {
			case err == nil:
				created.Add(1)
			case fault.Is(err, fault.LimitExceeded):
				refused.Add(1)
			default:
				t.Error(err)
			}
		})
	}
	all.Wait()
	if created.Load() != 5 || refused.Load() != 15 {
		t.Errorf("%d created and %d refused", created.Load(), refused.Load())
	}
}

func oneOfManyGetsTheName(t *testing.T, w *world) {
	var created atomic.Int64
	var all sync.WaitGroup
	for range 10 {
		all.Go(func() {
			_, err := w.CreateService(w.ctx, key("web"), "nano", 1, nil)
			if err == nil {
				created.Add(1)
			} else if !fault.Is(err, fault.ServiceExists) {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if created.Load() != 1 {
		t.Errorf("%d got the name", created.Load())
	}
}

func registrationsGetEachNumberOnce(t *testing.T, w *world) {
	const n = 50
	w.create("web")
	d := w.push(home, "a")
	versions := make([]int64, n)
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() {
			r, err := w.RegisterImage(w.ctx, key("web"), "app", string(d))
			if err != nil {
				t.Error(err)
			}
			versions[i] = r.Version
		})
	}
	all.Wait()
	given := map[int64]int{}
	for _, v := range versions {
		given[v]++
	}
	for v := int64(1); v <= n; v++ {
		if given[v] != 1 {
			t.Errorf("version %d was given %d times", v, given[v])
		}
	}
	if got := len(w.names("web")); got != n {
		t.Errorf("%d images are listed", got)
	}
}

func registrationsKeepTheQuota(t *testing.T, w *world) {
	const quota = 7
	w.create("web")
	d := w.push(home, "a")
	var all sync.WaitGroup
	for i := range 3 * quota {
		all.Go(func() {
			_, err := w.RegisterImage(w.ctx, key("web"), name.Label(fmt.Sprintf("l%d", i%3)), string(d))
			if err != nil && !fault.Is(err, fault.LimitExceeded) {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if got := len(w.names("web")); got != quota {
		t.Errorf("%d images are registered", got)
	}
}

// Registrations, deletions of images and of the service itself: no act fails
// for another reason than what it lost to.
func actsOnOneService(t *testing.T, w *world) {
	w.create("web")
	d := w.push(home, "a")
	allowed := func(err error) {
		f := fault.Of(err)
		if f != nil && f.Reason != fault.ServiceNotFound && f.Reason != fault.RegisteredImageNotFound && f.Reason != fault.ServiceExists {
			t.Error(err)
		}
	}
	var all sync.WaitGroup
	for i := range 40 {
		all.Go(func() {
			switch i % 4 {
			case 0, 1:
				r, err := w.RegisterImage(w.ctx, key("web"), name.Label(fmt.Sprintf("l%d", i%3)), string(d))
				allowed(err)
				if err == nil && r.Version < 1 {
					t.Errorf("version %d", r.Version)
				}
			case 2:
				allowed(w.DeleteRegisteredImage(w.ctx, key("web"), fmt.Sprintf(":web.l%d.1", i%3)))
			default:
				allowed(w.DeleteService(w.ctx, key("web")))
				_, err := w.CreateService(w.ctx, key("web"), "nano", 1, nil)
				allowed(err)
			}
		})
	}
	all.Wait()
	if _, err := w.Service(w.ctx, key("web")); err != nil {
		t.Error(err)
	}
}
