package server_test

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lighterage/lighterage/internal/config"
	"github.com/lighterage/lighterage/internal/testkit"
)

func TestTheServersOwnCA(t *testing.T) {
	dir := t.TempDir()
	var pool *x509.CertPool
	for range 2 { // what trusts the first start's CA trusts the second's
		r := start(t, settings(t, dir, "--tls=self-signed", "--tls-host=registry.example,10.1.2.3",
			"--registry-host={account}.dkr.ecr.{region}.example.com:5000", "--regions=us-east-1,eu-west-1"))
		running, err := config.ReadRunning(dir)
		must(t, err)
		if running.CA != filepath.Join(dir, "tls", "ca.crt") || !strings.HasPrefix(running.URL, "https://localhost:") {
			t.Errorf("told others %+v", running)
		}
		if pool == nil {
			text, err := os.ReadFile(running.CA)
			must(t, err)
			pool = x509.NewCertPool()
			pool.AppendCertsFromPEM(text)
		}
		_, host, _ := strings.Cut(running.URL, "://")
		for _, want := range []string{"/etc/docker/certs.d/" + host + "/ca.crt", "AWS_CA_BUNDLE=" + running.CA, "/etc/docker/certs.d/registry.example:"} {
			if !strings.Contains(r.Trust, want) {
				t.Errorf("the text has no %s:\n%s", want, r.Trust)
			}
		}
		for _, name := range []string{"localhost", "127.0.0.1", "registry.example", "10.1.2.3", "123456789012.dkr.ecr.eu-west-1.example.com"} {
			conn, err := tls.Dial("tcp", host, &tls.Config{RootCAs: pool, ServerName: name, NextProtos: []string{"h2"}})
			if err != nil {
				t.Errorf("as %s: %v", name, err)
				continue
			}
			if got := conn.ConnectionState(); got.NegotiatedProtocol != "h2" || got.Version < tls.VersionTLS12 {
				t.Errorf("as %s: %s, version %x", name, got.NegotiatedProtocol, got.Version)
			}
			conn.Close()
		}
		if _, err := tls.Dial("tcp", host, &tls.Config{RootCAs: pool, ServerName: "localhost", MaxVersion: tls.VersionTLS11, MinVersion: tls.VersionTLS10}); err == nil {
			t.Error("TLS 1.1 is spoken")
		}
		r.end(t)
	}
}

// TestAChangedCertificateIsServed moves the product's clock, by which the files
// are looked at.
func TestAChangedCertificateIsServed(t *testing.T) {
	cert, key, _ := certificate(t)
	clock := &still{at: time.Now()}
	s := testkit.Start(t, testkit.Clock(clock.now), testkit.Setting("tls-cert", cert), testkit.Setting("tls-key", key))
	serial := func() []byte {
		conn, err := tls.Dial("tcp", s.Host, &tls.Config{InsecureSkipVerify: true})
		must(t, err)
		defer conn.Close()
		return conn.ConnectionState().PeerCertificates[0].Raw
	}
	before := serial()
	newer, newerKey, _ := certificate(t)
	must(t, os.Rename(newer, cert))
	must(t, os.Rename(newerKey, key))
	clock.add(2 * time.Second)
	text, err := os.ReadFile(cert)
	must(t, err)
	block, _ := pem.Decode(text)
	if got := serial(); string(got) != string(block.Bytes) || string(got) == string(before) {
		t.Error("the certificate of before is served")
	}
}

func TestSecurityHeaders(t *testing.T) {
	cert, key, pool := certificate(t)
	plain := testkit.Start(t)
	secure := testkit.Start(t, testkit.Setting("tls-cert", cert), testkit.Setting("tls-key", key))
	own := testkit.Start(t, testkit.Setting("tls", "self-signed"))
	text, err := os.ReadFile(filepath.Join(own.Dir, "tls", "ca.crt"))
	must(t, err)
	pool.AppendCertsFromPEM(text)
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}}}
	defer client.CloseIdleConnections()
	base := map[string]string{"X-Content-Type-Options": "nosniff"}
	secret := map[string]string{"X-Content-Type-Options": "nosniff", "Cache-Control": "no-store"}
	page := map[string]string{
		"X-Content-Type-Options": "nosniff", "Cache-Control": "no-store", "X-Frame-Options": "DENY",
		"Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
	}
	hsts := map[string]string{"X-Content-Type-Options": "nosniff", "Strict-Transport-Security": "max-age=31536000"}
	for _, c := range []struct {
		name, method, url, host string
		want                    map[string]string
	}{
		{"the registry", "GET", plain.URL + "/v2/", "", base},
		{"an API", "POST", plain.URL + "/", "", secret},
		{"a page", "GET", plain.URL + "/", "", page},
		{"what is not there", "GET", plain.URL + "/none", "", page},
		{"a public name over TLS", "GET", secure.URL + "/v2/", "registry.example.com", hsts},
		{"a public name over TLS with a port", "GET", secure.URL + "/v2/", "registry.example.com:5000", hsts},
		{"an address over TLS", "GET", secure.URL + "/v2/", "", base},
		{"localhost over TLS", "GET", secure.URL + "/v2/", "localhost:5000", base},
		{"a public name without TLS", "GET", plain.URL + "/v2/", "registry.example.com", base},
		{"a certificate of our own", "GET", own.URL + "/v2/", "registry.example.com", base},
	} {
		r, err := http.NewRequest(c.method, c.url, nil)
		must(t, err)
		r.Host = c.host
		resp, err := client.Do(r)
		must(t, err)
		resp.Body.Close()
		got := map[string]string{}
		for _, h := range []string{"X-Content-Type-Options", "Cache-Control", "X-Frame-Options", "Content-Security-Policy", "Strict-Transport-Security"} {
			if v := resp.Header.Get(h); v != "" {
				got[h] = v
			}
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, diff)
		}
	}
}

func TestACMEThatCannotWork(t *testing.T) {
	err := run(t, t.TempDir(), "--tls=acme", "--acme-host=localhost")
	checkConfigError(t, err, `acme-host (from --acme-host): "localhost" is no public name that ACME within TLS can prove`)
}
