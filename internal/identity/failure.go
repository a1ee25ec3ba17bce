package identity

import (
	"context"
	"net/netip"
	"strconv"
	"time"

	"github.com/lighterage/lighterage/internal/fault"
)

// Failures limits failed log-ins. Its methods are safe for concurrent use.
type Failures interface {
	// Allow reports whether the key may try to log in from the address, and if
	// not in how long it is worth trying again.
	Allow(address netip.Addr, key string) (retry time.Duration, ok bool)
	// Failed counts a log-in that was wrong, Succeeded remembers one that was
	// not.
	Failed(address netip.Addr, key string)
	Succeeded(address netip.Addr, key string)
}

// attempt is a log-in with a credential that is not in a cache.
type attempt struct {
	failures Failures
	client   netip.Addr
	key      string
}

// attempt begins a log-in with what the client says is its key. Whom it failed
// too often is refused before anything is verified: the fault's reason is
// Overloaded.
func (a *Authority) attempt(ctx context.Context, key string) (attempt, error) {
	if a.config.Failures == nil {
		return attempt{}, nil
	}
	t := attempt{failures: a.config.Failures, key: key}
	if a.config.Client != nil {
		t.client = a.config.Client(ctx)
	}
	if retry, ok := t.failures.Allow(t.client, key); !ok {
		seconds := strconv.Itoa(int((retry + time.Second - 1) / time.Second))
		return attempt{}, &fault.Error{Reason: fault.Overloaded, RetryAfter: retry, Detail: "Too many failed log-ins. Try again in " + seconds + " s."}
	}
	return t, nil
}

// end counts how the log-in went. What failed in the server, or for another
// reason than the credential, counts as nothing.
func (t attempt) end(err error) {
	switch {
	case t.failures == nil:
	case err == nil:
		t.failures.Succeeded(t.client, t.key)
	case fault.Of(err).Kind() == fault.Unauthenticated:
		t.failures.Failed(t.client, t.key)
	}
}
