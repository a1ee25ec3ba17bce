package registry

import (
	"context"
	"time"

	"github.com/lighterage/lighterage/internal/fault"
)

const (
	// answersMax is how many bytes the long answers that are being made and
	// sent may take together.
	answersMax = 128 << 20
	// answerFree is the size up to which an answer need not ask, so that
	// ordinary ones never wait for long ones.
	answerFree = 256 << 10
	// answerWait is how long a long answer waits for its turn before the
	// client is told to come back.
	answerWait = 10 * time.Second
)

// HoldAnswer waits until an answer that takes n bytes of memory may be read,
// and returns what gives them back once it is sent; more than there is means
// all there is. It is called once for a request, with all that it will need:
// requests that wait for more while they hold some would wait for each other.
// Overloaded.
func (c *Catalogue) HoldAnswer(ctx context.Context, n int64) (release func(), err error) {
	if n <= answerFree {
		return func() {}, nil
	}
	n = min(n, answersMax)
	ctx, cancel := context.WithTimeout(ctx, answerWait)
	defer cancel()
	if err := c.answers.Acquire(ctx, n); err != nil {
		return nil, fault.Wrap(fault.Overloaded, err)
	}
	return func() { c.answers.Release(n) }, nil
}
