package check

import (
	"context"
	"time"
)

// Pacer is pace.
type Pacer struct{ *pace }

// NewPace is newPace.
func NewPace(clock func() time.Time, perSecond int64) Pacer { return Pacer{newPace(clock, perSecond)} }

// Chunk is chunk.
func (p Pacer) Chunk() int64 { return p.chunk() }

// Take is take.
func (p Pacer) Take(ctx context.Context, bytes int64) error { return p.take(ctx, bytes) }
