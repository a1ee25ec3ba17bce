package access

import (
	"context"
	"errors"
	"strings"

	"github.com/lighterage/lighterage/internal/identity"
	"github.com/lighterage/lighterage/internal/meta"
	"github.com/lighterage/lighterage/internal/name"
	"github.com/lighterage/lighterage/internal/policy"
)

// scopeV1 is the older scope of registry policies (ECR user guide, registry
// permissions): they are asked about the actions of scopeActions alone. In the
// newer one, which holds where none was set, they are about all of ECR's.
const scopeV1 = "V1"

var scopeActions = []string{"ecr:ReplicateImage", "ecr:BatchImportUpstreamImage", "ecr:CreateRepository"}

// registrySide is what a registry brings to a decision.
type registrySide struct {
	policy []policy.Named
	v1     bool
}

// ofECR adds the policies of a registry and of a repository, as far as they
// are asked about the action.
func (d *Decider) ofECR(ctx context.Context, g *generation, q *question, p *policy.Policies) error {
	registry := name.RegistryID{Account: q.resource.Account, Region: q.caller.Region}
	id, repository, parseErr := name.ParseRepositoryARN(q.resource.ARN)
	if region := regionOf(q.resource.ARN); region != "" {
		registry.Region = region
	}
	side, err := d.registry(ctx, g, registry)
	if err != nil {
		return err
	}
	if !side.v1 || isOne(q.action, scopeActions) {
		p.Registry = side.policy
	}
	if parseErr != nil || id != registry { // no repository, or all of them
		return nil
	}
	p.Resource, err = d.repository(ctx, g, meta.RepositoryKey{Registry: id, Space: meta.ECR, Name: repository})
	return err
}

// regionOf returns the region of an ARN, if it is one and has one.
func regionOf(arn string) name.Region {
	p := strings.SplitN(arn, ":", 5)
	if len(p) < 5 || p[0] != "arn" {
		return ""
	}
	return name.Region(p[3])
}

// isOne compares actions as policies do.
func isOne(action string, all []string) bool {
	for _, a := range all {
		if strings.EqualFold(a, action) {
			return true
		}
	}
	return false
}

func (d *Decider) registry(ctx context.Context, g *generation, id name.RegistryID) (registrySide, error) {
	if s, ok := g.registries.get(id); ok {
		return s, nil
	}
	var s registrySide
	err := d.Store.View(ctx, func(tx meta.Tx) error {
		s = registrySide{}
		scope, err := absent(tx.AccountSetting(id, meta.PolicyScopeSetting))
		if err != nil {
			return err
		}
		s.v1 = scope == scopeV1
		text, err := absent(tx.RegistryPolicy(id))
		if err != nil || text == "" {
			return err
		}
		n, err := d.named("registry policy of "+string(id.Account)+" in "+string(id.Region), policy.Registry, text)
		s.policy = []policy.Named{n}
		return err
	})
	if err != nil {
		return s, meta.Fault(err)
	}
	g.registries.put(id, s, 1)
	return s, nil
}

func (d *Decider) repository(ctx context.Context, g *generation, key meta.RepositoryKey) ([]policy.Named, error) {
	if p, ok := g.repositories.get(key); ok {
		return p, nil
	}
	var all []policy.Named
	err := d.Store.View(ctx, func(tx meta.Tx) error {
		all = nil
		row, err := tx.Repository(key, meta.NoLock)
		if errors.Is(err, meta.ErrNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		text, err := absent(tx.RepositoryPolicy(row.ID))
		if err != nil || text == "" {
			return err
		}
		n, err := d.repositoryPolicy(key, text)
		all = []policy.Named{n}
		return err
	})
	if err != nil {
		return nil, meta.Fault(err)
	}
	g.repositories.put(key, all, 1)
	return all, nil
}

func (d *Decider) repositoryPolicy(key meta.RepositoryKey, text string) (policy.Named, error) {
	return d.named("policy of "+name.RepositoryARN(key.Registry, key.Name), policy.Repository, text)
}

// absent makes nothing of what is not there.
func absent(text string, err error) (string, error) {
	if errors.Is(err, meta.ErrNotFound) {
		return "", nil
	}
	return text, err
}

// trust returns a role's trust policy. Of a role that is not there it returns
// one that trusts nobody: whether it is there stays unknown.
func (d *Decider) trust(ctx context.Context, g *generation, arn string) ([]policy.Named, error) {
	account, kind, path, role, ok := name.ParseDirectoryARN(arn)
	nobody := []policy.Named{{Name: "trust policy of " + arn}}
	if !ok || kind != "role" {
		return nobody, nil
	}
	if p, ok := g.roles.get(arn); ok {
		return p, nil
	}
	var all []policy.Named
	err := d.Store.View(ctx, func(tx meta.Tx) error {
		all = nobody
		row, err := tx.Principal(meta.PrincipalKey{Account: account, Kind: meta.Role, Name: role}, meta.NoLock)
		switch {
		case errors.Is(err, meta.ErrNotFound):
			return nil
		case err != nil:
			return err
		case row.Path != path || row.Key.Name != role:
			return nil
		}
		n, err := d.named(nobody[0].Name, policy.Trust, row.Trust)
		all = []policy.Named{n}
		return err
	})
	if err != nil {
		return nil, meta.Fault(err)
	}
	g.roles.put(arn, all, 1)
	return all, nil
}

// resourceTags returns the tags of what an ARN names; none if nothing is
// there.
func (d *Decider) resourceTags(ctx context.Context, g *generation, arn string) ([]meta.ResourceTag, error) {
	if tags, ok := g.tags.get(arn); ok {
		return tags, nil
	}
	var tags []meta.ResourceTag
	err := d.Store.View(ctx, func(tx meta.Tx) error {
		tags = nil
		r, err := locate(tx, arn)
		if errors.Is(err, meta.ErrNotFound) {
			return nil
		}
		if err != nil || r.ID == 0 {
			return err
		}
		tags, err = tx.ResourceTags(r)
		return err
	})
	if err != nil {
		return nil, meta.Fault(err)
	}
	g.tags.put(arn, tags, 1)
	return tags, nil
}

// locate finds what an ARN names, if it can have tags.
func locate(tx meta.Tx, arn string) (meta.Resource, error) {
	if id, repository, err := name.ParseRepositoryARN(arn); err == nil {
		row, err := tx.Repository(meta.RepositoryKey{Registry: id, Space: meta.ECR, Name: repository}, meta.NoLock)
		return meta.Resource{Kind: meta.RepositoryResource, ID: int64(row.ID)}, err
	}
	if strings.Contains(arn, ":ContainerService/") {
		return locateService(tx, arn)
	}
	if account, host, ok := name.ParseProviderARN(arn); ok {
		row, err := tx.OIDCProvider(account, host, meta.NoLock)
		return meta.Resource{Kind: meta.ProviderResource, ID: int64(row.ID)}, err
	}
	account, kind, path, entity, ok := name.ParseDirectoryARN(arn)
	if !ok {
		return meta.Resource{}, nil
	}
	switch kind {
	case "user", "role":
		return locatePrincipal(tx, account, kind, path, entity)
	case "policy":
		row, err := tx.Policy(account, entity, meta.NoLock)
		if err != nil || row.Path != path {
			return meta.Resource{}, err
		}
		return meta.Resource{Kind: meta.PolicyResource, ID: int64(row.ID)}, nil
	}
	return meta.Resource{}, nil
}

func locatePrincipal(tx meta.Tx, account name.AccountID, kind, path, entity string) (meta.Resource, error) {
	key, resource := meta.PrincipalKey{Account: account, Kind: meta.User, Name: entity}, meta.UserResource
	if kind == "role" {
		key.Kind, resource = meta.Role, meta.RoleResource
	}
	row, err := tx.Principal(key, meta.NoLock)
	if err != nil || row.Path != path {
		return meta.Resource{}, err
	}
	return meta.Resource{Kind: resource, ID: int64(row.ID)}, nil
}

// servicesAtOnce is a page of a registry's container services.
const servicesAtOnce = 100

// locateService looks through the registry's services, of which there are few.
func locateService(tx meta.Tx, arn string) (meta.Resource, error) {
	p := strings.SplitN(arn, ":", 6)
	if len(p) != 6 {
		return meta.Resource{}, nil
	}
	registry := name.RegistryID{Region: name.Region(p[3]), Account: name.AccountID(p[4])}
	page := meta.Page[name.ServiceName]{Limit: servicesAtOnce}
	for {
		services, err := tx.Services(registry, page)
		if err != nil {
			return meta.Resource{}, err
		}
		for _, s := range services {
			if name.ServiceARN(registry, s.ResourceID) == arn {
				return meta.Resource{Kind: meta.ServiceResource, ID: int64(s.ID)}, nil
			}
		}
		if len(services) < page.Limit {
			return meta.Resource{}, nil
		}
		page.After = services[len(services)-1].Name
	}
}

// serviceARN returns the ARN of the resource's container service, and if there
// is none the ARN as it is. It is looked up each time: services come and go
// without a new access version.
func (d *Decider) serviceARN(ctx context.Context, r Resource) (string, error) {
	registry := name.RegistryID{Account: r.Account, Region: regionOf(r.ARN)}
	arn := r.ARN
	err := d.Store.View(ctx, func(tx meta.Tx) error {
		arn = r.ARN
		s, err := tx.Service(registry, r.Service, meta.NoLock)
		if errors.Is(err, meta.ErrNotFound) {
			return nil
		}
		if err == nil {
			arn = name.ServiceARN(registry, s.ResourceID)
		}
		return err
	})
	return arn, meta.Fault(err)
}

// principalOf is the caller as policies name it.
func principalOf(c *identity.Caller) policy.Principal {
	switch c.Kind {
	case identity.Root:
		return policy.Principal{Kind: policy.Root, ARN: name.RootARN(c.Account), Account: c.Account}
	case identity.User:
		return policy.Principal{Kind: policy.User, ARN: c.ARN, Account: c.Account}
	case identity.RoleSession:
		p := policy.Principal{Kind: policy.RoleSession, ARN: c.ARN, Account: c.Account}
		if c.Session != nil {
			p.Role = c.Session.RoleARN
		}
		return p
	case identity.WebIdentity:
		return policy.Principal{Kind: policy.WebIdentity, ARN: c.ARN}
	}
	return policy.Principal{}
}
