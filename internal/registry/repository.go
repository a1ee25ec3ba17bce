package registry

import (
	"context"
	"errors"

	"github.com/lighterage/lighterage/internal/fault"
	"github.com/lighterage/lighterage/internal/meta"
	"github.com/lighterage/lighterage/internal/name"
)

// Defaults returns the settings of a repository that nobody chose any for.
func Defaults() RepositorySettings {
	return RepositorySettings{Mutability: Mutable, EncryptionType: "AES256"}
}

// CreateRepository adds a repository with its resource tags.
// RepositoryExists, ParameterInvalid, TooManyTags, KeyUnusable, LimitExceeded.
func (c *Catalogue) CreateRepository(ctx context.Context, key RepositoryKey, s RepositorySettings, tags []ResourceTag) (Repository, error) {
	if err := c.checkNewTags(tags); err != nil {
		return Repository{}, err
	}
	if err := checkMutability(s.Mutability, s.MutabilityFilters); err != nil {
		return Repository{}, err
	}
	if err := c.Keys.Check(s); err != nil {
		return Repository{}, err
	}
	created := Repository{Key: key, RepositorySettings: s}
	err := c.Meta.Update(ctx, func(tx meta.Tx) error {
		now, err := tx.Now()
		if err != nil {
			return err
		}
		created.CreatedAt = now
		created.ID, err = tx.InsertRepository(created)
		if errors.Is(err, meta.ErrExists) {
			return repositoryFault(fault.RepositoryExists, key)
		}
		if err != nil {
			return err
		}
		// Counted with the newcomer, which holds the registry's counter.
		if err := c.checkRepositoryQuota(tx, key); err != nil || len(tags) == 0 {
			return err
		}
		return tx.PutResourceTags(resourceOf(created), tags)
	})
	return created, storeFault(key, err)
}

func (c *Catalogue) checkRepositoryQuota(tx meta.Tx, key RepositoryKey) error {
	if c.Limits.Repositories == 0 {
		return nil
	}
	n, err := tx.CountRepositories(key.Registry, key.Space)
	if err != nil || n <= c.Limits.Repositories {
		return err
	}
	f := repositoryFault(fault.LimitExceeded, key)
	f.Quota, f.Limit = "repositories per registry", c.Limits.Repositories
	return f
}

// EnsureRepository returns the repository, creating it with the defaults if it
// is not there.
func (c *Catalogue) EnsureRepository(ctx context.Context, key RepositoryKey) (Repository, error) {
	r, err := c.Repository(ctx, key)
	if !fault.Is(err, fault.RepositoryNotFound) {
		return r, err
	}
	r, err = c.CreateRepository(ctx, key, Defaults(), nil)
	if fault.Is(err, fault.RepositoryExists) { // somebody else was faster
		return c.Repository(ctx, key)
	}
	return r, err
}

// Repository finds one. RepositoryNotFound.
func (c *Catalogue) Repository(ctx context.Context, key RepositoryKey) (Repository, error) {
	var r Repository
	err := c.Meta.View(ctx, func(tx meta.Tx) (err error) {
		r, err = live(tx, key, meta.NoLock)
		return err
	})
	return r, storeFault(key, err)
}

// Repositories lists a registry's ECR repositories by name, at most limit
// after the given one.
func (c *Catalogue) Repositories(ctx context.Context, registry name.RegistryID, after name.RepositoryName, limit int) ([]Repository, error) {
	var rs []Repository
	err := c.Meta.View(ctx, func(tx meta.Tx) (err error) {
		rs, err = tx.Repositories(registry, meta.ECR, meta.Page[name.RepositoryName]{After: after, Limit: limit})
		return err
	})
	return rs, storeFault(RepositoryKey{Registry: registry}, err)
}

// RepositoriesNamed finds ECR repositories of a registry, in the order of the
// names. RepositoryNotFound of the first that is not there.
func (c *Catalogue) RepositoriesNamed(ctx context.Context, registry name.RegistryID, names []name.RepositoryName) ([]Repository, error) {
	var rs []Repository
	err := c.Meta.View(ctx, func(tx meta.Tx) error {
		rs = nil
		for _, n := range names {
			key := RepositoryKey{Registry: registry, Space: meta.ECR, Name: n}
			r, err := live(tx, key, meta.NoLock)
			if err != nil {
				return storeFault(key, err)
			}
			rs = append(rs, r)
		}
		return nil
	})
	return rs, storeFault(RepositoryKey{Registry: registry}, err)
}

// DeleteRepository removes a repository; one with images only with force. Its
// name is free at once, its content goes in the background.
// RepositoryNotFound, RepositoryNotEmpty.
func (c *Catalogue) DeleteRepository(ctx context.Context, key RepositoryKey, force bool) (Repository, error) {
	var r Repository
	err := c.Meta.Update(ctx, func(tx meta.Tx) error {
		var err error
		if r, err = live(tx, key, meta.LockExclusive); err != nil {
			return err
		}
		if !force {
			has, err := tx.HasImages(r.ID)
			if err != nil {
				return err
			}
			if has {
				return repositoryFault(fault.RepositoryNotEmpty, key)
			}
		}
		now, err := tx.Now()
		if err != nil {
			return err
		}
		if err := tx.UnlinkRepository(r.ID); err != nil {
			return err
		}
		return tx.EnqueueReview(meta.RepositorySubject, int64(r.ID), now)
	})
	if err == nil {
		c.uploads.dropRepository(key, r.ID)
	}
	return r, storeFault(key, err)
}

// SetMutability stores a mode with its exclusion filters.
// RepositoryNotFound, ParameterInvalid.
func (c *Catalogue) SetMutability(ctx context.Context, key RepositoryKey, mode string, filters []string) (Repository, error) {
	if err := checkMutability(mode, filters); err != nil {
		return Repository{}, err
	}
	return c.setRepository(ctx, key, func(s *RepositorySettings) { s.Mutability, s.MutabilityFilters = mode, filters })
}

// SetScanOnPush stores whether images should be scanned when pushed.
// RepositoryNotFound.
func (c *Catalogue) SetScanOnPush(ctx context.Context, key RepositoryKey, on bool) (Repository, error) {
	return c.setRepository(ctx, key, func(s *RepositorySettings) { s.ScanOnPush = on })
}

func (c *Catalogue) setRepository(ctx context.Context, key RepositoryKey, change func(*RepositorySettings)) (Repository, error) {
	var r Repository
	err := c.Meta.Update(ctx, func(tx meta.Tx) error {
		var err error
		if r, err = live(tx, key, meta.LockExclusive); err != nil {
			return err
		}
		change(&r.RepositorySettings)
		return tx.SetRepository(r.ID, r.RepositorySettings)
	})
	return r, storeFault(key, err)
}
