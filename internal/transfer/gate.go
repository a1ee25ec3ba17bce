package transfer

import (
	"context"
	"errors"
	"fmt"
	"net/http"
)

// gate is the way out to one registry.
type gate struct {
	to            http.RoundTripper
	scheme, host  string
	only          bool                                      // no other host, whatever a redirect says
	authorization func(ctx context.Context) (string, error) // header for the host; nil for none
}

var errGate = errors.New("refused")

func (g *gate) RoundTrip(r *http.Request) (*http.Response, error) {
	home := r.URL.Scheme == g.scheme && r.URL.Host == g.host
	switch {
	case g.scheme == "https" && r.URL.Scheme != "https":
		return nil, fmt.Errorf("%w: %s leads from https to %s://%s", errGate, g.host, r.URL.Scheme, r.URL.Host)
	case g.only && !home:
		return nil, fmt.Errorf("%w: %s leads to %s://%s", errGate, g.host, r.URL.Scheme, r.URL.Host)
	case g.authorization == nil:
		return g.to.RoundTrip(r)
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
	return g.to.RoundTrip(r)
}
