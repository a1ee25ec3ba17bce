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

// FlushPulls writes the pull times noted since the last flush. Those that
// cannot be written wait for the next one.
func (c *Catalogue) FlushPulls(ctx context.Context) error {
	const page = 1000
	for {
		batch := c.pulls.take(page)
		if len(batch) == 0 {
			return nil
		}
		err := c.Meta.Update(ctx, func(tx meta.Tx) error { return tx.RecordPulls(batch) })
		if err != nil {
			c.pulls.giveBack(batch)
			return storeFault(RepositoryKey{}, err)
		}
		if len(batch) < page {
			return nil
		}
	}
}

// take removes at most n of the noted pulls.
func (p *pulls) take(n int) map[ImageID]time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	batch := make(map[ImageID]time.Time, min(n, len(p.at)))
	for id, at := range p.at {
		if len(batch) == n {
			break
		}
		batch[id] = at
		delete(p.at, id)
	}
	return batch
}

// giveBack notes pulls again, unless a later one was noted meanwhile.
func (p *pulls) giveBack(batch map[ImageID]time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for id, at := range batch {
		if _, later := p.at[id]; !later && len(p.at) < pullsMax {
			p.at[id] = at
		}
	}
}
