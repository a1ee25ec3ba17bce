// Package throttle limits failed log-ins: for each client address, each network
// of addresses, and each pair of access key and address.
//
//  1. What failed too often is told to wait until time has paid its debt off. The
//     debt has a bound, so nobody has to for longer than Rate says.
//  2. Memory is allocated once, and never grows.
//  3. Nothing is forgotten before its time. There are no entries that an
//     attacker with many addresses could push out: debts are kept in sketches,
//     where strangers can only add to them. That so many fail at once that an
//     innocent address meets full cells in every row is the price; it errs to
//     refusal, and pairs that have logged in before are not concerned.
//  4. Allow costs the same for all, takes no lock and allocates nothing. Which
//     addresses share cells is a secret of the process.
//  5. A pair that has logged in lately is not refused for what others at its
//     address do: behind one NAT, one machine with an old password does not
//     shut out the office.
//
// How to use it: first look for the credential in the cache of those verified
// before. What is found there is let in unasked and not counted. Otherwise
// verify. Call Succeeded if the credential is good: it is let in, whatever Allow
// would say. If it is wrong call Allow, tell the client to wait if it says so,
// and else call Failed. An error of the server's own, such as a store that does
// not answer, is neither. So to verify must be cheap, and credentials too long
// to be guessed.
//
// Attempts under way are not counted until they have failed: counting them
// would refuse a fleet that starts at once behind one address. So the callers'
// limit of connections is how many may pass beyond the burst.
//
// What stays: whoever shares an address with a user, and knows the user's key
// id, can use up that pair. Then the user is told to wait where a mistake of
// its own is to be told; what is right is let in.
package throttle

import (
	"errors"
	"hash/maphash"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
)

// Rate is how often something may fail: Burst times at once, and again once for
// each Every that has passed. After Burst×Every all is forgiven.
type Rate struct {
	Burst int
	Every time.Duration
}

// full is the debt at which nothing more is allowed.
func (r Rate) full() time.Duration { return time.Duration(r.Burst) * r.Every }

// Config is what a Limiter is built from. The zero Rates and sizes stand for
// the defaults.
type Config struct {
	Clock   func() time.Time
	Pair    Rate // of one key at one address; 10, and 6 a minute
	Address Rate // of an IPv4 address or IPv6 /64; 60, and 30 a minute
	Network Rate // of an IPv6 /48, which one subscriber may have; 480, and 240 a minute
	Cells   int  // of each row, rounded up to a power of two; 32768, together 3 MiB
	Known   int  // pairs that have logged in, rounded likewise; 32768, together 512 KiB
}

// KnownFor is how long a pair counts as one that has logged in.
const KnownFor = 12 * time.Hour

// Limiter counts failures. Its methods are safe for concurrent use.
type Limiter struct {
	clock   func() time.Time
	start   time.Time
	seed    maphash.Seed
	pair    sketch
	address sketch
	network sketch
	known   known

	failing sync.Mutex // one failure at a time: two must not count as one
}

// New returns a limiter that knows nothing yet.
func New(c Config) (*Limiter, error) {
	if c.Pair == (Rate{}) {
		c.Pair = Rate{10, 10 * time.Second}
	}
	if c.Address == (Rate{}) {
		c.Address = Rate{60, 2 * time.Second}
	}
	if c.Network == (Rate{}) {
		c.Network = Rate{480, time.Second / 4}
	}
	if c.Cells == 0 {
		c.Cells = 1 << 15
	}
	if c.Known == 0 {
		c.Known = 1 << 15
	}
	for _, r := range []Rate{c.Pair, c.Address, c.Network} {
		if r.Burst < 1 || r.Every <= 0 || r.Every > 24*time.Hour || r.Burst > 1<<20 {
			return nil, errors.New("a rate of failed log-ins is 1 to 1048576 times, and one more within a day")
		}
	}
	if c.Cells < 1 || c.Cells > 1<<24 || c.Known < 1 || c.Known > 1<<24 {
		return nil, errors.New("the memory for failed log-ins is 1 to 16777216 cells")
	}
	return &Limiter{
		clock:   c.Clock,
		start:   c.Clock(),
		seed:    maphash.MakeSeed(),
		pair:    newSketch(c.Pair, c.Cells),
		address: newSketch(c.Address, c.Cells),
		network: newSketch(c.Network, c.Cells),
		known:   newKnown(c.Known),
	}, nil
}

// Allow reports whether the key may fail to log in from the address, and if not
// in how long it is worth trying again. key is what names the key, however
// wrong; the empty key is one as well.
func (l *Limiter) Allow(address netip.Addr, key string) (retry time.Duration, ok bool) {
	now := l.now()
	s := l.subject(address, key)
	if wait := l.pair.wait(s.pair, now); wait > 0 {
		return wait, false
	}
	if l.known.has(s.pair, now) {
		return 0, true
	}
	wait := l.address.wait(s.address, now)
	if s.within {
		wait = max(wait, l.network.wait(s.network, now))
	}
	return wait, wait == 0
}

// Failed counts a log-in that was verified and was wrong.
func (l *Limiter) Failed(address netip.Addr, key string) {
	now := l.now()
	s := l.subject(address, key)
	l.failing.Lock()
	defer l.failing.Unlock()
	l.pair.add(s.pair, now)
	l.address.add(s.address, now)
	if s.within {
		l.network.add(s.network, now)
	}
}

// Succeeded remembers that the key has logged in from the address. It forgives
// no debt: else whoever has one good key could guess at others without end.
func (l *Limiter) Succeeded(address netip.Addr, key string) {
	l.known.add(l.subject(address, key).pair, l.now())
}

// now is the time since the limiter was made, which a wall clock that is set
// back does not change.
func (l *Limiter) now() time.Duration { return l.clock().Sub(l.start) }

// subject is what a log-in is counted under: a hash each.
type subject struct {
	pair, address, network uint64
	within                 bool // a network is counted
}

// subject hashes with the process's seed. IPv4 in IPv6 is IPv4. Of an IPv6
// address the host chooses the last 64 bits, so they are left out.
func (l *Limiter) subject(address netip.Addr, key string) subject {
	address = address.Unmap().WithZone("")
	b := address.As16()
	host := b[:8]
	if !address.Is6() { // and what is no address, which is one subject
		host = b[:]
	}
	return subject{
		pair:    maphash.String(l.seed, key) ^ maphash.Bytes(l.seed, host)*spread,
		address: maphash.Bytes(l.seed, host),
		network: maphash.Bytes(l.seed, b[:6]),
		within:  address.Is6(),
	}
}

// spread makes the two parts of a pair differ, so that equal ones do not
// cancel. Odd, so that nothing is lost.
const spread = 0x9e3779b97f4a7c15

// sketch keeps the debt of any number of subjects in a fixed number of cells: a
// subject has a cell in each row, and its debt is the least of them. Others can
// make that too large, never too small (count-min, with conservative update).
type sketch struct {
	rate Rate
	mask uint64
	rows [rows][]atomic.Int64 // when the cell's debt is paid off, as now
}

const rows = 4

func newSketch(r Rate, cells int) sketch {
	s := sketch{rate: r, mask: uint64(power(cells) - 1)}
	for i := range s.rows {
		s.rows[i] = make([]atomic.Int64, s.mask+1)
	}
	return s
}

// power returns the least power of two that is not below n.
func power(n int) int {
	p := 1
	for p < n {
		p *= 2
	}
	return p
}

// cell returns the subject's cell of a row: each row takes other bits.
func (s *sketch) cell(row int, subject uint64) *atomic.Int64 {
	subject ^= subject >> 29
	subject *= spread + uint64(row)*0xbf58476d1ce4e5b8 // stays odd
	return &s.rows[row][subject>>32&s.mask]
}

// until returns when the subject's debt is paid off, at the earliest now.
func (s *sketch) until(subject uint64, now time.Duration) time.Duration {
	least := s.cell(0, subject).Load()
	for row := 1; row < rows; row++ {
		least = min(least, s.cell(row, subject).Load())
	}
	return max(time.Duration(least), now)
}

// wait returns how long it is until the subject may fail once more.
func (s *sketch) wait(subject uint64, now time.Duration) time.Duration {
	return max(0, s.until(subject, now)-now-s.rate.full()+s.rate.Every)
}

// add counts one failure. The caller lets no other in meanwhile.
func (s *sketch) add(subject uint64, now time.Duration) {
	until := min(s.until(subject, now)+s.rate.Every, now+s.rate.full())
	for row := range rows {
		if cell := s.cell(row, subject); cell.Load() < int64(until) {
			cell.Store(int64(until))
		}
	}
}
