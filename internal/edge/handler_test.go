package edge_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/lighterage/lighterage/internal/edge"
)

func options(log io.Writer, level slog.Level) edge.Options {
	return edge.Options{
		Logger: slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: level})),
		Clock:  time.Now,
		Idle:   time.Minute,
	}
}

// describe returns the Request that the middleware makes.
func describe(t *testing.T, o edge.Options, r *http.Request) edge.Request {
	t.Helper()
	var got edge.Request
	h := edge.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got = *edge.From(r.Context()) }), o)
	h.ServeHTTP(httptest.NewRecorder(), r)
	return got
}

func TestClientAddress(t *testing.T) {
	trusted := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::/8")}
	for _, tc := range []struct {
		name, peer string
		header     http.Header
		want       string // scheme://host client
	}{
		{"nobody is trusted who is not listed", "192.0.2.1:99",
			http.Header{"X-Forwarded-For": {"198.51.100.7"}, "X-Forwarded-Proto": {"https"}, "X-Forwarded-Host": {"evil.test"}}, "http://direct.test 192.0.2.1"},
		{"a trusted proxy without headers is the client", "10.1.1.1:99", nil, "http://direct.test 10.1.1.1"},
		{"a trusted proxy is believed", "10.1.1.1:99",
			http.Header{"X-Forwarded-For": {"198.51.100.7"}, "X-Forwarded-Proto": {"https"}, "X-Forwarded-Host": {"reg.test:8443"}}, "https://reg.test:8443 198.51.100.7"},
		{"the last untrusted address is the client", "10.1.1.1:99",
			http.Header{"X-Forwarded-For": {"1.1.1.1, 198.51.100.7", "10.2.2.2"}}, "http://direct.test 198.51.100.7"},
		{"an address that cannot be read ends the chain", "10.1.1.1:99",
			http.Header{"X-Forwarded-For": {"1.1.1.1, unknown, 10.2.2.2"}}, "http://direct.test 10.2.2.2"},
		{"addresses may have ports", "[fd00::1]:99",
			http.Header{"X-Forwarded-For": {"[2001:db8::7]:443"}}, "http://direct.test 2001:db8::7"},
		{"a mapped peer is its IPv4 address", "[::ffff:10.1.1.1]:99",
			http.Header{"X-Forwarded-For": {"::ffff:198.51.100.7"}}, "http://direct.test 198.51.100.7"},
		{"the last word on the scheme counts", "10.1.1.1:99",
			http.Header{"X-Forwarded-Proto": {"http, HTTPS"}}, "https://direct.test 10.1.1.1"},
		{"an unknown scheme is ignored", "10.1.1.1:99", http.Header{"X-Forwarded-Proto": {"javascript"}}, "http://direct.test 10.1.1.1"},
		{"a host that is none is ignored", "10.1.1.1:99", http.Header{"X-Forwarded-Host": {`a.test/"x`}}, "http://direct.test 10.1.1.1"},
		{"an IPv6 host is one", "10.1.1.1:99", http.Header{"X-Forwarded-Host": {"[2001:db8::1]:5000"}}, "http://[2001:db8::1]:5000 10.1.1.1"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			o := options(io.Discard, slog.LevelInfo)
			o.Trusted = trusted
			r := httptest.NewRequest("GET", "http://direct.test/", nil)
			r.RemoteAddr = tc.peer
			if tc.header != nil {
				r.Header = tc.header
			}
			e := describe(t, o, r)
			if got := e.Scheme + "://" + e.Host + " " + e.Client.String(); got != tc.want {
				t.Errorf("got %s, want %s", got, tc.want)
			}
		})
	}
}

func TestRequestIDs(t *testing.T) {
	uuid4 := regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)
	seen := map[string]bool{}
	for range 100 {
		id := describe(t, options(io.Discard, slog.LevelInfo), httptest.NewRequest("GET", "/", nil)).ID
		if !uuid4.MatchString(id) || seen[id] {
			t.Fatalf("%q is no UUID of its own", id)
		}
		seen[id] = true
	}
}

func TestEvents(t *testing.T) {
	status := func(code int) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			e := edge.From(r.Context())
			e.Principal, e.Err = "arn:aws:iam::000000000000:root", errors.New("the cause")
			w.WriteHeader(code)
			io.WriteString(w, "12345")
		}
	}
	for _, tc := range []struct {
		name  string
		level slog.Level
		h     http.HandlerFunc
		want  []string // empty: no event
	}{
		{"a success is not logged by default", slog.LevelInfo, status(200), nil},
		{"a refusal is not logged by default", slog.LevelInfo, status(404), nil},
		{"a failure is", slog.LevelInfo, status(503), []string{"level=ERROR", "status=503", `error="the cause"`, "principal=arn:aws:iam"}},
		{"everything is at debug", slog.LevelDebug, status(201), []string{"level=DEBUG", "method=PUT", "path=/v2/x", "status=201", "bytes=5", "client=192.0.2.1", "host=example.com"}},
		{"an answer without a word is 200", slog.LevelDebug, func(http.ResponseWriter, *http.Request) {}, []string{"status=200", "bytes=0"}},
		{"an informational status is not the last", slog.LevelDebug, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(103); w.WriteHeader(204) }, []string{"status=204"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var log bytes.Buffer
			edge.Handler(tc.h, options(&log, tc.level)).ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("PUT", "/v2/x?token=canary", nil))
			if tc.want == nil && log.Len() > 0 || strings.Count(log.String(), "\n") > 1 {
				t.Errorf("logged %s", log.String())
			}
			for _, w := range tc.want {
				if !strings.Contains(log.String(), w) {
					t.Errorf("%q is not in %s", w, log.String())
				}
			}
			if strings.Contains(log.String(), "canary") {
				t.Errorf("the query is in %s", log.String())
			}
		})
	}
}

func TestPanics(t *testing.T) {
	t.Run("before an answer it is a 500", func(t *testing.T) {
		var log bytes.Buffer
		w := httptest.NewRecorder()
		edge.Handler(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("oh") }), options(&log, slog.LevelInfo)).
			ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
		if w.Code != 500 || strings.Contains(w.Body.String(), "oh") {
			t.Errorf("answered %d %s", w.Code, w.Body)
		}
		if !strings.Contains(log.String(), "panic=oh") || !strings.Contains(log.String(), "status=500") {
			t.Errorf("logged %s", log.String())
		}
	})
	t.Run("in an answer it breaks the connection", func(t *testing.T) {
		s := serve(t, func(w http.ResponseWriter, _ *http.Request) {
			io.WriteString(w, "half")
			http.NewResponseController(w).Flush()
			panic("oh")
		}, time.Minute)
		resp, err := http.Get(s.URL)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		if _, err := io.ReadAll(resp.Body); err == nil {
			t.Error("the client took half an answer for a whole one")
		}
	})
}

func serve(t *testing.T, h http.HandlerFunc, idle time.Duration) *httptest.Server {
	t.Helper()
	o := options(io.Discard, slog.LevelError)
	o.Idle = idle
	s := httptest.NewServer(edge.Handler(h, o))
	t.Cleanup(s.Close)
	return s
}

// TestFilesReachTheConnection checks what sendfile needs: that a file read by
// http.ServeContent arrives at the inner writer's ReadFrom, in bounded pieces,
// as a limited reader of the file itself.
func TestFilesReachTheConnection(t *testing.T) {
	const size = 3<<20 + 17
	path := filepath.Join(t.TempDir(), "blob")
	if err := os.WriteFile(path, bytes.Repeat([]byte("x"), size), 0o600); err != nil {
		t.Fatal(err)
	}
	w := &fileWriter{ResponseRecorder: httptest.NewRecorder()}
	h := edge.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f, err := os.Open(path)
		if err != nil {
			panic(err)
		}
		defer f.Close()
		http.ServeContent(w, r, "", time.Time{}, f)
	}), options(io.Discard, slog.LevelError))
	h.ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
	if w.Body.Len() != size || w.pieces != 4 || w.others != 0 {
		t.Errorf("%d bytes in %d pieces of the file and %d others, want %d in 4 and 0", w.Body.Len(), w.pieces, w.others, size)
	}
}

type fileWriter struct {
	*httptest.ResponseRecorder
	pieces, others int
}

func (w *fileWriter) ReadFrom(src io.Reader) (int64, error) {
	if l, ok := src.(*io.LimitedReader); ok {
		if _, ok := l.R.(*os.File); ok && l.N <= 1<<20 {
			w.pieces++
			return io.Copy(struct{ io.Writer }{w.ResponseRecorder}, src)
		}
	}
	w.others++
	return io.Copy(struct{ io.Writer }{w.ResponseRecorder}, src)
}

func TestABodyThatStopsIsCut(t *testing.T) {
	ended := make(chan error, 1)
	s := serve(t, func(_ http.ResponseWriter, r *http.Request) {
		_, err := io.Copy(io.Discard, r.Body)
		ended <- err
	}, 50*time.Millisecond)
	conn, err := net.Dial("tcp", s.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	io.WriteString(conn, "PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc")
	select {
	case err := <-ended:
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("the body ended with %v", err)
		}
	case <-time.After(10 * time.Second):
		t.Error("the handler still waits for the body")
	}
}

func TestAHandlerMayTakeItsTimeAfterTheBody(t *testing.T) {
	const idle = 30 * time.Millisecond
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		select {
		case <-r.Context().Done():
			w.WriteHeader(http.StatusGone)
		case <-time.After(5 * idle):
		}
	}, idle)
	resp, err := http.Post(s.URL, "text/plain", strings.NewReader("all of it"))
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != 200 {
		t.Errorf("the request was cancelled: %d", resp.StatusCode)
	}
}

func TestAClientThatDoesNotReadIsCut(t *testing.T) {
	ended := make(chan error, 1)
	s := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		_, err := io.CopyN(w, zeros{}, 1<<30)
		ended <- err
	}, 50*time.Millisecond)
	conn, err := net.Dial("tcp", s.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	io.WriteString(conn, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	select {
	case err := <-ended:
		if err == nil {
			t.Error("a gibibyte was written to nobody")
		}
	case <-time.After(10 * time.Second):
		t.Error("the handler still waits for the client")
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// TestAHandlerKeepsItsOwnDeadline: once it set one, the middleware leaves it.
func TestAHandlerKeepsItsOwnDeadline(t *testing.T) {
	w := &deadlines{ResponseRecorder: httptest.NewRecorder()}
	own := time.Now().Add(time.Hour)
	h := edge.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.NewResponseController(w).SetReadDeadline(own)
		io.Copy(io.Discard, r.Body)
	}), options(io.Discard, slog.LevelError))
	h.ServeHTTP(w, httptest.NewRequest("PUT", "/", strings.NewReader("body")))
	if len(w.read) != 1 || !w.read[0].Equal(own) {
		t.Errorf("read deadlines %v, want only the handler's", w.read)
	}
}

type deadlines struct {
	*httptest.ResponseRecorder
	read []time.Time
}

func (w *deadlines) SetReadDeadline(t time.Time) error { w.read = append(w.read, t); return nil }

func TestFromOutsideTheMiddleware(t *testing.T) {
	e := edge.From(context.Background())
	e.Err = errors.New("kept by nobody")
	if edge.From(context.Background()).Err != nil {
		t.Error("requests outside the middleware share an event")
	}
}

func BenchmarkHandler(b *testing.B) {
	h := edge.Handler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(204) }), options(io.Discard, slog.LevelInfo))
	r := httptest.NewRequest("GET", "/", nil)
	w := httptest.NewRecorder()
	b.ReportAllocs()
	for b.Loop() {
		h.ServeHTTP(w, r)
	}
}
