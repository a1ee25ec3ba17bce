package lifecycle_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lighterage/lighterage/internal/fault"
	"github.com/lighterage/lighterage/internal/lifecycle"
	"github.com/lighterage/lighterage/internal/meta"
	"github.com/lighterage/lighterage/internal/meta/metatest"
)

// policy is a repository's policy, which must be there.
func (w *world) policy(k meta.RepositoryKey) meta.LifecyclePolicy {
	w.t.Helper()
	p, err := w.Get(w.ctx, k)
	w.must(err)
	return p
}

// due runs what is due after a while, and returns how many images are left.
func (w *world) due(after time.Duration, k meta.RepositoryKey) int {
	w.t.Helper()
	w.clock.Advance(after)
	w.must(w.RunDue(w.ctx))
	return len(w.has(k))
}

func TestAPolicyRunsADayAfterItWasSetAndEveryDay(t *testing.T) {
	w := open(t)
	k, none := w.repository(), w.repository()
	for _, r := range []meta.RepositoryKey{k, none} {
		w.insert(r, drawn{content: "a", age: 20 * day}, drawn{content: "b", age: 9*day - time.Hour}, drawn{content: "c", age: 7 * day})
	}
	set := w.clock.Now()
	w.must(w.Put(w.ctx, k, afterTenDays))
	want := meta.LifecyclePolicy{Repository: w.policy(k).Repository, Text: afterTenDays, SetAt: set, DueAt: set.Add(day)}
	same := func() {
		t.Helper()
		if diff := cmp.Diff(want, w.policy(k)); diff != "" {
			t.Errorf("the policy (-want +got):\n%s", diff)
		}
	}
	same()
	if n := w.due(day-time.Second, k); n != 3 {
		t.Errorf("%d images before the day is over", n)
	}
	same()
	if n := w.due(time.Minute, k); n != 2 {
		t.Errorf("%d images after a day", n)
	}
	// What runs a little late does not make the next run later.
	want.EvaluatedAt, want.DueAt = w.clock.Now(), set.Add(2*day)
	same()
	if n := w.due(time.Hour, k); n != 2 {
		t.Errorf("%d images an hour after the run", n)
	}
	same()
	if n := w.due(day, k); n != 1 {
		t.Errorf("%d images after another day", n)
	}
	// A server that was off for long does not catch up on each day.
	w.due(10*day, k)
	want.EvaluatedAt, want.DueAt = w.clock.Now(), w.clock.Now().Add(day)
	same()
	if n := len(w.has(none)); n != 3 {
		t.Errorf("%d images where there is no policy", n)
	}
}

func TestTheSameTextAgainChangesNothing(t *testing.T) {
	w := open(t)
	k := w.repository()
	w.must(w.Put(w.ctx, k, afterTenDays))
	w.due(day, k)
	was := w.policy(k)
	w.clock.Advance(time.Hour)
	w.must(w.Put(w.ctx, k, afterTenDays))
	if diff := cmp.Diff(was, w.policy(k)); diff != "" {
		t.Errorf("the same text again: %s", diff)
	}
	w.must(w.Put(w.ctx, k, keepTwo))
	now := w.clock.Now()
	if diff := cmp.Diff(meta.LifecyclePolicy{Repository: was.Repository, Text: keepTwo, SetAt: now, DueAt: now.Add(day)}, w.policy(k)); diff != "" {
		t.Errorf("another text: %s", diff)
	}
}

func TestARunByHandPutsOffTheNext(t *testing.T) {
	w := open(t)
	k := w.repository()
	w.must(w.Put(w.ctx, k, afterTenDays))
	w.clock.Advance(time.Hour)
	_, err := w.Run(w.ctx, k)
	w.must(err)
	if p, now := w.policy(k), w.clock.Now(); !p.EvaluatedAt.Equal(now) || !p.DueAt.Equal(now.Add(day)) {
		t.Errorf("evaluated at %v, due at %v", p.EvaluatedAt, p.DueAt)
	}
}

func TestAPolicyThatIsBeingRunIsNobodyElses(t *testing.T) {
	w := open(t)
	k := w.repository()
	w.insert(k, drawn{content: "a", age: 20 * day})
	w.must(w.Put(w.ctx, k, afterTenDays))
	w.clock.Advance(day)
	other := &journal{}
	replica := lifecycle.New(lifecycle.Config{Meta: w.kit.Meta, Logger: w.Logger, LayerGrace: grace, FlushPulls: w.FlushPulls, Journal: other})
	calls := 0
	w.journal.before = func() {
		if calls++; calls == 2 {
			w.must(replica.RunDue(w.ctx))
		}
	}
	w.must(w.RunDue(w.ctx))
	if calls < 2 || len(other.told) != 0 || len(w.journal.expired()) != 1 {
		t.Errorf("after %d steps the replica did %v, this one %v", calls, other.told, w.journal.told)
	}
}

func TestWhatFailsWaitsAndLetsOthersRun(t *testing.T) {
	w := open(t)
	bad, good := w.repository(), w.repository()
	for _, k := range []meta.RepositoryKey{bad, good} {
		w.insert(k, drawn{content: "a", age: 20 * day})
		w.must(w.Put(w.ctx, k, afterTenDays))
	}
	w.inRepository(bad, func(tx meta.Tx, r meta.RepositoryID) error {
		p, err := tx.LifecyclePolicy(r, meta.NoLock)
		if err != nil {
			return err
		}
		p.Text = "of a later program"
		return tx.PutLifecyclePolicy(p)
	})
	w.clock.Advance(day)
	if err := w.RunDue(w.ctx); !fault.Is(err, fault.Unexpected) {
		t.Errorf("got %v", err)
	}
	if len(w.has(bad)) != 1 || len(w.has(good)) != 0 {
		t.Errorf("%d images where it failed, %d elsewhere", len(w.has(bad)), len(w.has(good)))
	}
	if n := w.due(30*time.Minute, bad); n != 1 { // not tried again yet, or it would fail
		t.Errorf("%d images", n)
	}
	w.clock.Advance(time.Hour)
	if err := w.RunDue(w.ctx); !fault.Is(err, fault.Unexpected) {
		t.Errorf("it was not tried again: %v", err)
	}
}

func TestNothingIsDoneThatCannotBeRecorded(t *testing.T) {
	w := open(t)
	k := w.repository()
	w.insert(k, drawn{content: "a", age: 20 * day})
	w.must(w.Put(w.ctx, k, afterTenDays))
	w.clock.Advance(day)
	w.journal.broken = errTest
	w.wants(w.RunDue(w.ctx), fault.StoreUnavailable)
	_, err := w.Run(w.ctx, k)
	w.wants(err, fault.StoreUnavailable)
	calls := 0
	w.journal.before = func() {
		if calls++; calls == 2 {
			w.journal.broken = errTest
		}
	}
	w.journal.broken = nil
	_, err = w.Run(w.ctx, k)
	w.wants(err, fault.StoreUnavailable)
	if n := len(w.has(k)); n != 1 {
		t.Errorf("%d images", n)
	}
	w.journal.broken, w.journal.before = nil, nil
	if n := w.due(time.Hour, k); n != 0 {
		t.Errorf("%d images when it can be recorded again", n)
	}
}

// TestRunsWithFaults fails each commit of a run in both ways, and runs again.
func TestRunsWithFaults(t *testing.T) {
	w := open(t)
	images := []drawn{{content: "young"}}
	for i := range 12 { // more than one step
		images = append(images, drawn{content: string(rune('a' + i)), age: 20 * day})
	}
	run := func(t *testing.T, n int, mode metatest.Mode) (failed error) {
		k := w.repository()
		at := w.insert(k, images...)
		w.must(w.Put(w.ctx, k, afterTenDays))
		w.clock.Advance(day)
		w.journal.told = nil
		before := w.faults.Updates()
		if n > 0 {
			w.faults.FailUpdate(n, mode)
		}
		failed = w.RunDue(w.ctx)
		w.faults.Heal()
		if n == 0 {
			t.Logf("a run takes %d commits", w.faults.Updates()-before)
			if got := w.faults.Updates() - before; got < 5 {
				t.Fatalf("a run takes %d commits", got)
			}
		}
		w.kit.CheckInvariants(t)
		if left := w.due(lease, k); left != 1 || named(at, w.has(k)) != "young" {
			t.Errorf("%d images are left: %s", left, named(at, w.has(k)))
		}
		told := map[string]int{}
		for _, d := range w.journal.expired() {
			told[string(d)]++
		}
		for _, d := range images[1:] {
			if n := told[string(at[d.content])]; n != 1 {
				t.Errorf("the journal was told %d times of %s", n, d.content)
			}
		}
		if p := w.policy(k); p.EvaluatedAt.IsZero() || !p.DueAt.After(w.clock.Now()) {
			t.Errorf("evaluated at %v, due at %v", p.EvaluatedAt, p.DueAt)
		}
		w.must(only(w.Delete(w.ctx, k))) // so that the next round's is the only one
		return failed
	}
	w.must(run(t, 0, 0))
	for n := 1; n <= 4; n++ { // claim, two steps, the end
		for _, mode := range []metatest.Mode{metatest.NotApplied, metatest.Applied} {
			if err := run(t, n, mode); !fault.Is(err, fault.StoreUnavailable) {
				t.Errorf("commit %d in mode %d: %v", n, mode, err)
			}
		}
	}
}

// lease is how long a policy waits whose run failed.
const lease = time.Hour
