package edge

import (
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"time"
)

// Connections bounds how many connections there are. Once half of them are
// taken, a client address may have no more than an eighth, but for trusted
// proxies, through which many come. Who is over is cut off at once.
type Connections struct {
	most    int
	trusted []netip.Prefix
	logger  *slog.Logger
	clock   func() time.Time

	mu     sync.Mutex
	open   map[net.Conn]netip.Addr
	by     map[netip.Addr]int
	warned time.Time
}

// warnEvery keeps who is cut off from filling the log.
const warnEvery = time.Minute

// NewConnections allows most at a time. Of the options it takes Trusted,
// Logger and Clock.
func NewConnections(most int, o Options) *Connections {
	return &Connections{most: most, trusted: o.Trusted, logger: o.Logger, clock: o.Clock, open: map[net.Conn]netip.Addr{}, by: map[netip.Addr]int{}}
}

// State is for http.Server.ConnState: so the connections stay what they are,
// and files go to them through the kernel.
func (l *Connections) State(c net.Conn, s http.ConnState) {
	switch s {
	case http.StateNew:
		if !l.admit(c) {
			_ = c.Close() // it is given up anyway
		}
	case http.StateClosed, http.StateHijacked:
		l.forget(c)
	}
}

func (l *Connections) admit(c net.Conn) bool {
	var address netip.Addr
	if peer, err := netip.ParseAddrPort(c.RemoteAddr().String()); err == nil {
		address = peer.Addr().Unmap().WithZone("")
	}
	from := network(address)
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.open) >= l.most || len(l.open) >= l.most/2 && l.by[from] >= l.most/8 && !contains(l.trusted, address) {
		if now := l.clock(); now.Sub(l.warned) >= warnEvery {
			l.warned = now
			l.logger.Warn("connections are cut off, there are too many", "open", len(l.open), "allowed", l.most, "client", address, "of the client", l.by[from])
		}
		return false
	}
	l.open[c] = from
	l.by[from]++
	return true
}

func (l *Connections) forget(c net.Conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	from, ok := l.open[c]
	if !ok { // it was cut off
		return
	}
	delete(l.open, c)
	if l.by[from]--; l.by[from] == 0 {
		delete(l.by, from)
	}
}
