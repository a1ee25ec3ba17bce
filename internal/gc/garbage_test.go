package gc_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/lighterage/lighterage/internal/blob"
	"github.com/lighterage/lighterage/internal/gc"
	"github.com/lighterage/lighterage/internal/meta"
	"github.com/lighterage/lighterage/internal/name"
)

// stubborn is a blob store that removes nothing but the one location.
type stubborn struct {
	blob.Store
	removable name.Location
	removed   int
}

func (s *stubborn) Remove(_ context.Context, at name.Location) error {
	if at != s.removable {
		return errors.New("will not go")
	}
	s.removed++
	return nil
}

func TestBytesThatWillNotGoHoldUpNoOthers(t *testing.T) {
	w := open(t)
	store := &stubborn{Store: w.blobs, removable: "file:00/last"}
	collector := gc.New(gc.Config{Meta: w.store, Blobs: store, Logger: quiet, LayerGrace: grace, URLTTL: urlTTL})
	const stuck = 250 // several pages
	w.must(w.store.Update(w.ctx, func(tx meta.Tx) error {
		for range stuck {
			if err := tx.AddGarbage(w.blobs.NewLocation(), w.clock.Now()); err != nil {
				return err
			}
		}
		return tx.AddGarbage(store.removable, w.clock.Now())
	}))
	tally, err := collector.Run(w.ctx)
	if err == nil || tally.Locations != 1 || store.removed != 1 {
		t.Fatalf("removed %d locations, error %v", tally.Locations, err)
	}
	later := func() int {
		var due []meta.Garbage
		w.must(w.store.View(w.ctx, func(tx meta.Tx) (err error) {
			due, err = tx.DueGarbage(w.clock.Now(), 2*stuck)
			return err
		}))
		return len(due)
	}
	if n := later(); n != 0 {
		t.Errorf("%d lines are due at once again", n)
	}
	w.clock.Advance(2 * time.Hour)
	if n := later(); n != stuck {
		t.Errorf("%d lines are due later, want %d", n, stuck)
	}
}
