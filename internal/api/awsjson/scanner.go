package awsjson

import (
	"bytes"
	"io"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/lighterage/lighterage/internal/fault"
)

const (
	bufferSize = 64 << 10
	maxDepth   = 32
	maxNumber  = 64 // bytes of a number's text
	maxName    = 256
)

// scanner reads JSON text (RFC 8259) from a stream, one token at a time and in
// a buffer of fixed size. Its errors are faults of the reason BodyMalformed,
// or what the stream's Read returned.
type scanner struct {
	src     io.Reader
	buf     []byte
	r, w    int
	end     error // what src returned last
	depth   int
	scratch []byte // of text; reused
	escaped [utf8.UTFMax]byte
}

// malformed is text that is not JSON: the protocol's answer has no message.
func malformed() error { return fault.New(fault.BodyMalformed) }

// refused is JSON that does not fit; the detail tells the client why.
func refused(detail string) error {
	return &fault.Error{Reason: fault.BodyMalformed, Detail: detail}
}

// fill reads more when all that was read is used up. It returns nil, or why
// there is no more; the end of the stream is io.EOF.
func (s *scanner) fill() error {
	for s.r == s.w {
		if s.end != nil {
			return s.end
		}
		var n int
		n, s.end = s.src.Read(s.buf)
		s.r, s.w = 0, n
	}
	return nil
}

// more is fill where the text cannot end.
func (s *scanner) more() error {
	err := s.fill()
	if err == io.EOF {
		return malformed()
	}
	return err
}

// peek passes over white space and returns the next byte without taking it.
func (s *scanner) peek() (byte, error) {
	for {
		if err := s.more(); err != nil {
			return 0, err
		}
		switch c := s.buf[s.r]; c {
		case ' ', '\t', '\n', '\r':
			s.r++
		default:
			return c, nil
		}
	}
}

// take passes over white space and takes one byte, which must be c.
func (s *scanner) take(c byte) error {
	got, err := s.peek()
	if err != nil {
		return err
	}
	if got != c {
		return malformed()
	}
	s.r++
	return nil
}

// atEnd reports whether nothing but white space is left.
func (s *scanner) atEnd() (bool, error) {
	for {
		if err := s.fill(); err == io.EOF {
			return true, nil
		} else if err != nil {
			return false, err
		}
		switch s.buf[s.r] {
		case ' ', '\t', '\n', '\r':
			s.r++
		default:
			return false, nil
		}
	}
}

// object takes an object, calling member after each name and its colon; member
// takes the value. The name is good until member reads on.
func (s *scanner) object(member func(name []byte) error) error {
	return s.list('{', '}', func() error {
		if err := s.take('"'); err != nil {
			return err
		}
		name, _, err := s.text(maxName)
		if err != nil {
			return err
		}
		if err := s.take(':'); err != nil {
			return err
		}
		return member(name)
	})
}

// array takes an array, calling element to take each of its values.
func (s *scanner) array(element func() error) error { return s.list('[', ']', element) }

func (s *scanner) list(open, shut byte, entry func() error) error {
	if err := s.take(open); err != nil {
		return err
	}
	if s.depth++; s.depth > maxDepth {
		return refused("Nesting deeper than " + strconv.Itoa(maxDepth))
	}
	c, err := s.peek()
	if err != nil {
		return err
	}
	for c != shut {
		if err := entry(); err != nil {
			return err
		}
		if c, err = s.peek(); err != nil {
			return err
		}
		if c == shut {
			break
		}
		if c != ',' {
			return malformed()
		}
		s.r++
		if c, err = s.peek(); err != nil {
			return err
		}
		if c == shut { // a comma before the end
			return malformed()
		}
	}
	s.r++
	s.depth--
	return nil
}

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

// number takes a number and returns its text, good until the next call.
func (s *scanner) number() (string, error) {
	s.scratch = s.scratch[:0]
	for {
		err := s.fill()
		if err == io.EOF {
			break
		}
		if err != nil {
			return "", err
		}
		c := s.buf[s.r]
		if (c < '0' || c > '9') && c != '-' && c != '+' && c != '.' && c != 'e' && c != 'E' {
			break
		}
		if s.scratch = append(s.scratch, c); len(s.scratch) > maxNumber {
			return "", refused("Number longer than " + strconv.Itoa(maxNumber) + " characters")
		}
		s.r++
	}
	if !isNumber(s.scratch) {
		return "", malformed()
	}
	return string(s.scratch), nil
}

// isNumber reports whether b is a number by JSON's grammar.
func isNumber(b []byte) bool {
	digits := func() bool {
		n := 0
		for n < len(b) && '0' <= b[n] && b[n] <= '9' {
			n++
		}
		b = b[n:]
		return n > 0
	}
	b = bytes.TrimPrefix(b, []byte("-"))
	if len(b) > 1 && b[0] == '0' && '0' <= b[1] && b[1] <= '9' {
		return false
	}
	if !digits() {
		return false
	}
	if len(b) > 0 && b[0] == '.' {
		b = b[1:]
		if !digits() {
			return false
		}
	}
	if len(b) > 0 && (b[0] == 'e' || b[0] == 'E') {
		b = b[1:]
		if len(b) > 0 && (b[0] == '+' || b[0] == '-') {
			b = b[1:]
		}
		if !digits() {
			return false
		}
	}
	return len(b) == 0
}

// literal takes one of true, false and null.
func (s *scanner) literal(word string) error {
	for _, c := range []byte(word) {
		if err := s.more(); err != nil {
			return err
		}
		if s.buf[s.r] != c {
			return malformed()
		}
		s.r++
	}
	return nil
}

// skip takes one value and keeps nothing of it. Strings in it are checked for
// JSON's syntax, not for UTF-8.
func (s *scanner) skip() error {
	c, err := s.peek()
	if err != nil {
		return err
	}
	switch tokenOf(c) {
	case tokenObject:
		return s.object(func([]byte) error { return s.skip() })
	case tokenArray:
		return s.array(s.skip)
	case tokenString:
		s.r++
		return s.pieces(plain, func([]byte) error { return nil })
	case tokenNumber:
		_, err := s.number()
		return err
	case tokenTrue:
		return s.literal("true")
	case tokenFalse:
		return s.literal("false")
	case tokenNull:
		return s.literal("null")
	}
	return malformed()
}

// token is the sort of a JSON value, told by its first byte.
type token uint8

const (
	tokenNone token = iota
	tokenObject
	tokenArray
	tokenString
	tokenNumber
	tokenTrue
	tokenFalse
	tokenNull
)

func tokenOf(c byte) token {
	switch c {
	case '{':
		return tokenObject
	case '[':
		return tokenArray
	case '"':
		return tokenString
	case 't':
		return tokenTrue
	case 'f':
		return tokenFalse
	case 'n':
		return tokenNull
	}
	if c == '-' || '0' <= c && c <= '9' {
		return tokenNumber
	}
	return tokenNone
}
