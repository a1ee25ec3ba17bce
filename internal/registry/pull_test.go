package registry_test

import (
	"testing"
	"time"

	"github.com/lighterage/lighterage/internal/fault"
	"github.com/lighterage/lighterage/internal/meta/metatest"
	"github.com/lighterage/lighterage/internal/registry"
)

func TestPullTimesThatCouldNotBeWrittenAreWrittenLater(t *testing.T) {
	t.Parallel()
	b := openBreakable(t)
	k := b.create("app")
	i := b.put(k, b.image(k, "a"), "v1")
	pulled := func() time.Time {
		got, err := b.Image(b.ctx, k, registry.Reference{Tag: "v1"})
		b.must(err)
		return got.PulledAt
	}
	for _, mode := range []metatest.Mode{metatest.NotApplied, metatest.Applied} {
		b.clock.Advance(time.Hour)
		want := b.clock.Now()
		b.RecordPull(i.ID)
		b.faults.FailUpdate(1, mode)
		b.want(b.FlushPulls(b.ctx), fault.StoreUnavailable)
		b.must(b.FlushPulls(b.ctx))
		if got := pulled(); !got.Equal(want) {
			t.Errorf("mode %d: pulled at %v, want %v", mode, got, want)
		}
	}
	// What was noted after the failure is not set back.
	b.clock.Advance(time.Hour)
	b.RecordPull(i.ID)
	b.faults.FailUpdate(1, metatest.NotApplied)
	b.want(b.FlushPulls(b.ctx), fault.StoreUnavailable)
	b.clock.Advance(time.Hour)
	b.RecordPull(i.ID)
	b.must(b.FlushPulls(b.ctx))
	if got := pulled(); !got.Equal(b.clock.Now()) {
		t.Errorf("pulled at %v, want %v", got, b.clock.Now())
	}
	before := b.faults.Updates()
	b.must(b.FlushPulls(b.ctx))
	if b.faults.Updates() != before {
		t.Error("nothing was noted and something was written")
	}
}
