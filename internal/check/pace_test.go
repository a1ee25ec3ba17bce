package check_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/lighterage/lighterage/internal/check"
)

// What is read a second is bounded, whatever is read; the clock is the bubble's.
func TestReadingKeepsToItsRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, rate := range []int64{1000, 100_000, 10_000_000} {
			began := time.Now()
			p := check.NewPace(time.Now, rate)
			read := int64(0)
			for read < 10*rate {
				read += p.Chunk()
				if err := p.Take(t.Context(), p.Chunk()); err != nil {
					t.Fatal(err)
				}
				if took := time.Since(began); float64(read) > float64(rate)*took.Seconds()+1 {
					t.Fatalf("%d bytes in %s are more than %d a second", read, took, rate)
				}
			}
			if took := time.Since(began); took > 11*time.Second {
				t.Errorf("%d bytes took %s", read, took)
			}
			<-time.After(time.Minute)
			if begins := time.Now(); p.Take(t.Context(), rate) != nil || time.Since(begins) < time.Second {
				t.Errorf("what was not read for a minute came at once")
			}
		}
		began := time.Now()
		if p := check.NewPace(time.Now, 0); p.Take(t.Context(), 1<<40) != nil || time.Since(began) != 0 {
			t.Error("without a rate it waits")
		}
	})
}

