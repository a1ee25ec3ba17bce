//go:build e2e

package e2e_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/google/go-cmp/cmp"
	"github.com/opencontainers/go-digest"

	"github.com/lighterage/lighterage/internal/seal/awskms/kmstest"
)

// user makes a user with an access key, and returns a check that the key works.
func (s *server) user(t *testing.T) (works func() error) {
	t.Helper()
	client := iam.NewFromConfig(s.config())
	if _, err := client.CreateUser(t.Context(), &iam.CreateUserInput{UserName: aws.String("ci")}); err != nil {
		t.Fatal(err)
	}
	key, err := client.CreateAccessKey(t.Context(), &iam.CreateAccessKeyInput{UserName: aws.String("ci")})
	if err != nil {
		t.Fatal(err)
	}
	c := s.config()
	c.Credentials = credentials.NewStaticCredentialsProvider(*key.AccessKey.AccessKeyId, *key.AccessKey.SecretAccessKey, "")
	return func() error {
		who, err := sts.NewFromConfig(c).GetCallerIdentity(context.Background(), &sts.GetCallerIdentityInput{})
		if err == nil && !strings.HasSuffix(*who.Arn, ":user/ci") {
			err = errors.New(*who.Arn)
		}
		return err
	}
}

// stop ends the server as a person does.
func (s *server) stop(t *testing.T) {
	t.Helper()
	s.terminate(t)
	if code := s.exit(t); code != 0 {
		t.Fatalf("exit code %d", code)
	}
}

// snapshot is the digest of every file below dir but its lock, which has the
// process in it.
func snapshot(t *testing.T, dir string) map[string]digest.Digest {
	t.Helper()
	all := map[string]digest.Digest{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || d.Name() == "lock" {
			return err
		}
		b, err := os.ReadFile(path)
		all[path] = digest.FromBytes(b)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// TestAMasterKeyInKMS: what KMS keeps opens the catalogue at each start, and
// nothing else does; a start that KMS does not help changes nothing.
func TestAMasterKeyInKMS(t *testing.T) {
	kms := kmstest.Start(t)
	arn, other := kms.AddKey("alias/lighterage"), kms.AddKey("alias/other")
	environ := kmstest.Environ(t.TempDir())
	with := func(dir string, sources ...string) launch {
		return launch{dir: dir, environ: environ, flags: []string{"--master-key", strings.Join(sources, ",")}}
	}
	s := start(t, with("", kms.Source("alias/lighterage")))
	works := s.user(t)
	if err := works(); err != nil {
		t.Errorf("the key: %v", err)
	}
	if want := []string{"Encrypt alias/lighterage", "Decrypt alias/lighterage"}; !slices.Equal(kms.Asked(), want) {
		t.Errorf("KMS was asked %v, want %v", kms.Asked(), want)
	}
	if _, err := os.Stat(filepath.Join(s.dir, "master-key")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("there is a key in the data directory: %v", err)
	}
	s.stop(t)
	l := with(s.dir, kms.Source(arn))
	l.addr = s.addr
	again := start(t, l)
	if err := works(); err != nil {
		t.Errorf("the key after a restart: %v", err)
	}
	again.stop(t)

	away := kmstest.Start(t)
	away.Close()
	nobody := append(slices.Clone(environ), "AWS_ACCESS_KEY_ID=", "AWS_SECRET_ACCESS_KEY=")
	before := snapshot(t, s.dir)
	for _, tt := range []struct {
		name    string
		source  string
		refuse  string
		environ []string
		code    int
		want    string
	}{
		{"KMS refuses", kms.Source("alias/lighterage"), "AccessDeniedException", environ, 3, "KMS at " + kms.URL + " refuses to encrypt with key alias/lighterage: AccessDeniedException"},
		{"KMS has disabled the key", kms.Source("alias/lighterage"), "DisabledException", environ, 3, "DisabledException"},
		{"KMS is away", away.Source("alias/lighterage"), "", environ, 3, "KMS at " + away.URL + " does not answer: connection refused"},
		{"the key is not there", kms.Source("alias/none"), "", environ, 3, "NotFoundException"},
		{"another KMS key", kms.Source(other), "", environ, 2, "is not the key of this catalogue's secrets"},
		{"no credentials", kms.Source("alias/lighterage"), "", nobody, 2, "there are no AWS credentials for KMS key alias/lighterage"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			kms.Refuse(tt.refuse)
			defer kms.Refuse("")
			fresh := filepath.Join(t.TempDir(), "new")
			for _, dir := range []string{s.dir, fresh} {
				if dir == fresh && tt.source == kms.Source(other) {
					continue // to a new catalogue it is as good as any
				}
				l := with(dir, tt.source)
				l.environ = tt.environ
				refused := l.begin(t)
				if code := refused.exit(t); code != tt.code {
					t.Errorf("exit code %d, want %d", code, tt.code)
				}
				if said := lines(refused.output.String()); len(said) != 1 || !strings.Contains(said[0], tt.want) {
					t.Errorf("said %q, want one line with %q", said, tt.want)
				}
			}
			if diff := cmp.Diff(before, snapshot(t, s.dir)); diff != "" {
				t.Errorf("the data directory changed (-was +is):\n%s", diff)
			}
			if _, err := os.Stat(fresh); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("a data directory was made: %v", err)
			}
		})
	}

	l.flags = []string{"--master-key", kms.Source(other) + "," + kms.Source(arn)}
	both := start(t, l)
	both.stop(t)
	l.flags = []string{"--master-key", kms.Source(other)}
	start(t, l)
	if err := works(); err != nil {
		t.Errorf("the key after the KMS key was replaced: %v", err)
	}
}

// TestAMasterKeyMovesIntoKMS: from the file that the first start made.
func TestAMasterKeyMovesIntoKMS(t *testing.T) {
	kms := kmstest.Start(t)
	kms.AddKey("alias/lighterage")
	s := start(t, launch{})
	works := s.user(t)
	s.stop(t)
	file := filepath.Join(s.dir, "master-key")
	l := launch{dir: s.dir, addr: s.addr, environ: kmstest.Environ(t.TempDir())}
	l.flags = []string{"--master-key", kms.Source("alias/lighterage") + ",file:" + file}
	start(t, l).stop(t)
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	l.flags = []string{"--master-key", kms.Source("alias/lighterage")}
	start(t, l)
	if err := works(); err != nil {
		t.Errorf("the key: %v", err)
	}
}

// TestAMisspeltMasterKeyLeavesNothing: not even the data directory.
func TestAMisspeltMasterKeyLeavesNothing(t *testing.T) {
	short := filepath.Join(t.TempDir(), "short")
	if err := os.WriteFile(short, []byte("c2hvcnQ=\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ name, source, want string }{
		{"a file that is not there", "file:" + short + ".none", "cannot read " + short + ".none"},
		{"a key that is short", "file:" + short, "has 5 bytes, not 32"},
		{"a variable that is not set", "env:NO_SUCH_KEY", "NO_SUCH_KEY is not set"},
		{"a scheme that is unknown", "vault:key", "is not file:PATH, env:NAME or awskms://KEY"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "new")
			s := launch{dir: dir, flags: []string{"--master-key", tt.source}}.begin(t)
			if code := s.exit(t); code != 2 {
				t.Errorf("exit code %d, want 2", code)
			}
			if said := lines(s.output.String()); len(said) != 1 || !strings.Contains(said[0], tt.want) {
				t.Errorf("said %q, want one line with %q", said, tt.want)
			}
			if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("a data directory was made: %v", err)
			}
		})
	}
}
