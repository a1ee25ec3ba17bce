package transfer

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"

	"github.com/regclient/regclient/types/errs"
)

// gate is the way out to one registry.
type gate struct {
	to            http.RoundTripper
	scheme, host  string
	only          bool                                      // no other host, whatever a redirect says
	authorization func(ctx context.Context) (string, error) // header for the host; nil for none
}

// errPermanent is what another try cannot change.
var errPermanent = errors.New("refused")

func permanent(format string, args ...any) error {
	return fmt.Errorf("%w: %w%.0w", errPermanent, fmt.Errorf(format, args...), errs.ErrNotRetryable)
}

func (g *gate) RoundTrip(r *http.Request) (*http.Response, error) {
	home := r.URL.Scheme == g.scheme && r.URL.Host == g.host
	switch {
	case g.scheme == "https" && r.URL.Scheme != "https":
		return nil, permanent("%s leads from https to %s://%s", g.host, r.URL.Scheme, r.URL.Host)
	case g.only && !home:
		return nil, permanent("%s leads to %s://%s", g.host, r.URL.Scheme, r.URL.Host)
	case g.authorization == nil:
		return g.send(r)
	}
	r = r.Clone(r.Context())
	r.Header.Del("Authorization")
	if home {
		value, err := g.authorization(r.Context())
		if err != nil {
			return nil, err
		}
		r.Header.Set("Authorization", value)
	}
	return g.send(r)
}

func (g *gate) send(r *http.Request) (*http.Response, error) {
	answer, err := g.to.RoundTrip(r)
	if e, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return nil, permanent("%w", e)
	}
	return answer, err
}
