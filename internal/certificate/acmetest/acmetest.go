// Package acmetest stands in for a CA that speaks ACME (RFC 8555) in tests, on a
// loopback port.
//
//  1. It signs for a name only after whoever asks proved within TLS that the
//     name is theirs (tls-alpn-01, RFC 8737), and only what the account's key
//     signed counts.
//  2. Its own server has a certificate of the root that it signs with, as
//     that of a company's own CA has.
//  3. Names lead where Reach says, not where DNS does.
//
// It has one account, an order is for one name, and what a client may do with
// nonces, revocation and several challenges it does not know.
package acmetest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

// CA is a running CA. Its methods are safe for concurrent use.
type CA struct {
	URL string // of the directory

	t      testing.TB
	server *httptest.Server
	root   *x509.Certificate
	key    *ecdsa.PrivateKey

	mu       sync.Mutex
	reach    string
	early    time.Duration
	life     time.Duration
	account  *ecdsa.PublicKey
	contact  string
	orders   []*order
	requests int
	signed   int
}

// order is one order with its authorization and challenge, all of one number.
type order struct {
	name   string
	proved bool
	chain  []byte // once it is signed
}

const challengeToken = "a-token-of-the-stand-in"

// Start runs a CA until the test ends. Its certificates are good from an hour
// before they are made, for a day.
func Start(t testing.TB) *CA {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "ACME stand-in"}, IsCA: true, BasicConstraintsValid: true,
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
	ca := &CA{t: t, root: root, key: key, early: time.Hour, life: 25 * time.Hour}
	own, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := ca.issue(2, &own.PublicKey, nil, net.IPv4(127, 0, 0, 1))
	if err != nil {
		t.Fatal(err)
	}
	ca.server = httptest.NewUnstartedServer(ca)
	ca.server.Config.ErrorLog = log.New(io.Discard, "", 0) // handshakes of those who do not trust it
	ca.server.TLS = &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{leaf}, PrivateKey: own}}}
	ca.server.StartTLS()
	ca.URL = ca.server.URL + "/directory"
	t.Cleanup(ca.server.Close)
	return ca
}

// Reach says where all names lead: host:port.
func (ca *CA) Reach(address string) {
	ca.mu.Lock()
	defer ca.mu.Unlock()
	ca.reach = address
}

// Live says how long certificates are good from now on, of which a part is over
// when they are made.
func (ca *CA) Live(life, over time.Duration) {
	ca.mu.Lock()
	defer ca.mu.Unlock()
	ca.life, ca.early = life, over
}

// RootPEM is the certificate that clients are to trust.
func (ca *CA) RootPEM() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: ca.root.Raw})
}

// Roots is the same as a pool.
func (ca *CA) Roots() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(ca.root)
	return pool
}

// Requests is how often it was asked for anything.
func (ca *CA) Requests() int {
	ca.mu.Lock()
	defer ca.mu.Unlock()
	return ca.requests
}

// Signed is how many certificates it made for others.
func (ca *CA) Signed() int {
	ca.mu.Lock()
	defer ca.mu.Unlock()
	return ca.signed
}

// Contact is what the account was made with, in JSON.
func (ca *CA) Contact() string {
	ca.mu.Lock()
	defer ca.mu.Unlock()
	return ca.contact
}

func (ca *CA) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	ca.mu.Lock()
	defer ca.mu.Unlock()
	ca.requests++
	w.Header().Set("Replay-Nonce", "nonce")
	var payload []byte
	if r.Method == http.MethodPost {
		var err error
		if payload, err = ca.message(r); err != nil {
			ca.t.Errorf("ACME stand-in: %s: %v", r.URL.Path, err)
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
	}
	status, answer, err := ca.answer(w, r, payload)
	if err != nil {
		ca.t.Errorf("ACME stand-in: %s: %v", r.URL.Path, err)
		http.Error(w, err.Error(), http.StatusForbidden)
		return
	}
	switch answer := answer.(type) {
	case nil:
		w.WriteHeader(status)
	case []byte:
		w.Header().Set("Content-Type", "application/pem-certificate-chain")
		_, _ = w.Write(answer)
	default:
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(answer)
	}
}

func (ca *CA) at(kind string, number int) string {
	return fmt.Sprintf("%s/%s/%d", ca.server.URL, kind, number)
}

func (ca *CA) answer(w http.ResponseWriter, r *http.Request, payload []byte) (status int, answer any, err error) {
	switch r.URL.Path {
	case "/directory":
		return http.StatusOK, map[string]any{
			"newNonce": ca.server.URL + "/nonce", "newAccount": ca.server.URL + "/account", "newOrder": ca.server.URL + "/orders",
			"meta": map[string]string{"termsOfService": ca.server.URL + "/terms"},
		}, nil
	case "/nonce":
		return http.StatusOK, nil, nil
	case "/account":
		ca.contact = string(payload)
		w.Header().Set("Location", ca.at("account", 1))
		return http.StatusCreated, map[string]any{"status": "valid"}, nil
	case "/orders":
		var asked struct{ Identifiers []struct{ Value string } }
		if err := json.Unmarshal(payload, &asked); err != nil || len(asked.Identifiers) != 1 {
			return 0, nil, fmt.Errorf("order of %d names, %w", len(asked.Identifiers), err)
		}
		ca.orders = append(ca.orders, &order{name: asked.Identifiers[0].Value})
		w.Header().Set("Location", ca.at("order", len(ca.orders)-1))
		return http.StatusCreated, ca.order(len(ca.orders) - 1), nil
	}
	var kind string
	var number int
	if _, err := fmt.Sscanf(strings.ReplaceAll(r.URL.Path, "/", " "), "%s %d", &kind, &number); err != nil || number >= len(ca.orders) {
		return http.StatusNotFound, nil, nil
	}
	o := ca.orders[number]
	switch kind {
	case "order":
		w.Header().Set("Location", ca.at("order", number))
		return http.StatusOK, ca.order(number), nil
	case "authorization":
		return http.StatusOK, map[string]any{
			"status": o.state("valid"), "identifier": map[string]string{"type": "dns", "value": o.name}, "challenges": []any{ca.challenge(number)},
		}, nil
	case "challenge":
		if err := ca.prove(o); err != nil {
			return 0, nil, fmt.Errorf("the name %s is not proved: %w", o.name, err)
		}
		return http.StatusOK, ca.challenge(number), nil
	case "finalize":
		if err := ca.sign(o, payload); err != nil {
			return 0, nil, err
		}
		w.Header().Set("Location", ca.at("order", number))
		return http.StatusOK, ca.order(number), nil
	case "certificate":
		return http.StatusOK, o.chain, nil
	}
	return http.StatusNotFound, nil, nil
}

func (o *order) state(done string) string {
	if o.proved {
		return done
	}
	return "pending"
}

func (ca *CA) challenge(number int) map[string]any {
	return map[string]any{
		"type": "tls-alpn-01", "url": ca.at("challenge", number), "token": challengeToken, "status": ca.orders[number].state("valid"),
	}
}

func (ca *CA) order(number int) map[string]any {
	o := ca.orders[number]
	answer := map[string]any{
		"status": o.state("ready"), "identifiers": []any{map[string]string{"type": "dns", "value": o.name}},
		"authorizations": []string{ca.at("authorization", number)}, "finalize": ca.at("finalize", number),
	}
	if o.chain != nil {
		answer["status"], answer["certificate"] = "valid", ca.at("certificate", number)
	}
	return answer
}

// jwk is an ECDSA key of P-256, in the order of RFC 7638.
type jwk struct {
	Crv string `json:"crv"`
	Kty string `json:"kty"`
	X   string `json:"x"`
	Y   string `json:"y"`
}

// message returns the payload of a message that the account's key signed; the
// first one brings the key.
func (ca *CA) message(r *http.Request) ([]byte, error) {
	var jws struct{ Protected, Payload, Signature string }
	if err := json.NewDecoder(r.Body).Decode(&jws); err != nil {
		return nil, err
	}
	header, err := base64.RawURLEncoding.DecodeString(jws.Protected)
	if err != nil {
		return nil, err
	}
	var protected struct {
		JWK *jwk
		URL string
	}
	if err := json.Unmarshal(header, &protected); err != nil {
		return nil, err
	}
	if protected.URL != ca.server.URL+r.URL.Path {
		return nil, fmt.Errorf("signed for %s", protected.URL)
	}
	if protected.JWK != nil {
		if ca.account, err = protected.JWK.public(); err != nil {
			return nil, err
		}
	}
	signature, err := base64.RawURLEncoding.DecodeString(jws.Signature)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256([]byte(jws.Protected + "." + jws.Payload))
	if ca.account == nil || len(signature) != 64 ||
		!ecdsa.Verify(ca.account, sum[:], new(big.Int).SetBytes(signature[:32]), new(big.Int).SetBytes(signature[32:])) {
		return nil, errors.New("it is not signed with the account's key")
	}
	return base64.RawURLEncoding.DecodeString(jws.Payload)
}

func (k *jwk) public() (*ecdsa.PublicKey, error) {
	point := []byte{4}
	for _, part := range []string{k.X, k.Y} {
		b, err := base64.RawURLEncoding.DecodeString(part)
		if err != nil {
			return nil, err
		}
		point = append(point, b...)
	}
	return ecdsa.ParseUncompressedPublicKey(elliptic.P256(), point)
}

// thumbprint is RFC 7638's of the account's key.
func (ca *CA) thumbprint() (string, error) {
	point, err := ca.account.Bytes()
	if err != nil {
		return "", err
	}
	text := base64.RawURLEncoding.EncodeToString
	canonical, err := json.Marshal(jwk{"P-256", "EC", text(point[1:33]), text(point[33:])})
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(canonical)
	return text(sum[:]), nil
}

// prove connects as RFC 8737 says, and looks for the answer to the challenge.
func (ca *CA) prove(o *order) error {
	conn, err := tls.Dial("tcp", ca.reach, &tls.Config{ServerName: o.name, NextProtos: []string{"acme-tls/1"}, InsecureSkipVerify: true})
	if err != nil {
		return err
	}
	defer conn.Close()
	thumbprint, err := ca.thumbprint()
	if err != nil {
		return err
	}
	sum := sha256.Sum256([]byte(challengeToken + "." + thumbprint))
	want, err := asn1.Marshal(sum[:])
	if err != nil {
		return err
	}
	for _, x := range conn.ConnectionState().PeerCertificates[0].Extensions {
		if x.Id.String() == "1.3.6.1.5.5.7.1.31" && x.Critical && string(x.Value) == string(want) {
			o.proved = true
			return nil
		}
	}
	return errors.New("the challenge's certificate has no answer")
}

func (ca *CA) sign(o *order, payload []byte) error {
	var request struct{ CSR string }
	if err := json.Unmarshal(payload, &request); err != nil {
		return err
	}
	der, err := base64.RawURLEncoding.DecodeString(request.CSR)
	if err != nil {
		return err
	}
	csr, err := x509.ParseCertificateRequest(der)
	if err != nil {
		return err
	}
	if !o.proved || csr.CheckSignature() != nil || len(csr.DNSNames) != 1 || csr.DNSNames[0] != o.name {
		return fmt.Errorf("asked to sign for %v in an order of %s, proved: %t", csr.DNSNames, o.name, o.proved)
	}
	leaf, err := ca.issue(ca.signed+3, csr.PublicKey, csr.DNSNames)
	if err != nil {
		return err
	}
	ca.signed++
	o.chain = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: leaf})
	return nil
}

func (ca *CA) issue(serial int, public any, names []string, addresses ...net.IP) ([]byte, error) {
	from := time.Now().Add(-ca.early)
	return x509.CreateCertificate(rand.Reader, &x509.Certificate{
		SerialNumber: big.NewInt(int64(serial)), DNSNames: names, IPAddresses: addresses,
		NotBefore: from, NotAfter: from.Add(ca.life),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}, ca.root, public, ca.key)
}
