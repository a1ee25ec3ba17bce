package disk

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"

	"github.com/lighterage/lighterage/internal/blob"
	"github.com/lighterage/lighterage/internal/name"
)

// writebackEvery is how many bytes gather before the kernel is asked to begin
// writing them, so that the sync at the end finds little to do.
const writebackEvery = 8 << 20

// upload is the writer of one location. Its lock is held during every step of
// I/O, so that closing it from elsewhere waits for the step.
type upload struct {
	store *Store
	at    name.Location
	path  string

	mu      sync.Mutex
	file    *os.File // nil once the upload has ended
	offset  int64
	started int64 // writeback was started up to here
}

// Write appends b. It goes by the file's own position: os.File's WriteAt does
// not tell how much of a failed write arrived, and those bytes would be sealed
// with the rest.
func (u *upload) Write(b []byte) (int, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.file == nil {
		return 0, blob.ErrClosed
	}
	n, err := u.file.Write(b)
	u.offset += int64(n)
	if err != nil {
		return n, fmt.Errorf("write blob: %w", full(err))
	}
	if u.offset-u.started >= writebackEvery {
		startWriteback(u.file, u.started, u.offset-u.started)
		u.started = u.offset
	}
	return n, nil
}

// Offset is the number of bytes written, also after the end.
func (u *upload) Offset() int64 {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.offset
}

// Checkpoint has nothing to do: written bytes are the kernel's and outlive the
// process. The state is empty.
func (u *upload) Checkpoint(ctx context.Context) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.file == nil {
		return nil, blob.ErrClosed
	}
	return nil, u.store.writable()
}

// Seal syncs the file, then the directory that names it. The mode changes
// before the sync and so survives with the bytes; a crash in between leaves a
// sealed file that was never acknowledged, and whose upload begins anew.
func (u *upload) Seal(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.file == nil {
		return blob.ErrClosed
	}
	if err := u.store.writable(); err != nil {
		return err
	}
	if err := u.file.Chmod(modeSealed); err != nil {
		return fmt.Errorf("seal blob: %w", err)
	}
	err := syncFile(u.file)
	if err == nil {
		err = syncDirectory(filepath.Dir(u.path))
	}
	u.end()
	if err != nil {
		return u.store.fail(err)
	}
	return nil
}

// Close gives the upload up; what was written stays for Resume.
func (u *upload) Close() error {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.end()
	return nil
}

// end closes the file; u.mu is held. An error of close tells nothing: bytes
// that matter were synced, or are continued by size.
func (u *upload) end() {
	if u.file != nil {
		u.file.Close()
		u.file = nil
		u.store.leave(u)
	}
}
