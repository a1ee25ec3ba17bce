//go:build e2e && clients

package e2e_test

import (
	"os"
	"path/filepath"
	"testing"
)

// TestClients runs the clients that take long to install (make clients).
// TERRAFORM_PLUGINS is a filesystem mirror with the aws provider, NODE_PATH the
// node_modules with the JavaScript SDK and cdk-assets.
func TestClients(t *testing.T) {
	// podman wants a short path, and the user's own are not for tests.
	short, err := os.MkdirTemp("", "lg-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(short); err != nil {
			t.Error(err)
		}
	})
	var env []string
	for _, name := range []string{"TERRAFORM_PLUGINS", "NODE_PATH"} {
		if os.Getenv(name) == "" {
			t.Fatalf("%s is not set", name)
		}
		env = append(env, name+"="+os.Getenv(name))
	}
	e := startEngine(t)
	t.Run("scripts", func(t *testing.T) {
		runScripts(t, "testdata/clients", e, append(env, "SHORT="+short, "DOCKER_HOST="+e.host(),
			"CONTAINERD="+filepath.Join(e.dir, "exec", "containerd", "containerd.sock"))...)
	})
}
