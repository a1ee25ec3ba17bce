package gc

import (
	"context"
	"errors"
	"fmt"

	"github.com/lighterage/lighterage/internal/meta"
)

// planGarbage lists locations whose bytes may go.
func (c *Collector) planGarbage(ctx context.Context, limit int) ([]Step, error) {
	var steps []Step
	err := c.Meta.View(ctx, func(tx meta.Tx) error {
		steps = nil
		now, err := tx.Now()
		if err != nil {
			return err
		}
		due, err := tx.DueGarbage(now, limit)
		for _, g := range due {
			steps = append(steps, Step{Verb: Remove, Object: "bytes at " + string(g.Location), Why: "nothing names them", garbage: g})
		}
		return err
	})
	return steps, err
}

// sweep removes the bytes of locations that nothing names, then their lines.
// The store removes what is not there without complaint, so a crash between
// the two costs nothing.
func (c *Collector) sweep(ctx context.Context, t *Tally) error {
	for range rounds {
		steps, err := c.planGarbage(ctx, atOnce)
		if err != nil || len(steps) == 0 {
			return err
		}
		var gone []int64
		var failed error
		for _, s := range steps {
			if err := c.Blobs.Remove(ctx, s.garbage.Location); err != nil {
				failed = errors.Join(failed, fmt.Errorf("%s: %w", s, err))
				continue
			}
			gone = append(gone, s.garbage.ID)
		}
		if len(gone) > 0 {
			err := c.Meta.Update(ctx, func(tx meta.Tx) error { return tx.ForgetGarbage(gone) })
			if err != nil {
				return errors.Join(failed, err)
			}
			t.Locations += len(gone)
		}
		// What could not be removed stands first in the next page again: a run
		// ends here, and the next one goes on.
		if failed != nil || len(steps) < atOnce {
			return failed
		}
	}
	return nil
}
