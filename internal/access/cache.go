package access

import "sync"

// cache keeps values within a bound. There are two halves: what is used while
// the young one fills is in it, and the rest goes with the old one.
type cache[K comparable, V any] struct {
	half int // the most that a half weighs

	mu         sync.RWMutex
	young, old map[K]entry[V]
	weight     int // of the young half
}

type entry[V any] struct {
	value  V
	weight int
}

// newCache returns a cache of values that together weigh at most limit.
func newCache[K comparable, V any](limit int) *cache[K, V] {
	return &cache[K, V]{half: limit / 2, young: map[K]entry[V]{}}
}

func (c *cache[K, V]) get(key K) (V, bool) {
	c.mu.RLock()
	e, ok := c.young[key]
	aged := false
	if !ok {
		e, aged = c.old[key]
	}
	c.mu.RUnlock()
	if aged {
		c.put(key, e.value, e.weight)
	}
	return e.value, ok || aged
}

// put keeps the value, unless it weighs more than a half.
func (c *cache[K, V]) put(key K, value V, weight int) {
	if weight > c.half {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, there := c.young[key]; there {
		return
	}
	if c.weight+weight > c.half {
		c.old, c.young, c.weight = c.young, map[K]entry[V]{}, 0
	}
	c.young[key] = entry[V]{value, weight}
	c.weight += weight
}
