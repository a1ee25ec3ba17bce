package config_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
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

func TestUndoneLocks(t *testing.T) {
	for _, tt := range []struct {
		name   string
		before []string // directories and, with a point, files below the parent
		during string   // a file that is made while the lock is held
		after  string   // what is below the parent then
	}{
		{"all was made by the lock", nil, "", ""},
		{"the parent was there", []string{"made"}, "", "made"},
		{"the directory was there", []string{"made", "made/by"}, "", "made made/by made/by/lock"},
		{"something was made in it", nil, "made/by/a.db", "made made/by made/by/a.db made/by/lock"},
		{"something was made beside it", nil, "made/b.db", "made made/b.db"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			parent := t.TempDir()
			for _, d := range tt.before {
				if err := os.Mkdir(filepath.Join(parent, d), 0o700); err != nil {
					t.Fatal(err)
				}
			}
			dir := filepath.Join(parent, "made", "by")
			l, err := config.Lock(dir)
			if err != nil {
				t.Fatal(err)
			}
			if tt.during != "" {
				if err := os.WriteFile(filepath.Join(parent, tt.during), nil, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			if err := l.Undo(); err != nil {
				t.Fatal(err)
			}
			var found []string
			err = filepath.WalkDir(parent, func(path string, _ fs.DirEntry, err error) error {
				if rel, _ := filepath.Rel(parent, path); rel != "." {
					found = append(found, rel)
				}
				return err
			})
			if got := strings.Join(found, " "); err != nil || got != tt.after {
				t.Errorf("left %q, %v; want %q", got, err, tt.after)
			}
			again, err := config.Lock(dir)
			if err != nil {
				t.Fatalf("lock after undo: %v", err)
			}
			again.Close()
		})
	}
}

// TestLocksThatAreUndoneKeepOthersOut: however starts that come to nothing meet,
// one of them at most has the directory.
func TestLocksThatAreUndoneKeepOthersOut(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	var holders, held atomic.Int32
	var starts sync.WaitGroup
	for range 64 {
		starts.Go(func() {
			for range 200 {
				l, err := config.Lock(dir)
				if err != nil {
					continue // in use, or gone before the file was made
				}
				held.Add(1)
				if n := holders.Add(1); n != 1 {
					t.Errorf("%d have the directory", n)
				}
				runtime.Gosched()
				holders.Add(-1)
				if err := l.Undo(); err != nil {
					t.Error(err)
				}
			}
		})
	}
	starts.Wait()
	if held.Load() == 0 {
		t.Error("nobody ever had it")
	}
}

func TestCheckDirectory(t *testing.T) {
	parent := t.TempDir()
	file := filepath.Join(parent, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ name, dir, want string }{
		{"it is there", parent, ""},
		{"it can be made", filepath.Join(parent, "a", "b"), ""},
		{"it is a file", file, "cannot use directory " + file + ": not a directory"},
		{"a file is in its way", filepath.Join(file, "a"), "cannot use directory " + file},
	} {
		t.Run(tt.name, func(t *testing.T) {
			err := config.CheckDirectory(tt.dir)
			if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.HasPrefix(err.Error(), tt.want)) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
	if entries, err := os.ReadDir(parent); err != nil || len(entries) != 1 {
		t.Errorf("something was made: %v, %v", entries, err)
	}
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
