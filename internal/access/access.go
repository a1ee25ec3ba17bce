// Package access decides whether a caller may do an action on a resource. It
// is the only place that does: every operation of every door asks it.
//
// Nothing is allowed that no rule allowed. Today's rules: an account's root
// may do everything in its own account; a Lightsail login may push to its
// account's hidden registry and nothing else.
package access

import (
	"context"

	"github.com/lighterage/lighterage/internal/fault"
	"github.com/lighterage/lighterage/internal/identity"
	"github.com/lighterage/lighterage/internal/name"
)

// Resource is what an action is done to.
type Resource struct {
	Account name.AccountID // owner
	ARN     string         // or "*" for actions without a resource
}

// Decider decides. Its methods are safe for concurrent use.
type Decider struct{}

// New returns a decider.
func New() *Decider { return &Decider{} }

// LoginAction is the IAM action that everything on Lightsail's hidden registry
// asks for (Service Authorization Reference).
const LoginAction = "lightsail:CreateContainerServiceRegistryLogin"

// Authorize returns nil if the caller may do the IAM action on the resource,
// else a fault of the reason AccessDenied.
func (d *Decider) Authorize(_ context.Context, c identity.Caller, action string, r Resource) error {
	detail := ""
	switch {
	case c.Account == "":
		detail = "because no identity was established"
	case c.Account != r.Account:
		detail = "because no resource-based policy allows the " + action + " action"
	case c.Scope == identity.LightsailPush && action != LoginAction:
		detail = "because no session policy allows the " + action + " action"
	default:
		return nil
	}
	return &fault.Error{Reason: fault.AccessDenied, Account: string(r.Account), Principal: c.ARN, Action: action, Resource: r.ARN, Detail: detail}
}
