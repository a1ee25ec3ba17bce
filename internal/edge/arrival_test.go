package edge_test

import (
	"errors"
	"io"
	"testing"
	"time"

	"github.com/lighterage/lighterage/internal/edge"
	"github.com/lighterage/lighterage/internal/fault"
)

// pieces delivers a piece at a time, each after a while by its own clock.
type pieces struct {
	now   time.Time
	size  int
	after []time.Duration
}

func (p *pieces) Read(b []byte) (int, error) {
	if len(p.after) == 0 {
		return 0, io.EOF
	}
	p.now = p.now.Add(p.after[0])
	p.after = p.after[1:]
	return min(p.size, len(b)), nil
}

func TestABodyMustKeepArriving(t *testing.T) {
	times := func(n int, d time.Duration) (all []time.Duration) {
		for range n {
			all = append(all, d)
		}
		return all
	}
	const second = time.Second
	for _, tt := range []struct {
		name  string
		size  int
		after []time.Duration
		late  bool
	}{
		{"a small one within the grace", 1, times(15, second), false},
		{"a small one beyond it", 1, times(16, second), true},
		{"a large one at the rate, for hours", edge.ArrivalRate, times(10_000, second), false},
		{"two shares of a line of a megabit a second", 61 << 10, times(440, second), false},
		{"one at half of the rate", edge.ArrivalRate / 2, times(40, second), true},
		{"one that falters now and then", edge.ArrivalRate, append(append([]time.Duration{14 * second}, times(30, second/2)...), 14*second), false},
		{"one that came fast and then stalls", 1 << 20, append(times(20, second/100), 16*second), true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			src := &pieces{now: time.Unix(0, 0), size: tt.size, after: tt.after}
			a := edge.NewArrival(src, func() time.Time { return src.now })
			var err error
			for buffer := make([]byte, 1<<20); err == nil; {
				_, err = a.Read(buffer)
			}
			if (err != io.EOF) != tt.late || tt.late && !fault.Is(err, fault.BodyMalformed) {
				t.Errorf("ended with %v", err)
			}
		})
	}
}

func TestTheTimeBetweenReadsIsNotTheSenders(t *testing.T) {
	src := &pieces{now: time.Unix(0, 0), size: 1, after: make([]time.Duration, 3)}
	a := edge.NewArrival(src, func() time.Time { return src.now })
	for range 3 {
		src.now = src.now.Add(time.Hour)
		if _, err := a.Read(make([]byte, 1)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := a.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
		t.Errorf("ended with %v", err)
	}
}
