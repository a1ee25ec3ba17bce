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
)

// series is the files of one family: a current one, and full ones with a
// number.
type series struct {
	trail   *File
	base    string
	maxFile int64
	share   int64
	tally   tally

	mu     sync.Mutex
	file   *os.File // the current one; nil once closed
	size   int64
	torn   bool  // the file ends within a line
	number int64 // of the last full file

	// Of the trail's lock.
	full []closed // oldest first
	held int64    // bytes of the full ones
	room int64    // bytes of the current one, when it is full
}

// closed is a full file.
type closed struct{ number, size int64 }

const fileMode = 0o600

// current is the name of the file that is written.
func current(base string) string { return base + ".jsonl" }

// next is the name of the file that will be.
func next(base string) string { return base + ".jsonl.next" }

// numbered is the name of a full file. Twelve digits keep a listing sorted.
func numbered(base string, n int64) string { return fmt.Sprintf("%s-%012d.jsonl", base, n) }

// numberOf is the inverse of numbered.
func numberOf(base, name string) (int64, bool) {
	digits, ok := strings.CutPrefix(name, base+"-")
	if !ok {
		return 0, false
	}
	n, err := strconv.ParseInt(strings.TrimSuffix(digits, ".jsonl"), 10, 64)
	return n, err == nil && n > 0 && numbered(base, n) == name
}

func (s *series) path(name string) string { return filepath.Join(s.trail.dir, name) }

func (s *series) open() (err error) {
	if s.full, err = listClosed(s.trail.dir, s.base); err != nil {
		return err
	}
	for _, c := range s.full {
		s.number = c.number
		s.held += c.size
	}
	if err := os.Remove(s.path(next(s.base))); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if s.file, err = create(s.path(current(s.base))); err != nil {
		return err
	}
	info, err := s.file.Stat()
	if err != nil {
		return err
	}
	s.size = info.Size()
	s.room = max(s.size, s.maxFile)
	s.torn, err = endsWithin(s.file, s.size)
	return err
}

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

// listClosed returns the full files of a series, oldest first.
func listClosed(dir, base string) ([]closed, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var full []closed
	for _, entry := range entries {
		number, ok := numberOf(base, entry.Name())
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

// record appends a line.
func (s *series) record(text []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.tally.mend(s.trail.clock, s.append); err != nil {
		return s.tally.failed(err, s.trail.clock())
	}
	if err := s.append(text); err != nil {
		return s.tally.failed(err, s.trail.clock())
	}
	s.tally.written()
	return nil
}

// retry tries whether what could not be recorded can be again.
func (s *series) retry() error {
	if !s.tally.failing() {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.tally.mend(s.trail.clock, s.append)
}

func (s *series) append(text []byte) error {
	if s.file == nil {
		return errors.New("the trail is closed")
	}
	if s.size > 0 && s.size+int64(len(text)) > s.maxFile {
		if err := s.rotate(); err != nil {
			return fmt.Errorf("begin another file: %w", err)
		}
	}
	if s.torn {
		if err := s.write([]byte("\n")); err != nil {
			return err
		}
		s.torn = false
	}
	return s.write(text)
}

// write appends all of text or, as far as the file system lets it, nothing.
func (s *series) write(text []byte) error {
	n, err := s.file.Write(text)
	if err == nil {
		s.size += int64(n)
		return nil
	}
	if n > 0 && s.file.Truncate(s.size) != nil {
		s.size += int64(n)
		s.torn = true
	}
	return err
}

// rotate gives the full file its number and begins another. The other is open
// before anything is renamed: without a free descriptor nothing changes.
func (s *series) rotate() error {
	now, then, full := s.path(current(s.base)), s.path(next(s.base)), s.path(numbered(s.base, s.number+1))
	file, err := create(then)
	if err != nil {
		return err
	}
	if err := os.Rename(now, full); err != nil {
		return errors.Join(err, file.Close(), os.Remove(then))
	}
	if err := os.Rename(then, now); err != nil {
		return errors.Join(err, file.Close(), os.Rename(full, now))
	}
	_ = s.file.Close() // every write to it was checked
	s.number++
	s.trail.closed(s, closed{s.number, s.size})
	s.file, s.size, s.torn = file, 0, false
	return nil
}

// excess returns how far the series is over its share.
func (s *series) excess() int64 { return s.held + s.room - s.share }

// prune removes the oldest full file.
func (s *series) prune() error {
	oldest := s.full[0]
	if err := os.Remove(s.path(numbered(s.base, oldest.number))); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	s.full = s.full[1:]
	s.held -= oldest.size
	s.tally.removed()
	return nil
}

// close writes what the kernel holds to the disk.
func (s *series) close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.file == nil {
		return nil
	}
	err := errors.Join(s.file.Sync(), s.file.Close())
	s.file = nil
	return err
}
