package server_test

import (
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lighterage/lighterage/internal/config"
	"github.com/lighterage/lighterage/internal/meta/metatest"
	"github.com/lighterage/lighterage/internal/seal"
	"github.com/lighterage/lighterage/internal/server"
)

// TestAStartThatCannotBeLeavesNothing: the data directory does not exist
// before, nor after.
func TestAStartThatCannotBeLeavesNothing(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	must(t, os.WriteFile(file, []byte("c2hvcnQ="), 0o600))
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer ln.Close()
	away := "127.0.0.1:1"
	aKey := seal.Generate()
	database := metatest.StartPostgres(t).NewDatabase(t)
	used := t.TempDir()
	usedDatabase := "--database=sqlite:" + filepath.Join(t.TempDir(), "used.db")
	start(t, settings(t, used, usedDatabase)).end(t)
	kms := keyService(t)
	kms.Refuse("AccessDeniedException", "Decrypt")
	for _, tt := range []struct {
		name    string
		flags   []string
		environ []string
		setting bool // to blame, and not a store
		want    string
	}{
		{"a master key's file is not there", []string{"--master-key=file:" + file + ".none"}, nil, true, "cannot read " + file + ".none: no such file"},
		{"a master key is short", []string{"--master-key=file:" + file}, nil, true, "the master key has 5 bytes, not 32"},
		{"a master key's variable is not set", []string{"--master-key=env:NO_SUCH_KEY"}, nil, true, "NO_SUCH_KEY is not set"},
		{"a master key is given twice", []string{"--master-key=env:A,env:B"}, []string{"A=" + aKey, "B=" + aKey}, true, "is given twice"},
		{"the region of a KMS key is not known", []string{"--master-key=awskms://alias/one"}, nil, true, "add ?region="},
		{"a KMS that is away", []string{"--master-key=awskms://alias/one?region=eu-west-1&endpoint=http://" + away}, nil, false, "KMS at http://" + away + " does not answer: connection refused"},
		{"a KMS key that is not there", []string{"--master-key=" + kms.Source("alias/none")}, nil, false, "NotFoundException"},
		{"a KMS that encrypts and does not decrypt", []string{"--master-key=" + kms.Source("alias/one")}, nil, false, "AccessDeniedException"},
		{"half a root key", nil, []string{"LIGHTERAGE_ROOT_ACCESS_KEY_ID=AKIAIOSFODNN7EXAMPLE"}, true, "LIGHTERAGE_ROOT_SECRET_ACCESS_KEY"},
		{"a registry host", []string{"--registry-host={acount}.test"}, nil, true, "registry-host"},
		{"a host of the self-signed certificate", []string{"--tls=self-signed", "--tls-host=a b"}, nil, true, "tls-host"},
		{"a host that ACME cannot prove", []string{"--tls=acme", "--acme-host=localhost"}, nil, true, "acme-host"},
		{"an ACME CA's file is not there", []string{"--tls=acme", "--acme-host=r.example.com", "--acme-ca=" + file + ".none"}, nil, true, "acme-ca (from --acme-ca): cannot read " + file + ".none"},
		{"an ACME CA's file has no certificate", []string{"--tls=acme", "--acme-host=r.example.com", "--acme-ca=" + file}, nil, true, "acme-ca (from --acme-ca): " + file},
		{"an issuers' CA's file is not there", []string{"--oidc-ca=" + file + ".none"}, nil, true, "oidc-ca (from --oidc-ca): cannot read " + file + ".none"},
		{"an issuers' CA's file has no certificate", []string{"--oidc-ca=" + file}, nil, true, "oidc-ca (from --oidc-ca)"},
		{"an address in use", []string{"--listen=" + ln.Addr().String()}, nil, false, "in use"},
		{"the layer store is a file", []string{"--storage=file:" + file}, nil, false, "cannot use directory " + file + ": not a directory"},
		{"the audit trail is a file", []string{"--audit=file:" + file}, nil, false, "cannot use directory " + file + ": not a directory"},
		{"the database is below a file", []string{"--database=sqlite:" + file + "/a.db"}, nil, false, "cannot use directory " + file + ": not a directory"},
		{"the database is a directory", []string{"--database=sqlite:" + filepath.Dir(file)}, nil, false, "is a directory"},
		{"a database that has other layers", []string{usedDatabase}, nil, false, "is not the one that belongs to the database"},
		{"a database that has another master key", []string{usedDatabase, "--storage=file:" + used + "/blobs", "--master-key=env:A"}, []string{"A=" + aKey}, true, "is not the key of this catalogue's secrets"},
		{"a database that has a master key, which is not given", []string{usedDatabase, "--storage=file:" + used + "/blobs"}, nil, true, "has no file master-key"},
		{"a database URL that cannot be read", []string{"--database=postgres://127.0.0.1/x?sslmode=always"}, nil, true, "database (from --database)"},
		{"the database's server is away", []string{"--database=postgres://me:hush-hush@" + away + "/x?sslmode=disable"}, nil, false, "PostgreSQL at " + away},
		{"the database is not there", []string{"--database=" + strings.Replace(database, "/test1", "/none", 1)}, nil, false, "there is no database none"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			parent := t.TempDir()
			dir := filepath.Join(parent, "new", "data")
			flags := append([]string{"--data-dir=" + dir}, tt.flags...)
			err := server.Run(t.Context(), settings(t, dir, flags...), launch(t, tt.environ, func(server.Started) { t.Error("it started") }))
			if err == nil || !strings.Contains(err.Error(), tt.want) || strings.ContainsAny(err.Error(), "\n") || strings.Contains(err.Error(), "hush-hush") {
				t.Errorf("got %v, want one line with %s", err, tt.want)
			}
			if _, blamed := errors.AsType[*config.Error](err); blamed != tt.setting {
				t.Errorf("%v is a config.Error: %t, want %t", err, blamed, tt.setting)
			}
			if _, err := os.Stat(filepath.Join(parent, "new")); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("left %s", files(t, filepath.Join(parent, "new")))
			}
		})
	}
}

// TestAStartThatCannotBeLeavesWhatWasThere: of a directory that others made,
// nothing goes.
func TestAStartThatCannotBeLeavesWhatWasThere(t *testing.T) {
	dir := t.TempDir()
	must(t, os.WriteFile(filepath.Join(dir, "note"), nil, 0o600))
	if err := run(t, dir, "--database=postgres://127.0.0.1:1/x?sslmode=disable"); err == nil {
		t.Fatal("no error")
	}
	if !strings.Contains(files(t, dir), "note") {
		t.Error("what was there is gone")
	}
}
