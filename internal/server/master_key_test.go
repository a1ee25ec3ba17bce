package server_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/lighterage/lighterage/internal/config"
	"github.com/lighterage/lighterage/internal/seal"
	"github.com/lighterage/lighterage/internal/seal/awskms/kmstest"
	"github.com/lighterage/lighterage/internal/server"
	"github.com/lighterage/lighterage/internal/testkit"
)

// user makes a user with an access key, and returns a check that the key works.
func user(t *testing.T, s *testkit.Server) (works func() error) {
	t.Helper()
	client := iam.NewFromConfig(s.AWS())
	_, err := client.CreateUser(t.Context(), &iam.CreateUserInput{UserName: aws.String("bob")})
	must(t, err)
	key, err := client.CreateAccessKey(t.Context(), &iam.CreateAccessKeyInput{UserName: aws.String("bob")})
	must(t, err)
	return func() error {
		c := s.AWS()
		c.Credentials = credentials.NewStaticCredentialsProvider(*key.AccessKey.AccessKeyId, *key.AccessKey.SecretAccessKey, "")
		who, err := sts.NewFromConfig(c).GetCallerIdentity(context.Background(), &sts.GetCallerIdentityInput{})
		if err == nil && !strings.HasSuffix(*who.Arn, ":user/bob") {
			err = errors.New(*who.Arn)
		}
		return err
	}
}

func TestTheServersOwnMasterKey(t *testing.T) {
	var log buffer
	s := testkit.Start(t, testkit.Logger(slog.New(slog.NewTextHandler(io.MultiWriter(t.Output(), &log), nil))))
	path := filepath.Join(s.Dir, "master-key")
	info, err := os.Stat(path)
	must(t, err)
	if info.Mode().Perm() != 0o600 {
		t.Errorf("the master key has the mode %v", info.Mode())
	}
	if !strings.Contains(log.String(), "level=WARN") || !strings.Contains(log.String(), path) {
		t.Error("nobody was warned of the new master key")
	}
	works := user(t, s)
	s.Restart()
	if err := works(); err != nil {
		t.Errorf("after a restart: %v", err)
	}
	if strings.Count(log.String(), "made a master key") != 1 {
		t.Error("a second key was made, or told of")
	}
	s.Stop()
	text, err := os.ReadFile(path)
	must(t, err)
	if strings.Contains(log.String(), strings.TrimSpace(string(text))) {
		t.Error("the log has the key")
	}

	must(t, os.Remove(path))
	checkConfigError(t, run(t, s.Dir), "master-key: the catalogue has a master key, and the data directory "+s.Dir+" has no file master-key; put it back, or say with master-key where it is")
	if _, err := os.Stat(path); err == nil {
		t.Error("another key was made")
	}
	must(t, os.WriteFile(path, []byte(seal.Generate()), 0o600))
	err = run(t, s.Dir)
	if err == nil || !strings.HasPrefix(err.Error(), "master-key: is not the key of this catalogue's secrets") || strings.Contains(err.Error(), "\n") {
		t.Errorf("with another key: %v", err)
	}
	must(t, os.WriteFile(path, text, 0o600))
	s.Restart()
	if err := works(); err != nil {
		t.Errorf("with the key again: %v", err)
	}
}

// run starts a server that does not start, and returns why.
func run(t *testing.T, dir string, more ...string) error {
	t.Helper()
	return server.Run(t.Context(), settings(t, dir, more...), launch(t, nil, func(server.Started) { t.Error("it started") }))
}

func checkConfigError(t *testing.T, err error, want string) {
	t.Helper()
	if _, ok := errors.AsType[*config.Error](err); !ok || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestAMasterKeyIsReplaced(t *testing.T) {
	dir := t.TempDir()
	former, latter := filepath.Join(dir, "former"), filepath.Join(dir, "latter")
	for _, path := range []string{former, latter} {
		must(t, os.WriteFile(path, []byte(seal.Generate()+"\n"), 0o600))
	}
	s := testkit.Start(t, testkit.Setting("master-key", "file:"+former))
	if _, err := os.Stat(filepath.Join(s.Dir, "master-key")); err == nil {
		t.Error("a key was made although one is given")
	}
	works := user(t, s)
	s.Restart(testkit.Setting("master-key", "file:"+latter+",file:"+former))
	if err := works(); err != nil {
		t.Errorf("with both: %v", err)
	}
	s.Restart(testkit.Setting("master-key", "file:"+latter))
	if err := works(); err != nil {
		t.Errorf("with the new one alone: %v", err)
	}
	s.Stop()
	err := run(t, s.Dir, "--master-key=file:"+former)
	if err == nil || !strings.HasPrefix(err.Error(), "master-key (from --master-key): is not the key") {
		t.Errorf("with the former one alone: %v", err)
	}
}

func TestMasterKeysThatCannotBeUsed(t *testing.T) {
	dir := t.TempDir()
	short := filepath.Join(dir, "short")
	must(t, os.WriteFile(short, []byte("c2hvcnQ="), 0o600))
	for _, c := range []struct{ name, setting, want string }{
		{"a file that is not there", "file:" + dir + "/none", "cannot read " + dir + "/none: no such file or directory"},
		{"a file with too little", "file:" + short, "file:" + short + ": the master key has 5 bytes, not 32"},
		{"a variable that is not set", "env:NO_SUCH_KEY", "the environment variable NO_SUCH_KEY is not set"},
	} {
		t.Run(c.name, func(t *testing.T) {
			checkConfigError(t, run(t, t.TempDir(), "--master-key="+c.setting), "master-key (from --master-key): "+c.want)
		})
	}
}

// keyService is a KMS with the key alias/one, whose settings the test has.
func keyService(t *testing.T) *kmstest.Service {
	t.Helper()
	for _, line := range kmstest.Environ(t.TempDir()) {
		name, value, _ := strings.Cut(line, "=")
		t.Setenv(name, value)
	}
	s := kmstest.Start(t)
	s.AddKey("alias/one")
	return s
}

func TestAMasterKeyInKMS(t *testing.T) {
	kms := keyService(t)
	oneKey, otherKey := kms.AddKey("alias/two"), kms.AddKey()
	s := testkit.Start(t, testkit.Setting("master-key", kms.Source("alias/two")))
	works := user(t, s)
	s.Restart()
	if err := works(); err != nil {
		t.Errorf("after a restart: %v", err)
	}
	s.Restart(testkit.Setting("master-key", kms.Source(oneKey)))
	if err := works(); err != nil {
		t.Errorf("with another spelling of the key: %v", err)
	}
	s.Stop()
	catalogue := filepath.Join(s.Dir, "lighterage.db")
	before, err := os.ReadFile(catalogue)
	must(t, err)
	checkConfigError(t, run(t, s.Dir, "--master-key="+kms.Source(otherKey)),
		"master-key (from --master-key): is not the key of this catalogue's secrets: "+config.KeySource{Scheme: "awskms", Name: otherKey, Region: kmstest.Region, Endpoint: kms.URL}.String()+" keeps no master key of it")
	if after, err := os.ReadFile(catalogue); err != nil || !bytes.Equal(before, after) {
		t.Errorf("a KMS key that is refused is in the catalogue, or %v", err)
	}
	s.Restart(testkit.Setting("master-key", kms.Source(otherKey)+","+kms.Source("alias/two")))
	s.Restart(testkit.Setting("master-key", kms.Source(otherKey)))
	if err := works(); err != nil {
		t.Errorf("with another KMS key: %v", err)
	}
	s.Stop()
	if err := run(t, s.Dir, "--master-key="+kms.Source(oneKey)); err == nil || !strings.Contains(err.Error(), "is not the key of this catalogue's secrets") {
		t.Errorf("with the former KMS key: %v", err)
	}
	for _, c := range []struct{ name, key, code, want string }{
		{"a key that is not there", "alias/none", "", "master key: KMS at " + kms.URL + " refuses to encrypt with key alias/none: NotFoundException: "},
		{"a key that may not be used", oneKey, "AccessDeniedException", "master key: KMS at " + kms.URL + " refuses to encrypt with key " + oneKey + ": AccessDeniedException: "},
	} {
		t.Run(c.name, func(t *testing.T) {
			kms.Refuse(c.code)
			err := run(t, s.Dir, "--master-key="+kms.Source(c.key))
			if _, ok := errors.AsType[*server.StoreError](err); !ok || !strings.HasPrefix(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestTwoSpellingsOfOneKMSKey(t *testing.T) {
	kms := keyService(t)
	arn := kms.AddKey("alias/two")
	err := run(t, t.TempDir(), "--master-key="+kms.Source("alias/two")+","+kms.Source(arn))
	if _, ok := errors.AsType[*config.Error](err); !ok || !strings.HasSuffix(err.Error(), " is given twice") {
		t.Errorf("got %v", err)
	}
}

func TestKMSWithoutCredentials(t *testing.T) {
	kms := keyService(t)
	t.Setenv("AWS_ACCESS_KEY_ID", "")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "")
	err := run(t, t.TempDir(), "--master-key="+kms.Source("alias/one"))
	if _, ok := errors.AsType[*config.Error](err); !ok || !strings.HasPrefix(err.Error(), "master-key (from --master-key): there are no AWS credentials for KMS key alias/one; set AWS_ACCESS_KEY_ID") {
		t.Errorf("got %v", err)
	}
}
