package registry_test

import (
	"bytes"
	"os"
	"testing"
	"time"

	"github.com/lighterage/lighterage/internal/digest"
	"github.com/lighterage/lighterage/internal/fault"
	"github.com/lighterage/lighterage/internal/meta"
	"github.com/lighterage/lighterage/internal/registry"
)

func TestMounting(t *testing.T) {
	t.Parallel()
	w := open(t)
	a, b := w.create("a"), w.create("b")
	d := w.push(a, []byte("shared"))
	ok, err := w.MountLayer(w.ctx, b, a, d)
	w.must(err)
	if !ok || string(w.read(b, d)) != "shared" {
		t.Fatal("not mounted")
	}
	for _, from := range []registry.RepositoryKey{key("nope"), a} {
		ok, err := w.MountLayer(w.ctx, b, from, digest.Of(digest.SHA256, []byte("absent")))
		if ok || err != nil {
			t.Errorf("from %s: %v %v", from.Name, ok, err)
		}
	}
	_, err = w.MountLayer(w.ctx, key("nope"), a, d)
	w.want(err, fault.RepositoryNotFound)
	w.must(w.DeleteLayer(w.ctx, a, d))
	if string(w.read(b, d)) != "shared" {
		t.Error("the mount lost its bytes with the source")
	}
	_, err = w.Layer(w.ctx, a, d)
	w.want(err, fault.LayerNotFound)
}

func TestAReferencedLayerCannotBeDeleted(t *testing.T) {
	t.Parallel()
	w := open(t)
	k := w.create("app")
	body := w.image(k, "a")
	w.put(k, body, "v1")
	d := digest.Of(digest.SHA256, []byte("layer of a"))
	w.want(w.DeleteLayer(w.ctx, k, d), fault.LayerReferenced)
	w.must(w.LayerDownloadable(w.ctx, k, d))
	loose := w.push(k, []byte("loose"))
	w.want(w.LayerDownloadable(w.ctx, k, loose), fault.LayerInaccessible)
}

func TestASecondHealsASuspectBlob(t *testing.T) {
	t.Parallel()
	w := open(t)
	k := w.create("app")
	for i, n := range []int{100, 300_000} {
		body := random(n, uint64(80+i))
		d := w.push(k, body)
		w.must(w.meta.Update(w.ctx, func(tx meta.Tx) error {
			l, err := tx.FindLayer(k, d)
			if err != nil {
				return err
			}
			return tx.SetBlobState(l.Blob.ID, meta.BlobSuspect)
		}))
		_, err := w.Layer(w.ctx, k, d)
		w.want(err, fault.LayerNotFound)
		w.push(k, body)
		if !bytes.Equal(w.read(k, d), body) {
			t.Errorf("%d bytes: not healed", n)
		}
	}
}

func TestALayerPromisedLives(t *testing.T) {
	t.Parallel()
	w := open(t)
	k := w.create("app")
	d := w.push(k, []byte("x"))
	touched := func() time.Time {
		var l meta.Layer
		w.must(w.meta.View(w.ctx, func(tx meta.Tx) (err error) { l, err = tx.FindLayer(k, d); return err }))
		return l.TouchedAt
	}
	pushed := touched()
	w.clock.Advance(20 * time.Minute)
	_, err := w.Layer(w.ctx, k, d)
	w.must(err)
	if !touched().Equal(pushed) {
		t.Error("touched before half of the grace was over")
	}
	w.clock.Advance(20 * time.Minute)
	_, err = w.Layer(w.ctx, k, d)
	w.must(err)
	if got := touched(); !got.Equal(w.clock.Now()) {
		t.Errorf("touched at %v, want now", got)
	}
}

func TestABlobThatLostItsBytesIsHealedByAPush(t *testing.T) {
	w := open(t)
	k := w.create("lost")
	for name, damage := range map[string]func(path string) error{
		"removed":   os.Remove,
		"truncated": func(path string) error { return os.Truncate(path, 1000) },
	} {
		body := random(300_000, uint64(len(name)+40))
		d := w.push(k, body)
		l, err := w.Layer(w.ctx, k, d)
		w.must(err)
		stored, err := w.blobs.Open(w.ctx, l.Blob.Location)
		w.must(err)
		path := stored.(interface{ Name() string }).Name()
		w.must(stored.Close())
		w.must(damage(path))
		_, err = w.OpenLayer(w.ctx, k, d)
		w.want(err, fault.LayerNotFound)
		_, err = w.Layer(w.ctx, k, d)
		w.want(err, fault.LayerNotFound)
		w.push(k, body)
		if !bytes.Equal(w.read(k, d), body) {
			t.Errorf("%s: not healed", name)
		}
	}
}
