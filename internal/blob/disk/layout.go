package disk

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"

	"github.com/lighterage/lighterage/internal/blob"
	"github.com/lighterage/lighterage/internal/name"
)

const prefix = "file:"

// location is the only form that is ever joined to a path.
var location = regexp.MustCompile(`^file:[0-9a-f]{2}/[0-9a-f]{32}$`)

// draw returns a location of 136 random bits.
func draw() name.Location {
	var b [17]byte
	rand.Read(b[:])
	digits := hex.EncodeToString(b[:])
	return name.Location(prefix + digits[:2] + "/" + digits[2:])
}

// parse returns the path of a location below the store's directory.
func parse(at name.Location) (string, bool) {
	if !location.MatchString(string(at)) {
		return "", false
	}
	return filepath.FromSlash(strings.TrimPrefix(string(at), prefix)), true
}

// lay makes the store's directories, durably, and tries to write. Directories
// that exist are synced too: a start before this one may have been cut short.
func lay(dir string) error {
	if err := makeDirectory(dir); err != nil {
		return err
	}
	for i := range 256 {
		bucket := filepath.Join(dir, fmt.Sprintf("%02x", i))
		if err := os.Mkdir(bucket, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
		info, err := os.Lstat(bucket)
		if err != nil {
			return err
		}
		if !info.IsDir() {
			return fmt.Errorf("its %02x is not a directory", i)
		}
		if err := syncDirectory(bucket); err != nil {
			return err
		}
	}
	if err := syncDirectory(dir); err != nil {
		return err
	}
	return try(dir)
}

// makeDirectory makes a directory and those above it, and syncs the parent of
// each that it made.
func makeDirectory(dir string) error {
	err := os.Mkdir(dir, 0o700)
	if errors.Is(err, fs.ErrNotExist) && dir != filepath.Dir(dir) {
		if err := makeDirectory(filepath.Dir(dir)); err != nil {
			return err
		}
		err = os.Mkdir(dir, 0o700)
	}
	if err == nil {
		return syncDirectory(filepath.Dir(dir))
	}
	info, statErr := os.Stat(dir)
	switch {
	case statErr != nil:
		return err
	case !info.IsDir():
		return errors.New("is not a directory")
	}
	return nil
}

// try writes and removes a little file, to learn of a read-only or full file
// system at the start and not in the middle of a push.
func try(dir string) error {
	path := filepath.Join(dir, "probe")
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC|syscall.O_NOFOLLOW, modeOpen)
	if err != nil {
		return err
	}
	_, err = f.Write(make([]byte, 4096))
	return errors.Join(err, f.Close(), os.Remove(path))
}

// syncDirectory makes the names in a directory survive power loss.
func syncDirectory(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

// full adds blob.ErrFull to errors that mean it: no space, no quota, or a file
// at the limit of the file system or the process.
func full(err error) error {
	for _, errno := range []syscall.Errno{syscall.ENOSPC, syscall.EDQUOT, syscall.EFBIG} {
		if errors.Is(err, errno) {
			return fmt.Errorf("%w: %w", blob.ErrFull, err)
		}
	}
	return err
}

// absent adds blob.ErrNotFound to errors that mean it.
func absent(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w: %w", blob.ErrNotFound, err)
	}
	return err
}

// bare takes the call and path off an error whose reader is a person.
func bare(err error) error {
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		return e.Err
	}
	return err
}
