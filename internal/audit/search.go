package audit

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Query is a filter and the direction.
type Query struct {
	Filter
	OldestFirst bool
	Limit       int // events at most; 0 for all
}

// Summary says what a search has read.
type Summary struct {
	Found  int  // events that were given
	Read   int  // lines
	Broken int  // lines that had to be decoded and are no event
	More   bool // it stopped at the limit
}

// Search gives the events of the trail in dir that the query asks for, by time
// or its reverse, until yield returns false. The events of a family come as
// they were recorded. The trail may be written meanwhile, by this or another
// process.
func Search(ctx context.Context, dir string, q Query, yield func(Event) bool) (Summary, error) {
	if err := q.Check(); err != nil {
		return Summary{}, err
	}
	s := search{ctx: ctx, q: q, needles: [][]byte{needle(q.Principal), needle(q.Repository)}}
	err := s.all(dir, yield)
	if err != nil {
		err = fmt.Errorf("search the audit trail: %w", err)
	}
	return s.sum, err
}

// search is the state of one Search.
type search struct {
	ctx     context.Context
	q       Query
	needles [][]byte // what a line has if it has what the patterns ask for
	sum     Summary
}

// head is the next event of a family.
type head struct {
	event Event
	next  func() (Event, error, bool)
}

// all merges the families by time. What is read of each family is one event
// more than is given of it.
func (s *search) all(dir string, yield func(Event) bool) error {
	var heads []*head
	for _, family := range families {
		files, done, err := openAll(dir, family.base)
		if err != nil {
			return err
		}
		defer done()
		if !s.q.OldestFirst {
			slices.Reverse(files)
		}
		next, stop := iter.Pull2(s.events(files))
		defer stop()
		heads = append(heads, &head{next: next})
	}
	heads, err := advanced(heads, heads...)
	for err == nil && len(heads) > 0 {
		if s.q.Limit > 0 && s.sum.Found == s.q.Limit {
			s.sum.More = true
			return nil
		}
		first := slices.MinFunc(heads, func(a, b *head) int { return s.compare(&a.event, &b.event) })
		s.sum.Found++
		if !yield(first.event) {
			return nil
		}
		heads, err = advanced(heads, first)
	}
	return err
}

// advanced goes on with some of the heads, and leaves out those that are at
// their end.
func advanced(heads []*head, some ...*head) ([]*head, error) {
	for _, h := range slices.Clone(some) {
		event, err, ok := h.next()
		if err != nil {
			return nil, err
		}
		h.event = event
		if !ok {
			heads = slices.DeleteFunc(heads, func(other *head) bool { return other == h })
		}
	}
	return heads, nil
}

// compare says which of two events comes first. Within a second their ids say
// it, which begin with the time.
func (s *search) compare(a, b *Event) int {
	order := cmp.Or(a.Time.Compare(b.Time), strings.Compare(a.ID, b.ID))
	if s.q.OldestFirst {
		return order
	}
	return -order
}

// member is one file of a family.
type member struct {
	path string
	open *os.File // the current file, held so that its being renamed does no harm
	mod  time.Time
}

// openAll lists a family's files, oldest first. The current one is opened
// before the others are listed: if it gets its number in between it is seen
// twice, and counted once.
func openAll(dir, base string) ([]member, func(), error) {
	now, err := os.Open(filepath.Join(dir, current(base)))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, nil, err
	}
	done := func() { _ = now.Close() } // only read
	full, err := listClosed(dir, base)
	if err != nil {
		done()
		return nil, nil, err
	}
	var files []member
	for _, c := range full {
		path := filepath.Join(dir, numbered(base, c.number))
		info, err := os.Stat(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			done()
			return nil, nil, err
		}
		if now != nil {
			if same, err := now.Stat(); err == nil && os.SameFile(info, same) {
				break // what came after it is after the search began
			}
		}
		files = append(files, member{path: path, mod: info.ModTime()})
	}
	if now != nil {
		files = append(files, member{path: now.Name(), open: now})
	}
	return files, done, nil
}

// slack is more than the file system's clock may be behind the server's.
const slack = time.Hour

// beyond reports whether the file can hold nothing that is looked for: an event
// is written after its time, so a file last written before From has none.
func (q Query) beyond(m member) bool {
	return m.open == nil && !q.From.IsZero() && m.mod.Before(q.From.Add(-slack))
}

// events are those of files that are looked for. After an error there is none.
func (s *search) events(files []member) iter.Seq2[Event, error] {
	return func(yield func(Event, error) bool) {
		for _, file := range files {
			if s.q.beyond(file) {
				continue
			}
			stopped := false
			err := s.file(file, func(e Event) bool {
				stopped = !yield(e, nil)
				return !stopped
			})
			if stopped {
				return
			}
			if err != nil {
				yield(Event{}, err)
				return
			}
		}
	}
}

func (s *search) file(m member, yield func(Event) bool) error {
	file := m.open
	if file == nil {
		var err error
		file, err = os.Open(m.path)
		if errors.Is(err, fs.ErrNotExist) { // removed to stay within the bound
			return nil
		}
		if err != nil {
			return err
		}
		defer file.Close()
	}
	info, err := file.Stat()
	if err != nil {
		return err
	}
	end := info.Size()
	if m.open != nil {
		if end, err = ended(file, end); err != nil {
			return err
		}
	}
	read := backward
	if s.q.OldestFirst {
		read = forward
	}
	return read(file, end, func(text []byte) error {
		if err := s.ctx.Err(); err != nil {
			return err
		}
		if e, ok := s.line(text); ok && !yield(e) {
			return errStop
		}
		return nil
	})
}

// line looks at one line; nil is one too long to be an event.
func (s *search) line(text []byte) (Event, bool) {
	if text != nil && len(bytes.TrimSpace(text)) == 0 { // what ended a torn line
		return Event{}, false
	}
	s.sum.Read++
	if s.q.outOfTime(text) || text != nil && !containsAll(text, s.needles) {
		return Event{}, false
	}
	e, err := parse(text)
	if err != nil {
		s.sum.Broken++
		return Event{}, false
	}
	return e, s.q.Matches(&e)
}

// outOfTime spares decoding a line whose time says enough. The first eventTime
// of a line of ours is the event's: only the identity is before it, and in a
// string its quotes would be escaped.
func (f Filter) outOfTime(text []byte) bool {
	if f.From.IsZero() && f.To.IsZero() {
		return false
	}
	_, rest, ok := bytes.Cut(text, []byte(`"eventTime":"`))
	if !ok || len(rest) < len("2006-01-02T15:04:05Z") {
		return false
	}
	at, err := time.Parse(time.RFC3339, string(rest[:len("2006-01-02T15:04:05Z")]))
	if err != nil {
		return false
	}
	return !f.From.IsZero() && at.Before(f.From) || !f.To.IsZero() && !at.Before(f.To)
}

// needle returns the longest part of a pattern that stands for itself, and
// stands in a line as it is in the string. Decoding is most of a search's time.
func needle(pattern string) []byte {
	var longest string
	for part := range strings.FieldsFuncSeq(pattern, func(r rune) bool { return !plain(r) }) {
		if len(part) > len(longest) {
			longest = part
		}
	}
	return []byte(longest)
}

// plain reports whether JSON writes the character as it is, and a pattern
// means it as it is.
func plain(r rune) bool {
	return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || strings.ContainsRune("-_./:+=@", r)
}

func containsAll(text []byte, needles [][]byte) bool {
	for _, n := range needles {
		if !bytes.Contains(text, n) {
			return false
		}
	}
	return true
}
