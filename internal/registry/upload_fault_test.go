package registry_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"testing"

	"github.com/lighterage/lighterage/internal/blob"
	"github.com/lighterage/lighterage/internal/blob/blobtest"
	"github.com/lighterage/lighterage/internal/digest"
	"github.com/lighterage/lighterage/internal/fault"
	"github.com/lighterage/lighterage/internal/meta/metatest"
	"github.com/lighterage/lighterage/internal/name"
	"github.com/lighterage/lighterage/internal/registry"
)

// failing is a stream that breaks off.
type failing struct{ io.Reader }

func (f failing) Read(b []byte) (int, error) {
	n, err := f.Reader.Read(b)
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

func TestAClientThatGoesInTheMiddleOfABody(t *testing.T) {
	t.Parallel()
	b := openBreakable(t)
	k := b.create("app")
	for _, n := range []int{50_000, 600_000} {
		body := random(n, uint64(n))
		d := digest.Of(digest.SHA256, body)
		broken := func() (name.UploadID, int64) {
			id, err := b.StartUpload(b.ctx, k, digest.SHA256)
			b.must(err)
			_, err = b.AppendUpload(b.ctx, k, id, 0, failing{bytes.NewReader(body[:n/2])})
			b.want(err, fault.BodyMalformed)
			at, err := b.UploadOffset(b.ctx, k, id)
			b.must(err)
			if at != int64(n/2) {
				t.Fatalf("offset %d", at)
			}
			return id, at
		}
		// The whole body at the end of the half is not the layer; nothing is stored.
		id, _ := broken()
		b.want(b.FinishUpload(b.ctx, k, id, d, registry.Anywhere, bytes.NewReader(body)), fault.LayerMismatch)
		_, err := b.Layer(b.ctx, k, d)
		b.want(err, fault.LayerNotFound)
		// At its place it is refused, and the rest is taken.
		id, at := broken()
		b.want(b.FinishUpload(b.ctx, k, id, d, 0, bytes.NewReader(body)), fault.RangeInvalid)
		b.must(b.FinishUpload(b.ctx, k, id, d, at, bytes.NewReader(body[at:])))
		if !bytes.Equal(b.read(k, d), body) {
			t.Error("other bytes came back")
		}
		broken()
	}
	_, err := b.DeleteRepository(b.ctx, k, true)
	b.must(err)
	if b.Sessions() != 0 || b.counted.open != 0 {
		t.Errorf("%d uploads in memory, %d descriptors", b.Sessions(), b.counted.open)
	}
	b.deserted()
}

// half writes half of what it is given once, as a disk that fills up.
type half struct {
	blob.Store
	mu   sync.Mutex
	full int // writes that fail from now on
}

func (h *half) Create(ctx context.Context, at name.Location) (blob.Upload, error) {
	u, err := h.Store.Create(ctx, at)
	return halfUpload{u, h}, err
}

func (h *half) Resume(ctx context.Context, at name.Location, offset int64, state []byte) (blob.Upload, error) {
	u, err := h.Store.Resume(ctx, at, offset, state)
	if err != nil {
		return nil, err
	}
	return halfUpload{u, h}, nil
}

type halfUpload struct {
	blob.Upload
	store *half
}

func (u halfUpload) Write(b []byte) (int, error) {
	u.store.mu.Lock()
	defer u.store.mu.Unlock()
	if u.store.full == 0 {
		return u.Upload.Write(b)
	}
	u.store.full--
	n, err := u.Upload.Write(b[:len(b)/2])
	if err == nil {
		err = blob.ErrFull
	}
	return n, err
}

func TestADiskThatIsFullForAWhile(t *testing.T) {
	t.Parallel()
	var disk *half
	w := open(t, func(c *registry.Config) {
		disk = &half{Store: c.Blobs}
		c.Blobs = disk
	})
	k := w.create("app")
	full := func(n int) {
		disk.mu.Lock()
		defer disk.mu.Unlock()
		disk.full = n
	}
	{ // in a spill: the bytes are still in memory, and the upload goes on
		const first, failures = 100_000, 3
		body := random(700_000, uint64(first))
		id := w.begin(k, body[:first])
		full(failures)
		at := int64(first)
		for range failures {
			_, err := w.AppendUpload(w.ctx, k, id, at, bytes.NewReader(body[at:]))
			w.want(err, fault.StoreFull)
			if at, err = w.UploadOffset(w.ctx, k, id); err != nil {
				t.Fatal(err)
			}
		}
		d := digest.Of(digest.SHA256, body)
		w.must(w.FinishUpload(w.ctx, k, id, d, at, bytes.NewReader(body[at:])))
		if !bytes.Equal(w.read(k, d), body) {
			t.Error("other bytes came back")
		}
		if left := w.orphans([]registry.RepositoryKey{k}, []digest.Digest{d}); len(left) > 0 {
			t.Errorf("nothing names %v", left)
		}
	}
	{ // in the stream: the bytes make room at once, and the client begins again
		body := random(700_000, 11)
		id := w.begin(k, body[:300_000])
		row, _ := w.row(id)
		full(1)
		_, err := w.AppendUpload(w.ctx, k, id, 300_000, bytes.NewReader(body[300_000:]))
		w.want(err, fault.StoreFull)
		if _, err := w.config.Blobs.Open(w.ctx, row.Location); !errors.Is(err, blob.ErrNotFound) {
			t.Errorf("the bytes are still there: %v", err)
		}
		_, err = w.UploadOffset(w.ctx, k, id)
		w.want(err, fault.UploadNotFound)
		if got := w.read(k, w.push(k, body)); !bytes.Equal(got, body) {
			t.Error("other bytes came back")
		}
	}
	// An upload that is given up while its spill cannot succeed leaves nothing.
	id := w.begin(k, random(100_000, 9))
	full(1)
	_, err := w.AppendUpload(w.ctx, k, id, 100_000, bytes.NewReader(make([]byte, 100_000)))
	w.want(err, fault.StoreFull)
	w.must(w.CancelUpload(w.ctx, k, id))
	// One that is finished from memory after all consumes its row.
	body := random(100_000, 10)
	id = w.begin(k, body)
	full(1)
	_, err = w.AppendUpload(w.ctx, k, id, 100_000, bytes.NewReader(make([]byte, 100_000)))
	w.want(err, fault.StoreFull)
	w.must(w.FinishUpload(w.ctx, k, id, digest.Of(digest.SHA256, body), registry.Anywhere, nil))
	if _, there := w.row(id); there {
		t.Error("a finished upload has a row")
	}
	_, err = w.DeleteRepository(w.ctx, k, true)
	w.must(err)
	w.deserted()
}

// Clients of the AWS door send a part again that failed for a reason of the
// server's: it must not have counted, wherever it failed.
func TestAPartThatFailedCanBeSentAgain(t *testing.T) {
	t.Parallel()
	b := openBreakable(t)
	k := b.create("app")
	body := random(1_000_000, 11)
	d := digest.Of(digest.SHA256, body)
	parts := []int{0, 50_000, 100_000, 400_000, 1_000_000}
	updates, steps := 0, 0
	run := func(t *testing.T, n int) {
		t.Helper()
		id, err := b.StartUpload(b.ctx, k, digest.SHA256)
		b.must(err)
		for i, at := range parts[:len(parts)-1] {
			end := parts[i+1]
			send := func() error {
				_, err := b.AppendPart(b.ctx, k, id, registry.Part{First: int64(at), Last: int64(end - 1), Size: int64(end - at), Body: bytes.NewReader(body[at:end])})
				return err
			}
			if err := send(); err != nil {
				if err := send(); err != nil {
					t.Fatalf("part %d again: %v", i, err)
				}
			}
		}
		if n == 0 {
			updates, steps = b.faults.Updates(), len(b.faulty.Calls())
		}
		b.heal()
		_, err = b.CompleteUpload(b.ctx, k, id, []digest.Digest{d})
		if n == 0 {
			b.must(err)
		} else {
			b.want(err, fault.LayerExists)
		}
		if counted, held := b.Buffered(); counted != held || held != 0 {
			t.Errorf("%d bytes are counted as buffered, %d are", counted, held)
		}
	}
	created := b.faults.Updates()
	run(t, 0)
	updates -= created
	if !bytes.Equal(b.read(k, d), body) {
		t.Fatal("other bytes came back")
	}
	n := 0
	for i := 1; i <= updates; i++ {
		for _, mode := range []metatest.Mode{metatest.NotApplied, metatest.Applied} {
			t.Run(fmt.Sprintf("update %d %s", i, blobtest.Modes[mode]), func(t *testing.T) {
				b.faults.FailUpdate(i, mode)
				n++
				run(t, n)
			})
		}
	}
	for i := range steps {
		for _, mode := range blobtest.Modes {
			t.Run(fmt.Sprintf("step %d %s", i, mode), func(t *testing.T) {
				b.faulty.FailAt(i, mode, errBroken)
				n++
				run(t, n)
			})
		}
	}
	if n < 20 {
		t.Errorf("only %d faults", n)
	}
	if left := b.orphans([]registry.RepositoryKey{k}, []digest.Digest{d}); len(left) > 0 {
		t.Errorf("nothing names %v", left)
	}
}

// watching is a stream that looks on at some point of it.
type watching struct {
	at   int
	look func()
}

func (s *watching) Read(b []byte) (int, error) {
	if s.at <= 0 {
		s.look()
		return 0, io.EOF
	}
	n := min(len(b), s.at)
	s.at -= n
	return n, nil
}
