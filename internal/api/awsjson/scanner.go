package awsjson

import (
	"io"
	"strconv"
	"unicode/utf8"

	"github.com/lighterage/lighterage/internal/fault"
)

const (
	headSize   = 4 << 10 // of the buffer that a body begins with
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
	account *account // of what is held of the text
	buf     []byte
	widen   func() ([]byte, error) // makes a larger buffer once buf was full; nil: it has been
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
		if s.w == len(s.buf) && s.widen != nil {
			wide, err := s.widen()
			if err != nil {
				return err
			}
			s.buf, s.widen = wide, nil
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
