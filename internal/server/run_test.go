package server_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/spf13/pflag"

	"github.com/lighterage/lighterage/internal/config"
	"github.com/lighterage/lighterage/internal/meta/metatest"
	"github.com/lighterage/lighterage/internal/name"
	"github.com/lighterage/lighterage/internal/server"
	"github.com/lighterage/lighterage/internal/testkit"
)

// settings returns the configuration of a server on a free port.
func settings(t *testing.T, dir string, more ...string) config.Config {
	t.Helper()
	flags := pflag.NewFlagSet("serve", pflag.ContinueOnError)
	config.AddFlags(flags)
	if err := flags.Parse(append([]string{"--listen=127.0.0.1:0", "--data-dir=" + dir}, more...)); err != nil {
		t.Fatal(err)
	}
	c, err := config.Load(flags, nil)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// running is a server that Run runs.
type running struct {
	server.Started
	log  buffer
	stop context.CancelFunc
	done chan error
}

// buffer is a log that is read while it is written.
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

func launch(t *testing.T, environ []string, started func(server.Started)) server.Launch {
	return server.Launch{
		Environ: environ, Clock: time.Now, Started: started,
		Logger: slog.New(slog.NewTextHandler(t.Output(), nil)),
		Fatal:  func(err error) { t.Errorf("fatal: %v", err) },
	}
}

func start(t *testing.T, c config.Config, environ ...string) *running {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	r := &running{stop: cancel, done: make(chan error, 1)}
	started := make(chan server.Started, 1)
	l := launch(t, environ, func(at server.Started) { started <- at })
	l.Logger = slog.New(slog.NewTextHandler(io.MultiWriter(t.Output(), &r.log), nil))
	go func() { r.done <- server.Run(ctx, c, l) }()
	select {
	case r.Started = <-started:
	case err := <-r.done:
		t.Fatalf("did not start: %v", err)
	}
	t.Cleanup(cancel)
	return r
}

// end stops the server and returns what Run returned.
func (r *running) end(t *testing.T) {
	t.Helper()
	r.stop()
	if err := <-r.done; err != nil {
		t.Errorf("ended with %v", err)
	}
}

func get(t *testing.T, url string) (int, string) {
	t.Helper()
	resp, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(body)
}

func TestRunFromStartToStop(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	r := start(t, settings(t, dir))
	if recorded, err := config.ReadRunning(dir); err != nil || recorded != r.Running {
		t.Errorf("recorded %v, %v, want %v", recorded, err, r.Running)
	}
	if !strings.HasPrefix(r.URL, "http://localhost:") || r.Region != "us-east-1" {
		t.Errorf("told to be at %v", r.Running)
	}
	if status, body := get(t, r.URL+"/readyz"); status != 200 || body != "ready\n" {
		t.Errorf("readyz: %d %q", status, body)
	}
	r.end(t)
	if _, err := net.Dial("tcp", strings.TrimPrefix(r.URL, "http://")); err == nil {
		t.Error("the port is still open")
	}
	again := start(t, settings(t, dir))
	again.end(t)
}

func TestOneServerForADirectory(t *testing.T) {
	outside := t.TempDir()
	for _, tc := range []struct {
		name          string
		first, second []string
	}{
		{"the data directory", []string{"--data-dir=" + outside + "/a"}, []string{"--data-dir=" + outside + "/a"}},
		{"layers outside of it", []string{"--storage=file:" + outside + "/b"}, []string{"--storage=file:" + outside + "/b"}},
		{"a database outside of it", []string{"--database=sqlite:" + outside + "/c.db"}, []string{"--database=sqlite:" + outside + "/c.db"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			first := start(t, settings(t, t.TempDir(), tc.first...))
			err := server.Run(context.Background(), settings(t, t.TempDir(), tc.second...), launch(t, nil, nil))
			checkStoreError(t, err, "is in use by another lighterage (process ")
			first.end(t)
		})
	}
}

// TestOneServerForAPostgreSQLDatabase gives each server a directory of its own.
func TestOneServerForAPostgreSQLDatabase(t *testing.T) {
	database := "--database=" + metatest.StartPostgres(t).NewDatabase(t)
	dir := t.TempDir()
	first := start(t, settings(t, dir, database))
	err := server.Run(context.Background(), settings(t, t.TempDir(), database), launch(t, nil, nil))
	checkStoreError(t, err, "is in use by another lighterage")
	if status, _ := get(t, first.URL+"/readyz"); status != 200 {
		t.Errorf("the first is %d", status)
	}
	first.end(t)
	start(t, settings(t, dir, database)).end(t)
}

// checkStoreError wants one line.
func checkStoreError(t *testing.T, err error, want string) {
	t.Helper()
	if _, ok := errors.AsType[*server.StoreError](err); !ok {
		t.Fatalf("%v is no StoreError", err)
	}
	if !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
		t.Errorf("%q is not one line with %q", err, want)
	}
}

func TestAPortInUse(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	dir := t.TempDir()
	err = server.Run(context.Background(), settings(t, dir, "--listen="+ln.Addr().String()), launch(t, nil, nil))
	if err == nil || !strings.Contains(err.Error(), ln.Addr().String()+" is in use") || strings.Contains(err.Error(), "\n") {
		t.Errorf("got %v", err)
	}
	start(t, settings(t, dir)).end(t)
}

func TestListenErrors(t *testing.T) {
	inUse := &net.OpError{Op: "listen", Err: os.NewSyscallError("bind", syscall.EADDRINUSE)}
	for _, tc := range []struct {
		name, goos string
		err        error
		want       string
	}{
		{"in use", "linux", inUse, "address 127.0.0.1:5000 is in use by another program"},
		{"in use on macOS", "darwin", inUse, "AirPlay Receiver"},
		{"anything else", "darwin", syscall.EACCES, "cannot listen: permission denied"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := server.ListenError("127.0.0.1:5000", tc.err, tc.goos).Error(); !strings.Contains(got, tc.want) {
				t.Errorf("%q does not say %q", got, tc.want)
			}
		})
	}
}

func TestDirectoriesThatCannotBeUsed(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct{ name, flag, want string }{
		{"the data directory is a file", "--data-dir=" + file, file},
		{"the layer store is a file", "--storage=file:" + file, file},
		{"the database is a directory", "--database=sqlite:" + t.TempDir(), "database"},
		{"the database server is away", "--database=postgres://127.0.0.1:1/x?connect_timeout=1", "postgres"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			err := server.Run(context.Background(), settings(t, t.TempDir(), tc.flag), launch(t, nil, nil))
			if _, ok := errors.AsType[*server.StoreError](err); !ok || strings.Contains(err.Error(), "\n") {
				t.Errorf("%v is no StoreError of one line", err)
			}
		})
	}
}

func TestSettingsThatOnlyTheServerCanCheck(t *testing.T) {
	for _, tc := range []struct {
		name    string
		flags   []string
		environ []string
		want    string
	}{
		{"a registry host", []string{"--registry-host={acount}.test"}, nil, "registry-host (from --registry-host): \"{acount}.test\" is not host[:port]"},
		{"a Lightsail host", []string{"--lightsail-registry-host=ftp://x"}, nil, "lightsail-registry-host (from --lightsail-registry-host): the scheme of"},
		{"half a root key", nil, []string{"LIGHTERAGE_ROOT_ACCESS_KEY_ID=AKIAIOSFODNN7EXAMPLE"}, "LIGHTERAGE_ROOT_SECRET_ACCESS_KEY"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			err := server.Run(context.Background(), settings(t, t.TempDir(), tc.flags...), launch(t, tc.environ, nil))
			if _, ok := errors.AsType[*config.Error](err); !ok || !strings.HasPrefix(err.Error(), tc.want) {
				t.Errorf("%v is no config.Error that names %s", err, tc.want)
			}
		})
	}
}

// TestStoresBelongTogether mixes the stores of two servers.
func TestStoresBelongTogether(t *testing.T) {
	a, b := t.TempDir(), t.TempDir()
	for _, dir := range []string{a, b} {
		start(t, settings(t, dir)).end(t)
	}
	for _, tc := range []struct{ name, storage string }{
		{"another server's layers", b + "/blobs"},
		{"an empty directory, as of a volume that is not mounted", t.TempDir()},
	} {
		t.Run(tc.name, func(t *testing.T) {
			before := files(t, tc.storage)
			err := server.Run(context.Background(), settings(t, a, "--storage=file:"+tc.storage), launch(t, nil, nil))
			checkStoreError(t, err, "is not the one that belongs to the database")
			if after := files(t, tc.storage); strings.Contains(after, "identity") && !strings.Contains(before, "identity") {
				t.Error("the stranger was claimed")
			}
		})
	}
	t.Run("a new database with a used layer store", func(t *testing.T) {
		err := server.Run(context.Background(), settings(t, t.TempDir(), "--storage=file:"+b+"/blobs"), launch(t, nil, nil))
		checkStoreError(t, err, "is not the one that belongs to the database")
	})
	start(t, settings(t, a)).end(t)
	start(t, settings(t, b)).end(t)
}

func files(t *testing.T, dir string) string {
	t.Helper()
	list, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, f := range list {
		names = append(names, f.Name())
	}
	return strings.Join(names, " ")
}

// request is one in flight: the server asked for its body, and waits.
type request struct {
	conn    net.Conn
	answers *bufio.Reader
}

func inFlight(t *testing.T, s *testkit.Server, l testkit.Login, method, url string, size int) *request {
	t.Helper()
	_, path, _ := strings.Cut(url, s.Host)
	conn, err := net.Dial("tcp", s.Host)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	fmt.Fprintf(conn, "%s %s HTTP/1.1\r\nHost: %s\r\nAuthorization: %s\r\nContent-Length: %d\r\nExpect: 100-continue\r\n\r\n", method, path, s.Host, l.Basic(), size)
	r := &request{conn, bufio.NewReader(conn)}
	if line, err := r.answers.ReadString('\n'); err != nil || !strings.Contains(line, "100 Continue") {
		t.Fatalf("the body was not asked for: %q, %v", line, err)
	}
	return r
}

// TestRequestsInFlightFinish stops a server in the middle of an upload.
func TestRequestsInFlightFinish(t *testing.T) {
	s := testkit.Start(t)
	login := s.Login()
	content := bytes.Repeat([]byte("x"), 300_000)
	begin := s.Do(login, "POST", "/v2/team/app/blobs/uploads/", nil)
	r := inFlight(t, s, login, "PUT", begin.Header.Get("Location")+"?digest="+testkit.Digest(content), len(content))
	var stopped sync.WaitGroup
	stopped.Go(s.Stop)
	testkit.Eventually(t, "the server accepts no more", func() bool {
		c, err := net.Dial("tcp", s.Host)
		if err == nil {
			c.Close()
		}
		return err != nil
	})
	if _, err := r.conn.Write(content); err != nil {
		t.Fatal(err)
	}
	answer, err := io.ReadAll(r.answers)
	if err != nil || !strings.Contains(string(answer), "HTTP/1.1 201 Created") {
		t.Errorf("the upload in flight was answered %q, %v", answer, err)
	}
	stopped.Wait()
	s.Restart()
	if a := s.Do(login, "HEAD", "/v2/team/app/blobs/"+testkit.Digest(content), nil); a.Status != 200 {
		t.Errorf("after the restart the layer is %d", a.Status)
	}
}

func TestRequestsThatDoNotFinishAreCut(t *testing.T) {
	s := testkit.Start(t, testkit.Setting("shutdown-timeout", "50ms"), testkit.Logger(slog.New(slog.DiscardHandler)))
	login := s.Login()
	begin := s.Do(login, "POST", "/v2/team/app/blobs/uploads/", nil)
	r := inFlight(t, s, login, "PATCH", begin.Header.Get("Location"), 10)
	s.Stop()
	if rest, err := io.ReadAll(r.answers); strings.Contains(string(rest), " 202 ") {
		t.Errorf("the request that was cut was answered %q, %v", rest, err)
	}
}

func TestAReplacedRootKeyStopsWorking(t *testing.T) {
	s := testkit.Start(t)
	old := s.Login()
	if a := s.Do(old, "GET", "/v2/", nil); a.Status != 200 {
		t.Fatalf("before: %d", a.Status)
	}
	s.Stop()
	environ := []string{"LIGHTERAGE_ROOT_ACCESS_KEY_ID=AKIAIOSFODNN7EXAMPLE", "LIGHTERAGE_ROOT_SECRET_ACCESS_KEY=wJalrXUtnFEMI"}
	if _, err := config.RootCredentials(s.Dir, environ); err != nil {
		t.Fatal(err)
	}
	s.Restart()
	if a := s.Do(old, "GET", "/v2/", nil); a.Status != 401 {
		t.Errorf("a token of the replaced key is answered with %d", a.Status)
	}
	if a := s.Do(s.Login(), "GET", "/v2/", nil); a.Status != 200 {
		t.Errorf("a token of the new key is answered with %d", a.Status)
	}
}

// TestTheRootKeyIsLogged: that there is a new one, once, and never its secret.
func TestTheRootKeyIsLogged(t *testing.T) {
	dir := t.TempDir()
	made := start(t, settings(t, dir))
	made.end(t)
	first, err := config.StoredCredentials(dir)
	if err != nil {
		t.Fatal(err)
	}
	kept := start(t, settings(t, dir))
	kept.end(t)
	const id, secret = "AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI"
	replaced := start(t, settings(t, dir), "LIGHTERAGE_ROOT_ACCESS_KEY_ID="+id, "LIGHTERAGE_ROOT_SECRET_ACCESS_KEY="+secret)
	replaced.end(t)
	for _, tc := range []struct {
		name  string
		of    *running
		lines int
		want  string
	}{
		{"made", made, 1, "level=INFO msg=\"a root access key was stored\" key=" + first.AccessKeyID + "\n"},
		{"kept", kept, 0, ""},
		{"replaced", replaced, 1, "key=" + id + " former=" + first.AccessKeyID + "\n"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			log := tc.of.log.String()
			if n := strings.Count(log, "root access key"); n != tc.lines || !strings.Contains(log, tc.want) {
				t.Errorf("%d lines of %q, want %d with %q", n, log, tc.lines, tc.want)
			}
			for _, s := range []string{secret, first.SecretAccessKey.Reveal()} {
				if strings.Contains(log, s) {
					t.Error("the secret is logged")
				}
			}
		})
	}
}

// TestAnotherAccountsCatalogueIsWarnedOf starts a server as another account.
func TestAnotherAccountsCatalogueIsWarnedOf(t *testing.T) {
	s := testkit.Start(t, testkit.Setting("account-id", "111122223333"))
	dir := s.Dir
	const warning = "has nothing of this account"
	run := func(t *testing.T, account string, want ...name.AccountID) {
		t.Helper()
		r := start(t, settings(t, dir, "--account-id="+account))
		r.end(t)
		log := r.log.String()
		if !slices.Equal(r.Strangers, want) || strings.Contains(log, warning) != (len(want) > 0) {
			t.Errorf("started with %v, want %v; logged %q", r.Strangers, want, log)
		}
		for _, a := range want {
			if !strings.Contains(log, "level=WARN") || !strings.Contains(log, string(a)) {
				t.Errorf("%q does not name %s", log, a)
			}
		}
	}
	s.Stop()
	run(t, "000000000000") // nobody's: nothing to warn of
	s.Restart()
	must(t, createRepository(s, "team/app"))
	s.Stop()
	run(t, "111122223333")
	run(t, "000000000000", "111122223333")
}

func TestWhereClientsReachIt(t *testing.T) {
	cert, key, _ := certificate(t)
	tls := []string{"--tls-cert=" + cert, "--tls-key=" + key}
	for _, tc := range []struct {
		name, listen, want string
		flags              []string
	}{
		{"the usual address has a name", "127.0.0.1:0", "http://localhost:", nil},
		{"so has every address", "0.0.0.0:0", "http://localhost:", nil},
		{"also as IPv6", "[::]:0", "http://localhost:", nil},
		{"also unsaid", ":0", "http://localhost:", nil},
		{"a name stays", "localhost:0", "http://localhost:", nil},
		{"another address stays", "127.0.0.2:0", "http://127.0.0.2:", nil},
		{"with TLS the address stays, as the certificate has it", "127.0.0.1:0", "https://127.0.0.1:", tls},
		{"with TLS and every address", "0.0.0.0:0", "https://localhost:", tls},
	} {
		t.Run(tc.name, func(t *testing.T) {
			dir := t.TempDir()
			r := start(t, settings(t, dir, append(tc.flags, "--listen="+tc.listen)...))
			r.end(t)
			recorded, err := config.ReadRunning(dir)
			if err != nil || !strings.HasPrefix(recorded.URL, tc.want) {
				t.Errorf("recorded %v, %v, want %s…", recorded, err, tc.want)
			}
		})
	}
}
