package access

import (
	"context"
	"errors"
	"strconv"

	"github.com/lighterage/lighterage/internal/identity"
	"github.com/lighterage/lighterage/internal/meta"
	"github.com/lighterage/lighterage/internal/name"
	"github.com/lighterage/lighterage/internal/policy"
)

// principalKey is whose policies these are: a principal's, or those of one of
// its sessions that is narrowed.
type principalKey struct {
	account name.AccountID
	id      meta.PrincipalID
	session string // access key id
}

// principal is a caller's side of a decision.
type principal struct {
	gone     bool // there is no such user or role in the account
	identity []policy.Named
	boundary []policy.Named
	session  []policy.Named
	tags     []meta.ResourceTag
}

// groupsAtOnce is a page of a user's groups.
const groupsAtOnce = 100

// principal returns the caller's side.
func (d *Decider) principal(ctx context.Context, g *generation, c *identity.Caller) (*principal, error) {
	key := principalKey{account: c.Account, id: c.Principal}
	named := true
	if c.Session.Narrowed() {
		key.session, named = c.KeyID, c.KeyID != ""
	}
	if named {
		if p, ok := g.principals.get(key); ok {
			return p, nil
		}
	}
	var p *principal
	err := d.Store.View(ctx, func(tx meta.Tx) error {
		p = new(principal)
		r := reader{d, tx, c.Account}
		if c.Kind == identity.User || c.Kind == identity.RoleSession {
			if err := r.stored(p, c.Principal, c.Kind); err != nil || p.gone {
				return err
			}
		}
		return r.session(p, c.Session)
	})
	if err != nil {
		return nil, meta.Fault(err)
	}
	if named {
		g.principals.put(key, p, 1)
	}
	return p, nil
}

// reader reads policies of an account in a transaction.
type reader struct {
	decider *Decider
	tx      meta.Tx
	account name.AccountID
}

// stored reads what is kept of a user or role.
func (r reader) stored(p *principal, id meta.PrincipalID, kind identity.Kind) error {
	row, err := r.tx.PrincipalOf(id)
	if errors.Is(err, meta.ErrNotFound) {
		p.gone = true
		return nil
	}
	if err != nil {
		return err
	}
	want, resource := meta.User, meta.UserResource
	if kind == identity.RoleSession {
		want, resource = meta.Role, meta.RoleResource
	}
	if row.Key.Account != r.account || row.Key.Kind != want {
		p.gone = true
		return nil
	}
	if p.tags, err = r.tx.ResourceTags(meta.Resource{Kind: resource, ID: int64(id)}); err != nil {
		return err
	}
	if p.identity, err = r.having(p.identity, row); err != nil {
		return err
	}
	if kind == identity.User {
		if err := r.groups(p, id); err != nil {
			return err
		}
	}
	if row.Boundary == (meta.PolicyRef{}) {
		return nil
	}
	boundary, err := r.managed(row.Boundary)
	p.boundary = []policy.Named{boundary}
	return err
}

func (r reader) groups(p *principal, user meta.PrincipalID) error {
	page := meta.Page[meta.PrincipalID]{Limit: groupsAtOnce}
	for {
		groups, err := r.tx.Groups(user, page)
		if err != nil {
			return err
		}
		for _, g := range groups {
			if p.identity, err = r.having(p.identity, g); err != nil {
				return err
			}
		}
		if len(groups) < page.Limit {
			return nil
		}
		page.After = groups[len(groups)-1].ID
	}
}

// kindNames begin the names of inline policies, as IAM's simulator gives them.
var kindNames = map[meta.PrincipalKind]string{meta.User: "user", meta.Group: "group", meta.Role: "role"}

// having appends what a principal has: its inline and its managed policies.
func (r reader) having(to []policy.Named, row meta.Principal) ([]policy.Named, error) {
	inline, err := r.tx.InlinePolicies(row.ID)
	if err != nil {
		return nil, err
	}
	for _, p := range inline {
		n, err := r.decider.named(kindNames[row.Key.Kind]+"_"+row.Key.Name+"_"+p.Name, policy.Identity, p.Document)
		if err != nil {
			return nil, err
		}
		to = append(to, n)
	}
	attached, err := r.tx.AttachedPolicies(row.ID)
	if err != nil {
		return nil, err
	}
	for _, ref := range attached {
		n, err := r.managed(ref)
		if err != nil {
			return nil, err
		}
		to = append(to, n)
	}
	return to, nil
}

// managed reads the default version of a managed policy. One of AWS's that is
// not known allows nothing.
func (r reader) managed(ref meta.PolicyRef) (policy.Named, error) {
	if ref.ID == 0 {
		text, ok := policy.ManagedDocument(ref.ARN)
		if !ok {
			return policy.Named{Name: ref.ARN}, nil
		}
		return r.decider.named(ref.ARN, policy.Managed, text)
	}
	row, err := r.tx.PolicyOf(ref.ID)
	if err != nil {
		return policy.Named{}, err
	}
	version, err := r.tx.PolicyVersion(row.ID, row.DefaultVersion)
	if err != nil {
		return policy.Named{}, err
	}
	return r.decider.named(ref.ARN, policy.Managed, version.Document)
}

// session reads what narrows a session. A managed policy that is not there any
// more narrows it to nothing.
func (r reader) session(p *principal, s *identity.Session) error {
	if !s.Narrowed() {
		return nil
	}
	for i, text := range s.Policies {
		n, err := r.decider.named("session policy "+strconv.Itoa(i+1), policy.Identity, text)
		if err != nil {
			return err
		}
		p.session = append(p.session, n)
	}
	for _, arn := range s.PolicyARNs {
		n, err := r.byARN(arn)
		if err != nil {
			return err
		}
		p.session = append(p.session, n)
	}
	return nil
}

func (r reader) byARN(arn string) (policy.Named, error) {
	account, kind, path, entity, ok := name.ParseDirectoryARN(arn)
	if ok && account == "aws" {
		return r.managed(meta.PolicyRef{ARN: arn})
	}
	if !ok || kind != "policy" || account != r.account {
		return policy.Named{Name: arn}, nil
	}
	row, err := r.tx.Policy(account, entity, meta.NoLock)
	switch {
	case errors.Is(err, meta.ErrNotFound), err == nil && (row.Path != path || row.Name != entity):
		return policy.Named{Name: arn}, nil
	case err != nil:
		return policy.Named{}, err
	}
	return r.managed(meta.PolicyRef{ARN: arn, ID: row.ID})
}
