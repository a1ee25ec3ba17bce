// Package worker runs background passes: each again and again, at its own
// pace, until it is stopped.
//
//  1. A pass never runs beside itself.
//  2. A pass that fails is tried again later and later, up to an hour; one
//     that panics has failed.
//  3. Stop cancels what runs and returns when all of it has ended.
//
// It knows a pass only as a function.
package worker

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"runtime/debug"
	"sync"
	"time"
)

// Pass is a duty.
type Pass struct {
	Name  string
	Every time.Duration // between the end of one run and the begin of the next
	Run   func(context.Context) error
}

// longest is what backing off ends at.
const longest = time.Hour

// Group is a set of passes at work.
type Group struct {
	cancel context.CancelFunc
	done   sync.WaitGroup
	log    *slog.Logger
}

// Start runs the passes until Stop. The first run of each comes after its
// pause.
func Start(log *slog.Logger, passes ...Pass) *Group {
	ctx, cancel := context.WithCancel(context.Background())
	g := &Group{cancel: cancel, log: log}
	for _, p := range passes {
		g.done.Go(func() { g.loop(ctx, p) })
	}
	return g
}

// Stop ends the passes and waits for them.
func (g *Group) Stop() {
	g.cancel()
	g.done.Wait()
}

func (g *Group) loop(ctx context.Context, p Pass) {
	timer := time.NewTimer(pause(p.Every, 0))
	defer timer.Stop()
	for failures := 0; ; {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		switch err := run(ctx, p); {
		case err == nil:
			failures = 0
		case ctx.Err() != nil:
			return
		default:
			failures++
			g.log.LogAttrs(ctx, slog.LevelError, "pass failed", slog.String("pass", p.Name), slog.Int("failures", failures), slog.String("error", err.Error()))
		}
		timer.Reset(pause(p.Every, failures))
	}
}

func run(ctx context.Context, p Pass) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("panic: %v\n%s", r, debug.Stack())
		}
	}()
	return p.Run(ctx)
}

// pause doubles with each failure, and varies by a tenth so that replicas do
// not march in step.
func pause(every time.Duration, failures int) time.Duration {
	d := every
	for range failures {
		if d *= 2; d >= longest {
			d = max(longest, every)
			break
		}
	}
	tenth := int64(d / 10)
	if tenth == 0 {
		return d
	}
	return d - time.Duration(tenth) + time.Duration(rand.Int64N(2*tenth))
}
