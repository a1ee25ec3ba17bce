package registry

import (
	"context"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/lighterage/lighterage/internal/fault"
	"github.com/lighterage/lighterage/internal/meta"
)

func resourceOf(r Repository) meta.Resource {
	return meta.Resource{Kind: meta.RepositoryResource, ID: int64(r.ID)}
}

// checkResourceTags checks tags that come to those that are there: keys of 1
// to 128 characters not beginning with "aws:", values of at most 256, each key
// once, and no more than the limit altogether (ECR API reference, Tag). Keys that
// differ only in case are refused: policies know no case, so that a condition on
// one of them would be at the mercy of the other.
func (c *Catalogue) checkResourceTags(have, add []ResourceTag) error {
	keys := map[string]bool{}
	for i, t := range add {
		alike := func(other ResourceTag) bool { return other.Key != t.Key && strings.EqualFold(other.Key, t.Key) }
		if slices.ContainsFunc(have, alike) || slices.ContainsFunc(add[:i], alike) {
			return &fault.Error{Reason: fault.ResourceTagInvalid, Member: "tags", Value: t.Key}
		}
		if !validKey(t.Key) || utf8.RuneCountInString(t.Value) > 256 || keys[t.Key] {
			return &fault.Error{Reason: fault.ResourceTagInvalid, Member: "tags", Value: t.Key}
		}
		keys[t.Key] = true
	}
	for _, t := range have {
		keys[t.Key] = true
	}
	if limit := c.Limits.ResourceTags; limit > 0 && len(keys) > limit {
		return &fault.Error{Reason: fault.TooManyTags, Limit: int64(limit)}
	}
	return nil
}

func validKey(key string) bool {
	n := utf8.RuneCountInString(key)
	return n >= 1 && n <= 128 && !strings.HasPrefix(key, "aws:")
}

// ResourceTags lists a repository's resource tags. RepositoryNotFound.
func (c *Catalogue) ResourceTags(ctx context.Context, key RepositoryKey) ([]ResourceTag, error) {
	var tags []ResourceTag
	err := c.Meta.View(ctx, func(tx meta.Tx) error {
		r, err := live(tx, key, meta.NoLock)
		if err != nil {
			return err
		}
		tags, err = tx.ResourceTags(resourceOf(r))
		return err
	})
	return tags, storeFault(key, err)
}

// PutResourceTags adds or overwrites a repository's resource tags by key.
// RepositoryNotFound, ResourceTagInvalid, TooManyTags.
func (c *Catalogue) PutResourceTags(ctx context.Context, key RepositoryKey, tags []ResourceTag) error {
	return storeFault(key, c.Meta.Update(ctx, func(tx meta.Tx) error {
		r, err := live(tx, key, meta.LockExclusive)
		if err != nil {
			return err
		}
		have, err := tx.ResourceTags(resourceOf(r))
		if err != nil {
			return err
		}
		if err := c.checkResourceTags(have, tags); err != nil {
			return err
		}
		return tx.PutResourceTags(resourceOf(r), tags)
	}))
}

// DeleteResourceTags removes keys; absent ones are no error, unless no tag can
// have them. RepositoryNotFound, ResourceTagInvalid.
func (c *Catalogue) DeleteResourceTags(ctx context.Context, key RepositoryKey, keys []string) error {
	for _, k := range keys {
		if !validKey(k) {
			return &fault.Error{Reason: fault.ResourceTagInvalid, Member: "tagKeys", Value: k}
		}
	}
	return storeFault(key, c.Meta.Update(ctx, func(tx meta.Tx) error {
		r, err := live(tx, key, meta.LockShared)
		if err != nil {
			return err
		}
		return tx.DeleteResourceTags(resourceOf(r), keys)
	}))
}
