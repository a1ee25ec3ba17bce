// Package rate holds the calls of an account in a region to a number a second,
// each action by itself, as Amazon ECR does (user guide, service quotas).
//
//  1. An account that rests for a second may then do as many calls at once as it
//     has in a second, and never more: ECR publishes no other burst.
//  2. What one account does in one region takes nothing from another.
//  3. Memory is bounded by the calls of the last seconds: who rested for one is
//     forgotten, because that is the same as never having called.
//  4. An action without a rate costs one look-up in a map that nobody changes.
//
// A limiter counts the calls of its process. Several processes before one
// database allow as many times the rate.
package rate

import (
	"math"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/lighterage/lighterage/internal/fault"
	"github.com/lighterage/lighterage/internal/name"
)

// Limiter counts calls. Its methods are safe for concurrent use.
type Limiter struct {
	clock     func() time.Time
	perSecond map[string]int64 // by action; never changed

	mu      sync.Mutex
	buckets map[subject]*rate.Limiter
	sweepAt int // buckets
}

// subject is whose calls of what are counted together.
type subject struct {
	account name.AccountID
	region  name.Region
	action  string
}

// sweepLeast is how many buckets there are before any is looked for to forget.
const sweepLeast = 1024

// New returns a limiter of the rates, which are calls a second by IAM action.
// An action that is not named, or has the rate 0, is not limited.
func New(clock func() time.Time, perSecond map[string]int64) *Limiter {
	limited := map[string]int64{}
	for action, n := range perSecond {
		if n > 0 {
			limited[action] = min(n, math.MaxInt32)
		}
	}
	return &Limiter{clock: clock, perSecond: limited, buckets: map[subject]*rate.Limiter{}, sweepAt: sweepLeast}
}

// Take counts a call, unless it is one too many: then it returns Overloaded,
// with the time after which there will be room for it.
func (l *Limiter) Take(account name.AccountID, region name.Region, action string) error {
	n, limited := l.perSecond[action]
	if !limited {
		return nil
	}
	s := subject{account, region, action}
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.clock()
	b := l.buckets[s]
	if b == nil {
		l.sweep(now)
		b = rate.NewLimiter(rate.Limit(n), int(n))
		l.buckets[s] = b
	}
	place := b.ReserveN(now, 1)
	wait := place.DelayFrom(now)
	if wait == 0 {
		return nil
	}
	place.CancelAt(now)
	return &fault.Error{Reason: fault.Overloaded, Account: string(account), Action: action, Quota: "calls a second", Limit: n, RetryAfter: wait}
}

// sweep forgets who has rested, before there are twice as many as were left the
// last time; mu is held.
func (l *Limiter) sweep(now time.Time) {
	if len(l.buckets) < l.sweepAt {
		return
	}
	for s, b := range l.buckets {
		if b.TokensAt(now) >= float64(b.Burst()) {
			delete(l.buckets, s)
		}
	}
	l.sweepAt = max(sweepLeast, 2*len(l.buckets))
}
