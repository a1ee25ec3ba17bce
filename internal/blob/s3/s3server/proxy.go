package s3server

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync"
	"testing"
)

// Fate is what becomes of a request.
type Fate int

// The fates. After Lost the server did what it was asked and nobody hears of it;
// Cut breaks the answer off in its middle.
const (
	Passed Fate = iota
	Refused
	Reset
	Lost
	Cut
)

// Proxy stands between a client and a server: it notes the requests and decides
// what becomes of them.
type Proxy struct {
	URL string

	to     string
	mu     sync.Mutex
	decide func(op string) Fate
	asked  []string
	last   map[string]http.Header
}

// NewProxy starts a proxy before a server.
func NewProxy(t testing.TB, s *Server) *Proxy {
	p := &Proxy{to: s.Endpoint, last: map[string]http.Header{}}
	h := httptest.NewServer(p)
	t.Cleanup(h.Close)
	p.URL = h.URL
	return p
}

// Decide has a function decide from now on what becomes of requests, of which it
// is told the Operation. Nil: all pass.
func (p *Proxy) Decide(decide func(op string) Fate) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.decide = decide
}

// Asked returns the operations since the last call.
func (p *Proxy) Asked() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	asked := p.asked
	p.asked = nil
	return asked
}

// Last returns the headers of the last request of an operation.
func (p *Proxy) Last(op string) http.Header {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.last[op]
}

// Operation names what a request asks for.
func Operation(r *http.Request) string {
	q := r.URL.Query()
	switch {
	case r.Method == "POST" && q.Has("uploads"):
		return "CreateMultipartUpload"
	case r.Method == "POST" && q.Has("uploadId"):
		return "CompleteMultipartUpload"
	case r.Method == "POST" && q.Has("delete"):
		return "DeleteObjects"
	case r.Method == "PUT" && q.Has("partNumber"):
		return "UploadPart"
	case r.Method == "DELETE" && q.Has("uploadId"):
		return "AbortMultipartUpload"
	case r.Method == "GET" && q.Has("uploads"):
		return "ListMultipartUploads"
	case r.Method == "GET" && q.Has("list-type"):
		return "ListObjectsV2"
	}
	return map[string]string{"GET": "GetObject", "PUT": "PutObject", "HEAD": "HeadObject", "DELETE": "DeleteObject"}[r.Method]
}

func (p *Proxy) fate(op string, h http.Header) Fate {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.asked = append(p.asked, op)
	p.last[op] = h.Clone()
	if p.decide == nil {
		return Passed
	}
	return p.decide(op)
}

func (p *Proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	fate := p.fate(Operation(r), r.Header)
	switch fate {
	case Refused:
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	case Reset:
		panic(http.ErrAbortHandler)
	}
	ask, err := http.NewRequestWithContext(r.Context(), r.Method, p.to+r.URL.RequestURI(), bytes.NewReader(body))
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	ask.Header, ask.Host = r.Header.Clone(), r.Host // the signature covers them
	ask.ContentLength = int64(len(body))
	answer, err := http.DefaultTransport.RoundTrip(ask)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	defer answer.Body.Close()
	if fate == Lost {
		io.Copy(io.Discard, answer.Body)
		panic(http.ErrAbortHandler)
	}
	for name, values := range answer.Header {
		w.Header()[name] = values
	}
	w.WriteHeader(answer.StatusCode)
	if fate == Cut {
		size, _ := strconv.ParseInt(answer.Header.Get("Content-Length"), 10, 64)
		io.CopyN(w, answer.Body, size/2)
		panic(http.ErrAbortHandler)
	}
	io.Copy(w, answer.Body)
}
