package meta

import (
	"context"
	"errors"

	"github.com/lighterage/lighterage/internal/fault"
)

// Reason returns the reason that a store's error has for a client.
func Reason(err error) fault.Reason {
	switch {
	case errors.Is(err, ErrFull):
		return fault.StoreFull
	case errors.Is(err, ErrUnavailable), errors.Is(err, ErrInDoubt):
		return fault.StoreUnavailable
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return fault.Overloaded // the client left while its turn had not come
	}
	return fault.Unexpected
}

// Fault returns the error of a transaction as a fault without subjects: what
// the rules inside it said as it is, the store's own with its Reason. It
// returns nil for nil.
func Fault(err error) error {
	if _, ok := errors.AsType[*fault.Error](err); ok || err == nil {
		return err
	}
	return fault.Wrap(Reason(err), err)
}
