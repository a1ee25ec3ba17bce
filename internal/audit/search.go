package audit

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Query is a filter, the direction, and where to begin.
type Query struct {
	Filter
	OldestFirst bool
	Limit       int      // events at most; 0 for all
	After       Position // of the last event of the page before; zero to begin
}

// Position is where an event stands in a trail. It stays valid while the trail
// grows, until its file is removed.
type Position struct {
	File   int64 `json:"file"`   // the number the file has, or will have when it is full
	Offset int64 `json:"offset"` // of the line's first byte
}

// Summary says what a search has read.
type Summary struct {
	Found  int      // events that were given
	Read   int      // lines
	Broken int      // lines that had to be decoded and are no event
	Last   Position // of the last event given
	More   bool     // it stopped at the limit
}

// Search gives the events of the trail in dir that the query asks for, in the
// order they were recorded or its reverse, until yield returns false. The
// trail may be written meanwhile, by this or another process.
func Search(ctx context.Context, dir string, q Query, yield func(Event) bool) (Summary, error) {
	if err := q.Check(); err != nil {
		return Summary{}, err
	}
	files, done, err := openAll(dir)
	if err != nil {
		return Summary{}, fmt.Errorf("search the audit trail: %w", err)
	}
	defer done()
	if !q.OldestFirst {
		slices.Reverse(files)
	}
	s := search{q: q, yield: yield, needles: [][]byte{needle(q.Principal), needle(q.Repository)}}
	for _, file := range files {
		if q.beyond(file) {
			continue
		}
		if err := s.file(ctx, file); err != nil {
			return s.sum, fmt.Errorf("search the audit trail: %w", err)
		}
		if s.stopped {
			break
		}
	}
	return s.sum, nil
}

// member is one file of the trail.
type member struct {
	path   string
	number int64
	open   *os.File // the current file, held so that its being renamed does no harm
	mod    time.Time
}

// openAll lists the trail's files, oldest first. The current one is opened
// before the others are listed: if it gets its number in between it is seen
// twice, and counted once.
func openAll(dir string) ([]member, func(), error) {
	now, err := os.Open(filepath.Join(dir, current))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, nil, err
	}
	done := func() { _ = now.Close() } // only read
	full, err := listClosed(dir)
	if err != nil {
		done()
		return nil, nil, err
	}
	var files []member
	last := int64(0)
	for _, c := range full {
		path := filepath.Join(dir, numbered(c.number))
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
		files = append(files, member{path: path, number: c.number, mod: info.ModTime()})
		last = c.number
	}
	if now != nil {
		files = append(files, member{path: now.Name(), number: last + 1, open: now})
	}
	return files, done, nil
}

// slack is more than the file system's clock may be behind the server's.
const slack = time.Hour

// beyond reports whether the file can hold nothing that is looked for: an event
// is written after its time, so a file last written before From has none.
func (q Query) beyond(m member) bool {
	if q.After != (Position{}) && m.number != q.After.File && (m.number < q.After.File) == q.OldestFirst {
		return true
	}
	return m.open == nil && !q.From.IsZero() && m.mod.Before(q.From.Add(-slack))
}

// search is the state of one Search.
type search struct {
	q       Query
	yield   func(Event) bool
	needles [][]byte // what a line has if it has what the patterns ask for
	sum     Summary
	stopped bool
}

func (s *search) file(ctx context.Context, m member) error {
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
	begin, end := int64(0), info.Size()
	if m.open != nil {
		if end, err = ended(file, end); err != nil {
			return err
		}
	}
	resumed := s.q.After.File == m.number && s.q.After != (Position{})
	read := backward
	switch {
	case s.q.OldestFirst && resumed:
		read, begin = forward, min(s.q.After.Offset, end)
	case s.q.OldestFirst:
		read = forward
	case resumed:
		end = min(s.q.After.Offset, end)
	}
	return read(file, begin, end, func(offset int64, text []byte) error {
		if s.stopped {
			return errStop
		}
		if resumed && s.q.OldestFirst && offset == s.q.After.Offset {
			return nil // given before
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		s.line(Position{m.number, offset}, text)
		return nil
	})
}

// line looks at one line; nil is one too long to be an event.
func (s *search) line(at Position, text []byte) {
	if text != nil && len(bytes.TrimSpace(text)) == 0 { // what ended a torn line
		return
	}
	s.sum.Read++
	if s.q.outOfTime(text) || text != nil && !containsAll(text, s.needles) {
		return
	}
	e, err := parse(text)
	if err != nil {
		s.sum.Broken++
		return
	}
	if !s.q.Matches(&e) {
		return
	}
	if s.q.Limit > 0 && s.sum.Found == s.q.Limit {
		s.sum.More, s.stopped = true, true
		return
	}
	s.sum.Found++
	s.sum.Last = at
	s.stopped = !s.yield(e)
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
