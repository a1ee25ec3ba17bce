package oci_test

import (
	"bytes"
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

func TestABodyAsksNothingTwiceWhenNothingChanged(t *testing.T) {
	w := open(t)
	w.create("team/app")
	w.decider.questions()
	w.blob("team/app", layerOf("a"))
	want := []string{"ecr:CompleteLayerUpload team/app", "ecr:InitiateLayerUpload team/app", "ecr:UploadLayerPart team/app"}
	if diff := cmp.Diff(want, w.decider.questions()); diff != "" {
		t.Errorf("questions (-want +got):\n%s", diff)
	}
}
