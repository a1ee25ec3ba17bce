package registry

import (
	"container/list"
	"sync"

	"github.com/lighterage/lighterage/internal/digest"
)

// cache keeps content-addressed bytes, least recently used first out, within a
// budget of bytes. What is in it is never proof that anybody may see it:
// membership is read from the store every time.
type cache struct {
	mu     sync.Mutex
	budget int
	size   int
	order  *list.List // front: most recent
	byKey  map[digest.Digest]*list.Element
}

type cached struct {
	key  digest.Digest
	body []byte
}

func newCache(budget int) *cache {
	return &cache{budget: budget, order: list.New(), byKey: map[digest.Digest]*list.Element{}}
}

// get returns the bytes, which must not be changed.
func (c *cache) get(key digest.Digest) ([]byte, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e, ok := c.byKey[key]
	if !ok {
		return nil, false
	}
	c.order.MoveToFront(e)
	return e.Value.(*cached).body, true
}

// put keeps bytes that hash to key; bodies over a sixteenth of the budget are
// not kept.
func (c *cache) put(key digest.Digest, body []byte) {
	if len(body) > c.budget/16 {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, ok := c.byKey[key]; ok {
		return
	}
	c.byKey[key] = c.order.PushFront(&cached{key, body})
	c.size += len(body)
	for c.size > c.budget {
		last := c.order.Back()
		old := c.order.Remove(last).(*cached)
		delete(c.byKey, old.key)
		c.size -= len(old.body)
	}
}
