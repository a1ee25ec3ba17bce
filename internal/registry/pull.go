package registry

import (
	"context"
	"sync"
	"time"

	"github.com/lighterage/lighterage/internal/meta"
)

// pullsMax bounds the pulls that wait to be written; more are not recorded.
const pullsMax = 100_000

// pulls collects the times of pulls, so that a pull writes nothing itself.
type pulls struct {
	mu sync.Mutex
	at map[ImageID]time.Time
}

// RecordPull notes that an image was pulled now. It is written by FlushPulls;
// a crash before loses it.
func (c *Catalogue) RecordPull(id ImageID) {
	now := c.Clock()
	c.pulls.mu.Lock()
	defer c.pulls.mu.Unlock()
	if len(c.pulls.at) < pullsMax {
		c.pulls.at[id] = now
	}
}

// FlushPulls writes the pull times noted since the last flush.
func (c *Catalogue) FlushPulls(ctx context.Context) error {
	c.pulls.mu.Lock()
	noted := c.pulls.at
	c.pulls.at = map[ImageID]time.Time{}
	c.pulls.mu.Unlock()
	const page = 1000
	batch := make(map[ImageID]time.Time, page)
	flush := func() error {
		err := c.Meta.Update(ctx, func(tx meta.Tx) error { return tx.RecordPulls(batch) })
		clear(batch)
		return storeFault(RepositoryKey{}, err)
	}
	for id, at := range noted {
		if batch[id] = at; len(batch) == page {
			if err := flush(); err != nil {
				return err
			}
		}
	}
	if len(batch) == 0 {
		return nil
	}
	return flush()
}
