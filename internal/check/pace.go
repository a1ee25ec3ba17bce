package check

import (
	"context"
	"time"
)

// pace holds reading to a number of bytes a second, from its beginning on:
// nothing that was not used is saved for later.
type pace struct {
	clock     func() time.Time
	perSecond int64
	next      time.Time // when there is room again
}

func newPace(clock func() time.Time, perSecond int64) *pace {
	return &pace{clock: clock, perSecond: perSecond, next: clock()}
}

// The bounds of what is read at a time.
const (
	chunkMax = 256 << 10
	chunkMin = 512
)

// chunk is how much is to be read at a time: what an eighth of a second has.
func (p *pace) chunk() int64 {
	if p.perSecond <= 0 {
		return chunkMax
	}
	return min(max(p.perSecond/8, chunkMin), chunkMax)
}

// take waits until so many bytes may have been read.
func (p *pace) take(ctx context.Context, bytes int64) error {
	if p.perSecond <= 0 || bytes <= 0 {
		return ctx.Err()
	}
	now := p.clock()
	if p.next.Before(now) {
		p.next = now
	}
	p.next = p.next.Add(time.Duration(float64(bytes) / float64(p.perSecond) * float64(time.Second)))
	timer := time.NewTimer(p.next.Sub(now))
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
