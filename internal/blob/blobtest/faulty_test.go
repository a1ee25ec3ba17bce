package blobtest_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lighterage/lighterage/internal/blob"
	"github.com/lighterage/lighterage/internal/blob/blobtest"
	"github.com/lighterage/lighterage/internal/blob/disk"
	"github.com/lighterage/lighterage/internal/name"
)

var errInjected = errors.New("injected")

func openDisk(t *testing.T, dir string) blob.Store {
	t.Helper()
	s, err := disk.Open(dir, disk.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func TestAWrappedStoreKeepsTheContract(t *testing.T) {
	blobtest.Run(t, func(t *testing.T) blobtest.Opener {
		dir := t.TempDir()
		return func() (blob.Store, error) {
			s, err := disk.Open(dir, disk.Options{})
			return blobtest.Wrap(s), err
		}
	})
}

// life is one call of each step. It stops at the first that fails.
func life(ctx context.Context, s blob.Store, at name.Location) error {
	u, err := s.Create(ctx, at)
	if err != nil {
		return err
	}
	if _, err := io.WriteString(u, "body"); err != nil {
		return err
	}
	state, err := u.Checkpoint(ctx)
	if err != nil {
		return err
	}
	if u, err = s.Resume(ctx, at, 4, state); err != nil {
		return err
	}
	if err := u.Seal(ctx); err != nil {
		return err
	}
	r, err := s.Open(ctx, at)
	if err != nil {
		return err
	}
	defer r.Close()
	if _, err := s.Claim(ctx, "owner"); err != nil {
		return err
	}
	return s.Remove(ctx, at)
}

var lifeSteps = []blobtest.Step{
	blobtest.Create, blobtest.Write, blobtest.Checkpoint, blobtest.Resume, blobtest.Seal, blobtest.Open, blobtest.Claim, blobtest.Remove,
}

func TestEveryStepCanFailInBothModes(t *testing.T) {
	dir := t.TempDir()
	f := blobtest.Wrap(openDisk(t, dir))
	if err := life(t.Context(), f, f.NewLocation()); err != nil {
		t.Fatalf("nothing was to fail: %v", err)
	}
	if diff := cmp.Diff(lifeSteps, f.Calls()); diff != "" {
		t.Fatal(diff)
	}
	for n, step := range lifeSteps {
		for _, mode := range blobtest.Modes {
			t.Run(fmt.Sprintf("%s %s", step, mode), func(t *testing.T) {
				f.FailAt(n, mode, errInjected)
				if err := life(t.Context(), f, f.NewLocation()); !errors.Is(err, errInjected) {
					t.Errorf("the life ended with %v, want the injected error", err)
				}
				if diff := cmp.Diff(lifeSteps[:n+1], f.Calls()); diff != "" {
					t.Error(diff)
				}
			})
		}
	}
}

func TestWhatAFailedStepLeaves(t *testing.T) {
	dir := t.TempDir()
	for _, c := range []struct {
		step blobtest.Step
		// state of the location after the failure: absent, open or sealed
		notApplied, applied string
	}{
		{blobtest.Create, "absent", "open with 0 bytes"},
		{blobtest.Write, "open with 0 bytes", "open with 4 bytes"},
		{blobtest.Checkpoint, "open with 4 bytes", "open with 4 bytes"},
		{blobtest.Resume, "open with 4 bytes", "open with 4 bytes"},
		{blobtest.Seal, "open with 4 bytes", "sealed with 4 bytes"},
		{blobtest.Remove, "sealed with 4 bytes", "absent"},
	} {
		for _, mode := range blobtest.Modes {
			t.Run(fmt.Sprintf("%s %s", c.step, mode), func(t *testing.T) {
				f := blobtest.Wrap(openDisk(t, dir))
				at := f.NewLocation()
				for n, step := range lifeSteps {
					if step == c.step {
						f.FailAt(n, mode, errInjected)
					}
				}
				if err := life(t.Context(), f, at); !errors.Is(err, errInjected) {
					t.Fatalf("the life ended with %v", err)
				}
				f.Close()
				want := c.notApplied
				if mode == blobtest.Applied {
					want = c.applied
				}
				if got := look(t, openDisk(t, dir), at); got != want {
					t.Errorf("the location is %s, want %s", got, want)
				}
			})
		}
	}
}

// look says what a store has at the location.
func look(t *testing.T, s blob.Store, at name.Location) string {
	t.Helper()
	r, err := s.Open(t.Context(), at)
	if errors.Is(err, blob.ErrNotFound) {
		return "absent"
	}
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	_, err = s.Resume(t.Context(), at, r.Size(), nil)
	switch {
	case err == nil:
		return fmt.Sprintf("open with %d bytes", r.Size())
	case errors.Is(err, blob.ErrClosed):
		return fmt.Sprintf("sealed with %d bytes", r.Size())
	}
	t.Fatal(err)
	return ""
}

func TestAFailedWriteSaysHowMuchItWrote(t *testing.T) {
	f := blobtest.Wrap(openDisk(t, t.TempDir()))
	u, err := f.Create(t.Context(), f.NewLocation())
	if err != nil {
		t.Fatal(err)
	}
	f.FailAt(0, blobtest.NotApplied, blob.ErrFull)
	if n, err := u.Write([]byte("body")); n != 0 || u.Offset() != 0 || !errors.Is(err, blob.ErrFull) {
		t.Errorf("not applied: %d, %v, offset %d", n, err, u.Offset())
	}
	f.FailAt(0, blobtest.Applied, blob.ErrFull)
	if n, err := u.Write([]byte("body")); n != 4 || u.Offset() != 4 || !errors.Is(err, blob.ErrFull) {
		t.Errorf("applied: %d, %v, offset %d", n, err, u.Offset())
	}
	f.FailAt(-1, 0, nil)
	if n, err := u.Write([]byte("body")); n != 4 || u.Offset() != 8 || err != nil {
		t.Errorf("none: %d, %v, offset %d", n, err, u.Offset())
	}
}
