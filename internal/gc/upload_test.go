package gc_test

import (
	"bytes"
	"testing"
	"time"

	"github.com/lighterage/lighterage/internal/digest"
	"github.com/lighterage/lighterage/internal/fault"
	"github.com/lighterage/lighterage/internal/gc"
	"github.com/lighterage/lighterage/internal/registry"
)

func TestAnUploadThatWasGivenUpGoesWithItsBytes(t *testing.T) {
	w := open(t)
	k := w.create("app")
	id, err := w.StartUpload(w.ctx, k, digest.SHA256)
	w.must(err)
	_, err = w.AppendUpload(w.ctx, k, id, 0, bytes.NewReader(large("a")))
	w.must(err)
	w.must(w.Close(w.ctx)) // its process ended
	w.runs(pushTTL-time.Second, gc.Tally{})
	if w.files() != 1 {
		t.Fatalf("%d files", w.files())
	}
	w.runs(time.Second, gc.Tally{Uploads: 1, Locations: 1})
	if w.files() != 0 {
		t.Errorf("%d files", w.files())
	}
	if _, err := w.UploadOffset(w.ctx, k, id); !fault.Is(err, fault.UploadNotFound) {
		t.Errorf("offset: %v", err)
	}
}

// The process still has the file open: writing on must do no harm and end with
// the fault that says why.
func TestAnUploadThatIsStillWrittenToExpires(t *testing.T) {
	w := open(t)
	k := w.create("app")
	id, err := w.StartUpload(w.ctx, k, digest.SHA256)
	w.must(err)
	body := large("a")
	_, err = w.AppendUpload(w.ctx, k, id, 0, bytes.NewReader(body))
	w.must(err)
	w.runs(pushTTL, gc.Tally{Uploads: 1, Locations: 1})
	err = w.FinishUpload(w.ctx, k, id, digest.Of(digest.SHA256, append(body, "more"...)), registry.Anywhere, bytes.NewReader([]byte("more")))
	if err == nil {
		t.Error("an upload without bytes was finished")
	}
	if _, err := w.Layer(w.ctx, k, digest.Of(digest.SHA256, append(body, "more"...))); !fault.Is(err, fault.LayerNotFound) {
		t.Errorf("layer: %v", err)
	}
	w.runs(pushTTL, gc.Tally{})
	if w.files() != 0 {
		t.Errorf("%d files", w.files())
	}
	w.readable(k, w.layer(k, body)) // the same bytes again
}

func TestAFinishedUploadIsNoUpload(t *testing.T) {
	w := open(t)
	k := w.create("app")
	d := w.image(k, "a")
	w.runs(100*pushTTL, gc.Tally{})
	w.whole(k, d)
}
