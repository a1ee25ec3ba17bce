package identity

import (
	"crypto/sha256"
	"sync"
	"time"
)

const (
	cacheEntries = 4096
	cacheTime    = time.Second
)

// cache remembers for a second which credentials were found genuine, so that a
// client's burst of requests is parsed once. It holds hashes, no credentials,
// and never an answer of no: who has no token cannot fill it.
type cache struct {
	mu      sync.RWMutex
	entries map[[sha256.Size]byte]entry
}

type entry struct {
	grant
	stored time.Time
}

// grant is a genuine token's content.
type grant struct {
	caller  Caller
	expires time.Time
}

func (c *cache) get(hash [sha256.Size]byte, now time.Time) (grant, bool) {
	c.mu.RLock()
	e, ok := c.entries[hash]
	c.mu.RUnlock()
	age := now.Sub(e.stored)
	return e.grant, ok && 0 <= age && age < cacheTime
}

func (c *cache) put(hash [sha256.Size]byte, g grant, now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.entries == nil || len(c.entries) >= cacheEntries {
		c.entries = make(map[[sha256.Size]byte]entry)
	}
	c.entries[hash] = entry{g, now}
}
