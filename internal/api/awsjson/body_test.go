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
		{"in 15 seconds", 15, 15, 200},
		{"and not in 16", 16, 16, 400},
		{"whatever it declares", 16, 1 << 20, 400},
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
