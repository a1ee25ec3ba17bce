package certificate_test

import (
	"crypto/x509"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/lighterage/lighterage/internal/certificate"
)

func TestSelfSignedHosts(t *testing.T) {
	w := &watch{at: noon}
	s := selfSigned(t, t.TempDir(), w, slog.New(slog.DiscardHandler),
		"Registry.example.com.", "*.dkr.ecr.eu-central-1.example.com", "192.0.2.7", "2001:db8::7", "localhost")
	got, err := s.GetCertificate(nil)
	if err != nil {
		t.Fatal(err)
	}
	for host, want := range map[string]bool{
		"registry.example.com": true, "123456789012.dkr.ecr.eu-central-1.example.com": true, "192.0.2.7": true, "2001:db8::7": true,
		"localhost": true, "127.0.0.1": true, "::1": true,
		"example.com": false, "a.b.dkr.ecr.eu-central-1.example.com": false, "192.0.2.8": false,
	} {
		_, err := got.Leaf.Verify(x509.VerifyOptions{DNSName: host, Roots: roots(t, s), CurrentTime: noon})
		if (err == nil) != want {
			t.Errorf("%s: error %v, want it accepted: %t", host, err, want)
		}
	}
	if life := got.Leaf.NotAfter.Sub(got.Leaf.NotBefore); life > 398*24*time.Hour {
		t.Errorf("the certificate lives for %v: clients refuse that", life)
	}
	if got.Leaf.IsCA || got.Leaf.CheckSignatureFrom(got.Leaf) == nil {
		t.Error("the server's certificate could sign others")
	}
}

func TestTheAuthorityIsMadeOnce(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "made", "when needed")
	w, log := &watch{at: noon}, &journal{}
	first := selfSigned(t, dir, w, log.logger())
	trusted := roots(t, first)
	for name, mode := range map[string]os.FileMode{"ca.crt": 0o644, "ca.key": 0o600} {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil || info.Mode() != mode {
			t.Errorf("%s has mode %v, error %v; want %v", name, info.Mode(), err, mode)
		}
	}
	w.pass(9 * 365 * 24 * time.Hour)
	got, err := selfSigned(t, dir, w, log.logger(), "later.example.com").GetCertificate(nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := got.Leaf.Verify(x509.VerifyOptions{DNSName: "later.example.com", Roots: trusted, CurrentTime: w.now()}); err != nil {
		t.Errorf("who trusted the CA before does not after a restart: %v", err)
	}
	if n := log.count("made a certificate authority"); n != 1 {
		t.Errorf("the CA was made %d times", n)
	}
	other := selfSigned(t, t.TempDir(), w, log.logger())
	if _, err := got.Leaf.Verify(x509.VerifyOptions{Roots: roots(t, other), CurrentTime: w.now()}); err == nil {
		t.Error("another server's CA vouches for this one")
	}
}

func TestSelfSignedIsRenewed(t *testing.T) {
	w, log := &watch{at: noon}, &journal{}
	s := selfSigned(t, t.TempDir(), w, log.logger())
	trusted := roots(t, s)
	renewals := 0
	last, err := s.GetCertificate(nil)
	if err != nil {
		t.Fatal(err)
	}
	for day := range 10*365 - 1 {
		w.pass(24 * time.Hour)
		got, err := s.GetCertificate(nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := got.Leaf.Verify(x509.VerifyOptions{DNSName: "localhost", Roots: trusted, CurrentTime: w.now()}); err != nil {
			t.Fatalf("day %d: %v", day, err)
		}
		if got != last {
			renewals++
			if got.Leaf.SerialNumber.Cmp(last.Leaf.SerialNumber) == 0 {
				t.Error("a serial number came twice")
			}
		}
		last = got
	}
	if renewals < 10 || renewals > 12 {
		t.Errorf("%d renewals in ten years", renewals)
	}
}

func TestHalfAnAuthority(t *testing.T) {
	w := &watch{at: noon}
	quiet := slog.New(slog.DiscardHandler)
	tests := []struct {
		name  string
		spoil func(t *testing.T, dir string)
		want  string // part of the error; "" for none
	}{
		{"the process died between its two files", func(t *testing.T, dir string) { remove(t, dir, "ca.crt") }, ""},
		{"a file that was begun", func(t *testing.T, dir string) {
			remove(t, dir, "ca.crt")
			remove(t, dir, "ca.key")
			write(t, filepath.Join(dir, "ca.key.new"), []byte("half"))
		}, ""},
		{"the key is lost", func(t *testing.T, dir string) { remove(t, dir, "ca.key") }, "put it back"},
		{"the certificate is no PEM", func(t *testing.T, dir string) { write(t, filepath.Join(dir, "ca.crt"), []byte("x")) }, "no PEM"},
		{"the key is no key", func(t *testing.T, dir string) {
			write(t, filepath.Join(dir, "ca.key"), []byte("-----BEGIN PRIVATE KEY-----\naGFsbG8=\n-----END PRIVATE KEY-----\n"))
		}, "ca.key"},
		{"another CA's key", func(t *testing.T, dir string) {
			other := t.TempDir()
			selfSigned(t, other, w, quiet)
			text, err := os.ReadFile(filepath.Join(other, "ca.key"))
			if err != nil {
				t.Fatal(err)
			}
			write(t, filepath.Join(dir, "ca.key"), text)
		}, "do not belong together"},
		{"the CA has ended", func(t *testing.T, dir string) { w.pass(10 * 366 * 24 * time.Hour) }, "ended on"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			selfSigned(t, dir, w, quiet)
			tt.spoil(t, dir)
			_, err := certificate.NewSelfSigned(certificate.SelfSignedConfig{Dir: dir, Clock: w.now, Logger: quiet})
			switch {
			case tt.want == "" && err != nil:
				t.Errorf("error %v, want a CA", err)
			case tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)):
				t.Errorf("error %v, want one with %q", err, tt.want)
			}
		})
	}
}

func remove(t *testing.T, dir, name string) {
	t.Helper()
	if err := os.Remove(filepath.Join(dir, name)); err != nil {
		t.Fatal(err)
	}
}

func TestHostsThatGetNoCertificate(t *testing.T) {
	for _, host := range []string{"", "a b", "https://x", "x:443", "*", "a.*.b", "-x", "x/24", strings.Repeat("a.", 200) + "a", "ä.example.com"} {
		_, err := certificate.NewSelfSigned(certificate.SelfSignedConfig{
			Dir: t.TempDir(), Hosts: []string{host}, Clock: (&watch{at: noon}).now, Logger: slog.New(slog.DiscardHandler)})
		if err == nil {
			t.Errorf("%q: no error", host)
		}
	}
}

func TestHowToTrust(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "it's here")
	s := selfSigned(t, dir, &watch{at: noon}, slog.New(slog.DiscardHandler))
	ca := "'" + strings.ReplaceAll(s.Authority(), "'", `'\''`) + "'"
	text := s.Text("registry.example.com", "localhost:5000", "2001:db8::7")
	for _, want := range []string{
		"until 2036-03-11",
		"sudo install -D -m 0644 " + ca + " /etc/docker/certs.d/registry.example.com/ca.crt\n",
		"sudo install -D -m 0644 " + ca + " /etc/docker/certs.d/localhost:5000/ca.crt\n",
		"sudo install -D -m 0644 " + ca + " /etc/containers/certs.d/localhost:5000/ca.crt\n",
		"\ninstall -D -m 0644 " + ca + " ~/.config/containers/certs.d/localhost:5000/ca.crt\n",
		"export AWS_CA_BUNDLE=" + ca + "\n",
		"curl --cacert " + ca + " https://localhost:5000/v2/\n",
		"https://[2001:db8::7]/v2/",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the text does not say %q:\n%s", want, text)
		}
	}
	if !filepath.IsAbs(s.Authority()) {
		t.Errorf("the CA's path %s works only where the server runs", s.Authority())
	}
	if strings.Contains(text, "BEGIN") {
		t.Error("the text holds a key or a certificate")
	}
}
