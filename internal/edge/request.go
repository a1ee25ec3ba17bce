// Package edge is what every front shares: one Request per HTTP request with
// its id, the address that the client used and the event that is logged, and
// the middleware that makes it, recovers from panics and bounds what comes in.
//
//  1. The scheme, host and client address are those of the connection, unless
//     a trusted proxy says otherwise.
//  2. Each request leaves one structured event, with the error that a front
//     noted; secrets never enter it.
//  3. Whoever keeps a trail is told of each request once, when its outcome is
//     decided and before anything of the answer is sent.
//  4. A panic becomes a plain 500 and an event; the process goes on.
//
// It knows no service and no protocol above HTTP.
package edge

import (
	"context"
	"net/netip"
)

// Request is what is known of an HTTP request beside the request itself. The
// front that handles it fills the lower half.
type Request struct {
	ID     string     // UUID, as x-amzn-RequestId
	Scheme string     // http or https, as the client used it
	Host   string     // host[:port], as the client used it
	Client netip.Addr // who connects

	Principal string // ARN, once known
	Action    string // IAM action, once known
	Resource  string // its resource
	Created   string // ARN of a repository that it created on its way; whatever was answered
	Withheld  error  // why it may not create the repository that it needs; Created is its ARN
	Err       error  // what was answered with an error

	Service   string // the operation's, as IAM spells it; once known
	Operation string // once known to be one
	Input     any    // of the operation, a pointer to its struct; once decoded. It may hold secrets
	Output    any    // likewise
	Code      string // of the error, as the wire spells it
	Message   string // that goes with it

	// Caller is for whoever puts the fronts together: package identity's
	// Caller, which this package does not know.
	Caller any
}

type key struct{}

// With returns a context that carries r.
func With(ctx context.Context, r *Request) context.Context {
	return context.WithValue(ctx, key{}, r)
}

// From returns the context's Request, or an empty one outside the middleware.
func From(ctx context.Context) *Request {
	if r, ok := ctx.Value(key{}).(*Request); ok {
		return r
	}
	return &Request{}
}
