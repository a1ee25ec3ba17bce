package metatest

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
)

// Postgres is a real server that a test started for itself. It listens on the
// loopback address alone and goes, with its data, when the test ends.
type Postgres struct {
	port      int
	databases atomic.Int64
}

// StartPostgres starts a server of the newest PostgreSQL on this machine. The
// server refuses to run as root, so under root it runs as the user postgres,
// or nobody. Its default collation is a linguistic one where it has one: what
// compares bytewise does so because its column says so.
func StartPostgres(t testing.TB) *Postgres {
	t.Helper()
	home := t.TempDir()
	data := filepath.Join(home, "data")
	if err := os.Mkdir(data, 0o700); err != nil {
		t.Fatal(err)
	}
	run := command(t, home, data)
	plain := []string{"-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"}
	linguistic := append(plain[:len(plain):len(plain)], "--locale-provider=icu", "--icu-locale=en")
	if _, err := run("initdb", linguistic...); err != nil {
		if out, err := run("initdb", plain...); err != nil {
			t.Fatalf("initdb: %v\n%s", err, out)
		}
	}
	log := filepath.Join(home, "data", "server.log")
	for attempt := 0; ; attempt++ {
		port := freePort(t)
		options := fmt.Sprintf("-p %d -k %s -c listen_addresses=127.0.0.1 -c max_connections=200 -c deadlock_timeout=200ms", port, data)
		_, err := run("pg_ctl", "-D", data, "-l", log, "-w", "-o", options, "start")
		if err != nil {
			if attempt < 3 {
				continue // another may have taken the port
			}
			said, _ := os.ReadFile(log)
			t.Fatalf("start PostgreSQL: %v\n%s", err, said)
		}
		t.Cleanup(func() {
			if out, err := run("pg_ctl", "-D", data, "-w", "-m", "immediate", "stop"); err != nil {
				t.Errorf("stop PostgreSQL: %v\n%s", err, out)
			}
		})
		return &Postgres{port: port}
	}
}

// NewDatabase makes an empty database and returns its URL.
func (p *Postgres) NewDatabase(t testing.TB) string {
	t.Helper()
	name := fmt.Sprintf("test%d", p.databases.Add(1))
	out, err := exec.Command(tool(t, "createdb"), "-h", "127.0.0.1", "-p", strconv.Itoa(p.port), "-U", "postgres", name).CombinedOutput()
	if err != nil {
		t.Fatalf("createdb: %v\n%s", err, out)
	}
	return fmt.Sprintf("postgres://postgres@127.0.0.1:%d/%s?sslmode=disable", p.port, name)
}

// command returns what runs a tool as a user that the server accepts, who is
// given the data and a way to it.
func command(t testing.TB, home, data string) func(name string, args ...string) (string, error) {
	var as *syscall.Credential
	if os.Getuid() == 0 {
		as = unprivileged(t)
		if err := os.Chown(data, int(as.Uid), int(as.Gid)); err != nil {
			t.Fatal(err)
		}
		for dir := home; strings.HasPrefix(dir, filepath.Clean(os.TempDir())+string(filepath.Separator)); dir = filepath.Dir(dir) {
			if err := os.Chmod(dir, 0o711); err != nil {
				t.Fatal(err)
			}
		}
	}
	return func(name string, args ...string) (string, error) {
		cmd := exec.Command(tool(t, name), args...)
		cmd.Dir = data
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: as}
		// The server outlives pg_ctl and would keep a pipe open.
		out, err := os.CreateTemp(home, name)
		if err != nil {
			return "", err
		}
		defer out.Close()
		cmd.Stdout, cmd.Stderr = out, out
		err = cmd.Run()
		said, _ := os.ReadFile(out.Name())
		return string(said), err
	}
}

func unprivileged(t testing.TB) *syscall.Credential {
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, err1 := strconv.ParseUint(u.Uid, 10, 32)
		gid, err2 := strconv.ParseUint(u.Gid, 10, 32)
		if err1 == nil && err2 == nil {
			return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
		}
	}
	t.Fatal("root needs a user postgres or nobody to run PostgreSQL as")
	return nil
}

// tool finds a program of PostgreSQL: on the path, or where Debian keeps it.
func tool(t testing.TB, name string) string {
	if path, err := exec.LookPath(name); err == nil {
		return path
	}
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/" + name)
	if len(found) == 0 {
		t.Fatalf("%s is not installed: the tests need a PostgreSQL server", name)
	}
	return found[len(found)-1]
}

func freePort(t testing.TB) int {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}
