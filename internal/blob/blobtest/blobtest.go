// Package blobtest is the suite that every blob store passes, and a store
// that fails on demand.
//
// Run asserts the numbered promises of package blob, its errors, what hostile
// locations may do (nothing), and random histories against byte slices. A
// crash in it is kill -9: the store and its uploads are forgotten without a
// word, and another store is opened on the same bytes. Power loss it cannot
// assert.
package blobtest

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"testing"

	"github.com/lighterage/lighterage/internal/blob"
	"github.com/lighterage/lighterage/internal/name"
)

// Opener opens a store. Each call is like a process of its own on the same
// bytes; the stores of earlier calls are not used any more.
type Opener func() (blob.Store, error)

// Run asserts the contract of the stores that fresh makes: each call of fresh
// prepares bytes of its own, empty and unclaimed.
func Run(t *testing.T, fresh func(t *testing.T) Opener) {
	shared := fresh(t) // one test after another: each draws locations of its own
	for _, c := range []struct {
		name string
		run  func(*testing.T, *bench)
	}{
		{"1: what was sealed is there in the next process", sealedSurvives},
		{"1: nothing but an empty body is a blob too", emptyBlob},
		{"2: a sealed location is not written again", sealedStays},
		{"2: a location is created once", createdOnce},
		{"3: a write after Close fails and changes nothing", closedWriter},
		{"3: a write after another Resume fails and changes nothing", takenOver},
		{"3: of many who resume at once one can write", manyResume},
		{"3: a take-over waits for the write in progress", takeOverWhileWriting},
		{"4: Resume continues at the offset and cuts later bytes", resumeCuts},
		{"4: Resume in the next process continues a checkpoint", resumeAfterCrash},
		{"4: Resume beyond the bytes finds nothing", resumeBeyond},
		{"5: Remove of an absent location succeeds", removeAbsent},
		{"5: Remove takes sealed bytes away", removeSealed},
		{"5: Remove takes an upload away and ends its writer", removeUpload},
		{"a reader seeks and knows its size", readerSeeks},
		{"an unsealed upload can be read", readUnsealed},
		{"absent bytes are not found", openAbsent},
		{"locations are typed and never drawn twice", locationsDiffer},
		{"hostile locations do nothing", hostileLocations},
		{"a request that is over begins nothing", requestOver},
		{"closing the store ends its uploads", storeCloses},
	} {
		t.Run(c.name, func(t *testing.T) { c.run(t, newBench(t, shared)) })
	}
	t.Run("the first claim stays", func(t *testing.T) { firstClaimStays(t, newBench(t, fresh(t))) })
	t.Run("of claims at once one is recorded", func(t *testing.T) { claimsAtOnce(t, newBench(t, fresh(t))) })
	t.Run("histories", func(t *testing.T) { histories(t, shared) })
}

// bench is a store on its bytes, and what a test does with it.
type bench struct {
	blob.Store
	t    *testing.T
	open Opener
}

func newBench(t *testing.T, open Opener) *bench {
	t.Helper()
	b := &bench{t: t, open: open}
	b.crash()
	return b
}

// crash forgets the store and opens another.
func (b *bench) crash() {
	b.t.Helper()
	s, err := b.open()
	if err != nil {
		b.t.Fatalf("open: %v", err)
	}
	b.Store = s
	b.t.Cleanup(func() { s.Close() })
}

func (b *bench) create(at name.Location) blob.Upload {
	b.t.Helper()
	u, err := b.Create(b.t.Context(), at)
	if err != nil {
		b.t.Fatalf("create %s: %v", at, err)
	}
	return u
}

func (b *bench) resume(at name.Location, offset int64, state []byte) blob.Upload {
	b.t.Helper()
	u, err := b.Resume(b.t.Context(), at, offset, state)
	if err != nil {
		b.t.Fatalf("resume %s at %d: %v", at, offset, err)
	}
	if u.Offset() != offset {
		b.t.Fatalf("resumed at %d, want %d", u.Offset(), offset)
	}
	return u
}

func (b *bench) write(u blob.Upload, body []byte) {
	b.t.Helper()
	before := u.Offset()
	if n, err := u.Write(body); n != len(body) || err != nil {
		b.t.Fatalf("write of %d bytes: %d, %v", len(body), n, err)
	}
	if got := u.Offset(); got != before+int64(len(body)) {
		b.t.Fatalf("offset %d after a write of %d bytes at %d", got, len(body), before)
	}
}

func (b *bench) checkpoint(u blob.Upload) []byte {
	b.t.Helper()
	state, err := u.Checkpoint(b.t.Context())
	if err != nil {
		b.t.Fatalf("checkpoint: %v", err)
	}
	return state
}

func (b *bench) seal(u blob.Upload) {
	b.t.Helper()
	if err := u.Seal(b.t.Context()); err != nil {
		b.t.Fatalf("seal: %v", err)
	}
}

// put stores a sealed blob.
func (b *bench) put(body []byte) name.Location {
	b.t.Helper()
	at := b.NewLocation()
	u := b.create(at)
	b.write(u, body)
	b.seal(u)
	return at
}

// holds asserts the bytes of a location.
func (b *bench) holds(at name.Location, want []byte) {
	b.t.Helper()
	r, err := b.Open(b.t.Context(), at)
	if err != nil {
		b.t.Fatalf("open %s: %v", at, err)
	}
	defer r.Close()
	got, err := io.ReadAll(r)
	if err != nil {
		b.t.Fatalf("read %s: %v", at, err)
	}
	if r.Size() != int64(len(want)) {
		b.t.Errorf("%s says %d bytes, want %d", at, r.Size(), len(want))
	}
	if !bytes.Equal(got, want) {
		b.t.Fatalf("%s holds %d bytes that differ at %d, want %d", at, len(got), firstDifference(got, want), len(want))
	}
}

func firstDifference(a, b []byte) int {
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return i
		}
	}
	return min(len(a), len(b))
}

// gone asserts that nothing is at a location.
func (b *bench) gone(at name.Location) {
	b.t.Helper()
	if _, err := b.Open(b.t.Context(), at); !errors.Is(err, blob.ErrNotFound) {
		b.t.Errorf("open %q: %v, want ErrNotFound", at, err)
	}
	if _, err := b.Resume(b.t.Context(), at, 0, nil); !errors.Is(err, blob.ErrNotFound) {
		b.t.Errorf("resume %q: %v, want ErrNotFound", at, err)
	}
}

// ended asserts that an upload does nothing any more.
func (b *bench) ended(u blob.Upload) {
	b.t.Helper()
	before := u.Offset()
	if n, err := u.Write([]byte("late")); n != 0 || !errors.Is(err, blob.ErrClosed) {
		b.t.Errorf("late write: %d, %v, want 0 and ErrClosed", n, err)
	}
	if u.Offset() != before {
		b.t.Errorf("late write moved the offset from %d to %d", before, u.Offset())
	}
	if _, err := u.Checkpoint(context.Background()); !errors.Is(err, blob.ErrClosed) {
		b.t.Errorf("late checkpoint: %v, want ErrClosed", err)
	}
	if err := u.Seal(context.Background()); !errors.Is(err, blob.ErrClosed) {
		b.t.Errorf("late seal: %v, want ErrClosed", err)
	}
	if err := u.Close(); err != nil {
		b.t.Errorf("late close: %v", err)
	}
}

// body returns n bytes that depend on the seed alone.
func body(seed uint64, n int) []byte {
	source := rand.NewChaCha8([32]byte{byte(seed), byte(seed >> 8), byte(seed >> 16), byte(seed >> 24)})
	b := make([]byte, n)
	source.Read(b)
	return b
}
