package identity

import "sync"

// cacheEntries bounds each cache.
const cacheEntries = 4096

// cache remembers what was found genuine, and what that stands on, for as long
// as the store's access version is the same: a client's burst of requests is
// looked at once. It never holds an answer of no, so who has no credential
// cannot fill it; and keys that come from clients are hashes.
type cache[K comparable, V any] struct {
	mu      sync.RWMutex
	version int64
	entries map[K]V
}

func (c *cache[K, V]) get(key K, version int64) (v V, ok bool) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	if c.version != version {
		return v, false
	}
	v, ok = c.entries[key]
	return v, ok
}

// put takes what was found in a View that began after the version was read.
func (c *cache[K, V]) put(key K, version int64, v V) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if version < c.version {
		return
	}
	if version > c.version || len(c.entries) >= cacheEntries || c.entries == nil {
		c.version = version
		c.entries = make(map[K]V)
	}
	c.entries[key] = v
}
