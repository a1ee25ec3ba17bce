package sqlstore

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"net"
	neturl "net/url"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// CheckPostgres returns what is wrong with a URL, as far as can be told without
// a server. The error holds nothing of the URL that could be a password.
func CheckPostgres(url string) error {
	_, err := postgresConfig(url)
	return err
}

var sslModes = []string{"disable", "allow", "prefer", "require", "verify-ca", "verify-full"}

// urlError is for a URL that the driver cannot read. The driver's own text may
// hold the password.
func urlError(url string, err error) error {
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		return fmt.Errorf("cannot read %s, which the PostgreSQL URL names: %w", e.Path, e.Err)
	}
	if u, err := neturl.Parse(url); err == nil {
		if q := u.Query(); q.Has("sslmode") && !slices.Contains(sslModes, q.Get("sslmode")) {
			return fmt.Errorf("sslmode of the PostgreSQL URL is none of %s", strings.Join(sslModes, ", "))
		}
	}
	return errors.New("the PostgreSQL URL is not of the form postgres://user:password@host:port/database?parameter=value, or a parameter cannot be used")
}

// connectError is why a server cannot be used, in one sentence.
type connectError struct {
	sentence string
	cause    error
}

func (e *connectError) Error() string { return strings.Join(strings.Fields(e.sentence), " ") }
func (e *connectError) Unwrap() error { return e.cause }

// openError names the server, and says of a connection that could not be made
// why. Nothing in it is of the password.
func openError(c *pgx.ConnConfig, err error) error {
	var at []string
	for _, f := range append([]*pgconn.FallbackConfig{{Host: c.Host, Port: c.Port}}, c.Fallbacks...) {
		if a := net.JoinHostPort(f.Host, strconv.Itoa(int(f.Port))); !slices.Contains(at, a) {
			at = append(at, a)
		}
	}
	server := fmt.Sprintf("PostgreSQL at %s, database %s, user %s", strings.Join(at, " or "), databaseOf(c), c.User)
	failed, ok := errors.AsType[*pgconn.ConnectError](err)
	if !ok {
		return fmt.Errorf("%s: %w", server, err)
	}
	return &connectError{server + ": " + connectCause(c, failed), err}
}

// databaseOf is the server's default where none is named.
func databaseOf(c *pgx.ConnConfig) string {
	if c.Database == "" {
		return c.User
	}
	return c.Database
}

// connectCause prefers what the server said to what TLS and the network said:
// several ways may have been tried.
func connectCause(c *pgx.ConnConfig, err error) string {
	if e, ok := errors.AsType[*pgconn.PgError](err); ok {
		return refusalCause(c, e)
	}
	if cause := tlsCause(err); cause != "" {
		return cause
	}
	if e, ok := errors.AsType[*net.DNSError](err); ok && !e.IsTimeout {
		return "there is no host of the name " + e.Name
	}
	if pgconn.Timeout(err) || errors.Is(err, context.DeadlineExceeded) || os.IsTimeout(err) {
		return "it does not answer"
	}
	if e, ok := errors.AsType[*os.SyscallError](err); ok {
		return e.Err.Error()
	}
	return innermost(err).Error()
}

// refusalCause reads PostgreSQL's error codes:
// https://www.postgresql.org/docs/current/errcodes-appendix.html
func refusalCause(c *pgx.ConnConfig, e *pgconn.PgError) string {
	switch {
	case e.Code == "28P01" && c.Password == "":
		return "it wants a password, and none is given"
	case e.Code == "28P01":
		return "the password is refused"
	case e.Code == "28000":
		return "it does not let the user in: " + e.Message
	case e.Code == "3D000":
		return "there is no database " + databaseOf(c)
	case e.Code == "53300":
		return "it has too many connections: " + e.Message
	case e.Code == "57P03":
		return "it is not ready: " + e.Message
	}
	return fmt.Sprintf("%s (SQLSTATE %s)", e.Message, e.Code)
}

// tlsCause is empty if TLS is not to blame.
func tlsCause(err error) string {
	if strings.Contains(err.Error(), "server refused TLS connection") { // the driver has no name for it
		return "it does not offer TLS, and sslmode demands it"
	}
	if e, ok := errors.AsType[x509.UnknownAuthorityError](err); ok {
		return "its TLS certificate is not trusted: " + e.Error() + "; sslrootcert names the file of the CA"
	}
	if e, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return "its TLS certificate is not trusted: " + innermost(e).Error()
	}
	if e, ok := errors.AsType[tls.AlertError](err); ok {
		return e.Error()
	}
	return ""
}

// innermost follows single causes.
func innermost(err error) error {
	for {
		inner := errors.Unwrap(err)
		if inner == nil {
			if all, ok := err.(interface{ Unwrap() []error }); ok && len(all.Unwrap()) > 0 {
				inner = all.Unwrap()[0]
			}
		}
		if inner == nil {
			return err
		}
		err = inner
	}
}
