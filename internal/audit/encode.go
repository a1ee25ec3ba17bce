package audit

import (
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"
)

// What CloudTrail cuts, at CloudTrail's sizes. With them a line has a bound,
// whatever a client sends.
const (
	maxText     = 1 << 10   // of errorMessage, userAgent and any other text of the client's, in bytes
	maxElements = 100 << 10 // of requestParameters, responseElements and serviceEventDetails each; larger ones are left out
	maxItems    = 100       // of resources
)

// Version is the version of CloudTrail's record that Event has.
const Version = "1.11"

// line is what an event is written with, kept between events.
type line struct {
	buf []byte
	e   Event
}

var lines = sync.Pool{New: func() any { return &line{} }}

// release keeps the line for the next event, unless it has grown large.
func (l *line) release() {
	l.e = Event{}
	if cap(l.buf) <= 64<<10 {
		lines.Put(l)
	}
}

// encode returns the event as one line that ends in a line break; the caller
// releases it. The event itself is not changed. Parameters that are no JSON
// are left out: an event with less in it is better than none.
func encode(e *Event, now func() time.Time) (*line, error) {
	l := lines.Get().(*line)
	l.e = *e
	l.e.complete(now)
	l.e.cut()
	text, err := l.e.append(l.buf[:0])
	if err != nil {
		l.e.RequestParameters, l.e.ResponseElements, l.e.ServiceDetails = nil, nil, nil
		text, err = l.e.append(l.buf[:0])
	}
	if err != nil {
		l.release()
		return nil, fmt.Errorf("encode the audit event %s: %w", e.Name, err)
	}
	l.buf = text
	return l, nil
}

func (e *Event) complete(now func() time.Time) {
	if e.Version == "" {
		e.Version = Version
	}
	if e.ID == "" {
		e.ID = uuid.Must(uuid.NewV7()).String() // begins with the time: see search.compare
	}
	if e.Type == "" {
		e.Type = "AwsApiCall"
	}
	if e.Category == "" {
		e.Category = "Data"
		if e.ManagementEvent {
			e.Category = "Management"
		}
	}
	if e.Time.IsZero() {
		e.Time = now()
	}
	e.Time = e.Time.UTC().Truncate(time.Second)
}

func (e *Event) cut() {
	for _, s := range []*string{
		&e.ErrorMessage, &e.UserAgent, &e.SourceIP, &e.RequestID, &e.ErrorCode, &e.Name, &e.Source, &e.Region,
		&e.Identity.ARN, &e.Identity.PrincipalID, &e.Identity.AccessKeyID, &e.Identity.UserName,
	} {
		if len(*s) > maxText {
			*s = strings.ToValidUTF8((*s)[:maxText], "")
		}
	}
	for _, raw := range []*json.RawMessage{&e.RequestParameters, &e.ResponseElements, &e.ServiceDetails} {
		if len(*raw) > maxElements {
			*raw = nil
		}
	}
	if len(e.Resources) > maxItems {
		e.Resources = e.Resources[:maxItems]
	}
}

// parse reads one line. Members it does not know are left out.
func parse(text []byte) (Event, error) {
	var e Event
	if err := json.Unmarshal(text, &e); err != nil {
		return Event{}, err
	}
	if e.Name == "" || e.Time.IsZero() {
		return Event{}, errNoEvent
	}
	return e, nil
}
