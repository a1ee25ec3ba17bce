//go:build e2e && clients

package e2e_test

import (
	"os"
	"testing"
)

// TestClients runs the clients that take long to install (make clients).
// TERRAFORM_PLUGINS is a filesystem mirror with the aws provider.
func TestClients(t *testing.T) {
	runScripts(t, "testdata/clients", nil, "TERRAFORM_PLUGINS="+os.Getenv("TERRAFORM_PLUGINS"))
}
