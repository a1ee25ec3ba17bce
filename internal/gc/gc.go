// Package gc takes away what nothing keeps any more: layers no image refers
// to, pushes to Lightsail that were never registered, what is left of deleted
// repositories, uploads that were given up, and the bytes of all these.
//
//  1. Nothing is removed but in a transaction that found, by then, that nothing
//     refers to it and that its time is over (docs/ARCHITECTURE.md, I5 and
//     I7).
//  2. Bytes go after the row that named them is gone, and their line in the
//     garbage list after the bytes: whatever the moment of a crash, running
//     again finishes.
//  3. It reads queues that others filled; it never walks the registry or the
//     blob store.
//  4. What is planned is decided again when it is applied: a step that is no
//     longer right is not done.
//  5. Each transaction and each run is bounded; what is left waits for the next.
//
// It does not decide when to run: package worker does.
package gc

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/lighterage/lighterage/internal/blob"
	"github.com/lighterage/lighterage/internal/meta"
)

// Config is what a Collector is made of. Every field must be set. The two
// times are those of registry.Config.
type Config struct {
	Meta       meta.Store
	Blobs      blob.Store
	Logger     *slog.Logger
	LayerGrace time.Duration // an unreferenced layer lives at least this long
	URLTTL     time.Duration // bytes of a removed blob stay readable this long
}

// Collector runs the passes. Its methods are safe for concurrent use, in one
// process and in several on one store.
type Collector struct{ Config }

// New returns a collector.
func New(c Config) *Collector { return &Collector{c} }

// The bounds of one transaction and of one run.
const (
	atOnce = 100  // rows of one transaction
	rounds = 1000 // transactions of one pass
)

// Tally is what a run did.
type Tally struct {
	Layers, Images, Repositories, Uploads, Locations, Usage int
}

// Run makes each pass once, whatever became of the one before: on a full disk
// the last ones still make room. What failed is tried again by the next run.
func (c *Collector) Run(ctx context.Context) (Tally, error) {
	var t Tally
	var failed error
	for _, pass := range []func(context.Context, *Tally) error{c.review, c.expire, c.sweep, c.fold} {
		if err := ctx.Err(); err != nil {
			return t, errors.Join(failed, err)
		}
		failed = errors.Join(failed, pass(ctx, &t))
	}
	if t != (Tally{Usage: t.Usage}) { // usage is recorded with every push
		c.Logger.Info("collected garbage", "layers", t.Layers, "images", t.Images, "repositories", t.Repositories,
			"uploads", t.Uploads, "locations", t.Locations)
	}
	return t, failed
}

// fold merges recorded changes of usage into totals.
func (c *Collector) fold(ctx context.Context, t *Tally) error {
	for range rounds {
		n := 0
		err := c.Meta.Update(ctx, func(tx meta.Tx) (err error) {
			n, err = tx.FoldUsage(atOnce)
			return err
		})
		if err != nil {
			return err
		}
		if t.Usage += n; n < atOnce {
			return nil
		}
	}
	return nil
}
