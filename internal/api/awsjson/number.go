package awsjson

import (
	"bytes"
	"io"
	"strconv"
)

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
