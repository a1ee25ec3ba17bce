package audit

import (
	"fmt"
	"sync/atomic"
)

// Stats says how recording goes.
type Stats struct {
	Written int64 // events
	Failed  int64 // events that were not recorded
	Removed int64 // files removed to stay within the bound

	// Err is why the last event was not recorded; nil once one was again.
	// Whoever must not act unrecorded asks it before acting. The refusal is
	// an event too, and recording it clears Err once there is room.
	Err error
}

// tally counts for Stats. Its methods are safe for concurrent use.
type tally struct {
	ok, bad, removed atomic.Int64
	err              atomic.Pointer[error]
}

func (t *tally) written() {
	t.ok.Add(1)
	if t.err.Load() != nil {
		t.err.Store(nil)
	}
}

func (t *tally) failed(err error) error {
	err = fmt.Errorf("record in the audit trail: %w", err)
	t.bad.Add(1)
	t.err.Store(&err)
	return err
}

func (t *tally) stats() Stats {
	s := Stats{Written: t.ok.Load(), Failed: t.bad.Load(), Removed: t.removed.Load()}
	if err := t.err.Load(); err != nil {
		s.Err = *err
	}
	return s
}
