package oci_test

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lighterage/lighterage/internal/api/oci"
	"github.com/lighterage/lighterage/internal/digest"
	"github.com/lighterage/lighterage/internal/registry"
)

// TestEveryWayToUpload pushes the same layers in each way that clients use.
func TestEveryWayToUpload(t *testing.T) {
	type way func(w *world, content []byte, d string) reply
	chunked := func(pieces int, last string) way {
		return func(w *world, content []byte, d string) reply {
			at := w.do("POST", "/v2/team/app/blobs/uploads/").is(202).has("Content-Length", "0").path()
			size := len(content)/pieces + 1
			for from := 0; from < len(content); from += size {
				to := min(from+size, len(content))
				r := fmt.Sprintf("%d-%d", from, to-1)
				if to == len(content) && last == "PUT" {
					return w.do("PUT", at+"?digest="+d, body(content[from:to]), header("Content-Range", r))
				}
				at = w.do("PATCH", at, body(content[from:to]), header("Content-Range", r)).is(202).has("Range", fmt.Sprintf("0-%d", to-1)).path()
			}
			return w.do("PUT", at+"?digest="+d)
		}
	}
	ways := map[string]way{
		"POST and PUT": func(w *world, content []byte, d string) reply {
			return w.do("PUT", w.begin("team/app")+"?digest="+d, body(content), header("Content-Type", "application/octet-stream"))
		},
		"POST and PUT of a stream": func(w *world, content []byte, d string) reply {
			return w.do("PUT", w.begin("team/app")+"?digest="+d, stream(content))
		},
		"a single POST": func(w *world, content []byte, d string) reply {
			return w.do("POST", "/v2/team/app/blobs/uploads/?digest="+d, body(content))
		},
		"a single POST of a stream": func(w *world, content []byte, d string) reply {
			return w.do("POST", "/v2/team/app/blobs/uploads/?digest="+d, stream(content))
		},
		"a POST that announces the digest, then PUT": func(w *world, content []byte, d string) reply {
			a := w.do("POST", "/v2/team/app/blobs/uploads/?digest="+d)
			if len(content) == 0 {
				return a
			}
			return w.do("PUT", a.is(202).path()+"?digest="+d, body(content))
		},
		"a POST that announces the algorithm, then PUT": func(w *world, content []byte, d string) reply {
			algorithm, _, _ := strings.Cut(d, ":")
			at := w.do("POST", "/v2/team/app/blobs/uploads/?digest-algorithm="+algorithm).is(202).path()
			return w.do("PUT", at+"?digest="+d, body(content))
		},
		"a streamed PATCH, then an empty PUT": func(w *world, content []byte, d string) reply {
			at := w.do("PATCH", w.begin("team/app"), stream(content)).is(202).has("Range", fmt.Sprintf("0-%d", max(len(content)-1, 0))).path()
			return w.do("PUT", at+"?digest="+d, body(nil))
		},
		"a streamed PATCH, then an empty stream": func(w *world, content []byte, d string) reply {
			at := w.do("PATCH", w.begin("team/app"), stream(content)).is(202).path()
			return w.do("PUT", at+"?digest="+d, stream(nil))
		},
		"several streamed PATCHes": func(w *world, content []byte, d string) reply {
			at := w.begin("team/app")
			for half := range 2 {
				at = w.do("PATCH", at, stream(content[half*len(content)/2:(half+1)*len(content)/2])).is(202).path()
			}
			return w.do("PUT", at+"?digest="+d)
		},
		"chunks":                    chunked(3, "PATCH"),
		"chunks, the last with PUT": chunked(3, "PUT"),
		"one chunk":                 chunked(1, "PATCH"),
		"chunks of streams with their range": func(w *world, content []byte, d string) reply {
			at := w.begin("team/app")
			half := len(content) / 2
			if half > 0 {
				at = w.do("PATCH", at, stream(content[:half]), header("Content-Range", fmt.Sprintf("0-%d", half-1))).is(202).path()
			}
			if len(content) > 0 {
				at = w.do("PATCH", at, stream(content[half:]), header("Content-Range", fmt.Sprintf("bytes %d-%d/*", half, len(content)-1))).is(202).path()
			}
			return w.do("PUT", at+"?digest="+d)
		},
	}
	w := open(t)
	contents := map[string][]byte{
		"nothing": nil, "an empty object": []byte("{}"), "a byte": []byte("x"), "an inline layer": noise(2048),
		"the largest inline layer": noise(128 << 10), "a layer in a file": noise(300 << 10), "several pieces": noise(2<<20 + 1),
	}
	for name, push := range ways {
		for what, content := range contents {
			for _, of := range []func([]byte) digest.Digest{sha, sha512} {
				t.Run(name+"/"+what+" by "+of(nil).Algorithm().String(), func(t *testing.T) {
					w := w.with(t)
					d := string(of(content))
					a := push(w, content, d).is(201).has("Docker-Content-Digest", d, "Content-Length", "0")
					if want := "/v2/team/app/blobs/" + d; a.path() != want {
						t.Errorf("Location %s, want %s", a.path(), want)
					}
					w.do("HEAD", a.path()).is(200)
					w.do("GET", a.path()).is(200).holds(content)
					w.do("DELETE", a.path()).is(202)
				})
			}
		}
	}
}

func TestAnUploadTellsWhereItIs(t *testing.T) {
	w := open(t)
	at := w.begin("team/app")
	id := at[strings.LastIndexByte(at, '/')+1:]
	w.do("GET", at).is(204).has("Range", "0-0", "Docker-Upload-Uuid", id).holds(nil)
	if got := w.do("GET", at).path(); got != at {
		t.Errorf("goes on at %s, was %s", got, at)
	}
	w.do("PATCH", at, body(noise(1000))).is(202).has("Range", "0-999", "Docker-Upload-Uuid", id)
	w.do("GET", at).is(204).has("Range", "0-999", "Content-Length", "")
	w.do("PATCH", at, body(noise(200<<10))).is(202).has("Range", fmt.Sprintf("0-%d", 1000+(200<<10)-1))
}

func TestChunksOutOfOrder(t *testing.T) {
	w := open(t)
	content := noise(3000)
	d := string(sha(content))
	at := w.begin("team/app")
	out := func(method, ranges string, b []byte, received string) {
		t.Helper()
		target := at
		if method == "PUT" {
			target += "?digest=" + d
		}
		a := w.do(method, target, body(b), header("Content-Range", ranges)).refuses(416, "BLOB_UPLOAD_INVALID")
		a.has("Range", received)
		if a.path() != at {
			t.Errorf("goes on at %s, was %s", a.path(), at)
		}
		w.do("GET", at).is(204).has("Range", received)
	}
	out("PATCH", "1000-1999", content[1000:2000], "0-0")
	w.do("PATCH", at, body(content[:1000]), header("Content-Range", "0-999")).is(202)
	out("PATCH", "2000-2999", content[2000:], "0-999")
	out("PATCH", "0-999", content[:1000], "0-999") // the same again
	out("PATCH", "999-1998", content[999:1999], "0-999")
	out("PUT", "2000-2999", content[2000:], "0-999")
	w.do("PATCH", at, body(content[1000:2000]), header("Content-Range", "1000-1999")).is(202)
	out("PUT", "0-999", content[:1000], "0-1999")
	w.do("PUT", at+"?digest="+d, body(content[2000:]), header("Content-Range", "2000-2999")).is(201)
	w.do("GET", "/v2/team/app/blobs/"+d).is(200).holds(content)
}

func TestContentRangesThatLie(t *testing.T) {
	w := open(t)
	content := noise(1000)
	for _, test := range []struct{ name, ranges string }{
		{"fewer than the body", "0-9"}, {"more than the body", "0-1000"}, {"backwards", "999-0"}, {"no numbers", "a-b"}, {"one number", "0"},
		{"signs", "+0-+999"}, {"a negative first", "-1-998"}, {"spaces", "0 - 999"}, {"hex", "0x0-0x3e7"}, {"two ranges", "0-499,500-999"},
		{"too large for any file", "0-99999999999999999999"}, {"the largest number", "0-9223372036854775807"}, {"text behind it", "0-999x"},
		{"another unit", "lines 0-999"},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := w.with(t)
			at := w.begin("team/app")
			for _, method := range []string{"PATCH", "PUT"} {
				target := at
				if method == "PUT" {
					target += "?digest=" + string(sha(content))
				}
				w.do(method, target, body(content), header("Content-Range", test.ranges)).refuses(416, "BLOB_UPLOAD_INVALID")
			}
			w.do("GET", at).is(204).has("Range", "0-0")
			w.do("PUT", at+"?digest="+string(sha(content)), body(content)).is(201)
		})
	}
	t.Run("a stream that is longer than its range keeps what belongs there", func(t *testing.T) {
		w := w.with(t)
		at := w.begin("team/app")
		w.do("PATCH", at, stream(content), header("Content-Range", "0-499")).refuses(400, "SIZE_INVALID")
		w.do("GET", at).is(204).has("Range", "0-499")
		w.do("PUT", at+"?digest="+string(sha(content)), body(content[500:]), header("Content-Range", "500-999")).is(201)
	})
	t.Run("a stream that is shorter than its range keeps what came", func(t *testing.T) {
		w := w.with(t)
		at := w.begin("team/app")
		w.do("PATCH", at, stream(content[:300]), header("Content-Range", "0-499")).refuses(400, "SIZE_INVALID")
		w.do("GET", at).is(204).has("Range", "0-299")
		w.do("PUT", at+"?digest="+string(sha(content)), body(content[300:])).is(201)
	})
}

func TestADigestThatIsNotTheLayers(t *testing.T) {
	w := open(t)
	for what, size := range sizes {
		content := noise(size)
		real := string(sha(content))
		for _, wrong := range []string{someDigest, string(sha512([]byte("other")))} {
			t.Run(what+" is not "+wrong[:6], func(t *testing.T) {
				w := w.with(t)
				requests := map[string]func() reply{
					"single POST": func() reply {
						return w.do("POST", "/v2/team/app/blobs/uploads/?digest="+wrong, body(content))
					},
					"PUT": func() reply { return w.do("PUT", w.begin("team/app")+"?digest="+wrong, body(content)) },
					"PATCH and PUT": func() reply {
						at := w.do("PATCH", w.begin("team/app"), stream(content)).is(202).path()
						return w.do("PUT", at+"?digest="+wrong)
					},
				}
				for name, request := range requests {
					request().refuses(400, "DIGEST_INVALID", "None of the provided layer digests match the calculated layer digest")
					for _, d := range []string{wrong, real} {
						if w.do("HEAD", "/v2/team/app/blobs/"+d).status != 404 {
							t.Errorf("%s: %s is there", name, d)
						}
					}
				}
			})
		}
	}
	t.Run("no digest at all leaves the upload as it is", func(t *testing.T) {
		w := w.with(t)
		at := w.do("PATCH", w.begin("team/app"), body([]byte("abc"))).is(202).path()
		for _, query := range []string{"", "?digest=", "?digest=%zz", "?digest=sha256", "?Digest=" + string(sha([]byte("abc")))} {
			w.do("PUT", at, func(r *http.Request) { r.URL.RawQuery = strings.TrimPrefix(query, "?") }).refuses(400, "DIGEST_INVALID")
		}
		w.do("PUT", at+"?digest="+string(sha([]byte("abc")))).is(201)
	})
	t.Run("an algorithm that nobody knows", func(t *testing.T) {
		w := w.with(t)
		w.do("POST", "/v2/team/app/blobs/uploads/?digest-algorithm=md5").refuses(400, "DIGEST_INVALID", "md5")
	})
}

func TestUploadsThatAreNotThere(t *testing.T) {
	w := open(t)
	w.create("team/app", "other")
	d := string(sha([]byte("abc")))
	live := w.do("PATCH", w.begin("team/app"), body([]byte("abc"))).is(202).path()
	done := w.begin("team/app")
	w.do("PUT", done+"?digest="+d, body([]byte("abc"))).is(201)
	cancelled := w.begin("team/app")
	w.do("DELETE", cancelled).is(204).holds(nil)
	in := func(repository, id string) string { return "/v2/" + repository + "/blobs/uploads/" + id }
	theirs := in("other", live[strings.LastIndexByte(live, '/')+1:])
	for name, at := range map[string]string{
		"unknown": in("team/app", someUpload), "no id": in("team/app", "x"), "a path": in("team/app", "..%2e"), "a finished one": done,
		"a cancelled one": cancelled, "one of another repository": theirs,
	} {
		t.Run(name, func(t *testing.T) {
			w := w.with(t)
			w.do("GET", at).refuses(404, "BLOB_UPLOAD_UNKNOWN")
			w.do("PATCH", at, body([]byte("def"))).refuses(404, "BLOB_UPLOAD_UNKNOWN")
			w.do("PATCH", at, body([]byte("def")), header("Content-Range", "3-5")).refuses(404, "BLOB_UPLOAD_UNKNOWN")
			w.do("PUT", at+"?digest="+d).refuses(404, "BLOB_UPLOAD_UNKNOWN")
			w.do("DELETE", at).refuses(404, "BLOB_UPLOAD_UNKNOWN")
		})
	}
	t.Run("nor is one of another repository after it was parked", func(t *testing.T) {
		w := w.with(t)
		w.clock.Advance(2 * time.Minute)
		w.must(w.catalogue.ParkUploads(t.Context()))
		w.do("PATCH", theirs, body([]byte("def"))).refuses(404, "BLOB_UPLOAD_UNKNOWN")
		w.do("DELETE", theirs).refuses(404, "BLOB_UPLOAD_UNKNOWN")
	})
	t.Run("and it still is where it was", func(t *testing.T) {
		w := w.with(t)
		w.do("GET", live).is(204).has("Range", "0-2")
		w.do("PUT", live+"?digest="+d).is(201)
	})
	t.Run("a stranger has no part in it", func(t *testing.T) {
		w := w.with(t)
		at := w.begin("team/app")
		w.do("GET", at, as(w.foreign)).is(404)
		w.do("GET", at, as(w.lightsail)).refuses(403, "DENIED")
		w.createLightsail()
		w.do("PATCH", in("sr", at[strings.LastIndexByte(at, '/')+1:]), as(w.lightsail), body([]byte("x"))).refuses(404, "BLOB_UPLOAD_UNKNOWN")
		w.do("GET", at).is(204).has("Range", "0-0")
	})
	t.Run("it goes with its repository", func(t *testing.T) {
		w := w.with(t)
		at := w.do("PATCH", w.begin("gone"), body([]byte("abc"))).is(202).path()
		_, err := w.catalogue.DeleteRepository(t.Context(), key("gone"), true)
		w.must(err)
		w.do("GET", at).refuses(404, "NAME_UNKNOWN")
		w.create("gone")
		w.do("PUT", at+"?digest="+d).refuses(404, "BLOB_UPLOAD_UNKNOWN")
		w.do("HEAD", "/v2/gone/blobs/"+d).is(404)
	})
}

func TestCancellingAnUpload(t *testing.T) {
	w := open(t)
	for what, size := range sizes {
		t.Run(what, func(t *testing.T) {
			w := w.with(t)
			at := w.do("PATCH", w.begin("team/app"), body(noise(size))).is(202).path()
			w.do("DELETE", at).is(204)
			w.do("GET", at).refuses(404, "BLOB_UPLOAD_UNKNOWN")
			w.do("HEAD", "/v2/team/app/blobs/"+string(sha(noise(size)))).is(404)
		})
	}
}

func TestALayerOverItsLimit(t *testing.T) {
	w := open(t, func(c *registry.Config, _ *oci.Config) { c.Limits.LayerSize = 1000 })
	w.do("POST", "/v2/team/app/blobs/uploads/?digest="+string(sha(noise(1001))), body(noise(1001))).refuses(413, "SIZE_INVALID", "1000")
	w.do("PATCH", w.begin("team/app"), stream(noise(1001))).refuses(413, "SIZE_INVALID", "1000")
	w.blob("team/app", noise(1000))
}

// TestTheSameLayerAtOnce: many clients push one layer, and all succeed.
func TestTheSameLayerAtOnce(t *testing.T) {
	w := open(t)
	w.create("team/app")
	for what, size := range sizes {
		t.Run(what, func(t *testing.T) {
			w := w.with(t)
			content := noise(size)
			d := string(sha(content))
			var all sync.WaitGroup
			for i := range 8 {
				all.Go(func() {
					start := w.do("POST", "/v2/team/app/blobs/uploads/")
					at := strings.TrimPrefix(start.header.Get("Location"), "http://"+plain)
					w.do("PATCH", at, stream(content[:i*100]))
					if a := w.do("PUT", at+"?digest="+d, stream(content[i*100:])); a.status != 201 {
						t.Errorf("%d %s", a.status, a.body)
					}
				})
			}
			all.Wait()
			w.do("GET", "/v2/team/app/blobs/"+d).is(200).holds(content)
		})
	}
}

// TestOneUploadAtOnce: of requests that write to the same place of one upload,
// one writes.
func TestOneUploadAtOnce(t *testing.T) {
	w := open(t)
	content := noise(400 << 10)
	at := w.begin("team/app")
	statuses := make([]int, 6)
	var all sync.WaitGroup
	for i := range statuses {
		all.Go(func() {
			statuses[i] = w.do("PATCH", at, body(content), header("Content-Range", fmt.Sprintf("0-%d", len(content)-1))).status
		})
	}
	all.Wait()
	count := map[int]int{}
	for _, s := range statuses {
		count[s]++
	}
	if count[202] != 1 || count[416] != len(statuses)-1 {
		t.Errorf("statuses %v", statuses)
	}
	for i := range statuses {
		all.Go(func() { statuses[i] = w.do("PUT", at+"?digest="+string(sha(content))).status })
	}
	all.Wait()
	for _, s := range statuses {
		if s != 201 && s != 404 {
			t.Errorf("statuses %v", statuses)
		}
	}
	w.do("GET", "/v2/team/app/blobs/"+string(sha(content))).is(200).holds(content)
}

// TestAConnectionThatBreaks leaves the upload with what came, and the client
// goes on from there.
func TestAConnectionThatBreaks(t *testing.T) {
	w := open(t)
	s := httptest.NewServer(w.handler)
	t.Cleanup(s.Close)
	content := make([]byte, 700<<10)
	rand.Read(content)
	d := string(sha(content))
	for _, test := range []struct{ name, method, query, framing string }{
		{"PATCH of a length", "PATCH", "", "Content-Length: 716800"},
		{"PATCH of a stream", "PATCH", "", "Transfer-Encoding: chunked"},
		{"PUT of a length", "PUT", "?digest=" + d, "Content-Length: 716800"},
		{"PUT of a stream", "PUT", "?digest=" + d, "Transfer-Encoding: chunked"},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := w.with(t)
			at := w.begin("team/app")
			conn, err := net.Dial("tcp", s.Listener.Addr().String())
			w.must(err)
			fmt.Fprintf(conn, "%s %s%s HTTP/1.1\r\nHost: %s\r\nAuthorization: %s\r\n%s\r\n\r\n", test.method, at, test.query, plain, w.token, test.framing)
			if strings.Contains(test.framing, "chunked") {
				fmt.Fprintf(conn, "%x\r\n", len(content))
			}
			conn.Write(content[:300<<10])
			conn.(*net.TCPConn).CloseWrite()
			answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
			if err == nil && answer.StatusCode < 400 {
				t.Errorf("half a body was taken for a whole one: %s", answer.Status)
			}
			conn.Close()
			status := w.do("GET", at).is(204)
			received, err := strconv.Atoi(strings.TrimPrefix(status.header.Get("Range"), "0-"))
			w.must(err)
			if received+1 != 300<<10 {
				t.Errorf("%d bytes count, want %d", received+1, 300<<10)
			}
			w.do("HEAD", "/v2/team/app/blobs/"+d).is(404)
			w.do("PUT", at+"?digest="+d, body(content[received+1:]), header("Content-Range", fmt.Sprintf("%d-%d", received+1, len(content)-1))).is(201)
			w.do("GET", "/v2/team/app/blobs/"+d).is(200).holds(content)
			w.do("DELETE", "/v2/team/app/blobs/"+d).is(202)
		})
	}
	t.Run("a single POST stores nothing", func(t *testing.T) {
		w := w.with(t)
		conn, err := net.Dial("tcp", s.Listener.Addr().String())
		w.must(err)
		fmt.Fprintf(conn, "POST /v2/team/app/blobs/uploads/?digest=%s HTTP/1.1\r\nHost: %s\r\nAuthorization: %s\r\nContent-Length: 716800\r\n\r\n", d, plain, w.token)
		conn.Write(content[:300<<10])
		conn.(*net.TCPConn).CloseWrite()
		answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err == nil && answer.StatusCode < 400 {
			t.Errorf("half a body was taken for a whole one: %s", answer.Status)
		}
		conn.Close()
		w.do("HEAD", "/v2/team/app/blobs/"+d).is(404)
		w.do("HEAD", "/v2/team/app/blobs/"+string(sha(content[:300<<10]))).is(404)
	})
}

// TestAnUploadOverTCP is docker's: chunked encoding over a connection.
func TestAnUploadOverTCP(t *testing.T) {
	w := open(t)
	s := httptest.NewServer(w.handler)
	t.Cleanup(s.Close)
	content := noise(2<<20 + 3)
	send := func(method, target string, b io.Reader) *http.Response {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), method, target, b)
		w.must(err)
		r.Header.Set("Authorization", w.token)
		resp, err := s.Client().Do(r)
		w.must(err)
		resp.Body.Close()
		return resp
	}
	at := send("POST", s.URL+"/v2/team/app/blobs/uploads/", nil).Header.Get("Location")
	if !strings.HasPrefix(at, s.URL) {
		t.Fatalf("goes on at %q, not on %s", at, s.URL)
	}
	at = send("PATCH", at, struct{ io.Reader }{bytes.NewReader(content)}).Header.Get("Location")
	if resp := send("PUT", at+"?digest="+string(sha(content)), nil); resp.StatusCode != 201 {
		t.Fatal(resp.Status)
	}
	w.do("GET", "/v2/team/app/blobs/"+string(sha(content))).is(200).holds(content)
}

// FuzzContentRange: what is taken for a range is digits, a dash and digits, in
// order, and its size is that of the bytes it names.
func FuzzContentRange(f *testing.F) {
	for _, s := range []string{"0-9", "bytes 0-9/10", "bytes 5-5/*", "9-0", "-", "0-", "-9", "+1-+2", "0-9223372036854775807", "9223372036854775806-9223372036854775806", "1-2-3", "0x1-0x2", "٣-٤"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		first, size, ok := oci.ParseRange(s)
		if !ok {
			return
		}
		if first < 0 || size < 1 || first+size < 1 {
			t.Fatalf("%q: %d bytes from %d", s, size, first)
		}
		plain, _, _ := strings.Cut(strings.TrimPrefix(s, "bytes "), "/")
		a, b, _ := strings.Cut(plain, "-")
		if strings.Trim(a+b, "0123456789") != "" || strings.TrimLeft(a, "0") != strings.TrimLeft(fmt.Sprint(first), "0") || strings.TrimLeft(b, "0") != strings.TrimLeft(fmt.Sprint(first+size-1), "0") {
			t.Fatalf("%q: %d bytes from %d", s, size, first)
		}
	})
}
