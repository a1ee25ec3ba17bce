package gc

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/lighterage/lighterage/internal/blob"
	"github.com/lighterage/lighterage/internal/meta"
	"github.com/lighterage/lighterage/internal/name"
)

// planGarbage lists locations whose bytes may go.
func (c *Collector) planGarbage(ctx context.Context) ([]Step, error) {
	var steps []Step
	err := c.Meta.View(ctx, func(tx meta.Tx) error {
		steps = nil
		now, err := tx.Now()
		if err != nil {
			return err
		}
		if held, err := heldUntil(tx); err != nil || held.After(now) {
			return err
		}
		due, err := tx.DueGarbage(now, atOnce)
		for _, g := range due {
			steps = append(steps, Step{Verb: Remove, Object: "bytes at " + string(g.Location), Why: "nothing names them", garbage: g})
		}
		return err
	})
	return steps, err
}

// sweep removes the bytes of locations that nothing names, then their lines.
// The store removes what is not there without complaint, so a crash between
// the two costs nothing. A location that cannot be removed gets a later line,
// so that it holds up no other.
func (c *Collector) sweep(ctx context.Context, t *Tally) error {
	var failed error
	counted := *t
	for round := range rounds {
		steps, err := c.planGarbage(ctx)
		if err != nil || len(steps) == 0 {
			return errors.Join(failed, err)
		}
		var done []int64
		gained := int64(0)
		kept, err := c.remove(ctx, steps)
		failed = errors.Join(failed, err)
		for _, s := range steps {
			done = append(done, s.garbage.ID)
			gained += s.garbage.Size
		}
		for _, g := range kept {
			gained -= g.Size
		}
		err = c.Meta.Update(ctx, func(tx meta.Tx) error {
			now, err := tx.Now()
			if err != nil {
				return err
			}
			for _, g := range kept {
				if err := tx.AddGarbage(g.Location, g.Size, now.Add(retryAfter)); err != nil {
					return err
				}
			}
			return tx.ForgetGarbage(done)
		})
		if err != nil {
			return errors.Join(failed, err)
		}
		t.Locations += len(done) - len(kept)
		t.Bytes += gained
		counted = c.progress(t, counted, round)
		if len(steps) < atOnce {
			return failed
		}
	}
	return failed
}

// remove removes the bytes of steps, all at once where the store can, and
// returns the garbage that stays.
func (c *Collector) remove(ctx context.Context, steps []Step) (kept []meta.Garbage, failed error) {
	store, ok := c.Blobs.(blob.Remover)
	if !ok {
		for _, s := range steps {
			if err := c.Blobs.Remove(ctx, s.garbage.Location); err != nil {
				failed = errors.Join(failed, fmt.Errorf("%s: %w", s, err))
				kept = append(kept, s.garbage)
			}
		}
		return kept, failed
	}
	all := make([]name.Location, len(steps))
	for i, s := range steps {
		all[i] = s.garbage.Location
	}
	stay, failed := store.RemoveAll(ctx, all)
	for _, s := range steps {
		if slices.Contains(stay, s.garbage.Location) {
			kept = append(kept, s.garbage)
		}
	}
	return kept, failed
}
