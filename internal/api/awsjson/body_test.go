package awsjson_test

import (
	"io"
	"testing"
	"time"
)

// slow delivers a byte of white space a second, by the clock that it moves.
type slow struct {
	now time.Time
	n   int
}

func (s *slow) Read(p []byte) (int, error) {
	if s.n == 0 {
		return 0, io.EOF
	}
	s.n--
	s.now = s.now.Add(time.Second)
	return copy(p, " "), nil
}

func TestBodyMustArriveInTime(t *testing.T) {
	for _, tt := range []struct {
		name   string
		n      int
		length int64
		want   int
	}{
		{"in 30 seconds", 30, 30, 200},
		{"and not in 31", 31, 31, 400},
		{"a second more for each 64 KiB that it declares", 40, 640 << 10, 200},
		{"and no more", 41, 640 << 10, 400},
	} {
		t.Run(tt.name, func(t *testing.T) {
			client := &slow{now: noon, n: tt.n}
			s := &stand{clock: func() time.Time { return client.now }}
			r := request("Toy_20200101.Play", client)
			r.ContentLength = tt.length
			w := s.send(t, r)
			if w.Code != tt.want || (s.hash == "") != (tt.want == 400) {
				t.Errorf("got %d %s, proven over %q; want %d", w.Code, w.Body, s.hash, tt.want)
			}
		})
	}
}
