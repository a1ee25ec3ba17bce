package gc_test

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lighterage/lighterage/internal/digest"
	"github.com/lighterage/lighterage/internal/gc"
	"github.com/lighterage/lighterage/internal/registry"
)

// plan reads all pages of a plan, in words.
func (w *world) plan(limit int) (lines []string) {
	w.t.Helper()
	for page := ""; ; {
		p, err := w.gc.Plan(w.ctx, page, limit)
		w.must(err)
		if !p.At.Equal(w.clock.Now()) {
			w.t.Errorf("the plan is of %s", p.At)
		}
		for _, l := range p.Lines {
			object, _, _ := strings.Cut(l.Object, ":")
			lines = append(lines, fmt.Sprintf("%s: %s, %d bytes after %s: %s", l.Kind, object, l.Bytes, l.Due.Sub(w.clock.Now()), l.Why))
		}
		if page = p.Next; page == "" {
			return lines
		}
	}
}

// plans compares a plan in pages of several sizes.
func (w *world) plans(want ...string) {
	w.t.Helper()
	for _, limit := range []int{1, 2, 1000} {
		if diff := cmp.Diff(want, w.plan(limit)); diff != "" {
			w.t.Errorf("planned in pages of %d (-want +got):\n%s", limit, diff)
		}
	}
}

func TestAPlanIsWhatRunsDo(t *testing.T) {
	w := open(t)
	w.plans()
	k := w.create("app")
	lone := len(large("lone"))
	w.layer(k, large("lone"))
	w.plans(fmt.Sprintf("layer: layer sha256, %d bytes after 1h0m0s: no image refers to it", lone))

	w.clock.Advance(time.Minute)
	d := w.image(k, "kept", "v1") // its layers are looked at, and stay
	w.plans(fmt.Sprintf("layer: layer sha256, %d bytes after 59m0s: no image refers to it", lone))

	other := w.create("other")
	gone := w.image(other, "kept") // whose layers have two holders now
	w.clock.Advance(time.Second)
	w.delete(other, gone)
	w.runs(0, gc.Tally{Locations: 1}) // what came again was not needed
	id, err := w.StartUpload(w.ctx, k, digest.SHA256)
	w.must(err)
	_, err = w.AppendUpload(w.ctx, k, id, 0, bytes.NewReader(make([]byte, 150<<10)))
	w.must(err)
	w.must(w.ParkUploads(w.ctx))
	w.service()
	push := w.image(hidden, "push")
	size := int64(0)
	if i, err := w.Image(w.ctx, hidden, byDigest(push)); err != nil {
		t.Fatal(err)
	} else {
		size = i.ManifestSize
	}
	uploaded := "upload: upload " + string(id) + ", 153600 bytes after 24h0m0s: it was not finished in its time"
	w.plans(
		fmt.Sprintf("layer: layer sha256, %d bytes after 58m59s: no image refers to it", lone),
		"layer: layer sha256, 0 bytes after 1h0m0s: no image refers to it",
		"layer: layer sha256, 0 bytes after 1h0m0s: no image refers to it",
		fmt.Sprintf("push: image sha256, %d bytes after 24h0m0s: it was not registered in time", size),
		uploaded,
	)

	w.clock.Advance(59*time.Minute - time.Second)
	now := w.plan(1000)
	if len(now) != 5 || !strings.Contains(now[0], "after 0s") || strings.Contains(now[1], "after 0s") {
		t.Errorf("planned after an hour: %s", strings.Join(now, "\n"))
	}
	w.runs(0, gc.Tally{Layers: 1})
	w.clock.Advance(time.Minute + time.Second)
	w.runs(0, gc.Tally{Layers: 2})
	w.runs(urlTTL-time.Minute-time.Second, gc.Tally{Locations: 1, Bytes: int64(lone)})
	w.runs(pushTTL, gc.Tally{Images: 1, Uploads: 1, Locations: 1, Bytes: 150 << 10})
	w.whole(k, d)
	w.plans("layer: layer sha256, 15 bytes after 1h0m0s: no image refers to it",
		fmt.Sprintf("layer: layer sha256, %d bytes after 1h0m0s: no image refers to it", len(large("push"))))

	_, err = w.DeleteRepository(w.ctx, "arn:me", k, true)
	w.must(err)
	if all := strings.Join(w.plan(1000), "\n"); !strings.Contains(all, "repository: repository app of 000000000000 in us-east-1, ") ||
		!strings.Contains(all, "bytes after 0s: it was deleted") {
		t.Errorf("planned of a deleted repository: %s", all)
	}
	w.run(0)
	if all := strings.Join(w.plan(1000), "\n"); !strings.Contains(all, fmt.Sprintf("location: file, %d bytes after 2h0m0s: nothing names it", len(large("kept")))) {
		t.Errorf("planned of its bytes: %s", all)
	}
}

func TestAPageThatWasNotNamedIsRefused(t *testing.T) {
	w := open(t)
	for _, page := range []string{"x", "r", "r.1", "r.x.1", "r.1.x", "l.1.", "q.1.1", "r..", "\x00"} {
		if _, err := w.gc.Plan(w.ctx, page, 10); !errors.Is(err, gc.ErrPage) {
			t.Errorf("the page %q: %v", page, err)
		}
	}
}

func byDigest(d digest.Digest) registry.Reference { return registry.Reference{Digest: d} }
