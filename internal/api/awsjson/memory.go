package awsjson

import (
	"context"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"

	"github.com/lighterage/lighterage/internal/fault"
)

// DefaultMemory is the budget when a Config names none: three of the largest
// layer parts at once, six of the usual ones.
const DefaultMemory = 64 << 20

// maxWait is how long a request waits for memory before it is told to come
// back. While it waits its body is not read, which slows its sender down.
const maxWait = 10 * time.Second

// memory is what all requests together may hold of blobs and long strings,
// and the buffers they share.
type memory struct {
	size    int64
	free    *semaphore.Weighted // first come, first served
	buffers sync.Pool           // *[bufferSize]byte
	chunks  sync.Pool           // *chunk

	mu     sync.Mutex
	shares map[netip.Addr]*share // of clients that have a request under way
}

// share is what the requests of one client address may hold together: half of
// the memory. A signature can only be checked when the body is there, so who
// knows no more than the id of a key can make requests that hold memory; they
// must not hold all of it.
type share struct {
	free     *semaphore.Weighted
	requests int
}

func newMemory(size int64) *memory {
	return &memory{
		size:    size,
		free:    semaphore.NewWeighted(size),
		shares:  map[netip.Addr]*share{},
		buffers: sync.Pool{New: func() any { return new([bufferSize]byte) }},
		chunks:  sync.Pool{New: func() any { return new(chunk) }},
	}
}

// lease is what one request holds of the memory.
type lease struct {
	of     *memory
	client netip.Addr
	share  *share
	held   int64
}

// lease begins a request's. It must be ended.
func (m *memory) lease(client netip.Addr) *lease {
	m.mu.Lock()
	defer m.mu.Unlock()
	s := m.shares[client]
	if s == nil {
		s = &share{free: semaphore.NewWeighted(m.size / 2)}
		m.shares[client] = s
	}
	s.requests++
	return &lease{of: m, client: client, share: s}
}

// end gives everything back.
func (l *lease) end() {
	l.shrink(0)
	l.of.mu.Lock()
	defer l.of.mu.Unlock()
	if l.share.requests--; l.share.requests == 0 {
		delete(l.of.shares, l.client)
	}
}

// grow takes n bytes more, or as many as the client may have. All that a
// value may need is taken before its first byte is read: requests that wait
// for more while they hold some would wait for each other. The error is a
// fault of the reason Overloaded.
func (l *lease) grow(ctx context.Context, n int64) error {
	n = min(n, l.of.size/2-l.held)
	ctx, cancel := context.WithTimeout(ctx, maxWait)
	defer cancel()
	if err := l.share.free.Acquire(ctx, n); err != nil {
		return fault.Wrap(fault.Overloaded, err)
	}
	if err := l.of.free.Acquire(ctx, n); err != nil {
		l.share.free.Release(n)
		return fault.Wrap(fault.Overloaded, err)
	}
	l.held += n
	return nil
}

// shrink gives back all but n bytes.
func (l *lease) shrink(n int64) {
	if n < l.held {
		l.of.free.Release(l.held - n)
		l.share.free.Release(l.held - n)
		l.held = n
	}
}
