package registry

import (
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/lighterage/lighterage/internal/digest"
	"github.com/lighterage/lighterage/internal/meta"
	"github.com/lighterage/lighterage/internal/name"
)

// recallMax bounds the answers that are remembered, in bytes.
const recallMax = 12 << 20

// recall gives an answer of the store again for as long as nothing at all is
// written to it: what it says is what the store would say. Most clients ask a
// registry far more often than they change it.
type recall struct {
	store meta.Store
	era   atomic.Pointer[era]
}

// era is what was answered at one of the store's moments.
type era struct {
	moment  int64
	answers sync.Map // question → answer
	room    atomic.Int64
}

// answer is what a question had. The value is not changed by anybody.
type answer[T any] struct {
	value T
	err   error     // nil, or that there is no such thing
	until time.Time // zero: as long as nothing is written
}

// The questions, each with its own type of answer.
type (
	imageQuestion struct { // Image
		key RepositoryKey
		ref Reference
	}
	layerQuestion struct { // Layer
		key RepositoryKey
		d   digest.Digest
	}
	promiseQuestion struct{ id meta.LayerID } // bool
	tagsQuestion    struct {                  // []name.Tag
		key   RepositoryKey
		after name.Tag
		limit int
	}
)

// Sizes of answers with their questions in memory, about, in bytes.
const (
	smallAnswer = 1 << 10
	tagAnswer   = 40 // of a tag in a list
)

// recalled answers from memory, or asks look, whose errors are those of the
// metadata store. size is what the answer takes in memory, in bytes.
func recalled[T any](r *recall, question any, now time.Time, look func() (answer[T], int, error)) (T, error) {
	moment, steady := r.store.Moment()
	if steady {
		if a, ok := recallAt[T](r, moment, question, now); ok {
			return a.value, a.err
		}
	}
	a, size, err := look()
	if err != nil && !errors.Is(err, meta.ErrNotFound) && !errors.Is(err, meta.ErrNoRepository) {
		return a.value, err
	}
	a.err = err
	if steady {
		remember(r, moment, question, a, size)
	}
	return a.value, err
}

func recallAt[T any](r *recall, moment int64, question any, now time.Time) (*answer[T], bool) {
	e := r.era.Load()
	if e == nil || e.moment != moment {
		return nil, false
	}
	found, ok := e.answers.Load(question)
	if !ok {
		return nil, false
	}
	a := found.(*answer[T])
	return a, a.until.IsZero() || now.Before(a.until)
}

// remember keeps the answer of a look that began when the store was at the
// moment. When there is no room left everything is forgotten.
func remember[T any](r *recall, moment int64, question any, a answer[T], size int) {
	if size > recallMax/16 {
		return
	}
	e := r.era.Load()
	if e == nil || e.moment != moment || e.room.Add(-int64(size)) < 0 {
		fresh := &era{moment: moment}
		fresh.room.Store(recallMax - int64(size))
		if !r.era.CompareAndSwap(e, fresh) {
			return
		}
		e = fresh
	}
	e.answers.Store(question, &a)
}
