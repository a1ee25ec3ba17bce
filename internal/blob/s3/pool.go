package s3

import (
	"context"
	"sync"
	"time"

	"github.com/lighterage/lighterage/internal/blob"
)

// buffers is how many parts the process keeps in memory: 64 MiB.
const buffers = 8

// restAfter is how long an upload must not have moved before one that waits
// takes its buffer, unless its bytes are in its tail object already.
const restAfter = time.Second

// pool hands out the buffers. The memory of those that nobody has is the
// garbage collector's.
type pool struct {
	tokens chan struct{}
	memory sync.Pool
}

func newPool() *pool {
	p := &pool{tokens: make(chan struct{}, buffers), memory: sync.Pool{New: func() any { b := make([]byte, partSize); return &b }}}
	for range buffers {
		p.tokens <- struct{}{}
	}
	return p
}

func (p *pool) give(b []byte) {
	b = b[:cap(b)]
	p.memory.Put(&b)
	p.tokens <- struct{}{}
}

func (p *pool) get() []byte { return (*p.memory.Get().(*[]byte))[:0] }

// take waits for an empty buffer. An upload that waits for a second one has its
// first on the way to S3, so that it comes back, or is told that this failed;
// those of uploads that rest are taken from them.
func (s *Store) take(ctx context.Context, own *flight) ([]byte, error) {
	var landed chan struct{}
	if own != nil {
		landed = own.done
	}
	select {
	case <-s.pool.tokens:
		return s.pool.get(), nil
	default:
	}
	s.reclaim(ctx, nil)
	look := time.NewTicker(restAfter)
	defer look.Stop()
	enough := time.NewTimer(patience)
	defer enough.Stop()
	for seen := s.steps(); ; {
		select {
		case <-s.pool.tokens:
			return s.pool.get(), nil
		case <-landed:
			if own.err != nil {
				return nil, own.err
			}
			landed = nil
		case <-enough.C:
			return nil, s.failure(blob.ErrUnavailable, "takes what is written too slowly")
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-look.C:
			s.reclaim(ctx, seen)
			seen = s.steps()
		}
	}
}

// steps tells how far each upload has moved.
func (s *Store) steps() map[*upload]int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make(map[*upload]int64, len(s.writers))
	for _, u := range s.writers {
		out[u] = u.steps.Load()
	}
	return out
}

// reclaim takes a buffer from an upload whose bytes its tail object has, or
// which has not moved since it was seen. An upload at work is not waited for.
func (s *Store) reclaim(ctx context.Context, seen map[*upload]int64) {
	for u, now := range s.steps() {
		before, known := seen[u]
		if !u.mu.TryLock() {
			continue
		}
		done := u.yield(ctx, known && before == now)
		u.mu.Unlock()
		if done {
			return
		}
	}
}
