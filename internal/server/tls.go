package server

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/lighterage/lighterage/internal/certificate"
	"github.com/lighterage/lighterage/internal/config"
)

// Trust is what clients need to believe the server's certificate. The zero
// Trust: nothing, or it is not known.
type Trust struct {
	CA   string                           // path of the server's own CA
	Text func(addresses ...string) string // says how to trust it; nil without CA
}

// Secure puts TLS before the listener, if the configuration has any. The data
// directory must be locked: a CA may be made in it.
func Secure(c config.Config, ln net.Listener, clock func() time.Time, log *slog.Logger) (net.Listener, Trust, error) {
	var trust Trust
	var settings *tls.Config
	switch c.TLS {
	case config.NoTLS:
		return ln, trust, nil
	case config.FilesTLS:
		files, err := certificate.NewFiles(certificate.FilesConfig{Certificate: c.TLSCert, Key: c.TLSKey, Clock: clock, Logger: log})
		if err != nil {
			return nil, trust, c.Fault("tls-cert", err)
		}
		settings = files.TLS()
	case config.SelfSignedTLS:
		own, err := certificate.NewSelfSigned(certificate.SelfSignedConfig{
			Dir: filepath.Join(c.DataDir, "tls"), Hosts: certificateHosts(c), Clock: clock, Logger: log,
		})
		if err != nil {
			return nil, trust, c.Fault("tls", err)
		}
		trust = Trust{own.Authority(), own.Text}
		settings = own.TLS()
	case config.ACMETLS:
		acme, err := newACME(c, clock, log)
		if err != nil {
			return nil, trust, err
		}
		settings = acme.TLS()
	}
	return tls.NewListener(ln, settings), trust, nil
}

// newACME makes nothing and asks nobody yet. Its errors are *config.Error.
func newACME(c config.Config, clock func() time.Time, log *slog.Logger) (*certificate.ACME, error) {
	cas, err := c.ACMECAs()
	if err != nil {
		return nil, err
	}
	var roots *x509.CertPool
	if c.ACMECA != "" {
		if roots, err = x509.SystemCertPool(); err != nil {
			return nil, c.Fault("acme-ca", fmt.Errorf("read the machine's CA certificates: %w", err))
		}
		if !roots.AppendCertsFromPEM(cas) {
			return nil, c.Fault("acme-ca", fmt.Errorf("%s has no certificate in PEM", c.ACMECA))
		}
	}
	acme, err := certificate.NewACME(certificate.ACMEConfig{
		Dir: filepath.Join(c.DataDir, "acme"), Hosts: c.ACMEHosts, Email: c.ACMEEmail, Directory: c.ACMEDirectory, Roots: roots,
		Clock: clock, Logger: log,
	})
	if err != nil {
		return nil, c.Fault("acme-host", err)
	}
	return acme, nil
}

// certificateHosts are the names and addresses under which clients may know the
// server: those that are set, and those of the machine if it listens on all of
// its addresses.
func certificateHosts(c config.Config) []string {
	hosts := slices.Clone(c.TLSHosts)
	if host, _, err := net.SplitHostPort(c.Listen); err == nil {
		if a, err := netip.ParseAddr(host); host == "" || err == nil && a.IsUnspecified() {
			hosts = append(hosts, machineHosts()...)
		} else {
			hosts = append(hosts, host)
		}
	}
	for _, template := range []string{c.RegistryHost, c.LightsailRegistryHost} {
		hosts = append(hosts, templateHosts(c, template)...)
	}
	return hosts
}

// machineHosts leaves out what it cannot learn: it is a convenience.
func machineHosts() []string {
	var hosts []string
	if n, err := os.Hostname(); err == nil && n != "" {
		hosts = append(hosts, n)
	}
	addresses, _ := net.InterfaceAddrs()
	for _, a := range addresses {
		if p, err := netip.ParsePrefix(a.String()); err == nil && p.Addr().IsGlobalUnicast() {
			hosts = append(hosts, p.Addr().String())
		}
	}
	return hosts
}

// templateHosts are the names that a registry host's template gives. Another
// account's is covered where the account is a label of its own, at the front.
func templateHosts(c config.Config, template string) []string {
	if _, rest, ok := strings.Cut(template, "://"); ok {
		template = rest
	}
	host := strings.TrimSuffix(template, "/")
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	if host == "" {
		return nil
	}
	if rest, ok := strings.CutPrefix(host, "{account}."); ok {
		host = "*." + rest
	}
	host = strings.ReplaceAll(host, "{account}", string(c.Account))
	if !strings.Contains(host, "{region}") {
		return []string{host}
	}
	var hosts []string
	for _, r := range c.Regions {
		hosts = append(hosts, strings.ReplaceAll(host, "{region}", string(r)))
	}
	return hosts
}

// trustText is Trust's text for the address that is printed and the names that
// are set; empty without a CA of the server's own.
func (t Trust) text(c config.Config, url string) string {
	if t.Text == nil {
		return ""
	}
	_, host, _ := strings.Cut(url, "://")
	addresses := []string{host}
	_, port, err := net.SplitHostPort(host)
	for _, h := range c.TLSHosts {
		if err == nil && port != "443" {
			h = net.JoinHostPort(h, port)
		}
		if !strings.Contains(h, "*") && !slices.Contains(addresses, h) {
			addresses = append(addresses, h)
		}
	}
	return t.Text(addresses...)
}
