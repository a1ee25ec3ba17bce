package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"runtime"
	"syscall"
	"time"

	"github.com/lighterage/lighterage/internal/blob/disk"
	"github.com/lighterage/lighterage/internal/config"
	"github.com/lighterage/lighterage/internal/name"
	"github.com/lighterage/lighterage/internal/worker"
)

// Bounds of what a client may take before its request has begun, and of what
// it may send as headers.
const (
	headerTimeout = 10 * time.Second
	idleTimeout   = 2 * time.Minute
	maxHeader     = 64 << 10
)

// Launch is what Run needs beside the configuration. Every field must be set.
type Launch struct {
	Environ []string // for the root credentials and the master key
	Clock   func() time.Time
	Logger  *slog.Logger
	Fatal   func(error)   // see StoreOptions
	Stdout  io.Writer     // where an audit trail of events goes that is to be there
	Started func(Started) // told once connections are accepted
}

// Started is what there is to tell a person.
type Started struct {
	config.Running
	// Strangers is the accounts of the catalogue if it has nothing of ours.
	Strangers []name.AccountID
	// Trust says how to trust the server's own CA; empty if it has none.
	Trust string
}

// Run serves until ctx ends. Its errors are *config.Error, *StoreError, or
// what kept it from listening.
//
// Settings are checked first, then the address is taken and master keys are
// got: what is wrong with any of them is found before anything is made. Who
// connects meanwhile waits for the answer.
func Run(ctx context.Context, c config.Config, l Launch) (err error) {
	if err := check(c, l); err != nil {
		return err
	}
	ln, err := Listen(ctx, c)
	if err != nil {
		return err
	}
	defer ln.Close() // Serve closes it too
	keys, err := ReadMasterKeys(ctx, c, l.Environ)
	if err != nil {
		return err
	}
	stores, err := OpenStores(ctx, c, StoreOptions{Clock: l.Clock, Logger: l.Logger, Fatal: l.Fatal})
	if err != nil {
		return err
	}
	defer func() {
		if closed := stores.Close(); closed != nil && err == nil {
			err = &StoreError{closed}
		}
	}()
	sealer, err := MasterKey(ctx, c, keys, stores.Meta, l.Logger)
	if err != nil {
		stores.undo()
		return err
	}
	root, err := rootKey(c, l)
	if err != nil {
		return storeError(err)
	}
	trail, closer, err := OpenTrail(c, l.Stdout, l.Clock)
	if err != nil {
		return err
	}
	defer func() {
		if closed := closer.Close(); closed != nil && err == nil {
			err = &StoreError{closed}
		}
	}()
	others, err := strangers(ctx, stores.Meta, c.Account, l.Logger)
	if err != nil {
		return &StoreError{err}
	}
	s, err := Build(ctx, Parts{Config: c, Root: root, Meta: stores.Meta, Blobs: stores.Blobs, Seal: sealer, Trail: trail, BootID: disk.BootID(), Clock: l.Clock, Logger: l.Logger})
	if err != nil {
		return storeError(err)
	}
	secured, trust, err := Secure(c, ln, l.Clock, l.Logger)
	if err != nil {
		return err
	}
	running := config.Running{URL: localURL(c, ln.Addr()), Region: string(c.Region), CA: trust.CA}
	if err := config.WriteRunning(c.DataDir, running); err != nil {
		return &StoreError{err}
	}
	l.Started(Started{Running: running, Strangers: others, Trust: trust.text(c, running.URL)})
	return s.Serve(ctx, secured)
}

func storeError(err error) error {
	if _, ok := errors.AsType[*config.Error](err); ok {
		return err
	}
	return &StoreError{err}
}

// Listen opens the configured address.
func Listen(ctx context.Context, c config.Config) (net.Listener, error) {
	var lc net.ListenConfig
	ln, err := lc.Listen(ctx, "tcp", c.Listen)
	if err != nil {
		return nil, listenError(c.Listen, err, runtime.GOOS)
	}
	return ln, nil
}

// listenError says in one line what is wrong with the address.
func listenError(address string, err error, goos string) error {
	switch {
	case !errors.Is(err, syscall.EADDRINUSE):
		return fmt.Errorf("cannot listen: %w", err)
	case goos == "darwin":
		return fmt.Errorf("address %s is in use; on macOS port 5000 is often AirPlay Receiver's (System Settings, General, AirDrop & Handoff): switch it off, or choose another port with --listen", address)
	}
	return fmt.Errorf("address %s is in use by another program; stop it, or choose another with --listen", address)
}

// localURL is how a client on the same machine reaches the address.
func localURL(c config.Config, a net.Addr) string {
	scheme := "http"
	if c.TLS != config.NoTLS {
		scheme = "https"
	}
	host, _, _ := net.SplitHostPort(c.Listen)
	if c.TLS == config.ACMETLS { // its certificate has no other names
		host = c.ACMEHosts[0]
	}
	_, port, _ := net.SplitHostPort(a.String())
	address, err := netip.ParseAddr(host)
	switch {
	case host == "", err == nil && address.IsUnspecified():
		host = "localhost"
	case host == "127.0.0.1" && (c.TLS == config.NoTLS || c.TLS == config.SelfSignedTLS): // docker and people know it by this name; a certificate may not
		host = "localhost"
	}
	return scheme + "://" + net.JoinHostPort(host, port)
}

// Serve answers on the listener and runs the background passes until ctx ends;
// then it lets requests in flight finish within the configured time, and
// writes down what is only in memory.
func (s *Server) Serve(ctx context.Context, ln net.Listener) error {
	log := s.parts.Logger
	h := &http.Server{
		Handler:           s.handler,
		ReadHeaderTimeout: headerTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeader,
		ConnState:         s.connections().State,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
	passes := worker.Start(log, s.passes...)
	failed := make(chan error, 1)
	go func() { failed <- h.Serve(ln) }()
	var err error
	select {
	case err = <-failed:
		err = fmt.Errorf("serve: %w", err)
	case <-ctx.Done():
		err = s.drain(h)
	}
	passes.Stop()
	end, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.parts.Config.ShutdownTimeout)
	defer cancel()
	if closed := s.Close(end); closed != nil {
		err = errors.Join(err, &StoreError{fmt.Errorf("write down uploads: %w", closed)})
	}
	return err
}

// drain stops accepting and waits for requests in flight. Those that take too
// long are cut, which is no failure: their clients learn that they failed.
func (s *Server) drain(h *http.Server) error {
	s.ending.Store(true)
	ctx, cancel := context.WithTimeout(context.Background(), s.parts.Config.ShutdownTimeout)
	defer cancel()
	err := h.Shutdown(ctx)
	if errors.Is(err, context.DeadlineExceeded) {
		s.parts.Logger.Warn("requests were cut that did not finish in time", "allowed", s.parts.Config.ShutdownTimeout)
		return h.Close()
	}
	return err
}
