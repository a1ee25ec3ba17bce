package s3_test

import (
	"crypto/md5"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/lighterage/lighterage/internal/blob/s3"
	"github.com/lighterage/lighterage/internal/blob/s3/s3server"
)

// discard answers writes as S3 does and keeps nothing: where it is not S3 that
// is asked about.
type discard struct {
	full atomic.Bool
	most atomic.Uint64 // bytes of heap in use, at any part

	mu    sync.Mutex
	asked []*http.Request
}

func (d *discard) open(t *testing.T, c s3.Config) *s3.Store {
	t.Helper()
	h := httptest.NewServer(d)
	t.Cleanup(h.Close)
	c.Bucket, c.Region, c.Endpoint, c.PathStyle = "bucket", s3server.Region, h.URL, true
	s, err := s3.Open(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func (d *discard) requests() []*http.Request {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.asked
}

func (d *discard) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	d.mu.Lock()
	d.asked = append(d.asked, r)
	d.mu.Unlock()
	io.Copy(io.Discard, r.Body)
	if d.full.Load() {
		w.WriteHeader(http.StatusForbidden)
		io.WriteString(w, "<Error><Code>QuotaExceeded</Code></Error>")
		return
	}
	switch s3server.Operation(r) {
	case "CreateMultipartUpload":
		io.WriteString(w, "<InitiateMultipartUploadResult><UploadId>id</UploadId></InitiateMultipartUploadResult>")
	case "CompleteMultipartUpload":
		io.WriteString(w, "<CompleteMultipartUploadResult><ETag>e</ETag></CompleteMultipartUploadResult>")
	case "UploadPart":
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		for most := d.most.Load(); m.HeapInuse > most && !d.most.CompareAndSwap(most, m.HeapInuse); most = d.most.Load() {
		}
		fallthrough
	case "PutObject":
		w.Header().Set("ETag", fmt.Sprintf(`"%x"`, md5.Sum(nil)))
	case "DeleteObject":
		w.WriteHeader(http.StatusNoContent)
	}
}

func TestMemoryIsBounded(t *testing.T) {
	settle(t)
	stub := &discard{}
	s := stub.open(t, s3.Config{})
	chunk := make([]byte, 256<<10)
	var pushing sync.WaitGroup
	for range 16 {
		pushing.Go(func() {
			u, err := s.Create(t.Context(), s.NewLocation())
			if err != nil {
				t.Error(err)
				return
			}
			for range 100 << 20 / len(chunk) {
				if _, err := u.Write(chunk); err != nil {
					t.Error(err)
					return
				}
			}
			if err := u.Seal(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	pushing.Wait()
	parts := 0
	for _, r := range stub.requests() {
		if s3server.Operation(r) == "UploadPart" {
			parts++
		}
	}
	if want := 16 * 13; parts != want { // 12 of 8 MiB and one of 4
		t.Errorf("%d parts were sent, want %d", parts, want)
	}
	if most := stub.most.Load(); most > 160<<20 {
		t.Errorf("%d MiB of heap were in use", most>>20)
	}
}
