package awsjson

import (
	"context"
	"net/netip"
	"sync"

	"github.com/lighterage/lighterage/internal/edge"
)

// DefaultMemory is the budget when a Config names none: three of the largest
// layer parts at once, six of the usual ones.
const DefaultMemory = 72 << 20

const (
	// largest is the most that one request may have: the largest part, its
	// last chunk and what else there is.
	largest = 20<<20 + 512<<10
	// unnoticed is what every request may have without taking it from the
	// budget: more than the usual ones need.
	unnoticed = 16 << 10
)

// memory is what all requests together may hold of what they sent, and the
// buffers they share.
type memory struct {
	budget  *edge.Memory
	heads   sync.Pool // *[headSize]byte
	buffers sync.Pool // *[bufferSize]byte
	chunks  sync.Pool // *chunk
}

func newMemory(size int64) *memory {
	return &memory{
		budget:  edge.NewMemory(size, largest),
		heads:   sync.Pool{New: func() any { return new([headSize]byte) }},
		buffers: sync.Pool{New: func() any { return new([bufferSize]byte) }},
		chunks:  sync.Pool{New: func() any { return new(chunk) }},
	}
}

// account is what one request holds of the memory.
type account struct {
	ctx   context.Context
	of    *memory
	lease *edge.Lease
	paid  int64 // what it may hold more before it takes more
}

// account begins a request's. It must be closed.
func (m *memory) account(ctx context.Context, client netip.Addr) *account {
	return &account{ctx: ctx, of: m, lease: m.budget.Lease(client), paid: unnoticed}
}

// charge is called before n bytes are held. It waits for memory; its error is
// a fault of the reason Overloaded.
func (a *account) charge(n int64) error {
	if a.paid -= n; a.paid >= 0 {
		return nil
	}
	more := (chunkSize - 1 - a.paid) / chunkSize * chunkSize
	if err := a.lease.Grow(a.ctx, more); err != nil {
		return err
	}
	a.paid += more
	return nil
}

// close gives everything back.
func (a *account) close() { a.lease.End() }
