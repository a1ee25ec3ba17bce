package oci_test

import (
	"testing"

	"github.com/lighterage/lighterage/internal/registry"
)

func TestAnArchivedImageIsNotGivenOut(t *testing.T) {
	w := open(t)
	m, d := w.image("team/app", "v1", "one")
	w.image("team/app", "v2", "two")
	w.put("team/app", "signature", manifestOf("one", object{"subject": descriptor(ociManifest, m), "artifactType": "application/vnd.example.signature"}))
	archive := func() {
		t.Helper()
		_, err := w.catalogue.ArchiveImage(t.Context(), key("team/app"), registry.Asked{Tag: "v1"})
		w.must(err)
	}
	archive()
	for _, target := range []string{"v1", string(d), "signature"} {
		w.do("GET", "/v2/team/app/manifests/"+target).refuses(404, "MANIFEST_UNKNOWN", "Requested image not found")
		w.do("HEAD", "/v2/team/app/manifests/"+target).is(404)
	}
	tags := func(want string) {
		t.Helper()
		w.do("GET", "/v2/team/app/tags/list").is(200).holds([]byte(`{"name":"team/app","tags":[` + want + "]}\n"))
	}
	tags(`"v2"`)
	if list, _ := w.referrers("/v2/team/app/referrers/" + string(d)); len(list) != 0 {
		t.Errorf("referrers %v", list)
	}

	t.Run("a push of it brings it back", func(t *testing.T) {
		w.do("PUT", "/v2/team/app/manifests/v1", body(m)).is(201).has("Docker-Content-Digest", string(d))
		w.do("GET", "/v2/team/app/manifests/v1").is(200).holds(m)
		tags(`"signature","v1","v2"`)
		if list, _ := w.referrers("/v2/team/app/referrers/" + string(d)); len(list) != 1 {
			t.Errorf("referrers %v", list)
		}
	})
	t.Run("it can be deleted", func(t *testing.T) {
		archive()
		w.do("DELETE", "/v2/team/app/manifests/"+string(d)).is(202)
		w.do("PUT", "/v2/team/app/manifests/v1", body(m)).is(201)
		w.do("GET", "/v2/team/app/manifests/v1").is(200).holds(m)
	})
}

func TestAnArchivedImageComesBackUnderATagThatMayNotMove(t *testing.T) {
	for name, w := range map[string]*world{"usually": open(t), "as on ECR": open(t, strict)} {
		t.Run(name, func(t *testing.T) {
			w := w.with(t)
			w.create("team/app")
			m, _ := w.image("team/app", "v1", "one")
			_, err := w.catalogue.SetMutability(t.Context(), key("team/app"), registry.Immutable, nil)
			w.must(err)
			_, err = w.catalogue.ArchiveImage(t.Context(), key("team/app"), registry.Asked{Tag: "v1"})
			w.must(err)
			w.do("PUT", "/v2/team/app/manifests/v1", body(m)).is(201)
			w.do("HEAD", "/v2/team/app/manifests/v1").is(200)
		})
	}
}
