// Package gc takes away what nothing keeps any more: layers no image refers
// to, pushes to Lightsail that were never registered, what is left of deleted
// repositories, uploads that were given up, what has been in the trash for its
// time, and the bytes of all these.
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
	"sync"
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
type Collector struct {
	Config

	mu     sync.Mutex
	totals Totals
}

// Totals is what a collector did since it was made.
type Totals struct {
	Tally
	Runs, Failures int
	Running        int       // right now
	EndedAt        time.Time // of the last run, by the store's clock; zero: there was none
}

// New returns a collector.
func New(c Config) *Collector { return &Collector{Config: c} }

// Totals returns what was done so far, what runs now included.
func (c *Collector) Totals() Totals {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.totals
}

// The bounds of one transaction and of one run.
const (
	atOnce = 100  // rows of one transaction
	rounds = 1000 // transactions of one pass

	newsEvery = 100 // transactions of one pass, after which the log hears of it
)

// Tally is what a run did.
type Tally struct {
	Layers, Images, Repositories, Uploads, Locations, Usage int

	Trashed int // that left the trash
	Blobs   int // that only the trash had kept

	Bytes int64 // of the locations, as far as they are known
}

// Nothing reports whether the run found nothing to do. Usage is recorded with
// every push, and does not count.
func (t Tally) Nothing() bool { return t == Tally{Usage: t.Usage} }

// Add adds another's numbers.
func (t *Tally) Add(o Tally) {
	t.Layers += o.Layers
	t.Images += o.Images
	t.Repositories += o.Repositories
	t.Uploads += o.Uploads
	t.Locations += o.Locations
	t.Usage += o.Usage
	t.Trashed += o.Trashed
	t.Blobs += o.Blobs
	t.Bytes += o.Bytes
}

func (t Tally) minus(o Tally) Tally {
	return Tally{
		t.Layers - o.Layers, t.Images - o.Images, t.Repositories - o.Repositories, t.Uploads - o.Uploads,
		t.Locations - o.Locations, t.Usage - o.Usage,
		t.Trashed - o.Trashed, t.Blobs - o.Blobs, t.Bytes - o.Bytes,
	}
}

// LogValue is the numbers by name.
func (t Tally) LogValue() slog.Value {
	return slog.GroupValue(slog.Int("layers", t.Layers), slog.Int("images", t.Images), slog.Int("repositories", t.Repositories),
		slog.Int("uploads", t.Uploads), slog.Int("locations", t.Locations), slog.Int64("bytes", t.Bytes),
		slog.Int("trashed", t.Trashed), slog.Int("blobs", t.Blobs))
}

// Run makes each pass once, whatever became of the one before: on a full disk
// the last ones still make room. What failed is tried again by the next run.
func (c *Collector) Run(ctx context.Context) (Tally, error) {
	c.count(func(all *Totals) { all.Running++ })
	t, err := c.passes(ctx)
	var now time.Time
	_ = c.Meta.View(context.WithoutCancel(ctx), func(tx meta.Tx) (err error) { // the time is for people
		now, err = tx.Now()
		return err
	})
	c.count(func(all *Totals) {
		all.Running--
		all.Runs++
		if err != nil {
			all.Failures++
		}
		if !now.IsZero() {
			all.EndedAt = now
		}
	})
	if !t.Nothing() {
		c.Logger.Info("collected garbage", "", t)
	}
	return t, err
}

func (c *Collector) count(change func(*Totals)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	change(&c.totals)
}

// progress counts what was done since counted, which it returns anew, and tells
// the log of it now and then.
func (c *Collector) progress(t *Tally, counted Tally, round int) Tally {
	c.count(func(all *Totals) { all.Add(t.minus(counted)) })
	if round%newsEvery == newsEvery-1 {
		c.Logger.Info("collecting garbage", "", *t)
	}
	return *t
}

func (c *Collector) passes(ctx context.Context) (Tally, error) {
	var t Tally
	var failed error
	for _, pass := range []func(context.Context, *Tally) error{c.empty, c.review, c.expire, c.sweep, c.fold} {
		if err := ctx.Err(); err != nil {
			return t, errors.Join(failed, err)
		}
		failed = errors.Join(failed, pass(ctx, &t))
	}
	return t, failed
}

// fold merges recorded changes of usage into totals.
func (c *Collector) fold(ctx context.Context, t *Tally) error {
	counted := *t
	for round := range rounds {
		n := 0
		err := c.Meta.Update(ctx, func(tx meta.Tx) (err error) {
			n, err = tx.FoldUsage(atOnce)
			return err
		})
		if err != nil {
			return err
		}
		t.Usage += n
		counted = c.progress(t, counted, round)
		if n < atOnce {
			return nil
		}
	}
	return nil
}
