// Package s3server runs real S3 servers for tests: versitygw and minio, as
// processes of their own on the loopback address, which tools/need.sh builds.
package s3server

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// The credentials of every server's root.
const (
	AccessKey = "AKIDOFTHESERVER"
	SecretKey = "the-secret-key-of-the-server"
	Region    = "us-east-1"
)

// Server is a running server.
type Server struct {
	Endpoint string // http://127.0.0.1:port
	Dir      string // of its data

	kind    kind
	cmd     *exec.Cmd
	address string
	exited  chan struct{}
	buckets int
}

type kind struct {
	program string
	args    func(address, dir string) []string
	environ []string
}

var versitygw = kind{"versitygw",
	func(address, dir string) []string {
		return []string{"--port", address, "--region", Region, "--quiet", "posix", "--sidecar", filepath.Join(dir, "meta"), filepath.Join(dir, "data")}
	},
	[]string{"ROOT_ACCESS_KEY=" + AccessKey, "ROOT_SECRET_KEY=" + SecretKey},
}

var minio = kind{"minio",
	func(address, dir string) []string {
		return []string{"server", "--quiet", "--address", address, filepath.Join(dir, "data")}
	},
	[]string{"MINIO_ROOT_USER=" + AccessKey, "MINIO_ROOT_PASSWORD=" + SecretKey, "MINIO_BROWSER=off", "MINIO_UPDATE=off", "MINIO_CI_CD=1"},
}

// Versitygw starts a server over a directory.
func Versitygw(t testing.TB) *Server { return launch(t, versitygw) }

// Minio starts a server of another make.
func Minio(t testing.TB) *Server { return launch(t, minio) }

// Environ is what the AWS SDKs need to use a server, and nothing of the
// person's who runs the test. home is an empty directory.
func Environ(home string) []string {
	return []string{
		"AWS_ACCESS_KEY_ID=" + AccessKey, "AWS_SECRET_ACCESS_KEY=" + SecretKey, "AWS_SESSION_TOKEN=", "AWS_PROFILE=",
		"AWS_REGION=", "AWS_DEFAULT_REGION=", "AWS_EC2_METADATA_DISABLED=true", "AWS_ENDPOINT_URL=", "AWS_ENDPOINT_URL_S3=",
		"AWS_CONFIG_FILE=" + filepath.Join(home, "config"), "AWS_SHARED_CREDENTIALS_FILE=" + filepath.Join(home, "credentials"),
	}
}

func launch(t testing.TB, k kind) *Server {
	t.Helper()
	s := &Server{kind: k, Dir: t.TempDir()}
	for _, name := range []string{"data", "meta"} {
		if err := os.Mkdir(filepath.Join(s.Dir, name), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	for attempt := 0; ; attempt++ { // another may take the port first
		s.address = freeAddress(t)
		s.Endpoint = "http://" + s.address
		err := s.run(t)
		if err == nil {
			break
		}
		if attempt == 3 {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() { s.Kill() })
	return s
}

// Restart starts a server that was killed, at the same address over the same
// data.
func (s *Server) Restart(t testing.TB) {
	t.Helper()
	if err := s.run(t); err != nil {
		t.Fatal(err)
	}
}

// Kill ends the server as kill -9 does, and waits.
func (s *Server) Kill() {
	s.cmd.Process.Signal(syscall.SIGKILL)
	<-s.exited
}

func (s *Server) run(t testing.TB) error {
	path, err := program(s.kind.program)
	if err != nil {
		return err
	}
	said, err := os.Create(filepath.Join(s.Dir, "log"))
	if err != nil {
		return err
	}
	defer said.Close()
	s.cmd = exec.Command(path, s.kind.args(s.address, s.Dir)...)
	s.cmd.Dir = s.Dir
	s.cmd.Env = append(os.Environ(), s.kind.environ...)
	s.cmd.Stdout, s.cmd.Stderr = said, said
	if err := s.cmd.Start(); err != nil {
		return fmt.Errorf("start %s: %w", s.kind.program, err)
	}
	s.exited = make(chan struct{})
	cmd, exited := s.cmd, s.exited
	go func() {
		defer close(exited)
		cmd.Wait()
	}()
	return s.await(t)
}

// await waits until the server answers a question.
func (s *Server) await(t testing.TB) error {
	deadline := time.After(time.Minute)
	every := time.NewTicker(50 * time.Millisecond)
	defer every.Stop()
	for {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		_, err := s.Client().ListBuckets(ctx, &s3.ListBucketsInput{})
		cancel()
		if err == nil {
			return nil
		}
		select {
		case <-every.C:
		case <-s.exited:
			said, _ := os.ReadFile(filepath.Join(s.Dir, "log"))
			return fmt.Errorf("%s has ended: %s", s.kind.program, said)
		case <-deadline:
			s.Kill()
			return fmt.Errorf("%s does not answer: %w", s.kind.program, err)
		}
	}
}

// Client speaks to the server as its root.
func (s *Server) Client() *s3.Client {
	return s3.New(s3.Options{
		Region: Region, BaseEndpoint: aws.String(s.Endpoint), UsePathStyle: true, RetryMaxAttempts: 1,
		Credentials: credentials.NewStaticCredentialsProvider(AccessKey, SecretKey, ""),
	})
}

// NewBucket makes a bucket.
func (s *Server) NewBucket(t testing.TB) string {
	t.Helper()
	s.buckets++
	bucket := fmt.Sprintf("bucket%d", s.buckets)
	if _, err := s.Client().CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: &bucket}); err != nil {
		t.Fatalf("make a bucket: %v", err)
	}
	return bucket
}

// URL is the bucket as --storage names it.
func (s *Server) URL(bucket string) string {
	return "s3://" + bucket + "/layers?region=" + Region + "&path-style=true&endpoint=" + s.Endpoint
}

// program finds what tools/need.sh built.
func program(name string) (string, error) {
	if path, err := exec.LookPath(name); err == nil {
		return path, nil
	}
	cache := os.Getenv("TOOLS_CACHE")
	if cache == "" {
		dir, err := os.UserCacheDir()
		if err != nil {
			return "", err
		}
		cache = filepath.Join(dir, "lighterage")
	}
	path := filepath.Join(cache, "bin", name)
	if _, err := os.Stat(path); err != nil {
		return "", fmt.Errorf("%s is not there: tools/need.sh %s builds it", name, name)
	}
	return path, nil
}

func freeAddress(t testing.TB) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}
