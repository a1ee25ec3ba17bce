package registry

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/lighterage/lighterage/internal/fault"
)

// ParkUploads writes down the uploads that rested for the given time and
// forgets them: memory and descriptors are for those at work.
func (c *Catalogue) ParkUploads(ctx context.Context) error { return c.parkUploads(ctx, time.Minute) }

func (c *Catalogue) parkUploads(ctx context.Context, rested time.Duration) error {
	var failed error
	for _, s := range c.uploads.all() {
		if _, err := c.rest(ctx, s, rested); err != nil {
			failed = errors.Join(failed, err)
		}
	}
	return failed
}

// rest parks a session that rested for the given time, and reports whether it
// has left memory.
func (c *Catalogue) rest(ctx context.Context, s *session, rested time.Duration) (bool, error) {
	l := s.try(c.Clock, rested)
	if l == nil {
		return false, nil
	}
	defer l.yield()
	err := l.step(func() error { return c.park(ctx, s) })
	if fault.Is(err, fault.UploadNotFound) { // lost, which is as good
		return true, nil
	}
	return err == nil, err
}

// makeRoom parks the session that rested longest.
func (c *Catalogue) makeRoom(ctx context.Context) {
	used := map[*session]time.Time{}
	for _, s := range c.uploads.all() {
		if s.mu.TryLock() { // else it is at work
			used[s] = s.used
			s.mu.Unlock()
		}
	}
	oldest := slices.SortedFunc(maps.Keys(used), func(a, b *session) int { return used[a].Compare(used[b]) })
	for _, s := range oldest {
		if gone, err := c.rest(ctx, s, 0); gone || err != nil {
			return
		}
	}
}

// park makes a session a row and ends it; mu is held. One past its time ends
// without.
func (c *Catalogue) park(ctx context.Context, s *session) error {
	if !s.row.ExpiresAt.After(c.Clock()) {
		return c.drop(ctx, s)
	}
	if len(s.buf) > 0 {
		if err := c.spill(ctx, s); err != nil {
			return err
		}
	}
	err := c.checkpoint(ctx, s)
	if err == nil && !s.stored {
		err = c.note(ctx, s)
	}
	if err != nil {
		return err
	}
	c.forget(s)
	return nil
}
