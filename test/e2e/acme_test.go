//go:build e2e

package e2e_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/lighterage/lighterage/internal/certificate/acmetest"
)

// acmeHost is a name that leads here only where a test says so.
const acmeHost = "registry.example.com"

// acme is a server with certificates of a CA that speaks ACME.
type acme struct {
	*server
	ca    *acmetest.CA
	flags []string
	root  string // file of the CA's certificate
	name  string // host:port, the host being acmeHost
}

// startACME starts a server and waits until it is ready, over HTTPS: the first
// handshake gets the certificate.
func startACME(t *testing.T, ca *acmetest.CA) *acme {
	t.Helper()
	addr := freeAddr(t)
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		t.Fatal(err)
	}
	a := &acme{ca: ca, root: filepath.Join(t.TempDir(), "root.pem"), name: net.JoinHostPort(acmeHost, port)}
	if err := os.WriteFile(a.root, ca.RootPEM(), 0o600); err != nil {
		t.Fatal(err)
	}
	ca.Reach("127.0.0.1:" + port)
	a.flags = []string{
		"--tls", "acme", "--acme-host", acmeHost, "--acme-email", "ops@example.com", "--acme-directory", ca.URL, "--acme-ca", a.root,
	}
	a.server = launch{addr: addr, flags: a.flags}.begin(t)
	a.wait(t)
	return a
}

func (a *acme) wait(t *testing.T) {
	t.Helper()
	if err := poll(func() error {
		select {
		case <-a.exited:
			return errGone
		default:
		}
		_, err := a.certificate(acmeHost)
		return err
	}); err != nil {
		t.Fatalf("no certificate is served: %v\n%s", err, a.output)
	}
}

// certificate shakes hands as a client that trusts the CA alone.
func (a *acme) certificate(name string) (*x509.Certificate, error) {
	d := tls.Dialer{NetDialer: &net.Dialer{Timeout: patience}, Config: &tls.Config{ServerName: name, RootCAs: a.ca.Roots()}}
	conn, err := d.Dial("tcp", a.addr)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	return conn.(*tls.Conn).ConnectionState().PeerCertificates[0], nil
}

// run runs a shell script where acmeHost leads to this machine and the CA is
// trusted.
func (a *acme) run(t *testing.T, script string) (string, error) {
	t.Helper()
	work := t.TempDir()
	hosts := filepath.Join(work, "hosts")
	if err := os.WriteFile(hosts, []byte("127.0.0.1 localhost "+acmeHost+"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, "unshare", "--mount", "bash", "-euo", "pipefail", "-c",
		`mount --bind "$HOSTS" /etc/hosts; eval "$("$LIGHTERAGE" env --data-dir "$DATA_DIR")"; `+script)
	cmd.Dir = work
	cmd.Env = append(os.Environ(), "HOSTS="+hosts, "LIGHTERAGE="+binary(t), "DATA_DIR="+a.dir, "REGISTRY="+a.name, "NO_PROXY=*", "no_proxy=*",
		"SSL_CERT_FILE="+a.root, "AWS_CA_BUNDLE="+a.root, "AWS_EC2_METADATA_DISABLED=true", "AWS_PAGER=", "AWS_MAX_ATTEMPTS=1",
		"HOME="+work, "DOCKER_CONFIG="+work+"/.docker", "REGISTRY_AUTH_FILE="+work+"/.auth.json")
	out, err := cmd.CombinedOutput()
	return strings.TrimSpace(string(out)), err
}

// TestACME: a certificate is got at the first handshake, clients that trust
// the CA push and pull with it, and a restart asks for no other.
func TestACME(t *testing.T) {
	ca := acmetest.Start(t)
	a := startACME(t, ca)
	if got := ca.Contact(); ca.Signed() != 1 || !strings.Contains(got, "mailto:ops@example.com") {
		t.Errorf("%d certificates for %s", ca.Signed(), got)
	}
	images := layout(t.TempDir())
	if _, err := images.write(); err != nil {
		t.Fatal(err)
	}
	push := `
test "$AWS_ENDPOINT_URL_ECR" = "https://$REGISTRY"
aws ecr create-repository --repository-name app >/dev/null
aws ecr get-login-password | skopeo login -u AWS --password-stdin "$REGISTRY"
skopeo --insecure-policy copy --all oci:` + string(images) + `:multi "docker://$REGISTRY/app:multi"
"$LIGHTERAGE" user create ci`
	if out, err := a.run(t, push); err != nil {
		t.Fatalf("push: %v\n%s", err, out)
	}
	if out, err := a.run(t, "unset AWS_CA_BUNDLE; aws sts get-caller-identity"); err == nil || !strings.Contains(out, "CERTIFICATE_VERIFY_FAILED") {
		t.Errorf("aws without the CA: %v\n%s", err, out)
	}

	asked := ca.Requests()
	for _, name := range []string{"other.example.com", "www." + acmeHost, "localhost"} {
		if _, err := a.certificate(name); err == nil {
			t.Errorf("%s got a certificate", name)
		}
	}
	if got := ca.Requests(); got != asked {
		t.Errorf("the CA was asked %d times for names that are not the server's", got-asked)
	}
	checkPrivate(t, filepath.Join(a.dir, "acme"))

	a.terminate(t)
	if code := a.exit(t); code != 0 {
		t.Fatalf("exit code %d", code)
	}
	a.server = launch{dir: a.dir, addr: a.addr, flags: a.flags}.begin(t)
	a.wait(t)
	pull := `
aws ecr get-login-password | crane auth login -u AWS --password-stdin "$REGISTRY"
crane validate --remote "$REGISTRY/app:multi"
"$LIGHTERAGE" user list`
	if out, err := a.run(t, pull); err != nil || !strings.Contains(out, "ci") {
		t.Errorf("pull: %v\n%s", err, out)
	}
	if got := ca.Requests(); got != asked {
		t.Errorf("after the restart the CA was asked %d times", got-asked)
	}
}

// checkPrivate wants files, and all of them the owner's alone.
func checkPrivate(t *testing.T, dir string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) == 0 {
		t.Fatalf("%d files are kept, %v", len(entries), err)
	}
	for _, e := range entries {
		if info, err := e.Info(); err != nil || info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s: %v, %v", e.Name(), info.Mode(), err)
		}
	}
}

// TestACMERenewsBeforeTheEnd: a certificate of twelve seconds, of which six are
// over when it is made, gives way to another while it is still good.
func TestACMERenewsBeforeTheEnd(t *testing.T) {
	ca := acmetest.Start(t)
	ca.Live(12*time.Second, 6*time.Second)
	a := startACME(t, ca)
	first, err := a.certificate(acmeHost)
	if err != nil {
		t.Fatal(err)
	}
	ca.Live(24*time.Hour, time.Minute) // the next one stays
	var second *x509.Certificate
	if err := poll(func() error {
		if second, err = a.certificate(acmeHost); err != nil {
			t.Errorf("before the renewal a handshake failed: %v", err)
			return errGone
		}
		if second.Equal(first) {
			return errors.New("the first certificate is served")
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if now := time.Now(); now.After(first.NotAfter) {
		t.Errorf("renewed %s after the end of the first", now.Sub(first.NotAfter))
	}
	if second.NotAfter.Before(first.NotAfter.Add(time.Hour)) {
		t.Errorf("the second ends on %s", second.NotAfter)
	}
}

// TestAnACMECAThatIsNotTrusted: without --acme-ca the log says why there is no
// certificate, and nothing is sent that the CA would sign.
func TestAnACMECAThatIsNotTrusted(t *testing.T) {
	ca := acmetest.Start(t)
	addr := freeAddr(t)
	s := launch{addr: addr, flags: []string{"--tls", "acme", "--acme-host", acmeHost, "--acme-directory", ca.URL}}.begin(t)
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{ServerName: acmeHost, RootCAs: ca.Roots()}}}
	if err := poll(func() error {
		_, err := client.Get("https://" + s.addr + "/readyz")
		if err == nil {
			return errGone
		}
		if !strings.Contains(s.output.String(), "cannot get a TLS certificate over ACME") {
			return errors.New("nothing is said")
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if said := s.output.String(); !strings.Contains(said, "certificate signed by unknown authority") || ca.Signed() != 0 {
		t.Errorf("said %s; %d certificates", said, ca.Signed())
	}
}
