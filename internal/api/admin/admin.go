// Package admin is the server's own API, for what AWS has no operation for:
// making accounts, ending all tokens of an account, running lifecycle policies of
// whatever account, and asking why a decision comes out as it does. It speaks AWS JSON with a model of our own.
//
//  1. Every operation is an action lighterage:<Operation> on the resource "*" of
//     the server's own account. So its root may, and of its users those whose
//     policies say so; other accounts may not, because nothing of theirs is
//     asked about.
//     As in IAM, credentials of GetSessionToken do not open it.
//  2. A secret access key is in the answer that made it, and in no other.
//  3. A simulation decides nothing, records nothing, and uses the very policies
//     that a request of the principal would meet.
//
// It has no rules of its own: they are in packages directory, lifecycle and access.
package admin

import (
	"context"

	"github.com/lighterage/lighterage/internal/access"
	"github.com/lighterage/lighterage/internal/api/awsjson"
	"github.com/lighterage/lighterage/internal/api/awsmodel/lighteragemodel"
	"github.com/lighterage/lighterage/internal/directory"
	"github.com/lighterage/lighterage/internal/fault"
	"github.com/lighterage/lighterage/internal/identity"
	"github.com/lighterage/lighterage/internal/lifecycle"
	"github.com/lighterage/lighterage/internal/name"
)

// Principals finds whom an ARN names; *identity.Authority does.
type Principals interface {
	CallerOf(ctx context.Context, arn string) (identity.Caller, error)
}

// Explainer tells how a decision comes about; *access.Decider does.
type Explainer interface {
	Explain(ctx context.Context, c identity.Caller, action string, r access.Resource) (access.Explanation, error)
}

// Config is what the front is made of. Every field must be set.
type Config struct {
	Account    name.AccountID // the server's own
	Directory  *directory.Directory
	Lifecycle  *lifecycle.Runner
	Principals Principals
	Explainer  Explainer
}

type front struct{ Config }

// New returns the service for the protocol's handler.
func New(c Config) awsjson.Service {
	f := &front{c}
	style := awsjson.ValidationError
	style.Error = invalid
	return awsjson.Service{Model: lighteragemodel.Model, Operations: f.operations(), Style: style, Errors: wordFault}
}

// operations is the table of what is offered.
func (f *front) operations() []awsjson.Operation {
	return []awsjson.Operation{
		op(f, "CreateAccount", f.createAccount),
		op(f, "ListAccounts", f.listAccounts),
		op(f, "RevokeTokens", f.revokeTokens),
		op(f, "ListLifecyclePolicies", f.listLifecyclePolicies),
		op(f, "RunLifecyclePolicy", f.runLifecyclePolicy),
		op(f, "SimulateDecision", f.simulateDecision),
	}
}

// op is the row of an operation.
func op[In, Out any](f *front, operation string, handle func(context.Context, *awsjson.Call, *In) (*Out, error)) awsjson.Operation {
	own := func(c *awsjson.Call, _ *In) (access.Resource, error) {
		if borrowed(c.Caller) {
			return access.Resource{}, fault.New(fault.CredentialUnknown)
		}
		return access.Resource{Account: f.Account, ARN: "*"}, nil
	}
	return awsjson.Op(operation, "lighterage:"+operation, own, handle)
}

// borrowed reports whether the caller is a user or root by credentials of
// GetSessionToken: lasting credentials, as CreateAccount gives, are not made out
// of passing ones.
func borrowed(c identity.Caller) bool {
	return c.Session != nil && (c.Kind == identity.User || c.Kind == identity.Root)
}
