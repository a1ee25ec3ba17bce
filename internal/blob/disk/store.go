// Package disk keeps blobs as files of one directory.
//
// A location is "file:" and a path of a fixed form, two hexadecimal digits, a
// slash and thirty-two more, drawn at random: 256 directories that exist from
// the first start, and one file for each location. Beyond the promises of
// package blob it promises:
//
//  1. No location reaches a file outside the store: whatever is not of that
//     form is refused before a path is made of it, and a symbolic link in a
//     file's place is not followed.
//  2. A file is made by Create alone, which fails if it exists.
//  3. Sealing takes the right to write away from the file itself, so that
//     every later process knows a sealed file, whatever the metadata says.
//  4. After a sync that failed nothing more is acknowledged: the file's pages
//     are clean then, though never written, and a second sync would succeed.
//
// Bytes that Checkpoint covers are in the kernel's hands and survive the
// process, not the machine: the caller notes the BootID beside the offset.
//
// The store expects to be the only process that writes to its directory. It
// does not lock it.
package disk

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"syscall"

	"github.com/lighterage/lighterage/internal/blob"
	"github.com/lighterage/lighterage/internal/name"
)

// Modes of files: writable while the upload lasts, read-only once sealed.
const (
	modeOpen   fs.FileMode = 0o600
	modeSealed fs.FileMode = 0o400
)

// Options are what a store needs besides its directory.
type Options struct {
	// Fatal is told of a sync that failed and is expected to end the process.
	// Without it the store only refuses to go on.
	Fatal func(error)
	// Logger is told of uploads that are taken over. Nil: nobody is.
	Logger *slog.Logger
}

// Store is a blob.Store in a directory.
type Store struct {
	dir   string // absolute
	fatal func(error)
	log   *slog.Logger

	claiming sync.Mutex

	mu      sync.Mutex
	writers map[name.Location]*upload // the one writer of each location
	ended   error                     // why nothing more is written; nil while it is
}

var _ blob.Store = (*Store)(nil)

// Open opens the store of the directory, which is made if it is absent. An
// error is one line that names the directory: it is of a read-only or full
// file system (blob.ErrFull), not ours, or not a directory.
func Open(dir string, o Options) (*Store, error) {
	absolute, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("blob directory %s: %w", dir, err)
	}
	if err := lay(absolute); err != nil {
		return nil, fmt.Errorf("blob directory %s: %w", absolute, full(bare(err)))
	}
	s := &Store{dir: absolute, fatal: o.Fatal, log: o.Logger, writers: map[name.Location]*upload{}}
	if s.fatal == nil {
		s.fatal = func(error) {}
	}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	return s, nil
}

// NewLocation draws a location.
func (s *Store) NewLocation() name.Location { return draw() }

// Create begins the upload of a new location. fs.ErrExist if it is not new.
func (s *Store) Create(ctx context.Context, at name.Location) (blob.Upload, error) {
	path, err := s.path(ctx, at)
	if err != nil {
		return nil, err
	}
	u := &upload{store: s, at: at, path: path}
	u.mu.Lock()
	defer u.mu.Unlock()
	if err := s.enter(u); err != nil {
		return nil, err
	}
	u.file, err = os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL|syscall.O_NOFOLLOW, modeOpen)
	if err != nil {
		s.leave(u)
		return nil, fmt.Errorf("create blob: %w", full(err))
	}
	return u, nil
}

// Resume continues an upload; state is not used. The upload's former writer is
// closed first, after the write it is in. ErrClosed if the location is sealed.
func (s *Store) Resume(ctx context.Context, at name.Location, offset int64, _ []byte) (blob.Upload, error) {
	path, err := s.path(ctx, at)
	if err != nil {
		return nil, err
	}
	u := &upload{store: s, at: at, path: path, offset: offset, started: offset}
	u.mu.Lock()
	defer u.mu.Unlock()
	if err := s.takeOver(ctx, u); err != nil {
		return nil, err
	}
	if u.file, err = reopen(path, offset); err != nil {
		s.leave(u)
		return nil, fmt.Errorf("resume blob: %w", err)
	}
	return u, nil
}

// reopen opens an unsealed file for writing and cuts it at offset.
func reopen(path string, offset int64) (*os.File, error) {
	info, err := os.Lstat(path)
	switch {
	case err != nil:
		return nil, absent(err)
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("%s is not a file", path)
	case info.Mode().Perm()&0o200 == 0:
		return nil, fmt.Errorf("%s is sealed: %w", path, blob.ErrClosed)
	case offset < 0 || info.Size() < offset:
		return nil, fmt.Errorf("%s has %d bytes, not %d: %w", path, info.Size(), offset, blob.ErrNotFound)
	}
	f, err := os.OpenFile(path, os.O_WRONLY|syscall.O_NOFOLLOW, 0)
	if err != nil {
		return nil, absent(err)
	}
	err = f.Truncate(offset)
	if err == nil {
		_, err = f.Seek(offset, io.SeekStart)
	}
	if err != nil {
		f.Close()
		return nil, full(err)
	}
	return f, nil
}

// Open returns the bytes that the location has now.
func (s *Store) Open(ctx context.Context, at name.Location) (blob.Reader, error) {
	path, err := s.path(ctx, at)
	if err != nil {
		return nil, err
	}
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NOFOLLOW, 0)
	if err != nil {
		return nil, fmt.Errorf("open blob: %w", absent(err))
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%s is not a file", path)
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("open blob: %w", err)
	}
	return &Reader{f, info.Size()}, nil
}

// Remove takes the file away for good: its writer is closed first, and its
// directory synced after, since whoever asked forgets the location next.
func (s *Store) Remove(ctx context.Context, at name.Location) error {
	path, err := s.path(ctx, at)
	if err != nil {
		return err
	}
	u := &upload{store: s, at: at, path: path} // keeps writers out meanwhile
	u.mu.Lock()
	defer u.mu.Unlock()
	if err := s.takeOver(ctx, u); err != nil {
		return err
	}
	defer s.leave(u)
	err = os.Remove(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("remove blob: %w", err)
	}
	if err := syncDirectory(filepath.Dir(path)); err != nil {
		return s.fail(err)
	}
	return nil
}

// Close ends all uploads after the writes they are in. What they wrote stays,
// and another Store can resume them.
func (s *Store) Close() error {
	s.mu.Lock()
	if s.ended == nil {
		s.ended = blob.ErrClosed
	}
	writers := make([]*upload, 0, len(s.writers))
	for _, u := range s.writers {
		writers = append(writers, u)
	}
	s.mu.Unlock()
	for _, u := range writers {
		u.Close()
	}
	return nil
}

// path returns where a location's file is, unless the request is over or the
// location is not of this store.
func (s *Store) path(ctx context.Context, at name.Location) (string, error) {
	if err := ctx.Err(); err != nil {
		return "", err
	}
	rest, ok := parse(at)
	if !ok {
		return "", fmt.Errorf("location %q is none of a disk store: %w", at, blob.ErrNotFound)
	}
	return filepath.Join(s.dir, rest), nil
}

// enter makes u the writer of its location, which must have none.
func (s *Store) enter(u *upload) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended != nil {
		return s.ended
	}
	if s.writers[u.at] != nil {
		return fmt.Errorf("create blob %s: %w", u.at, fs.ErrExist)
	}
	s.writers[u.at] = u
	return nil
}

// takeOver makes u the writer of its location and returns when the former one
// can write no more. u.mu is held: whoever takes over from u waits for it.
func (s *Store) takeOver(ctx context.Context, u *upload) error {
	s.mu.Lock()
	if s.ended != nil {
		defer s.mu.Unlock()
		return s.ended
	}
	former := s.writers[u.at]
	s.writers[u.at] = u
	s.mu.Unlock()
	if former != nil {
		s.log.DebugContext(ctx, "upload taken over", "location", string(u.at))
		former.Close()
	}
	return nil
}

// leave forgets u, unless somebody took over from it.
func (s *Store) leave(u *upload) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.writers[u.at] == u {
		delete(s.writers, u.at)
	}
}

// writable returns why nothing more may be acknowledged, or nil.
func (s *Store) writable() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ended
}

// fail ends the store because of a sync that failed, and returns why.
func (s *Store) fail(err error) error {
	s.mu.Lock()
	s.ended = err
	s.mu.Unlock()
	s.fatal(err)
	return err
}
