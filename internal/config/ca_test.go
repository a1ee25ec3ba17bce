package config_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lighterage/lighterage/internal/config"
)

func TestCAFiles(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for _, tt := range []struct{ name, path, want, fails string }{
		{"a file", write("ca.pem", "PEM"), "PEM", ""},
		{"no file", "", "", ""},
		{"a file that is not there", filepath.Join(dir, "none"), "", "no such file"},
		{"a file that is too large", write("large", strings.Repeat("a", 1<<20+1)), "", "larger than a mebibyte"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := config.Config{OIDCCA: tt.path, ACMECA: tt.path}
			for key, read := range map[string]func() ([]byte, error){"oidc-ca": c.OIDCCAs, "acme-ca": c.ACMECAs} {
				got, err := read()
				if tt.fails != "" {
					if err == nil || !strings.HasPrefix(err.Error(), key) || !strings.Contains(err.Error(), tt.path) || !strings.Contains(err.Error(), tt.fails) {
						t.Errorf("got %v, want %q about %s", err, tt.fails, key)
					}
					continue
				}
				if string(got) != tt.want || err != nil {
					t.Errorf("%s: got %q, %v", key, got, err)
				}
			}
		})
	}
}
