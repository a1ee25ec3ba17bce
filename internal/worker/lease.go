package worker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/lighterage/lighterage/internal/meta"
)

// The times of a lease. A process that is gone is followed by another when its
// lease has expired.
const (
	leaseTime  = 30 * time.Second
	leaseRenew = leaseTime / 3
	// leaseWait bounds the giving back of a lease at the end.
	leaseWait = 5 * time.Second
)

// Leases lets one of several processes on one store do a duty. A duty stays
// with the process that has it for as long as it does it; a failure, or the end
// of the process, lets others have it.
//
// A lease saves work and is no lock: a process that stalls for longer than its
// lease may find another at the same duty, which every duty must bear.
type Leases struct {
	Store  meta.Store
	Holder string // of this life of the process; no other has it
	Logger *slog.Logger
}

// Bind returns the pass as one that runs only while this process has its lease.
// A run that finds another holder does nothing, and has not failed.
func (l *Leases) Bind(p Pass) Pass {
	name, run := "duty/"+p.Name, p.Run
	p.Run = func(ctx context.Context) error {
		err := l.take(ctx, name, leaseTime)
		if errors.Is(err, meta.ErrConflict) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("take the lease: %w", err)
		}
		err = l.while(ctx, name, run)
		if err == nil && ctx.Err() == nil {
			// Until the next run, which may be late.
			return l.take(ctx, name, p.Every+p.Every/4+leaseTime)
		}
		return errors.Join(err, l.end(ctx, name))
	}
	return p
}

// while runs what the lease is for, which is cancelled when the lease is lost.
func (l *Leases) while(ctx context.Context, name string, run func(context.Context) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var renewing sync.WaitGroup
	renewing.Go(func() { cancel(l.renew(ctx, name)) })
	defer renewing.Wait()
	defer cancel(nil)
	err := run(ctx)
	if cause := context.Cause(ctx); cause != nil && !errors.Is(cause, context.Canceled) {
		return fmt.Errorf("the lease was lost: %w", errors.Join(cause, err))
	}
	return err
}

// renew prolongs the lease until ctx ends or the lease is another's, or could
// not be prolonged in its time.
func (l *Leases) renew(ctx context.Context, name string) error {
	tick := time.NewTicker(leaseRenew)
	defer tick.Stop()
	for failures := 0; ; {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		err := l.take(ctx, name, leaseTime)
		switch {
		case err == nil:
			failures = 0
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, meta.ErrConflict):
			return err
		default:
			if failures++; failures*int(leaseRenew) >= int(leaseTime) {
				return err
			}
			l.Logger.LogAttrs(ctx, slog.LevelWarn, "a lease could not be prolonged", slog.String("lease", name), slog.String("error", err.Error()))
		}
	}
}

func (l *Leases) take(ctx context.Context, name string, lasts time.Duration) error {
	return l.Store.Update(ctx, func(tx meta.Tx) error {
		_, err := tx.TakeLease(name, l.Holder, lasts)
		return err
	})
}

// end is also for a ctx that has ended.
func (l *Leases) end(ctx context.Context, name string) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), leaseWait)
	defer cancel()
	return l.Store.Update(ctx, func(tx meta.Tx) error { return tx.EndLease(name, l.Holder) })
}

// EndAll lets go of the duties that this process has. No pass may run any more.
func (l *Leases) EndAll(ctx context.Context) error {
	return l.Store.Update(ctx, func(tx meta.Tx) error {
		found, err := tx.Leases("duty/")
		if err != nil {
			return err
		}
		for _, d := range found {
			if err := tx.EndLease(d.Name, l.Holder); err != nil {
				return err
			}
		}
		return nil
	})
}
