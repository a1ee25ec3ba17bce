package access

import (
	"context"

	"github.com/lighterage/lighterage/internal/identity"
)

// Cache is a cache of numbers.
type Cache struct{ *cache[int, int] }

// NewCache returns an empty one.
func NewCache(limit int) Cache { return Cache{newCache[int, int](limit)} }

// Get and Put are the cache's, and Weight is what all that it holds weighs.
func (c Cache) Get(key int) (int, bool)    { return c.get(key) }
func (c Cache) Put(key, value, weight int) { c.put(key, value, weight) }
func (c Cache) Weight() (weight int) {
	for _, half := range []map[int]entry[int]{c.young, c.old} {
		for _, e := range half {
			weight += e.weight
		}
	}
	return weight
}

// Forgetful decides without looking for a remembered decision.
func (d *Decider) Forgetful(ctx context.Context, c identity.Caller, action string, r Resource) error {
	g, err := d.generation(ctx)
	if err != nil {
		return err
	}
	q := &question{decider: d, ctx: ctx, caller: c, action: action, resource: r}
	_, err = q.decide(g)
	return err
}
