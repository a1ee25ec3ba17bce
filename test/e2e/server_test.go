//go:build e2e

package e2e_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/lightsail"

	"github.com/lighterage/lighterage/internal/api/apitest"
)

const (
	keyID   = "AKIALIGHTERAGETEST00"
	secret  = "e2e/lighterage+secret/0123456789abcdefgh"
	region  = "us-east-1"
	account = "000000000000"
)

// patience bounds every wait for another process.
const patience = 30 * time.Second

// binary is the program under test.
func binary(t testing.TB) string {
	t.Helper()
	path := os.Getenv("E2E_BINARY")
	if path == "" {
		path = "../../bin/lighterage"
	}
	path, err := filepath.Abs(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); err != nil {
		t.Fatalf("no binary to test (make build): %v", err)
	}
	return path
}

// server is a running lighterage.
type server struct {
	addr   string // host:port, the host being localhost
	dir    string // data
	cmd    *exec.Cmd
	output *buffer
	exited chan struct{} // closed when the process is gone
}

// buffer is what a process wrote.
type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// launch is how a server is started; the zero value is the usual way.
type launch struct {
	dir     string   // an earlier server's data; empty: new
	addr    string   // an earlier server's address; empty: a free port
	flags   []string // more of them
	wrapper []string // a command in front of the server's
	ownKeys bool     // let the server make its root credentials
	environ []string // more variables
}

func start(t testing.TB, l launch) *server {
	t.Helper()
	s := l.begin(t)
	if err := s.ready(); err != nil {
		t.Fatalf("the server is not ready: %v\n%s", err, s.output)
	}
	return s
}

// begin starts the process and does not wait for it. It is killed when the
// test ends.
func (l launch) begin(t testing.TB) *server {
	t.Helper()
	if l.dir == "" {
		l.dir = t.TempDir()
	}
	if l.addr == "" {
		l.addr = freeAddr(t)
	}
	s := &server{addr: l.addr, dir: l.dir, output: &buffer{}, exited: make(chan struct{})}
	_, port, err := net.SplitHostPort(l.addr)
	if err != nil {
		t.Fatal(err)
	}
	args := append(slices.Clone(l.wrapper), binary(t), "serve", "--listen", "127.0.0.1:"+port, "--data-dir", l.dir)
	args = append(args, l.flags...)
	s.cmd = exec.Command(args[0], args[1:]...)
	s.cmd.Env = append(os.Environ(), "HOME="+l.dir)
	if !l.ownKeys {
		s.cmd.Env = append(s.cmd.Env, "LIGHTERAGE_ROOT_ACCESS_KEY_ID="+keyID, "LIGHTERAGE_ROOT_SECRET_ACCESS_KEY="+secret)
	}
	s.cmd.Env = append(s.cmd.Env, l.environ...)
	s.cmd.Stdout, s.cmd.Stderr = s.output, s.output
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		_ = s.cmd.Wait()
		close(s.exited)
	}()
	t.Cleanup(func() {
		s.kill()
		if t.Failed() {
			t.Logf("server %s said:\n%s", s.addr, s.output)
		}
	})
	return s
}

// freeAddr is a port that was free a moment ago.
func freeAddr(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return fmt.Sprintf("localhost:%d", l.Addr().(*net.TCPAddr).Port)
}

func (s *server) url() string { return "http://" + s.addr }

// ready waits for /readyz.
func (s *server) ready() error {
	return poll(func() error {
		select {
		case <-s.exited:
			return errGone
		default:
		}
		resp, err := http.Get(s.url() + "/readyz")
		if err != nil {
			return err
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			return errors.New(resp.Status)
		}
		return nil
	})
}

var errGone = errors.New("the process has ended")

// poll calls try until it returns nil, errGone, or patience ends.
func poll(try func() error) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		err := try()
		if err == nil || errors.Is(err, errGone) {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("gave up after %s: %w", patience, err)
		case <-tick.C:
		}
	}
}

// kill ends the process as a power cut of the process would.
func (s *server) kill() {
	_ = s.cmd.Process.Kill()
	<-s.exited
}

// terminate asks the process to end.
func (s *server) terminate(t testing.TB) {
	t.Helper()
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
}

// exit waits for the process's end and returns its code.
func (s *server) exit(t testing.TB) int {
	t.Helper()
	select {
	case <-s.exited:
		return s.cmd.ProcessState.ExitCode()
	case <-time.After(patience):
		t.Fatalf("the server still runs after %s:\n%s", patience, s.output)
		return 0
	}
}

// config is for aws-sdk-go-v2 clients of the server.
func (s *server) config() aws.Config {
	return aws.Config{
		Region:       region,
		BaseEndpoint: aws.String(s.url()),
		Credentials:  credentials.NewStaticCredentialsProvider(keyID, secret, ""),
		// A test wants to see the first answer.
		RetryMaxAttempts: 1,
		HTTPClient:       apitest.NewClient(),
	}
}

func (s *server) ecr() *ecr.Client             { return ecr.NewFromConfig(s.config()) }
func (s *server) lightsail() *lightsail.Client { return lightsail.NewFromConfig(s.config()) }

// environment is what scripts get to reach the server.
func (s *server) environment() []string {
	return []string{
		"ENDPOINT=" + s.url(), "REGISTRY=" + s.addr,
		"AWS_ACCESS_KEY_ID=" + keyID, "AWS_SECRET_ACCESS_KEY=" + secret,
		"AWS_REGION=" + region, "AWS_DEFAULT_REGION=" + region,
		"AWS_EC2_METADATA_DISABLED=true", "AWS_PAGER=", "AWS_MAX_ATTEMPTS=1",
	}
}

// lines returns the lines that are not blank.
func lines(s string) []string {
	var out []string
	for line := range strings.Lines(s) {
		if line = strings.TrimSpace(line); line != "" {
			out = append(out, line)
		}
	}
	return out
}
