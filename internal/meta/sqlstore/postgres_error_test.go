package sqlstore_test

import (
	"crypto/tls"
	"database/sql"
	"io"
	"log/slog"
	"net"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib"

	"github.com/lighterage/lighterage/internal/meta/metatest"
	"github.com/lighterage/lighterage/internal/meta/sqlstore"
)

// TestAConnectionThatFailsIsOneSentence: where, as whom and why, by both of the
// ways that a server connects; and never the password.
func TestAConnectionThatFailsIsOneSentence(t *testing.T) {
	trusting := metatest.StartPostgres(t).NewDatabase(t)
	_, rest, _ := strings.Cut(trusting, "@")
	at, _, _ := strings.Cut(rest, "/")
	demandPasswords(t, trusting)
	silent, err := net.Listen("tcp", "127.0.0.1:0") // never accepts
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	untrusted := tlsPostgres(t)
	for _, tt := range []struct{ name, url, want string }{
		{"nobody listens", "postgres://me:hush-hush@127.0.0.1:1/x?sslmode=disable", "PostgreSQL at 127.0.0.1:1, database x, user me: connection refused"},
		{"nobody listens, with and without TLS", "postgres://me:hush-hush@127.0.0.1:1/x", "PostgreSQL at 127.0.0.1:1, database x, user me: connection refused"},
		{"several hosts", "postgres://me:hush-hush@127.0.0.1:1,127.0.0.1:2/x?sslmode=disable", "PostgreSQL at 127.0.0.1:1 or 127.0.0.1:2, database x, user me: connection refused"},
		{"a host that is not there", "postgres://me:hush-hush@nowhere.invalid/x", "PostgreSQL at nowhere.invalid:5432, database x, user me: there is no host of the name nowhere.invalid"},
		{"no answer", "postgres://me:hush-hush@" + silent.Addr().String() + "/x?connect_timeout=1&sslmode=disable", "PostgreSQL at " + silent.Addr().String() + ", database x, user me: it does not answer"},
		{"no such database", "postgres://postgres@" + at + "/none?sslmode=disable", "PostgreSQL at " + at + ", database none, user postgres: there is no database none"},
		{"no such database, with and without TLS", "postgres://postgres@" + at + "/none", "PostgreSQL at " + at + ", database none, user postgres: there is no database none"},
		{"a wrong password", "postgres://asker:hush-hush@" + at + "/test1", "PostgreSQL at " + at + ", database test1, user asker: the password is refused"},
		{"no password", "postgres://asker@" + at + "/test1?passfile=/dev/null", "PostgreSQL at " + at + ", database test1, user asker: it wants a password, and none is given"},
		{"a user who is not let in", "postgres://stranger:hush-hush@" + at + "/test1?sslmode=disable", "PostgreSQL at " + at + `, database test1, user stranger: it does not let the user in: no pg_hba.conf entry for host "127.0.0.1", user "stranger", database "test1", no encryption`},
		{"a server without TLS", "postgres://me:hush-hush@" + at + "/x?sslmode=require", "PostgreSQL at " + at + ", database x, user me: it does not offer TLS, and sslmode demands it"},
		{"a certificate of nobody's", "postgres://me:hush-hush@" + untrusted + "/x?sslmode=verify-full&sslrootcert=system", "PostgreSQL at " + untrusted + ", database x, user me: its TLS certificate is not trusted: x509: certificate signed by unknown authority; sslrootcert names the file of the CA"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			log := slog.New(slog.DiscardHandler)
			_, err := sqlstore.HoldPostgres(t.Context(), tt.url, log, func(err error) { t.Error(err) })
			if err == nil || err.Error() != tt.want {
				t.Errorf("hold: got %v\nwant %s", err, tt.want)
			}
			_, err = sqlstore.OpenPostgres(t.Context(), tt.url, sqlstore.Options{Clock: time.Now})
			if err == nil || err.Error() != tt.want {
				t.Errorf("open: got %v\nwant %s", err, tt.want)
			}
		})
	}
}

// demandPasswords lets in postgres by its name and asker by a password.
func demandPasswords(t *testing.T, url string) {
	t.Helper()
	db, err := sql.Open("pgx", url)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var file string
	if err := db.QueryRow("SHOW hba_file").Scan(&file); err != nil {
		t.Fatal(err)
	}
	for _, s := range []string{
		"CREATE ROLE asker LOGIN PASSWORD 'another'",
		`COPY (VALUES ('local all all trust'), ('host all postgres 127.0.0.1/32 trust'), ('host all asker 127.0.0.1/32 scram-sha-256'), ('host x me 127.0.0.1/32 trust')) TO '` + file + "'",
		"SELECT pg_reload_conf()",
	} {
		if _, err := db.Exec(s); err != nil {
			t.Fatal(err)
		}
	}
	deadline := time.Now().Add(10 * time.Second)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		asker, err := sql.Open("pgx", strings.Replace(url, "postgres@", "asker@", 1))
		if err != nil {
			t.Fatal(err)
		}
		err = asker.Ping()
		asker.Close()
		if err != nil {
			return
		}
		if <-tick.C; time.Now().After(deadline) {
			t.Fatal("passwords are never asked for")
		}
	}
}

// tlsPostgres answers the request for TLS, with a certificate that nobody
// trusts, and returns its address.
func tlsPostgres(t *testing.T) string {
	t.Helper()
	web := httptest.NewTLSServer(nil)
	certificates := web.TLS.Certificates
	web.Close()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			request := make([]byte, 8) // the length and code of SSLRequest
			if _, err := io.ReadFull(conn, request); err == nil {
				_, _ = conn.Write([]byte("S"))
				_ = tls.Server(conn, &tls.Config{Certificates: certificates}).Handshake() // the client ends it
			}
			conn.Close()
		}
	}()
	t.Cleanup(func() {
		ln.Close()
		<-done
	})
	return ln.Addr().String()
}

func TestPostgresURLsThatAreRefused(t *testing.T) {
	missing := filepath.Join(t.TempDir(), "none.crt")
	for _, tt := range []struct{ name, url, want string }{
		{"an sslmode that is none", "postgres://me:hush-hush@h/x?sslmode=always", "sslmode of the PostgreSQL URL is none of disable, allow, prefer, require, verify-ca, verify-full"},
		{"a CA file that is not there", "postgres://me:hush-hush@h/x?sslmode=verify-full&sslrootcert=" + missing, "cannot read " + missing + ", which the PostgreSQL URL names: no such file or directory"},
		{"a password where the port should be", "postgres://me:hush-hush:5432/x", "the PostgreSQL URL is not of the form"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			err := sqlstore.CheckPostgres(tt.url)
			if err == nil || !strings.HasPrefix(err.Error(), tt.want) || strings.Contains(err.Error(), "hush") {
				t.Errorf("got %v, want %s", err, tt.want)
			}
		})
	}
}
