package access

import (
	"github.com/lighterage/lighterage/internal/identity"
	"github.com/lighterage/lighterage/internal/policy"
)

// LoginAction is the IAM action that everything on Lightsail's hidden registry
// asks for (Service Authorization Reference).
const LoginAction = "lightsail:CreateContainerServiceRegistryLogin"

// free needs nobody's permission (AWS STS API Reference): it tells callers who
// they are, or has them prove it.
var free = []string{"sts:GetCallerIdentity", "sts:GetSessionToken"}

// repairs are what an account's root may always do, so that no policy locks
// everybody out.
var repairs = []string{
	"ecr:SetRepositoryPolicy", "ecr:GetRepositoryPolicy", "ecr:DeleteRepositoryPolicy",
	"ecr:PutRegistryPolicy", "ecr:GetRegistryPolicy", "ecr:DeleteRegistryPolicy",
}

// pulls are all that anybody can be allowed without a login.
var pulls = []string{
	"ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer", "ecr:BatchCheckLayerAvailability", "ecr:ListImages",
}

// exception is a decision that no policy has a say in.
func exception(c *identity.Caller, action string, r *Resource) (policy.Decision, bool) {
	allowed := policy.Decision{Allowed: true, Layer: policy.IdentityBased, Statement: -1}
	denied := policy.Decision{Layer: policy.SessionScoped, Statement: -1}
	own := c.Account != "" && c.Account == r.Account
	switch {
	case c.Scope == identity.LightsailPush && action != LoginAction:
		return denied, true
	case c.Scope == identity.AnonymousPull, c.Kind == identity.Anonymous:
		denied.Layer = policy.ResourceBased
		return denied, !isOne(action, pulls)
	case c.Kind == identity.WebIdentity:
		return policy.Decision{}, false
	case own && c.Scope == identity.FullScope && isOne(action, free):
		return allowed, true
	case own && c.Scope == identity.FullScope && c.Kind == identity.Root && !c.Session.Narrowed() && isOne(action, repairs):
		return allowed, true
	}
	return policy.Decision{}, false
}
