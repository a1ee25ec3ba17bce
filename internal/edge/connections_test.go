package edge_test

import (
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/lighterage/lighterage/internal/edge"
)

// wire is a connection of which only the client and the end matter.
type wire struct {
	net.Conn
	from string
	cut  bool
}

func (w *wire) RemoteAddr() net.Addr { return net.TCPAddrFromAddrPort(netip.MustParseAddrPort(w.from)) }
func (w *wire) Close() error         { w.cut = true; return nil }

func connections(most int, log io.Writer) *edge.Connections {
	return edge.NewConnections(most, edge.Options{
		Logger: slog.New(slog.NewTextHandler(log, nil)), Clock: time.Now, Trusted: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")},
	})
}

func TestHowManyConnectionsAClientMayHave(t *testing.T) {
	type dial struct {
		n    int
		from string // %d is the count
		want int    // that are kept
	}
	for name, dials := range map[string][]dial{
		"one client alone has half":                  {{100, "192.0.2.1:1", 40}},
		"then others an eighth each":                 {{100, "192.0.2.1:1", 40}, {100, "192.0.2.2:1", 10}, {100, "192.0.2.3:1", 10}},
		"and all together no more than there are":    {{200, "192.0.2.%d:1", 80}},
		"a trusted proxy has all":                    {{100, "10.1.2.3:1", 80}},
		"of IPv6 a whole network is a client":        {{100, "[2001:db8::%d]:1", 40}, {1, "[2001:db8:0:1::1]:1", 1}},
		"an IPv4 address is itself however it comes": {{100, "192.0.2.1:1", 40}, {1, "[::ffff:192.0.2.1]:1", 0}},
	} {
		t.Run(name, func(t *testing.T) {
			l := connections(80, io.Discard)
			for _, d := range dials {
				kept := 0
				for i := range d.n {
					w := &wire{from: d.from}
					if strings.Contains(d.from, "%d") {
						w.from = fmt.Sprintf(d.from, i+1)
					}
					if l.State(w, http.StateNew); !w.cut {
						kept++
					}
				}
				if kept != d.want {
					t.Errorf("%s: %d were kept, want %d", d.from, kept, d.want)
				}
			}
		})
	}
}

func TestAConnectionThatEndsMakesRoom(t *testing.T) {
	var log strings.Builder
	l := connections(8, &log)
	var open []*wire
	for range 4 {
		w := &wire{from: "192.0.2.1:1"}
		l.State(w, http.StateNew)
		open = append(open, w)
	}
	for range 3 { // who was cut off does not count when it ends
		w := &wire{from: "192.0.2.1:1"}
		l.State(w, http.StateNew)
		l.State(w, http.StateClosed)
		if !w.cut {
			t.Error("a fifth was kept")
		}
	}
	l.State(open[0], http.StateActive)
	l.State(open[0], http.StateClosed)
	w := &wire{from: "192.0.2.1:1"}
	if l.State(w, http.StateNew); w.cut {
		t.Error("there was room")
	}
	if n := strings.Count(log.String(), "connections are cut off"); n != 1 {
		t.Errorf("%d warnings, want one a minute:\n%s", n, log.String())
	}
}

func TestAServerCutsOffWhoIsOver(t *testing.T) {
	s := httptest.NewUnstartedServer(http.NotFoundHandler())
	s.Config.ConnState = connections(16, io.Discard).State
	s.Start()
	defer s.Close()
	for i := range 9 {
		c, err := net.Dial("tcp", s.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		_, err = io.WriteString(c, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
		n, _ := c.Read(make([]byte, 1))
		if got := n == 1; got != (i < 8) {
			t.Errorf("connection %d was answered: %v (%v)", i, got, err)
		}
	}
}
