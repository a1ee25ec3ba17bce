package awsjson

import (
	"context"
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
}

func newMemory(size int64) *memory {
	return &memory{
		size:    size,
		free:    semaphore.NewWeighted(size),
		buffers: sync.Pool{New: func() any { return new([bufferSize]byte) }},
		chunks:  sync.Pool{New: func() any { return new(chunk) }},
	}
}

// lease is one request's share of the memory.
type lease struct {
	of   *memory
	held int64
}

// grow takes n bytes more, or as many as there are altogether. All that a
// value may need is taken before its first byte is read: requests that wait
// for more while they hold some would wait for each other. The error is a
// fault of the reason Overloaded.
func (l *lease) grow(ctx context.Context, n int64) error {
	n = min(n, l.of.size-l.held)
	ctx, cancel := context.WithTimeout(ctx, maxWait)
	defer cancel()
	if err := l.of.free.Acquire(ctx, n); err != nil {
		return fault.Wrap(fault.Overloaded, err)
	}
	l.held += n
	return nil
}

// shrink gives back all but n bytes.
func (l *lease) shrink(n int64) {
	if n < l.held {
		l.of.free.Release(l.held - n)
		l.held = n
	}
}
