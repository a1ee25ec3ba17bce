package meta_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/lighterage/lighterage/internal/fault"
	"github.com/lighterage/lighterage/internal/meta"
)

func TestAStoresErrorHasAReason(t *testing.T) {
	tests := []struct {
		name string
		err  error
		want fault.Reason
	}{
		{"a full store", meta.ErrFull, fault.StoreFull},
		{"a store that is away", meta.ErrUnavailable, fault.StoreUnavailable},
		{"a commit whose outcome is not known", meta.ErrInDoubt, fault.StoreUnavailable},
		{"a client that left", context.Canceled, fault.Overloaded},
		{"a turn that did not come in time", context.DeadlineExceeded, fault.Overloaded},
		{"a store that is away when the client leaves", errors.Join(context.Canceled, meta.ErrUnavailable), fault.StoreUnavailable},
		{"a row that nobody looked for", meta.ErrNotFound, fault.Unexpected},
		{"a row in the way", meta.ErrExists, fault.Unexpected},
		{"a row that another needs", meta.ErrReferenced, fault.Unexpected},
		{"a repository that nobody looked for", meta.ErrNoRepository, fault.Unexpected},
		{"a row that changed", meta.ErrConflict, fault.Unexpected},
		{"anything else", errors.New("disk on fire"), fault.Unexpected},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for _, err := range []error{tt.err, fmt.Errorf("read a row: %w", tt.err)} {
				if got := meta.Reason(err); got != tt.want {
					t.Errorf("the reason of %v is %v, want %v", err, got, tt.want)
				}
				if got := meta.Fault(err); !fault.Is(got, tt.want) || !errors.Is(got, tt.err) {
					t.Errorf("the fault of %v is %v, want %v that wraps it", err, got, tt.want)
				}
			}
		})
	}
}

func TestTheFaultsOfTheRulesPassTheStore(t *testing.T) {
	if err := meta.Fault(nil); err != nil {
		t.Errorf("no error became %v", err)
	}
	said := fault.Wrap(fault.ImageNotFound, meta.ErrUnavailable)
	for _, err := range []error{said, fmt.Errorf("in a transaction: %w", said)} {
		if got := meta.Fault(err); got != err {
			t.Errorf("%v became %v", err, got)
		}
	}
}
