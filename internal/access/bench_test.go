package access_test

import (
	"fmt"
	"testing"

	"github.com/lighterage/lighterage/internal/identity"
	"github.com/lighterage/lighterage/internal/meta"
)

// crowd adds users who all have the same number of managed policies, of which
// the last allows.
func (w *world) crowd(users, policies int) []identity.Caller {
	w.t.Helper()
	var refs []meta.PolicyRef
	for i := range policies {
		document := statement("Allow", "ecr:Describe*", fmt.Sprintf(`,"Resource":"arn:aws:ecr:*:*:repository/team%d/*"`, i))
		if i == policies-1 {
			document = statement("Allow", get, anyResource)
		}
		refs = append(refs, w.managed(ours, fmt.Sprintf("P%02d", i), document))
	}
	all := make([]identity.Caller, users)
	for i := range all {
		all[i] = w.user(ours, fmt.Sprintf("u%d", i))
		w.attach(all[i], refs...)
	}
	return all
}

func TestARememberedDecisionAllocatesNothing(t *testing.T) {
	for _, policies := range []int{1, 50} {
		w := newWorld(t)
		app := w.repository("team/app", "")
		c := w.crowd(1, policies)[0]
		allocs := testing.AllocsPerRun(1000, func() {
			if err := w.Authorize(ctx, c, get, app); err != nil {
				panic(err)
			}
		})
		if allocs > 0 {
			t.Errorf("%v allocations with %d policies", allocs, policies)
		}
	}
}

func BenchmarkAuthorize(b *testing.B) {
	for _, n := range []struct{ users, policies int }{{1, 1}, {1, 50}, {1000, 50}} {
		w := newWorld(b)
		app := w.repository("team/app", "")
		all := w.crowd(n.users, n.policies)
		for _, c := range all {
			if err := w.Authorize(ctx, c, get, app); err != nil {
				b.Fatal(err)
			}
		}
		b.Run(fmt.Sprintf("cached/users=%d/policies=%d", n.users, n.policies), func(b *testing.B) {
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				if err := w.Authorize(ctx, all[i%len(all)], get, app); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(fmt.Sprintf("evaluated/users=%d/policies=%d", n.users, n.policies), func(b *testing.B) {
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				if err := w.Forgetful(ctx, all[i%len(all)], get, app); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
