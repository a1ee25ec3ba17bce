package audit

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// FileConfig is what a File is built from.
type FileConfig struct {
	Dir      string // made if it is not there; of this trail alone
	MaxFile  int64  // bytes after which a file is closed; 64 MiB if zero
	MaxTotal int64  // bytes of all files; 1 GiB if zero, at least twice MaxFile
	Clock    func() time.Time
}

// File writes events as lines to the file audit.jsonl in a directory, and
// gives full files a number: audit-000000000001.jsonl. Its methods are safe
// for concurrent use.
type File struct {
	dir      string
	maxFile  int64
	maxTotal int64
	clock    func() time.Time
	lock     *os.File

	mu     sync.Mutex
	file   *os.File // audit.jsonl; nil once closed
	size   int64
	torn   bool     // the file ends within a line
	full   []closed // oldest first
	number int64    // of the last full file
	tally  tally
}

// closed is a full file.
type closed struct{ number, size int64 }

const (
	fileMode = 0o600
	current  = "audit.jsonl"
	next     = "audit.jsonl.next"
	lockName = "audit.lock"
)

// numbered is the name of a full file. Twelve digits keep a listing sorted.
func numbered(n int64) string { return fmt.Sprintf("audit-%012d.jsonl", n) }

// numberOf is the inverse of numbered.
func numberOf(name string) (int64, bool) {
	digits, ok := strings.CutPrefix(name, "audit-")
	if !ok {
		return 0, false
	}
	n, err := strconv.ParseInt(strings.TrimSuffix(digits, ".jsonl"), 10, 64)
	return n, err == nil && n > 0 && numbered(n) == name
}

// OpenFile continues the trail in a directory, or begins it. A last line that
// a crash tore is ended, so that it spoils no other. It fails if another
// process writes there.
func OpenFile(c FileConfig) (*File, error) {
	if c.MaxFile == 0 {
		c.MaxFile = 64 << 20
	}
	if c.MaxTotal == 0 {
		c.MaxTotal = max(1<<30, 2*c.MaxFile)
	}
	if c.MaxFile < 0 || c.MaxTotal < 2*c.MaxFile {
		return nil, fmt.Errorf("an audit trail of %d bytes cannot hold two files of %d", c.MaxTotal, c.MaxFile)
	}
	f := &File{dir: c.Dir, maxFile: c.MaxFile, maxTotal: c.MaxTotal, clock: c.Clock}
	if err := f.open(); err != nil {
		return nil, errors.Join(fmt.Errorf("open the audit trail: %w", err), f.Close())
	}
	return f, nil
}

func (f *File) open() (err error) {
	if err := os.MkdirAll(f.dir, 0o700); err != nil {
		return err
	}
	if f.lock, err = lock(f.path(lockName)); err != nil {
		return err
	}
	if f.full, err = listClosed(f.dir); err != nil {
		return err
	}
	if len(f.full) > 0 {
		f.number = f.full[len(f.full)-1].number
	}
	if err := os.Remove(f.path(next)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if f.file, err = create(f.path(current)); err != nil {
		return err
	}
	info, err := f.file.Stat()
	if err != nil {
		return err
	}
	f.size = info.Size()
	if f.torn, err = endsWithin(f.file, f.size); err != nil {
		return err
	}
	f.prune()
	return nil
}

func (f *File) path(name string) string { return filepath.Join(f.dir, name) }

// create opens a file to append to. One that was there may have had a wider
// mode.
func create(path string) (*os.File, error) {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_APPEND, fileMode)
	if err != nil {
		return nil, err
	}
	if err := file.Chmod(fileMode); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return file, nil
}

// endsWithin reports whether the file's last line has no end.
func endsWithin(file *os.File, size int64) (bool, error) {
	if size == 0 {
		return false, nil
	}
	var last [1]byte
	if _, err := file.ReadAt(last[:], size-1); err != nil {
		return false, err
	}
	return last[0] != '\n', nil
}

// listClosed returns the full files of a directory, oldest first.
func listClosed(dir string) ([]closed, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var full []closed
	for _, entry := range entries {
		number, ok := numberOf(entry.Name())
		if !ok {
			continue
		}
		info, err := entry.Info()
		if errors.Is(err, fs.ErrNotExist) { // removed meanwhile
			continue
		}
		if err != nil {
			return nil, err
		}
		full = append(full, closed{number, info.Size()})
	}
	slices.SortFunc(full, func(a, b closed) int { return cmp.Compare(a.number, b.number) })
	return full, nil
}

// Record appends the event as one line. When it returns nil, the event is in
// the file; otherwise nothing of it is. The event may be used again.
func (f *File) Record(e *Event) error {
	l, err := encode(e, f.clock)
	if err != nil {
		return f.tally.failed(err)
	}
	defer l.release()
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.append(l.buf); err != nil {
		return f.tally.failed(err)
	}
	f.tally.written()
	return nil
}

func (f *File) append(text []byte) error {
	if f.file == nil {
		return errors.New("the trail is closed")
	}
	if f.size > 0 && f.size+int64(len(text)) > f.maxFile {
		if err := f.rotate(); err != nil {
			return fmt.Errorf("begin another file: %w", err)
		}
	}
	if f.torn {
		if err := f.write([]byte("\n")); err != nil {
			return err
		}
		f.torn = false
	}
	return f.write(text)
}

// write appends all of text or, as far as the file system lets it, nothing.
func (f *File) write(text []byte) error {
	n, err := f.file.Write(text)
	if err == nil {
		f.size += int64(n)
		return nil
	}
	if n > 0 && f.file.Truncate(f.size) != nil {
		f.size += int64(n)
		f.torn = true
	}
	return err
}

// rotate gives the full file its number and begins another. The other is open
// before anything is renamed: without a free descriptor nothing changes.
func (f *File) rotate() error {
	file, err := create(f.path(next))
	if err != nil {
		return err
	}
	number := f.number + 1
	if err := os.Rename(f.path(current), f.path(numbered(number))); err != nil {
		return errors.Join(err, file.Close(), os.Remove(f.path(next)))
	}
	if err := os.Rename(f.path(next), f.path(current)); err != nil {
		return errors.Join(err, file.Close(), os.Rename(f.path(numbered(number)), f.path(current)))
	}
	_ = f.file.Close() // every write to it was checked
	f.full = append(f.full, closed{number, f.size})
	f.file, f.number, f.size, f.torn = file, number, 0, false
	f.prune()
	return nil
}

// prune removes the oldest files until the rest and a full current one are
// within the bound. A file that cannot be removed is tried again next time.
func (f *File) prune() {
	total := max(f.size, f.maxFile)
	for _, c := range f.full {
		total += c.size
	}
	for len(f.full) > 0 && total > f.maxTotal {
		err := os.Remove(f.path(numbered(f.full[0].number)))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return
		}
		total -= f.full[0].size
		f.full = f.full[1:]
		f.tally.removed.Add(1)
	}
}

// Stats returns what was recorded since the trail was opened.
func (f *File) Stats() Stats { return f.tally.stats() }

// Close flushes the trail to the disk and lets another process write it. What
// is recorded later is refused.
func (f *File) Close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	var errs []error
	if f.file != nil {
		errs = append(errs, f.file.Sync(), f.file.Close())
		f.file = nil
	}
	if f.lock != nil {
		errs = append(errs, f.lock.Close())
		f.lock = nil
	}
	return errors.Join(errs...)
}
