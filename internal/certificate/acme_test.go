package certificate_test

import (
	"crypto/tls"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lighterage/lighterage/internal/certificate"
	"github.com/lighterage/lighterage/internal/certificate/acmetest"
)

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
	ca := acmetest.Start(t)
	dir := t.TempDir()
	c := certificate.ACMEConfig{
		Dir: dir, Hosts: []string{"Registry.example.com"}, Email: "ops@example.com", Directory: ca.URL,
		Roots: ca.Roots(), Clock: time.Now, Logger: slog.New(slog.DiscardHandler),
	}
	handshake := func(source *certificate.ACME, name string) error {
		address := listen(t, source.TLS())
		ca.Reach(address)
		conn, err := tls.Dial("tcp", address, &tls.Config{ServerName: name, RootCAs: ca.Roots(), NextProtos: []string{"h2"}})
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
	if contact := ca.Contact(); !strings.Contains(contact, "mailto:ops@example.com") || !strings.Contains(contact, `"termsOfServiceAgreed":true`) {
		t.Errorf("the account was made with %s", contact)
	}
	if err := handshake(first, "registry.example.com"); err != nil || ca.Signed() != 1 {
		t.Errorf("the second handshake: error %v, %d certificates", err, ca.Signed())
	}
	again, err := certificate.NewACME(c)
	if err != nil {
		t.Fatal(err)
	}
	if err := handshake(again, "registry.example.com"); err != nil || ca.Signed() != 1 {
		t.Errorf("after a restart: error %v, %d certificates", err, ca.Signed())
	}
	if err := handshake(again, "other.example.com"); err == nil || ca.Signed() != 1 {
		t.Errorf("a stranger's name: error %v, %d certificates", err, ca.Signed())
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
