package oci_test

import (
	"bytes"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/lighterage/lighterage/internal/api/oci"
	"github.com/lighterage/lighterage/internal/digest"
	"github.com/lighterage/lighterage/internal/registry"
)

func TestAManifestIsFoundByTagAndDigest(t *testing.T) {
	w := open(t)
	w.parts("team/app", "one")
	m := manifestOf("one", nil)
	d := string(sha(m))
	put := w.do("PUT", "/v2/team/app/manifests/v1", body(m), header("Content-Type", ociManifest)).is(201).has("Docker-Content-Digest", d, "Oci-Subject", "", "Oci-Tag", "")
	if want := "/v2/team/app/manifests/" + d; put.path() != want {
		t.Errorf("Location %s, want %s", put.path(), want)
	}
	for _, ref := range []string{"v1", d} {
		for _, accept := range []string{"", "*/*", ociManifest, dockerManifest, "text/html"} { // nothing is converted
			a := w.do("GET", "/v2/team/app/manifests/"+ref, header("Accept", accept)).is(200).holds(m)
			a.has("Content-Type", ociManifest, "Docker-Content-Digest", d, "Etag", `"`+d+`"`, "Content-Length", fmt.Sprint(len(m)))
			w.do("HEAD", "/v2/team/app/manifests/"+ref, header("Accept", accept)).is(200).
				has("Content-Type", ociManifest, "Docker-Content-Digest", d, "Etag", `"`+d+`"`, "Content-Length", fmt.Sprint(len(m)))
		}
	}
	w.do("GET", "/v2/team/app/manifests/v2").refuses(404, "MANIFEST_UNKNOWN", "Requested image not found")
	w.do("HEAD", "/v2/team/app/manifests/v2").refuses(404, "MANIFEST_UNKNOWN")
	w.do("GET", "/v2/team/app/manifests/"+someDigest).refuses(404, "MANIFEST_UNKNOWN")
	w.do("GET", "/v2/no/such/manifests/v1").refuses(404, "NAME_UNKNOWN", "The repository with name 'no/such' does not exist in the registry with id '123456789012'")
	w.do("HEAD", "/v2/no/such/manifests/v1").refuses(404, "NAME_UNKNOWN")
}

func TestIfNoneMatch(t *testing.T) {
	w := open(t)
	m, d := w.image("team/app", "v1", "one")
	ours, other := `"`+string(d)+`"`, `"`+someDigest+`"`
	for _, test := range []struct {
		name, value string
		status      int
	}{
		{"the same", ours, 304}, {"the same, weakly", "W/" + ours, 304}, {"one of several", other + ", " + ours, 304}, {"any", "*", 304},
		{"another", other, 200}, {"the same without quotes", string(d), 200}, {"part of it", ours[:20] + `"`, 200}, {"nothing", "", 200},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := w.with(t)
			for _, method := range []string{"GET", "HEAD"} {
				a := w.do(method, "/v2/team/app/manifests/v1", header("If-None-Match", test.value)).is(test.status).has("Etag", ours)
				if test.status == 304 {
					a.holds(nil)
				} else if method == "GET" {
					a.holds(m)
				}
			}
		})
	}
}

// TestImagesOfEveryShape pushes and pulls the documents that registries meet.
func TestImagesOfEveryShape(t *testing.T) {
	const example = "application/vnd.example.config.v1+json"
	empty := descriptor("application/vnd.oci.empty.v1+json", []byte("{}"))
	child := manifestOf("child", nil)
	inner := indexOf(object{"annotations": object{"inner": "yes"}}, child)
	missing := object{"mediaType": ociManifest, "digest": someDigest, "size": 7}
	foreign := func(mediaType string) object {
		return object{"mediaType": mediaType, "digest": someDigest, "size": 123456, "urls": []string{"http://127.0.0.1:1/never/fetched"}}
	}
	withData := descriptor(ociConfig, configOf("one"))
	withData["data"] = configOf("one")
	cache := encode(object{"schemaVersion": 2, "mediaType": ociIndex, "manifests": []object{
		descriptor("application/vnd.oci.image.layer.v1.tar+gzip", layerOf("one")),
		descriptor("application/vnd.buildkit.cacheconfig.v0", configOf("one")),
	}})
	w := open(t)
	w.parts("team/app", "one")
	w.image("team/app", "child", "child")
	w.blob("team/app", []byte("{}"))
	w.blob("team/app", nil)
	w.put("team/app", "inner", inner)
	for _, test := range []struct {
		name     string
		manifest []byte
		said     string // Content-Type of the request
		served   string // and of the answer
	}{
		{"an image", manifestOf("one", nil), ociManifest, ociManifest},
		{"an image with no Content-Type beside it", manifestOf("one", nil), "", ociManifest},
		{"an image with parameters on its Content-Type", manifestOf("one", nil), ociManifest + "; charset=utf-8", ociManifest},
		{"an image with a broken parameter", manifestOf("one", nil), ociManifest + "; charset", ociManifest},
		{"an image that has no mediaType of its own", manifestOf("one", object{"mediaType": nil}), ociManifest, ociManifest},
		{"an image of docker schema 2", manifestOf("one", object{"mediaType": dockerManifest}), dockerManifest, dockerManifest},
		{"an index", indexOf(nil, child), ociIndex, ociIndex},
		{"an index that names a child twice", indexOf(nil, child, child), ociIndex, ociIndex},
		{"an index of an index", encode(object{"schemaVersion": 2, "mediaType": ociIndex, "manifests": []object{descriptor(ociIndex, inner)}}), ociIndex, ociIndex},
		{"an empty index", indexOf(nil), ociIndex, ociIndex},
		{"a docker list", indexOf(object{"mediaType": dockerList}, child), dockerList, dockerList},
		{"an artifact", manifestOf("one", object{"artifactType": example, "config": empty}), ociManifest, ociManifest},
		{"an artifact whose layer is the empty one", manifestOf("one", object{"artifactType": example, "config": empty, "layers": []object{empty}}), ociManifest, ociManifest},
		{"an artifact by its config", manifestOf("one", object{"config": descriptor(example, configOf("one"))}), ociManifest, ociManifest},
		{"an index that is an artifact", indexOf(object{"artifactType": example}, child), ociIndex, ociIndex},
		{"an image with a subject that is missing", manifestOf("one", object{"subject": missing}), ociManifest, ociManifest},
		{"an index with a subject that is missing", indexOf(object{"subject": missing}, child), ociIndex, ociIndex},
		{"an image with a subject that is there", manifestOf("one", object{"subject": descriptor(ociManifest, child)}), ociManifest, ociManifest},
		{"an image with a data member", manifestOf("one", object{"config": withData}), ociManifest, ociManifest},
		{"an image with members of its own", manifestOf("one", object{"org.example": object{"a": []any{1, "x", nil}}, "annotations": object{"k": "v"}}), ociManifest, ociManifest},
		{"an image with no layers", manifestOf("one", object{"layers": []object{}}), ociManifest, ociManifest},
		{"an image with layers of null", encode(object{"schemaVersion": 2, "mediaType": ociManifest, "config": descriptor(ociConfig, configOf("one")), "layers": nil}), ociManifest, ociManifest},
		{"an image with the empty layer", manifestOf("one", object{"layers": []object{descriptor(ociLayer, nil)}}), ociManifest, ociManifest},
		{"an image with a zstd layer", manifestOf("one", object{"layers": []object{descriptor(ociLayer+"+zstd", layerOf("one"))}}), ociManifest, ociManifest},
		{"an image with layers that are not distributable", manifestOf("one", object{"layers": []object{
			foreign("application/vnd.oci.image.layer.nondistributable.v1.tar"), foreign("application/vnd.oci.image.layer.nondistributable.v1.tar+gzip"),
			foreign("application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"), descriptor(ociLayer, layerOf("one")),
		}}), ociManifest, ociManifest},
		{"a cache of BuildKit", cache, ociIndex, ociIndex},
		{"odd bytes around and in it", []byte("\n\t " + strings.Replace(string(manifestOf("one", nil)), `"schemaVersion":2`, `"schemaVersion" :  2, "\u00e9\ud83d\ude00<>&" : "\u2028 é😀 \/"`, 1) + "\r\n "), ociManifest, ociManifest},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := w.with(t)
			for _, of := range []func([]byte) digest.Digest{sha, sha512} {
				d := string(of(test.manifest))
				options := []option{body(test.manifest)}
				if test.said != "" {
					options = append(options, header("Content-Type", test.said))
				}
				w.do("PUT", "/v2/team/app/manifests/"+d, options...).is(201).has("Docker-Content-Digest", d)
				w.do("GET", "/v2/team/app/manifests/"+d).is(200).holds(test.manifest).has("Content-Type", test.served, "Docker-Content-Digest", d)
				if of(nil).Algorithm() == digest.SHA256 {
					w.do("PUT", "/v2/team/app/manifests/v1", options...).is(201).has("Docker-Content-Digest", d)
					w.do("GET", "/v2/team/app/manifests/v1").is(200).holds(test.manifest).has("Content-Type", test.served, "Docker-Content-Digest", d)
				}
				w.do("DELETE", "/v2/team/app/manifests/"+d).is(202)
				w.do("GET", "/v2/team/app/manifests/"+d).is(404)
			}
			w.do("GET", "/v2/team/app/manifests/v1").is(404)
		})
	}
}

func TestManifestsThatAreRefused(t *testing.T) {
	w := open(t)
	w.parts("team/app", "one")
	good := manifestOf("one", nil)
	child, _ := w.image("team/app", "child", "child")
	unknown := object{"mediaType": ociManifest, "digest": someDigest, "size": 7}
	schema1 := []byte(`{"schemaVersion":1,"name":"team/app","tag":"v1","fsLayers":[{"blobSum":"` + someDigest + `"}]}`)
	for _, test := range []struct {
		name, said string
		manifest   []byte
		status     int
		code, text string
	}{
		{"nothing", ociManifest, nil, 400, "MANIFEST_INVALID", "Invalid JSON syntax"},
		{"no JSON", ociManifest, []byte("hello"), 400, "MANIFEST_INVALID", "Invalid JSON syntax"},
		{"an array", ociManifest, []byte("[]"), 400, "MANIFEST_INVALID", ""},
		{"cut JSON", ociManifest, good[:len(good)-3], 400, "MANIFEST_INVALID", "Invalid JSON syntax"},
		{"two documents", ociManifest, append(bytes.Clone(good), good...), 400, "MANIFEST_INVALID", "Invalid JSON syntax"},
		{"bytes that are not UTF-8", ociManifest, []byte("{\"a\":\"\xff\"}"), 400, "MANIFEST_INVALID", ""},
		{"very deep nesting", ociManifest, []byte(strings.Repeat(`{"a":`, 100_000) + "1" + strings.Repeat("}", 100_000)), 400, "MANIFEST_INVALID", ""},
		{"no media type at all", "", manifestOf("one", object{"mediaType": nil}), 400, "MANIFEST_INVALID", "Invalid JSON syntax"},
		{"two media types that differ", dockerManifest, good, 400, "MANIFEST_INVALID", "media type"},
		{"a Content-Type of curl", "application/x-www-form-urlencoded", good, 400, "MANIFEST_INVALID", "media type"},
		{"a Content-Type that is none", "a b", good, 400, "MANIFEST_INVALID", "Content-Type"},
		{"a media type of no manifest", "application/json", manifestOf("one", object{"mediaType": "application/json"}), 400, "MANIFEST_INVALID", ""},
		{"docker schema 1", "application/vnd.docker.distribution.manifest.v1+json", schema1, 400, "MANIFEST_INVALID", "schema 1 is not supported"},
		{"docker schema 1, signed", "application/vnd.docker.distribution.manifest.v1+prettyjws", schema1, 400, "MANIFEST_INVALID", "schema 1 is not supported"},
		{"docker schema 1 that says nothing", "", schema1, 400, "MANIFEST_INVALID", "schema 1 is not supported"},
		{"an image that is also an index", ociManifest, manifestOf("one", object{"manifests": []object{}}), 400, "MANIFEST_INVALID", ""},
		{"an index that is also an image", ociIndex, indexOf(object{"config": descriptor(ociConfig, configOf("one"))}), 400, "MANIFEST_INVALID", ""},
		{"an index that has layers", ociIndex, indexOf(object{"layers": []object{descriptor(ociLayer, layerOf("one"))}}), 400, "MANIFEST_INVALID", ""},
		{"an index that is called an image", ociManifest, indexOf(object{"mediaType": ociManifest}, child), 400, "MANIFEST_INVALID", ""},
		{"two media types inside", ociManifest, []byte(`{"mediaType":"` + ociIndex + `",` + string(good[1:])), 400, "MANIFEST_INVALID", ""},
		{"a second media type in another letter case", ociManifest, []byte(`{"MediaType":"` + ociIndex + `",` + string(good[1:])), 400, "MANIFEST_INVALID", ""},
		{"an image without a config", ociManifest, manifestOf("one", object{"config": nil}), 400, "MANIFEST_INVALID", "config"},
		{"a negative size", ociManifest, manifestOf("one", object{"layers": []object{{"mediaType": ociLayer, "digest": sha(layerOf("one")), "size": -1}}}), 400, "MANIFEST_INVALID", "size"},
		{"a digest with a path in it", ociManifest, manifestOf("one", object{"layers": []object{{"mediaType": ociLayer, "digest": "sha256:../../etc", "size": 1}}}), 400, "MANIFEST_INVALID", "digest"},
		{"a layer that is not there", ociManifest, manifestOf("two", nil), 404, "MANIFEST_BLOB_UNKNOWN", string(sha(layerOf("two")))},
		{"a config that is not there", ociManifest, manifestOf("one", object{"config": descriptor(ociConfig, []byte("nowhere"))}), 404, "MANIFEST_BLOB_UNKNOWN", string(sha([]byte("nowhere")))},
		{"a child that is not there", ociIndex, encode(object{"schemaVersion": 2, "mediaType": ociIndex, "manifests": []object{unknown}}), 404, "MANIFEST_BLOB_UNKNOWN", someDigest},
		{"a layer that only claims to be foreign", ociManifest, manifestOf("one", object{"layers": []object{{"mediaType": ociLayer, "digest": someDigest, "size": 1, "urls": []string{"http://127.0.0.1:1/"}}}}), 404, "MANIFEST_BLOB_UNKNOWN", someDigest},
		{"a child that is a blob here", ociIndex, encode(object{"schemaVersion": 2, "mediaType": ociIndex, "manifests": []object{descriptor(ociManifest, layerOf("one"))}}), 404, "MANIFEST_BLOB_UNKNOWN", ""},
		{"a layer that is a manifest here", ociManifest, manifestOf("one", object{"layers": []object{descriptor(ociLayer, child)}}), 404, "MANIFEST_BLOB_UNKNOWN", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := w.with(t)
			options := []option{body(test.manifest)}
			if test.said != "" {
				options = append(options, header("Content-Type", test.said))
			}
			for _, ref := range []string{"v1", string(sha(test.manifest)), string(sha512(test.manifest)) + "?tag=v1"} {
				w.do("PUT", "/v2/team/app/manifests/"+ref, options...).refuses(test.status, test.code, test.text)
				w.do("GET", "/v2/team/app/manifests/"+strings.TrimSuffix(ref, "?tag=v1")).is(404)
			}
		})
	}
	w.do("GET", "/v2/team/app/tags/list").is(200).holds([]byte(`{"name":"team/app","tags":["child"]}` + "\n"))
}

func TestDigestsThatLieStoreNothing(t *testing.T) {
	w := open(t)
	w.parts("team/app", "one")
	m := manifestOf("one", nil)
	for _, lie := range []string{someDigest, string(sha(append(m, ' '))), string(sha512([]byte("x")))} {
		w.do("PUT", "/v2/team/app/manifests/"+lie, body(m)).refuses(400, "DIGEST_INVALID", lie, "does not match the image digest")
		w.do("PUT", "/v2/team/app/manifests/"+lie+"?tag=v1", body(m)).refuses(400, "DIGEST_INVALID")
		for _, ref := range []string{lie, string(sha(m)), "v1"} {
			w.do("GET", "/v2/team/app/manifests/"+ref).is(404)
		}
	}
}

func TestTheSizeOfAManifestIsBounded(t *testing.T) {
	const limit = 4 << 20
	w := open(t)
	w.parts("team/app", "one")
	m := manifestOf("one", nil)
	largest := append(bytes.Clone(m), bytes.Repeat([]byte(" "), limit-len(m))...)
	for _, send := range []func([]byte) option{body, stream} {
		w.do("PUT", "/v2/team/app/manifests/large", send(largest)).is(201)
		w.do("GET", "/v2/team/app/manifests/large").is(200).holds(largest)
		w.do("DELETE", "/v2/team/app/manifests/"+string(sha(largest))).is(202)
		w.do("PUT", "/v2/team/app/manifests/large", send(append(bytes.Clone(largest), ' '))).refuses(413, "SIZE_INVALID", "4194304")
		w.do("GET", "/v2/team/app/manifests/large").is(404)
	}
}

func TestAChildOfAnIndexIsKept(t *testing.T) {
	w := open(t)
	child, d := w.image("team/app", "child", "one")
	inner := indexOf(nil, child)
	outer := encode(object{"schemaVersion": 2, "mediaType": ociIndex, "manifests": []object{descriptor(ociIndex, inner)}})
	in, out := w.put("team/app", "inner", inner), w.put("team/app", "outer", outer)
	refused := func(d, by digest.Digest) {
		t.Helper()
		w.do("DELETE", "/v2/team/app/manifests/"+string(d)).refuses(405, "UNSUPPORTED", "Requested image referenced by manifest list: ["+string(by)+"]")
		w.do("GET", "/v2/team/app/manifests/"+string(d)).is(200)
	}
	refused(d, in)
	refused(in, out)
	w.do("DELETE", "/v2/team/app/manifests/child").is(202) // its tag may go
	for _, free := range []digest.Digest{out, in, d} {
		w.do("DELETE", "/v2/team/app/manifests/"+string(free)).is(202)
	}
}

// TestAFirstPushCreatesTheRepository: where the caller may, and no sooner than
// something can be put there.
func TestAFirstPushCreatesTheRepository(t *testing.T) {
	layer := []byte("a layer")
	empty := indexOf(nil)
	requests := []struct {
		name string
		send func(w *world) reply
	}{
		{"POST", func(w *world) reply { return w.do("POST", "/v2/new/app/blobs/uploads/") }},
		{"a whole layer", func(w *world) reply {
			return w.do("POST", "/v2/new/app/blobs/uploads/?digest="+string(sha(layer)), body(layer))
		}},
		{"a mount", func(w *world) reply {
			return w.do("POST", "/v2/new/app/blobs/uploads/?from=source&mount="+string(sha(layer)))
		}},
		{"a mount of nothing", func(w *world) reply {
			return w.do("POST", "/v2/new/app/blobs/uploads/?from=source&mount="+someDigest)
		}},
		{"a manifest that needs nothing", func(w *world) reply { return w.do("PUT", "/v2/new/app/manifests/v1", body(empty)) }},
	}
	const command = "aws ecr create-repository --repository-name new/app"
	usual, asECR := open(t), open(t, strict)
	for _, r := range requests {
		t.Run(r.name, func(t *testing.T) {
			t.Run("creates it", func(t *testing.T) {
				w := usual.with(t)
				w.drop("new/app", "source")
				w.create("source")
				w.blob("source", layer)
				if a := r.send(w); a.status != 201 && a.status != 202 {
					t.Errorf("%d %s", a.status, a.body)
				}
				made, err := w.catalogue.Repository(t.Context(), key("new/app"))
				if err != nil || made.Mutability != registry.Mutable {
					t.Errorf("%+v, %v", made, err)
				}
			})
			refused := func(t *testing.T, w *world) {
				t.Helper()
				w.drop("new/app", "source")
				w.create("source")
				w.blob("source", layer)
				w.decider.forbid("ecr:CreateRepository new/app")
				r.send(w).refuses(404, "NAME_UNKNOWN", "The repository with name 'new/app' does not exist in the registry with id '123456789012'", command)
				w.decider.forbid()
				w.do("GET", "/v2/new/app/tags/list").refuses(404, "NAME_UNKNOWN")
			}
			t.Run("not for who may not", func(t *testing.T) { refused(t, usual.with(t)) })
			t.Run("never in strict mode", func(t *testing.T) { refused(t, asECR.with(t)) })
		})
	}
	t.Run("reading creates nothing", func(t *testing.T) {
		w := open(t)
		for _, target := range []string{"manifests/v1", "manifests/" + someDigest, "blobs/" + someDigest, "tags/list", "blobs/uploads/" + someUpload} {
			w.do("GET", "/v2/new/app/"+target).refuses(404, "NAME_UNKNOWN")
		}
		w.do("PATCH", "/v2/new/app/blobs/uploads/"+someUpload, body(layer)).refuses(404, "NAME_UNKNOWN")
		w.do("DELETE", "/v2/new/app/blobs/"+someDigest).refuses(404, "NAME_UNKNOWN")
		w.do("GET", "/v2/_catalog").is(200).holds([]byte(`{"repositories":[]}` + "\n"))
	})
	t.Run("a manifest that is refused leaves nothing behind", func(t *testing.T) {
		w := open(t)
		index := indexOf(nil, []byte("child"))
		for _, test := range []struct {
			name, reference string
			manifest        []byte
			status          int
			code, text      string
		}{
			{"no manifest", "v1", []byte("{}"), 400, "MANIFEST_INVALID", ""},
			{"a digest that lies", someDigest, empty, 400, "DIGEST_INVALID", someDigest},
			{"layers", "v1", manifestOf("one", nil), 404, "MANIFEST_BLOB_UNKNOWN", string(sha(layerOf("one")))},
			{"children", "v1", index, 404, "MANIFEST_BLOB_UNKNOWN", string(sha([]byte("child")))},
			{"a tag that is none", "-", empty, 400, "TAG_INVALID", ""},
		} {
			w.do("PUT", "/v2/new/app/manifests/"+test.reference, body(test.manifest)).refuses(test.status, test.code, test.text)
			w.do("POST", "/v2/new/app/blobs/uploads/?digest=sha256:x", body(layer)).refuses(400, "DIGEST_INVALID")
		}
		w.do("GET", "/v2/_catalog").is(200).holds([]byte(`{"repositories":[]}` + "\n"))
	})
	t.Run("many first pushes at once make one", func(t *testing.T) {
		w := open(t)
		var all sync.WaitGroup
		for i := range 8 {
			all.Go(func() {
				content := fmt.Append(nil, "layer ", i)
				if a := w.do("POST", "/v2/new/app/blobs/uploads/?digest="+string(sha(content)), body(content)); a.status != 201 {
					t.Errorf("%d %s", a.status, a.body)
				}
			})
		}
		all.Wait()
		for i := range 8 {
			w.do("HEAD", "/v2/new/app/blobs/"+string(sha(fmt.Append(nil, "layer ", i)))).is(200)
		}
	})
	t.Run("a quota is a quota", func(t *testing.T) {
		w := open(t, func(c *registry.Config, _ *oci.Config) { c.Limits.Repositories = 1 })
		w.begin("first/app")
		w.do("POST", "/v2/new/app/blobs/uploads/").refuses(403, "DENIED", "quota of 1 repositories")
	})
}

// TestAnImageIsSeenWhereItWasPushed: no cache shows it elsewhere.
func TestAnImageIsSeenWhereItWasPushed(t *testing.T) {
	w := open(t)
	m, d := w.image("team/app", "v1", "one")
	w.do("GET", "/v2/team/app/manifests/v1").is(200).holds(m)
	w.create("other")
	w.do("GET", "/v2/other/manifests/"+string(d)).refuses(404, "MANIFEST_UNKNOWN")
	w.do("GET", "/v2/other/blobs/"+string(d)).refuses(404, "BLOB_UNKNOWN")
	w.do("GET", "/v2/team/app/blobs/"+string(d)).refuses(404, "BLOB_UNKNOWN") // a manifest is no blob
	w.do("GET", "/v2/team/app/manifests/"+string(sha(layerOf("one")))).refuses(404, "MANIFEST_UNKNOWN")
}
