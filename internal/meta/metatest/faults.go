package metatest

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/lighterage/lighterage/internal/meta"
)

// Mode says what a failed Update did.
type Mode uint8

// The modes: the two ways in which a commit can fail.
const (
	NotApplied Mode = iota // the closure ran, nothing was stored; meta.ErrUnavailable
	Applied                // everything was stored; meta.ErrInDoubt
)

// ErrInjected is in the chain of every error that Faults made.
var ErrInjected = errors.New("metatest: injected fault")

// Faults is a store that fails on demand. Its methods are safe for concurrent
// use.
type Faults struct {
	meta.Store

	mu      sync.Mutex
	updates int
	at      map[int]Mode
	down    error
}

// NewFaults wraps a store; nothing fails yet.
func NewFaults(s meta.Store) *Faults { return &Faults{Store: s, at: map[int]Mode{}} }

// FailUpdate makes the n-th Update from now on fail, 1 being the next. Several
// can be set.
func (f *Faults) FailUpdate(n int, mode Mode) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.at[f.updates+n] = mode
}

// SetDown makes every View, Update, RecentAccessVersion and Ping fail with the error, untried,
// until it is nil.
func (f *Faults) SetDown(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.down = err
}

// Updates is the number of Updates begun so far. A test fails each commit of
// an act in turn by counting once what the act needs.
func (f *Faults) Updates() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.updates
}

// Heal forgets all faults that have not come yet.
func (f *Faults) Heal() {
	f.mu.Lock()
	defer f.mu.Unlock()
	clear(f.at)
	f.down = nil
}

// View runs fn unless the store is down.
func (f *Faults) View(ctx context.Context, fn func(meta.Tx) error) error {
	if err := f.isDown(); err != nil {
		return err
	}
	return f.Store.View(ctx, fn)
}

// Look runs fn unless the store is down.
func (f *Faults) Look(ctx context.Context, fn func(meta.Tx) error) error {
	if err := f.isDown(); err != nil {
		return err
	}
	return f.Store.Look(ctx, fn)
}

// RecentAccessVersion asks the store unless it is down, as if it had been for a
// while.
func (f *Faults) RecentAccessVersion(ctx context.Context) (int64, error) {
	if err := f.isDown(); err != nil {
		return 0, err
	}
	return f.Store.RecentAccessVersion(ctx)
}

// Ping asks the store unless it is down.
func (f *Faults) Ping(ctx context.Context) error {
	if err := f.isDown(); err != nil {
		return err
	}
	return f.Store.Ping(ctx)
}

func (f *Faults) isDown() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.down != nil {
		return fmt.Errorf("%w: %w", ErrInjected, f.down)
	}
	return nil
}

// Update runs fn and fails as was set. A closure that fails by itself keeps
// its error.
func (f *Faults) Update(ctx context.Context, fn func(meta.Tx) error) error {
	if err := f.isDown(); err != nil {
		return err
	}
	f.mu.Lock()
	f.updates++
	mode, fails := f.at[f.updates]
	delete(f.at, f.updates)
	f.mu.Unlock()
	switch {
	case !fails:
		return f.Store.Update(ctx, fn)
	case mode == Applied:
		if err := f.Store.Update(ctx, fn); err != nil {
			return err
		}
		return fmt.Errorf("%w: %w", meta.ErrInDoubt, ErrInjected)
	}
	return f.Store.Update(ctx, func(t meta.Tx) error {
		if err := fn(t); err != nil {
			return err
		}
		return fmt.Errorf("%w: %w", meta.ErrUnavailable, ErrInjected)
	})
}

func testFaults(f *fixture) {
	faults := NewFaults(f.store)
	put := func(purpose string) error {
		return faults.Update(context.Background(), func(t meta.Tx) error { return t.PutSecret(purpose, []byte("x")) })
	}
	stored := func(purpose string) bool {
		err := faults.View(context.Background(), func(t meta.Tx) error {
			_, err := t.Secret(purpose)
			return err
		})
		return err == nil
	}
	faults.FailUpdate(2, NotApplied)
	faults.FailUpdate(3, Applied)
	for _, c := range []struct {
		purpose string
		want    error
		stored  bool
	}{
		{"first", nil, true},
		{"second", meta.ErrUnavailable, false},
		{"third", meta.ErrInDoubt, true},
		{"fourth", nil, true},
	} {
		err := put(c.purpose)
		if !errors.Is(err, c.want) || errors.Is(err, ErrInjected) != (c.want != nil) {
			f.Errorf("%s: got %v, want %v", c.purpose, err, c.want)
		}
		if got := stored(c.purpose); got != c.stored {
			f.Errorf("%s: stored %v, want %v", c.purpose, got, c.stored)
		}
	}
	if got := faults.Updates(); got != 4 {
		f.Errorf("%d updates counted, want 4", got)
	}
	faults.SetDown(meta.ErrFull)
	if err := put("fifth"); !errors.Is(err, meta.ErrFull) {
		f.Errorf("down: got %v", err)
	}
	if err := faults.Ping(context.Background()); !errors.Is(err, meta.ErrFull) {
		f.Errorf("ping while down: got %v", err)
	}
	faults.Heal()
	if err := put("fifth"); err != nil {
		f.Errorf("healed: %v", err)
	}
}
