package containers

import (
	"context"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/lighterage/lighterage/internal/fault"
	"github.com/lighterage/lighterage/internal/meta"
)

func resourceOf(s meta.Service) meta.Resource {
	return meta.Resource{Kind: meta.ServiceResource, ID: int64(s.ID)}
}

// checkNewTags checks tags that come together: keys of 1 to 128 characters not
// beginning with "aws:", values of at most 256 (a tag may be a key alone), each
// key once, and no more than the limit (Lightsail user guide, tags). It takes no
// transaction, and time in proportion to the tags.
func (s *Services) checkNewTags(add []ResourceTag) error {
	if err := s.checkTagCount(len(add)); err != nil {
		return err
	}
	seen := make(map[string]bool, len(add))
	for _, t := range add {
		n := utf8.RuneCountInString(t.Key)
		if n < 1 || n > 128 || utf8.RuneCountInString(t.Value) > 256 || strings.HasPrefix(t.Key, "aws:") || seen[t.Key] {
			return &fault.Error{Reason: fault.ResourceTagInvalid, Member: "tags", Value: t.Key}
		}
		seen[t.Key] = true
	}
	return nil
}

func (s *Services) checkTagCount(n int) error {
	if limit := s.Limits.ResourceTags; limit > 0 && n > limit {
		return &fault.Error{Reason: fault.TooManyTags, Limit: int64(limit)}
	}
	return nil
}

// together counts the tags of a resource that has some when others come.
func together(have, add []ResourceTag) int {
	keys := make(map[string]bool, len(have)+len(add))
	for _, t := range have {
		keys[t.Key] = true
	}
	for _, t := range add {
		keys[t.Key] = true
	}
	return len(keys)
}

// PutResourceTags adds or overwrites a service's resource tags by key, and
// returns when it did. An ARN, if one is given, must be the service's.
// ServiceNotFound, ResourceTagInvalid, TooManyTags.
func (s *Services) PutResourceTags(ctx context.Context, key Key, arn string, tags []ResourceTag) (time.Time, error) {
	if err := s.checkNewTags(tags); err != nil {
		return time.Time{}, err
	}
	return s.tag(ctx, key, arn, func(tx meta.Tx, r meta.Resource) error {
		have, err := tx.ResourceTags(r)
		if err != nil {
			return err
		}
		if err := s.checkTagCount(together(have, tags)); err != nil {
			return err
		}
		return tx.PutResourceTags(r, tags)
	})
}

// DeleteResourceTags removes keys, and returns when it did; absent ones are no
// error. An ARN, if one is given, must be the service's. ServiceNotFound.
func (s *Services) DeleteResourceTags(ctx context.Context, key Key, arn string, keys []string) (time.Time, error) {
	named := make(map[string]bool, len(keys))
	for _, k := range keys {
		named[k] = true
	}
	return s.tag(ctx, key, arn, func(tx meta.Tx, r meta.Resource) error {
		have, err := tx.ResourceTags(r)
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
		return tx.DeleteResourceTags(r, gone)
	})
}

// tag changes the tags of the service that a name and an ARN, which may be
// empty, both mean: the ARN of one deleted before is nobody's.
func (s *Services) tag(ctx context.Context, key Key, arn string, change func(meta.Tx, meta.Resource) error) (time.Time, error) {
	var at time.Time
	err := s.Meta.Update(ctx, func(tx meta.Tx) error {
		row, err := live(tx, key, meta.LockExclusive)
		if err != nil {
			return err
		}
		if arn != "" && arn != (Service{Service: row}).ARN() {
			f := serviceFault(fault.ServiceNotFound, key)
			f.Resource = arn
			return f
		}
		if at, err = tx.Now(); err != nil {
			return err
		}
		return change(tx, resourceOf(row))
	})
	return at, storeFault(key, err)
}
