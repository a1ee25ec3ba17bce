package certificate

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/crypto/acme"
	"golang.org/x/crypto/acme/autocert"
)

// ACMEConfig is what ACME is built from. To use it is to agree to the terms of
// service of the CA.
type ACMEConfig struct {
	Dir       string         // where the account's key and the certificates are kept
	Hosts     []string       // public names of the server, exactly; the first serves clients that name none
	Email     string         // for the CA's warnings; may be empty
	Directory string         // URL of the CA's directory; Let's Encrypt's if empty
	Roots     *x509.CertPool // that the CA's own server is verified with; the system's if nil
	Clock     func() time.Time
	Logger    *slog.Logger
}

// ACME serves certificates of a CA that speaks ACME (RFC 8555) and reaches this
// server on port 443: ownership of the names is proved within TLS
// (tls-alpn-01, RFC 8737), so port 80 is not needed. Certificates are made at
// the first handshake for a name. Its methods are safe for concurrent use.
type ACME struct {
	manager *autocert.Manager
	hosts   []string
	clock   func() time.Time
	log     *slog.Logger

	mu   sync.Mutex
	told map[string]time.Time // when a host's trouble was last logged
}

// tellEvery is how often the trouble of one host is logged. Its text is no
// measure: the library tells the cause once, and then that there is none yet.
const tellEvery = 10 * time.Minute

// NewACME returns a source that asks for nothing yet.
func NewACME(c ACMEConfig) (*ACME, error) {
	if c.Dir == "" {
		return nil, errors.New("ACME needs a directory that outlives the process: CAs limit how often they sign")
	}
	if len(c.Hosts) == 0 {
		return nil, errors.New("ACME needs the public names of the server")
	}
	hosts := make([]string, len(c.Hosts))
	for i, h := range c.Hosts {
		hosts[i] = strings.ToLower(strings.TrimSuffix(h, "."))
		if net.ParseIP(h) != nil || strings.Contains(h, "*") || !strings.Contains(hosts[i], ".") || !hostName.MatchString(h) {
			return nil, fmt.Errorf("%q is no public name that ACME within TLS can prove", h)
		}
	}
	if c.Directory == "" {
		c.Directory = autocert.DefaultACMEDirectory
	}
	if u, err := url.Parse(c.Directory); err != nil || u.Scheme != "https" || u.Host == "" {
		return nil, fmt.Errorf("ACME directory %q is no https URL", c.Directory)
	}
	return &ACME{
		manager: &autocert.Manager{
			Prompt:     autocert.AcceptTOS,
			Cache:      autocert.DirCache(c.Dir),
			HostPolicy: autocert.HostWhitelist(hosts...),
			Email:      c.Email,
			Client:     &acme.Client{DirectoryURL: c.Directory, HTTPClient: client(c.Roots), UserAgent: "lighterage"},
		},
		hosts: hosts,
		clock: c.Clock,
		log:   c.Logger,
		told:  map[string]time.Time{},
	}, nil
}

// client is bounded in time: a handshake waits for it.
func client(roots *x509.CertPool) *http.Client {
	return &http.Client{
		Timeout: 30 * time.Second,
		Transport: &http.Transport{
			Proxy:               http.ProxyFromEnvironment,
			TLSClientConfig:     &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: roots},
			TLSHandshakeTimeout: 10 * time.Second,
			IdleConnTimeout:     30 * time.Second,
			ForceAttemptHTTP2:   true,
		},
	}
}

// TLS returns a configuration that serves the certificates, and the CA's
// challenges.
func (a *ACME) TLS() *tls.Config { return config(a.GetCertificate, acme.ALPNProto) }

// GetCertificate returns the certificate of the name that the client asks for,
// and makes it if there is none; a name that is not the server's is an error. A
// client that names none, such as one that dials an IP address, gets the first
// host's.
func (a *ACME) GetCertificate(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	if hello.ServerName == "" {
		named := *hello
		named.ServerName = a.hosts[0]
		hello = &named
	}
	pair, err := a.manager.GetCertificate(hello)
	host := strings.ToLower(strings.TrimSuffix(hello.ServerName, "."))
	if slices.Contains(a.hosts, host) { // a stranger's name is no trouble of ours
		a.tell(host, err)
	}
	return pair, err
}

func (a *ACME) tell(host string, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if err == nil {
		delete(a.told, host)
		return
	}
	now := a.clock()
	if last, ok := a.told[host]; ok && now.Sub(last) < tellEvery {
		return
	}
	a.told[host] = now
	a.log.Error("cannot get a TLS certificate over ACME", "host", host, "error", err)
}
