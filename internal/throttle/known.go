package throttle

import (
	"sync"
	"sync/atomic"
	"time"
)

// known remembers pairs for a while, in sets of a few: a new one takes the
// place of the set's oldest. To push one out takes good log-ins, and costs it
// no more than being treated as new.
type known struct {
	mask   uint64
	sets   [][ways]entry
	adding sync.Mutex
}

const ways = 8

// entry may be read while it is replaced: then either pair counts as known for
// the moment, and both had logged in.
type entry struct {
	pair  atomic.Uint64
	until atomic.Int64 // 0: no entry
}

func newKnown(pairs int) known {
	n := power((pairs + ways - 1) / ways)
	return known{mask: uint64(n - 1), sets: make([][ways]entry, n)}
}

func (k *known) set(pair uint64) *[ways]entry { return &k.sets[pair>>40&k.mask] }

func (k *known) has(pair uint64, now time.Duration) bool {
	set := k.set(pair)
	for i := range set {
		if set[i].pair.Load() == pair {
			return set[i].until.Load() > int64(now)
		}
	}
	return false
}

func (k *known) add(pair uint64, now time.Duration) {
	k.adding.Lock()
	defer k.adding.Unlock()
	set := k.set(pair)
	place := &set[0]
	for i := range set {
		if set[i].pair.Load() == pair {
			place = &set[i]
			break
		}
		if set[i].until.Load() < place.until.Load() {
			place = &set[i]
		}
	}
	place.pair.Store(pair)
	place.until.Store(int64(now + KnownFor))
}
