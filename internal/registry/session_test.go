package registry_test

import (
	"bytes"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/lighterage/lighterage/internal/digest"
	"github.com/lighterage/lighterage/internal/fault"
	"github.com/lighterage/lighterage/internal/meta"
	"github.com/lighterage/lighterage/internal/name"
	"github.com/lighterage/lighterage/internal/registry"
)

// begin starts an upload with the bytes in it.
func (w *world) begin(k registry.RepositoryKey, body []byte) name.UploadID {
	w.t.Helper()
	id, err := w.StartUpload(w.ctx, k, digest.SHA256)
	w.must(err)
	at, err := w.AppendUpload(w.ctx, k, id, 0, bytes.NewReader(body))
	w.must(err)
	if at != int64(len(body)) {
		w.t.Fatalf("%d bytes of %d", at, len(body))
	}
	return id
}

func (w *world) row(id name.UploadID) (row meta.Upload, there bool) {
	w.t.Helper()
	err := w.meta.View(w.ctx, func(tx meta.Tx) (err error) {
		row, err = tx.Upload(id, meta.NoLock)
		return err
	})
	if !errors.Is(err, meta.ErrNotFound) {
		w.must(err)
	}
	return row, err == nil
}

func TestAnUploadPastItsTimeIsUnknownInMemoryToo(t *testing.T) {
	t.Parallel()
	b := openBreakable(t)
	k := b.create("app")
	for _, n := range []int{0, 1000, 300_000} {
		id := b.begin(k, random(n, 1))
		b.clock.Advance(24*time.Hour - time.Second)
		_, err := b.UploadOffset(b.ctx, k, id)
		b.must(err)
		b.clock.Advance(time.Second)
		for range 2 {
			_, err = b.UploadOffset(b.ctx, k, id)
			b.want(err, fault.UploadNotFound)
			b.want(b.CancelUpload(b.ctx, k, id), fault.UploadNotFound)
		}
		b.clock.Advance(time.Minute)
		b.must(b.ParkUploads(b.ctx))
		if _, there := b.row(id); there || b.Sessions() != 0 || b.counted.open != 0 {
			t.Errorf("%d bytes: a row is there %v, %d uploads in memory, %d descriptors", n, there, b.Sessions(), b.counted.open)
		}
	}
	b.deserted()
}

func TestWhatHasARowSurvivesACrash(t *testing.T) {
	t.Parallel()
	w := open(t)
	k := w.create("app")
	body := random(3000, 2)
	id := w.begin(k, nil)
	w.stop(true) // which gives it a row
	w.start()
	_, err := w.AppendUpload(w.ctx, k, id, 0, bytes.NewReader(body[:1000]))
	w.must(err)
	w.stop(false)
	w.start()
	at, err := w.AppendUpload(w.ctx, k, id, 1000, bytes.NewReader(body[1000:]))
	w.must(err)
	if at != 3000 {
		t.Fatalf("offset %d", at)
	}
	d := digest.Of(digest.SHA256, body)
	w.must(w.FinishUpload(w.ctx, k, id, d, registry.Anywhere, nil))
	if !bytes.Equal(w.read(k, d), body) {
		t.Error("other bytes came back")
	}
}

// Of many requests for a parked upload each could open it, and close the
// writer of the one before.
func TestManyWhoAskForAParkedUploadShareOneWriter(t *testing.T) {
	t.Parallel()
	b := openBreakable(t)
	k := b.create("app")
	for round := range 10 {
		body := random(400_000, uint64(round))
		id := b.begin(k, body[:300_000])
		b.clock.Advance(2 * time.Minute)
		b.must(b.ParkUploads(b.ctx))
		if b.counted.open != 0 || b.Sessions() != 0 {
			t.Fatalf("%d descriptors and %d uploads after parking", b.counted.open, b.Sessions())
		}
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				if at, err := b.UploadOffset(b.ctx, k, id); err != nil || at != 300_000 {
					t.Errorf("offset %d: %v", at, err)
				}
			})
		}
		wg.Wait()
		b.must(b.FinishUpload(b.ctx, k, id, digest.Of(digest.SHA256, body), 300_000, bytes.NewReader(body[300_000:])))
	}
	if b.counted.open != 0 {
		t.Errorf("%d descriptors are left open", b.counted.open)
	}
}

func TestAForeignRequestDoesNotDisturbAParkedUpload(t *testing.T) {
	t.Parallel()
	w := open(t)
	k, other := w.create("app"), w.create("other")
	id := w.begin(k, random(300_000, 3))
	w.clock.Advance(2 * time.Minute)
	w.must(w.ParkUploads(w.ctx))
	before, _ := w.row(id)
	_, err := w.UploadOffset(w.ctx, other, id)
	w.want(err, fault.UploadNotFound)
	if after, _ := w.row(id); after.Fence != before.Fence || w.Sessions() != 0 {
		t.Errorf("fence %d after %d, %d uploads in memory", after.Fence, before.Fence, w.Sessions())
	}
	_, err = w.UploadOffset(w.ctx, k, id)
	w.must(err)
}

// A row may go while its upload is in memory: the collector took it, or
// another process has it. Nothing may be kept for it.
func TestAnUploadThatLostItsRowLeavesMemory(t *testing.T) {
	t.Parallel()
	b := openBreakable(t)
	k := b.create("app")
	body := random(400_000, 4)
	for _, c := range []struct {
		name string
		lose func(tx meta.Tx, id name.UploadID) error
		use  func(id name.UploadID) error
	}{
		{"gone, more bytes", deleteRow, func(id name.UploadID) error {
			_, err := b.AppendUpload(b.ctx, k, id, 300_000, bytes.NewReader(body[300_000:]))
			return err
		}},
		{"gone, finished", deleteRow, func(id name.UploadID) error {
			return b.FinishUpload(b.ctx, k, id, digest.Of(digest.SHA256, body[:300_000]), registry.Anywhere, nil)
		}},
		{"gone, a part", deleteRow, func(id name.UploadID) error {
			_, err := b.AppendPart(b.ctx, k, id, registry.Part{First: 300_000, Last: 399_999, Size: 100_000, Body: bytes.NewReader(body[300_000:])})
			return err
		}},
		{"taken over, more bytes", raiseFence, func(id name.UploadID) error {
			_, err := b.AppendUpload(b.ctx, k, id, 300_000, bytes.NewReader(body[300_000:]))
			return err
		}},
	} {
		id := b.begin(k, body[:300_000])
		b.must(b.meta.Update(b.ctx, func(tx meta.Tx) error { return c.lose(tx, id) }))
		if err := c.use(id); !fault.Is(err, fault.UploadNotFound) {
			t.Errorf("%s: %v", c.name, err)
		}
		if b.Sessions() != 0 || b.counted.open != 0 {
			t.Fatalf("%s: %d uploads in memory, %d descriptors", c.name, b.Sessions(), b.counted.open)
		}
	}
}

func deleteRow(tx meta.Tx, id name.UploadID) error { return tx.DeleteUpload(id) }

func raiseFence(tx meta.Tx, id name.UploadID) error {
	_, err := tx.FenceUpload(id)
	return err
}

func TestALongStreamIsCheckpointed(t *testing.T) {
	t.Parallel()
	w := open(t)
	k := w.create("app")
	id := w.begin(k, nil)
	const n = 65 << 20
	looked := false
	_, err := w.AppendUpload(w.ctx, k, id, 0, &watching{n, func() {
		looked = true
		row, there := w.row(id)
		if !there || row.Offset < 64<<20 || row.Offset > n {
			t.Errorf("in the middle of the stream the row says %d", row.Offset)
		}
	}})
	w.must(err)
	if !looked {
		t.Error("the stream was not read to its end")
	}
	w.stop(false)
	w.start()
	at, err := w.UploadOffset(w.ctx, k, id)
	w.must(err)
	if at != n {
		t.Errorf("after a crash: offset %d", at)
	}
	w.must(w.CancelUpload(w.ctx, k, id))
}

// More uploads are begun than are kept in memory, and nobody goes on with
// them: others still get through, and those too, when they come back.
func TestTenThousandHalfOpenUploads(t *testing.T) {
	t.Parallel()
	b := openBreakable(t)
	k := b.create("app")
	const most = 10_000
	var first name.UploadID
	for i := range most {
		id, err := b.StartUpload(b.ctx, k, digest.SHA256)
		b.must(err)
		if i == 0 {
			first = id
			_, err = b.AppendUpload(b.ctx, k, id, 0, bytes.NewReader(random(1000, 12)))
			b.must(err)
		}
		if i%1000 == 0 {
			b.clock.Advance(time.Millisecond) // the first is the oldest
		}
	}
	if n := b.Sessions(); n != most {
		t.Fatalf("%d uploads in memory", n)
	}
	for i := range 5 {
		b.push(k, random(1000+i, 13))
		b.push(k, random(200_000+i, 14))
	}
	if n := b.Sessions(); n > most {
		t.Errorf("%d uploads in memory", n)
	}
	if row, there := b.row(first); !there || row.Offset != 1000 {
		t.Errorf("the oldest was not parked: %+v", row)
	}
	body := random(1000, 12)
	b.must(b.FinishUpload(b.ctx, k, first, digest.Of(digest.SHA256, body), 1000, nil))
	_, err := b.DeleteRepository(b.ctx, k, true)
	b.must(err)
	b.deserted()
	if b.counted.open != 0 {
		t.Errorf("%d descriptors are left open", b.counted.open)
	}
}
