package sqlstore

import (
	"errors"
	"sync"

	"github.com/lighterage/lighterage/internal/meta"
	"github.com/lighterage/lighterage/internal/name"
)

// registryKey names a registry's row.
type registryKey struct {
	id    name.RegistryID
	space meta.Space
}

// registries caches the ids of registries, which are never removed.
type registries struct {
	mu  sync.RWMutex
	ids map[registryKey]int64
}

func (c *registries) get(k registryKey) (int64, bool) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	id, ok := c.ids[k]
	return id, ok
}

func (c *registries) add(learned map[registryKey]int64) {
	if len(learned) == 0 {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ids == nil {
		c.ids = map[registryKey]int64{}
	}
	for k, id := range learned {
		c.ids[k] = id
	}
}

// registry finds a registry's id. ErrNotFound. What an update reads may be a
// neighbour's that is not committed yet, so it is cached only when the update
// itself is.
func (t *tx) registry(id name.RegistryID, space meta.Space) (int64, error) {
	k := registryKey{id, space}
	if n, ok := t.registries.get(k); ok {
		return n, nil
	}
	n, err := t.number(`SELECT id FROM registry WHERE account = ?1 AND region = ?2 AND space = ?3`, id.Account, id.Region, space)
	if err != nil {
		return 0, err
	}
	if !t.writes {
		t.registries.add(map[registryKey]int64{k: n})
		return n, nil
	}
	if t.learned == nil {
		t.learned = map[registryKey]int64{}
	}
	t.learned[k] = n
	return n, nil
}

// makeRegistry finds a registry's id or adds the registry.
func (t *tx) makeRegistry(id name.RegistryID, space meta.Space) (int64, error) {
	n, err := t.registry(id, space)
	if !errors.Is(err, meta.ErrNotFound) {
		return n, err
	}
	_, err = t.exec(`INSERT INTO registry (account, region, space) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING`, id.Account, id.Region, space)
	if err != nil {
		return 0, err
	}
	return t.registry(id, space)
}
