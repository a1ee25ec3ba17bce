package audit

import (
	"io"
	"sync"
	"time"
)

// Stream writes events as lines to a writer, such as standard output. Whoever
// reads the other end keeps them; nothing can be searched here. Its methods
// are safe for concurrent use.
type Stream struct {
	mu    sync.Mutex
	w     io.Writer
	clock func() time.Time
	torn  bool
	tally tally
}

// NewStream returns a stream onto w. A w that blocks holds up whoever calls.
func NewStream(w io.Writer, clock func() time.Time) *Stream {
	return &Stream{w: w, clock: clock}
}

// Record writes the event as one line, with one Write.
func (s *Stream) Record(e *Event) error {
	l, err := encode(e, s.clock)
	if err != nil {
		return s.tally.failed(err)
	}
	defer l.release()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.torn { // end the line that was begun
		if _, err := s.w.Write([]byte("\n")); err != nil {
			return s.tally.failed(err)
		}
		s.torn = false
	}
	n, err := s.w.Write(l.buf)
	if err != nil {
		s.torn = n > 0
		return s.tally.failed(err)
	}
	s.tally.written()
	return nil
}

// Stats returns what was recorded since the stream was made.
func (s *Stream) Stats() Stats { return s.tally.stats() }
