package policy

import (
	"bytes"

	"github.com/lighterage/lighterage/internal/name"
)

// Request is what is to be decided.
type Request struct {
	Principal Principal
	Action    string         // as ecr:PutImage
	Resource  string         // ARN, or "*" for an action without a resource
	Account   name.AccountID // that owns the resource

	// Keys returns the values of a condition key, given in lower case; none if
	// the request has no such key. Binary values are base64. It may be nil.
	Keys func(key string) []string

	// Steps grows by how much work the decision was, if it is not nil. Several
	// decisions may share it.
	Steps *int
	// Limit is what Steps does not grow beyond, if it is not 0: a decision that
	// would take more is a denial.
	Limit int
	// Done ends the decision when it is closed: as a denial, which nobody waits
	// for any more. It may be nil.
	Done <-chan struct{}
}

// Named is a document and the name that decisions call it by. Without a
// document it allows and denies nothing: a boundary, session or trust policy
// that must be there and cannot be had is one without a document.
type Named struct {
	Name     string
	Document *Document
}

// Policies are the documents that take part in a decision.
type Policies struct {
	Identity []Named // of the user and its groups, or of the role
	Boundary []Named // one, or empty if there is no permissions boundary
	Session  []Named // of the session; if empty it is not restricted
	Resource []Named // of the repository
	Registry []Named // of the repository's registry
	Trust    []Named // of the role that is assumed: not empty then, and must allow
}

// Evaluate decides. Policies that take more steps than an evaluation may are a
// denial.
//
// A Deny that matches, in any document, denies. Else, in the resource's own
// account:
//
//   - root needs no Allow, but where there are session or trust policies,
//     theirs;
//   - a resource, registry or trust policy that names the user or the role
//     session, or everybody, is enough: an implicit denial by the other
//     policies does not limit it (but a user's session policies do);
//   - one that names the role of a session is enough for what the permissions
//     boundary and the session policy allow;
//   - one that names the account is not enough: it leaves it to the account's
//     identity policies;
//   - else an identity policy must allow, and the boundary and the session
//     policy if there are.
//
// From another account, the resource's side must allow in any of these ways,
// and the principal's side as in its own account; the root of that account has
// all of its side.
//
// Somebody without an account is allowed by the resource's side alone.
func Evaluate(r Request, p Policies) Decision {
	// Written out, and space beside e: the compiler then keeps both on the stack.
	var space [64]byte
	e := evaluation{request: &r, action: appendLower(space[:0], r.Action), bounded: len(p.Boundary) > 0, given: r.given()}
	e.left = e.given
	d := e.decide(&p)
	e.report()
	return d
}

// evaluation is one decision under way.
type evaluation struct {
	request *Request
	action  []byte    // in lower case
	bounded bool      // the principal has a permissions boundary
	depends bool      // a key was looked up
	given   int       // steps that the evaluation may take
	left    int       // of them; below zero: spent
	absent  *[]string // collects keys without a value; nil: not asked for

	buffer [256]byte // where values with variables are made
}

// found is an Allow, and how it names the principal.
type found struct {
	grade     grade
	layer     Layer
	policy    string
	statement int
	sid       string
}

// lookup returns the values of a key in lower case.
func (e *evaluation) lookup(key string) []string {
	e.depends = true
	var got []string
	if e.request.Keys != nil && e.spend(lookupSteps) {
		got = e.request.Keys(key)
		e.spend(len(got)) // each is looked at
	}
	if e.absent != nil && len(got) == 0 {
		*e.absent = append(*e.absent, key)
	}
	return got
}

func (e *evaluation) decide(p *Policies) Decision {
	var allows [layers]found
	for l, documents := range p.byLayer() {
		if d := e.layer(Layer(l), documents, &allows[l]); d.Explicit {
			d.Depends = e.depends
			return d
		}
		if e.spent() {
			return Decision{Layer: Layer(l), Statement: -1, TooCostly: true, Depends: e.depends}
		}
	}
	d := e.weigh(p, &allows)
	d.Depends = e.depends
	return d
}

func (p *Policies) byLayer() [layers][]Named {
	return [layers][]Named{
		RegistryBased: p.Registry, ResourceBased: p.Resource, RoleTrust: p.Trust,
		IdentityBased: p.Identity, PermissionsBoundary: p.Boundary, SessionScoped: p.Session,
	}
}

// weigh decides when nothing denies.
func (e *evaluation) weigh(p *Policies, allows *[layers]found) Decision {
	resource, missing := best(allows[RegistryBased], allows[ResourceBased]), ResourceBased
	if len(p.Trust) > 0 {
		resource, missing = allows[RoleTrust], RoleTrust
	}
	who := &e.request.Principal
	own := who.Account == e.request.Account
	switch {
	case who.Account == "": // nobody, a provider's token or a service
		return resource.or(missing)
	case resource.grade == unnamed && len(p.Trust) > 0:
		return implicit(missing)
	case own && resource.grade == directly && who.Kind == RoleSession:
		return resource.or(missing)
	}

	side := allows[IdentityBased]
	bounded := len(p.Boundary) > 0
	switch {
	case who.Kind == Root:
		side = found{grade: directly, layer: IdentityBased, statement: -1}
		bounded = false
	case own && resource.grade >= byRole:
		side = resource
		bounded = bounded && resource.grade == byRole
	}
	switch {
	case side.grade == unnamed:
		return implicit(IdentityBased)
	case bounded && allows[PermissionsBoundary].grade == unnamed:
		return implicit(PermissionsBoundary)
	case len(p.Session) > 0 && allows[SessionScoped].grade == unnamed:
		return implicit(SessionScoped)
	case own:
		return side.or(IdentityBased)
	}
	return resource.or(missing)
}

func implicit(missing Layer) Decision { return Decision{Layer: missing, Statement: -1} }

// or returns that f allows, or if there is none that the layer lacks an Allow.
func (f found) or(missing Layer) Decision {
	if f.grade == unnamed {
		return implicit(missing)
	}
	return Decision{Allowed: true, Layer: f.layer, Policy: f.policy, Statement: f.statement, Sid: f.sid}
}

// best returns the Allow that is limited least.
func best(all ...found) found {
	b := all[0]
	for _, f := range all[1:] {
		if f.grade > b.grade {
			b = f
		}
	}
	return b
}

var colon = []byte(":")

// layer looks through the documents of one layer. It returns a denial if one
// denies, and puts the Allow that is limited least into allow.
func (e *evaluation) layer(l Layer, documents []Named, allow *found) Decision {
	vendor, _, _ := bytes.Cut(e.action, colon)
	for i := range documents {
		d := documents[i].Document
		if d == nil {
			continue
		}
		if e.abandoned() {
			return Decision{}
		}
		for _, candidates := range [...][]int32{d.exact[string(e.action)], d.byVendor[string(vendor)], d.rest} {
			for _, at := range candidates {
				s := &d.statements[at]
				g, why := e.statement(s)
				switch {
				case why.mismatch == byBudget:
					return Decision{}
				case why.mismatch != matches:
				case !s.allow:
					return Decision{Explicit: true, Layer: l, Policy: documents[i].Name, Statement: int(at), Sid: s.sid}
				case g > allow.grade:
					*allow = found{g, l, documents[i].Name, int(at), s.sid}
				}
			}
		}
	}
	return Decision{}
}
