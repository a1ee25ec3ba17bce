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
	// Allow reports whether the key may fail to log in from the address, and if
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
	weak     bool // the secret is short enough to be guessed, with enough tries
}

// strongSecret is how long a secret must be that nobody guesses. Those that are
// made here have 40 characters; an operator's own may be shorter.
const strongSecret = 20

// attempt begins a log-in with a key.
func (a *Authority) attempt(ctx context.Context, key string) attempt {
	t := attempt{failures: a.config.Failures, key: key}
	if a.config.Client != nil {
		t.client = a.config.Client(ctx)
	}
	return t
}

// end counts how the log-in went, and returns what the client is told. Nobody
// is refused whose credential is good, whatever others do with the same key at
// the same address: it cannot be guessed, and to look costs less than the
// request did. Only a weak secret is not told from a wrong one. Whoever fails too often is told so, and not whether this failure
// was like those before: the fault's reason is Overloaded. What failed in the
// server, or for another reason than the credential, counts as nothing.
func (t attempt) end(err error) error {
	switch {
	case t.failures == nil:
		return err
	case err == nil && !t.weak:
		t.failures.Succeeded(t.client, t.key)
		return nil
	case err != nil && fault.Of(err).Kind() != fault.Unauthenticated:
		return err
	}
	if retry, ok := t.failures.Allow(t.client, t.key); !ok {
		seconds := strconv.Itoa(int((retry + time.Second - 1) / time.Second))
		return &fault.Error{Reason: fault.Overloaded, RetryAfter: retry, Detail: "Too many failed log-ins. Try again in " + seconds + " s."}
	}
	if err == nil {
		t.failures.Succeeded(t.client, t.key)
		return nil
	}
	t.failures.Failed(t.client, t.key)
	return err
}
