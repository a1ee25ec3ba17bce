package registry_test

import (
	"testing"
	"time"

	"github.com/lighterage/lighterage/internal/digest"
	"github.com/lighterage/lighterage/internal/fault"
	"github.com/lighterage/lighterage/internal/name"
	"github.com/lighterage/lighterage/internal/registry"
)

// The caches hold bytes by digest, for all repositories at once. They must
// never say who may see them: what was deleted in one repository stays
// deleted there, however often it is read in another.
func TestWhatWasDeletedIsNotReadThroughACache(t *testing.T) {
	t.Parallel()
	w := open(t)
	a, b, target := w.create("a"), w.create("b"), w.create("target")
	for _, n := range []int{0, 1000, 300_000} {
		body := random(n, uint64(n))
		d := w.push(a, body)
		w.push(b, body)
		w.read(a, d)
		w.must(w.DeleteLayer(w.ctx, a, d))
		for range 2 {
			w.read(b, d)
			_, err := w.OpenLayer(w.ctx, a, d)
			w.want(err, fault.LayerNotFound)
			_, err = w.Layer(w.ctx, a, d)
			w.want(err, fault.LayerNotFound)
			w.want(w.LayerDownloadable(w.ctx, a, d), fault.LayerNotFound)
			have, err := w.CheckLayers(w.ctx, a, []digest.Digest{d})
			w.must(err)
			if len(have) != 0 {
				t.Errorf("%d bytes: CheckLayers found %v", n, have)
			}
			if ok, err := w.MountLayer(w.ctx, target, a, d); ok || err != nil {
				t.Errorf("%d bytes: mounted from where they were deleted: %v", n, err)
			}
		}
		w.must(w.DeleteLayer(w.ctx, b, d))
		_, err := w.OpenLayer(w.ctx, b, d)
		w.want(err, fault.LayerNotFound)
	}
}

func TestAManifestDeletedIsNotReadThroughACache(t *testing.T) {
	t.Parallel()
	w := open(t)
	a, b := w.create("a"), w.create("b")
	body := w.image(a, "x")
	w.image(b, "x")
	i := w.put(a, body, "v1")
	j := w.put(b, body, "v1")
	held, err := w.Image(w.ctx, a, registry.Reference{Tag: "v1"})
	w.must(err)
	_, err = w.Manifest(w.ctx, a, held)
	w.must(err)
	w.must(w.DeleteImage(w.ctx, "arn:me", a, registry.Reference{Digest: i.Digest}))
	for range 2 {
		_, err = w.Manifest(w.ctx, b, j)
		w.must(err)
		for _, ref := range []registry.Reference{{Tag: "v1"}, {Digest: i.Digest}} {
			_, err = w.Image(w.ctx, a, ref)
			w.want(err, fault.ImageNotFound)
		}
		found, err := w.FindImages(w.ctx, a, []registry.Asked{{Digest: string(i.Digest)}}, 10)
		w.must(err)
		if len(found) != 1 || found[0].Err == nil {
			t.Errorf("found %+v", found)
		}
	}
}

// A digest that one account, region or space has pushed and read is no key to
// the bytes for any other.
func TestADigestOpensNothingInAnotherRegistryOrSpace(t *testing.T) {
	t.Parallel()
	w := open(t)
	home := w.create("app")
	foreign := []registry.RepositoryKey{
		{Registry: name.RegistryID{Account: "111111111111", Region: "us-east-1"}, Space: registry.ECR, Name: "app"},
		{Registry: name.RegistryID{Account: "000000000000", Region: "eu-west-1"}, Space: registry.ECR, Name: "app"},
		{Registry: home.Registry, Space: registry.Lightsail, Name: "app"},
		{Registry: home.Registry, Space: registry.Lightsail, Name: registry.LightsailRepository},
	}
	i := w.put(home, w.image(home, "secret"), "v1")
	_, err := w.Manifest(w.ctx, home, i)
	w.must(err)
	small, large := w.push(home, random(1000, 1)), w.push(home, random(300_000, 2))
	for _, k := range foreign {
		_, err := w.EnsureRepository(w.ctx, k)
		w.must(err)
		_, err = w.Image(w.ctx, k, registry.Reference{Digest: i.Digest})
		w.want(err, fault.ImageNotFound)
		for _, d := range []digest.Digest{small, large} {
			w.read(home, d)
			_, err := w.OpenLayer(w.ctx, k, d)
			w.want(err, fault.LayerNotFound)
			_, err = w.Layer(w.ctx, k, d)
			w.want(err, fault.LayerNotFound)
			if ok, err := w.MountLayer(w.ctx, k, home, d); ok || err != nil {
				t.Errorf("mounted into %+v: %v", k, err)
			}
			holders, err := w.LayerHolders(w.ctx, k.Registry, d, 10)
			w.must(err)
			for _, h := range holders {
				if h.Registry != k.Registry || h.Space != registry.ECR {
					t.Errorf("%+v holds %s for %+v", h, d, k.Registry)
				}
			}
			_, err = w.PutImage(w.ctx, registry.Put{Key: k, Body: manifestOf(d, 1, d, 1)})
			w.want(err, fault.LayersNotFound)
		}
		// The upload of another registry is unknown, whatever its id.
		id := w.begin(home, []byte("half"))
		_, err = w.UploadOffset(w.ctx, k, id)
		w.want(err, fault.UploadNotFound)
		w.want(w.FinishUpload(w.ctx, k, id, digest.Of(digest.SHA256, []byte("half")), registry.Anywhere, nil), fault.UploadNotFound)
		_, err = w.UploadOffset(w.ctx, home, id)
		w.must(err)
	}
}

// A client was told that a layer exists while an image kept it; the image goes
// a moment later. The promise holds all the same, though the layer's first
// grace is long over.
func TestAPromiseOutlivesTheImageThatMadeItNeedless(t *testing.T) {
	t.Parallel()
	w := open(t)
	k := w.create("app")
	body := w.image(k, "x")
	i := w.put(k, body, "v1")
	w.clock.Advance(w.config.LayerGrace - time.Minute) // no collector ran yet
	for _, d := range []digest.Digest{digest.Of(digest.SHA256, []byte("layer of x")), digest.Of(digest.SHA256, []byte(`{"seed":"x"}`))} {
		_, err := w.Layer(w.ctx, k, d)
		w.must(err)
	}
	w.must(w.DeleteImage(w.ctx, "arn:other", k, registry.Reference{Digest: i.Digest}))
	w.clock.Advance(2 * time.Minute)
	_, err := w.collector().Run(w.ctx)
	w.must(err)
	w.put(k, body, "again")
	w.check(k)
	// In the end they go.
	w.must(w.DeleteImage(w.ctx, "arn:other", k, registry.Reference{Digest: i.Digest}))
	w.clock.Advance(2 * w.config.LayerGrace)
	_, err = w.collector().Run(w.ctx)
	w.must(err)
	_, err = w.Layer(w.ctx, k, digest.Of(digest.SHA256, []byte("layer of x")))
	w.want(err, fault.LayerNotFound)
}
