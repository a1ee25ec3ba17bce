// Package access decides whether a caller may do an action on a resource. It
// is the only place that does: every operation of every door asks it.
//
//  1. Nothing is allowed that no rule allowed, and what cannot be read is
//     denied or an error, never ignored. The rules are the policies of the
//     principal and of the resource, weighed by package policy, and the few
//     exceptions of exceptions.go.
//  2. A decision is exact for the store's access version, which is at most half
//     a second old, and not old at all for changes made through this process.
//  3. Only decisions that hold for every request of the same caller, action
//     and resource are remembered, in bounded memory.
//  4. A decision is bounded work, and so are all that are made within one
//     context of Together: what would take more is denied.
//  5. Nobody learns from a denial by another account whether the resource
//     exists, nor what it is like.
package access

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/lighterage/lighterage/internal/fault"
	"github.com/lighterage/lighterage/internal/identity"
	"github.com/lighterage/lighterage/internal/meta"
	"github.com/lighterage/lighterage/internal/name"
	"github.com/lighterage/lighterage/internal/policy"
)

// Resource is what an action is done to, and what of the request policies may
// look at.
type Resource struct {
	Account name.AccountID // owner
	ARN     string         // or "*" for actions without a resource

	// Service is the container service that is meant, where the ARN leaves it
	// open: its own ARN holds an id that only looking it up tells. Policies
	// decide about the service if it is there; a denial names the ARN.
	Service name.ServiceName

	RequestTags [][2]string // key and value of tags that the request brings
	TagKeys     []string    // of tags that the request takes away
	// Keys are values of further condition keys, which are in lower case: those
	// of the operation alone, such as iam:policyarn.
	Keys map[string][]string
}

// Config is what a Decider is made of. Both fields must be set.
type Config struct {
	Store meta.Store
	Clock func() time.Time
}

// Decider decides. Its methods are safe for concurrent use.
type Decider struct {
	Config
	current   atomic.Pointer[generation]
	documents *cache[source, *policy.Document]
	anything  []policy.Named // allows all
}

// source is what a document was parsed from.
type source struct {
	kind policy.Kind
	text string
}

// documentsMax is how many bytes of documents are kept parsed. What is parsed
// takes a few times as much.
const documentsMax = 8 << 20

// New returns a decider.
func New(c Config) *Decider {
	anything, _ := policy.Parse(policy.Identity, `{"Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}`)
	return &Decider{
		Config:    c,
		documents: newCache[source, *policy.Document](documentsMax),
		anything:  []policy.Named{{Name: "anything", Document: anything}},
	}
}

// asked is a question and who asks it, as far as it matters for decisions that
// depend on nothing else.
type asked struct {
	account   name.AccountID
	arn       string
	keyID     string // stands for the session's policies
	principal meta.PrincipalID
	region    name.Region // of the registry, where the resource names none
	kind      identity.Kind
	scope     identity.Scope
	action    string
	resource  string
	owner     name.AccountID
}

// verdict is what became of it.
type verdict struct {
	allowed bool
	because string // half a sentence, of a denial
}

// Authorize returns nil if the caller may do the IAM action on the resource,
// else a fault of the reason AccessDenied, which wraps ErrTooCostly if it is for
// want of an answer. Any other reason means that the policies could not be read.
func (d *Decider) Authorize(ctx context.Context, c identity.Caller, action string, r Resource) error {
	g, err := d.generation(ctx)
	if err != nil {
		return err
	}
	named := r.ARN
	if r.Service != "" {
		if r.ARN, err = d.serviceARN(ctx, r); err != nil {
			return err
		}
	}
	key := asked{c.Account, c.ARN, c.KeyID, c.Principal, c.Region, c.Kind, c.Scope, action, r.ARN, r.Account}
	// A narrowed session without a key has no name to be remembered by.
	memorable := c.KeyID != "" || !c.Session.Narrowed()
	var v verdict
	var unsettled error
	known := false
	if memorable {
		v, known = g.decisions.get(key)
	}
	if !known {
		q := &question{decider: d, ctx: ctx, caller: c, action: action, resource: r}
		decision, err := q.decide(g)
		if err != nil {
			return err
		}
		v = verdict{decision.Allowed, decision.Because(action)}
		switch {
		case q.costly:
			unsettled = ErrTooCostly
		case memorable && !decision.Depends:
			g.decisions.put(key, v, 1)
		}
	}
	if v.allowed {
		return nil
	}
	return &fault.Error{Reason: fault.AccessDenied, Account: string(r.Account), Principal: c.ARN, Action: action, Resource: named, Detail: v.because, Err: unsettled}
}
