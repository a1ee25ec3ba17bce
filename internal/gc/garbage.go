package gc

import (
	"context"
	"errors"
	"fmt"

	"github.com/lighterage/lighterage/internal/meta"
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
	for range rounds {
		steps, err := c.planGarbage(ctx)
		if err != nil || len(steps) == 0 {
			return errors.Join(failed, err)
		}
		var done []int64
		var kept []meta.Garbage
		for _, s := range steps {
			done = append(done, s.garbage.ID)
			if err := c.Blobs.Remove(ctx, s.garbage.Location); err != nil {
				failed = errors.Join(failed, fmt.Errorf("%s: %w", s, err))
				kept = append(kept, s.garbage)
			}
		}
		err = c.Meta.Update(ctx, func(tx meta.Tx) error {
			now, err := tx.Now()
			if err != nil {
				return err
			}
			for _, g := range kept {
				if err := tx.AddGarbage(g.Location, now.Add(retryAfter)); err != nil {
					return err
				}
			}
			return tx.ForgetGarbage(done)
		})
		if err != nil {
			return errors.Join(failed, err)
		}
		t.Locations += len(done) - len(kept)
		if len(steps) < atOnce {
			return failed
		}
	}
	return failed
}
