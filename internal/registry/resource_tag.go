package registry

import (
	"context"
	"strings"
	"unicode/utf8"

	"github.com/lighterage/lighterage/internal/fault"
	"github.com/lighterage/lighterage/internal/meta"
	"github.com/lighterage/lighterage/internal/name"
)

func resourceOf(r Repository) meta.Resource {
	return meta.Resource{Kind: meta.RepositoryResource, ID: int64(r.ID)}
}

// checkNewTags checks tags that come together: keys of 1 to 128 characters not
// beginning with "aws:", values of at most 256, each key once, and no more than
// the limit (ECR API reference, Tag). Keys that differ only in case are refused:
// policies know no case, so that a condition on one of them would be at the mercy
// of the other. It takes no transaction, and time in proportion to the tags.
func (c *Catalogue) checkNewTags(add []ResourceTag) error {
	if limit := c.Limits.ResourceTags; limit > 0 && len(add) > limit {
		return &fault.Error{Reason: fault.TooManyTags, Limit: int64(limit)}
	}
	seen := make(map[string]bool, len(add))
	for _, t := range add {
		folded := name.FoldKey(t.Key)
		if !validKey(t.Key) || utf8.RuneCountInString(t.Value) > 256 || seen[folded] {
			return tagInvalid("tags", t.Key)
		}
		seen[folded] = true
	}
	return nil
}

// checkMoreTags checks tags that are good by themselves beside those that are
// there: no two alike, and no more than the limit altogether.
func (c *Catalogue) checkMoreTags(have, add []ResourceTag) error {
	written := make(map[string]string, len(have)+len(add))
	for _, t := range have {
		written[name.FoldKey(t.Key)] = t.Key
	}
	for _, t := range add {
		folded := name.FoldKey(t.Key)
		if there, ok := written[folded]; ok && there != t.Key {
			return tagInvalid("tags", t.Key)
		}
		written[folded] = t.Key
	}
	if limit := c.Limits.ResourceTags; limit > 0 && len(written) > limit {
		return &fault.Error{Reason: fault.TooManyTags, Limit: int64(limit)}
	}
	return nil
}

func tagInvalid(member, key string) error {
	return &fault.Error{Reason: fault.ResourceTagInvalid, Member: member, Value: key}
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
	if err := c.checkNewTags(tags); err != nil {
		return err
	}
	return storeFault(key, c.Meta.Update(ctx, func(tx meta.Tx) error {
		r, err := live(tx, key, meta.LockExclusive)
		if err != nil {
			return err
		}
		have, err := tx.ResourceTags(resourceOf(r))
		if err != nil {
			return err
		}
		if err := c.checkMoreTags(have, tags); err != nil {
			return err
		}
		return tx.PutResourceTags(resourceOf(r), tags)
	}))
}

// DeleteResourceTags removes keys; absent ones are no error, unless no tag can
// have them. RepositoryNotFound, ResourceTagInvalid.
func (c *Catalogue) DeleteResourceTags(ctx context.Context, key RepositoryKey, keys []string) error {
	named := make(map[string]bool, len(keys))
	for _, k := range keys {
		if !validKey(k) {
			return tagInvalid("tagKeys", k)
		}
		named[k] = true
	}
	return storeFault(key, c.Meta.Update(ctx, func(tx meta.Tx) error {
		r, err := live(tx, key, meta.LockShared)
		if err != nil {
			return err
		}
		have, err := tx.ResourceTags(resourceOf(r))
		if err != nil {
			return err
		}
		// Of the keys, of which there can be very many, those that are there.
		var gone []string
		for _, t := range have {
			if named[t.Key] {
				gone = append(gone, t.Key)
			}
		}
		return tx.DeleteResourceTags(resourceOf(r), gone)
	}))
}
