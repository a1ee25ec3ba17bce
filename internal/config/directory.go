package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// DirectoryLock keeps a directory to one process.
type DirectoryLock struct {
	file *os.File
	made []string // directories that were not there before, the innermost first
}

const lockFile = "lock"

// Lock makes the directory if need be and keeps other processes from locking
// it until the lock is closed or the process ends. An error is one line that
// names the directory.
func Lock(dir string) (*DirectoryLock, error) {
	made := missing(dir)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, directoryError(dir, err)
	}
	path := filepath.Join(dir, lockFile)
	f, err := lock(path)
	if errors.Is(err, errLocked) {
		by := ""
		if pid, err := os.ReadFile(path); err == nil && len(pid) > 0 {
			by = " (process " + strings.TrimSpace(string(pid)) + ")"
		}
		return nil, fmt.Errorf("directory %s is in use by another lighterage%s", dir, by)
	}
	if err != nil {
		return nil, directoryError(dir, err)
	}
	if err := note(f); err != nil {
		f.Close()
		return nil, directoryError(dir, err)
	}
	return &DirectoryLock{f, made}, nil
}

// missing returns the directories that must be made for dir to be there, the
// innermost first.
func missing(dir string) []string {
	var made []string
	for {
		if _, err := os.Lstat(dir); !errors.Is(err, fs.ErrNotExist) {
			return made
		}
		made = append(made, dir)
		parent := filepath.Dir(dir)
		if parent == dir {
			return made
		}
		dir = parent
	}
}

// Exists reports whether the directory is there.
func Exists(dir string) bool { return len(missing(dir)) == 0 }

// Close lets other processes have the directory.
func (l *DirectoryLock) Close() error { return l.file.Close() }

// Undo is Close after a start that came to nothing: a directory that Lock made
// and in which nothing else was made goes again, before anybody else may have
// it.
func (l *DirectoryLock) Undo() error {
	if len(l.made) > 0 {
		if entries, err := os.ReadDir(l.made[0]); err == nil && len(entries) == 1 && entries[0].Name() == lockFile {
			_ = os.Remove(l.file.Name())
			for _, dir := range l.made {
				_ = os.Remove(dir) // fails where somebody has put something
			}
		}
	}
	return l.Close()
}

// CheckDirectory returns an error as Lock does if the directory is not there
// and cannot be made, as far as can be told without making it.
func CheckDirectory(dir string) error {
	made := missing(dir)
	if len(made) > 0 {
		dir = filepath.Dir(made[len(made)-1])
	}
	info, err := os.Stat(dir)
	if err == nil && !info.IsDir() {
		err = syscall.ENOTDIR
	}
	if err != nil {
		return directoryError(dir, err)
	}
	return nil
}

var errLocked = errors.New("locked")

// note writes who holds the lock, for the message that others get.
func note(f *os.File) error {
	if err := f.Truncate(0); err != nil {
		return err
	}
	_, err := fmt.Fprintln(f, os.Getpid())
	return err
}

func directoryError(dir string, err error) error {
	if cause, ok := errors.AsType[*fs.PathError](err); ok {
		err = cause.Err
	}
	return fmt.Errorf("cannot use directory %s: %w", dir, err)
}

// Private makes the file if it is absent, with mode 0600: a database that has
// signing secrets in it must not take the process's default.
func Private(path string) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE, 0o600)
	if err != nil {
		return directoryError(filepath.Dir(path), err)
	}
	return f.Close()
}

// Running is what other commands need to know of the server that uses a data
// directory.
type Running struct {
	URL    string // scheme and host[:port], reachable from the same machine
	Region string
	CA     string // path of the CA that the URL's certificate is of; empty: a public one, or not known
}

// The files of Running, one line each.
const (
	addressFile = "address"
	regionFile  = "region"
	caFile      = "ca"
)

// WriteRunning records the server.
func WriteRunning(dir string, r Running) error {
	if err := writeFile(dir, regionFile, r.Region+"\n"); err != nil {
		return err
	}
	if err := writeFile(dir, caFile, r.CA+"\n"); err != nil {
		return err
	}
	return writeFile(dir, addressFile, r.URL+"\n")
}

// ReadRunning returns what the last server recorded. fs.ErrNotExist when none
// did.
func ReadRunning(dir string) (Running, error) {
	address, err := os.ReadFile(filepath.Join(dir, addressFile))
	if err != nil {
		return Running{}, err
	}
	region, err := os.ReadFile(filepath.Join(dir, regionFile))
	if err != nil {
		return Running{}, err
	}
	ca, err := os.ReadFile(filepath.Join(dir, caFile))
	if errors.Is(err, fs.ErrNotExist) { // an earlier version's
		err = nil
	}
	return Running{URL: strings.TrimSpace(string(address)), Region: strings.TrimSpace(string(region)), CA: strings.TrimSpace(string(ca))}, err
}

// writeFile replaces a file of mode 0600 as a whole, durably.
func writeFile(dir, file, text string) (err error) {
	defer func() {
		if err != nil {
			err = directoryError(dir, err)
		}
	}()
	f, err := os.CreateTemp(dir, "."+file+"-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.WriteString(text)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), filepath.Join(dir, file)); err != nil {
		return err
	}
	return syncDir(dir)
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
