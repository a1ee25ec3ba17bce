package s3_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lighterage/lighterage/internal/blob"
	"github.com/lighterage/lighterage/internal/blob/s3"
	"github.com/lighterage/lighterage/internal/blob/s3/s3server"
	"github.com/lighterage/lighterage/internal/name"
)

// once fails the first request of an operation.
func once(op string, fate s3server.Fate) func(string) s3server.Fate {
	done := false
	return func(asked string) s3server.Fate {
		if asked != op || done {
			return s3server.Passed
		}
		done = true
		return fate
	}
}

// Each request of an upload fails once, before or after it was done: the client
// of the store does not notice.
func TestARequestThatFailsIsMadeAgain(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		s := w.open()
		for _, op := range []string{"CreateMultipartUpload", "UploadPart", "CompleteMultipartUpload", "PutObject"} {
			for _, fate := range []s3server.Fate{s3server.Refused, s3server.Reset, s3server.Lost} {
				w.proxy.Decide(once(op, fate))
				for _, size := range []int{100, partSize + 100} {
					at, u := w.create(s)
					w.write(u, body(1, size))
					w.seal(u)
					w.holds(s, at, body(1, size))
				}
			}
		}
	})
}

// S3 is away for longer than is tried: what was written is not lost, and the
// upload goes on when it is back.
func TestAnUploadOutlivesAnOutage(t *testing.T) {
	settle(t)
	w := newWorld(t, s3server.Versitygw(t))
	for _, op := range []string{"CreateMultipartUpload", "UploadPart", "PutObject", "CompleteMultipartUpload"} {
		for _, fate := range []s3server.Fate{s3server.Refused, s3server.Lost} {
			s := w.open()
			want := body(2, 2*partSize+100)
			at, u := w.create(s)
			w.write(u, want[:partSize+50])
			w.proxy.Decide(func(asked string) s3server.Fate {
				if asked == op {
					return fate
				}
				return s3server.Passed
			})
			if op == "CompleteMultipartUpload" {
				w.write(u, want[partSize+50:])
				if err := u.Seal(t.Context()); !errors.Is(err, blob.ErrUnavailable) {
					t.Errorf("seal during the outage of %s: %v, want ErrUnavailable", op, err)
				}
			} else {
				if _, err := u.Checkpoint(t.Context()); !errors.Is(err, blob.ErrUnavailable) && !(op == "CreateMultipartUpload" && err == nil) {
					t.Errorf("checkpoint during the outage of %s: %v, want ErrUnavailable", op, err)
				}
				w.proxy.Decide(nil)
				w.write(u, want[u.Offset():])
			}
			w.proxy.Decide(nil)
			w.seal(u)
			w.holds(s, at, want)
		}
	}
}

// During an outage more uploads are begun than there are buffers, and all have
// a part that S3 would not take. Each goes on when it is back.
func TestAnOutageDoesNotUseUpTheBuffers(t *testing.T) {
	settle(t)
	w := newWorld(t, s3server.Versitygw(t))
	s := w.open()
	var failed sync.WaitGroup
	back := make(chan struct{})
	w.proxy.Decide(func(op string) s3server.Fate {
		if op == "UploadPart" {
			return s3server.Refused
		}
		return s3server.Passed
	})
	const uploads, enough = 12, 4 // of two buffers each
	failed.Add(enough)
	var first atomic.Int32
	var pushing sync.WaitGroup
	for i := range uploads {
		pushing.Go(func() {
			want := body(uint64(i), partSize+1000)
			at := s.NewLocation()
			u, err := s.Create(t.Context(), at)
			if err != nil {
				t.Error(err)
				return
			}
			for tries := 0; u.Offset() < int64(len(want)) && tries < 100; tries++ {
				_, err := u.Write(want[u.Offset():])
				if err != nil && !errors.Is(err, blob.ErrUnavailable) {
					t.Errorf("write: %v, want ErrUnavailable", err)
				}
				if err == nil {
					_, err = u.Checkpoint(t.Context())
				}
				if err != nil && tries == 0 && first.Add(1) <= enough {
					failed.Done()
				}
				if err != nil {
					<-back
				}
			}
			if err := u.Seal(t.Context()); err != nil {
				t.Errorf("seal: %v", err)
				return
			}
			w.holds(s, at, want)
		})
	}
	failed.Wait()
	w.proxy.Decide(nil)
	close(back)
	pushing.Wait()
}

// Half of all answers fail, at random: what was sealed is whole, and what was
// not is not there, or whole where only the answer was lost.
func TestHalfOfTheAnswersFail(t *testing.T) {
	settle(t)
	w := newWorld(t, s3server.Versitygw(t))
	s := w.open()
	var mu sync.Mutex
	dice := rand.New(rand.NewPCG(1, 2))
	w.proxy.Decide(func(string) s3server.Fate {
		mu.Lock()
		defer mu.Unlock()
		if dice.IntN(2) == 0 {
			return s3server.Passed
		}
		return s3server.Fate(1 + dice.IntN(4))
	})
	type one struct {
		at     name.Location
		body   []byte
		sealed bool
	}
	all := make([]one, 12)
	var pushing sync.WaitGroup
	for i := range all {
		pushing.Go(func() {
			o := &all[i]
			o.at, o.body = s.NewLocation(), body(uint64(i), 1000+i%3*partSize)
			u, err := s.Create(t.Context(), o.at)
			if err != nil {
				t.Error(err)
				return
			}
			defer u.Close()
			if _, err := u.Write(o.body); err != nil {
				return
			}
			o.sealed = u.Seal(t.Context()) == nil
		})
	}
	pushing.Wait()
	w.proxy.Decide(nil)
	sealed := 0
	for _, o := range all {
		_, err := s.Open(t.Context(), o.at)
		switch {
		case o.sealed:
			sealed++
			w.holds(s, o.at, o.body)
		case err == nil:
			w.holds(s, o.at, o.body)
		case !errors.Is(err, blob.ErrNotFound):
			t.Errorf("open what was not sealed: %v", err)
		}
	}
	if sealed == 0 {
		t.Error("nothing was sealed")
	}
}

func TestAnAnswerThatBreaksIsTakenUp(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		s := w.open()
		want := body(3, 3<<20)
		at, u := w.create(s)
		w.write(u, want)
		w.seal(u)
		cuts := 0
		w.proxy.Decide(func(op string) s3server.Fate {
			if op == "GetObject" && cuts < 3 {
				cuts++
				return s3server.Cut
			}
			return s3server.Passed
		})
		w.holds(s, at, want)
		if cuts != 3 {
			t.Errorf("%d answers were cut", cuts)
		}
		w.proxy.Decide(func(string) s3server.Fate { return s3server.Reset })
		if _, err := s.Open(t.Context(), at); !errors.Is(err, blob.ErrUnavailable) {
			t.Errorf("open when S3 is away: %v, want ErrUnavailable", err)
		}
	})
}

func TestABucketThatCannotBeUsedIsOneSentence(t *testing.T) {
	settle(t)
	server := s3server.Versitygw(t)
	bucket := server.NewBucket(t)
	answers := func(method string, status int, body string) *httptest.Server {
		h := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Method == method {
				w.WriteHeader(status)
				io.WriteString(w, body)
			}
		}))
		t.Cleanup(h.Close)
		return h
	}
	fault := func(code string) string { return "<Error><Code>" + code + "</Code><Message>m</Message></Error>" }
	away := httptest.NewServer(nil)
	away.Close()
	silent := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		<-r.Context().Done()
	}))
	defer silent.Close()
	for _, c := range []struct {
		name     string
		environ  string
		bucket   string
		endpoint string
		want     string
	}{
		{"no such bucket", "", "no-such-bucket", server.Endpoint, "layer store s3://no-such-bucket/layers/ at ENDPOINT does not exist: make the bucket first (cannot write: NoSuchBucket)"},
		{"the wrong secret", "AWS_SECRET_ACCESS_KEY=wrong", bucket, server.Endpoint, "layer store PLACE refuses the secret access key (cannot write: SignatureDoesNotMatch)"},
		{"an access key that is unknown", "AWS_ACCESS_KEY_ID=AKIASTRANGER", bucket, server.Endpoint, "layer store PLACE does not know the access key (cannot write: XAdminUserNotFound)"},
		{"read-only", "", bucket, answers("PUT", 403, fault("AccessDenied")).URL, "layer store PLACE may not be used that way with these credentials (cannot write: AccessDenied)"},
		{"full", "", bucket, answers("PUT", 507, fault("XMinioStorageFull")).URL, "layer store PLACE has no room (cannot write)"},
		{"not S3", "", bucket, answers("PUT", 404, "<html>").URL, "layer store PLACE cannot write (HTTP status 404"},
		{"nobody", "", bucket, away.URL, "layer store PLACE does not answer (cannot write: connection refused)"},
		{"silent", "", bucket, silent.URL, "layer store PLACE does not answer (cannot write: it takes too long)"},
		{"no credentials", "AWS_ACCESS_KEY_ID=", bucket, server.Endpoint, "there are no AWS credentials for bucket " + bucket + "; set AWS_ACCESS_KEY_ID"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.environ != "" {
				settle(t, c.environ)
			}
			ctx, cancel := context.WithTimeout(t.Context(), 8*time.Second)
			defer cancel()
			if c.name == "silent" {
				ctx, cancel = context.WithTimeout(t.Context(), 100*time.Millisecond)
				defer cancel()
			}
			_, err := s3.Open(ctx, s3.Config{Bucket: c.bucket, Prefix: "layers/", Region: s3server.Region, Endpoint: c.endpoint, PathStyle: true, Backoff: time.Millisecond})
			want := strings.NewReplacer("PLACE", "s3://"+c.bucket+"/layers/ at "+c.endpoint, "ENDPOINT", c.endpoint).Replace(c.want)
			if err == nil || !strings.HasPrefix(err.Error(), want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("got  %v\nwant %s", err, want)
			}
		})
	}
}

func TestARoomThatIsUsedUpIsErrFull(t *testing.T) {
	settle(t)
	stub := &discard{}
	s := stub.open(t, s3.Config{})
	stub.full.Store(true)
	u, err := s.Create(t.Context(), s.NewLocation())
	if err != nil {
		t.Fatal(err)
	}
	_, err = u.Write(make([]byte, 3*partSize))
	if !errors.Is(err, blob.ErrFull) {
		t.Errorf("write: %v, want ErrFull", err)
	}
	if _, err := u.Checkpoint(t.Context()); !errors.Is(err, blob.ErrFull) {
		t.Errorf("checkpoint: %v, want ErrFull", err)
	}
}

func TestEncryptionIsAskedFor(t *testing.T) {
	settle(t)
	for _, c := range []struct{ sse, key string }{{"", ""}, {"AES256", ""}, {"aws:kms", "alias/layers"}, {"aws:kms:dsse", "alias/layers"}} {
		t.Run(fmt.Sprintf("sse=%s", c.sse), func(t *testing.T) {
			stub := &discard{}
			s := stub.open(t, s3.Config{SSE: c.sse, SSEKMSKeyID: c.key})
			for _, size := range []int{10, partSize + 10} {
				u, err := s.Create(t.Context(), s.NewLocation())
				if err != nil {
					t.Fatal(err)
				}
				if _, err := u.Write(make([]byte, size)); err != nil {
					t.Fatal(err)
				}
				if _, err := u.Checkpoint(t.Context()); err != nil { // the tail, too
					t.Fatal(err)
				}
				if err := u.Seal(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			for _, r := range stub.requests() {
				op := s3server.Operation(r)
				makes := op == "PutObject" || op == "CreateMultipartUpload"
				wantSSE, wantKey := c.sse, c.key
				if !makes {
					wantSSE, wantKey = "", ""
				}
				if got := r.Header.Get("X-Amz-Server-Side-Encryption"); got != wantSSE {
					t.Errorf("%s asks for the encryption %q, want %q", op, got, wantSSE)
				}
				if got := r.Header.Get("X-Amz-Server-Side-Encryption-Aws-Kms-Key-Id"); got != wantKey {
					t.Errorf("%s asks for the key %q, want %q", op, got, wantKey)
				}
				if (op == "PutObject" || op == "UploadPart") && r.Header.Get("X-Amz-Checksum-Sha256") == "" {
					t.Errorf("%s is sent without its sum", op)
				}
			}
		})
	}
}
