package awsquery

import (
	"context"
	"errors"
	"io"
	"net/http"

	"github.com/lighterage/lighterage/internal/edge"
	"github.com/lighterage/lighterage/internal/fault"
)

const (
	maxBody = 1 << 20
	// maxUnsigned is enough to tell what an unsigned request is, and for the
	// largest token that one may bring.
	maxUnsigned = 64 << 10

	// formMemory is what all forms of a front may hold together. A form is
	// held as it came, as a text and as values, and grows by being copied.
	formMemory = 16 << 20
	formWeight = 4
	// unnoticed is the form that every request may have beyond that.
	unnoticed = 4 << 10
)

// read returns a request's whole body of at most limit bytes. Memory is taken
// as it arrives.
func read(w http.ResponseWriter, r *http.Request, limit int64, lease *edge.Lease) ([]byte, error) {
	if r.ContentLength > limit {
		return nil, &fault.Error{Reason: fault.BodyTooLarge, Limit: limit}
	}
	src := http.MaxBytesReader(w, io.NopCloser(edge.NewArrival(r.Body, nil)), limit)
	form := make([]byte, 0, min(unnoticed, max(512, r.ContentLength+1)))
	for {
		n, err := src.Read(form[len(form):cap(form)])
		form = form[:len(form)+n]
		if err == io.EOF {
			return form, nil
		}
		if _, tooLarge := errors.AsType[*http.MaxBytesError](err); tooLarge {
			return nil, &fault.Error{Reason: fault.BodyTooLarge, Limit: limit}
		}
		if err != nil {
			return nil, fault.Wrap(fault.BodyMalformed, err)
		}
		if len(form) == cap(form) {
			if form, err = widen(r.Context(), form, lease); err != nil {
				return nil, err
			}
		}
	}
}

// widen returns a form with as much room again.
func widen(ctx context.Context, form []byte, lease *edge.Lease) ([]byte, error) {
	size := 2 * cap(form)
	if size > unnoticed {
		if err := lease.Grow(ctx, formWeight*int64(size-cap(form))); err != nil {
			return nil, err
		}
	}
	return append(make([]byte, 0, size), form...), nil
}
