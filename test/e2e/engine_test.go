//go:build e2e

package e2e_test

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// engine is a docker engine of the test's own.
type engine struct {
	dir string
}

// host is for DOCKER_HOST.
func (e *engine) host() string   { return "unix://" + e.socket() }
func (e *engine) socket() string { return filepath.Join(e.dir, "docker.sock") }

// startEngine starts dockerd; it is stopped, and its images removed, when the
// test ends. Containers have no network but the host's or none, and 127.0.0.0/8
// is trusted without TLS, as in any engine.
func startEngine(t *testing.T) *engine {
	t.Helper()
	// A socket's path has at most 107 bytes: t.TempDir may be longer.
	dir, err := os.MkdirTemp("", "lg-docker-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Errorf("remove the engine's data: %v", err)
		}
	})
	e := &engine{dir}
	output := &buffer{}
	cmd := exec.Command("dockerd", "--data-root", dir+"/data", "--exec-root", dir+"/exec", "--pidfile", dir+"/pid",
		"--storage-driver=vfs", "--iptables=false", "--ip6tables=false", "--bridge=none", "--host", e.host())
	cmd.Stdout, cmd.Stderr = output, output
	if err := cmd.Start(); err != nil {
		t.Fatalf("start dockerd: %v", err)
	}
	exited := make(chan struct{})
	go func() { _ = cmd.Wait(); close(exited) }()
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		select {
		case <-exited:
		case <-time.After(patience):
			t.Errorf("dockerd did not stop:\n%s", output)
			_ = cmd.Process.Kill()
			<-exited
		}
		// What a killed engine leaves mounted cannot be removed; there is
		// usually nothing.
		for _, m := range []string{"/data", "/exec"} {
			_ = syscall.Unmount(dir+m, syscall.MNT_DETACH)
		}
	})
	err = poll(func() error {
		select {
		case <-exited:
			return errGone
		default:
		}
		out, err := e.command("version").CombinedOutput()
		if err != nil {
			return fmt.Errorf("%w: %s", err, out)
		}
		return nil
	})
	if err != nil {
		t.Fatalf("dockerd: %v\n%s", err, output)
	}
	return e
}

// command is a docker command without credentials.
func (e *engine) command(args ...string) *exec.Cmd {
	cmd := exec.Command("docker", args...)
	cmd.Env = append(os.Environ(), "DOCKER_HOST="+e.host(), "DOCKER_CONFIG="+filepath.Join(e.dir, "config"))
	return cmd
}

// importImage makes an image of one layer that says the text when it runs, and
// whose digest depends on the text.
func (e *engine) importImage(name, text string) error {
	layer, err := rootfs(text)
	if err != nil {
		return err
	}
	cmd := e.command("import", "--change", `CMD ["/bin/busybox", "cat", "/text"]`, "-", name)
	cmd.Stdin = bytes.NewReader(layer)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("docker import: %w: %s", err, out)
	}
	return nil
}

// rootfs is a tar of a static busybox and a text.
func rootfs(text string) ([]byte, error) {
	path, err := exec.LookPath("busybox")
	if err != nil {
		return nil, err
	}
	program, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	err = errors.Join(
		addFile(w, "bin/busybox", 0o755, program),
		addFile(w, "text", 0o644, []byte(text+"\n")),
		w.Close(),
	)
	return b.Bytes(), err
}

func addFile(w *tar.Writer, name string, mode int64, content []byte) error {
	if err := w.WriteHeader(&tar.Header{Name: name, Mode: mode, Size: int64(len(content))}); err != nil {
		return err
	}
	_, err := io.Copy(w, bytes.NewReader(content))
	return err
}
