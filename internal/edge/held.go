package edge

import (
	"context"
	"io"
	"net/http"

	"github.com/lighterage/lighterage/internal/fault"
)

// Held says how a body is read into memory.
type Held struct {
	Limit  int64 // bytes
	Free   int64 // of the body's bytes, for which no memory is taken
	Weight int64 // bytes of memory that each byte of the body takes
}

// Read returns the whole body of a request. The lease grows as the body
// arrives, which it must do in time. A body that is too long is a
// *http.MaxBytesError, before it is read if it says so; the faults are of the
// reasons BodyMalformed and Overloaded.
func (l *Lease) Read(w http.ResponseWriter, r *http.Request, h Held) ([]byte, error) {
	if r.ContentLength > h.Limit {
		return nil, &http.MaxBytesError{Limit: h.Limit}
	}
	src := http.MaxBytesReader(w, io.NopCloser(NewArrival(r.Body, nil)), h.Limit)
	body := make([]byte, 0, min(h.Free, max(512, r.ContentLength+1)))
	for {
		n, err := src.Read(body[len(body):cap(body)])
		body = body[:len(body)+n]
		switch {
		case err == io.EOF:
			return body, nil
		case err != nil:
			if _, tooLarge := err.(*http.MaxBytesError); tooLarge {
				return nil, err
			}
			return nil, fault.Wrap(fault.BodyMalformed, err)
		case len(body) == cap(body):
			if body, err = l.widen(r.Context(), body, h); err != nil {
				return nil, err
			}
		}
	}
}

// widen returns a body with as much room again, but no more than it can need.
func (l *Lease) widen(ctx context.Context, body []byte, h Held) ([]byte, error) {
	size := min(2*int64(cap(body)), h.Limit+1)
	if size > h.Free {
		if err := l.Grow(ctx, h.Weight*(size-int64(cap(body)))); err != nil {
			return nil, err
		}
	}
	return append(make([]byte, 0, size), body...), nil
}
