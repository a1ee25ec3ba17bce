package oci_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/lighterage/lighterage/internal/api/oci"
	"github.com/lighterage/lighterage/internal/digest"
	"github.com/lighterage/lighterage/internal/fault"
	"github.com/lighterage/lighterage/internal/name"
	"github.com/lighterage/lighterage/internal/registry"
)

// These tests do the same to a front as ECR is and to the usual one. The table
// of docs/compatibility.md names them.

// worlds are a strict front and the usual one, both with a repository.
func worlds(t *testing.T, changes ...func(*registry.Config, *oci.Config)) (asECR, usual *world) {
	t.Helper()
	asECR, usual = open(t, append(slices.Clone(changes), strict)...), open(t, changes...)
	asECR.create("team/app")
	usual.create("team/app")
	return asECR, usual
}

// smallParts is a least size of parts that tests can write quickly.
func smallParts(r *registry.Config, _ *oci.Config) { r.Limits.MinPartSize = 1 << 20 }

const partTooSmall = "All layer parts except the last part should be at least 1MB"

func TestStrictChunksAreParts(t *testing.T) {
	asECR, usual := worlds(t, smallParts)
	small, large := noise(1<<20-1), noise(1<<20)
	type chunk struct {
		content []byte
		placed  bool // with a Content-Range
	}
	for _, test := range []struct {
		name   string
		chunks []chunk
		last   chunk // comes with the PUT
		strict int
	}{
		{"large ones", []chunk{{large, true}, {large, true}}, chunk{}, 201},
		{"a small one at the end", []chunk{{large, true}, {small, true}}, chunk{}, 201},
		{"a small one with the PUT", []chunk{{large, true}}, chunk{small, true}, 201},
		{"a small one alone", []chunk{{small, true}}, chunk{}, 201},
		{"a small one before another", []chunk{{small, true}, {large, true}}, chunk{}, 400},
		{"a small one in the middle", []chunk{{large, true}, {small, true}, {large, true}}, chunk{}, 400},
		{"a small one before what comes with the PUT", []chunk{{small, true}}, chunk{large, true}, 400},
		{"a small one before a stream", []chunk{{small, true}, {large, false}}, chunk{}, 400},
		{"streams of any size", []chunk{{small, false}, {small, false}, {small, false}}, chunk{}, 201},
	} {
		t.Run(test.name, func(t *testing.T) {
			for _, of := range []struct {
				*world
				patch, put int
			}{{asECR.with(t), 201, test.strict}, {usual.with(t), 202, 201}} {
				at, whole := of.begin("team/app"), []byte(nil)
				send := func(method, at string, c chunk) reply {
					options := []option{body(c.content)}
					if c.placed {
						options = append(options, header("Content-Range", fmt.Sprintf("%d-%d", len(whole), len(whole)+len(c.content)-1)))
					}
					whole = append(whole, c.content...)
					return of.do(method, at, options...)
				}
				for _, c := range test.chunks {
					at = send("PATCH", at, c).is(of.patch).has("Range", fmt.Sprintf("0-%d", len(whole)-1)).path()
				}
				d := string(sha(slices.Concat(whole, test.last.content)))
				done := send("PUT", at+"?digest="+d, test.last).is(of.put)
				if of.put == 400 {
					done.refuses(400, "BLOB_UPLOAD_INVALID", partTooSmall)
					of.do("HEAD", "/v2/team/app/blobs/"+d).is(404)
				}
			}
		})
	}
}

func TestStrictPiecesAreCreated(t *testing.T) {
	asECR, usual := worlds(t)
	at := asECR.begin("team/app")
	asECR.do("PATCH", at, body([]byte("abc"))).is(201).has("Range", "0-2")
	asECR.do("GET", at).is(204).has("Range", "0-2")
	usual.do("PATCH", usual.begin("team/app"), body([]byte("abc"))).is(202).has("Range", "0-2")
}

func TestStrictUploadsAreNamedByTheirLocationAlone(t *testing.T) {
	asECR, usual := worlds(t)
	const uuid = "Docker-Upload-Uuid"
	began := asECR.do("POST", "/v2/team/app/blobs/uploads/").is(202).has(uuid, "")
	asECR.do("PATCH", began.path(), body([]byte("abc"))).is(201).has(uuid, "")
	began = usual.do("POST", "/v2/team/app/blobs/uploads/").is(202)
	if id := began.header.Get(uuid); !strings.HasSuffix(began.path(), "/"+id) || id == "" {
		t.Errorf("usually: %s %q at %s", uuid, id, began.path())
	}
}

func TestStrictLayersAreNotEmpty(t *testing.T) {
	asECR, usual := worlds(t)
	empty := string(sha(nil))
	const text = " in the repository with name 'team/app' in registry with id '123456789012' cannot be completed because it does not have any parts"
	asECR.do("POST", "/v2/team/app/blobs/uploads/?digest="+empty).refuses(400, "BLOB_UPLOAD_INVALID", "The upload with id '", text)
	asECR.do("PUT", asECR.begin("team/app")+"?digest="+empty).refuses(400, "BLOB_UPLOAD_INVALID", text)
	asECR.do("HEAD", "/v2/team/app/blobs/"+empty).is(404)
	usual.do("POST", "/v2/team/app/blobs/uploads/?digest="+empty).is(201)
	usual.do("PUT", usual.begin("team/app")+"?digest="+empty).is(201)
}

func TestStrictDigestsAreSHA256(t *testing.T) {
	asECR, usual := worlds(t)
	content := []byte("a layer")
	long := string(sha512(content))
	manifest := manifestOf("one", nil)
	for _, of := range []struct {
		*world
		want int
	}{{asECR, 400}, {usual, 201}} {
		of.parts("team/app", "one")
		whole := of.do("POST", "/v2/team/app/blobs/uploads/?digest="+long, body(content)).is(of.want)
		parted := of.do("PUT", of.begin("team/app")+"?digest="+long, body(content)).is(of.want)
		put := of.do("PUT", "/v2/team/app/manifests/"+string(sha512(manifest)), body(manifest)).is(of.want)
		if of.want == 400 {
			whole.refuses(400, "BLOB_UPLOAD_INVALID", "None of the provided layer digests match the calculated layer digest: "+string(sha(content)))
			parted.refuses(400, "BLOB_UPLOAD_INVALID")
			put.refuses(400, "MANIFEST_INVALID", "does not match the image digest that Amazon ECR has calculated.")
		}
	}
}

func TestStrictPages(t *testing.T) {
	asECR, usual := worlds(t)
	var want []string
	for _, w := range []*world{asECR, usual} {
		want = nil
		m, d := w.image("team/app", "t000", "one")
		image, err := w.catalogue.Image(t.Context(), key("team/app"), registry.Reference{Digest: d})
		w.must(err)
		for i := range 250 {
			tag := fmt.Sprintf("t%03d", i)
			want = append(want, tag)
			if i > 0 {
				_, err := w.catalogue.PutImage(t.Context(), registry.Put{Key: key("team/app"), Body: m, Digest: image.Digest, Tags: []name.Tag{name.Tag(tag)}})
				w.must(err)
			}
		}
	}
	const list = "/v2/team/app/tags/list"
	t.Run("a hundred at once, until a link leads no further", func(t *testing.T) {
		w := asECR.with(t)
		var got []string
		var sizes []int
		for at := list; at != ""; {
			a := w.do("GET", at).is(200).has("Content-Type", "text/plain; charset=utf-8")
			tags := a.tags()
			got, sizes = append(got, tags...), append(sizes, len(tags))
			at = next(t, a, list)
		}
		if !slices.Equal(sizes, []int{100, 100, 50}) || !slices.Equal(got, want) {
			t.Errorf("pages of %v with %d tags", sizes, len(got))
		}
		usual.with(t).do("GET", list).is(200).has("Content-Type", "application/json; charset=utf-8", "Link", "")
	})
	t.Run("as many as are asked for", func(t *testing.T) {
		a := asECR.with(t).do("GET", list+"?n=3").is(200)
		if got := a.tags(); !slices.Equal(got, want[:3]) {
			t.Errorf("first %v", got)
		}
		second := asECR.with(t).do("GET", next(t, a, list)).is(200).tags()
		if !slices.Equal(second, want[3:6]) {
			t.Errorf("then %v", second)
		}
		asECR.with(t).do("GET", list+"?n=1000").is(200).has("Link", "")
	})
	for n, text := range map[string]string{
		"1001": "Member must have value less than or equal to 1000", "99999999999999999999": "Member must have value less than or equal to 1000",
		"0": "Member must have value greater than or equal to 1", "-1": "Member must have value greater than or equal to 1", "x": "Member must have value",
	} {
		t.Run("n="+n+" is refused", func(t *testing.T) {
			for _, at := range []string{list, "/v2/_catalog"} {
				asECR.with(t).do("GET", at+"?n="+n).refuses(405, "UNSUPPORTED", "Invalid parameter at 'maxResults' failed to satisfy constraint: '"+text)
			}
		})
	}
	usual.do("GET", list+"?n=1001").is(200)
	usual.do("GET", list+"?n=0").is(200)
	t.Run("a tag is no place to go on", func(t *testing.T) {
		if got := usual.with(t).do("GET", list+"?last=t247").is(200).tags(); !slices.Equal(got, want[248:]) {
			t.Errorf("usually: %v", got)
		}
		token := nextToken(t, asECR.with(t).do("GET", list))
		for _, last := range []string{"t247", "A" + token[1:], token[:len(token)/2], "dDAwMQ"} {
			for _, at := range []string{list, "/v2/_catalog"} {
				asECR.with(t).do("GET", at+"?last="+last).refuses(405, "UNSUPPORTED", "Invalid parameter at 'nextToken'")
			}
		}
		asECR.create("team/other")
		asECR.with(t).do("GET", "/v2/team/other/tags/list?last="+token).refuses(405, "UNSUPPORTED", "nextToken")
	})
	t.Run("the catalogue alike", func(t *testing.T) {
		w := asECR.with(t)
		w.create("a", "b", "c")
		a := w.do("GET", "/v2/_catalog?n=2").is(200).holds([]byte("{\"repositories\":[\"a\",\"b\"]}\n"))
		w.do("GET", next(t, a, "/v2/_catalog")).is(200).holds([]byte("{\"repositories\":[\"c\",\"team/app\"]}\n"))
	})
}

// tags are those of a list.
func (a reply) tags() []string {
	a.t.Helper()
	var list struct {
		Name string
		Tags []string
	}
	if err := json.Unmarshal(a.body, &list); err != nil || list.Name != "team/app" {
		a.t.Fatalf("%s: %q is no list of tags: %v", a.what, a.body, err)
	}
	return list.Tags
}

// next is where the answer's link leads, which is a whole URL on the host that
// was asked, or "".
func next(t *testing.T, a reply, path string) string {
	t.Helper()
	link := a.header.Get("Link")
	if link == "" {
		return ""
	}
	at, ok := strings.CutPrefix(strings.TrimSuffix(link, `>; rel="next"`), "<http://"+plain)
	if !ok || !strings.HasPrefix(at, path+"?") {
		t.Fatalf("link %q", link)
	}
	return at
}

func nextToken(t *testing.T, a reply) string {
	t.Helper()
	u, err := url.Parse(next(t, a, "/v2/team/app/tags/list"))
	if err != nil || u.Query().Get("last") == "" {
		t.Fatalf("link %q: %v", a.header.Get("Link"), err)
	}
	return u.Query().Get("last")
}

func TestStrictParametersAreUnsupported(t *testing.T) {
	asECR, usual := worlds(t)
	const at = "Invalid parameter at '"
	for _, test := range []struct {
		name           string
		method, target string
		body           []byte
		text           string
		usual          int
		code           string
	}{
		{"a bad repository name, read", "GET", "/v2/TEAM/manifests/v1", nil, at + "repositoryName' failed to satisfy constraint: '", 400, "NAME_INVALID"},
		{"a bad repository name, written", "POST", "/v2/TEAM/blobs/uploads/", nil, at + "repositoryName' failed to satisfy constraint: '", 400, "NAME_INVALID"},
		{"a bad tag", "PUT", "/v2/team/app/manifests/v+1", []byte("{}"), at + "imageTag' failed to satisfy constraint: '", 400, "TAG_INVALID"},
		{"a bad digest of a layer", "GET", "/v2/team/app/blobs/sha256:zz", nil, at + "layerDigest' failed to satisfy constraint: '", 400, "DIGEST_INVALID"},
		{"a manifest that is no JSON", "PUT", "/v2/team/app/manifests/v1", []byte("{"), at + "ImageManifest' failed to satisfy constraint: 'Invalid JSON syntax'", 400, "MANIFEST_INVALID"},
		{"a manifest that is too large", "PUT", "/v2/team/app/manifests/v1", make([]byte, 4<<20+1), at + "imageManifest' failed to satisfy constraint: 'Member must have length less than or equal to 4194304'", 413, "SIZE_INVALID"},
	} {
		t.Run(test.name, func(t *testing.T) {
			asECR.with(t).do(test.method, test.target, body(test.body)).refuses(405, "UNSUPPORTED", test.text)
			usual.with(t).do(test.method, test.target, body(test.body)).refuses(test.usual, test.code)
		})
	}
	for _, method := range []string{"GET", "HEAD", "DELETE"} {
		t.Run("a bad tag is a failure of one id for "+method, func(t *testing.T) {
			asECR.with(t).do(method, "/v2/team/app/manifests/v+1").refuses(400, "TAG_INVALID")
		})
	}
}

func TestStrictCodes(t *testing.T) {
	asECR, usual := worlds(t)
	asECR.blob("team/app", configOf("one"))
	usual.blob("team/app", configOf("one"))
	image := manifestOf("one", nil)
	index := encode(object{"schemaVersion": 2, "mediaType": ociIndex, "manifests": []object{descriptor(ociManifest, image)}})
	for _, test := range []struct {
		name           string
		method, target string
		body           []byte
		strict         int
		strictCode     string
		usual          int
		usualCode      string
		text           string
	}{
		{"layers that are missing", "PUT", "/v2/team/app/manifests/v1", image, 404, "BLOB_UPLOAD_UNKNOWN", 404, "MANIFEST_BLOB_UNKNOWN",
			"Layers with digests '[" + string(sha(layerOf("one"))) + "]' required for pushing image into repository with name 'team/app'"},
		{"children that are missing", "PUT", "/v2/team/app/manifests/v1", index, 400, "MANIFEST_BLOB_UNKNOWN", 404, "MANIFEST_BLOB_UNKNOWN",
			"Images with digests '[" + string(sha(image)) + "]' required for pushing image into repository with name 'team/app'"},
		{"an image of another digest", "PUT", "/v2/team/app/manifests/" + someDigest, image, 400, "MANIFEST_INVALID", 400, "DIGEST_INVALID",
			"does not match the image digest that Amazon ECR has calculated."},
		{"a layer of another digest", "POST", "/v2/team/app/blobs/uploads/?digest=" + someDigest, []byte("x"), 400, "BLOB_UPLOAD_INVALID", 400, "DIGEST_INVALID",
			"None of the provided layer digests match the calculated layer digest"},
		{"referrers in no repository", "GET", "/v2/no/such/referrers/" + someDigest, nil, 404, "NAME_UNKNOWN", 200, "", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			asECR.with(t).do(test.method, test.target, body(test.body)).refuses(test.strict, test.strictCode, test.text)
			a := usual.with(t).do(test.method, test.target, body(test.body)).is(test.usual)
			if test.usualCode != "" {
				a.refuses(test.usual, test.usualCode, test.text)
			}
		})
	}
}

func TestStrictIndexesListImages(t *testing.T) {
	asECR, usual := worlds(t)
	for _, of := range []struct {
		*world
		want int
	}{{asECR, 400}, {usual, 201}} {
		of.parts("team/app", "one")
		cache := encode(object{"schemaVersion": 2, "mediaType": ociIndex, "manifests": []object{
			descriptor(ociLayer, layerOf("one")), descriptor("application/vnd.buildkit.cacheconfig.v0", configOf("one")),
		}})
		a := of.do("PUT", "/v2/team/app/manifests/cache", body(cache)).is(of.want)
		if of.want == 400 {
			a.refuses(400, "MANIFEST_BLOB_UNKNOWN", "Images with digests '["+string(sha(layerOf("one"))))
		}
		image := manifestOf("one", nil)
		of.put("team/app", "v1", image)
		index := encode(object{"schemaVersion": 2, "mediaType": ociIndex, "manifests": []object{descriptor(ociManifest, image)}})
		of.put("team/app", "v2", index)
	}
}

func TestStrictReadersOfLayersAreRedirected(t *testing.T) {
	asECR, usual := worlds(t)
	content := []byte("a layer")
	for _, w := range []*world{asECR, usual} {
		w.blob("team/app", content)
	}
	at := "/v2/team/app/blobs/" + string(sha(content))
	a := asECR.do("GET", at).is(307).holds(nil)
	asECR.do("GET", a.path(), anonymous).is(200).holds(content)
	asECR.do("GET", a.path(), anonymous, header("Range", "bytes=2-")).is(206).holds(content[2:])
	asECR.do("HEAD", at).is(200).has("Content-Length", "7")
	asECR.do("GET", "/v2/team/app/blobs/"+someDigest).refuses(404, "BLOB_UNKNOWN")
	asECR.decider.forbid("ecr:GetDownloadUrlForLayer team/app")
	asECR.do("GET", at).refuses(403, "DENIED")
	usual.do("GET", at).is(200).holds(content)
}

func TestStrictMounts(t *testing.T) {
	asECR, usual := worlds(t, func(r *registry.Config, _ *oci.Config) { r.Keys = registry.Keys{"alias/app": "enabled"} })
	mount := func(w *world, d digest.Digest) int {
		t.Helper()
		return w.do("POST", "/v2/team/app/blobs/uploads/?from=source&mount="+string(d)).status
	}
	for _, w := range []*world{asECR, usual} {
		w.create("source")
		w.image("source", "v1", "one")
		w.blob("source", []byte("of no image"))
	}
	of, alone := sha(layerOf("one")), sha([]byte("of no image"))
	got := []int{mount(usual, of), mount(usual, alone), mount(asECR, of)}
	asECR.must(asECR.catalogue.PutAccountSetting(t.Context(), key("source").Registry, "BLOB_MOUNTING", "ENABLED"))
	got = append(got, mount(asECR, of), mount(asECR, alone))
	if want := []int{201, 201, 202, 201, 202}; !slices.Equal(got, want) {
		t.Errorf("usually of an image and of none, strictly before it is enabled, of an image and of none: %v, want %v", got, want)
	}
	for _, into := range []struct {
		*world
		want int
	}{{asECR, 202}, {usual, 201}} {
		settings := registry.Defaults()
		settings.EncryptionType, settings.KMSKey = "KMS", "alias/app"
		_, err := into.catalogue.CreateRepository(t.Context(), key("encrypted"), settings, nil)
		into.must(err)
		into.do("POST", "/v2/encrypted/blobs/uploads/?from=source&mount="+string(of)).is(into.want)
	}
}

func TestStrictDeletingTheLastTag(t *testing.T) {
	asECR, usual := worlds(t)
	for _, of := range []struct {
		*world
		want int
	}{{asECR, 404}, {usual, 200}} {
		m, d := of.image("team/app", "v1", "one")
		of.put("team/app", "v2", m)
		of.do("DELETE", "/v2/team/app/manifests/v1").is(202)
		of.do("HEAD", "/v2/team/app/manifests/"+string(d)).is(200)
		of.do("DELETE", "/v2/team/app/manifests/v2").is(202)
		of.do("HEAD", "/v2/team/app/manifests/"+string(d)).is(of.want)
		of.do("DELETE", "/v2/team/app/manifests/v2").refuses(404, "MANIFEST_UNKNOWN")
	}
	image, _ := asECR.image("team/app", "child", "one")
	index := encode(object{"schemaVersion": 2, "mediaType": ociIndex, "manifests": []object{descriptor(ociManifest, image)}})
	d := asECR.put("team/app", "all", index)
	asECR.do("DELETE", "/v2/team/app/manifests/child").refuses(405, "UNSUPPORTED", "Requested image referenced by manifest list: ["+string(d)+"]")
}

func TestStrictTagsInAQueryCountForNothing(t *testing.T) {
	asECR, usual := worlds(t)
	for _, of := range []struct {
		*world
		tagged int
		header string
	}{{asECR, 404, ""}, {usual, 200, "v1"}} {
		of.parts("team/app", "one")
		m := manifestOf("one", nil)
		of.do("PUT", "/v2/team/app/manifests/"+string(sha(m))+"?tag=v1", body(m)).is(201).has("Oci-Tag", of.header)
		of.do("HEAD", "/v2/team/app/manifests/v1").is(of.tagged)
		of.do("HEAD", "/v2/team/app/manifests/"+string(sha(m))).is(200)
	}
}

// TestEveryRouteCountsOnceByItsAction: what a request does beside its action is
// not counted.
func TestEveryRouteCountsOnceByItsAction(t *testing.T) {
	var counted []string
	w := open(t, func(_ *registry.Config, c *oci.Config) {
		c.Rate = func(a name.AccountID, r name.Region, action string) error {
			counted = append(counted, fmt.Sprint(a, " ", r, " ", action))
			return nil
		}
	})
	w.create("team/app")
	w.image("team/app", "v1", "one")
	layer := string(sha(layerOf("one")))
	for _, test := range []struct{ method, target, action string }{
		{"GET", "/v2/", ""},
		{"GET", "/v2/team/app/tags/list", "ecr:ListImages"},
		{"HEAD", "/v2/team/app/manifests/v1", "ecr:BatchGetImage"},
		{"GET", "/v2/team/app/manifests/none", "ecr:BatchGetImage"},
		{"GET", "/v2/team/app/blobs/" + layer, "ecr:GetDownloadUrlForLayer"},
		{"HEAD", "/v2/team/app/blobs/" + layer, "ecr:BatchCheckLayerAvailability"},
		{"POST", "/v2/team/app/blobs/uploads/", "ecr:InitiateLayerUpload"},
		{"POST", "/v2/team/app/blobs/uploads/?digest=" + string(sha([]byte("x"))), "ecr:InitiateLayerUpload"},
		{"PATCH", "/v2/team/app/blobs/uploads/" + someUpload, "ecr:UploadLayerPart"},
		{"PUT", "/v2/team/app/blobs/uploads/" + someUpload + "?digest=" + layer, "ecr:CompleteLayerUpload"},
		{"PUT", "/v2/team/app/manifests/v2", "ecr:PutImage"},
		{"GET", "/v2/team/app/referrers/" + layer, "ecr:BatchGetImage"},
	} {
		t.Run(test.method+" "+test.target, func(t *testing.T) {
			counted = nil
			w.with(t).do(test.method, test.target, body([]byte("x")))
			want := []string{"123456789012 us-east-1 " + test.action}
			if test.action == "" {
				want = nil
			}
			if !slices.Equal(counted, want) {
				t.Errorf("counted %q, want %q", counted, want)
			}
		})
	}
	t.Run("what is denied does not count", func(t *testing.T) {
		counted = nil
		w.decider.forbid("ecr:BatchGetImage team/app")
		w.with(t).do("GET", "/v2/team/app/manifests/v1").refuses(403, "DENIED")
		w.with(t).do("GET", "/v2/team/app/manifests/v1", anonymous).is(401)
		if counted != nil {
			t.Errorf("counted %q", counted)
		}
	})
}

func TestARequestTooManyIsRefused(t *testing.T) {
	w := open(t, func(_ *registry.Config, c *oci.Config) {
		c.Rate = func(name.AccountID, name.Region, string) error { return fault.New(fault.Overloaded) }
	})
	w.create("team/app")
	w.do("GET", "/v2/").is(200)
	for _, method := range []string{"GET", "HEAD", "PUT", "DELETE"} {
		w.do(method, "/v2/team/app/manifests/v1").refuses(http.StatusTooManyRequests, "TOOMANYREQUESTS", "Rate exceeded").has("Retry-After", "1")
	}
}
