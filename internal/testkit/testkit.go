// Package testkit runs a whole server inside a test: real stores in a
// temporary directory, a real socket, and the clients that users have.
//
//  1. What it starts ends with the test.
//  2. It reaches in only where the assembly lets anybody in: settings, stores,
//     clock, passes.
//  3. CheckInvariants reads everything again through the contracts of the
//     stores, beneath whatever the test wrapped around them.
package testkit

import (
	"context"
	"io"
	"log/slog"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/spf13/pflag"

	"github.com/lighterage/lighterage/internal/blob"
	"github.com/lighterage/lighterage/internal/blob/disk"
	"github.com/lighterage/lighterage/internal/config"
	"github.com/lighterage/lighterage/internal/meta"
	"github.com/lighterage/lighterage/internal/server"
)

// Option decides something about a server.
type Option func(*Server)

// Setting sets a flag of lighterage serve, such as ecr-strict to true.
func Setting(key, value string) Option {
	return func(s *Server) { s.settings = append(s.settings, [2]string{key, value}) }
}

// Postgres keeps the metadata in the database of the URL.
func Postgres(url string) Option { return Setting("database", url) }

// Clock is the product's time. The clients sign with the machine's: more than
// 15 minutes apart, only registry tokens that exist already still work.
func Clock(clock func() time.Time) Option { return func(s *Server) { s.clock = clock } }

// WrapMeta puts something between the server and its metadata store.
func WrapMeta(wrap func(meta.Store) meta.Store) Option {
	return func(s *Server) { s.wrapMeta = wrap }
}

// WrapBlobs puts something between the server and its layer store.
func WrapBlobs(wrap func(blob.Store) blob.Store) Option {
	return func(s *Server) { s.wrapBlobs = wrap }
}

// Logger takes the server's log in the place of the test's.
func Logger(l *slog.Logger) Option { return func(s *Server) { s.log = l } }

// Server is a running server and its data directory.
type Server struct {
	URL    string // http://127.0.0.1:port
	Host   string // 127.0.0.1:port, as docker names it
	Dir    string
	Config config.Config
	Root   config.Credentials
	Meta   meta.Store // as opened, without the test's wrapper
	Blobs  blob.Store // as opened, without the test's wrapper

	t         testing.TB
	settings  [][2]string
	clock     func() time.Time
	log       *slog.Logger
	wrapMeta  func(meta.Store) meta.Store
	wrapBlobs func(blob.Store) blob.Store

	stores  *server.Stores
	trail   io.Closer
	server  *server.Server
	stop    context.CancelFunc
	stopped chan error
}

// Start runs a server until the test ends.
func Start(t testing.TB, options ...Option) *Server {
	t.Helper()
	s := &Server{
		t:         t,
		Dir:       t.TempDir(),
		clock:     time.Now,
		log:       slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn})),
		wrapMeta:  func(m meta.Store) meta.Store { return m },
		wrapBlobs: func(b blob.Store) blob.Store { return b },
		settings:  [][2]string{{"listen", "127.0.0.1:0"}},
	}
	for _, o := range options {
		o(s)
	}
	s.start()
	t.Cleanup(s.Stop)
	return s
}

// Restart stops the server as SIGTERM does and starts one over the same
// directory, at the same address, with further options.
func (s *Server) Restart(options ...Option) {
	s.t.Helper()
	s.Stop()
	s.settings = append(s.settings, [2]string{"listen", s.Host})
	for _, o := range options {
		o(s)
	}
	s.start()
}

// Stop ends the server as SIGTERM does. It may be called twice.
func (s *Server) Stop() {
	s.t.Helper()
	if s.stop == nil {
		return
	}
	s.stop()
	s.stop = nil
	if err := <-s.stopped; err != nil {
		s.t.Errorf("server: %v", err)
	}
	if err := s.trail.Close(); err != nil {
		s.t.Errorf("close the audit trail: %v", err)
	}
	if err := s.stores.Close(); err != nil {
		s.t.Errorf("close stores: %v", err)
	}
}

// Pass runs a background pass now, by its name.
func (s *Server) Pass(name string) {
	s.t.Helper()
	for _, p := range s.server.Passes() {
		if p.Name == name {
			if err := p.Run(context.Background()); err != nil {
				s.t.Errorf("pass %s: %v", name, err)
			}
			return
		}
	}
	s.t.Fatalf("no pass is called %s", name)
}

func (s *Server) start() {
	s.t.Helper()
	s.load()
	ctx, cancel := context.WithCancel(context.Background())
	var err error
	s.stores, err = server.OpenStores(ctx, s.Config, server.StoreOptions{
		Clock: s.clock, Logger: s.log, Fatal: func(err error) { s.t.Errorf("store gave up: %v", err) },
	})
	s.must(err)
	s.Meta, s.Blobs = s.stores.Meta, s.stores.Blobs
	s.Root, err = config.RootCredentials(s.Dir, nil)
	s.must(err)
	keys, err := server.ReadMasterKeys(ctx, s.Config, nil)
	s.must(err)
	sealer, err := server.MasterKey(ctx, s.Config, keys, s.Meta, s.log)
	s.must(err)
	trail, closer, err := server.OpenTrail(s.Config, io.Discard, s.clock)
	s.must(err)
	s.trail = closer
	s.server, err = server.Build(ctx, server.Parts{
		Config: s.Config, Root: s.Root, Meta: s.wrapMeta(s.Meta), Blobs: s.wrapBlobs(s.Blobs), Seal: sealer, Trail: trail,
		BootID: disk.BootID(), Clock: s.clock, Logger: s.log,
	})
	s.must(err)
	ln, err := server.Listen(ctx, s.Config)
	s.must(err)
	secured, _, err := server.Secure(s.Config, ln, s.clock, s.log)
	s.must(err)
	s.Host = ln.Addr().(*net.TCPAddr).String()
	s.URL = "http://" + s.Host
	if s.Config.TLS != config.NoTLS {
		s.URL = "https://" + s.Host
	}
	s.stop, s.stopped = cancel, make(chan error, 1)
	go func() { s.stopped <- s.server.Serve(ctx, secured) }()
}

// load reads the settings as the command does; the last word on a key counts.
func (s *Server) load() {
	s.t.Helper()
	flags := pflag.NewFlagSet("testkit", pflag.ContinueOnError)
	config.AddFlags(flags)
	s.must(flags.Set("data-dir", s.Dir))
	for _, kv := range s.settings {
		s.must(flags.Set(kv[0], kv[1]))
	}
	var err error
	s.Config, err = config.Load(flags, nil)
	s.must(err)
}

func (s *Server) must(err error) {
	s.t.Helper()
	if err != nil {
		if s.stores != nil && s.stop == nil {
			s.stores.Close()
		}
		s.t.Fatalf("testkit: %s", strings.TrimSpace(err.Error()))
	}
}

// Eventually polls until the condition holds, and fails the test if it does
// not within ten seconds.
func Eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	deadline := time.NewTimer(10 * time.Second)
	defer deadline.Stop()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !holds() {
		select {
		case <-tick.C:
		case <-deadline.C:
			t.Fatalf("never happened: %s", what)
		}
	}
}

// Regions is what CheckInvariants walks: every region that is served.
func (s *Server) regions() []string {
	var out []string
	for _, r := range s.Config.Regions {
		out = append(out, string(r))
	}
	slices.Sort(out)
	return out
}
