package metatest

import (
	"fmt"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lighterage/lighterage/internal/meta"
)

func testLease(f *fixture) {
	take := func(name, holder string, lasts time.Duration) (l meta.Lease) {
		f.Helper()
		f.update(func(t meta.Tx) (err error) {
			l, err = t.TakeLease(name, holder, lasts)
			return err
		})
		return l
	}
	refused := func(f *fixture, name, holder string) {
		f.Helper()
		f.fails(meta.ErrConflict, func(t meta.Tx) error {
			_, err := t.TakeLease(name, holder, time.Hour)
			return err
		})
	}
	end := func(name, holder string) {
		f.Helper()
		f.update(func(t meta.Tx) error { return t.EndLease(name, holder) })
	}
	list := func(prefix string) (found []meta.Lease) {
		f.Helper()
		f.view(func(t meta.Tx) (err error) {
			found, err = t.Leases(prefix)
			return err
		})
		return found
	}
	f.on("a lease has one holder, who prolongs it", func(f *fixture) {
		first := take("duty/a", "one", time.Hour)
		refused(f, "duty/a", "two")
		again := take("duty/a", "one", 2*time.Hour)
		if again.Fence != first.Fence || again.ExpiresAt.Sub(first.ExpiresAt) < time.Hour/2 {
			f.Errorf("prolonged from %+v to %+v", first, again)
		}
		if diff := cmp.Diff([]meta.Lease{again}, list("duty/a")); diff != "" {
			f.Error(diff)
		}
		take("duty/b", "two", time.Hour)
	})
	f.on("what has expired is anybody's, with a higher fence", func(f *fixture) {
		first := take("duty/short", "one", 0)
		f.update(func(t meta.Tx) error {
			l, err := t.TakeLease("duty/short", "two", time.Hour)
			if err == nil && (l.Fence <= first.Fence || l.Holder != "two") {
				err = fmt.Errorf("after %+v: %+v", first, l)
			}
			return err
		})
		refused(f, "duty/short", "one")
	})
	f.on("who ends a lease ends his own", func(f *fixture) {
		first := take("duty/ended", "one", time.Hour)
		end("duty/ended", "two")
		refused(f, "duty/ended", "two")
		end("duty/ended", "one")
		if l := take("duty/ended", "two", time.Hour); l.Fence < first.Fence {
			f.Errorf("fence %d after %d", l.Fence, first.Fence)
		}
		end("duty/never", "one")
	})
	f.on("leases are listed by prefix", func(f *fixture) {
		take("server/1", "1", time.Hour)
		take("server/2", "2", 0)
		var names []string
		for _, l := range list("server/") {
			names = append(names, l.Name)
		}
		if diff := cmp.Diff([]string{"server/1", "server/2"}, names); diff != "" {
			f.Error(diff)
		}
		if found := list("none/"); len(found) != 0 {
			f.Errorf("found %v", found)
		}
	})
	f.on("of many who take it at once one has it", func(f *fixture) {
		errs := f.together(20, func(i int, t meta.Tx) error {
			_, err := t.TakeLease("duty/contended", fmt.Sprint(i), time.Hour)
			return err
		})
		if diff := cmp.Diff(map[string]int{"done": 1, "conflict": 19}, outcomes(errs, meta.ErrConflict, "conflict")); diff != "" {
			f.Error(diff)
		}
	})
}
