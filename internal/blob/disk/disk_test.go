package disk_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/lighterage/lighterage/internal/blob"
	"github.com/lighterage/lighterage/internal/blob/blobtest"
	"github.com/lighterage/lighterage/internal/blob/disk"
	"github.com/lighterage/lighterage/internal/name"
	"github.com/lighterage/lighterage/internal/testkit/apart"
)

func TestContract(t *testing.T) {
	blobtest.Run(t, func(t *testing.T) blobtest.Opener {
		dir := filepath.Join(t.TempDir(), "blobs")
		fatal := func(err error) { t.Errorf("fatal: %v", err) }
		return func() (blob.Store, error) { return disk.Open(dir, disk.Options{Fatal: fatal}) }
	})
}

func open(t testing.TB, dir string, o disk.Options) *disk.Store {
	t.Helper()
	s, err := disk.Open(dir, o)
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// path returns where the file of a location must be.
func path(dir string, at name.Location) string {
	return filepath.Join(dir, strings.TrimPrefix(string(at), "file:"))
}

func create(t testing.TB, s blob.Store, body string) (name.Location, blob.Upload) {
	t.Helper()
	at := s.NewLocation()
	u, err := s.Create(t.Context(), at)
	if err != nil {
		t.Fatalf("create: %v", err)
	}
	if _, err := io.WriteString(u, body); err != nil {
		t.Fatalf("write: %v", err)
	}
	return at, u
}

func mode(t *testing.T, path string) fs.FileMode {
	t.Helper()
	info, err := os.Lstat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info.Mode()
}

func TestTheDirectoryIsLaidOutAtTheFirstStart(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "made", "with", "parents")
	s := open(t, dir, disk.Options{})
	for i := range 256 {
		if m := mode(t, filepath.Join(dir, fmt.Sprintf("%02x", i))); m != fs.ModeDir|0o700 {
			t.Fatalf("directory %02x has the mode %v", i, m)
		}
	}
	at, u := create(t, s, "body")
	if m := mode(t, path(dir, at)); m != 0o600 {
		t.Errorf("an upload's file has the mode %v", m)
	}
	if err := u.Seal(t.Context()); err != nil {
		t.Fatal(err)
	}
	if m := mode(t, path(dir, at)); m != 0o400 {
		t.Errorf("a sealed file has the mode %v", m)
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 257 { // and the format
		t.Errorf("%d entries (%v), want 257", len(entries), err)
	}
}

func TestAStartThatWasCutShortIsCompleted(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "00"), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, leftover := range []string{"probe", "identity.new", "format.new"} {
		if err := os.WriteFile(filepath.Join(dir, leftover), []byte("half"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s := open(t, dir, disk.Options{})
	if recorded, err := s.Claim(t.Context(), "me"); recorded != "me" || err != nil {
		t.Errorf("claim: %q, %v", recorded, err)
	}
	if text, err := os.ReadFile(filepath.Join(dir, "identity")); string(text) != "me\n" {
		t.Errorf("the identity file holds %q (%v)", text, err)
	}
}

func TestAnEmptyDirectoryThatABackupLostIsMadeAnew(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	open(t, dir, disk.Options{}).Close()
	if err := os.Remove(filepath.Join(dir, "c0")); err != nil {
		t.Fatal(err)
	}
	open(t, dir, disk.Options{})
	if m := mode(t, filepath.Join(dir, "c0")); !m.IsDir() {
		t.Errorf("c0 is %v", m)
	}
}

func TestADirectoryThatCannotServeIsOneLine(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		make func(t *testing.T, dir string) string
		want string
	}{
		{"a file in its place", func(t *testing.T, dir string) string {
			write(t, filepath.Join(dir, "blobs"), "")
			return filepath.Join(dir, "blobs")
		}, "blob directory DIR: is not a directory"},
		{"a file above it", func(t *testing.T, dir string) string {
			write(t, filepath.Join(dir, "file"), "")
			return filepath.Join(dir, "file", "blobs")
		}, "blob directory DIR: not a directory"},
		{"a file in the place of a bucket", func(t *testing.T, dir string) string {
			write(t, filepath.Join(dir, "7f"), "")
			return dir
		}, "blob directory DIR: its 7f is not a directory"},
		{"the format of a later version", func(t *testing.T, dir string) string {
			write(t, filepath.Join(dir, "format"), "lighterage blobs 2\n")
			return dir
		}, "blob directory DIR: is of an unknown format, made by a later version or by something else"},
		{"a bucket that leads elsewhere", func(t *testing.T, dir string) string {
			if err := os.Symlink(t.TempDir(), filepath.Join(dir, "ab")); err != nil {
				t.Fatal(err)
			}
			return dir
		}, "blob directory DIR: its ab is not a directory"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := c.make(t, t.TempDir())
			_, err := disk.Open(dir, disk.Options{})
			if err == nil {
				t.Fatal("the store opened")
			}
			if got := strings.ReplaceAll(err.Error(), dir, "DIR"); got != c.want {
				t.Errorf("open: %s\nwant: %s", got, c.want)
			}
		})
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestASymbolicLinkIsNotFollowed(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := open(t, dir, disk.Options{})
	outside := filepath.Join(t.TempDir(), "outside")
	write(t, outside, "secret")
	at := s.NewLocation()
	if err := os.Symlink(outside, path(dir, at)); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Open(t.Context(), at); err == nil {
		t.Error("a link was opened")
	}
	if _, err := s.Resume(t.Context(), at, 0, nil); err == nil {
		t.Error("a link was resumed")
	}
	if _, err := s.Create(t.Context(), at); !errors.Is(err, fs.ErrExist) {
		t.Errorf("create: %v, want ErrExist", err)
	}
	if err := s.Remove(t.Context(), at); err != nil {
		t.Errorf("remove: %v", err)
	}
	if text, err := os.ReadFile(outside); string(text) != "secret" {
		t.Errorf("the file outside holds %q (%v)", text, err)
	}
}

func TestADirectoryInAFilesPlaceIsNoBlob(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := open(t, dir, disk.Options{})
	at := s.NewLocation()
	if err := os.Mkdir(path(dir, at), 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Open(t.Context(), at); err == nil {
		t.Error("a directory was opened")
	}
	if _, err := s.Resume(t.Context(), at, 0, nil); err == nil {
		t.Error("a directory was resumed")
	}
}

func TestALocationThatIsRefusedLeavesNoTrace(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "blobs")
	s := open(t, dir, disk.Options{})
	for _, at := range []name.Location{
		"file:../escaped", "file:00/../../escaped", "file:zz/00000000000000000000000000000000", "file:00/x", "inline:", "s3:x", "",
	} {
		if _, err := s.Create(t.Context(), at); !errors.Is(err, blob.ErrNotFound) {
			t.Errorf("create %q: %v, want ErrNotFound", at, err)
		}
	}
	var files []string
	err := filepath.WalkDir(filepath.Dir(dir), func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && d.Name() != "format" {
			files = append(files, path)
		}
		return err
	})
	if err != nil || files != nil {
		t.Errorf("files were made: %v (%v)", files, err)
	}
}

// TestNoRoom fails a write in the middle, as a full disk does.
func TestNoRoom(t *testing.T) {
	if !apart.Run(t) {
		return
	}
	s := open(t, t.TempDir(), disk.Options{})
	at, u := create(t, s, "")
	restore := apart.LimitFiles(t, 1000)
	n, err := u.Write(bytes.Repeat([]byte("a"), 5000))
	offset := u.Offset()
	restore()
	if !errors.Is(err, blob.ErrFull) || n != 1000 || offset != 1000 {
		t.Fatalf("write: %d, %v, want 1000 and ErrFull; the offset is %d", n, err, offset)
	}
	if u, err = s.Resume(t.Context(), at, offset, nil); err != nil {
		t.Fatalf("resume where the room ended: %v", err)
	}
	if _, err := u.Write(bytes.Repeat([]byte("a"), 5000-n)); err != nil {
		t.Fatalf("write when there is room again: %v", err)
	}
	if err := u.Seal(t.Context()); err != nil || u.Offset() != 5000 {
		t.Errorf("seal at %d: %v", u.Offset(), err)
	}
}

func TestAfterASyncThatFailedNothingIsAcknowledged(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var fatal []error
	s := open(t, dir, disk.Options{Fatal: func(err error) { fatal = append(fatal, err) }})
	kept, sealed := create(t, s, "kept")
	if err := sealed.Seal(t.Context()); err != nil {
		t.Fatal(err)
	}
	at, u := create(t, s, "lost")
	other, otherUpload := create(t, s, "other")
	bucket := filepath.Dir(path(dir, at))
	if err := os.Rename(bucket, bucket+".away"); err != nil { // its names cannot be synced now
		t.Fatal(err)
	}
	if err := u.Seal(t.Context()); !errors.Is(err, blob.ErrSync) {
		t.Errorf("seal: %v, want ErrSync", err)
	}
	if len(fatal) != 1 || !errors.Is(fatal[0], blob.ErrSync) {
		t.Errorf("fatal was told %v, want one ErrSync", fatal)
	}
	if err := os.Rename(bucket+".away", bucket); err != nil {
		t.Fatal(err)
	}
	if err := u.Seal(t.Context()); !errors.Is(err, blob.ErrClosed) {
		t.Errorf("second seal: %v, want ErrClosed", err)
	}
	if _, err := s.Resume(t.Context(), at, 4, nil); !errors.Is(err, blob.ErrSync) {
		t.Errorf("resume: %v, want ErrSync", err)
	}
	if _, err := s.Create(t.Context(), s.NewLocation()); !errors.Is(err, blob.ErrSync) {
		t.Errorf("create: %v, want ErrSync", err)
	}
	if err := s.Remove(t.Context(), kept); !errors.Is(err, blob.ErrSync) {
		t.Errorf("remove: %v, want ErrSync", err)
	}
	if err := otherUpload.Seal(t.Context()); !errors.Is(err, blob.ErrSync) {
		t.Errorf("seal of %s: %v, want ErrSync", other, err)
	}
	if r, err := s.Open(t.Context(), kept); err != nil {
		t.Errorf("open: %v", err)
	} else {
		r.Close()
	}
}

func TestAnIdentityThatCannotBeReadIsNotReplaced(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := open(t, dir, disk.Options{})
	for _, text := range []string{"", "no end", "two\nlines\n", "\n", strings.Repeat("x", 2000) + "\n"} {
		t.Run(fmt.Sprintf("%.10q", text), func(t *testing.T) {
			write(t, filepath.Join(dir, "identity"), text)
			if recorded, err := s.Claim(t.Context(), "me"); err == nil {
				t.Errorf("claimed as %q", recorded)
			}
			if now, err := os.ReadFile(filepath.Join(dir, "identity")); string(now) != text {
				t.Errorf("the file was changed to %q (%v)", now, err)
			}
		})
	}
}

func TestAnIdentityIsOneLine(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir(), disk.Options{})
	for _, identity := range []string{"", "a\nb", "a\r", strings.Repeat("x", 1025)} {
		if _, err := s.Claim(t.Context(), identity); err == nil {
			t.Errorf("%.10q was taken", identity)
		}
	}
	if recorded, err := s.Claim(t.Context(), strings.Repeat("x", 1024)); len(recorded) != 1024 || err != nil {
		t.Errorf("claim: %d bytes, %v", len(recorded), err)
	}
}

func TestATakeOverIsLogged(t *testing.T) {
	t.Parallel()
	var lines bytes.Buffer
	s := open(t, t.TempDir(), disk.Options{Logger: slog.New(slog.NewTextHandler(&lines, &slog.HandlerOptions{Level: slog.LevelDebug}))})
	at, _ := create(t, s, "x")
	if _, err := s.Resume(t.Context(), at, 1, nil); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(lines.String(), string(at)) {
		t.Errorf("the log says %q", lines.String())
	}
}

// net/http hands a body to the kernel if it is a file in its eyes.
func TestAReaderCanBeSentByTheKernel(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir(), disk.Options{})
	at, u := create(t, s, "body")
	if err := u.Seal(t.Context()); err != nil {
		t.Fatal(err)
	}
	r, err := s.Open(t.Context(), at)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if _, ok := r.(syscall.Conn); !ok {
		t.Errorf("%T has no descriptor", r)
	}
	if _, err := r.(io.Writer).Write([]byte("x")); err == nil {
		t.Error("a reader can write")
	}
}

func TestTheBootHasOneName(t *testing.T) {
	t.Parallel()
	if a, b := disk.BootID(), disk.BootID(); a == "" || a != b {
		t.Errorf("the boot is called %q and %q", a, b)
	}
}
