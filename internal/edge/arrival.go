package edge

import (
	"errors"
	"io"
	"time"

	"github.com/lighterage/lighterage/internal/fault"
)

// A body that is held in memory must arrive at ArrivalRate. It may be behind
// by ArrivalGrace, at its start and whenever it falters.
const (
	ArrivalGrace = 15 * time.Second
	ArrivalRate  = 32 << 10 // bytes a second
)

// Arrival is a body that must arrive in time. Only the time in which it is
// read counts: that it waits for memory is not its sender's doing.
type Arrival struct {
	src  io.Reader
	now  func() time.Time
	left time.Duration // how much further it may fall behind
}

// NewArrival returns a request's body. If src is the one that the middleware
// watches, the clock is the middleware's, and from now on it may deliver
// nothing for no longer than the grace. Another without a clock has no limit.
func NewArrival(src io.Reader, now func() time.Time) *Arrival {
	if b, ok := src.(*body); ok {
		b.idle, now = min(b.idle, ArrivalGrace), b.x.clock
	}
	return &Arrival{src: src, now: now, left: ArrivalGrace}
}

var errLate = errors.New("body did not arrive in time")

// Read implements io.Reader. A body that is late is a fault of the reason
// BodyMalformed.
func (a *Arrival) Read(p []byte) (int, error) {
	if a.now == nil {
		return a.src.Read(p)
	}
	start := a.now()
	n, err := a.src.Read(p)
	if a.left -= a.now().Sub(start); a.left < 0 && err == nil {
		err = fault.Wrap(fault.BodyMalformed, errLate)
	}
	a.left = min(ArrivalGrace, a.left+time.Duration(n)*time.Second/ArrivalRate)
	return n, err
}
