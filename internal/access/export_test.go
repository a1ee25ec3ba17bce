package access

import (
	"context"

	"github.com/lighterage/lighterage/internal/identity"
)

// Remembered returns how much the caches hold.
func (d *Decider) Remembered() (decisions, repositories int) {
	g := d.current.Load()
	return g.decisions.len(), g.repositories.len()
}

func (c *cache[K, V]) len() int { return len(c.young) + len(c.old) }

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
