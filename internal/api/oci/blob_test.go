package oci_test

import (
	"bytes"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/lighterage/lighterage/internal/digest"
)

// sizes of layers: kept inside the metadata store, and in a file.
var sizes = map[string]int{"an inline layer": 2048, "a layer in a file": 300 << 10}

// noise is n bytes that do not repeat soon.
func noise(n int) []byte {
	b := make([]byte, n)
	x := uint32(n)
	for i := range b {
		x = x*1664525 + 1013904223
		b[i] = byte(x >> 24)
	}
	return b
}

func TestALayerIsServedByteForByte(t *testing.T) {
	w := open(t)
	for _, content := range [][]byte{nil, []byte("{}"), []byte("\x00\xff\r\n"), []byte("<html>"), noise(128 << 10), noise(128<<10 + 1), noise(3 << 20)} {
		for _, of := range []func([]byte) digest.Digest{sha, sha512} {
			t.Run(fmt.Sprintf("%d bytes by %s", len(content), of(nil).Algorithm()), func(t *testing.T) {
				w := w.with(t)
				d := string(of(content))
				w.do("HEAD", "/v2/team/app/blobs/"+d).is(404)
				w.do("POST", "/v2/team/app/blobs/uploads/?digest="+d, body(content)).is(201)
				for _, method := range []string{"HEAD", "GET"} {
					a := w.do(method, "/v2/team/app/blobs/"+d).is(200).has("Docker-Content-Digest", d, "Content-Length", fmt.Sprint(len(content)),
						"Content-Type", "application/octet-stream", "Etag", `"`+d+`"`, "Accept-Ranges", "bytes")
					if method == "GET" {
						a.holds(content)
					}
				}
			})
		}
	}
}

func TestALayerThatIsNotThere(t *testing.T) {
	w := open(t)
	w.create("team/app")
	w.do("GET", "/v2/team/app/blobs/"+someDigest).refuses(404, "BLOB_UNKNOWN", someDigest)
	w.do("HEAD", "/v2/team/app/blobs/"+someDigest).refuses(404, "BLOB_UNKNOWN")
	w.do("GET", "/v2/no/such/blobs/"+someDigest).refuses(404, "NAME_UNKNOWN", "no/such")
	w.do("HEAD", "/v2/no/such/blobs/"+someDigest).refuses(404, "NAME_UNKNOWN")
	w.do("DELETE", "/v2/team/app/blobs/"+someDigest).refuses(404, "BLOB_UNKNOWN")
	w.do("DELETE", "/v2/no/such/blobs/"+someDigest).refuses(404, "NAME_UNKNOWN")
	t.Run("a layer is of its repository", func(t *testing.T) {
		w := w.with(t)
		d := string(w.blob("team/app", []byte("here")))
		w.create("other", "team")
		for _, repository := range []string{"other", "team"} {
			w.do("GET", "/v2/"+repository+"/blobs/"+d).refuses(404, "BLOB_UNKNOWN")
			w.do("HEAD", "/v2/"+repository+"/blobs/"+d).is(404)
		}
	})
}

func TestRangesOfALayer(t *testing.T) {
	w := open(t)
	for what, size := range sizes {
		content := noise(size)
		at := "/v2/team/app/blobs/" + string(w.blob("team/app", content))
		for _, test := range []struct {
			name, ask   string
			first, last int
		}{
			{"in the middle", "bytes=500-1499", 500, 1499},
			{"from a byte on", "bytes=500-", 500, size - 1},
			{"the last bytes", "bytes=-500", size - 500, size - 1},
			{"more last bytes than there are", fmt.Sprintf("bytes=-%d", size+1), 0, size - 1},
			{"one byte", "bytes=0-0", 0, 0},
			{"beyond the end", fmt.Sprintf("bytes=%d-%d", size-48, size+1000), size - 48, size - 1},
		} {
			t.Run(what+": "+test.name, func(t *testing.T) {
				w := w.with(t)
				a := w.do("GET", at, header("Range", test.ask)).is(206).holds(content[test.first : test.last+1])
				a.has("Content-Range", fmt.Sprintf("bytes %d-%d/%d", test.first, test.last, size), "Content-Length", fmt.Sprint(test.last-test.first+1), "Content-Type", "application/octet-stream")
			})
		}
		for name, ask := range map[string]string{
			"that ends before it begins": "bytes=500-0", "after the end": fmt.Sprintf("bytes=%d-", size), "no numbers": "bytes=a-b", "no digits": "bytes=-",
		} {
			t.Run(what+": "+name+" cannot be satisfied", func(t *testing.T) {
				w := w.with(t)
				w.do("GET", at, header("Range", ask)).is(416)
			})
		}
		t.Run(what+": of another unit is ignored", func(t *testing.T) {
			w := w.with(t)
			w.do("GET", at, header("Range", "lines=1-2")).is(200).holds(content)
		})
		t.Run(what+": after the end tells the size", func(t *testing.T) {
			w := w.with(t)
			w.do("GET", at, header("Range", fmt.Sprintf("bytes=%d-%d", size, size+9))).is(416).has("Content-Range", fmt.Sprintf("bytes */%d", size))
		})
		t.Run(what+": several ranges come in parts", func(t *testing.T) {
			w := w.with(t)
			a := w.do("GET", at, header("Range", "bytes=0-9,100-199")).is(206)
			_, params, err := mime.ParseMediaType(a.header.Get("Content-Type"))
			w.must(err)
			parts := multipart.NewReader(bytes.NewReader(a.body), params["boundary"])
			for _, want := range [][]byte{content[:10], content[100:200]} {
				p, err := parts.NextPart()
				w.must(err)
				if got, err := io.ReadAll(p); err != nil || !bytes.Equal(got, want) {
					t.Errorf("part of %d bytes, %v", len(got), err)
				}
			}
		})
		t.Run(what+": very many ranges are no more work than the whole", func(t *testing.T) {
			w := w.with(t)
			ask := "bytes=0-" + strings.Repeat(",0-", 1000)
			if a := w.do("GET", at, header("Range", ask)); len(a.body) > size+1000 {
				t.Errorf("%d: %d bytes", a.status, len(a.body))
			}
		})
		t.Run(what+": HEAD has no ranges", func(t *testing.T) {
			w := w.with(t)
			w.do("HEAD", at, header("Range", "bytes=0-9")).is(200).has("Content-Length", fmt.Sprint(size))
		})
		t.Run(what+": conditions", func(t *testing.T) {
			w := w.with(t)
			etag := w.do("HEAD", at).header.Get("Etag")
			w.do("GET", at, header("If-None-Match", etag)).is(304).holds(nil)
			w.do("GET", at, header("If-None-Match", `"other"`)).is(200).holds(content)
			w.do("GET", at, header("If-Match", etag)).is(200).holds(content)
			w.do("GET", at, header("If-Match", `"other"`)).is(412)
			w.do("GET", at, header("Range", "bytes=0-9"), header("If-Range", etag)).is(206).holds(content[:10])
			w.do("GET", at, header("Range", "bytes=0-9"), header("If-Range", `"other"`)).is(200).holds(content)
		})
	}
}

func TestDeletingALayer(t *testing.T) {
	w := open(t)
	for what, size := range sizes {
		t.Run(what, func(t *testing.T) {
			w := w.with(t)
			content := noise(size)
			d := string(w.blob("team/app", content))
			w.blob("other", content)
			w.do("GET", "/v2/team/app/blobs/"+d).is(200).holds(content)
			w.do("DELETE", "/v2/team/app/blobs/"+d).is(202)
			w.do("GET", "/v2/team/app/blobs/"+d).refuses(404, "BLOB_UNKNOWN")
			w.do("HEAD", "/v2/team/app/blobs/"+d).is(404)
			w.do("DELETE", "/v2/team/app/blobs/"+d).refuses(404, "BLOB_UNKNOWN")
			w.do("GET", "/v2/other/blobs/"+d).is(200).holds(content)
			w.do("GET", "/v2/team/app/blobs/"+d).refuses(404, "BLOB_UNKNOWN") // though it was just read next door
			w.blob("team/app", content)
			w.do("GET", "/v2/team/app/blobs/"+d).is(200).holds(content)
		})
	}
	t.Run("an image keeps its config and layers", func(t *testing.T) {
		w := w.with(t)
		_, d := w.image("team/app", "v1", "one")
		w.parts("other", "one")
		for _, content := range [][]byte{configOf("one"), layerOf("one")} {
			w.do("DELETE", "/v2/team/app/blobs/"+string(sha(content))).refuses(405, "UNSUPPORTED", "referenced")
			w.do("GET", "/v2/team/app/blobs/"+string(sha(content))).is(200).holds(content)
			w.do("DELETE", "/v2/other/blobs/"+string(sha(content))).is(202) // kept there by nothing
		}
		w.do("DELETE", "/v2/team/app/manifests/"+string(d)).is(202)
		w.do("DELETE", "/v2/team/app/blobs/"+string(sha(layerOf("one")))).is(202)
	})
	t.Run("not in strict mode, as on ECR", func(t *testing.T) {
		w := open(t, strict)
		w.create("team/app")
		d := string(w.blob("team/app", []byte("x")))
		w.do("DELETE", "/v2/team/app/blobs/"+d).refuses(405, "UNSUPPORTED").has("Allow", "GET, HEAD")
		w.do("HEAD", "/v2/team/app/blobs/"+d).is(200)
	})
}

func TestMounting(t *testing.T) {
	w := open(t)
	w.create("team/app", "empty")
	for what, size := range sizes {
		for _, of := range []func([]byte) digest.Digest{sha, sha512} {
			t.Run(what+" by "+of(nil).Algorithm().String(), func(t *testing.T) {
				w := w.with(t)
				content := noise(size)
				d := string(of(content))
				w.do("POST", "/v2/source/blobs/uploads/?digest="+d, body(content)).is(201)
				for _, query := range []string{"?from=source&mount=" + d, "?mount=" + d + "&from=source&origin=x", "?mount=" + d, "?mount=" + d + "&from="} {
					a := w.do("POST", "/v2/team/app/blobs/uploads/"+query, header("Content-Type", "application/json")).is(201).has("Docker-Content-Digest", d)
					if want := "/v2/team/app/blobs/" + d; a.path() != want {
						t.Errorf("Location %s, want %s", a.path(), want)
					}
					w.do("GET", "/v2/team/app/blobs/"+d).is(200).holds(content)
					w.do("DELETE", "/v2/team/app/blobs/"+d).is(202)
				}
				w.do("GET", "/v2/source/blobs/"+d).is(200).holds(content)
				w.do("DELETE", "/v2/source/blobs/"+d).is(202)
			})
		}
	}
	d := string(w.blob("source", []byte("there")))
	for name, query := range map[string]string{
		"of a layer that is nowhere": "?from=source&mount=" + someDigest, "of a layer that is nowhere, without a source": "?mount=" + someDigest,
		"from a repository without it": "?from=empty&mount=" + d, "from a repository that is not there": "?from=no/such&mount=" + d,
		"from a name that is none": "?from=../../x&mount=" + d, "of nothing": "?mount=", "from itself": "?from=team/app&mount=" + d,
		"from somewhere, of nothing": "?from=source",
	} {
		t.Run("a mount "+name+" begins an upload", func(t *testing.T) {
			w := w.with(t)
			at := w.do("POST", "/v2/team/app/blobs/uploads/"+query).is(202).path()
			w.do("HEAD", "/v2/team/app/blobs/"+d).is(404)
			w.do("PUT", at+"?digest="+string(sha([]byte("plain"))), body([]byte("plain"))).is(201)
			w.do("DELETE", "/v2/team/app/blobs/"+string(sha([]byte("plain")))).is(202)
		})
	}
	t.Run("a mounted layer outlives its source", func(t *testing.T) {
		w := w.with(t)
		w.do("POST", "/v2/team/app/blobs/uploads/?from=source&mount="+d).is(201)
		w.do("DELETE", "/v2/source/blobs/"+d).is(202)
		w.do("GET", "/v2/team/app/blobs/"+d).is(200).holds([]byte("there"))
		_, err := w.catalogue.DeleteRepository(t.Context(), key("source"), true)
		w.must(err)
		w.do("GET", "/v2/team/app/blobs/"+d).is(200).holds([]byte("there"))
	})
	t.Run("not from another account", func(t *testing.T) {
		w := w.with(t)
		w.do("POST", "/v2/theirs/blobs/uploads/?from=team/app&mount="+d, as(w.foreign)).is(202)
		w.do("POST", "/v2/theirs/blobs/uploads/?mount="+d, as(w.foreign)).is(202)
		w.do("HEAD", "/v2/theirs/blobs/"+d, as(w.foreign)).is(404)
	})
	t.Run("not without a source in strict mode", func(t *testing.T) {
		w := open(t, strict)
		w.create("source", "team/app")
		w.must(w.catalogue.PutAccountSetting(t.Context(), key("source").Registry, "BLOB_MOUNTING", "ENABLED"))
		w.image("source", "v1", "one")
		d := string(sha(layerOf("one")))
		w.do("POST", "/v2/team/app/blobs/uploads/?mount="+d).is(202)
		w.do("POST", "/v2/team/app/blobs/uploads/?from=source&mount="+d).is(201)
	})
}

// TestALayerOverTCP reads a file through the server's own connection, whole
// and in part, twice on the same one.
func TestALayerOverTCP(t *testing.T) {
	w := open(t)
	s := httptest.NewServer(w.handler)
	t.Cleanup(s.Close)
	content := noise(5<<20 + 7)
	d := string(w.blob("team/app", content))
	for _, test := range []struct {
		ask  string
		want []byte
	}{{"", content}, {"bytes=1000000-", content[1000000:]}, {"", content}} {
		r, err := http.NewRequestWithContext(t.Context(), "GET", s.URL+"/v2/team/app/blobs/"+d, nil)
		w.must(err)
		r.Header.Set("Authorization", w.token)
		if test.ask != "" {
			r.Header.Set("Range", test.ask)
		}
		resp, err := s.Client().Do(r)
		w.must(err)
		got, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil || !bytes.Equal(got, test.want) {
			t.Errorf("range %q: %d bytes, want %d (%v)", test.ask, len(got), len(test.want), err)
		}
	}
}
