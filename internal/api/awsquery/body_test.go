package awsquery_test

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lighterage/lighterage/internal/edge"
	"github.com/lighterage/lighterage/internal/fault"
	"github.com/lighterage/lighterage/internal/identity"
)

// counted counts what is read of it.
type counted struct {
	io.Reader
	n int64
}

func (c *counted) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	c.n += int64(n)
	return n, err
}

func TestLittleIsReadOfWhoHasNoKey(t *testing.T) {
	const echo = "Action=Echo&Version=2000-01-01&Say="
	for _, tt := range []struct {
		name     string
		begin    error
		size     int64
		declared bool
		code     string // empty: an answer
		most     int64  // that is read
	}{
		{"unsigned, 64 KiB", fault.New(fault.CredentialMissing), 64 << 10, false, "MissingAuthenticationToken", 64 << 10},
		{"unsigned, more", fault.New(fault.CredentialMissing), 1 << 20, false, "MissingAuthenticationToken", 64<<10 + 1},
		{"unsigned, more, as it says", fault.New(fault.CredentialMissing), 1 << 20, true, "MissingAuthenticationToken", 0},
		{"with an unknown key", fault.New(fault.CredentialUnknown), 1 << 20, false, "InvalidClientTokenId", 64<<10 + 1},
		{"with a known key", nil, 1 << 20, false, "", 1 << 20},
		{"with a known key, more", nil, 2 << 20, false, "RequestEntityTooLarge", 1<<20 + 1},
		{"with a known key, more, as it says", nil, 2 << 20, true, "RequestEntityTooLarge", 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			body := &counted{Reader: strings.NewReader(echo + strings.Repeat("a", int(tt.size)-len(echo)))}
			r := httptest.NewRequest("POST", "/", body)
			r.ContentLength = -1
			if tt.declared {
				r.ContentLength = tt.size
			}
			w := httptest.NewRecorder()
			front(t, &gate{begin: tt.begin}, table(nil)).ServeHTTP(w, r)
			if tt.code == "" && w.Code != 200 || tt.code != "" && readError(t, w.Body).Code != tt.code {
				t.Errorf("got %d %.200s", w.Code, w.Body)
			}
			if body.n > tt.most {
				t.Errorf("%d bytes were read", body.n)
			}
		})
	}
}

// stalled delivers a text and then nothing until it is told to end.
type stalled struct {
	text io.Reader
	end  chan bool
}

func (s stalled) Read(p []byte) (int, error) {
	if n, err := s.text.Read(p); err == nil {
		return n, nil
	}
	<-s.end
	return 0, io.ErrUnexpectedEOF
}

// gates begins each request at a gate of its own.
type gates struct{ begin error }

func (g gates) Begin(r *http.Request, service string) (identity.Pending, error) {
	return (&gate{begin: g.begin}).Begin(r, service)
}

func TestAllFormsTogetherHaveABound(t *testing.T) {
	for name, tt := range map[string]struct {
		begin error
		sent  int
	}{
		"unsigned": {fault.New(fault.CredentialMissing), 60 << 10},
		"signed":   {nil, 900 << 10},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := front(t, gates{tt.begin}, table(nil))
				const clients = 100
				end, done := make(chan bool), make(chan bool)
				for range clients {
					go func() {
						h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("POST", "/", stalled{strings.NewReader(strings.Repeat("a", tt.sent)), end}))
						done <- true
					}()
				}
				synctest.Wait() // for bodies, or for memory
				now, cancel := context.WithCancel(t.Context())
				cancel()
				w := httptest.NewRecorder()
				h.ServeHTTP(w, httptest.NewRequestWithContext(now, "POST", "/", strings.NewReader(strings.Repeat("a", tt.sent))))
				if got := readError(t, w.Body); got.Code != "Throttling" {
					t.Errorf("one more: %+v", got)
				}
				w = httptest.NewRecorder()
				h.ServeHTTP(w, httptest.NewRequestWithContext(now, "POST", "/", strings.NewReader("Action=Sing&Version=2000-01-01")))
				if got := readError(t, w.Body); got.Code != "InvalidAction" {
					t.Errorf("a small one: %+v", got)
				}
				close(end)
				for range clients {
					<-done
				}
			})
		})
	}
}

// crawling delivers a byte a second, by the clock that it moves.
type crawling struct{ now time.Time }

func (c *crawling) Read(p []byte) (int, error) {
	c.now = c.now.Add(time.Second)
	return copy(p, "a"), nil
}

func TestAFormMustArriveInTime(t *testing.T) {
	body := &crawling{now: time.Unix(0, 0)}
	h := edge.Handler(front(t, &gate{}, table(nil)), edge.Options{
		Logger: slog.New(slog.DiscardHandler), Clock: func() time.Time { return body.now }, Idle: time.Minute,
	})
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/", body))
	if got := readError(t, w.Body); got.Code != "MalformedQueryString" || body.now.After(time.Unix(20, 0)) {
		t.Errorf("at %s: %+v", body.now, got)
	}
}
