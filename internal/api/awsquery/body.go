package awsquery

import (
	"errors"
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

// read returns a request's whole body of at most limit bytes.
func read(w http.ResponseWriter, r *http.Request, limit int64, lease *edge.Lease) ([]byte, error) {
	form, err := lease.Read(w, r, edge.Held{Limit: limit, Free: unnoticed, Weight: formWeight})
	if _, tooLarge := errors.AsType[*http.MaxBytesError](err); tooLarge {
		return nil, &fault.Error{Reason: fault.BodyTooLarge, Limit: limit}
	}
	return form, err
}
