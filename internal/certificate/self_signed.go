package certificate

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"
)

// SelfSignedConfig is what SelfSigned is built from.
type SelfSignedConfig struct {
	Dir    string   // where the CA is kept; made if it is not there
	Hosts  []string // names, IP addresses and *.names of the server; localhost and its addresses are added
	Clock  func() time.Time
	Logger *slog.Logger
}

// SelfSigned serves certificates of a CA that it makes once: whoever trusts the
// CA trusts the server until the CA ends. Certificates are renewed in memory.
// Its methods are safe for concurrent use.
type SelfSigned struct {
	c    SelfSignedConfig
	calm calm
	ca   *x509.Certificate
	key  crypto.Signer

	mu   sync.Mutex
	leaf *tls.Certificate
}

const (
	caFile  = "ca.crt" // docker wants a name that ends so
	keyFile = "ca.key"

	caLife = 10 * 365 * 24 * time.Hour

	// leafLife is what Apple's and other clients accept at most, 398 days,
	// with the day that leaves room for clocks.
	leafLife    = 397 * 24 * time.Hour
	renewBefore = 60 * 24 * time.Hour

	// early is how far a client's clock may be behind.
	early = 24 * time.Hour
)

var hostName = regexp.MustCompile(`^(\*\.)?([a-zA-Z0-9_]([a-zA-Z0-9_-]{0,61}[a-zA-Z0-9_])?\.)*[a-zA-Z0-9_]([a-zA-Z0-9_-]{0,61}[a-zA-Z0-9_])?\.?$`)

// NewSelfSigned reads the CA, or makes it, and a first certificate. It fails on
// half a CA, or one that has ended: another would be one that nobody trusts.
func NewSelfSigned(c SelfSignedConfig) (*SelfSigned, error) {
	c.Hosts = append(slices.Clone(c.Hosts), "localhost", "127.0.0.1", "::1")
	for i, h := range c.Hosts {
		if err := CheckHost(h); err != nil {
			return nil, err
		}
		c.Hosts[i] = strings.ToLower(strings.TrimSuffix(h, "."))
	}
	slices.Sort(c.Hosts)
	c.Hosts = slices.Compact(c.Hosts)
	dir, err := filepath.Abs(c.Dir)
	if err != nil {
		return nil, fmt.Errorf("directory of the CA: %w", err)
	}
	c.Dir = dir
	s := &SelfSigned{c: c, calm: calm{log: c.Logger}}
	if err := s.authority(); err != nil {
		return nil, fmt.Errorf("certificate authority in %s: %w", c.Dir, err)
	}
	if s.leaf, err = s.issue(); err != nil {
		return nil, err
	}
	return s, nil
}

// CheckHost returns an error for what no certificate of ours can be for.
func CheckHost(host string) error {
	if net.ParseIP(host) == nil && (len(host) > 253 || !hostName.MatchString(host)) {
		return fmt.Errorf("%q is no host name or IP address for a certificate", host)
	}
	return nil
}

// authority reads the CA, or makes what is missing of it.
func (s *SelfSigned) authority() error {
	if err := os.MkdirAll(s.c.Dir, 0o755); err != nil {
		return err
	}
	certificate, err := readPEM(s.path(caFile), "CERTIFICATE")
	made := errors.Is(err, fs.ErrNotExist)
	if err != nil && !made {
		return err
	}
	key, err := readPEM(s.path(keyFile), "PRIVATE KEY")
	switch {
	case errors.Is(err, fs.ErrNotExist) && !made:
		return fmt.Errorf("%s is there and %s is not; put it back, or remove %[1]s for a new CA to be made", caFile, keyFile)
	case errors.Is(err, fs.ErrNotExist):
		key, err = s.makeKey()
	}
	if err != nil {
		return err
	}
	parsed, err := x509.ParsePKCS8PrivateKey(key)
	if err != nil {
		return fmt.Errorf("%s: %w", keyFile, err)
	}
	signer, ok := parsed.(*ecdsa.PrivateKey)
	if !ok {
		return fmt.Errorf("%s is no ECDSA key", keyFile)
	}
	s.key = signer
	if made {
		if certificate, err = s.makeAuthority(); err != nil {
			return err
		}
	}
	if s.ca, err = x509.ParseCertificate(certificate); err != nil {
		return fmt.Errorf("%s: %w", caFile, err)
	}
	switch now := s.c.Clock(); {
	case !signer.PublicKey.Equal(s.ca.PublicKey):
		return fmt.Errorf("%s and %s do not belong together", caFile, keyFile)
	case !s.ca.IsCA:
		return fmt.Errorf("%s is no CA's certificate", caFile)
	case !now.Before(s.ca.NotAfter):
		return fmt.Errorf("the CA ended on %s; remove %s and %s for a new one to be made, which clients must be told to trust",
			s.ca.NotAfter.Format(time.DateOnly), caFile, keyFile)
	}
	return nil
}

func (s *SelfSigned) path(name string) string { return filepath.Join(s.c.Dir, name) }

func (s *SelfSigned) makeKey() ([]byte, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	return der, s.writePEM(keyFile, "PRIVATE KEY", der, 0o600)
}

func (s *SelfSigned) makeAuthority() ([]byte, error) {
	serial := serial()
	now := s.c.Clock()
	template := &x509.Certificate{
		SerialNumber: serial,
		// Two servers' CAs must not have one name: clients would mix them up.
		Subject:               pkix.Name{Organization: []string{"Lighterage"}, CommonName: "Lighterage CA " + hex.EncodeToString(serial.Bytes()[:4])},
		NotBefore:             now.Add(-early),
		NotAfter:              now.Add(caLife),
		IsCA:                  true,
		BasicConstraintsValid: true,
		MaxPathLenZero:        true,
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, s.key.Public(), s.key)
	if err != nil {
		return nil, err
	}
	if err := s.writePEM(caFile, "CERTIFICATE", der, 0o644); err != nil {
		return nil, err
	}
	s.c.Logger.Info("made a certificate authority", "file", s.path(caFile), "until", template.NotAfter)
	return der, nil
}

// serial returns a number that no other certificate has: 127 random bits, and
// none of them zero at the front.
func serial() *big.Int {
	b := make([]byte, 16)
	_, _ = rand.Read(b) // never fails: it ends the process instead
	b[0] = b[0]&0x7f | 0x40
	return new(big.Int).SetBytes(b)
}

// issue makes the server's certificate.
func (s *SelfSigned) issue() (*tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make the server's key: %w", err)
	}
	now := s.c.Clock()
	template := &x509.Certificate{
		SerialNumber:          serial(),
		Subject:               pkix.Name{Organization: []string{"Lighterage"}},
		NotBefore:             now.Add(-early),
		NotAfter:              now.Add(leafLife - early),
		BasicConstraintsValid: true,
		KeyUsage:              x509.KeyUsageDigitalSignature,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	if s.ca.NotAfter.Before(template.NotAfter) {
		template.NotAfter = s.ca.NotAfter
	}
	for _, h := range s.c.Hosts {
		if ip := net.ParseIP(h); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
			continue
		}
		template.DNSNames = append(template.DNSNames, h)
	}
	der, err := x509.CreateCertificate(rand.Reader, template, s.ca, key.Public(), s.key)
	if err != nil {
		return nil, fmt.Errorf("sign the server's certificate: %w", err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("read the server's certificate back: %w", err)
	}
	pair := &tls.Certificate{Certificate: [][]byte{der, s.ca.Raw}, PrivateKey: key, Leaf: leaf}
	expiry(s.c.Logger, "made a TLS certificate", pair, now)
	return pair, nil
}

// TLS returns a configuration that serves the CA's certificates.
func (s *SelfSigned) TLS() *tls.Config { return config(s.GetCertificate) }

// GetCertificate returns the certificate of all hosts, renewed when its end is
// near.
func (s *SelfSigned) GetCertificate(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.c.Clock()
	end := s.leaf.Leaf.NotAfter
	if now.Before(end.Add(-renewBefore)) || end.Equal(s.ca.NotAfter) {
		return s.leaf, nil
	}
	fresh, err := s.issue()
	if err != nil {
		s.calm.trouble("cannot renew the TLS certificate; serving the one before", err)
		return s.leaf, nil
	}
	s.calm.over()
	s.leaf = fresh
	return fresh, nil
}

// Authority returns the path of the CA's certificate, for clients.
func (s *SelfSigned) Authority() string { return s.path(caFile) }

func readPEM(path, kind string) ([]byte, error) {
	text, err := read(path)
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(text)
	if block == nil || block.Type != kind {
		return nil, fmt.Errorf("%s holds no PEM of a %s", filepath.Base(path), strings.ToLower(kind))
	}
	return block.Bytes, nil
}

// writePEM makes the file whole or not at all.
func (s *SelfSigned) writePEM(name, kind string, der []byte, mode fs.FileMode) error {
	fresh := s.path(name + ".new")
	if err := os.Remove(fresh); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	file, err := os.OpenFile(fresh, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return err
	}
	err = errors.Join(file.Chmod(mode), pem.Encode(file, &pem.Block{Type: kind, Bytes: der}), file.Sync(), file.Close())
	if err != nil {
		return errors.Join(err, os.Remove(fresh))
	}
	return os.Rename(fresh, s.path(name))
}
