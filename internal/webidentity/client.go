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
	"slices"
	"strings"
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
// package's alone: each request's context says where the provider's URL leads.
func newClient(c Config) (*http.Client, error) {
	roots, err := roots(c.CAs)
	if err != nil {
		return nil, err
	}
	transport := &http.Transport{
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			d := net.Dialer{Timeout: dialTime, Control: publicOnly}
			if ctx.Value(listedKey{}) != nil {
				d.Control = listedOnly
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
	return &http.Client{Transport: careful{transport, c.listed}, CheckRedirect: sameHost, Timeout: fetchTime}, nil
}

// roots returns the machine's CA certificates and those in the PEM. Nil is the
// machine's alone, which are then read when they are first needed: to read them
// takes as long as all the rest of a start.
func roots(pem []byte) (*x509.CertPool, error) {
	if len(pem) == 0 {
		return nil, nil
	}
	pool, err := x509.SystemCertPool()
	if err != nil {
		return nil, fmt.Errorf("read the machine's CA certificates: %w", err)
	}
	if !pool.AppendCertsFromPEM(pem) {
		return nil, errors.New("there is no CA certificate in the PEM that is given for OpenID Connect issuers")
	}
	return pool, nil
}

// listed reports whether the operator lets the host be at a private address.
func (c Config) listed(host string) bool { return c.Private != nil && c.Private(host) }

type (
	providerKey struct{} // the origin of the provider's URL
	listedKey   struct{} // is there if a question may go to a private address
)

// withProvider says what the provider's URL is.
func withProvider(ctx context.Context, at *url.URL) context.Context {
	return context.WithValue(ctx, providerKey{}, origin(at))
}

// origin is a URL's scheme, host and port.
func origin(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	return u.Scheme + "://" + net.JoinHostPort(strings.ToLower(u.Hostname()), port)
}

// publicOnly refuses a connection to an address that is not everybody's. The
// address is the one that is connected to: a name cannot change meanwhile.
func publicOnly(_, address string, _ syscall.RawConn) error {
	to, err := netip.ParseAddrPort(address)
	if err != nil {
		return err
	}
	ip := to.Addr().Unmap()
	if !ip.IsGlobalUnicast() || ip.IsPrivate() || within(ip, notPublic) {
		return fmt.Errorf("%s is a private address", ip)
	}
	return nil
}

// listedOnly refuses a connection to an address at which no issuer is, whatever
// its name: of one link, of a machine's metadata, of no machine.
func listedOnly(_, address string, _ syscall.RawConn) error {
	to, err := netip.ParseAddrPort(address)
	if err != nil {
		return err
	}
	ip := to.Addr().Unmap()
	if !ip.IsGlobalUnicast() && !ip.IsLoopback() || within(ip, never) {
		return fmt.Errorf("%s is an address that is never asked", ip)
	}
	return nil
}

func within(ip netip.Addr, networks []netip.Prefix) bool {
	ip = ip.WithZone("")
	return slices.ContainsFunc(networks, func(n netip.Prefix) bool { return n.Contains(ip) })
}

var (
	notPublic = []netip.Prefix{
		netip.MustParsePrefix("0.0.0.0/8"),      // RFC 791: this network
		netip.MustParsePrefix("100.64.0.0/10"),  // RFC 6598: between a provider and its subscribers
		netip.MustParsePrefix("192.0.0.0/24"),   // RFC 6890: protocols' own
		netip.MustParsePrefix("198.18.0.0/15"),  // RFC 2544: of measurements
		netip.MustParsePrefix("240.0.0.0/4"),    // RFC 1112: reserved
		netip.MustParsePrefix("64:ff9b::/96"),   // RFC 6052: may be any IPv4 address
		netip.MustParsePrefix("64:ff9b:1::/48"), // RFC 8215: likewise
		netip.MustParsePrefix("2002::/16"),      // RFC 3056: likewise
		netip.MustParsePrefix("fec0::/10"),      // RFC 3879: of a site
	}
	// Where clouds tell a machine its credentials, beside link-local addresses.
	never = []netip.Prefix{
		netip.MustParsePrefix("0.0.0.0/8"),
		netip.MustParsePrefix("fd00:ec2::/32"),
		netip.MustParsePrefix("fd20:ce::254/128"),
		netip.MustParsePrefix("100.100.100.200/32"),
		netip.MustParsePrefix("192.0.0.192/32"),
		netip.MustParsePrefix("64:ff9b::/96"),
		netip.MustParsePrefix("64:ff9b:1::/48"),
		netip.MustParsePrefix("2002::/16"),
	}
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

// careful refuses questions in the clear and cuts long answers. It says which
// questions may go to a private address: those to where the provider's URL
// itself leads, if its host is listed. What an issuer says leads nowhere but
// there, and to what is everybody's.
type careful struct {
	next   http.RoundTripper
	listed func(host string) bool
}

func (c careful) RoundTrip(r *http.Request) (*http.Response, error) {
	own, _ := r.Context().Value(providerKey{}).(string)
	private := own == origin(r.URL) && c.listed(r.URL.Hostname())
	if !protected(r.URL, private) {
		return nil, fmt.Errorf("%s is not asked: its address is not https", r.URL.Redacted())
	}
	if private {
		r = r.WithContext(context.WithValue(r.Context(), listedKey{}, true))
	}
	response, err := c.next.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	response.Body = &short{ReadCloser: response.Body, left: maxAnswer}
	return response, nil
}

// protected reports whether a question to the URL cannot be overheard: in the
// clear only this very machine is asked, if it is listed.
func protected(u *url.URL, listed bool) bool {
	return u.Scheme == "https" || u.Scheme == "http" && listed && isLoopback(u.Hostname())
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
