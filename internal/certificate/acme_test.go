package certificate_test

import (
	"crypto/ecdsa"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/asn1"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509/pkix"

	"github.com/lighterage/lighterage/internal/certificate"
)

// authority is a CA that speaks as much ACME (RFC 8555) as one order for one
// name needs. It does prove ownership, and trusts the client with all else.
type authority struct {
	t      *testing.T
	server *httptest.Server
	reach  string // where it looks for whatever name
	root   *x509.Certificate
	key    *ecdsa.PrivateKey

	mu      sync.Mutex
	name    string
	account string // thumbprint of the account's key
	contact string
	proved  bool
	chain   []byte
	signed  int
}

const challengeToken = "a-token-of-the-test"

func newAuthority(t *testing.T) *authority {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test CA"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour), KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	root, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	a := &authority{t: t, root: root, key: key}
	a.server = httptest.NewTLSServer(a)
	t.Cleanup(a.server.Close)
	return a
}

func (a *authority) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a.mu.Lock()
	defer a.mu.Unlock()
	w.Header().Set("Replay-Nonce", "nonce")
	var payload []byte
	if r.Method == http.MethodPost {
		payload = a.message(r)
	}
	at := func(path string) string { return a.server.URL + path }
	status := http.StatusOK
	var answer any
	switch r.URL.Path {
	case "/directory":
		answer = map[string]any{"newNonce": at("/nonce"), "newAccount": at("/account"), "newOrder": at("/orders"),
			"meta": map[string]string{"termsOfService": at("/terms")}}
	case "/nonce":
		return
	case "/account":
		a.contact = string(payload)
		w.Header().Set("Location", at("/account/1"))
		status, answer = http.StatusCreated, map[string]any{"status": "valid"}
	case "/orders":
		var order struct{ Identifiers []struct{ Value string } }
		a.check(json.Unmarshal(payload, &order))
		a.name = order.Identifiers[0].Value
		w.Header().Set("Location", at("/order"))
		status, answer = http.StatusCreated, a.order()
	case "/order":
		w.Header().Set("Location", at("/order"))
		answer = a.order()
	case "/authorization":
		answer = map[string]any{
			"status": a.state("valid"), "identifier": map[string]string{"type": "dns", "value": a.name},
			"challenges": []any{a.challenge()},
		}
	case "/challenge":
		a.proved = a.prove()
		answer = a.challenge()
	case "/finalize":
		a.sign(payload)
		w.Header().Set("Location", at("/order"))
		answer = a.order()
	case "/certificate":
		w.Header().Set("Content-Type", "application/pem-certificate-chain")
		_, err := w.Write(a.chain)
		a.check(err)
		return
	default:
		http.NotFound(w, r)
		return
	}
	w.WriteHeader(status)
	a.check(json.NewEncoder(w).Encode(answer))
}

func (a *authority) check(err error) {
	if err != nil {
		a.t.Error(err)
	}
}

// message returns the payload of a signed message, and notes the key of the
// account if it is in there.
func (a *authority) message(r *http.Request) []byte {
	var jws struct{ Protected, Payload string }
	a.check(json.NewDecoder(r.Body).Decode(&jws))
	header, err := base64.RawURLEncoding.DecodeString(jws.Protected)
	a.check(err)
	var protected struct {
		JWK *struct{ Crv, Kty, X, Y string }
	}
	a.check(json.Unmarshal(header, &protected))
	if k := protected.JWK; k != nil { // RFC 7638
		sum := sha256.Sum256(fmt.Appendf(nil, `{"crv":%q,"kty":%q,"x":%q,"y":%q}`, k.Crv, k.Kty, k.X, k.Y))
		a.account = base64.RawURLEncoding.EncodeToString(sum[:])
	}
	payload, err := base64.RawURLEncoding.DecodeString(jws.Payload)
	a.check(err)
	return payload
}

func (a *authority) state(done string) string {
	if a.proved {
		return done
	}
	return "pending"
}

func (a *authority) challenge() map[string]any {
	return map[string]any{"type": "tls-alpn-01", "url": a.server.URL + "/challenge", "token": challengeToken, "status": a.state("valid")}
}

func (a *authority) order() map[string]any {
	order := map[string]any{
		"status": a.state("ready"), "identifiers": []any{map[string]string{"type": "dns", "value": a.name}},
		"authorizations": []string{a.server.URL + "/authorization"}, "finalize": a.server.URL + "/finalize",
	}
	if a.chain != nil {
		order["status"], order["certificate"] = "valid", a.server.URL+"/certificate"
	}
	return order
}

// prove connects as RFC 8737 says, and looks for the answer to the challenge.
func (a *authority) prove() bool {
	conn, err := tls.Dial("tcp", a.reach, &tls.Config{ServerName: a.name, NextProtos: []string{"acme-tls/1"}, InsecureSkipVerify: true})
	if err != nil {
		a.t.Errorf("challenge: %v", err)
		return false
	}
	defer conn.Close()
	sum := sha256.Sum256([]byte(challengeToken + "." + a.account))
	want, err := asn1.Marshal(sum[:])
	a.check(err)
	for _, x := range conn.ConnectionState().PeerCertificates[0].Extensions {
		if x.Id.String() == "1.3.6.1.5.5.7.1.31" && x.Critical && string(x.Value) == string(want) {
			return true
		}
	}
	a.t.Error("the challenge's certificate has no answer")
	return false
}

func (a *authority) sign(payload []byte) {
	var request struct{ CSR string }
	a.check(json.Unmarshal(payload, &request))
	der, err := base64.RawURLEncoding.DecodeString(request.CSR)
	a.check(err)
	csr, err := x509.ParseCertificateRequest(der)
	if err != nil || !a.proved {
		a.t.Errorf("asked to sign before the proof, or %v", err)
		return
	}
	a.signed++
	leaf := &x509.Certificate{
		SerialNumber: big.NewInt(int64(a.signed + 1)), DNSNames: csr.DNSNames, NotBefore: time.Now().Add(-time.Minute), NotAfter: time.Now().Add(20 * time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	signed, err := x509.CreateCertificate(rand.Reader, leaf, a.root, csr.PublicKey, a.key)
	a.check(err)
	a.chain = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: signed})
}

// listen serves handshakes of the configuration until the test ends.
func listen(t *testing.T, c *tls.Config) string {
	t.Helper()
	listener, err := tls.Listen("tcp", "127.0.0.1:0", c)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	var conns sync.WaitGroup
	go func() {
		defer close(done)
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			conns.Go(func() {
				defer conn.Close()
				_, _ = io.Copy(io.Discard, conn) // shakes hands, and waits for the client's end
			})
		}
	}()
	t.Cleanup(func() {
		_ = listener.Close()
		<-done
		conns.Wait()
	})
	return listener.Addr().String()
}

func TestACMEFromTheFirstHandshakeOn(t *testing.T) {
	ca := newAuthority(t)
	dir := t.TempDir()
	trust := x509.NewCertPool()
	trust.AddCert(ca.root)
	c := certificate.ACMEConfig{
		Dir: dir, Hosts: []string{"Registry.example.com"}, Email: "ops@example.com", Directory: ca.server.URL + "/directory",
		Roots: ca.server.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs, Clock: time.Now, Logger: slog.New(slog.DiscardHandler),
	}
	handshake := func(source *certificate.ACME, name string) error {
		address := listen(t, source.TLS())
		ca.mu.Lock()
		ca.reach = address
		ca.mu.Unlock()
		conn, err := tls.Dial("tcp", address, &tls.Config{ServerName: name, RootCAs: trust, NextProtos: []string{"h2"}})
		if err != nil {
			return err
		}
		defer conn.Close()
		if got := conn.ConnectionState().NegotiatedProtocol; got != "h2" {
			return fmt.Errorf("agreed on %q", got)
		}
		return nil
	}
	first, err := certificate.NewACME(c)
	if err != nil {
		t.Fatal(err)
	}
	if err := handshake(first, "registry.example.com"); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(ca.contact, "mailto:ops@example.com") || !strings.Contains(ca.contact, `"termsOfServiceAgreed":true`) {
		t.Errorf("the account was made with %s", ca.contact)
	}
	if err := handshake(first, "registry.example.com"); err != nil || ca.signed != 1 {
		t.Errorf("the second handshake: error %v, %d certificates", err, ca.signed)
	}
	again, err := certificate.NewACME(c)
	if err != nil {
		t.Fatal(err)
	}
	if err := handshake(again, "registry.example.com"); err != nil || ca.signed != 1 {
		t.Errorf("after a restart: error %v, %d certificates", err, ca.signed)
	}
	if err := handshake(again, "other.example.com"); err == nil || ca.signed != 1 {
		t.Errorf("a stranger's name: error %v, %d certificates", err, ca.signed)
	}
	conn, err := tls.Dial("tcp", listen(t, again.TLS()), &tls.Config{InsecureSkipVerify: true}) // no name of an IP address is sent
	if err != nil {
		t.Fatalf("a client that names no host: %v", err)
	}
	defer conn.Close()
	if err := conn.ConnectionState().PeerCertificates[0].VerifyHostname("registry.example.com"); err != nil {
		t.Errorf("a client that names no host: %v", err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) == 0 {
		t.Fatalf("%d files are kept, error %v", len(entries), err)
	}
	for _, e := range entries {
		if info, err := e.Info(); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %v, error %v", e.Name(), info.Mode(), err)
		}
	}
}

func TestACMEThatIsNotThere(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	nobody := listener.Addr().String()
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	log, w := &journal{}, &watch{at: noon}
	a, err := certificate.NewACME(certificate.ACMEConfig{
		Dir: t.TempDir(), Hosts: []string{"registry.example.com"}, Directory: "https://" + nobody, Clock: w.now, Logger: log.logger()})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"registry.example.com", "registry.example.com", "other.example.com"} {
		if _, err := a.GetCertificate(&tls.ClientHelloInfo{ServerName: name}); err == nil {
			t.Errorf("%s: got a certificate", name)
		}
	}
	if n := log.count("level=ERROR"); n != 1 {
		t.Errorf("logged %d times, want once: %s", n, log.text.String())
	}
	w.pass(10 * time.Minute)
	if _, err := a.GetCertificate(&tls.ClientHelloInfo{ServerName: "registry.example.com"}); err == nil || log.count("level=ERROR") != 2 {
		t.Errorf("ten minutes later: error %v, logged %d times, want twice", err, log.count("level=ERROR"))
	}
}

func TestACMEConfigsThatAreRefused(t *testing.T) {
	good := certificate.ACMEConfig{Dir: t.TempDir(), Hosts: []string{"registry.example.com"}, Logger: slog.New(slog.DiscardHandler)}
	if _, err := certificate.NewACME(good); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*certificate.ACMEConfig){
		"no directory":         func(c *certificate.ACMEConfig) { c.Dir = "" },
		"no hosts":             func(c *certificate.ACMEConfig) { c.Hosts = nil },
		"an IP address":        func(c *certificate.ACMEConfig) { c.Hosts = []string{"192.0.2.7"} },
		"a wildcard":           func(c *certificate.ACMEConfig) { c.Hosts = []string{"*.example.com"} },
		"localhost":            func(c *certificate.ACMEConfig) { c.Hosts = []string{"localhost"} },
		"a port":               func(c *certificate.ACMEConfig) { c.Hosts = []string{"x.example.com:443"} },
		"plain HTTP":           func(c *certificate.ACMEConfig) { c.Directory = "http://ca.example.com/directory" },
		"a directory's path":   func(c *certificate.ACMEConfig) { c.Directory = "/directory" },
		"one bad among others": func(c *certificate.ACMEConfig) { c.Hosts = append(c.Hosts, "") },
	} {
		c := good
		change(&c)
		if _, err := certificate.NewACME(c); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
