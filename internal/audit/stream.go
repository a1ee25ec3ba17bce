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
		return s.tally.failed(err, s.clock())
	}
	defer l.release()
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.tally.mend(s.clock, s.write); err != nil {
		return s.tally.failed(err, s.clock())
	}
	if err := s.write(l.buf); err != nil {
		return s.tally.failed(err, s.clock())
	}
	s.tally.written()
	return nil
}

// Retry tries whether what could not be recorded can be again, and returns why
// not.
func (s *Stream) Retry() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.tally.mend(s.clock, s.write)
}

func (s *Stream) write(text []byte) error {
	if s.torn { // end the line that was begun
		if _, err := s.w.Write([]byte("\n")); err != nil {
			return err
		}
		s.torn = false
	}
	n, err := s.w.Write(text)
	if err != nil {
		s.torn = n > 0
	}
	return err
}

// Stats returns what was recorded since the stream was made.
func (s *Stream) Stats() Stats {
	var sum Stats
	s.tally.addTo(&sum)
	return sum
}
