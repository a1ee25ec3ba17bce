package registry_test

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lighterage/lighterage/internal/digest"
	"github.com/lighterage/lighterage/internal/meta"
	"github.com/lighterage/lighterage/internal/name"
	"github.com/lighterage/lighterage/internal/registry"
)

// looks counts what is asked of the store.
type looks struct {
	meta.Store
	n atomic.Int64
}

func (l *looks) View(ctx context.Context, fn func(meta.Tx) error) error {
	l.n.Add(1)
	return l.Store.View(ctx, fn)
}

func (l *looks) Look(ctx context.Context, fn func(meta.Tx) error) error {
	l.n.Add(1)
	return l.Store.Look(ctx, fn)
}

// What is asked again is not read again, until something is written, whatever
// it is.
func TestAnswersAreRememberedUntilSomethingIsWritten(t *testing.T) {
	t.Parallel()
	w := open(t)
	k := w.create("app")
	body := w.image(k, "x")
	i := w.put(k, body, "v1")
	d := w.push(k, random(100, 1))
	counted := &looks{Store: w.Meta}
	config := w.Config
	config.Meta = counted
	c := registry.New(config)
	absent := digest.Of(digest.SHA256, []byte("absent"))
	questions := map[string]func() error{
		"image by tag":    func() error { _, err := c.Image(w.ctx, k, registry.Reference{Tag: "v1"}); return err },
		"image by digest": func() error { _, err := c.Image(w.ctx, k, registry.Reference{Digest: i.Digest}); return err },
		"no such tag":     func() error { _, _ = c.Image(w.ctx, k, registry.Reference{Tag: "none"}); return nil },
		"layer":           func() error { _, err := c.Layer(w.ctx, k, d); return err },
		"no such layer":   func() error { _, _ = c.Layer(w.ctx, k, absent); return nil },
		"bytes": func() error {
			content, err := c.OpenLayer(w.ctx, k, d)
			if err != nil {
				return err
			}
			return content.Close()
		},
		"tags": func() error { _, err := c.Tags(w.ctx, k, "", 10); return err },
	}
	for what, ask := range questions {
		w.must(ask())
		before := counted.n.Load()
		w.must(ask())
		if n := counted.n.Load() - before; n != 0 {
			t.Errorf("%s: asked again, it took %d looks into the store", what, n)
		}
		w.must(w.Meta.Update(w.ctx, func(meta.Tx) error { return nil }))
		before = counted.n.Load()
		w.must(ask())
		if n := counted.n.Load() - before; n == 0 {
			t.Errorf("%s: after a write, it took no look into the store", what)
		}
	}
}

// Nobody who asks after a change was answered, or after somebody else saw it,
// is told what was before.
func TestNothingOlderIsAnsweredThanWhatSomebodyHasSeen(t *testing.T) {
	t.Parallel()
	w := open(t)
	k := w.create("app")
	const versions, readers = 150, 4
	order := make([]registry.Image, versions)
	for n := range order {
		order[n] = w.put(k, w.image(k, string(rune('a'+n))))
	}
	at := func(i registry.Image) int64 {
		return int64(slices.IndexFunc(order, func(o registry.Image) bool { return o.Digest == i.Digest }))
	}
	move := func(n int) {
		body, err := w.Manifest(w.ctx, k, order[n])
		w.must(err)
		_ = w.put(k, body, "latest")
	}
	move(0)
	var seen atomic.Int64
	var ended atomic.Bool
	var all sync.WaitGroup
	for range readers {
		all.Go(func() {
			for !ended.Load() {
				least := seen.Load()
				i, err := w.Image(w.ctx, k, registry.Reference{Tag: "latest"})
				if err != nil {
					t.Error(err)
					return
				}
				n := at(i)
				if n < least {
					t.Errorf("version %d was answered after %d had been", n, least)
					return
				}
				for old := seen.Load(); n > old && !seen.CompareAndSwap(old, n); old = seen.Load() {
				}
			}
		})
	}
	for n := 1; n < versions; n++ {
		move(n)
		for old := seen.Load(); int64(n) > old && !seen.CompareAndSwap(old, int64(n)); old = seen.Load() {
		}
	}
	ended.Store(true)
	all.Wait()
	if seen.Load() != versions-1 {
		t.Errorf("the last version seen is %d", seen.Load())
	}
}

// What is promised for a time is promised anew when it is over.
func TestARememberedPromiseEnds(t *testing.T) {
	t.Parallel()
	w := open(t)
	k := w.create("app")
	d := w.push(k, random(100, 1))
	first, err := w.Layer(w.ctx, k, d)
	w.must(err)
	w.clock.Advance(w.LayerGrace/2 + time.Second)
	_, err = w.Layer(w.ctx, k, d)
	w.must(err)
	again, err := w.Layer(w.ctx, k, d)
	w.must(err)
	if !again.TouchedAt.After(first.TouchedAt) {
		t.Errorf("touched at %v, as it was before", again.TouchedAt)
	}
}

// Memory has a bound, and answers stay right when it is reached.
func TestWhatIsRememberedHasABound(t *testing.T) {
	t.Parallel()
	w := open(t)
	k := w.create("app")
	w.put(k, w.image(k, "x"), "v1")
	for n := range 60_000 {
		_, err := w.Image(w.ctx, k, registry.Reference{Tag: name.Tag("none" + string(rune('a'+n%26)) + time.Duration(n).String())})
		if err == nil {
			t.Fatal("there is no such tag")
		}
	}
	if n := w.Remembered(); n > registry.RecallMax {
		t.Errorf("%d bytes are remembered", n)
	}
	_, err := w.Image(w.ctx, k, registry.Reference{Tag: "v1"})
	w.must(err)
}
