package gc_test

import (
	"bytes"
	"errors"
	"fmt"
	"testing"

	"github.com/lighterage/lighterage/internal/blob/blobtest"
	"github.com/lighterage/lighterage/internal/digest"
	"github.com/lighterage/lighterage/internal/gc"
	"github.com/lighterage/lighterage/internal/meta"
	"github.com/lighterage/lighterage/internal/meta/metatest"
)

// leave leaves one of each sort of garbage behind, and lets its time come.
func (w *world) leave(seed string) {
	w.t.Helper()
	k := w.create("app-" + seed)
	w.layer(k, large("lone "+seed))
	w.index(hidden, w.image(hidden, "push "+seed))
	gone := w.create("gone-" + seed)
	w.image(gone, "gone "+seed, "v1")
	_, err := w.DeleteRepository(w.ctx, gone, true)
	w.must(err)
	id, err := w.StartUpload(w.ctx, k, digest.SHA256)
	w.must(err)
	_, err = w.AppendUpload(w.ctx, k, id, 0, bytes.NewReader(large("half of "+seed)))
	w.must(err)
	w.clock.Advance(pushTTL)
}

// Whatever commit or removal fails, and whether it was applied or not: nothing
// that is in use goes, and runs after it finish the work.
func TestARunThatFailsAnywhereIsFinishedByTheNext(t *testing.T) {
	w := open(t)
	service := w.service()
	k := w.create("kept")
	kept, registered := w.image(k, "kept", "v1"), w.index(hidden, w.image(hidden, "registered"))
	_, err := w.services.RegisterImage(w.ctx, service, "app", string(registered))
	w.must(err)

	faults, faulty := metatest.NewFaults(w.store), blobtest.Wrap(w.blobs)
	w.gc = gc.New(gc.Config{Meta: faults, Blobs: faulty, Logger: quiet, LayerGrace: grace, URLTTL: urlTTL})
	check := func() {
		w.whole(hidden, registered)
		w.whole(k, kept)
	}
	finish := func(t *testing.T) {
		t.Helper()
		for range 4 {
			w.run(pushTTL)
		}
		check()
		if n := w.files(); n != 2 {
			t.Errorf("%d files are left for two layers", n)
		}
	}

	w.leave("none")
	faulty.FailAt(-1, blobtest.NotApplied, nil)
	before := faults.Updates()
	w.run(urlTTL)
	updates := faults.Updates() - before
	finish(t)
	removals := len(faulty.Calls())
	if updates < 5 || removals < 4 {
		t.Fatalf("a run took %d updates and %d removals", updates, removals)
	}

	fails := func(t *testing.T, cause error) {
		t.Helper()
		var failed error
		for range 4 { // the fault may come in a later run
			_, err := w.gc.Run(w.ctx)
			failed = errors.Join(failed, err)
			w.clock.Advance(urlTTL)
			check()
		}
		if !errors.Is(failed, cause) {
			t.Errorf("run: %v", failed)
		}
		faults.Heal()
		faulty.FailAt(-1, blobtest.NotApplied, nil)
		finish(t)
	}
	for n := 1; n <= updates; n++ {
		for mode, cause := range map[metatest.Mode]error{metatest.NotApplied: meta.ErrUnavailable, metatest.Applied: meta.ErrInDoubt} {
			t.Run(fmt.Sprintf("update %d, mode %d", n, mode), func(t *testing.T) {
				w.leave(fmt.Sprintf("u%d-%d", n, mode))
				faults.FailUpdate(n, mode)
				fails(t, cause)
			})
		}
	}
	broken := errors.New("broken")
	for n := range removals {
		for _, mode := range blobtest.Modes {
			t.Run(fmt.Sprintf("removal %d, %s", n, mode), func(t *testing.T) {
				w.leave(fmt.Sprintf("r%d-%d", n, mode))
				faulty.FailAt(n, mode, broken)
				fails(t, broken)
			})
		}
	}
}

func TestARunOnAFullStoreStillMakesRoom(t *testing.T) {
	w := open(t)
	k := w.create("app")
	w.layer(k, large("a"))
	w.run(grace)
	w.clock.Advance(urlTTL)
	faults := metatest.NewFaults(w.store)
	w.gc = gc.New(gc.Config{Meta: faults, Blobs: w.blobs, Logger: quiet, LayerGrace: grace, URLTTL: urlTTL})
	w.layer(k, large("b"))
	w.clock.Advance(grace)
	faults.FailUpdate(1, metatest.NotApplied) // of the reviews
	if _, err := w.gc.Run(w.ctx); !errors.Is(err, meta.ErrUnavailable) {
		t.Errorf("run: %v", err)
	}
	if w.files() != 1 {
		t.Errorf("%d files: the bytes of a were due", w.files())
	}
}
