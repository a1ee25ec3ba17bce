package oci_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/lighterage/lighterage/internal/api/oci"
)

// TestTheTableIsComplete lists what the protocol has (spec, "Endpoints", and
// the catalogue of Docker's API), so that a line that is lost is missed.
func TestTheTableIsComplete(t *testing.T) {
	want := []string{
		"DELETE /<name>/blobs/<digest>", "DELETE /<name>/blobs/uploads/<id>", "DELETE /<name>/manifests/<reference>",
		"GET /", "GET /<name>/blobs/<digest>", "GET /<name>/blobs/uploads/<id>", "GET /<name>/manifests/<reference>",
		"GET /<name>/referrers/<digest>", "GET /<name>/tags/list", "GET /_catalog",
		"HEAD /", "HEAD /<name>/blobs/<digest>", "HEAD /<name>/manifests/<reference>",
		"PATCH /<name>/blobs/uploads/<id>", "POST /<name>/blobs/uploads/",
		"PUT /<name>/blobs/uploads/<id>", "PUT /<name>/manifests/<reference>",
	}
	var got []string
	for _, r := range oci.Routes() {
		got = append(got, r.Method+" "+r.Pattern)
		if r.Named != strings.Contains(r.Pattern, "<name>") {
			t.Errorf("%s %s: Named is %t", r.Method, r.Pattern, r.Named)
		}
		if r.Action == "" && r.Pattern != "/" || r.Action != "" && !strings.HasPrefix(r.Action, "ecr:") {
			t.Errorf("%s %s: action %q", r.Method, r.Pattern, r.Action)
		}
	}
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("routes:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestPathsThatBelongToNoOperation(t *testing.T) {
	w := open(t)
	w.create("team/app")
	for _, path := range []string{
		"/v2/x", "/v2/team/app", "/v2/team/app/", "/v2/team/app/manifests", "/v2/team/app/blobs", "/v2/team/app/tags",
		"/v2/team/app/tags/list/", "/v2/team/app/tags/lists", "/v2/team/app/manifests/a/b", "/v2/_catalog/", "/v2/_Catalog",
		"/v2/team/app/blobs/uploads/" + someUpload + "/", "/v2/team/app/uploads/" + someUpload, "/v2//", "/v2/_ping", "/v2/token",
	} {
		for _, method := range []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "BREW"} {
			w.do(method, path).refuses(404, "UNSUPPORTED")
		}
	}
}

func TestMethodsThatAPathDoesNotHave(t *testing.T) {
	w := open(t)
	w.create("team/app")
	has := map[string][]string{}
	sample := map[string]string{}
	for _, r := range oci.Routes() {
		has[r.Pattern] = append(has[r.Pattern], r.Method)
		sample[r.Pattern] = target(r, "team/app")
	}
	for pattern, methods := range has {
		slices.Sort(methods)
		for _, method := range []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW", "get"} {
			if !slices.Contains(methods, method) {
				w.do(method, sample[pattern]).refuses(405, "UNSUPPORTED").has("Allow", strings.Join(methods, ", "))
			}
		}
	}
}

func TestThePathWithoutItsSlashIsTheBase(t *testing.T) {
	w := open(t)
	w.do("GET", "/v2").is(200).holds([]byte("{}"))
	w.do("HEAD", "/v2/").is(200).has("Content-Type", "application/json; charset=utf-8", "Content-Length", "2")
	w.create("team/app")
	w.do("POST", "/v2/team/app/blobs/uploads").is(202)
}

// longest is a repository name of 256 bytes with slashes.
var longest = strings.Repeat("abcdefg/", 31) + "abcdefgh"

func TestRepositoryNamesThatAreTaken(t *testing.T) {
	w := open(t)
	names := []string{
		longest, "aa", "a/b", "0/1", "a.b_c__d-e---f/g", "tags/list", "manifests/latest", "blobs/uploads", "a/blobs/uploads/b",
		"blobs", "uploads", "manifests", "referrers", "tags", "v2", "a/manifests/manifests", "library/catalog", strings.Repeat("x", 256),
	}
	for _, name := range names {
		t.Run(name, func(t *testing.T) {
			w := w.with(t)
			m, d := w.image(name, "latest", "one")
			for _, ref := range []string{"latest", string(d)} {
				w.do("GET", "/v2/"+name+"/manifests/"+ref).is(200).holds(m)
				w.do("HEAD", "/v2/"+name+"/manifests/"+ref).is(200)
			}
			w.do("GET", "/v2/"+name+"/blobs/"+string(sha(layerOf("one")))).is(200).holds(layerOf("one"))
			w.do("GET", "/v2/"+name+"/tags/list").is(200).holds([]byte(`{"name":"` + name + `","tags":["latest"]}` + "\n"))
			w.do("GET", "/v2/"+name+"/referrers/"+string(d)).is(200)
			at := w.begin(name)
			if want := "/v2/" + name + "/blobs/uploads/"; !strings.HasPrefix(at, want) {
				t.Errorf("the upload goes on at %s, want %s…", at, want)
			}
			w.do("GET", at).is(204)
		})
	}
	slices.Sort(names)
	w.do("GET", "/v2/_catalog").is(200).holds(append(encode(object{"repositories": names}), '\n'))
}

func TestRepositoryNamesThatAreRefused(t *testing.T) {
	w := open(t)
	names := map[string]string{
		"one byte (ECR's minimum is two)": "a",
		"257 bytes":                       longest + "x",
		"very many bytes":                 strings.Repeat("a/", 20_000) + "a",
		"upper case":                      "Team/App",
		"dots":                            "..",
		"a parent":                        "a/../b",
		"parents to the root":             "../../etc/passwd",
		"an encoded parent":               "a/%2e%2e/b",
		"encoded slashes around a parent": "a%2F..%2Fb",
		"an empty segment":                "a//b",
		"a leading slash":                 "/a",
		"a trailing slash":                "aa/",
		"NUL":                             "a%00b",
		"a line break":                    "a%0d%0ab",
		"a space":                         "a%20b",
		"a colon":                         "a:b",
		"an at sign":                      "a@b",
		"a percent sign":                  "a%25b",
		"a backslash":                     "a%5Cb",
		"no ASCII":                        "caf%C3%A9",
		"no UTF-8":                        "a%FFb",
		"a quote":                         "a%22b",
		"a leading underscore":            "_a/b",
		"three underscores":               "a___b",
		"a separator at the end":          "ab-",
		"two dots inside":                 "a..b",
		"nothing":                         "",
	}
	for what, name := range names {
		t.Run(what, func(t *testing.T) {
			w := w.with(t)
			everyRoute(t, func(t *testing.T, r oci.Route) {
				w := w.with(t)
				if r.Named {
					w.do(r.Method, target(r, name), body([]byte("x"))).refuses(400, "NAME_INVALID", "repositoryName")
				}
			})
		})
	}
	w.do("GET", "/v2/_catalog").is(200).holds([]byte(`{"repositories":[]}` + "\n"))
	t.Run("an encoded slash is a slash", func(t *testing.T) {
		w := w.with(t)
		m, _ := w.image("a%2Fb", "v1", "one")
		w.do("GET", "/v2/a/b/manifests/v1").is(200).holds(m)
	})
}

func TestReferencesThatAreRefused(t *testing.T) {
	w := open(t)
	w.create("team/app")
	for _, test := range []struct{ name, reference, code string }{
		{"a tag of 129 bytes", strings.Repeat("t", 129), "TAG_INVALID"},
		{"a tag that begins with a dot", ".a", "TAG_INVALID"},
		{"a tag that begins with a dash", "-a", "TAG_INVALID"},
		{"dots", "..", "TAG_INVALID"},
		{"a tag with a space", "a%20b", "TAG_INVALID"},
		{"a tag with NUL", "a%00", "TAG_INVALID"},
		{"a tag with an at sign", "a@b", "TAG_INVALID"},
		{"no reference", "", "TAG_INVALID"},
		{"a digest of MD5", "md5:d41d8cd98f00b204e9800998ecf8427e", "DIGEST_INVALID"},
		{"a digest of SHA-384", "sha384:" + strings.Repeat("a", 96), "DIGEST_INVALID"},
		{"a short digest", "sha256:abc", "DIGEST_INVALID"},
		{"a long digest", someDigest + "a", "DIGEST_INVALID"},
		{"a digest in upper case", strings.Replace(someDigest, "a", "A", -1), "DIGEST_INVALID"},
		{"a digest with no hex in it", "sha256:" + strings.Repeat("g", 64), "DIGEST_INVALID"},
		{"a digest with a path in it", "sha256:..%2f..%2fetc", "UNSUPPORTED"}, // its slashes make another path,
		{"an algorithm alone", "sha256:", "DIGEST_INVALID"},
		{"a colon alone", ":", "DIGEST_INVALID"},
		{"a digest with two algorithms", "sha256:" + someDigest, "DIGEST_INVALID"},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := w.with(t)
			manifest := "/v2/team/app/manifests/" + test.reference
			status := 400
			if test.code == "UNSUPPORTED" {
				status = 404
			}
			for _, method := range []string{"GET", "HEAD", "PUT", "DELETE"} {
				w.do(method, manifest, body(indexOf(nil))).refuses(status, test.code)
			}
			if test.code == "DIGEST_INVALID" {
				for _, method := range []string{"GET", "HEAD", "DELETE"} {
					w.do(method, "/v2/team/app/blobs/"+test.reference).refuses(400, "DIGEST_INVALID")
				}
				w.do("GET", "/v2/team/app/referrers/"+test.reference).refuses(400, "DIGEST_INVALID")
				w.do("POST", "/v2/team/app/blobs/uploads/?digest="+test.reference, body([]byte("x"))).refuses(400, "DIGEST_INVALID")
				w.do("POST", "/v2/team/app/blobs/uploads/?from=team/app&mount="+test.reference).refuses(400, "DIGEST_INVALID")
				w.do("PUT", w.begin("team/app")+"?digest="+test.reference).refuses(400, "DIGEST_INVALID")
			}
		})
	}
	w.do("GET", "/v2/team/app/tags/list").is(200).holds([]byte(`{"name":"team/app","tags":[]}` + "\n"))
}

// FuzzPath: whatever the path, it is told apart without a panic, and what is
// taken from it is there and puts it together again.
func FuzzPath(f *testing.F) {
	for _, r := range oci.Routes() {
		f.Add(target(r, "team/app"))
		f.Add(target(r, ""))
		f.Add(target(r, "blobs/uploads"))
		f.Add(target(r, "../manifests/x"))
	}
	for _, s := range []string{"", "/", "/v2", "/v2//", "/v2/\x00/manifests/\xff", "/v2/manifests/manifests/manifests", "/v2/a/blobs/uploads"} {
		f.Add(s)
	}
	patterns := map[string]bool{"": true}
	for _, r := range oci.Routes() {
		patterns[r.Pattern] = true
	}
	f.Fuzz(func(t *testing.T, path string) {
		pattern, repository := oci.KindOf(path)
		if !patterns[pattern] {
			t.Fatalf("%q: pattern %q is in no route", path, pattern)
		}
		if pattern == "" {
			return
		}
		last := path[strings.LastIndexByte(path, '/')+1:]
		again := "/v2" + pattern
		for _, part := range []string{"<reference>", "<digest>", "<id>"} {
			again = strings.Replace(again, part, last, 1)
		}
		again = strings.Replace(again, "<name>", repository, 1)
		if again != path && again != path+"/" {
			// A base or an uploads path may do without its last slash, and a
			// name may be absent together with the slash behind it.
			if repository != "" || strings.Replace(again, "/v2//", "/v2/", 1) != path && strings.Replace(again, "/v2//", "/v2/", 1) != path+"/" {
				t.Fatalf("%q: %s of %q puts together %q", path, pattern, repository, again)
			}
		}
	})
}
