package blobtest

import (
	"context"
	"fmt"
	"sync"

	"github.com/lighterage/lighterage/internal/blob"
	"github.com/lighterage/lighterage/internal/name"
)

// Mode is how a call fails.
type Mode uint8

// The modes. After NotApplied nothing happened; after Applied everything did,
// and only the answer is lost, as when a connection breaks.
const (
	NotApplied Mode = iota + 1
	Applied
)

// String names the mode for the names of tests.
func (m Mode) String() string {
	if m == Applied {
		return "failed but applied"
	}
	return "failed and not applied"
}

// Modes are both, for tests that go through them.
var Modes = []Mode{NotApplied, Applied}

// Step is a call that can fail.
type Step string

// The steps.
const (
	Create     Step = "create"
	Resume     Step = "resume"
	Open       Step = "open"
	Remove     Step = "remove"
	Claim      Step = "claim"
	Write      Step = "write"
	Checkpoint Step = "checkpoint"
	Seal       Step = "seal"
)

// Faulty passes calls on to a store and lets one of them fail. A test runs its
// scenario once to learn the Calls, then once for each of them and each Mode,
// with FailAt set before. It is safe for concurrent use.
type Faulty struct {
	store blob.Store

	mu     sync.Mutex
	calls  []Step
	failAt int // index of the call that fails; -1: none
	mode   Mode
	err    error
}

var _ blob.Store = (*Faulty)(nil)

// Wrap returns a store that fails only when FailAt says so.
func Wrap(s blob.Store) *Faulty { return &Faulty{store: s, failAt: -1} }

// FailAt starts the list of calls anew and lets its n-th, counted from zero,
// fail with the error in the mode. A negative n lets none fail.
func (f *Faulty) FailAt(n int, mode Mode, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls, f.failAt, f.mode, f.err = nil, n, mode, err
}

// Calls returns the steps since Wrap or FailAt, the failing one included.
func (f *Faulty) Calls() []Step {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]Step(nil), f.calls...)
}

// fate counts a call. The mode is zero if the call is to succeed.
func (f *Faulty) fate(s Step) (Mode, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls = append(f.calls, s)
	if len(f.calls)-1 != f.failAt {
		return 0, nil
	}
	return f.mode, fmt.Errorf("injected in %s (%s): %w", s, f.mode, f.err)
}

// do runs a call that returns nothing but its error.
func (f *Faulty) do(s Step, call func() error) error {
	mode, fault := f.fate(s)
	if mode == NotApplied {
		return fault
	}
	if err := call(); err != nil {
		return err
	}
	return fault
}

// NewLocation draws a location; it cannot fail.
func (f *Faulty) NewLocation() name.Location { return f.store.NewLocation() }

// Create implements blob.Store.
func (f *Faulty) Create(ctx context.Context, at name.Location) (blob.Upload, error) {
	return f.upload(Create, func() (blob.Upload, error) { return f.store.Create(ctx, at) })
}

// Resume implements blob.Store.
func (f *Faulty) Resume(ctx context.Context, at name.Location, offset int64, state []byte) (blob.Upload, error) {
	return f.upload(Resume, func() (blob.Upload, error) { return f.store.Resume(ctx, at, offset, state) })
}

// upload runs a call that returns one. If it was applied and the answer is
// lost, the upload is closed, as the end of its process would.
func (f *Faulty) upload(s Step, call func() (blob.Upload, error)) (blob.Upload, error) {
	var u blob.Upload
	err := f.do(s, func() (err error) {
		u, err = call()
		return err
	})
	if err == nil {
		return faultyUpload{f, u}, nil
	}
	if u != nil {
		u.Close()
	}
	return nil, err
}

// Open implements blob.Store.
func (f *Faulty) Open(ctx context.Context, at name.Location) (blob.Reader, error) {
	var r blob.Reader
	err := f.do(Open, func() (err error) {
		r, err = f.store.Open(ctx, at)
		return err
	})
	if err == nil {
		return r, nil
	}
	if r != nil {
		r.Close()
	}
	return nil, err
}

// Remove implements blob.Store.
func (f *Faulty) Remove(ctx context.Context, at name.Location) error {
	return f.do(Remove, func() error { return f.store.Remove(ctx, at) })
}

// Claim implements blob.Store.
func (f *Faulty) Claim(ctx context.Context, identity string) (string, error) {
	var recorded string
	err := f.do(Claim, func() (err error) {
		recorded, err = f.store.Claim(ctx, identity)
		return err
	})
	if err != nil {
		return "", err
	}
	return recorded, nil
}

// Close closes the store; it cannot fail on demand.
func (f *Faulty) Close() error { return f.store.Close() }

type faultyUpload struct {
	faulty *Faulty
	blob.Upload
}

// Write fails with nothing written, or with everything and the offset after
// it: a store never hides what it wrote.
func (u faultyUpload) Write(b []byte) (int, error) {
	n := 0
	err := u.faulty.do(Write, func() (err error) {
		n, err = u.Upload.Write(b)
		return err
	})
	return n, err
}

func (u faultyUpload) Checkpoint(ctx context.Context) ([]byte, error) {
	var state []byte
	err := u.faulty.do(Checkpoint, func() (err error) {
		state, err = u.Upload.Checkpoint(ctx)
		return err
	})
	if err != nil {
		return nil, err
	}
	return state, nil
}

func (u faultyUpload) Seal(ctx context.Context) error {
	return u.faulty.do(Seal, func() error { return u.Upload.Seal(ctx) })
}
