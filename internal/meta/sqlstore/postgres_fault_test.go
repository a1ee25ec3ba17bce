package sqlstore_test

import (
	"bytes"
	"context"
	"errors"
	"net"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lighterage/lighterage/internal/meta"
	"github.com/lighterage/lighterage/internal/meta/metatest"
	"github.com/lighterage/lighterage/internal/meta/sqlstore"
)

func testSettings(t *testing.T, server *metatest.Postgres) {
	t.Parallel()
	unsafe := server.NewDatabase(t) + "&options=-c%20synchronous_commit%3Doff"
	if s, err := sqlstore.OpenPostgres(context.Background(), unsafe, sqlstore.Options{Clock: time.Now}); err == nil {
		t.Error("a server that loses commits was accepted")
		_ = s.Close()
	} else if !strings.Contains(err.Error(), "synchronous_commit") {
		t.Errorf("the error does not name the setting: %v", err)
	}
	s, err := sqlstore.OpenPostgres(context.Background(), unsafe, sqlstore.Options{Clock: time.Now, AllowUnsafePostgres: true})
	if err != nil {
		t.Fatalf("allowed: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	_, err = sqlstore.OpenPostgres(context.Background(), "postgres://user:hunter2@127.0.0.1:1/x?sslmode=disable", sqlstore.Options{Clock: time.Now})
	if err == nil || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("no server: %v", err)
	}
}

func testOpenedByMany(t *testing.T, server *metatest.Postgres) {
	t.Parallel()
	url := server.NewDatabase(t)
	ids := make([]string, 6)
	var wait sync.WaitGroup
	for i := range ids {
		wait.Go(func() {
			s, err := sqlstore.OpenPostgres(context.Background(), url, sqlstore.Options{Clock: time.Now})
			if err != nil {
				t.Error(err)
				return
			}
			defer s.Close()
			err = s.View(context.Background(), func(t meta.Tx) (err error) {
				ids[i], _, err = t.Identity()
				return err
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	wait.Wait()
	for _, id := range ids {
		if id != ids[0] || id == "" {
			t.Errorf("stores of one database are %v", ids)
		}
	}
}

func testLostConnections(t *testing.T, server *metatest.Postgres) {
	for _, c := range []struct {
		name   string
		mode   int32
		want   error
		stored bool
		runs   int32
	}{
		{"COMMIT never arrived: it is run again", dropBefore, nil, true, 2},
		{"COMMIT arrived and its answer did not: it is done", dropAfter, nil, true, 1},
		{"COMMIT arrived and then there is no server: nobody knows", dropForGood, meta.ErrInDoubt, true, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			direct := server.NewDatabase(t)
			p := startProxy(t, direct)
			s := openPostgres(t, p.url)
			defer s.Close()
			p.mode.Store(c.mode)
			var runs atomic.Int32
			err := s.Update(context.Background(), func(t meta.Tx) error {
				runs.Add(1)
				return t.PutSecret("lost", []byte("x"))
			})
			if !errors.Is(err, c.want) || runs.Load() != c.runs {
				t.Errorf("update: %v after %d runs, want %v after %d", err, runs.Load(), c.want, c.runs)
			}
			other := openPostgres(t, direct)
			defer other.Close()
			if got := hasSecret(other, "lost"); got != c.stored {
				t.Errorf("stored %v, want %v", got, c.stored)
			}
		})
	}
	t.Run("a connection that is lost before COMMIT is another run", func(t *testing.T) {
		t.Parallel()
		p := startProxy(t, server.NewDatabase(t))
		s := openPostgres(t, p.url)
		defer s.Close()
		runs := 0
		err := s.Update(context.Background(), func(t meta.Tx) error {
			if runs++; runs == 1 {
				p.cut()
			}
			return t.PutSecret("again", []byte("x"))
		})
		if err != nil || runs != 2 || !hasSecret(s, "again") {
			t.Errorf("update: %v after %d runs", err, runs)
		}
	})
	t.Run("a server that is away is unavailable", func(t *testing.T) {
		t.Parallel()
		p := startProxy(t, server.NewDatabase(t))
		s := openPostgres(t, p.url)
		defer s.Close()
		p.mode.Store(away)
		p.cut()
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		defer cancel()
		if err := putSecret(s, "away", 1); !errors.Is(err, meta.ErrUnavailable) {
			t.Errorf("update: %v", err)
		}
		if err := s.View(ctx, func(t meta.Tx) error { _, err := t.Secret("x"); return err }); !errors.Is(err, meta.ErrUnavailable) {
			t.Errorf("view: %v", err)
		}
		if err := s.Ping(ctx); !errors.Is(err, meta.ErrUnavailable) {
			t.Errorf("ping: %v", err)
		}
		p.mode.Store(pass)
		if err := putSecret(s, "back", 1); err != nil {
			t.Errorf("when it is back: %v", err)
		}
	})
}

// What a proxy does.
const (
	pass        int32 = iota
	dropBefore        // cuts the connection instead of handing COMMIT on, once
	dropAfter         // hands COMMIT on and cuts instead of handing the answer back, once
	dropForGood       // the same, and then lets nobody through
	away              // lets nobody through
	keep              // leaves the server's side open when a client goes
)

// proxy stands before a server and loses connections.
type proxy struct {
	url  string
	to   string
	mode atomic.Int32

	mu    sync.Mutex
	conns []net.Conn
}

func startProxy(t testing.TB, to string) *proxy {
	u, err := url.Parse(to)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{to: u.Host}
	u.Host = l.Addr().String()
	p.url = u.String()
	var wait sync.WaitGroup
	wait.Go(func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			wait.Go(func() { p.serve(client) })
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		p.cut()
		wait.Wait()
	})
	return p
}

// cut ends all connections.
func (p *proxy) cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range p.conns {
		_ = c.Close()
	}
	p.conns = nil
}

// strand ends the client's side of all connections; the server's stays.
func (p *proxy) strand() {
	p.mode.Store(keep)
	p.mu.Lock()
	defer p.mu.Unlock()
	for i := 0; i < len(p.conns); i += 2 {
		_ = p.conns[i].Close()
	}
}

func (p *proxy) serve(client net.Conn) {
	defer client.Close()
	if p.mode.Load() == away {
		return
	}
	server, err := net.Dial("tcp", p.to)
	if err != nil {
		return
	}
	defer server.Close()
	p.mu.Lock()
	p.conns = append(p.conns, client, server)
	p.mu.Unlock()
	var muted atomic.Bool
	answered := make(chan struct{})
	go func() {
		defer close(answered)
		buffer := make([]byte, 64<<10)
		for {
			n, err := server.Read(buffer)
			if err != nil || muted.Load() {
				// The others first: whoever sees the loss looks for them.
				if p.mode.Load() == away {
					p.cut()
				}
				_ = client.Close()
				return
			}
			if _, err := client.Write(buffer[:n]); err != nil {
				return
			}
		}
	}()
	buffer := make([]byte, 64<<10)
	for {
		n, err := client.Read(buffer)
		if err != nil {
			break
		}
		if bytes.Contains(buffer[:n], []byte("commit\x00")) {
			switch mode := p.mode.Load(); mode {
			case dropBefore:
				p.mode.Store(pass)
				_ = server.Close()
				<-answered
				return
			case dropAfter, dropForGood:
				p.mode.Store(map[int32]int32{dropAfter: pass, dropForGood: away}[mode])
				muted.Store(true)
			}
		}
		if _, err := server.Write(buffer[:n]); err != nil {
			break
		}
	}
	if p.mode.Load() != keep {
		_ = server.Close()
	}
	<-answered
}
