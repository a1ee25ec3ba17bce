package registry

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/lighterage/lighterage/internal/fault"
	"github.com/lighterage/lighterage/internal/meta"
	"github.com/lighterage/lighterage/internal/name"
	"github.com/lighterage/lighterage/internal/policy"
)

// SetRepositoryPolicy gives a repository a policy, or another one. Unless it is
// nil, locksOut says whether that would keep the caller from setting the next
// one, which is refused. ParameterInvalid, RepositoryNotFound, and what
// locksOut returns.
func (c *Catalogue) SetRepositoryPolicy(ctx context.Context, key RepositoryKey, document string, locksOut func() (bool, error)) error {
	const invalid = "Invalid repository policy provided"
	parsed, err := policy.Parse(policy.Repository, document)
	if err != nil {
		return policyFault(invalid, err)
	}
	if parsed.NamesResources() { // the resource is the repository
		return policyFault(invalid, nil)
	}
	if locksOut != nil {
		locks, err := locksOut()
		if err != nil {
			return err
		}
		if locks {
			return policyFault("The policy would not allow you to set another policy on the repository in the future; force sets it all the same", nil)
		}
	}
	return storeFault(key, c.Meta.Update(ctx, func(tx meta.Tx) error {
		r, err := live(tx, key, meta.LockShared)
		if err != nil {
			return err
		}
		if err := checkMentions(tx, parsed, invalid); err != nil {
			return err
		}
		err = tx.PutRepositoryPolicy(r.ID, document)
		if errors.Is(err, meta.ErrNotFound) {
			return meta.ErrNoRepository
		}
		return err
	}))
}

// checkMentions checks that whom a document names is there (ECR refuses it else,
// without saying whom). ParameterInvalid.
func checkMentions(tx meta.Tx, document *policy.Document, constraint string) error {
	err := meta.CheckMentions(tx, document)
	if wrong, ok := errors.AsType[*policy.Error](err); ok {
		return policyFault(constraint, wrong)
	}
	return err
}

// policyFault is about the document of a request (ECR's name for it).
func policyFault(constraint string, cause error) error {
	return &fault.Error{Reason: fault.ParameterInvalid, Member: "PolicyText", Constraint: constraint, Err: cause}
}

// RepositoryPolicy returns a repository's policy as it was set.
// RepositoryNotFound, RepositoryPolicyNotFound.
func (c *Catalogue) RepositoryPolicy(ctx context.Context, key RepositoryKey) (string, error) {
	var document string
	err := c.Meta.View(ctx, func(tx meta.Tx) (err error) {
		document, _, err = repositoryPolicy(tx, key)
		return err
	})
	return document, storeFault(key, err)
}

// DeleteRepositoryPolicy removes a repository's policy and returns it.
// RepositoryNotFound, RepositoryPolicyNotFound.
func (c *Catalogue) DeleteRepositoryPolicy(ctx context.Context, key RepositoryKey) (string, error) {
	var document string
	err := c.Meta.Update(ctx, func(tx meta.Tx) error {
		var r Repository
		var err error
		if document, r, err = repositoryPolicy(tx, key); err != nil {
			return err
		}
		err = tx.DeleteRepositoryPolicy(r.ID)
		if errors.Is(err, meta.ErrNotFound) { // somebody else was faster
			return repositoryFault(fault.RepositoryPolicyNotFound, key)
		}
		return err
	})
	return document, storeFault(key, err)
}

func repositoryPolicy(tx meta.Tx, key RepositoryKey) (string, Repository, error) {
	r, err := live(tx, key, meta.NoLock)
	if err != nil {
		return "", r, err
	}
	document, err := tx.RepositoryPolicy(r.ID)
	if errors.Is(err, meta.ErrNotFound) {
		err = repositoryFault(fault.RepositoryPolicyNotFound, key)
	}
	return document, r, err
}

// PutRegistryPolicy gives a registry a policy, or another one. In the older
// scope it speaks of few actions (ECR user guide, registry permissions).
// ParameterInvalid.
func (c *Catalogue) PutRegistryPolicy(ctx context.Context, id name.RegistryID, document string) error {
	const invalid = "Invalid registry policy provided"
	parsed, err := policy.Parse(policy.Registry, document)
	if err != nil {
		return policyFault(invalid, err)
	}
	return storeFault(RepositoryKey{Registry: id}, c.Meta.Update(ctx, func(tx meta.Tx) error {
		scope, err := c.accountSetting(tx, id, meta.PolicyScopeSetting)
		if err != nil {
			return err
		}
		if scope == "V1" && !parsed.NamesOnly("ecr:ReplicateImage", "ecr:BatchImportUpstreamImage", "ecr:CreateRepository") {
			return policyFault(invalid, nil)
		}
		if err := checkMentions(tx, parsed, invalid); err != nil {
			return err
		}
		return tx.PutRegistryPolicy(id, document)
	}))
}

// RegistryPolicy returns a registry's policy as it was put.
// RegistryPolicyNotFound.
func (c *Catalogue) RegistryPolicy(ctx context.Context, id name.RegistryID) (string, error) {
	var document string
	err := c.Meta.View(ctx, func(tx meta.Tx) (err error) {
		document, err = tx.RegistryPolicy(id)
		return err
	})
	return document, registryPolicyFault(id, err)
}

// DeleteRegistryPolicy removes a registry's policy and returns it.
// RegistryPolicyNotFound.
func (c *Catalogue) DeleteRegistryPolicy(ctx context.Context, id name.RegistryID) (string, error) {
	var document string
	err := c.Meta.Update(ctx, func(tx meta.Tx) (err error) {
		if document, err = tx.RegistryPolicy(id); err != nil {
			return err
		}
		return tx.DeleteRegistryPolicy(id)
	})
	return document, registryPolicyFault(id, err)
}

func registryPolicyFault(id name.RegistryID, err error) error {
	if errors.Is(err, meta.ErrNotFound) {
		return &fault.Error{Reason: fault.RegistryPolicyNotFound, Account: string(id.Account)}
	}
	return storeFault(RepositoryKey{Registry: id}, err)
}

// accountSettings are what can be set of a registry, in the order in which ECR
// names them, with the values there are: the first holds until another is put
// (ECR API reference, PutAccountSetting).
var accountSettings = []struct {
	name   string
	values []string
}{
	{meta.ScanTypeSetting, []string{"AWS_NATIVE", "CLAIR"}},
	{meta.PolicyScopeSetting, []string{"V2", "V1"}},
	{meta.BlobMountingSetting, []string{"ENABLED", "DISABLED"}},
}

// settingValues returns the values that a setting can have. ParameterInvalid.
func settingValues(setting string) ([]string, error) {
	var names []string
	for _, s := range accountSettings {
		if s.name == setting {
			return s.values, nil
		}
		names = append(names, s.name)
	}
	return nil, notOneOf("name", setting, names)
}

func notOneOf(member, value string, all []string) error {
	return &fault.Error{
		Reason: fault.ParameterInvalid, Member: member, Value: value,
		Constraint: "Member must satisfy enum value set: [" + strings.Join(all, ", ") + "]",
	}
}

// PutAccountSetting stores a setting of a registry. ParameterInvalid.
func (c *Catalogue) PutAccountSetting(ctx context.Context, id name.RegistryID, setting, value string) error {
	values, err := settingValues(setting)
	if err != nil {
		return err
	}
	if !slices.Contains(values, value) {
		return notOneOf("value", value, values)
	}
	return storeFault(RepositoryKey{Registry: id}, c.Meta.Update(ctx, func(tx meta.Tx) error {
		return tx.PutAccountSetting(id, setting, value)
	}))
}

// AccountSetting returns a setting of a registry, or what holds without one.
// ParameterInvalid.
func (c *Catalogue) AccountSetting(ctx context.Context, id name.RegistryID, setting string) (string, error) {
	if _, err := settingValues(setting); err != nil {
		return "", err
	}
	var value string
	err := c.Meta.View(ctx, func(tx meta.Tx) (err error) {
		value, err = c.accountSetting(tx, id, setting)
		return err
	})
	return value, storeFault(RepositoryKey{Registry: id}, err)
}

func (c *Catalogue) accountSetting(tx meta.Tx, id name.RegistryID, setting string) (string, error) {
	value, err := tx.AccountSetting(id, setting)
	if errors.Is(err, meta.ErrNotFound) {
		if c.Limits.Strict && setting == meta.BlobMountingSetting { // ECR user guide, blob mounting: it is turned on
			return "DISABLED", nil
		}
		values, err := settingValues(setting)
		if err != nil {
			return "", err
		}
		return values[0], nil
	}
	return value, err
}

// blobMounting reports whether layers of the registry are mounted.
func (c *Catalogue) blobMounting(tx meta.Tx, id name.RegistryID) (bool, error) {
	value, err := c.accountSetting(tx, id, meta.BlobMountingSetting)
	return value == "ENABLED", err
}
