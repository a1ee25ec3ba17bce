package oci_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lighterage/lighterage/internal/fault"
	"github.com/lighterage/lighterage/internal/meta"
	"github.com/lighterage/lighterage/internal/registry"
)

// slow is a body during which something happens.
func slow(b []byte, meanwhile func()) option {
	return func(r *http.Request) {
		r.Body, r.ContentLength = io.NopCloser(io.MultiReader(bytes.NewReader(b), &last{meanwhile})), int64(len(b))
	}
}

type last struct{ do func() }

func (l *last) Read([]byte) (int, error) {
	if l.do != nil {
		l.do()
		l.do = nil
	}
	return 0, io.EOF
}

// raise changes something on which permissions stand.
func (w *world) raise(revoked time.Time) {
	w.t.Helper()
	w.must(w.store.Update(w.t.Context(), func(tx meta.Tx) error { return tx.SetAccount(meta.Account{ID: account, RevokedAt: revoked}) }))
}

func TestWhatIsTakenAwayWhileABodyArrivesIsNotKept(t *testing.T) {
	w := open(t)
	w.must(w.store.Update(t.Context(), func(tx meta.Tx) error { return tx.InsertAccount(meta.Account{ID: account}) }))
	w.create("team/app")
	w.parts("team/app", "a")
	manifest, layer := manifestOf("a", nil), []byte("a layer that takes its time")
	ends := map[string]struct {
		status int
		do     func(*world)
	}{
		"nothing":                      {201, func(*world) {}},
		"something of somebody else's": {201, func(w *world) { w.raise(time.Time{}) }},
		"the login": {401, func(w *world) {
			w.clock.Advance(time.Second)
			w.raise(w.clock.Now())
		}},
		"the login, by itself": {403, func(w *world) { w.clock.Advance(13 * time.Hour) }},
		"the permission, by itself": {403, func(w *world) {
			w.decider.forbid("ecr:PutImage *", "ecr:CompleteLayerUpload *", "ecr:UploadLayerPart *")
		}},
		"the permission": {403, func(w *world) {
			w.raise(time.Time{})
			w.decider.forbid("ecr:PutImage *", "ecr:CompleteLayerUpload *")
		}},
	}
	requests := map[string]func(*world, func()) reply{
		"a manifest": func(w *world, meanwhile func()) reply {
			return w.do("PUT", "/v2/team/app/manifests/v1", slow(manifest, meanwhile))
		},
		"the end of an upload": func(w *world, meanwhile func()) reply {
			return w.do("PUT", w.begin("team/app")+"?digest="+string(sha(layer)), slow(layer, meanwhile))
		},
		"the end of an upload with a range": func(w *world, meanwhile func()) reply {
			return w.do("PUT", w.begin("team/app")+"?digest="+string(sha(layer)), slow(layer, meanwhile), header("Content-Range", "0-26"))
		},
		"a layer at once": func(w *world, meanwhile func()) reply {
			return w.do("POST", "/v2/team/app/blobs/uploads/?digest="+string(sha(layer)), slow(layer, meanwhile))
		},
	}
	for taken, end := range ends {
		for what, send := range requests {
			t.Run(taken+" is taken away during "+what, func(t *testing.T) {
				w := w.with(t)
				w.raise(time.Time{})
				w.decider.forbid()
				w.token = w.login("AKIAOURS", account, 0, region)
				w.drop("team/app")
				w.create("team/app")
				w.parts("team/app", "a")
				a := send(w, func() { end.do(w) }).is(end.status)
				if a.status == 201 {
					return
				}
				w.decider.forbid()
				image, imageErr := w.catalogue.Image(t.Context(), key("team/app"), registry.Reference{Tag: "v1"})
				if !fault.Is(imageErr, fault.ImageNotFound) {
					t.Errorf("there is an image %v: %v", image.Digest, imageErr)
				}
				if _, err := w.catalogue.Layer(t.Context(), key("team/app"), sha(layer)); !fault.Is(err, fault.LayerNotFound) {
					t.Errorf("the layer: %v", err)
				}
			})
		}
	}
}

func TestALayerAsksAgainWhenItHasArrived(t *testing.T) {
	w := open(t)
	w.create("team/app")
	w.decider.questions()
	w.blob("team/app", layerOf("a"))
	want := []string{
		"ecr:CompleteLayerUpload team/app", "ecr:CompleteLayerUpload team/app", "ecr:InitiateLayerUpload team/app",
		"ecr:UploadLayerPart team/app", "ecr:UploadLayerPart team/app",
	}
	if diff := cmp.Diff(want, w.decider.questions()); diff != "" {
		t.Errorf("questions (-want +got):\n%s", diff)
	}
}

// lengthy is a body of size bytes during which, after the first, something
// happens; it counts those that are asked for.
type lengthy struct {
	size, read int
	meanwhile  func()
}

func (l *lengthy) Read(p []byte) (int, error) {
	if l.read > 0 && l.meanwhile != nil {
		l.meanwhile()
		l.meanwhile = nil
	}
	n := min(len(p), l.size-l.read)
	l.read += n
	if n == 0 {
		return 0, io.EOF
	}
	return n, nil
}

func TestALongBodyIsCutWhenItsSenderMayNotGoOn(t *testing.T) {
	const piece = 16 << 20
	for taken, end := range map[string]struct {
		status int
		do     func(*world)
	}{
		"nothing": {202, func(*world) {}},
		"the login": {401, func(w *world) {
			w.clock.Advance(time.Second)
			w.raise(w.clock.Now())
		}},
		"the login, by itself": {403, func(w *world) { w.clock.Advance(13 * time.Hour) }},
		"the permission":       {403, func(w *world) { w.decider.forbid("ecr:UploadLayerPart *") }},
	} {
		for what, size := range map[string]int{"short": 1000, "long": 2 * piece} {
			t.Run(taken+" is taken away during a "+what+" piece of a layer", func(t *testing.T) {
				w := open(t)
				w.must(w.store.Update(t.Context(), func(tx meta.Tx) error { return tx.InsertAccount(meta.Account{ID: account}) }))
				w.create("team/app")
				upload := w.begin("team/app")
				sent := &lengthy{size: size, meanwhile: func() { end.do(w) }}
				a := w.do("PATCH", upload, func(r *http.Request) { r.Body, r.ContentLength = io.NopCloser(sent), int64(size) })
				a.is(end.status)
				if end.status == 202 {
					a.has("Range", fmt.Sprintf("0-%d", size-1))
					return
				}
				if sent.read > piece+1<<20 {
					t.Errorf("%d bytes were read", sent.read)
				}
				if a.header.Get("Range") != "" {
					t.Errorf("a piece that was refused is acknowledged: %v", a.header)
				}
			})
		}
	}
}
