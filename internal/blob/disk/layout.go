package disk

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"

	"github.com/lighterage/lighterage/internal/blob"
	"github.com/lighterage/lighterage/internal/name"
)

const prefix = "file:"

// maxSmall bounds what is read back of the store's own files.
const maxSmall = 4 << 10

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

// format is what the file of that name says once the directories are there.
const format = "lighterage blobs 1\n"

// lay makes the store's directories, durably, and tries to write. That they
// are durable is noted last: a start that was cut short is done again.
func lay(dir string) error {
	if err := makeDirectory(dir); err != nil {
		return err
	}
	noted := filepath.Join(dir, "format")
	text, err := readSmall(noted)
	laid := err == nil
	switch {
	case laid && text != format:
		return errors.New("is of an unknown format, made by a later version or by something else")
	case !laid && !errors.Is(err, fs.ErrNotExist):
		return err
	}
	if err := makeBuckets(dir, laid); err != nil {
		return err
	}
	if !laid {
		if err := writeDurably(noted, format); err != nil {
			return err
		}
	}
	return try(dir)
}

// atOnce is how many buckets are made and synced at a time: the device merges
// what waits together, and the first start is a wait for nothing else.
const atOnce = 16

// makeBuckets makes those of the 256 directories that are absent and syncs
// them, or all if they were never noted as durable.
func makeBuckets(dir string, laid bool) error {
	var failed [256]error
	var all sync.WaitGroup
	turns := make(chan struct{}, atOnce)
	for i := range failed {
		turns <- struct{}{}
		all.Go(func() {
			failed[i] = makeBucket(filepath.Join(dir, fmt.Sprintf("%02x", i)), laid)
			<-turns
		})
	}
	all.Wait()
	for _, err := range failed {
		if err != nil {
			return err
		}
	}
	if laid {
		return nil
	}
	return syncDirectory(dir)
}

func makeBucket(bucket string, laid bool) error {
	info, err := os.Lstat(bucket)
	switch {
	case err == nil && !info.IsDir():
		return fmt.Errorf("its %s is not a directory", filepath.Base(bucket))
	case err == nil && laid:
		return nil
	case errors.Is(err, fs.ErrNotExist):
		err = os.Mkdir(bucket, 0o700)
	}
	if err != nil {
		return err
	}
	if laid { // somebody lost it, as backups lose empty directories
		if err := syncDirectory(filepath.Dir(bucket)); err != nil {
			return err
		}
	}
	return syncDirectory(bucket)
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

// syncDirectory makes the names in a directory survive power loss. Not being
// able to begin is the same failure: the names are in doubt.
func syncDirectory(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("%w: %w", blob.ErrSync, err)
	}
	defer d.Close()
	return syncFile(d)
}

// syncFile makes what was written to a file survive power loss.
func syncFile(f *os.File) error {
	if err := f.Sync(); err != nil {
		return fmt.Errorf("%w: %w", blob.ErrSync, err)
	}
	return nil
}

// writeDurably writes a small file beside its place and renames it there: it
// is whole or absent.
func writeDurably(path, text string) error {
	beside := path + ".new"
	f, err := os.OpenFile(beside, os.O_WRONLY|os.O_CREATE|os.O_TRUNC|syscall.O_NOFOLLOW, modeOpen)
	if err != nil {
		return full(err)
	}
	defer f.Close()
	if _, err := f.WriteString(text); err != nil {
		return full(err)
	}
	if err := syncFile(f); err != nil {
		return err
	}
	if err := os.Rename(beside, path); err != nil {
		return full(err)
	}
	return syncDirectory(filepath.Dir(path))
}

// readSmall returns the text of a file that writeDurably wrote.
func readSmall(path string) (string, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NOFOLLOW, 0)
	if err != nil {
		return "", err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxSmall))
	return string(text), err
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
