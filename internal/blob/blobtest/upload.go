package blobtest

import (
	"bytes"
	"context"
	"errors"
	"io"
	"slices"
	"sync"
	"testing"

	"github.com/lighterage/lighterage/internal/blob"
)

func sealedSurvives(_ *testing.T, b *bench) {
	want := body(1, 3<<20)
	at := b.NewLocation()
	u := b.create(at)
	for chunk := range slices.Chunk(want, 300_007) {
		b.write(u, chunk)
	}
	b.seal(u)
	b.holds(at, want)
	b.crash()
	b.holds(at, want)
}

func emptyBlob(_ *testing.T, b *bench) {
	at := b.put(nil)
	b.holds(at, nil)
	b.crash()
	b.holds(at, nil)
}

func sealedStays(t *testing.T, b *bench) {
	want := body(2, 5000)
	at := b.NewLocation()
	u := b.create(at)
	b.write(u, want)
	b.seal(u)
	b.ended(u)
	check := func() {
		t.Helper()
		for _, offset := range []int64{0, 100, int64(len(want))} {
			if _, err := b.Resume(t.Context(), at, offset, nil); !errors.Is(err, blob.ErrClosed) {
				t.Errorf("resume of a sealed location at %d: %v, want ErrClosed", offset, err)
			}
		}
		if _, err := b.Create(t.Context(), at); err == nil {
			t.Error("a sealed location was created again")
		}
		b.holds(at, want)
	}
	check()
	b.crash()
	check()
}

func createdOnce(t *testing.T, b *bench) {
	at := b.NewLocation()
	u := b.create(at)
	b.write(u, []byte("first"))
	if _, err := b.Create(t.Context(), at); err == nil {
		t.Fatal("the location was created twice")
	}
	b.write(u, []byte(" and only"))
	b.seal(u)
	b.holds(at, []byte("first and only"))
}

func closedWriter(t *testing.T, b *bench) {
	at := b.NewLocation()
	u := b.create(at)
	b.write(u, []byte("before"))
	state := b.checkpoint(u)
	if err := u.Close(); err != nil {
		t.Fatalf("close: %v", err)
	}
	b.ended(u)
	again := b.resume(at, 6, state)
	b.ended(u)
	b.write(again, []byte(", after"))
	b.seal(again)
	b.holds(at, []byte("before, after"))
}

func takenOver(_ *testing.T, b *bench) {
	at := b.NewLocation()
	first := b.create(at)
	b.write(first, []byte("aaaa"))
	state := b.checkpoint(first)
	second := b.resume(at, 4, state)
	b.ended(first)
	b.write(second, []byte("bbbb"))
	b.ended(first)
	b.seal(second)
	b.ended(first)
	b.holds(at, []byte("aaaabbbb"))
}

func manyResume(t *testing.T, b *bench) {
	at := b.NewLocation()
	first := b.create(at)
	b.write(first, []byte("start"))
	state := b.checkpoint(first)
	uploads := make([]blob.Upload, 8)
	var all sync.WaitGroup
	for i := range uploads {
		all.Go(func() {
			u, err := b.Resume(context.Background(), at, 5, state)
			if err != nil {
				t.Errorf("resume: %v", err)
				return
			}
			uploads[i] = u
		})
	}
	all.Wait()
	b.ended(first)
	var winner blob.Upload
	for i, u := range uploads {
		if u == nil {
			t.Fatal("a Resume failed")
		}
		n, err := u.Write([]byte{byte('0' + i)})
		switch {
		case err == nil && winner != nil:
			t.Fatal("two uploads of one location can write")
		case err == nil:
			winner = u
		case n != 0 || !errors.Is(err, blob.ErrClosed):
			t.Errorf("write: %d, %v, want ErrClosed", n, err)
		}
	}
	if winner == nil {
		t.Fatal("nobody can write")
	}
	b.seal(winner)
	if winner.Offset() != 6 {
		t.Errorf("the winner stands at %d, want 6", winner.Offset())
	}
}

// takeOverWhileWriting lets one goroutine after another take the upload over
// from one that writes without pause. Where each of them began is the only
// thing that decides which bytes are its.
func takeOverWhileWriting(t *testing.T, b *bench) {
	const rounds, chunk = 20, 64 << 10
	at := b.NewLocation()
	u := b.create(at)
	var want []byte
	var state []byte
	var writers sync.WaitGroup
	for round := range rounds {
		letter := byte('a' + round)
		b.write(u, bytes.Repeat([]byte{letter}, 1000))
		want = append(want, bytes.Repeat([]byte{letter}, 1000)...)
		state = b.checkpoint(u)
		started, over := make(chan struct{}), make(chan struct{})
		writers.Go(func() { writeUntilClosed(t, u, bytes.Repeat([]byte{'!'}, chunk), started, over) })
		<-started
		next, err := b.Resume(t.Context(), at, int64(len(want)), state)
		close(over)
		if err != nil {
			t.Fatalf("resume: %v", err)
		}
		u = next
	}
	writers.Wait()
	b.seal(u)
	b.holds(at, want)
}

// writeUntilClosed writes until the take-over, which may be under way, and
// tells when it has begun. No write that begins after over is closed may pass.
func writeUntilClosed(t *testing.T, u blob.Upload, chunk []byte, started, over chan struct{}) {
	for i := 0; ; i++ {
		late := isClosed(over)
		before := u.Offset()
		n, err := u.Write(chunk)
		if i == 0 {
			close(started)
		}
		if err == nil && !late {
			continue
		}
		if err == nil {
			t.Error("a write passed after the take-over")
			return
		}
		if !errors.Is(err, blob.ErrClosed) {
			t.Errorf("write: %v, want ErrClosed", err)
		}
		if got := u.Offset(); got != before+int64(n) {
			t.Errorf("the last write moved the offset by %d and said %d", got-before, n)
		}
		return
	}
}

func isClosed(c chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

func resumeCuts(_ *testing.T, b *bench) {
	at := b.NewLocation()
	u := b.create(at)
	b.write(u, body(3, 10_000))
	state := b.checkpoint(u)
	b.write(u, bytes.Repeat([]byte("x"), 10_000))
	u = b.resume(at, 10_000, state)
	b.write(u, []byte("end"))
	b.seal(u)
	b.holds(at, append(body(3, 10_000), "end"...))
}

func resumeAfterCrash(_ *testing.T, b *bench) {
	at := b.NewLocation()
	want := body(4, 100_000)
	u := b.create(at)
	b.write(u, want[:40_000])
	state := b.checkpoint(u)
	b.write(u, []byte("not covered by a checkpoint"))
	b.crash()
	u = b.resume(at, 40_000, state)
	b.write(u, want[40_000:60_000])
	state = b.checkpoint(u)
	b.crash()
	u = b.resume(at, 60_000, state)
	b.write(u, want[60_000:])
	b.seal(u)
	b.crash()
	b.holds(at, want)
}

func resumeBeyond(t *testing.T, b *bench) {
	at := b.NewLocation()
	u := b.create(at)
	b.write(u, []byte("12345"))
	state := b.checkpoint(u)
	for _, offset := range []int64{6, 1 << 40, -1} {
		if _, err := b.Resume(t.Context(), at, offset, state); !errors.Is(err, blob.ErrNotFound) {
			t.Errorf("resume at %d of 5: %v, want ErrNotFound", offset, err)
		}
	}
	u = b.resume(at, 5, state)
	b.seal(u)
	b.holds(at, []byte("12345"))
}

func removeAbsent(t *testing.T, b *bench) {
	at := b.NewLocation()
	for range 2 {
		if err := b.Remove(t.Context(), at); err != nil {
			t.Errorf("remove: %v", err)
		}
	}
	b.gone(at)
}

func removeSealed(t *testing.T, b *bench) {
	kept, at := b.put([]byte("kept")), b.put([]byte("removed"))
	if err := b.Remove(t.Context(), at); err != nil {
		t.Fatalf("remove: %v", err)
	}
	b.gone(at)
	b.crash()
	b.gone(at)
	b.holds(kept, []byte("kept"))
}

func removeUpload(t *testing.T, b *bench) {
	at := b.NewLocation()
	u := b.create(at)
	b.write(u, []byte("unfinished"))
	if err := b.Remove(t.Context(), at); err != nil {
		t.Fatalf("remove: %v", err)
	}
	b.ended(u)
	b.gone(at)
}

func readerSeeks(t *testing.T, b *bench) {
	want := body(5, 200_000)
	at := b.put(want)
	r, err := b.Open(t.Context(), at)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	for _, c := range []struct {
		offset int64
		whence int
		at     int
	}{{150_000, io.SeekStart, 150_000}, {-100, io.SeekEnd, 199_900}, {-50_100, io.SeekCurrent, 149_800 + 100}, {0, io.SeekStart, 0}} {
		position, err := r.Seek(c.offset, c.whence)
		if err != nil || position != int64(c.at) {
			t.Fatalf("seek %d from %d: %d, %v, want %d", c.offset, c.whence, position, err, c.at)
		}
		got := make([]byte, 100)
		if _, err := io.ReadFull(r, got); err != nil {
			t.Fatalf("read at %d: %v", c.at, err)
		}
		if !bytes.Equal(got, want[c.at:c.at+100]) {
			t.Errorf("the bytes at %d are others", c.at)
		}
	}
	if size, err := r.Seek(0, io.SeekEnd); err != nil || size != r.Size() || size != int64(len(want)) {
		t.Errorf("the end is at %d, %v; the size is %d, want %d", size, err, r.Size(), len(want))
	}
	if n, err := r.Read(make([]byte, 1)); n != 0 || err != io.EOF {
		t.Errorf("read at the end: %d, %v, want EOF", n, err)
	}
}

func readUnsealed(_ *testing.T, b *bench) {
	at := b.NewLocation()
	u := b.create(at)
	b.write(u, []byte("so far"))
	b.checkpoint(u)
	b.holds(at, []byte("so far"))
	b.write(u, []byte(", so good"))
	b.seal(u)
	b.holds(at, []byte("so far, so good"))
}

func openAbsent(_ *testing.T, b *bench) { b.gone(b.NewLocation()) }

func requestOver(t *testing.T, b *bench) {
	over, cancel := context.WithCancel(t.Context())
	cancel()
	at := b.NewLocation()
	if _, err := b.Create(over, at); !errors.Is(err, context.Canceled) {
		t.Errorf("create: %v, want the context's error", err)
	}
	b.gone(at)
	u := b.create(at)
	b.write(u, []byte("x"))
	if err := u.Seal(over); !errors.Is(err, context.Canceled) {
		t.Errorf("seal: %v, want the context's error", err)
	}
	b.write(u, []byte("y"))
	b.seal(u)
	b.holds(at, []byte("xy"))
	if err := b.Remove(over, at); !errors.Is(err, context.Canceled) {
		t.Errorf("remove: %v, want the context's error", err)
	}
	b.holds(at, []byte("xy"))
}

func storeCloses(t *testing.T, b *bench) {
	at := b.NewLocation()
	u := b.create(at)
	b.write(u, []byte("kept"))
	state := b.checkpoint(u)
	for range 2 {
		if err := b.Close(); err != nil {
			t.Fatalf("close: %v", err)
		}
	}
	b.ended(u)
	if _, err := b.Create(t.Context(), b.NewLocation()); !errors.Is(err, blob.ErrClosed) {
		t.Errorf("create in a closed store: %v, want ErrClosed", err)
	}
	if _, err := b.Resume(t.Context(), at, 4, state); !errors.Is(err, blob.ErrClosed) {
		t.Errorf("resume in a closed store: %v, want ErrClosed", err)
	}
	b.crash()
	u = b.resume(at, 4, state)
	b.seal(u)
	b.holds(at, []byte("kept"))
}
