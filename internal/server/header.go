package server

import (
	"net"
	"net/http"
	"net/netip"
	"strings"

	"github.com/lighterage/lighterage/internal/config"
)

// The values of headers that many answers have. Nobody writes to them.
var (
	noSniff  = []string{"nosniff"}
	noStore  = []string{"no-store"}
	nothing  = []string{"default-src 'none'; frame-ancestors 'none'"}
	oneYear  = []string{"max-age=31536000"}
	noParent = []string{"DENY"}
)

// headers puts security headers into every answer: what it is not may not be
// guessed, and what may hold a secret may not be kept. That a host is HTTPS
// only is said with certificates that the world trusts, for a year.
type headers struct {
	next http.Handler
	hsts bool
}

func newHeaders(next http.Handler, c config.Config) *headers {
	return &headers{next, c.TLS == config.FilesTLS || c.TLS == config.ACMETLS}
}

func (h *headers) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	header := w.Header()
	header["X-Content-Type-Options"] = noSniff
	switch {
	case strings.HasPrefix(r.URL.Path, "/v2/") && r.URL.Path != "/v2/token":
	case r.Method == http.MethodGet || r.Method == http.MethodHead:
		header["Content-Security-Policy"] = nothing
		header["X-Frame-Options"] = noParent
		fallthrough
	default:
		header["Cache-Control"] = noStore
	}
	if h.hsts && r.TLS != nil && public(r.Host) {
		header["Strict-Transport-Security"] = oneYear
	}
	h.next.ServeHTTP(w, r)
}

// public reports whether a host is a name of the world's. A browser that was
// told of localhost would refuse other programs there.
func public(host string) bool {
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	if _, err := netip.ParseAddr(strings.Trim(host, "[]")); err == nil {
		return false
	}
	return strings.Contains(host, ".") && !strings.HasSuffix(host, ".localhost")
}
