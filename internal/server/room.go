package server

import (
	"context"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/lighterage/lighterage/internal/blob/disk"
	"github.com/lighterage/lighterage/internal/config"
)

// roomAge is how long an answer about room is given again.
const roomAge = time.Second

// room tells whether the directories that are written to can be.
type room struct {
	dirs  []string
	clock func() time.Time

	mu   sync.Mutex
	last *look
}

// look is one look at all directories.
type look struct {
	at   time.Time
	done chan struct{}
	err  error // once done is closed
}

// newRoom watches the data directory and the stores', each of which may be on
// a disk of its own.
func newRoom(c config.Config, clock func() time.Time) *room {
	dirs := []string{c.DataDir, c.Storage.Path}
	if c.Database.Scheme == "sqlite" {
		dirs = append(dirs, filepath.Dir(c.Database.Path))
	}
	slices.Sort(dirs)
	return &room{dirs: slices.Compact(dirs), clock: clock}
}

// check returns why nothing can be written. However many ask, there is one
// look at a time, so that a disk that hangs is not asked again.
func (r *room) check(ctx context.Context) error {
	l := r.latest()
	select {
	case <-l.done:
		return l.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (r *room) latest() *look {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.clock()
	if l := r.last; l != nil {
		select {
		case <-l.done:
			if age := now.Sub(l.at); age >= 0 && age < roomAge {
				return l
			}
		default:
			return l
		}
	}
	l := &look{at: now, done: make(chan struct{})}
	r.last = l
	go func() {
		defer close(l.done)
		for _, dir := range r.dirs {
			if l.err = disk.Probe(dir); l.err != nil {
				return
			}
		}
	}()
	return l
}

// close waits for the look that is under way.
func (r *room) close(ctx context.Context) error {
	r.mu.Lock()
	l := r.last
	r.mu.Unlock()
	if l == nil {
		return nil
	}
	select {
	case <-l.done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
