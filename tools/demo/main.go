// Command demo shows the main job end to end: it starts a server on a
// temporary directory and a free port, does with it what docker and the aws
// CLI would do, and prints for each step the command that does the same.
//
// It needs neither docker nor the aws CLI, and leaves nothing behind.
package main

import (
	"context"
	"crypto/rand"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
	"time"
)

func main() {
	binary := flag.String("binary", "bin/lighterage", "the server's program")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, *binary); err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, binary string) (err error) {
	dir, err := os.MkdirTemp("", "lighterage-demo-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	s, err := startServer(ctx, binary, dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.stop()) }()
	return newTour(s).run(ctx)
}

// server is the process and the keys it was given.
type server struct {
	cmd           *exec.Cmd
	addr          string
	keyID, secret string
	exited        chan error
}

// stopping bounds the server's start and its end.
const stopping = 20 * time.Second

func startServer(ctx context.Context, binary, dir string) (*server, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	port := l.Addr().(*net.TCPAddr).Port
	l.Close()
	s := &server{
		addr:  fmt.Sprintf("localhost:%d", port),
		keyID: "AKIALIGHTERAGEDEMO00", secret: rand.Text() + rand.Text(),
		exited: make(chan error, 1),
	}
	s.cmd = exec.Command(binary, "serve", "--listen", fmt.Sprintf("127.0.0.1:%d", port), "--data-dir", dir, "--log-level", "error")
	s.cmd.Env = append(os.Environ(), "LIGHTERAGE_ROOT_ACCESS_KEY_ID="+s.keyID, "LIGHTERAGE_ROOT_SECRET_ACCESS_KEY="+s.secret)
	s.cmd.Stderr = os.Stderr
	say("A server on a temporary directory", fmt.Sprintf("lighterage serve --listen 127.0.0.1:%d --data-dir %s", port, dir))
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	go func() { s.exited <- s.cmd.Wait() }()
	if err := s.ready(ctx); err != nil {
		return nil, errors.Join(err, s.stop())
	}
	fmt.Printf("  listening on http://%s\n", s.addr)
	return s, nil
}

// ready waits for /readyz.
func (s *server) ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, stopping)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		resp, err := http.Get("http://" + s.addr + "/readyz")
		if err == nil {
			resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return nil
			}
		}
		select {
		case <-ctx.Done():
			return errors.New("the server did not get ready")
		case err := <-s.exited:
			s.exited <- err
			return fmt.Errorf("the server ended: %w", err)
		case <-tick.C:
		}
	}
}

// stop asks the server to finish; an error if it ends badly or not at all.
func (s *server) stop() error {
	_ = s.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case err := <-s.exited:
		return err
	case <-time.After(stopping):
		_ = s.cmd.Process.Kill()
		return errors.New("the server did not stop")
	}
}

// say prints what a step does and the commands that do the same.
func say(what string, commands ...string) {
	fmt.Printf("\n%s\n", what)
	for _, c := range commands {
		fmt.Printf("  $ %s\n", c)
	}
}
