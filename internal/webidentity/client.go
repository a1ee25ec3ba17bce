package webidentity

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"syscall"
	"time"
)

// The bounds of a question to an issuer.
const (
	dialTime    = 5 * time.Second
	answerTime  = 5 * time.Second  // to the header of an answer
	fetchTime   = 10 * time.Second // in all, redirects and body included
	maxAnswer   = 256 << 10        // bytes of a body
	maxHeader   = 32 << 10
	maxRedirect = 3
)

// newClient returns the client that issuers are asked with. It is this
// package's alone: each request's context says which host the provider's URL
// names.
func newClient(c Config) (*http.Client, error) {
	roots, err := x509.SystemCertPool()
	if err != nil {
		return nil, fmt.Errorf("read the machine's CA certificates: %w", err)
	}
	if len(c.CAs) > 0 && !roots.AppendCertsFromPEM(c.CAs) {
		return nil, errors.New("there is no CA certificate in the PEM that is given for OpenID Connect issuers")
	}
	transport := &http.Transport{
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			host, _, err := net.SplitHostPort(address)
			if err != nil {
				return nil, err
			}
			d := net.Dialer{Timeout: dialTime}
			if !named(ctx, host) && (c.Private == nil || !c.Private(host)) {
				d.Control = publicOnly
			}
			return d.DialContext(ctx, network, address)
		},
		TLSClientConfig:        &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12},
		TLSHandshakeTimeout:    dialTime,
		ResponseHeaderTimeout:  answerTime,
		MaxResponseHeaderBytes: maxHeader,
		// A connection that one provider may make to a private address must not
		// wait for another, which may not.
		DisableKeepAlives: true,
	}
	return &http.Client{Transport: careful{transport}, CheckRedirect: sameHost, Timeout: fetchTime}, nil
}

type providerKey struct{}

// withProvider says which host the provider's URL names.
func withProvider(ctx context.Context, host string) context.Context {
	return context.WithValue(ctx, providerKey{}, host)
}

// named reports whether the host is an address, or this very machine, and the
// provider's URL names it.
func named(ctx context.Context, host string) bool {
	if own, _ := ctx.Value(providerKey{}).(string); own != host {
		return false
	}
	_, err := netip.ParseAddr(host)
	return err == nil || isLoopback(host)
}

// publicOnly refuses a connection to an address that is not everybody's. The
// address is the one that is connected to: a name cannot change meanwhile.
func publicOnly(_, address string, _ syscall.RawConn) error {
	to, err := netip.ParseAddrPort(address)
	if err != nil {
		return err
	}
	ip := to.Addr().Unmap()
	if !ip.IsGlobalUnicast() || ip.IsPrivate() || shared.Contains(ip) || translated.Contains(ip) {
		return fmt.Errorf("%s is a private address", ip)
	}
	return nil
}

var (
	shared     = netip.MustParsePrefix("100.64.0.0/10") // RFC 6598: between a provider and its subscribers
	translated = netip.MustParsePrefix("64:ff9b::/96")  // RFC 6052: may be any IPv4 address
)

func isLoopback(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.Unmap().IsLoopback()
}

// sameHost lets redirects lead to where the question was sent.
func sameHost(r *http.Request, via []*http.Request) error {
	if len(via) > maxRedirect {
		return errors.New("too many redirects")
	}
	if r.URL.Host != via[0].URL.Host || r.URL.Scheme != via[0].URL.Scheme {
		return errors.New("a redirect to another host")
	}
	return nil
}

// careful refuses questions in the clear and cuts long answers.
type careful struct{ next http.RoundTripper }

func (c careful) RoundTrip(r *http.Request) (*http.Response, error) {
	if !protected(r.URL) {
		return nil, fmt.Errorf("%s is not asked: its address is not https", r.URL.Redacted())
	}
	response, err := c.next.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	response.Body = &short{ReadCloser: response.Body, left: maxAnswer}
	return response, nil
}

func protected(u *url.URL) bool {
	return u.Scheme == "https" || u.Scheme == "http" && isLoopback(u.Hostname())
}

// short is a body that fails beyond its limit.
type short struct {
	io.ReadCloser
	left int
}

func (s *short) Read(p []byte) (int, error) {
	if s.left <= 0 {
		return 0, errors.New("the answer is too long")
	}
	n, err := s.ReadCloser.Read(p[:min(len(p), s.left)])
	s.left -= n
	return n, err
}
