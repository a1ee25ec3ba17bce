package edge

import (
	"encoding/hex"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/netip"
	"runtime/debug"
	"time"
)

// Options is what the middleware is made of. Clock and Logger must be set.
type Options struct {
	Logger *slog.Logger
	// Clock is the time that connections live in: deadlines are set by it, so
	// it must be the machine's own even where the product's is not.
	Clock func() time.Time
	// Trusted are the networks of proxies whose X-Forwarded-* are believed.
	Trusted []netip.Prefix
	// Idle is how long a body may deliver nothing, and how long a client may
	// take for a mebibyte of an answer. Zero: for ever.
	Idle time.Duration
	// Record is told how each request ends. The answer waits for it. May be nil.
	Record func(Answer)
}

// Answer is what is known of a request when its answer begins.
type Answer struct {
	HTTP   *http.Request
	Event  *Request
	Status int
	Header http.Header // of the answer
}

// Handler wraps next: it makes the Request, bounds idling, recovers from
// panics and writes the event.
func Handler(next http.Handler, o Options) http.Handler { return &handler{o, next} }

type handler struct {
	Options
	next http.Handler
}

func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	x := &exchange{ResponseWriter: w, record: h.Record, clock: h.Clock, idle: h.Idle, start: h.Clock()}
	h.describe(&x.request, r)
	r = r.WithContext(With(r.Context(), &x.request))
	x.asked = r
	if r.Body != nil && r.Body != http.NoBody && h.Idle > 0 {
		x.body = body{ReadCloser: r.Body, x: x, idle: h.Idle}
		r.Body = &x.body
	}
	defer h.finish(x, r)
	h.next.ServeHTTP(x, r)
}

// finish writes the event, and makes a panic an answer: a 500 if none has
// begun, else a connection that breaks, so that no client takes half an answer
// for a whole one.
func (h *handler) finish(x *exchange, r *http.Request) {
	p := recover()
	if p != nil && p != http.ErrAbortHandler {
		h.Logger.LogAttrs(r.Context(), slog.LevelError, "panic", slog.String("request", x.request.ID), slog.Any("panic", p), slog.String("stack", string(debug.Stack())))
		if x.status == 0 {
			http.Error(x, "internal error", http.StatusInternalServerError)
			p = nil
		}
	}
	if p == nil {
		x.begin()
	}
	x.endWriteDeadline()
	h.log(x, r)
	if p != nil {
		panic(http.ErrAbortHandler)
	}
}

// log writes the request's one event: an error if the server failed, else for
// those who look closely. The query is left out, it may hold a token.
func (h *handler) log(x *exchange, r *http.Request) {
	level := slog.LevelDebug
	if x.status >= http.StatusInternalServerError {
		level = slog.LevelError
	}
	if !h.Logger.Enabled(r.Context(), level) {
		return
	}
	e := &x.request
	attrs := []slog.Attr{
		slog.String("request", e.ID), slog.String("client", e.Client.String()), slog.String("method", r.Method),
		slog.String("host", e.Host), slog.String("path", r.URL.Path), slog.Int("status", x.status),
		slog.Int64("bytes", x.bytes), slog.Duration("took", h.Clock().Sub(x.start)),
	}
	for _, a := range []struct{ key, value string }{{"principal", e.Principal}, {"action", e.Action}, {"resource", e.Resource}} {
		if a.value != "" {
			attrs = append(attrs, slog.String(a.key, a.value))
		}
	}
	if e.Err != nil {
		attrs = append(attrs, slog.String("error", e.Err.Error()))
	}
	h.Logger.LogAttrs(r.Context(), level, "request", attrs...)
}

// describe fills the upper half of the Request.
func (h *handler) describe(e *Request, r *http.Request) {
	e.ID, e.Host, e.Scheme = newID(), r.Host, "http"
	if r.TLS != nil {
		e.Scheme = "https"
	}
	if peer, err := netip.ParseAddrPort(r.RemoteAddr); err == nil {
		e.Client = peer.Addr().Unmap().WithZone("")
	}
	if h.trusts(e.Client) {
		h.believe(e, r.Header)
	}
}

// newID returns a random UUID. It need not be hard to guess, only to meet
// twice.
func newID() string {
	var b [16]byte
	for i, n := 0, rand.Uint64(); i < 8; i++ {
		b[i] = byte(n >> (8 * i))
	}
	for i, n := 8, rand.Uint64(); i < 16; i++ {
		b[i] = byte(n >> (8 * (i - 8)))
	}
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	var s [36]byte
	hex.Encode(s[0:8], b[0:4])
	hex.Encode(s[9:13], b[4:6])
	hex.Encode(s[14:18], b[6:8])
	hex.Encode(s[19:23], b[8:10])
	hex.Encode(s[24:36], b[10:16])
	s[8], s[13], s[18], s[23] = '-', '-', '-', '-'
	return string(s[:])
}
