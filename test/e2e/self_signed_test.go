//go:build e2e

package e2e_test

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestSelfSigned: clients that were told of the server's own CA trust it, and
// those that were not do not.
func TestSelfSigned(t *testing.T) {
	e := startEngine(t)
	address := machineAddress(t)
	_, port, err := net.SplitHostPort(freeAddr(t))
	if err != nil {
		t.Fatal(err)
	}
	// An engine trusts all of 127.0.0.0/8 anyhow, so it is asked for another
	// address of the machine.
	registry := net.JoinHostPort(address, port)
	s := launch{addr: "localhost:" + port, flags: []string{"--listen", "0.0.0.0:" + port, "--tls", "self-signed"}}.begin(t)
	ca := filepath.Join(s.dir, "tls", "ca.crt")
	curl := func(args ...string) error {
		out, err := exec.Command("curl", append([]string{"-sS", "--noproxy", "*", "-o", "/dev/null", "-w", "%{http_version}"}, args...)...).CombinedOutput()
		if err == nil && string(out) != "2" {
			err = fmt.Errorf("HTTP version %s", out)
		}
		if err != nil {
			err = fmt.Errorf("curl: %w: %s", err, out)
		}
		return err
	}
	if err := poll(func() error {
		select {
		case <-s.exited:
			return errGone
		default:
		}
		return curl("--cacert", ca, "https://localhost:"+port+"/readyz")
	}); err != nil {
		t.Fatal(err)
	}
	if err := curl("--cacert", ca, "https://"+registry+"/v2/"); err != nil {
		t.Error(err)
	}
	if err := curl("https://" + registry + "/v2/"); err == nil {
		t.Error("curl trusts a CA that it was not told of")
	}

	aws := func(script string) (string, error) {
		cmd := exec.Command("sh", "-c", `eval "$("$0" env --data-dir "$1")" && `+script, binary(t), s.dir)
		cmd.Env = append(os.Environ(), "AWS_EC2_METADATA_DISABLED=true", "AWS_PAGER=", "AWS_MAX_ATTEMPTS=1", "NO_PROXY=*")
		out, err := cmd.CombinedOutput()
		return strings.TrimSpace(string(out)), err
	}
	if out, err := aws("aws sts get-caller-identity --query Account --output text"); err != nil || out != account {
		t.Errorf("aws: %v: %s", err, out)
	}
	if out, err := aws("unset AWS_CA_BUNDLE && aws sts get-caller-identity"); err == nil || !strings.Contains(out, "CERTIFICATE_VERIFY_FAILED") {
		t.Errorf("aws without the CA: %v: %s", err, out)
	}
	password, err := aws("aws ecr get-login-password")
	if err != nil {
		t.Fatalf("aws: %v: %s", err, password)
	}

	docker := func(args ...string) (string, error) {
		cmd := e.command(args...)
		cmd.Stdin = strings.NewReader(password)
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	login := []string{"login", "-u", "AWS", "--password-stdin", registry}
	if out, err := docker(login...); err == nil || !strings.Contains(out, "x509") {
		t.Errorf("docker login without the CA: %v: %s", err, out)
	}
	trust(t, registry, ca)
	if out, err := docker(login...); err != nil {
		t.Fatalf("docker login: %v: %s", err, out)
	}
	image := registry + "/hello:1"
	if err := e.importImage(image, "hello"); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"push", image}, {"rmi", image}, {"pull", image}} {
		if out, err := docker(args...); err != nil {
			t.Errorf("docker %s: %v: %s", args[0], err, out)
		}
	}
}

// trust does what the server says for docker, until the test ends.
func trust(t *testing.T, registry, ca string) {
	t.Helper()
	dir := filepath.Join("/etc/docker/certs.d", registry)
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Errorf("remove the trust: %v", err)
		}
	})
	if out, err := exec.Command("install", "-D", "-m", "0644", ca, filepath.Join(dir, "ca.crt")).CombinedOutput(); err != nil {
		t.Fatalf("install: %v: %s", err, out)
	}
}

// machineAddress is an IPv4 address of this machine beside 127.0.0.1.
func machineAddress(t *testing.T) string {
	t.Helper()
	addresses, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range addresses {
		if n, ok := a.(*net.IPNet); ok && n.IP.To4() != nil && n.IP.IsGlobalUnicast() {
			return n.IP.String()
		}
	}
	t.Fatal("the machine has no address but loopback's; docker would trust that without a CA")
	return ""
}
