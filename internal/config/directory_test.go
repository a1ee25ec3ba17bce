package config_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lighterage/lighterage/internal/config"
)

const givenID, givenSecret = "AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"

func rootEnviron(id, secret string) []string {
	return []string{"LIGHTERAGE_ROOT_ACCESS_KEY_ID=" + id, "LIGHTERAGE_ROOT_SECRET_ACCESS_KEY=" + secret}
}

func TestRootCredentialsLife(t *testing.T) {
	dir := t.TempDir()
	if _, err := config.StoredCredentials(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("before the first start: %v, want fs.ErrNotExist", err)
	}
	first := mustRoot(t, dir, nil)
	if other := mustRoot(t, t.TempDir(), nil); other == first {
		t.Error("two servers drew the same key")
	}
	if again := mustRoot(t, dir, nil); again != first {
		t.Error("the second start has another key than the first")
	}
	if given := mustRoot(t, dir, rootEnviron(givenID, givenSecret)); given.AccessKeyID != givenID || given.SecretAccessKey != givenSecret {
		t.Errorf("the environment's key is not the root key, but %v", given)
	}
	if after := mustRoot(t, dir, nil); after.AccessKeyID != givenID {
		t.Errorf("the replaced key %s came back", after.AccessKeyID)
	}
}

// mustRoot returns the root key after it checked that the file is private and
// says the same.
func mustRoot(t *testing.T, dir string, environ []string) config.Credentials {
	t.Helper()
	c, err := config.RootCredentials(dir, environ)
	if err != nil {
		t.Fatal(err)
	}
	if stored, err := config.StoredCredentials(dir); err != nil || stored != c {
		t.Errorf("stored %v, %v", stored, err)
	}
	info, err := os.Stat(filepath.Join(dir, "root-credentials"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the file's mode is %v, %v", info.Mode(), err)
	}
	return c
}

func TestRootCredentialsThatAreRefused(t *testing.T) {
	for _, tc := range []struct{ name, id, secret, key string }{
		{"only the id", givenID, "", "LIGHTERAGE_ROOT_SECRET_ACCESS_KEY"},
		{"only the secret", "", givenSecret, "LIGHTERAGE_ROOT_ACCESS_KEY_ID"},
		{"a short id", "AKIA", givenSecret, "LIGHTERAGE_ROOT_ACCESS_KEY_ID"},
		{"an id with a slash", "AKIAIOSFODNN7/EXAMPLE", givenSecret, "LIGHTERAGE_ROOT_ACCESS_KEY_ID"},
		{"a short secret", givenID, "1234567", "LIGHTERAGE_ROOT_SECRET_ACCESS_KEY"},
		{"a secret with a line break", givenID, "12345678\n9", "LIGHTERAGE_ROOT_SECRET_ACCESS_KEY"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			dir := t.TempDir()
			_, err := config.RootCredentials(dir, rootEnviron(tc.id, tc.secret))
			if e, ok := errors.AsType[*config.Error](err); !ok || e.Key != tc.key {
				t.Errorf("%v does not name %s", err, tc.key)
			}
			if files, _ := os.ReadDir(dir); len(files) != 0 {
				t.Errorf("left %v behind", files)
			}
		})
	}
}

func TestStoredCredentialsOfAnotherShapeAreNotReplaced(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "root-credentials")
	if err := os.WriteFile(path, []byte("damaged\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := config.RootCredentials(dir, nil); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("error %v does not name the file", err)
	}
	if b, _ := os.ReadFile(path); string(b) != "damaged\n" {
		t.Error("the file was overwritten")
	}
}

func TestLock(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "made", "by", "lock")
	first, err := config.Lock(dir)
	if err != nil {
		t.Fatal(err)
	}
	_, err = config.Lock(dir)
	if err == nil || !strings.Contains(err.Error(), dir+" is in use") || strings.Contains(err.Error(), "\n") {
		t.Errorf("second lock: %v", err)
	}
	first.Close()
	again, err := config.Lock(dir)
	if err != nil {
		t.Fatalf("lock after close: %v", err)
	}
	again.Close()
}

func TestLockOfWhatIsNoDirectory(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := config.Lock(path); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("error %v does not name the directory", err)
	}
}

func TestRunning(t *testing.T) {
	dir := t.TempDir()
	if _, err := config.ReadRunning(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("before a server: %v", err)
	}
	want := config.Running{URL: "http://localhost:5000", Region: "eu-west-1"}
	if err := config.WriteRunning(dir, want); err != nil {
		t.Fatal(err)
	}
	if got, err := config.ReadRunning(dir); err != nil || got != want {
		t.Errorf("read %v, %v, want %v", got, err, want)
	}
}
