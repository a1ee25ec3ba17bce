package lifecycle

import (
	"context"
	"errors"

	"github.com/lighterage/lighterage/internal/fault"
	"github.com/lighterage/lighterage/internal/meta"
)

// Put gives a repository a policy, or another one; the same text again changes
// nothing. ParameterInvalid, RepositoryNotFound.
func (r *Runner) Put(ctx context.Context, key meta.RepositoryKey, text string) error {
	if _, err := r.parse(text); err != nil {
		return err
	}
	return failed(key, r.Meta.Update(ctx, func(tx meta.Tx) error {
		repository, err := live(tx, key, meta.LockShared)
		if err != nil {
			return err
		}
		old, err := tx.LifecyclePolicy(repository.ID, meta.LockExclusive)
		if err == nil && old.Text == text {
			return nil
		}
		if err != nil && !errors.Is(err, meta.ErrNotFound) {
			return err
		}
		now, err := tx.Now()
		if err != nil {
			return err
		}
		return stored(tx.PutLifecyclePolicy(meta.LifecyclePolicy{Repository: repository.ID, Text: text, SetAt: now, DueAt: now.Add(every)}))
	}))
}

// Get returns a repository's policy. RepositoryNotFound,
// LifecyclePolicyNotFound.
func (r *Runner) Get(ctx context.Context, key meta.RepositoryKey) (p meta.LifecyclePolicy, err error) {
	err = r.Meta.View(ctx, func(tx meta.Tx) error {
		p, err = policyOf(tx, key, meta.NoLock)
		return err
	})
	return p, failed(key, err)
}

// Delete removes a repository's policy and returns it. A run that goes on ends.
// RepositoryNotFound, LifecyclePolicyNotFound.
func (r *Runner) Delete(ctx context.Context, key meta.RepositoryKey) (p meta.LifecyclePolicy, err error) {
	err = r.Meta.Update(ctx, func(tx meta.Tx) error {
		if p, err = policyOf(tx, key, meta.LockExclusive); err != nil {
			return err
		}
		return tx.DeleteLifecyclePolicy(p.Repository)
	})
	return p, failed(key, err)
}

// Listed is a repository with a policy, whose text is left out.
type Listed struct {
	meta.LifecyclePolicy
	Key meta.RepositoryKey
}

// List lists the policies of all accounts by repository: at most limit after
// the given one, and whether there are more.
func (r *Runner) List(ctx context.Context, after meta.RepositoryID, limit int) (out []Listed, more bool, err error) {
	err = r.Meta.View(ctx, func(tx meta.Tx) error {
		out, more = nil, false
		all, err := tx.LifecyclePolicies(meta.Page[meta.RepositoryID]{After: after, Limit: limit + 1})
		if err != nil {
			return err
		}
		for _, p := range all {
			if more = len(out) == limit; more {
				return nil
			}
			repository, err := tx.RepositoryOf(p.Repository, meta.NoLock)
			if err != nil {
				return err
			}
			out = append(out, Listed{p, repository.Key})
		}
		return nil
	})
	return out, more, failed(meta.RepositoryKey{}, err)
}

// parse reads the text of a request. ParameterInvalid, about ECR's name for it.
func (r *Runner) parse(text string) (Policy, error) {
	p, err := Parse(text, Options{Strict: r.Strict})
	if err != nil {
		return p, &fault.Error{
			Reason: fault.ParameterInvalid, Member: "LifecyclePolicyText",
			Constraint: err.Error(), Err: err,
		}
	}
	return p, nil
}

// meant is the policy of a text, or without one the repository's.
func (r *Runner) meant(ctx context.Context, key meta.RepositoryKey, text string) (Policy, meta.RepositoryID, error) {
	if text == "" {
		p, err := r.Get(ctx, key)
		if err != nil {
			return Policy{}, 0, err
		}
		policy, err := Parse(p.Text, Options{})
		if err != nil { // by a later program
			err = fault.Wrap(fault.Unexpected, err)
		}
		return policy, p.Repository, err
	}
	policy, err := r.parse(text)
	if err != nil {
		return policy, 0, err
	}
	var id meta.RepositoryID
	err = r.Meta.View(ctx, func(tx meta.Tx) error {
		repository, err := live(tx, key, meta.NoLock)
		id = repository.ID
		return err
	})
	return policy, id, failed(key, err)
}

// policyOf finds a repository's policy inside a transaction.
func policyOf(tx meta.Tx, key meta.RepositoryKey, lock meta.Lock) (meta.LifecyclePolicy, error) {
	repository, err := live(tx, key, min(lock, meta.LockShared))
	if err != nil {
		return meta.LifecyclePolicy{}, err
	}
	p, err := tx.LifecyclePolicy(repository.ID, lock)
	if errors.Is(err, meta.ErrNotFound) {
		err = about(fault.LifecyclePolicyNotFound, key)
	}
	return p, err
}

// live finds a repository inside a transaction.
func live(tx meta.Tx, key meta.RepositoryKey, lock meta.Lock) (meta.Repository, error) {
	repository, err := tx.Repository(key, lock)
	if errors.Is(err, meta.ErrNotFound) {
		err = meta.ErrNoRepository
	}
	return repository, err
}

// stored is the error of writing to a repository that was there.
func stored(err error) error {
	if errors.Is(err, meta.ErrNotFound) {
		return meta.ErrNoRepository
	}
	return err
}

// failed turns a store's error into a fault about the repository.
func failed(key meta.RepositoryKey, err error) error {
	if _, ok := errors.AsType[*fault.Error](err); ok || err == nil {
		return err
	}
	reason := meta.Reason(err)
	if errors.Is(err, meta.ErrNoRepository) {
		reason = fault.RepositoryNotFound
	}
	f := about(reason, key)
	f.Err = err
	return f
}

func about(r fault.Reason, key meta.RepositoryKey) *fault.Error {
	return &fault.Error{Reason: r, Account: string(key.Registry.Account), Repository: string(key.Name)}
}
