package containers_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lighterage/lighterage/internal/containers"
	"github.com/lighterage/lighterage/internal/digest"
	"github.com/lighterage/lighterage/internal/fault"
	"github.com/lighterage/lighterage/internal/name"
	"github.com/lighterage/lighterage/internal/registry"
)

func TestVersionsStartAtOneForEachServiceAndLabel(t *testing.T) {
	w := open(t, containers.Limits{})
	w.create("web")
	w.create("api")
	a, b := w.push(home, "a"), w.push(home, "b")
	var got []int64
	for _, r := range []struct {
		service, label string
		digest         digest.Digest
	}{
		{"web", "app", a}, {"web", "app", b}, {"web", "app", a}, {"web", "db", a}, {"api", "app", a}, {"web", "app", b},
	} {
		w.clock.Advance(time.Minute)
		i := w.register(r.service, r.label, r.digest)
		if i.Digest != string(r.digest) || !i.CreatedAt.Equal(w.clock.Now()) {
			t.Errorf("registered %+v at %v", i, w.clock.Now())
		}
		got = append(got, i.Version)
	}
	if diff := cmp.Diff([]int64{1, 2, 3, 1, 1, 4}, got); diff != "" {
		t.Errorf("versions (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{":web.app.4", ":web.db.1", ":web.app.3", ":web.app.2", ":web.app.1"}, w.names("web")); diff != "" {
		t.Errorf("images, newest first (-want +got):\n%s", diff)
	}
	images, err := w.RegisteredImages(w.ctx, key("web"))
	w.must(err)
	if images[0].Digest != string(b) || images[4].Digest != string(a) {
		t.Errorf("listed digests %s and %s", images[0].Digest, images[4].Digest)
	}
}

func TestManifestsIndexesAndChildrenCanBeRegistered(t *testing.T) {
	w := open(t, containers.Limits{})
	w.create("web")
	child := w.push(home, "a")
	index := w.pushIndex(child)
	for i, d := range []digest.Digest{child, index, child} {
		if r := w.register("web", "app", d); r.Version != int64(i+1) || r.Digest != string(d) {
			t.Errorf("registered %+v for %s", r, d)
		}
	}
}

func TestRegisterImageRefuses(t *testing.T) {
	w := open(t, containers.Limits{Images: 2})
	w.create("web")
	d := w.push(home, "a")
	other := w.push(name.RegistryID{Account: home.Account, Region: "eu-west-1"}, "abroad")
	ecr := registry.RepositoryKey{Registry: home, Space: registry.ECR, Name: "sr"}
	_, err := w.catalogue.EnsureRepository(w.ctx, ecr)
	w.must(err)
	inECR := w.put(ecr, []byte(`{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[]}`))
	for _, c := range []struct {
		name, service, digest string
		want                  fault.Reason
	}{
		{"an unknown service", "none", string(d), fault.ServiceNotFound},
		{"a digest that nobody pushed", "web", "sha256:" + strings.Repeat("0", 64), fault.ImageUnregistered},
		{"a digest pushed in another region", "web", string(other), fault.ImageUnregistered},
		{"a digest of the ECR repository sr", "web", string(inECR), fault.ImageUnregistered},
		{"a digest of a layer", "web", string(digest.Of(digest.SHA256, []byte("layer of a"))), fault.ImageUnregistered},
		{"a short digest", "web", "sha256:abc", fault.DigestInvalid},
		{"a digest in capitals", "web", strings.ToUpper(string(d)), fault.DigestInvalid},
		{"an unknown algorithm", "web", "md5:" + strings.Repeat("0", 32), fault.DigestInvalid},
		{"a tag", "web", "latest", fault.DigestInvalid},
		{"nothing", "web", "", fault.DigestInvalid},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := w.RegisterImage(w.ctx, key(c.service), "app", c.digest)
			w.want(err, c.want)
			if got := w.names("web"); len(got) != 0 {
				t.Errorf("images %v after a refusal", got)
			}
		})
	}
	if i := w.register("web", "app", d); i.Version != 1 {
		t.Errorf("the first version after refusals is %d", i.Version)
	}
	w.register("web", "db", d)
	_, err = w.RegisterImage(w.ctx, key("web"), "app", string(d))
	if f := w.want(err, fault.LimitExceeded); f.Limit != 2 {
		t.Errorf("limit %d", f.Limit)
	}
	w.must(w.DeleteRegisteredImage(w.ctx, key("web"), ":web.app.1"))
	if i := w.register("web", "app", d); i.Version != 2 {
		t.Errorf("room made, the version is %d", i.Version)
	}
}

func TestAVersionIsNeverGivenTwice(t *testing.T) {
	w := open(t, containers.Limits{})
	w.create("web")
	d := w.push(home, "a")
	seen := map[int64]bool{}
	for range 5 {
		i := w.register("web", "app", d)
		if seen[i.Version] {
			t.Errorf("version %d was given before", i.Version)
		}
		seen[i.Version] = true
		w.must(w.DeleteRegisteredImage(w.ctx, key("web"), fmt.Sprintf(":web.app.%d", i.Version)))
	}
	if i := w.register("web", "app", d); i.Version != 6 {
		t.Errorf("the sixth version is %d", i.Version)
	}
}

func TestDeleteRegisteredImage(t *testing.T) {
	w := open(t, containers.Limits{})
	w.create("web")
	w.create("web-2")
	d := w.push(home, "a")
	w.register("web", "app", d)
	w.register("web", "app", d)
	w.register("web-2", "app", d)
	for _, c := range []struct {
		name, service, image string
		want                 fault.Reason
	}{
		{"an unknown service", "none", ":none.app.1", fault.ServiceNotFound},
		{"another service's image", "web", ":web-2.app.1", fault.RegisteredImageNotFound},
		{"an unknown label", "web", ":web.db.1", fault.RegisteredImageNotFound},
		{"an unknown version", "web", ":web.app.3", fault.RegisteredImageNotFound},
		{"no name of a registered image", "web", "nginx:latest", fault.ParameterInvalid},
		{"the latest, which is no number", "web", ":web.app.latest", fault.ParameterInvalid},
	} {
		t.Run(c.name, func(t *testing.T) {
			w.want(w.DeleteRegisteredImage(w.ctx, key(c.service), c.image), c.want)
			if got := w.names("web"); len(got) != 2 {
				t.Errorf("images %v", got)
			}
		})
	}
	w.clock.Advance(time.Hour)
	w.must(w.DeleteRegisteredImage(w.ctx, key("web"), ":web.app.1"))
	w.want(w.DeleteRegisteredImage(w.ctx, key("web"), ":web.app.1"), fault.RegisteredImageNotFound)
	if diff := cmp.Diff([]string{":web.app.2"}, w.names("web")); diff != "" {
		t.Errorf("images (-want +got):\n%s", diff)
	}
	if want := w.clock.Now().Add(pushTTL); !w.lastReview(d).Equal(want) {
		t.Errorf("the image is looked at last at %v, want %v", w.lastReview(d), want)
	}
	_, err := w.RegisteredImages(w.ctx, key("none"))
	w.want(err, fault.ServiceNotFound)
}

func TestParseImageName(t *testing.T) {
	for _, s := range []string{":a.b.1", ":web-2.my-app.73", ":" + strings.Repeat("s", 63) + "." + strings.Repeat("l", 53) + ".9223372036854775807", ":1.2.3"} {
		n, err := containers.ParseImageName(s)
		if err != nil || n.String() != s {
			t.Errorf("%s: got %v, %v", s, n, err)
		}
	}
	for _, s := range []string{
		"", ":", "..", ":..", "web.app.1", ":web.app", ":web.app.1.2", ":web.app.0", ":web.app.-1", ":web.app.+1", ":web.app.01",
		":web.app.1 ", ": web.app.1", ":web.app.", ":web..1", ":.app.1", ":Web.app.1", ":web.app.latest", ":web.-app.1", ":web-.app.1",
		":web.app.9223372036854775808", ":web.app.1\n", "::web.app.1", ":web/x.app.1", ":" + strings.Repeat("s", 64) + ".app.1",
	} {
		if n, err := containers.ParseImageName(s); !fault.Is(err, fault.ParameterInvalid) {
			t.Errorf("%q: got %v, %v", s, n, err)
		}
	}
}

func FuzzParseImageName(f *testing.F) {
	f.Add(":web.app.1")
	f.Add(":web.app.01")
	f.Fuzz(func(t *testing.T, s string) {
		if n, err := containers.ParseImageName(s); err == nil && n.String() != s {
			t.Errorf("%q was read as %q", s, n)
		}
	})
}
