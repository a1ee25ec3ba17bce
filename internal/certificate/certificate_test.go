package certificate_test

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lighterage/lighterage/internal/certificate"
)

var noon = time.Date(2026, 3, 14, 12, 0, 0, 0, time.UTC)

// watch is a clock that a test moves.
type watch struct {
	mu sync.Mutex
	at time.Time
}

func (w *watch) now() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.at
}

func (w *watch) pass(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.at = w.at.Add(d)
}

// journal is a log that a test reads.
type journal struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.Write(p)
}

func (j *journal) logger() *slog.Logger { return slog.New(slog.NewTextHandler(j, nil)) }

// count returns how many lines have the word.
func (j *journal) count(word string) int {
	j.mu.Lock()
	defer j.mu.Unlock()
	return strings.Count(j.text.String(), word)
}

// dial makes a handshake with a server of that configuration and returns what
// both agreed on.
func dial(t *testing.T, server, client *tls.Config) (tls.ConnectionState, error) {
	t.Helper()
	near, far := net.Pipe()
	defer near.Close()
	defer far.Close()
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = tls.Server(far, server).Handshake() // the client's error is the one looked at
		_ = far.Close()
	}()
	conn := tls.Client(near, client)
	err := conn.Handshake()
	_ = near.Close()
	<-done
	return conn.ConnectionState(), err
}

// selfSigned makes certificates, for the tests of this package's other sources
// too.
func selfSigned(t *testing.T, dir string, w *watch, log *slog.Logger, hosts ...string) *certificate.SelfSigned {
	t.Helper()
	s, err := certificate.NewSelfSigned(certificate.SelfSignedConfig{Dir: dir, Hosts: hosts, Clock: w.now, Logger: log})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// roots is what a client has that trusts the CA.
func roots(t *testing.T, s *certificate.SelfSigned) *x509.CertPool {
	t.Helper()
	text, err := os.ReadFile(s.Authority())
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		t.Fatal("the CA's file holds no certificate")
	}
	return pool
}

func TestWhatHandshakesAgreeOn(t *testing.T) {
	w := &watch{at: noon}
	s := selfSigned(t, t.TempDir(), w, slog.New(slog.DiscardHandler))
	client := func(change func(*tls.Config)) *tls.Config {
		c := &tls.Config{RootCAs: roots(t, s), ServerName: "localhost", Time: w.now}
		change(c)
		return c
	}
	for name, tt := range map[string]struct {
		change   func(*tls.Config)
		version  uint16 // 0: refused
		protocol string
	}{
		"a modern client":             {func(c *tls.Config) { c.NextProtos = []string{"h2", "http/1.1"} }, tls.VersionTLS13, "h2"},
		"a client without HTTP/2":     {func(c *tls.Config) { c.NextProtos = []string{"http/1.1"} }, tls.VersionTLS13, "http/1.1"},
		"a client that does not say":  {func(*tls.Config) {}, tls.VersionTLS13, ""},
		"TLS 1.2":                     {func(c *tls.Config) { c.MaxVersion = tls.VersionTLS12 }, tls.VersionTLS12, ""},
		"TLS 1.1":                     {func(c *tls.Config) { c.MinVersion, c.MaxVersion = tls.VersionTLS10, tls.VersionTLS11 }, 0, ""},
		"a client that does not know": {func(c *tls.Config) { c.RootCAs = x509.NewCertPool() }, 0, ""},
		"another name":                {func(c *tls.Config) { c.ServerName = "example.com" }, 0, ""},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := dial(t, s.TLS(), client(tt.change))
			if tt.version == 0 {
				if err == nil {
					t.Errorf("agreed on %s", tls.VersionName(got.Version))
				}
				return
			}
			if err != nil || got.Version != tt.version || got.NegotiatedProtocol != tt.protocol {
				t.Errorf("%s and %q, error %v; want %s and %q",
					tls.VersionName(got.Version), got.NegotiatedProtocol, err, tls.VersionName(tt.version), tt.protocol)
			}
		})
	}
}

// pair is the PEM of a certificate for a name, and of its key.
type pair struct{ certificate, key []byte }

func makePair(t *testing.T, name string) pair {
	t.Helper()
	got, err := selfSigned(t, t.TempDir(), &watch{at: noon}, slog.New(slog.DiscardHandler), name).GetCertificate(nil)
	if err != nil {
		t.Fatal(err)
	}
	key, err := x509.MarshalPKCS8PrivateKey(got.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	return pair{
		pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: got.Certificate[0]}),
		pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key}),
	}
}

func write(t *testing.T, path string, text []byte) {
	t.Helper()
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestFilesThatChange(t *testing.T) {
	dir := t.TempDir()
	cert, key := filepath.Join(dir, "tls.crt"), filepath.Join(dir, "tls.key")
	one, two := makePair(t, "one.example.com"), makePair(t, "two.example.com")
	put := func(p pair) { write(t, cert, p.certificate); write(t, key, p.key) }
	put(one)
	w, log := &watch{at: noon}, &journal{}
	f, err := certificate.NewFiles(certificate.FilesConfig{Certificate: cert, Key: key, Clock: w.now, Logger: log.logger()})
	if err != nil {
		t.Fatal(err)
	}
	serves := func(want string) {
		t.Helper()
		got, err := f.GetCertificate(&tls.ClientHelloInfo{ServerName: "whatever"})
		if err != nil || !strings.Contains(strings.Join(got.Leaf.DNSNames, " "), want) {
			t.Errorf("serves %q, error %v; want %s", got.Leaf.DNSNames, err, want)
		}
	}
	serves("one.")

	put(two)
	w.pass(999 * time.Millisecond)
	serves("one.")
	w.pass(time.Millisecond)
	serves("two.")

	for name, spoil := range map[string]func(){
		"a certificate without its key yet": func() { write(t, cert, one.certificate) },
		"half a file":                       func() { write(t, cert, two.certificate[:100]) },
		"an empty key":                      func() { write(t, key, nil) },
		"no certificate":                    func() { _ = os.Remove(cert) },
		"a directory":                       func() { _ = os.Remove(key); _ = os.Mkdir(key, 0o700) },
		"a huge file":                       func() { write(t, cert, make([]byte, 2<<20)) },
	} {
		before := log.count("level=ERROR")
		spoil()
		for range 3 {
			w.pass(time.Second)
			serves("two.")
		}
		if got := log.count("level=ERROR") - before; got != 1 {
			t.Errorf("%s: logged %d times, want once", name, got)
		}
		_ = os.Remove(key)
		put(two)
		w.pass(time.Second)
		serves("two.")
	}
	put(one)
	w.pass(-time.Hour) // a clock that is set back does not keep the old
	serves("one.")

	if log.count("PRIVATE") != 0 || log.count("one.example.com") == 0 && log.count("until=") == 0 {
		t.Errorf("the log is %s", log.text.String())
	}
}

func TestFilesThatDoNotLoad(t *testing.T) {
	dir := t.TempDir()
	one, two := makePair(t, "one.example.com"), makePair(t, "two.example.com")
	at := func(name string, text []byte) string {
		path := filepath.Join(dir, name)
		write(t, path, text)
		return path
	}
	cert := at("one.crt", one.certificate)
	for name, tt := range map[string]struct{ certificate, key string }{
		"no certificate":          {filepath.Join(dir, "none"), at("one.key", one.key)},
		"no key":                  {cert, filepath.Join(dir, "none")},
		"another's key":           {cert, at("two.key", two.key)},
		"a text that is no PEM":   {at("x.crt", []byte("x")), at("one.key", one.key)},
		"the two in wrong places": {at("one.key", one.key), cert},
	} {
		_, err := certificate.NewFiles(certificate.FilesConfig{
			Certificate: tt.certificate, Key: tt.key, Clock: (&watch{at: noon}).now, Logger: slog.New(slog.DiscardHandler)})
		if err == nil || strings.Contains(err.Error(), "PRIVATE") {
			t.Errorf("%s: error %v", name, err)
		}
	}
}

func TestFilesUnderManyHandshakes(t *testing.T) {
	dir := t.TempDir()
	one := makePair(t, "one.example.com")
	both := filepath.Join(dir, "both.pem")
	write(t, both, append(one.certificate, one.key...))
	w := &watch{at: noon}
	f, err := certificate.NewFiles(certificate.FilesConfig{Certificate: both, Key: both, Clock: w.now, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 100 {
				w.pass(100 * time.Millisecond)
				if got, err := f.GetCertificate(nil); err != nil || got == nil {
					t.Errorf("certificate %v, error %v", got, err)
				}
			}
		})
	}
	wg.Wait()
}
