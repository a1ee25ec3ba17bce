package audit

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// FileConfig is what a File is built from.
type FileConfig struct {
	Dir      string // made if it is not there; of this trail alone
	MaxFile  int64  // bytes after which a file is closed, or a quarter of its family's share if that is less; 64 MiB if zero
	MaxTotal int64  // bytes of all files; 1 GiB if zero, at least twice MaxFile
	Clock    func() time.Time
}

// File writes events as lines to files in a directory, those of each family to
// its own, such as audit-read.jsonl, and gives full files a number:
// audit-read-000000000001.jsonl. Its methods are safe for concurrent use.
type File struct {
	dir      string
	maxTotal int64
	clock    func() time.Time
	lock     *os.File
	series   [len(families)]*series

	mu sync.Mutex // taken within a series' lock, never around one
}

const lockName = "audit.lock"

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
	f := &File{dir: c.Dir, maxTotal: c.MaxTotal, clock: c.Clock}
	for i, family := range families {
		share := c.MaxTotal / wholeTrail * family.share
		f.series[i] = &series{trail: f, base: family.base, share: share, maxFile: min(c.MaxFile, share/4)}
	}
	if err := f.open(); err != nil {
		return nil, errors.Join(fmt.Errorf("open the audit trail: %w", err), f.Close())
	}
	return f, nil
}

func (f *File) open() (err error) {
	if err := os.MkdirAll(f.dir, 0o700); err != nil {
		return err
	}
	if f.lock, err = lock(filepath.Join(f.dir, lockName)); err != nil {
		return err
	}
	for _, s := range f.series {
		if err := s.open(); err != nil {
			return err
		}
	}
	f.prune()
	return nil
}

// Record appends the event as one line. When it returns nil, the event is in
// the file; otherwise nothing of it is. The event may be used again.
func (f *File) Record(e *Event) error {
	s := f.series[familyOf(e)]
	l, err := encode(e, f.clock)
	if err != nil {
		return s.tally.failed(err, f.clock())
	}
	defer l.release()
	return s.record(l.buf)
}

// Retry tries whether what could not be recorded can be again, and returns why
// not. Where it can, Stats.Err is nil again.
func (f *File) Retry() error {
	var failed []error
	for _, s := range f.series {
		failed = append(failed, s.retry())
	}
	return errors.Join(failed...)
}

// closed counts a file that is full, and makes room for the next one.
func (f *File) closed(s *series, c closed) {
	f.mu.Lock()
	defer f.mu.Unlock()
	s.full = append(s.full, c)
	s.held += c.size
	s.room = s.maxFile
	f.prune()
}

// prune removes files until the rest and the current ones, when they are full,
// are within the bound: always the oldest of the family that is farthest over
// its share. What a family does not use, others may until it does. A file that
// cannot be removed is tried again next time.
func (f *File) prune() {
	for {
		total := int64(0)
		var most *series
		for _, s := range f.series {
			total += s.held + s.room
			if len(s.full) > 0 && (most == nil || s.excess() > most.excess()) {
				most = s
			}
		}
		if total <= f.maxTotal || most == nil || most.excess() <= 0 || most.prune() != nil {
			return
		}
	}
}

// Stats returns what was recorded since the trail was opened.
func (f *File) Stats() Stats {
	var sum Stats
	for _, s := range f.series {
		s.tally.addTo(&sum)
	}
	return sum
}

// Close flushes the trail to the disk and lets another process write it. What
// is recorded later is refused.
func (f *File) Close() error {
	var errs []error
	for _, s := range f.series {
		errs = append(errs, s.close())
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.lock != nil {
		errs = append(errs, f.lock.Close())
		f.lock = nil
	}
	return errors.Join(errs...)
}
