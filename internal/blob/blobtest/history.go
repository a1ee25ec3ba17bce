package blobtest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"testing"

	"github.com/lighterage/lighterage/internal/blob"
	"github.com/lighterage/lighterage/internal/name"
)

// seeds are histories that are told again on every run: the first ones for
// breadth, any that failed once for memory. One more is drawn each time.
var seeds = []uint64{1, 2, 3, 4, 5, 6, 7, 8}

const (
	historySteps = 150
	historyBytes = 300_000 // of one write, at most
)

func histories(t *testing.T, open Opener) {
	for _, seed := range append([]uint64{rand.Uint64()}, seeds...) {
		t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) {
			h := &history{bench: newBench(t, open), rand: rand.New(rand.NewPCG(seed, seed))}
			for range historySteps {
				h.step()
			}
			h.finish()
		})
	}
}

// history does random things to a store and to its model.
type history struct {
	*bench
	rand  *rand.Rand
	blobs []*model
}

// model is what a location must be.
type model struct {
	at      name.Location
	bytes   []byte
	upload  blob.Upload // nil: closed, sealed or lost in a crash
	noted   int         // bytes under the last checkpoint; -1: there was none
	state   []byte      // of the last checkpoint
	sealed  bool
	removed bool
}

func (h *history) step() {
	h.t.Helper()
	if len(h.blobs) == 0 || h.rand.IntN(8) == 0 {
		at := h.NewLocation()
		h.blobs = append(h.blobs, &model{at: at, upload: h.create(at), noted: -1})
		return
	}
	m := h.blobs[h.rand.IntN(len(h.blobs))]
	switch n := h.rand.IntN(100); {
	case n < 45:
		h.write(m)
	case n < 60:
		h.checkpoint(m)
	case n < 72:
		h.resume(m)
	case n < 80:
		h.seal(m)
	case n < 90:
		h.read(m)
	case n < 93:
		h.remove(m)
	case n < 96 && m.upload != nil:
		m.upload.Close()
		h.ended(m.upload)
		m.upload = nil
	default:
		h.crash()
	}
}

func (h *history) write(m *model) {
	h.t.Helper()
	if m.upload == nil {
		return
	}
	chunk := body(h.rand.Uint64(), h.rand.IntN(historyBytes))
	h.bench.write(m.upload, chunk)
	m.bytes = append(m.bytes, chunk...)
	if got := m.upload.Offset(); got != int64(len(m.bytes)) {
		h.t.Fatalf("%s stands at %d, want %d", m.at, got, len(m.bytes))
	}
}

func (h *history) checkpoint(m *model) {
	h.t.Helper()
	if m.upload != nil {
		m.state, m.noted = h.bench.checkpoint(m.upload), len(m.bytes)
	}
}

// resume goes back to the last checkpoint, whatever was written since.
func (h *history) resume(m *model) {
	h.t.Helper()
	if m.sealed || m.removed || m.noted < 0 {
		return
	}
	former := m.upload
	m.upload = h.bench.resume(m.at, int64(m.noted), m.state)
	m.bytes = m.bytes[:m.noted:m.noted]
	if former != nil {
		h.ended(former)
	}
}

func (h *history) seal(m *model) {
	h.t.Helper()
	if m.upload != nil {
		h.bench.seal(m.upload)
		h.ended(m.upload)
		m.upload, m.sealed = nil, true
	}
}

func (h *history) read(m *model) {
	h.t.Helper()
	switch {
	case m.removed:
		h.gone(m.at)
	case m.sealed:
		h.readRange(m)
	}
}

func (h *history) readRange(m *model) {
	h.t.Helper()
	r, err := h.Open(h.t.Context(), m.at)
	if err != nil {
		h.t.Fatalf("open %s: %v", m.at, err)
	}
	defer r.Close()
	from := h.rand.IntN(len(m.bytes) + 1)
	to := from + h.rand.IntN(len(m.bytes)-from+1)
	if _, err := r.Seek(int64(from), io.SeekStart); err != nil {
		h.t.Fatalf("seek: %v", err)
	}
	got := make([]byte, to-from)
	if _, err := io.ReadFull(r, got); err != nil || !bytes.Equal(got, m.bytes[from:to]) {
		h.t.Fatalf("%s: bytes %d to %d are others (%v)", m.at, from, to, err)
	}
}

func (h *history) remove(m *model) {
	h.t.Helper()
	if err := h.Remove(h.t.Context(), m.at); err != nil {
		h.t.Fatalf("remove: %v", err)
	}
	if m.upload != nil {
		h.ended(m.upload)
	}
	m.upload, m.removed = nil, true
}

func (h *history) crash() {
	h.t.Helper()
	h.bench.crash()
	for _, m := range h.blobs {
		m.upload = nil
	}
}

// finish looks at everything in a last process.
func (h *history) finish() {
	h.t.Helper()
	h.crash()
	for _, m := range h.blobs {
		switch {
		case m.removed:
			h.gone(m.at)
			continue
		case m.sealed:
			if _, err := h.Resume(h.t.Context(), m.at, 0, nil); !errors.Is(err, blob.ErrClosed) {
				h.t.Errorf("resume of the sealed %s: %v, want ErrClosed", m.at, err)
			}
		case m.noted < 0:
			continue // never noted, so nobody knows of it
		default:
			h.resume(m)
			h.seal(m)
		}
		h.holds(m.at, m.bytes)
	}
}
