package identity

import (
	"context"
	"maps"
	"sync"

	"github.com/lighterage/lighterage/internal/meta"
	"github.com/lighterage/lighterage/internal/name"
)

// usesMax bounds the keys, and the roles, whose uses wait to be written; those
// of more are not recorded.
const usesMax = 100_000

// uses collects when keys and roles were used last, so that a use writes
// nothing itself.
type uses struct {
	mu    sync.Mutex
	keys  map[string]meta.Use
	roles map[meta.PrincipalID]meta.Use
}

func newUses() uses {
	return uses{keys: map[string]meta.Use{}, roles: map[meta.PrincipalID]meta.Use{}}
}

// record notes that a key, or a session's role, was used now.
func (a *Authority) record(c Caller, region name.Region, service string) {
	use := meta.Use{At: a.config.Clock(), Region: region, Service: service}
	a.uses.mu.Lock()
	defer a.uses.mu.Unlock()
	if c.Kind == RoleSession {
		note(a.uses.roles, c.Principal, use)
	}
	if c.Session == nil {
		note(a.uses.keys, c.KeyID, use)
	}
}

func note[K comparable](to map[K]meta.Use, key K, use meta.Use) {
	if last, ok := to[key]; ok && last.At.After(use.At) || !ok && len(to) >= usesMax {
		return
	}
	to[key] = use
}

// FlushUses writes the uses noted since the last flush. Those that cannot be
// written wait for the next one. A crash loses them.
func (a *Authority) FlushUses(ctx context.Context) error {
	const page = 1000
	for {
		a.uses.mu.Lock()
		keys, roles := take(a.uses.keys, page), take(a.uses.roles, page)
		a.uses.mu.Unlock()
		if len(keys)+len(roles) == 0 {
			return nil
		}
		err := a.config.Store.Update(ctx, func(tx meta.Tx) error {
			if err := tx.RecordKeyUses(keys); err != nil {
				return err
			}
			return tx.RecordPrincipalUses(roles)
		})
		if err != nil {
			a.uses.mu.Lock()
			giveBack(a.uses.keys, keys)
			giveBack(a.uses.roles, roles)
			a.uses.mu.Unlock()
			return meta.Fault(err)
		}
	}
}

// take removes at most n.
func take[K comparable](from map[K]meta.Use, n int) map[K]meta.Use {
	if len(from) <= n {
		all := maps.Clone(from)
		clear(from)
		return all
	}
	batch := make(map[K]meta.Use, n)
	for key, use := range from {
		if len(batch) == n {
			break
		}
		batch[key] = use
		delete(from, key)
	}
	return batch
}

// giveBack notes uses again, unless a later one was noted meanwhile.
func giveBack[K comparable](to, batch map[K]meta.Use) {
	for key, use := range batch {
		note(to, key, use)
	}
}
