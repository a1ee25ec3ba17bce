package oci_test

import (
	"net/http"
	"net/http/httptest"
	"testing"
)

// sink is a connection that takes an answer and keeps nothing.
type sink struct {
	header http.Header
	status int
	bytes  int
}

func (s *sink) Header() http.Header         { return s.header }
func (s *sink) WriteHeader(status int)      { s.status = status }
func (s *sink) Write(b []byte) (int, error) { s.bytes += len(b); return len(b), nil }

func benchmark(b *testing.B, method, target string, size int) {
	w := open(b)
	w.image("team/app", "v1", "one")
	w.blob("team/app", noise(64<<10))
	r := httptest.NewRequest(method, target, nil)
	r.Host = plain
	r.Header.Set("Authorization", w.token)
	b.ReportAllocs()
	b.SetBytes(int64(size))
	for b.Loop() {
		s := sink{header: http.Header{}}
		w.handler.ServeHTTP(&s, r)
		if s.status != 200 || s.bytes != size {
			b.Fatalf("%d, %d bytes", s.status, s.bytes)
		}
	}
}

func BenchmarkPing(b *testing.B) { benchmark(b, "HEAD", "/v2/", 0) }
func BenchmarkHeadManifestByTag(b *testing.B) {
	benchmark(b, "HEAD", "/v2/team/app/manifests/v1", 0)
}
func BenchmarkHeadManifestByDigest(b *testing.B) {
	benchmark(b, "HEAD", "/v2/team/app/manifests/"+string(sha(manifestOf("one", nil))), 0)
}
func BenchmarkGetManifest(b *testing.B) {
	benchmark(b, "GET", "/v2/team/app/manifests/v1", len(manifestOf("one", nil)))
}
func BenchmarkHeadBlob(b *testing.B) {
	benchmark(b, "HEAD", "/v2/team/app/blobs/"+string(sha(noise(64<<10))), 0)
}
func BenchmarkGetBlob64KiB(b *testing.B) {
	benchmark(b, "GET", "/v2/team/app/blobs/"+string(sha(noise(64<<10))), 64<<10)
}
