package registry_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lighterage/lighterage/internal/digest"
	"github.com/lighterage/lighterage/internal/fault"
	"github.com/lighterage/lighterage/internal/meta"
	"github.com/lighterage/lighterage/internal/meta/metatest"
	"github.com/lighterage/lighterage/internal/registry"
)

func random(n int, seed uint64) []byte {
	b := make([]byte, n)
	rand.NewChaCha8([32]byte{byte(seed), byte(seed >> 8)}).Read(b)
	return b
}

func TestUploadsOfEverySizeComeBack(t *testing.T) {
	t.Parallel()
	w := open(t)
	k := w.create("app")
	for _, n := range []int{0, 1, 128<<10 - 1, 128 << 10, 128<<10 + 1, 256 << 10, 3<<20 + 7} {
		body := random(n, uint64(n))
		d := w.push(k, body)
		if got := w.read(k, d); !bytes.Equal(got, body) {
			t.Errorf("%d bytes came back as %d", n, len(got))
		}
	}
}

func TestAnUploadGrowsInChunks(t *testing.T) {
	t.Parallel()
	w := open(t)
	k := w.create("app")
	for _, chunkSize := range []int{1000, 100_000, 300_000} {
		body := random(700_000, uint64(chunkSize))
		id, err := w.StartUpload(w.ctx, k, digest.SHA256)
		w.must(err)
		for at := 0; at < len(body); at += chunkSize {
			end := min(at+chunkSize, len(body))
			got, err := w.AppendUpload(w.ctx, k, id, int64(at), bytes.NewReader(body[at:end]))
			w.must(err)
			if got != int64(end) {
				t.Fatalf("offset %d, want %d", got, end)
			}
			_, err = w.AppendUpload(w.ctx, k, id, int64(at), bytes.NewReader(body[at:end]))
			if f := w.want(err, fault.RangeInvalid); f.LastByte != int64(end-1) {
				t.Fatalf("a chunk again: last byte %d, want %d", f.LastByte, end-1)
			}
		}
		d := digest.Of(digest.SHA256, body)
		w.must(w.FinishUpload(w.ctx, k, id, d, registry.Anywhere, nil))
		if !bytes.Equal(w.read(k, d), body) {
			t.Errorf("chunks of %d: other bytes came back", chunkSize)
		}
		w.want(w.FinishUpload(w.ctx, k, id, d, registry.Anywhere, nil), fault.UploadNotFound)
	}
}

func TestALyingDigestStoresNothing(t *testing.T) {
	t.Parallel()
	w := open(t)
	k := w.create("app")
	for _, n := range []int{10, 300_000} {
		body := random(n, 1)
		lie := digest.Of(digest.SHA256, []byte("other"))
		id, err := w.StartUpload(w.ctx, k, digest.SHA256)
		w.must(err)
		w.want(w.FinishUpload(w.ctx, k, id, lie, registry.Anywhere, bytes.NewReader(body)), fault.LayerMismatch)
		_, err = w.Layer(w.ctx, k, lie)
		w.want(err, fault.LayerNotFound)
		_, err = w.Layer(w.ctx, k, digest.Of(digest.SHA256, body))
		w.want(err, fault.LayerNotFound)
		_, err = w.UploadOffset(w.ctx, k, id)
		w.want(err, fault.UploadNotFound)
	}
}

func TestAnAlgorithmLearnedAtTheEndCostsAReread(t *testing.T) {
	t.Parallel()
	w := open(t)
	k := w.create("app")
	for _, n := range []int{10, 300_000} {
		body := random(n, 2)
		id, err := w.StartUpload(w.ctx, k, digest.SHA256)
		w.must(err)
		d := digest.Of(digest.SHA512, body)
		w.must(w.FinishUpload(w.ctx, k, id, d, registry.Anywhere, bytes.NewReader(body)))
		if !bytes.Equal(w.read(k, d), body) {
			t.Errorf("%d bytes: others came back", n)
		}
	}
}

// An upload whose bytes had a row continues after a crash exactly where its
// last answer said; one that was only in memory is unknown; after a graceful
// stop both continue.
func TestUploadsAcrossRestarts(t *testing.T) {
	t.Parallel()
	w := open(t)
	for _, c := range []struct {
		name     string
		first    int
		graceful bool
		boot     string
		survives bool
	}{
		{"small, crash", 1000, false, "boot-1", false},
		{"small, stop", 1000, true, "boot-1", true},
		{"large, crash", 500_000, false, "boot-1", true},
		{"large, crash of the machine", 500_000, false, "boot-2", true},
		{"large, stop", 500_000, true, "boot-1", true},
		{"empty, stop", 0, true, "boot-1", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			k := w.create(strings.Map(letter, strings.ToLower(c.name)))
			body := random(900_000, 3)
			id, err := w.StartUpload(w.ctx, k, digest.SHA256)
			w.must(err)
			_, err = w.AppendUpload(w.ctx, k, id, 0, bytes.NewReader(body[:c.first]))
			w.must(err)
			w.stop(c.graceful)
			w.start(func(r *registry.Config) { r.BootID = c.boot })
			got, err := w.UploadOffset(w.ctx, k, id)
			if !c.survives {
				w.want(err, fault.UploadNotFound)
				return
			}
			w.must(err)
			if got != int64(c.first) {
				t.Fatalf("offset %d, want %d", got, c.first)
			}
			d := digest.Of(digest.SHA256, body)
			w.must(w.FinishUpload(w.ctx, k, id, d, got, bytes.NewReader(body[got:])))
			if !bytes.Equal(w.read(k, d), body) {
				t.Error("other bytes came back")
			}
		})
	}
}

func TestAnUploadSealedButNotCommittedIsUnknownAfterACrash(t *testing.T) {
	t.Parallel()
	w := open(t)
	k := w.create("app")
	faults := metatest.NewFaults(w.meta)
	w.config.Meta = faults
	w.Catalogue = registry.New(w.config)
	body := random(500_000, 9)
	id, err := w.StartUpload(w.ctx, k, digest.SHA256)
	w.must(err)
	_, err = w.AppendUpload(w.ctx, k, id, 0, bytes.NewReader(body))
	w.must(err)
	faults.FailUpdate(1, metatest.NotApplied)
	if err := w.FinishUpload(w.ctx, k, id, digest.Of(digest.SHA256, body), registry.Anywhere, nil); err == nil {
		t.Fatal("finished without a commit")
	}
	w.stop(false)
	w.start()
	_, err = w.UploadOffset(w.ctx, k, id)
	w.want(err, fault.UploadNotFound)
	w.push(k, body)
}

func TestParkedUploadsContinue(t *testing.T) {
	t.Parallel()
	w := open(t)
	k := w.create("app")
	body := random(1000, 4)
	id, err := w.StartUpload(w.ctx, k, digest.SHA256)
	w.must(err)
	_, err = w.AppendUpload(w.ctx, k, id, 0, bytes.NewReader(body[:500]))
	w.must(err)
	w.must(w.ParkUploads(w.ctx))
	w.clock.Advance(2 * time.Minute)
	w.must(w.ParkUploads(w.ctx))
	var row meta.Upload
	w.must(w.meta.View(w.ctx, func(tx meta.Tx) (err error) { row, err = tx.Upload(id, meta.NoLock); return err }))
	if row.Offset != 500 || row.Location == "" {
		t.Fatalf("parked as %+v", row)
	}
	w.must(w.FinishUpload(w.ctx, k, id, digest.Of(digest.SHA256, body), 500, bytes.NewReader(body[500:])))
}

func TestAnExpiredUploadIsUnknown(t *testing.T) {
	t.Parallel()
	w := open(t)
	k := w.create("app")
	id, err := w.StartUpload(w.ctx, k, digest.SHA256)
	w.must(err)
	w.stop(true)
	w.start()
	w.clock.Advance(25 * time.Hour)
	_, err = w.UploadOffset(w.ctx, k, id)
	w.want(err, fault.UploadNotFound)
}

func TestAnUploadBelongsToItsRepository(t *testing.T) {
	t.Parallel()
	w := open(t)
	k, other := w.create("app"), w.create("other")
	id, err := w.StartUpload(w.ctx, k, digest.SHA256)
	w.must(err)
	_, err = w.AppendUpload(w.ctx, other, id, 0, strings.NewReader("x"))
	w.want(err, fault.UploadNotFound)
	_, err = w.DeleteRepository(w.ctx, k, true)
	w.must(err)
	_, err = w.CreateRepository(w.ctx, k, registry.Defaults(), nil)
	w.must(err)
	_, err = w.AppendUpload(w.ctx, k, id, 0, strings.NewReader("x"))
	w.want(err, fault.UploadNotFound)
}

func TestConcurrentChunksNeverMix(t *testing.T) {
	t.Parallel()
	w := open(t)
	k := w.create("app")
	id, err := w.StartUpload(w.ctx, k, digest.SHA256)
	w.must(err)
	body := random(400_000, 5)
	var wg sync.WaitGroup
	errs := make([]error, 8)
	for i := range errs {
		wg.Go(func() { _, errs[i] = w.AppendUpload(w.ctx, k, id, 0, bytes.NewReader(body)) })
	}
	wg.Wait()
	won := 0
	for _, err := range errs {
		if err == nil {
			won++
		} else if !fault.Is(err, fault.RangeInvalid) {
			t.Errorf("a loser got %v", err)
		}
	}
	if won != 1 {
		t.Fatalf("%d of the same chunks were taken", won)
	}
	w.must(w.FinishUpload(w.ctx, k, id, digest.Of(digest.SHA256, body), registry.Anywhere, nil))
}

// stuck is a stream that gives some bytes and then nothing until it is freed.
type stuck struct {
	io.Reader
	free chan struct{}
}

func (s *stuck) Read(b []byte) (int, error) {
	n, err := s.Reader.Read(b)
	if err == io.EOF {
		<-s.free
		return 0, errors.New("connection lost")
	}
	return n, err
}

func TestAStalledWriterIsTakenOverAndCanWriteNoMore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := open(t, func(c *registry.Config) { c.Clock = time.Now })
		k := w.create("app")
		body := random(600_000, 6)
		id, err := w.StartUpload(w.ctx, k, digest.SHA256)
		w.must(err)
		old := &stuck{bytes.NewReader(body[:300_000]), make(chan struct{})}
		done := make(chan error, 1)
		go func() {
			_, err := w.AppendUpload(context.Background(), k, id, 0, old)
			done <- err
		}()
		synctest.Wait()
		got, err := w.UploadOffset(w.ctx, k, id) // waits until the holder counts as stalled
		w.must(err)
		if got != 262_144 { // whole chunks of the stream that was cut
			t.Fatalf("offset %d", got)
		}
		d := digest.Of(digest.SHA256, body)
		w.must(w.FinishUpload(w.ctx, k, id, d, got, bytes.NewReader(body[got:])))
		close(old.free)
		if err := <-done; err == nil {
			t.Error("the old writer was told that its bytes count")
		}
		if !bytes.Equal(w.read(k, d), body) {
			t.Error("other bytes came back")
		}
		w.stop(false)
	})
}

func TestPartsOfTheAWSDoor(t *testing.T) {
	t.Parallel()
	w := open(t, func(c *registry.Config) { c.Limits.LayerParts = 3 })
	k := w.create("app")
	part := func(first int64, body string) registry.Part {
		return registry.Part{First: first, Last: first + int64(len(body)) - 1, Size: int64(len(body)), Body: strings.NewReader(body)}
	}
	start := func() func(p registry.Part) (int64, error) {
		id, err := w.StartUpload(w.ctx, k, digest.SHA256)
		w.must(err)
		return func(p registry.Part) (int64, error) { return w.AppendPart(w.ctx, k, id, p) }
	}
	add := start()
	last, err := add(part(0, "12345678"))
	w.must(err)
	if last != 7 {
		t.Errorf("last byte %d", last)
	}
	for _, bad := range []registry.Part{
		part(0, "12345678"),
		part(9, "12345678"),
		{First: 8, Last: 20, Size: 8, Body: strings.NewReader("12345678")},
		{First: 8, Last: 7, Size: 0, Body: strings.NewReader("")},
	} {
		_, err := add(bad)
		if f := w.want(err, fault.UploadPartInvalid); f.LastByte != 7 {
			t.Errorf("%+v: last valid byte %d", bad, f.LastByte)
		}
	}
	_, err = add(part(8, "12345678"))
	w.must(err)
	_, err = add(part(16, "12345678"))
	w.must(err)
	_, err = add(part(24, "12345678"))
	w.want(err, fault.UploadPartCount)

	complete := func(parts ...string) error {
		id, err := w.StartUpload(w.ctx, k, digest.SHA256)
		w.must(err)
		at, all := int64(0), ""
		for _, p := range parts {
			_, err := w.AppendPart(w.ctx, k, id, part(at, p))
			w.must(err)
			at, all = at+int64(len(p)), all+p
		}
		_, err = w.CompleteUpload(w.ctx, k, id, []digest.Digest{digest.Of(digest.SHA256, []byte("lie")), digest.Of(digest.SHA256, []byte(all))})
		return err
	}
	w.want(complete(), fault.UploadEmpty)
	w.want(complete("123", "12345678"), fault.UploadPartSmall)
	w.want(complete("12345678", "1", "2"), fault.UploadPartSmall)
	w.must(complete("12345678", "1"))
	w.must(complete("1"))
	w.want(complete("1"), fault.LayerExists)
}

func TestALayerTooLargeIsRefused(t *testing.T) {
	t.Parallel()
	w := open(t, func(c *registry.Config) { c.Limits.LayerSize = 1000 })
	k := w.create("app")
	id, err := w.StartUpload(w.ctx, k, digest.SHA256)
	w.must(err)
	_, err = w.AppendUpload(w.ctx, k, id, 0, bytes.NewReader(make([]byte, 1001)))
	w.want(err, fault.LayerTooLarge)
}

func TestManyPushesOfOneLayer(t *testing.T) {
	t.Parallel()
	w := open(t)
	k := w.create("app")
	for _, n := range []int{1000, 200_000} {
		body := random(n, uint64(n))
		d := digest.Of(digest.SHA256, body)
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				id, err := w.StartUpload(w.ctx, k, digest.SHA256)
				if err == nil {
					err = w.FinishUpload(w.ctx, k, id, d, registry.Anywhere, bytes.NewReader(body))
				}
				if err != nil {
					t.Errorf("push: %v", err)
				}
			})
		}
		wg.Wait()
		if !bytes.Equal(w.read(k, d), body) {
			t.Error("other bytes came back")
		}
	}
}

func TestMemoryOfBuffersIsBounded(t *testing.T) {
	t.Parallel()
	w := open(t)
	k := w.create("app")
	body := random(128<<10, 7)
	for i := range 300 { // 37.5 MiB of bodies over a budget of 32
		id, err := w.StartUpload(w.ctx, k, digest.SHA256)
		w.must(err)
		_, err = w.AppendUpload(w.ctx, k, id, 0, bytes.NewReader(body))
		w.must(err)
		if i == 299 {
			var row meta.Upload
			w.must(w.meta.View(w.ctx, func(tx meta.Tx) (err error) { row, err = tx.Upload(id, meta.NoLock); return err }))
			if row.Location == "" {
				t.Error("the last body is in memory")
			}
			w.must(w.FinishUpload(w.ctx, k, id, digest.Of(digest.SHA256, body), registry.Anywhere, nil))
		}
	}
}
