package access

import (
	"context"
	"strings"

	"github.com/lighterage/lighterage/internal/identity"
	"github.com/lighterage/lighterage/internal/meta"
	"github.com/lighterage/lighterage/internal/policy"
)

// question is one decision under way.
type question struct {
	decider  *Decider
	ctx      context.Context // of the request, which the question does not outlive
	caller   identity.Caller
	action   string
	resource Resource
	given    map[string][]string // condition keys in the place of the request's own; of simulations

	generation *generation
	principal  *principal
	ambiguous  bool  // a condition asked for a tag that is there twice
	err        error // of reading what a condition asked for
	costly     bool  // an evaluation came to no answer
	work       work  // that it was, if it is not shared

	requested map[string][]string // values of the request's tags, by folded key
	tagKeys   []string            // of all tags of the request
}

// nobody is the answer to whoever is not known.
var nobody = policy.Decision{Layer: policy.IdentityBased, Statement: -1}

// decide answers the question.
func (q *question) decide(g *generation) (policy.Decision, error) {
	if q.unknown() {
		return nobody, nil
	}
	if d, ok := exception(&q.caller, q.action, &q.resource); ok {
		return d, nil
	}
	policies, err := q.policies(g)
	if err != nil {
		return policy.Decision{}, err
	}
	if q.principal.gone {
		return nobody, nil
	}
	return q.weigh(policies)
}

// unknown reports whether no identity was established.
func (q *question) unknown() bool {
	c := &q.caller
	switch c.Kind {
	case identity.Root:
		return c.Account == ""
	case identity.User:
		return c.Account == "" || c.Principal == 0
	case identity.RoleSession:
		return c.Account == "" || c.Principal == 0 || c.Session == nil
	case identity.WebIdentity:
		return c.ARN == ""
	case identity.Anonymous:
		return false
	}
	return true
}

// policies reads what takes part in the decision.
func (q *question) policies(g *generation) (policy.Policies, error) {
	q.generation = g
	var p policy.Policies
	var err error
	if q.principal, err = q.decider.principal(q.ctx, g, &q.caller); err != nil || q.principal.gone {
		return p, err
	}
	p.Identity, p.Boundary, p.Session = q.principal.identity, q.principal.boundary, q.principal.session
	service, _, _ := strings.Cut(q.action, ":")
	switch {
	case strings.EqualFold(service, "ecr"):
		err = q.decider.ofECR(q.ctx, g, q, &p)
	case strings.EqualFold(service, "sts") && strings.Contains(q.resource.ARN, ":role/"):
		p.Trust, err = q.decider.trust(q.ctx, g, q.resource.ARN)
	}
	return p, err
}

func (q *question) request() policy.Request {
	return policy.Request{
		Principal: principalOf(&q.caller), Action: q.action, Resource: q.resource.ARN, Account: q.resource.Account, Keys: q.values,
	}
}

// weigh has the policies decide. What they say of an ambiguous tag is no.
func (q *question) weigh(p policy.Policies) (policy.Decision, error) {
	d, err := q.evaluate(p)
	if err == nil && q.ambiguous {
		d = policy.Decision{Layer: policy.IdentityBased, Statement: -1, Depends: true}
		if q.caller.Account != q.resource.Account {
			d.Layer = outside(p)
		}
	}
	return d, err
}

func (q *question) evaluate(p policy.Policies) (policy.Decision, error) {
	if err := q.ctx.Err(); err != nil {
		return policy.Decision{}, meta.Fault(err)
	}
	r := q.request()
	if r.Principal.Account != "" && r.Principal.Account != r.Account {
		if d, denied := q.fromOutside(r, p); denied {
			return d, q.failure()
		}
	}
	d := q.ask(r, p)
	if r.Principal.Account == "" && d.Allowed && d.Layer == policy.RegistryBased {
		// A registry's policy means everybody who is somebody.
		depends := d.Depends
		p.Registry = nil
		d = q.ask(r, p)
		d.Depends = d.Depends || depends
	}
	return d, q.failure()
}

// failure returns why there is no decision: what was asked for could not be
// read, or nobody waits any more.
func (q *question) failure() error {
	if q.err != nil {
		return q.err
	}
	return meta.Fault(q.ctx.Err())
}

// fromOutside denies a caller of another account whom the resource's side does
// not allow. It only learns that: its own side, whose conditions could ask what
// the resource is like, and by how long they take, is not looked at.
func (q *question) fromOutside(r policy.Request, p policy.Policies) (denial policy.Decision, denied bool) {
	theirs := q.ask(r, policy.Policies{
		Identity: q.decider.anything, Resource: p.Resource, Registry: p.Registry, Trust: p.Trust,
	})
	return policy.Decision{Layer: outside(p), Statement: -1, Depends: theirs.Depends}, !theirs.Allowed
}

// outside is the layer that a caller of another account learns of.
func outside(p policy.Policies) policy.Layer {
	if len(p.Trust) > 0 {
		return policy.RoleTrust
	}
	return policy.ResourceBased
}
