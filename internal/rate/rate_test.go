package rate_test

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lighterage/lighterage/internal/fault"
	"github.com/lighterage/lighterage/internal/name"
	"github.com/lighterage/lighterage/internal/rate"
)

// clock is a time that tests move.
type clock struct{ at atomic.Int64 }

func (c *clock) now() time.Time          { return time.Unix(1_800_000_000, c.at.Load()) }
func (c *clock) advance(d time.Duration) { c.at.Add(int64(d)) }

const (
	ours   = name.AccountID("123456789012")
	theirs = name.AccountID("210987654321")
	put    = "ecr:PutImage"
	get    = "ecr:BatchGetImage"
	list   = "ecr:ListImages"
)

// taken counts how many of n calls are let through.
func taken(t *testing.T, l *rate.Limiter, n int, account name.AccountID, region name.Region, action string) int {
	t.Helper()
	through := 0
	for range n {
		err := l.Take(account, region, action)
		if err == nil {
			through++
		} else if !fault.Is(err, fault.Overloaded) {
			t.Fatal(err)
		}
	}
	return through
}

func TestTake(t *testing.T) {
	type call struct {
		rest    time.Duration // before
		account name.AccountID
		region  name.Region
		action  string
		n, want int
	}
	const home, abroad = name.Region("us-east-1"), name.Region("eu-west-1")
	for _, test := range []struct {
		name  string
		calls []call
	}{
		{"a second's worth at once, and no more", []call{{0, ours, home, put, 30, 10}, {0, ours, home, put, 30, 0}}},
		{"another second, another second's worth", []call{{0, ours, home, put, 10, 10}, {time.Second, ours, home, put, 30, 10}}},
		{"one comes back after a tenth of it", []call{{0, ours, home, put, 10, 10}, {100 * time.Millisecond, ours, home, put, 30, 1}}},
		{"rest is not saved up", []call{{time.Hour, ours, home, put, 30, 10}}},
		{"what is refused costs nothing", []call{{0, ours, home, put, 500, 10}, {100 * time.Millisecond, ours, home, put, 1, 1}}},
		{"each action by itself", []call{{0, ours, home, put, 10, 10}, {0, ours, home, get, 30, 20}}},
		{"each account by itself", []call{{0, ours, home, put, 10, 10}, {0, theirs, home, put, 30, 10}}},
		{"each region by itself", []call{{0, ours, home, put, 10, 10}, {0, ours, abroad, put, 30, 10}}},
		{"an action without a rate is not limited", []call{{0, ours, home, list, 3000, 3000}}},
		{"a rate of zero is none", []call{{0, ours, home, "ecr:InitiateLayerUpload", 3000, 3000}}},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := &clock{}
			l := rate.New(c.now, map[string]int64{put: 10, get: 20, "ecr:InitiateLayerUpload": 0})
			for i, call := range test.calls {
				c.advance(call.rest)
				if got := taken(t, l, call.n, call.account, call.region, call.action); got != call.want {
					t.Errorf("step %d: %d of %d calls, want %d", i, got, call.n, call.want)
				}
			}
		})
	}
}

func TestARefusalSaysWhenToComeAgain(t *testing.T) {
	c := &clock{}
	l := rate.New(c.now, map[string]int64{put: 4})
	taken(t, l, 4, ours, "us-east-1", put)
	f := fault.Of(l.Take(ours, "us-east-1", put))
	if f == nil || f.Reason != fault.Overloaded || f.RetryAfter != 250*time.Millisecond || f.Limit != 4 || f.Action != put {
		t.Fatalf("refusal %+v", f)
	}
	c.advance(f.RetryAfter)
	if err := l.Take(ours, "us-east-1", put); err != nil {
		t.Errorf("when the time has come: %v", err)
	}
}

func TestWhoRestedIsForgotten(t *testing.T) {
	c := &clock{}
	l := rate.New(c.now, map[string]int64{put: 10})
	for i := range 100_000 {
		if err := l.Take(name.AccountID(fmt.Sprintf("%012d", i)), "us-east-1", put); err != nil {
			t.Fatal(err)
		}
		c.advance(time.Millisecond)
	}
	if n := l.Buckets(); n > 2048 {
		t.Errorf("%d accounts are remembered, of whom 100 called within the time that a call costs", n)
	}
}

func TestManyAtOnceGetNoMoreThanTheRate(t *testing.T) {
	c := &clock{}
	l := rate.New(c.now, map[string]int64{put: 100})
	var through atomic.Int64
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 100 {
				if l.Take(ours, "us-east-1", put) == nil {
					through.Add(1)
				}
			}
		})
	}
	all.Wait()
	if n := through.Load(); n != 100 {
		t.Errorf("%d of 800 calls, want 100", n)
	}
}
