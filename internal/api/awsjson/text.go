package awsjson

import (
	"bytes"
	"slices"
	"unicode/utf16"
	"unicode/utf8"
)

// text takes a string whose opening quote was taken. The value is good until
// the next call. Of a value longer than limit bytes, whole is false and only
// some more than limit bytes are returned.
func (s *scanner) text(limit int) (value []byte, whole bool, err error) {
	s.scratch, whole = s.scratch[:0], true
	err = s.pieces(plain, func(piece []byte) error {
		if len(s.scratch) > limit {
			whole = false
			return nil
		}
		if need := len(s.scratch) + len(piece); need > cap(s.scratch) {
			size := max(need, 2*cap(s.scratch))
			if err := s.account.charge(int64(size - cap(s.scratch))); err != nil {
				return err
			}
			s.scratch = slices.Grow(s.scratch, size-len(s.scratch))
		}
		s.scratch = append(s.scratch, piece...)
		return nil
	})
	if err == nil && whole && !utf8.Valid(s.scratch) {
		err = malformed()
	}
	return s.scratch, whole && len(s.scratch) <= limit, err
}

// pieces takes a string whose opening quote was taken and hands on its value
// piece by piece, escapes resolved. cut returns how many bytes at the start of
// its argument stand for themselves; what it lets pass is the caller's to
// check.
func (s *scanner) pieces(cut func([]byte) int, yield func([]byte) error) error {
	for {
		if err := s.more(); err != nil {
			return err
		}
		if n := cut(s.buf[s.r:s.w]); n > 0 {
			piece := s.buf[s.r : s.r+n]
			s.r += n
			if err := yield(piece); err != nil {
				return err
			}
			continue
		}
		c := s.buf[s.r]
		s.r++
		switch c {
		case '"':
			return nil
		case '\\':
			piece, err := s.escape(s.escaped[:0])
			if err != nil {
				return err
			}
			if err := yield(piece); err != nil {
				return err
			}
		default: // a control character
			return malformed()
		}
	}
}

// plain is the cut of ordinary strings.
func plain(b []byte) int {
	for i, c := range b {
		if c == '"' || c == '\\' || c < ' ' {
			return i
		}
	}
	return len(b)
}

// plainBytes is the cut of strings whose alphabet has no control characters
// anyway: the faster search.
func plainBytes(b []byte) int {
	if i := bytes.IndexByte(b, '"'); i >= 0 {
		b = b[:i]
	}
	if i := bytes.IndexByte(b, '\\'); i >= 0 {
		b = b[:i]
	}
	return len(b)
}

// escape appends what an escape stands for; its backslash was taken. Half of a
// surrogate pair stands for nothing in UTF-8 and is refused.
func (s *scanner) escape(to []byte) ([]byte, error) {
	if err := s.more(); err != nil {
		return nil, err
	}
	c := s.buf[s.r]
	s.r++
	switch c {
	case '"', '\\', '/':
		return append(to, c), nil
	case 'b':
		return append(to, '\b'), nil
	case 'f':
		return append(to, '\f'), nil
	case 'n':
		return append(to, '\n'), nil
	case 'r':
		return append(to, '\r'), nil
	case 't':
		return append(to, '\t'), nil
	case 'u':
	default:
		return nil, malformed()
	}
	r, err := s.hex4()
	if err != nil {
		return nil, err
	}
	if utf16.IsSurrogate(r) {
		for _, c := range []byte(`\u`) {
			if err := s.more(); err != nil {
				return nil, err
			}
			if s.buf[s.r] != c {
				return nil, malformed()
			}
			s.r++
		}
		low, err := s.hex4()
		if err != nil {
			return nil, err
		}
		if r = utf16.DecodeRune(r, low); r == utf8.RuneError {
			return nil, malformed()
		}
	}
	return utf8.AppendRune(to, r), nil
}

func (s *scanner) hex4() (rune, error) {
	var r rune
	for range 4 {
		if err := s.more(); err != nil {
			return 0, err
		}
		c := s.buf[s.r]
		s.r++
		switch {
		case '0' <= c && c <= '9':
			c -= '0'
		case 'a' <= c && c <= 'f':
			c -= 'a' - 10
		case 'A' <= c && c <= 'F':
			c -= 'A' - 10
		default:
			return 0, malformed()
		}
		r = r<<4 | rune(c)
	}
	return r, nil
}
