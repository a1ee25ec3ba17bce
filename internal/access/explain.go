package access

import (
	"context"

	"github.com/lighterage/lighterage/internal/identity"
	"github.com/lighterage/lighterage/internal/meta"
	"github.com/lighterage/lighterage/internal/name"
	"github.com/lighterage/lighterage/internal/policy"
)

// Explanation is a decision and how it came about.
type Explanation struct {
	policy.Decision
	// Exception says that no policy had a say: see exceptions.go.
	Exception bool
	// Lines tell of every statement of every policy that took part, in the
	// order of the layers.
	Lines []policy.Line
}

// Explain decides as Authorize does, and tells of every statement. It is for
// those who may see the account's policies: it hides nothing of the resource.
// r.Keys hold in the place of what the request would have, whichever they are.
func (d *Decider) Explain(ctx context.Context, c identity.Caller, action string, r Resource) (Explanation, error) {
	g, err := d.generation(ctx)
	if err != nil {
		return Explanation{}, err
	}
	if r.Service != "" {
		if r.ARN, err = d.serviceARN(ctx, r); err != nil {
			return Explanation{}, err
		}
	}
	q := &question{decider: d, ctx: ctx, caller: c, action: action, resource: r, given: r.Keys}
	if q.unknown() {
		return Explanation{Decision: nobody, Exception: true}, nil
	}
	policies, err := q.policies(g)
	if err != nil {
		return Explanation{}, err
	}
	if q.principal.gone {
		return Explanation{Decision: nobody, Exception: true}, nil
	}
	_, lines := policy.Explain(q.request(), policies)
	if e, ok := exception(&q.caller, action, &r); ok {
		return Explanation{Decision: e, Exception: true, Lines: lines}, q.err
	}
	q.ambiguous = false // the decision looks at less than the lines
	decision, err := q.weigh(policies)
	return Explanation{Decision: decision, Lines: lines}, err
}

// LocksOut reports whether the caller could not set the repository's policy
// again if it were the document. A root counts as everybody does: that it may
// always repair the policy is no reason to lock others out.
func (d *Decider) LocksOut(ctx context.Context, c identity.Caller, registry name.RegistryID, repository name.RepositoryName, document string) (bool, error) {
	g, err := d.generation(ctx)
	if err != nil {
		return false, err
	}
	r := Resource{Account: registry.Account, ARN: name.RepositoryARN(registry, repository)}
	q := &question{decider: d, ctx: ctx, caller: c, action: "ecr:SetRepositoryPolicy", resource: r}
	policies, err := q.policies(g)
	if err != nil {
		return false, err
	}
	n, err := d.repositoryPolicy(meta.RepositoryKey{Registry: registry, Name: repository}, document)
	if err != nil {
		return false, err
	}
	policies.Resource = []policy.Named{n}
	decision, err := q.weigh(policies)
	return !decision.Allowed, err
}
