package worker_test

import (
	"context"
	"errors"
	"io"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lighterage/lighterage/internal/meta"
	"github.com/lighterage/lighterage/internal/meta/metatest"
	"github.com/lighterage/lighterage/internal/meta/sqlstore"
	"github.com/lighterage/lighterage/internal/worker"
)

// replicas are processes on one store, whose clock the test moves.
type replicas struct {
	*metatest.Faults
	later atomic.Int64 // nanoseconds
	runs  map[string]int
}

func newReplicas(t *testing.T) *replicas {
	r := &replicas{runs: map[string]int{}}
	s, err := sqlstore.OpenSQLite(t.Context(), filepath.Join(t.TempDir(), "db"), sqlstore.Options{
		Clock: func() time.Time { return time.Now().Add(time.Duration(r.later.Load())) },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	r.Faults = metatest.NewFaults(s)
	return r
}

func (r *replicas) process(holder string) *worker.Leases {
	return &worker.Leases{Store: r.Faults, Holder: holder, Logger: logTo(io.Discard)}
}

// pass is one that counts its runs for a process.
func (r *replicas) pass(of string) worker.Pass {
	return worker.Pass{Name: "sweep", Every: time.Minute, Run: func(context.Context) error {
		r.runs[of]++
		return nil
	}}
}

func run(t *testing.T, p worker.Pass) {
	t.Helper()
	if err := p.Run(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestADutyStaysWithWhoDoesIt(t *testing.T) {
	r := newReplicas(t)
	a, b := r.process("a").Bind(r.pass("a")), r.process("b").Bind(r.pass("b"))
	for range 5 {
		run(t, a)
		run(t, b)
		r.later.Add(int64(time.Minute))
	}
	if r.runs["a"] != 5 || r.runs["b"] != 0 {
		t.Errorf("runs: %v", r.runs)
	}
}

func TestADutyOfAProcessThatIsGoneIsDoneByAnother(t *testing.T) {
	r := newReplicas(t)
	gone, b := r.process("gone"), r.process("b").Bind(r.pass("b"))
	run(t, gone.Bind(r.pass("gone")))
	run(t, b)
	if r.runs["b"] != 0 {
		t.Error("two do it")
	}
	t.Run("when its lease is over", func(t *testing.T) {
		r.later.Add(int64(2 * time.Minute))
		run(t, b)
		run(t, gone.Bind(r.pass("gone")))
		if r.runs["b"] != 1 || r.runs["gone"] != 1 {
			t.Errorf("runs: %v", r.runs)
		}
	})
	t.Run("at once if it took its leave", func(t *testing.T) {
		r.later.Add(int64(time.Hour))
		run(t, gone.Bind(r.pass("gone")))
		if err := gone.EndAll(t.Context()); err != nil {
			t.Fatal(err)
		}
		run(t, b)
		if r.runs["b"] != 2 {
			t.Errorf("runs: %v", r.runs)
		}
	})
}

func TestAFailureLetsAnotherTry(t *testing.T) {
	r := newReplicas(t)
	p := r.pass("a")
	p.Run = func(context.Context) error { return errors.New("no way to the bytes") }
	if err := r.process("a").Bind(p).Run(t.Context()); err == nil || err.Error() != "no way to the bytes" {
		t.Errorf("got %v", err)
	}
	run(t, r.process("b").Bind(r.pass("b")))
	if r.runs["b"] != 1 {
		t.Errorf("runs: %v", r.runs)
	}
}

func TestWithoutAStoreNothingRuns(t *testing.T) {
	r := newReplicas(t)
	r.SetDown(meta.ErrUnavailable)
	if err := r.process("a").Bind(r.pass("a")).Run(t.Context()); !errors.Is(err, meta.ErrUnavailable) {
		t.Errorf("got %v", err)
	}
	if r.runs["a"] != 0 {
		t.Error("it ran")
	}
}

func TestARunThatIsCancelledGivesItsLeaseBack(t *testing.T) {
	r := newReplicas(t)
	ctx, cancel := context.WithCancel(t.Context())
	p := r.pass("a")
	p.Run = func(ctx context.Context) error { cancel(); <-ctx.Done(); return ctx.Err() }
	if err := r.process("a").Bind(p).Run(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	run(t, r.process("b").Bind(r.pass("b")))
	if r.runs["b"] != 1 {
		t.Errorf("runs: %v", r.runs)
	}
}
