package throttle_test

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lighterage/lighterage/internal/throttle"
)

// watch is a clock that a test moves.
type watch struct{ at time.Time }

func (w *watch) now() time.Time       { return w.at }
func (w *watch) pass(d time.Duration) { w.at = w.at.Add(d) }
func addr(s string) netip.Addr        { return netip.MustParseAddr(s) }
func numbered(i int) netip.Addr {
	return netip.AddrFrom4([4]byte(binary.BigEndian.AppendUint32(nil, uint32(i)+10<<24)))
}
func few(c throttle.Config) throttle.Config { // rates that tests can count
	c.Pair = throttle.Rate{Burst: 3, Every: 10 * time.Second}
	c.Address = throttle.Rate{Burst: 6, Every: 5 * time.Second}
	c.Network = throttle.Rate{Burst: 12, Every: time.Second}
	return c
}

func limiter(t testing.TB, c throttle.Config) (*throttle.Limiter, *watch) {
	t.Helper()
	w := &watch{time.Date(2026, 3, 14, 12, 0, 0, 0, time.UTC)}
	c.Clock = w.now
	l, err := throttle.New(c)
	if err != nil {
		t.Fatal(err)
	}
	return l, w
}

// guess fails until it is refused, at most n times, and returns how often.
func guess(l *throttle.Limiter, n int, from netip.Addr, key func(i int) string) int {
	for i := range n {
		if _, ok := l.Allow(from, key(i)); !ok {
			return i
		}
		l.Failed(from, key(i))
	}
	return n
}

func one(key string) func(int) string { return func(int) string { return key } }
func many(i int) string               { return fmt.Sprint("AKIA", i) }

func allowed(l *throttle.Limiter, from netip.Addr, key string) bool {
	_, ok := l.Allow(from, key)
	return ok
}

func TestOneKeyAtOneAddress(t *testing.T) {
	l, w := limiter(t, few(throttle.Config{}))
	a := addr("192.0.2.1")
	if n := guess(l, 100, a, one("alice")); n != 3 {
		t.Fatalf("%d guesses at once, want 3", n)
	}
	if retry, ok := l.Allow(a, "alice"); ok || retry != 10*time.Second {
		t.Errorf("allowed %t, again in %v; want 10s", ok, retry)
	}
	if !allowed(l, a, "bob") || !allowed(l, addr("192.0.2.2"), "alice") {
		t.Error("another key, or another address, is refused too")
	}
	w.pass(9999 * time.Millisecond)
	if allowed(l, a, "alice") {
		t.Error("allowed too early")
	}
	w.pass(time.Millisecond)
	if n := guess(l, 100, a, one("alice")); n != 1 {
		t.Errorf("%d guesses after the time of one", n)
	}
	w.pass(time.Hour)
	if n := guess(l, 100, a, one("alice")); n != 3 {
		t.Errorf("%d guesses after an hour, want the burst and no more", n)
	}
}

func TestManyKeysAtOneAddress(t *testing.T) {
	l, w := limiter(t, few(throttle.Config{}))
	a := addr("192.0.2.1")
	if n := guess(l, 100, a, many); n != 6 {
		t.Fatalf("%d guesses at once, want 6", n)
	}
	if retry, ok := l.Allow(a, "new"); ok || retry != 5*time.Second {
		t.Errorf("allowed %t, again in %v; want 5s", ok, retry)
	}
	if !allowed(l, addr("192.0.2.2"), "new") {
		t.Error("the neighbour is refused too")
	}
	w.pass(30 * time.Second)
	if n := guess(l, 100, a, many); n != 6 {
		t.Errorf("%d guesses when all is forgiven, want 6", n)
	}
}

func TestNobodyIsShutOutForLonger(t *testing.T) {
	l, w := limiter(t, few(throttle.Config{}))
	a := addr("192.0.2.1")
	for range 10000 { // all were under way when the first had failed
		l.Failed(a, "alice")
	}
	w.pass(30 * time.Second)
	if n := guess(l, 100, a, one("alice")); n != 3 {
		t.Errorf("%d guesses after the longest time, want 3", n)
	}
}

func TestWhatCountsAsOneAddress(t *testing.T) {
	for name, tt := range map[string]struct {
		failing, other string
		same           bool
	}{
		"the same":                        {"192.0.2.1", "192.0.2.1", true},
		"the next":                        {"192.0.2.1", "192.0.2.2", false},
		"IPv4 written in IPv6":            {"192.0.2.1", "::ffff:192.0.2.1", true},
		"another, written in IPv6":        {"192.0.2.1", "::ffff:192.0.2.2", false},
		"hosts of one IPv6 /64":           {"2001:db8:0:1::1", "2001:db8:0:1:ffff:ffff:ffff:ffff", true},
		"another IPv6 /64":                {"2001:db8:0:1::1", "2001:db8:0:2::1", false},
		"a zone":                          {"fe80::1%eth0", "fe80::1%eth1", true},
		"IPv6 of the same first bytes":    {"0.0.0.0", "::", false},
		"an IPv4 and its look-alike IPv6": {"192.0.2.1", "c000:201::", false},
	} {
		l, _ := limiter(t, few(throttle.Config{}))
		guess(l, 100, addr(tt.failing), many)
		if got := !allowed(l, addr(tt.other), "new"); got != tt.same {
			t.Errorf("%s: refused %t, want %t", name, got, tt.same)
		}
	}
	l, _ := limiter(t, few(throttle.Config{}))
	if n := guess(l, 100, netip.Addr{}, many); n != 6 {
		t.Errorf("no address at all: %d guesses, want 6", n)
	}
}

func TestASubscriberWithManyNetworks(t *testing.T) {
	l, _ := limiter(t, few(throttle.Config{}))
	total := 0
	for i := range 1000 {
		b := addr("2001:db8:7::1").As16()
		binary.BigEndian.PutUint16(b[6:], uint16(i))
		total += guess(l, 100, netip.AddrFrom16(b), many)
	}
	if total != 12 {
		t.Errorf("%d guesses from one /48, want 12", total)
	}
	if !allowed(l, addr("2001:db8:8::1"), "new") {
		t.Error("the next /48 is refused too")
	}
}

func TestAKnownPairBehindANoisyAddress(t *testing.T) {
	l, w := limiter(t, few(throttle.Config{}))
	nat := addr("192.0.2.1")
	l.Succeeded(nat, "alice")
	guess(l, 100, nat, many)
	if allowed(l, nat, "bob") {
		t.Fatal("the address is not refused")
	}
	if !allowed(l, nat, "alice") {
		t.Error("alice, who logged in before, is refused for what others did")
	}
	if n := guess(l, 100, nat, one("alice")); n != 3 {
		t.Errorf("%d guesses at alice's key, want 3", n)
	}
	l.Succeeded(nat, "alice")
	if allowed(l, nat, "alice") {
		t.Error("a success forgives guesses")
	}

	w.pass(throttle.KnownFor - time.Second)
	guess(l, 100, nat, many)
	if !allowed(l, nat, "alice") {
		t.Error("alice is forgotten early")
	}
	w.pass(time.Second)
	guess(l, 100, nat, many)
	if allowed(l, nat, "alice") {
		t.Error("alice is known for ever")
	}
}

func TestOneGoodKeyBuysNoGuesses(t *testing.T) {
	l, _ := limiter(t, few(throttle.Config{}))
	a := addr("192.0.2.1")
	n := 0
	for i := range 100 {
		l.Succeeded(a, "mallory")
		n += guess(l, 1, a, func(int) string { return many(i) })
	}
	if n != 6 {
		t.Errorf("%d guesses between good log-ins, want 6", n)
	}
}

// TestManyAddressesPushNobodyOut fails from more addresses than there are
// cells: the one that was refused stays so.
func TestManyAddressesPushNobodyOut(t *testing.T) {
	l, w := limiter(t, few(throttle.Config{Cells: 1 << 10, Known: 1 << 10}))
	hot := addr("192.0.2.1")
	guess(l, 100, hot, many)
	guess(l, 100, hot, one("alice"))
	for i := range 20000 {
		l.Failed(numbered(i), "x")
	}
	if allowed(l, hot, "new") || allowed(l, hot, "alice") {
		t.Error("what the address had done is forgotten")
	}
	w.pass(time.Minute)
	if !allowed(l, hot, "new") || !allowed(l, addr("198.51.100.1"), "bob") {
		t.Error("what they did is not forgiven in time")
	}
}

// TestInnocentAddresses counts whom an attack by many addresses at once hits.
func TestInnocentAddresses(t *testing.T) {
	l, _ := limiter(t, throttle.Config{})
	for i := range 5000 {
		guess(l, 100, numbered(i), many)
	}
	refused := 0
	for i := range 10000 {
		if !allowed(l, numbered(1<<20+i), "alice") {
			refused++
		}
	}
	if refused > 50 { // expected: (5000/32768)⁴ or so, 5 of 10,000
		t.Errorf("%d of 10000 innocent addresses are refused", refused)
	}
}

func TestFailuresAtOnceAllCount(t *testing.T) {
	l, _ := limiter(t, throttle.Config{Address: throttle.Rate{Burst: 1000, Every: time.Second}, Pair: throttle.Rate{Burst: 1000, Every: time.Second}})
	a := addr("192.0.2.1")
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 124 { // 992 in all
				l.Failed(a, "alice")
				l.Allow(a, "alice")
				l.Succeeded(a, "bob")
			}
		})
	}
	wg.Wait()
	if n := guess(l, 100, a, one("alice")); n != 8 {
		t.Errorf("%d guesses are left of 1000 after 992", n)
	}
}

func TestAllowAllocatesNothing(t *testing.T) {
	l, _ := limiter(t, throttle.Config{})
	a, key := addr("2001:db8::1"), "AKIAIOSFODNN7EXAMPLE"
	l.Succeeded(a, key)
	if n := testing.AllocsPerRun(1000, func() {
		l.Allow(a, key)
		l.Allow(a, "other")
		l.Failed(a, key)
		l.Succeeded(a, key)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestConfigsThatAreRefused(t *testing.T) {
	good := throttle.Rate{Burst: 1, Every: time.Second}
	for name, c := range map[string]throttle.Config{
		"no burst":       {Pair: throttle.Rate{Every: time.Second}},
		"no time":        {Address: throttle.Rate{Burst: 1}},
		"a time too far": {Network: throttle.Rate{Burst: 1, Every: 25 * time.Hour}},
		"negative cells": {Pair: good, Cells: -1},
		"too many cells": {Pair: good, Cells: 1<<24 + 1},
		"negative known": {Pair: good, Known: -1},
	} {
		c.Clock = time.Now
		if l, err := throttle.New(c); err == nil || l != nil {
			t.Errorf("%s: made a limiter", name)
		}
	}
}

func BenchmarkAllow(b *testing.B) {
	l, err := throttle.New(throttle.Config{Clock: time.Now})
	if err != nil {
		b.Fatal(err)
	}
	var turn atomic.Int64
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		a := numbered(int(turn.Add(1)))
		for pb.Next() {
			l.Allow(a, "AKIAIOSFODNN7EXAMPLE")
		}
	})
}
