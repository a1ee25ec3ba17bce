package edge_test

import (
	"context"
	"math/rand/v2"
	"net/netip"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/lighterage/lighterage/internal/edge"
	"github.com/lighterage/lighterage/internal/fault"
)

var (
	one   = netip.MustParseAddr("192.0.2.1")
	two   = netip.MustParseAddr("192.0.2.2")
	three = netip.MustParseAddr("192.0.2.3")
)

// A memory of 100 with at most 30 a request: a pool of 40, of which a client
// may have 30, and two reserves of 30.
func TestWhatAClientMayHold(t *testing.T) {
	type grow struct {
		client netip.Addr
		n      int64
		ok     bool
	}
	for name, grows := range map[string][]grow{
		"all of the pool but a quarter, and a reserve": {{one, 30, true}, {one, 30, true}, {one, 1, false}},
		"another has the rest":                         {{one, 30, true}, {one, 30, true}, {two, 10, true}, {two, 30, true}, {two, 1, false}},
		"a third finds nothing":                        {{one, 30, true}, {one, 30, true}, {two, 10, true}, {two, 30, true}, {three, 1, false}},
		"no more than one request may have":            {{one, 99, true}, {one, 99, true}, {one, 1, false}},
		"of IPv6 a whole network is a client": {
			{netip.MustParseAddr("2001:db8::1"), 30, true}, {netip.MustParseAddr("2001:db8::2"), 30, true},
			{netip.MustParseAddr("2001:db8::3"), 1, false}, {netip.MustParseAddr("2001:db8:0:1::1"), 1, true},
		},
	} {
		t.Run(name, func(t *testing.T) {
			m := edge.NewMemory(100, 30)
			for i, g := range grows {
				ctx, cancel := context.WithCancel(t.Context())
				if !g.ok {
					cancel()
				}
				err := m.Lease(g.client).Grow(ctx, g.n)
				if (err == nil) != g.ok || err != nil && !fault.Is(err, fault.Overloaded) {
					t.Errorf("%d: %v", i, err)
				}
				cancel()
			}
		})
	}
}

// Without the reserves they would all wait for each other.
func TestManyThatGrowTogetherAllGetTheirTurn(t *testing.T) {
	for name, clients := range map[string][]netip.Addr{
		"of one client":    {one},
		"of three clients": {one, two, three},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := edge.NewMemory(100, 30)
				var all sync.WaitGroup
				for i := range 60 {
					all.Go(func() {
						l := m.Lease(clients[i%len(clients)])
						defer l.End()
						for range 30 {
							if err := l.Grow(t.Context(), 1); err != nil {
								t.Error(err)
								return
							}
							runtime.Gosched() // others come in between
						}
					})
				}
				all.Wait()
			})
		})
	}
}

// Of those that stall with all that one address can get, others notice little.
func TestAClientThatStallsLeavesTheOthersTheirTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := edge.NewMemory(100, 30)
		for range 60 { // as much as is given, one at a time
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			_ = m.Lease(one).Grow(ctx, 1)
		}
		var all sync.WaitGroup
		for range 20 {
			all.Go(func() {
				l := m.Lease(two)
				defer l.End()
				for range 30 {
					if err := l.Grow(t.Context(), 1); err != nil {
						t.Error(err)
						return
					}
				}
			})
		}
		all.Wait()
	})
}

func TestWhoGivesUpLeavesNothingBehind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := edge.NewMemory(99, 33)
		var all sync.WaitGroup
		for i := range 200 {
			all.Go(func() {
				l := m.Lease([]netip.Addr{one, two, three}[i%3])
				defer l.End()
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				for range rand.IntN(20) {
					if rand.IntN(10) == 0 {
						cancel()
					}
					if err := l.Grow(ctx, rand.Int64N(5)); err != nil {
						return
					}
				}
			})
		}
		all.Wait()
		// All of it is there again: two reserves, and the pool in two shares.
		for _, g := range []struct {
			client netip.Addr
			n      int64
		}{{one, 24}, {one, 33}, {two, 9}, {two, 33}} {
			if err := m.Lease(g.client).Grow(t.Context(), g.n); err != nil {
				t.Errorf("%d for %s: %v", g.n, g.client, err)
			}
		}
	})
}

func TestNobodyWaitsForEver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := edge.NewMemory(100, 30)
		for range 2 {
			if err := m.Lease(one).Grow(t.Context(), 30); err != nil {
				t.Fatal(err)
			}
		}
		if err := m.Lease(one).Grow(t.Context(), 1); !fault.Is(err, fault.Overloaded) {
			t.Errorf("got %v", err)
		}
	})
}
