package access

import (
	"context"

	"github.com/lighterage/lighterage/internal/fault"
	"github.com/lighterage/lighterage/internal/meta"
	"github.com/lighterage/lighterage/internal/name"
	"github.com/lighterage/lighterage/internal/policy"
)

// generation is all that was read at one access version or later, and what was
// decided from it. It is dropped whole when the version has changed.
type generation struct {
	version      int64
	principals   *cache[principalKey, *principal]
	registries   *cache[name.RegistryID, registrySide]
	repositories *cache[meta.RepositoryKey, []policy.Named]
	roles        *cache[string, []policy.Named] // trust policies by the role's ARN
	tags         *cache[string, []meta.ResourceTag]
	decisions    *cache[asked, verdict]
}

// The bounds of a generation, in entries. They are not reached in one until
// there is much to remember.
const (
	principalsMax = 4 << 10
	resourcesMax  = 16 << 10
	decisionsMax  = 32 << 10
)

// generation returns the one of the store's version.
func (d *Decider) generation(ctx context.Context) (*generation, error) {
	version, err := d.Store.RecentAccessVersion(ctx)
	if err != nil {
		return nil, meta.Fault(err)
	}
	g := d.current.Load()
	for g == nil || g.version < version {
		next := &generation{
			version:      version,
			principals:   newCache[principalKey, *principal](principalsMax),
			registries:   newCache[name.RegistryID, registrySide](resourcesMax),
			repositories: newCache[meta.RepositoryKey, []policy.Named](resourcesMax),
			roles:        newCache[string, []policy.Named](resourcesMax),
			tags:         newCache[string, []meta.ResourceTag](resourcesMax),
			decisions:    newCache[asked, verdict](decisionsMax),
		}
		if d.current.CompareAndSwap(g, next) {
			return next, nil
		}
		g = d.current.Load()
	}
	return g, nil // of a later version, it is as good
}

// document returns what a stored text says. Every text was checked when it was
// put: one that cannot be read is no reason to allow what it may deny.
func (d *Decider) document(kind policy.Kind, text string) (*policy.Document, error) {
	from := source{kind, text}
	if doc, ok := d.documents.get(from); ok {
		return doc, nil
	}
	doc, err := policy.Parse(kind, text)
	if err != nil {
		return nil, fault.Wrap(fault.Unexpected, err)
	}
	d.documents.put(from, doc, len(text)+64)
	return doc, nil
}

// named is document with a name.
func (d *Decider) named(name string, kind policy.Kind, text string) (policy.Named, error) {
	doc, err := d.document(kind, text)
	return policy.Named{Name: name, Document: doc}, err
}
