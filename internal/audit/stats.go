package audit

import (
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"
)

// Stats says how recording goes.
type Stats struct {
	Written int64 // events
	Failed  int64 // events that were not recorded
	Removed int64 // files removed to stay within the bound

	// Err is why events are not recorded; nil once they are again. Whoever
	// must not act unrecorded asks it before acting, and Retry if it is set.
	Err error
}

// tally counts for Stats, and for what the trail says of its gaps. Its methods
// are safe for concurrent use.
type tally struct {
	mu          sync.Mutex
	sum         Stats
	lost        int64 // events since the last gap was told
	first, last time.Time
}

func (t *tally) written() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.sum.Written++
}

func (t *tally) removed() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.sum.Removed++
}

func (t *tally) failed(err error, now time.Time) error {
	err = fmt.Errorf("record in the audit trail: %w", err)
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.lost == 0 {
		t.first = now
	}
	t.lost++
	t.last = now
	t.sum.Failed++
	t.sum.Err = err
	return err
}

func (t *tally) failing() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.sum.Err != nil
}

// mend says in the trail what could not be recorded before, if anything. Calls
// of it must not overlap.
func (t *tally) mend(clock func() time.Time, write func([]byte) error) error {
	if !t.failing() {
		return nil
	}
	e, count := t.gap()
	l, err := encode(e, clock)
	if err != nil {
		return err
	}
	defer l.release()
	if err := write(l.buf); err != nil {
		return err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.lost -= count; t.lost == 0 {
		t.sum.Err = nil
	}
	return nil
}

// gap is the event that says how many events are not in the trail.
func (t *tally) gap() (e *Event, count int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	parameters, _ := json.Marshal(map[string]any{ // of texts and a number, which have JSON
		"count": t.lost, "from": t.first.UTC().Format(time.RFC3339), "until": t.last.UTC().Format(time.RFC3339),
	})
	return &Event{
		Identity: Identity{Type: "AWSService"}, Source: "cloudtrail.amazonaws.com", Name: "AuditTrailGap", Type: "AwsServiceEvent",
		ErrorCode: "NotRecorded", ErrorMessage: fmt.Sprintf("%d events could not be recorded: %v", t.lost, errors.Unwrap(t.sum.Err)),
		RequestParameters: parameters, ManagementEvent: true,
	}, t.lost
}

// addTo adds to a sum of several.
func (t *tally) addTo(sum *Stats) {
	t.mu.Lock()
	defer t.mu.Unlock()
	sum.Written += t.sum.Written
	sum.Failed += t.sum.Failed
	sum.Removed += t.sum.Removed
	if sum.Err == nil {
		sum.Err = t.sum.Err
	}
}
