package access

import (
	"context"
	"errors"
	"sync"

	"github.com/lighterage/lighterage/internal/policy"
)

// ErrTooCostly is the cause of a denial that is none by the policies: weighing
// them would take more than is given to a request.
var ErrTooCostly = errors.New("weighing the policies takes too much work")

// The steps, in policy's sense, of all evaluations for one question, and for
// all questions within one context of Together. Both are gone in milliseconds;
// the second lists tens of thousands of repositories by a usual policy.
const (
	questionSteps = 4 << 20
	togetherSteps = 16 << 20
)

// work is how much was done of what may be.
type work struct {
	mu    sync.Mutex
	steps int
}

type workKey struct{}

// Together returns a context within which decisions share a bound of the work
// that they are. It is for a request that asks about many resources.
func Together(ctx context.Context) context.Context {
	return context.WithValue(ctx, workKey{}, new(work))
}

// ask has the policies decide within what is left for the question.
func (q *question) ask(r policy.Request, p policy.Policies) policy.Decision {
	w, limit := &q.work, questionSteps
	if shared, ok := q.ctx.Value(workKey{}).(*work); ok {
		w, limit = shared, togetherSteps
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	r.Steps, r.Limit, r.Done = &w.steps, limit, q.ctx.Done()
	d := policy.Evaluate(r, p)
	q.costly = q.costly || d.TooCostly
	return d
}
