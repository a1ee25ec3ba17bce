// Package certificate is where the server's TLS certificate comes from: files
// that somebody renews, a CA of our own, or a public CA over ACME.
//
//  1. Each source gives a tls.Config with TLS 1.2 at least, HTTP/2 offered, and
//     Go's choice of ciphers.
//  2. A certificate that is renewed is used within about a second, without a
//     restart; connections go on.
//  3. What cannot be loaded or renewed never takes the place of what works; it
//     is logged, but not at each handshake.
//  4. Private keys are written readable by their owner only, and never logged.
//
// It owns no goroutine: what has to be looked at is looked at during
// handshakes. (The ACME library renews from a timer of its own.)
package certificate

import (
	"context"
	"crypto/tls"
	"log/slog"
	"sync"
	"time"
)

// get is the shape of tls.Config's GetCertificate.
type get func(*tls.ClientHelloInfo) (*tls.Certificate, error)

// config is what all sources share. The protocols are offered beside HTTP's.
func config(g get, protocols ...string) *tls.Config {
	return &tls.Config{
		MinVersion:     tls.VersionTLS12,
		NextProtos:     append([]string{"h2", "http/1.1"}, protocols...),
		GetCertificate: g,
	}
}

// calm logs a trouble when it begins or changes, and not again until it has
// ended. Its methods are safe for concurrent use.
type calm struct {
	log  *slog.Logger
	mu   sync.Mutex
	last string
}

func (c *calm) trouble(message string, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.last == err.Error() {
		return
	}
	c.last = err.Error()
	c.log.Error(message, "error", err)
}

func (c *calm) over() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.last = ""
}

// expiry logs when a certificate that is put to use ends.
func expiry(log *slog.Logger, message string, cert *tls.Certificate, now time.Time) {
	level := slog.LevelInfo
	if now.After(cert.Leaf.NotAfter) || now.Before(cert.Leaf.NotBefore) {
		level = slog.LevelWarn
		message += ", which is not valid now"
	}
	log.Log(context.Background(), level, message, "subject", cert.Leaf.Subject.String(), "from", cert.Leaf.NotBefore, "until", cert.Leaf.NotAfter)
}
