package edge

import (
	"context"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/lighterage/lighterage/internal/fault"
)

// maxWait is how long a request waits for memory before it is told to come
// back. While it waits its body is not read, which slows its sender down.
const maxWait = 10 * time.Second

// Memory is what the bodies of all requests of a front may hold together. A
// request takes it as its body arrives, so that nobody holds much more than it
// has sent.
//
// Requests that each hold some and wait for more must not wait for each other.
// So there are two reserves, each as much as one request may have, and the rest
// is a pool that all take from. Who waits the longest for the pool gets a whole
// reserve, gives back what it had, and never waits again. So the holder of a
// reserve ends without anybody's help, each time it ends the next in line gets
// the reserve, and everyone's turn comes.
//
// A client address has at most three quarters of the pool and one reserve. So
// one alone, whatever it sends and however slowly, leaves the others a quarter
// of the pool and a reserve, with which all of them get their turn.
type Memory struct {
	most  int64 // that one request may have, and the size of a reserve
	share int64 // of the pool, that one client may have

	mu       sync.Mutex
	free     int64 // of the pool
	reserves int   // those that nobody has
	waiting  []*waiter
	clients  map[netip.Addr]*client // that have a request under way
}

// client is what the requests of one address hold together.
type client struct {
	pooled   int64
	reserve  bool
	requests int
}

type waiter struct {
	lease *Lease
	n     int64
	got   chan struct{} // closed when it has them
}

// NewMemory returns a memory of size bytes, of which one request may have most,
// but no more than a third.
func NewMemory(size, most int64) *Memory {
	most = min(most, size/3)
	pool := size - 2*most
	return &Memory{most: most, share: pool / 4 * 3, free: pool, reserves: 2, clients: map[netip.Addr]*client{}}
}

// Lease is what one request holds of a memory. It is not for concurrent use.
type Lease struct {
	of      *Memory
	address netip.Addr
	client  *client
	held    int64
	reserve bool // what is held is part of a reserve
}

// Lease begins the lease of a request from the address. It must be ended.
func (m *Memory) Lease(from netip.Addr) *Lease {
	m.mu.Lock()
	defer m.mu.Unlock()
	at := network(from)
	c := m.clients[at]
	if c == nil {
		c = &client{}
		m.clients[at] = c
	}
	c.requests++
	return &Lease{of: m, address: at, client: c}
}

// network is what counts as one client: of IPv6 a whole /64, of which each
// customer has at least one.
func network(a netip.Addr) netip.Addr {
	if a.Is6() && !a.Is4In6() {
		p, _ := a.Prefix(64) // 64 is a length that every IPv6 address has
		return p.Addr()
	}
	return a
}

// Grow takes n bytes more, or as many as one request may have, and waits for
// them. The error is a fault of the reason Overloaded.
func (l *Lease) Grow(ctx context.Context, n int64) error {
	w := &waiter{lease: l, n: min(n, l.of.most-l.held), got: make(chan struct{})}
	if l.of.take(w) {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, maxWait)
	defer cancel()
	select {
	case <-w.got:
		return nil
	case <-ctx.Done():
	}
	if l.of.leave(w) {
		return fault.Wrap(fault.Overloaded, ctx.Err())
	}
	return nil // they came at the last moment
}

// End gives everything back.
func (l *Lease) End() {
	m := l.of
	m.mu.Lock()
	defer m.mu.Unlock()
	if l.reserve {
		m.reserves++
		l.client.reserve = false
	} else {
		m.free += l.held
		l.client.pooled -= l.held
	}
	l.held, l.reserve = 0, false
	if l.client.requests--; l.client.requests == 0 {
		delete(m.clients, l.address)
	}
	m.serve()
}

// take gives to the waiter or puts it in line, and reports which. Those in line
// already could not be given to.
func (m *Memory) take(w *waiter) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	free := m.free
	if !m.give(w.lease, w.n) {
		m.waiting = append(m.waiting, w)
		return false
	}
	if m.free > free {
		m.serve()
	}
	return true
}

// leave takes the waiter out of the line, and reports whether it was there.
func (m *Memory) leave(w *waiter) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	i := slices.Index(m.waiting, w)
	if i >= 0 {
		m.waiting = slices.Delete(m.waiting, i, i+1)
	}
	return i >= 0
}

// serve gives to those in line, the first first; it needs mu. It goes along
// the line again after a reserve was taken, for what its holder gave back.
func (m *Memory) serve() {
	for again := true; again; {
		again = false
		m.waiting = slices.DeleteFunc(m.waiting, func(w *waiter) bool {
			free := m.free
			if !m.give(w.lease, w.n) {
				return false
			}
			again = again || m.free > free
			close(w.got)
			return true
		})
	}
}

// give needs mu. It reports whether the lease got the bytes.
func (m *Memory) give(l *Lease, n int64) bool {
	c := l.client
	switch {
	case l.reserve:
	case n <= m.free && c.pooled+n <= m.share:
		m.free -= n
		c.pooled += n
	case m.reserves > 0 && !c.reserve:
		m.free += l.held
		c.pooled -= l.held
		m.reserves--
		l.reserve, c.reserve = true, true
	default:
		return false
	}
	l.held += n
	return true
}
