//go:build e2e

package e2e_test

import (
	"bufio"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/opencontainers/go-digest"
)

// TestSIGTERMFinishesWhatIsInFlight: a push that had begun is answered, new
// connections are refused, the exit code is 0, and the push is there after.
func TestSIGTERMFinishesWhatIsInFlight(t *testing.T) {
	s := start(t, launch{})
	g := s.login(t)
	at, err := g.startUpload("term/app")
	if err != nil {
		t.Fatal(err)
	}
	blob := make([]byte, 1<<20)
	_, _ = rand.Read(blob)
	u, err := url.Parse(withDigest(at, digest.FromBytes(blob)))
	if err != nil {
		t.Fatal(err)
	}
	conn, err := net.Dial("tcp", s.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprintf(conn, "PUT %s HTTP/1.1\r\nHost: %s\r\nAuthorization: %s\r\nContent-Type: %s\r\nContent-Length: %d\r\nExpect: 100-continue\r\n\r\n",
		u.RequestURI(), s.addr, g.authorization, octets, len(blob))
	answers := bufio.NewReader(conn)
	// Continue says that the handler has the request.
	if line, err := answers.ReadString('\n'); err != nil || !strings.Contains(line, " 100 ") {
		t.Fatalf("no continue: %q %v", line, err)
	}
	if _, err := answers.ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Write(blob[:len(blob)/2]); err != nil {
		t.Fatal(err)
	}

	s.terminate(t)
	if err := poll(func() error {
		c, err := net.Dial("tcp", s.addr)
		if err != nil {
			return nil
		}
		c.Close()
		return errors.New("new connections are still accepted")
	}); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Write(blob[len(blob)/2:]); err != nil {
		t.Fatalf("the request in flight was cut: %v", err)
	}
	resp, err := http.ReadResponse(answers, nil)
	if err != nil {
		t.Fatalf("the request in flight was not answered: %v", err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusCreated {
		t.Errorf("the request in flight was answered %s, want 201", resp.Status)
	}
	conn.Close()
	if code := s.exit(t); code != 0 {
		t.Errorf("exit code %d, want 0", code)
	}

	start(t, launch{dir: s.dir, addr: s.addr})
	if _, err := g.getBlob("term/app", digest.FromBytes(blob)); err != nil {
		t.Errorf("what was answered 201 is not there: %v", err)
	}
}

// TestAStopLeavesTheCatalogueInOneFile: after SIGTERM there is no log beside
// the catalogue, and a server on a copy without one has what was pushed.
func TestAStopLeavesTheCatalogueInOneFile(t *testing.T) {
	s := start(t, launch{})
	g := s.login(t)
	kept := map[string]digest.Digest{}
	for i := range 20 {
		config, layer := random(2000), random(40<<10)
		for _, b := range [][]byte{config, layer} {
			if err := g.pushBlob("disk/app", b); err != nil {
				t.Fatal(err)
			}
		}
		manifest, tag := manifestOf(config, layer), fmt.Sprint("t", i)
		if err := g.putManifest("disk/app", tag, manifest); err != nil {
			t.Fatal(err)
		}
		kept[tag] = digest.FromBytes(manifest)
	}
	s.terminate(t)
	if code := s.exit(t); code != 0 {
		t.Fatalf("exit code %d", code)
	}
	if info, err := os.Stat(filepath.Join(s.dir, "lighterage.db-wal")); err == nil && info.Size() > 0 {
		t.Errorf("the log still has %d bytes", info.Size())
	}
	copied := t.TempDir()
	for _, name := range []string{"lighterage.db", "root-credentials", "master-key"} {
		b, err := os.ReadFile(filepath.Join(s.dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(copied, name), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.CopyFS(filepath.Join(copied, "blobs"), os.DirFS(filepath.Join(s.dir, "blobs"))); err != nil {
		t.Fatal(err)
	}
	again := start(t, launch{dir: copied})
	g = again.login(t)
	readBack(t, g, kept)
}

func TestServeRefusesInOneLine(t *testing.T) {
	running := start(t, launch{})
	notDir := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(notDir, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	readOnly := t.TempDir()
	mountReadOnly := []string{"unshare", "--mount", "sh", "-c",
		`mount --bind "$0" "$0" && mount -o remount,bind,ro "$0" && exec "$@"`, readOnly}
	tests := []struct {
		name string
		l    launch
		want string // in the line
	}{
		{"a data directory in use", launch{dir: running.dir}, running.dir},
		{"a port in use", launch{addr: running.addr}, strings.TrimPrefix(running.addr, "localhost")},
		{"a data directory that is a file", launch{dir: notDir}, notDir},
		{"a data directory that cannot be written", launch{dir: readOnly, wrapper: mountReadOnly}, "read-only"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := tt.l.begin(t)
			if code := s.exit(t); code == 0 {
				t.Error("exit code 0")
			}
			said := lines(s.output.String())
			if len(said) != 1 || !strings.Contains(said[0], tt.want) {
				t.Errorf("said %q, want one line with %q", said, tt.want)
			}
		})
	}
	if err := running.ready(); err != nil {
		t.Errorf("the server whose directory and port were wanted is harmed: %v", err)
	}
}

// TestASecondServerOfADatabaseIsRefused: it has a directory and an address of
// its own, and only the PostgreSQL database in common.
func TestASecondServerOfADatabaseIsRefused(t *testing.T) {
	flags := []string{"--database", startPostgres(t)}
	first := start(t, launch{flags: flags})
	second := launch{flags: flags}.begin(t)
	if code := second.exit(t); code != 3 {
		t.Errorf("exit code %d, want 3", code)
	}
	if said := lines(second.output.String()); len(said) != 1 || !strings.Contains(said[0], "in use by another lighterage") {
		t.Errorf("said %q, want one line", said)
	}
	first.kill()
	start(t, launch{dir: first.dir, addr: first.addr, flags: flags})
}

// TestSettingsThatAreWrongAreNamed: the command ends and says which key.
func TestSettingsThatAreWrongAreNamed(t *testing.T) {
	config := filepath.Join(t.TempDir(), "config.yaml")
	if err := os.WriteFile(config, []byte("listne: 127.0.0.1:1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name string
		args []string
		env  string
		want string
	}{
		{"a flag that does not exist", []string{"--listne", "x"}, "", "listne"},
		{"a misspelt region", []string{"--region", "us-esat-1"}, "", "region"},
		{"an account of eleven digits", []string{"--account-id", "12345678901"}, "", "account-id"},
		{"a database nobody speaks to", []string{"--database", "mysql://x"}, "", "database"},
		{"a wrong variable", nil, "LIGHTERAGE_LOG_LEVEL=loud", "log-level"},
		{"a key of the file that does not exist", []string{"--config", config}, "", "listne"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(context.Background(), patience)
			defer cancel()
			args := append([]string{"serve", "--listen", "127.0.0.1:0", "--data-dir", t.TempDir()}, tt.args...)
			cmd := exec.CommandContext(ctx, binary(t), args...)
			cmd.Env = append(os.Environ(), tt.env)
			out, err := cmd.CombinedOutput()
			if err == nil || ctx.Err() != nil {
				t.Fatalf("it serves: %v, %s", err, out)
			}
			if said := strings.ReplaceAll(strings.ToLower(string(out)), "_", "-"); !strings.Contains(said, tt.want) {
				t.Errorf("said %q, want %q named", out, tt.want)
			}
		})
	}
}

// TestEnvTellsHowToReachAServer: credentials made at the first start are kept
// to their owner, printed by `lighterage env`, and work.
func TestEnvTellsHowToReachAServer(t *testing.T) {
	s := start(t, launch{ownKeys: true})
	cmd := exec.Command(binary(t), "env", "--listen", strings.Replace(s.addr, "localhost", "127.0.0.1", 1), "--data-dir", s.dir)
	cmd.Env = append(os.Environ(), "HOME="+s.dir)
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("lighterage env: %v", err)
	}
	cmd = exec.Command("sh", "-c", string(out)+"\nenv")
	cmd.Env = []string{"PATH=" + os.Getenv("PATH")}
	out, err = cmd.Output()
	if err != nil {
		t.Fatalf("a shell cannot read what lighterage env prints: %v", err)
	}
	vars := map[string]string{}
	for _, line := range lines(string(out)) {
		k, v, _ := strings.Cut(line, "=")
		vars[k] = v
	}
	for _, name := range []string{"AWS_ENDPOINT_URL_ECR", "AWS_ENDPOINT_URL_LIGHTSAIL", "AWS_ENDPOINT_URL_STS", "AWS_ENDPOINT_URL_IAM", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION"} {
		if vars[name] == "" {
			t.Errorf("%s is not set", name)
		}
	}
	if v, ok := vars["AWS_ENDPOINT_URL"]; ok {
		t.Errorf("AWS_ENDPOINT_URL is %q, which would divert every service", v)
	}
	if vars["AWS_ACCESS_KEY_ID"] == keyID {
		t.Error("the key is not the server's own")
	}
	client := sts.NewFromConfig(aws.Config{
		Region: vars["AWS_REGION"], BaseEndpoint: aws.String(vars["AWS_ENDPOINT_URL_STS"]),
		Credentials: credentials.NewStaticCredentialsProvider(vars["AWS_ACCESS_KEY_ID"], vars["AWS_SECRET_ACCESS_KEY"], ""),
	})
	who, err := client.GetCallerIdentity(context.Background(), &sts.GetCallerIdentityInput{})
	if err != nil {
		t.Fatal(err)
	}
	if got := aws.ToString(who.Account); got != account {
		t.Errorf("account %s, want %s", got, account)
	}
	if found := readableByOthers(t, s.dir, vars["AWS_SECRET_ACCESS_KEY"]); len(found) > 0 {
		t.Errorf("the secret is in files that others may read: %q", found)
	}
}

// readableByOthers names the files that hold the secret and that someone but
// the owner may read.
func readableByOthers(t *testing.T, dir, secret string) []string {
	t.Helper()
	var found []string
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if strings.Contains(string(b), secret) && info.Mode().Perm()&0o077 != 0 {
			found = append(found, fmt.Sprintf("%s %s", path, info.Mode()))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}
