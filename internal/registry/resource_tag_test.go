package registry_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lighterage/lighterage/internal/fault"
	"github.com/lighterage/lighterage/internal/meta"
	"github.com/lighterage/lighterage/internal/registry"
)

// TestTagsThatDifferOnlyInCaseAreRefused: policies know no case, so that a
// condition could not tell them apart.
func TestTagsThatDifferOnlyInCaseAreRefused(t *testing.T) {
	w := open(t)
	k := w.create("team/app")
	tags := func(keys ...string) (all []registry.ResourceTag) {
		for _, k := range keys {
			all = append(all, registry.ResourceTag{Key: k, Value: "v"})
		}
		return all
	}
	w.want(w.PutResourceTags(w.ctx, k, tags("env", "ENV")), fault.ResourceTagInvalid)
	_, err := w.CreateRepository(w.ctx, key("team/other"), registry.Defaults(), tags("env", "ENV"))
	w.want(err, fault.ResourceTagInvalid)
	w.must(w.PutResourceTags(w.ctx, k, tags("env", "team")))
	w.want(w.PutResourceTags(w.ctx, k, tags("Env")), fault.ResourceTagInvalid)
	w.want(w.PutResourceTags(w.ctx, k, tags("owner", "TEAM")), fault.ResourceTagInvalid)
	w.must(w.PutResourceTags(w.ctx, k, tags("env", "owner")))
	w.must(w.DeleteResourceTags(w.ctx, k, []string{"env"}))
	w.must(w.PutResourceTags(w.ctx, k, tags("Env")))
}

// watched notes what a transaction is asked to do with resource tags, and how
// many transactions there are.
type watched struct {
	meta.Store
	updates int
	deleted []string
}

func (w *watched) Update(ctx context.Context, fn func(meta.Tx) error) error {
	w.updates++
	return w.Store.Update(ctx, func(tx meta.Tx) error { return fn(watchedTx{tx, w}) })
}

type watchedTx struct {
	meta.Tx
	w *watched
}

func (t watchedTx) DeleteResourceTags(r meta.Resource, keys []string) error {
	t.w.deleted = append(t.w.deleted, keys...)
	return t.Tx.DeleteResourceTags(r, keys)
}

// TestMoreTagsThanCanBeTakeNoTransaction: all writers would wait for it.
func TestMoreTagsThanCanBeTakeNoTransaction(t *testing.T) {
	store := new(watched)
	w := open(t, func(c *registry.Config) {
		store.Store = c.Meta
		c.Meta = store
	})
	k := w.create("team/app")
	w.must(w.PutResourceTags(w.ctx, k, []registry.ResourceTag{{Key: "env", Value: "prod"}, {Key: "owner", Value: "me"}}))
	tags := func(n int, key string) []registry.ResourceTag {
		all := make([]registry.ResourceTag, n)
		for i := range all {
			all[i].Key = fmt.Sprintf(key, i)
		}
		return all
	}
	before := store.updates
	for what, c := range map[string]struct {
		tags   []registry.ResourceTag
		reason fault.Reason
	}{
		"one more than the limit":   {tags(51, "k%d"), fault.TooManyTags},
		"very many":                 {tags(200_000, "k%d"), fault.TooManyTags},
		"the same very often":       {make([]registry.ResourceTag, 200_000), fault.TooManyTags},
		"the same twice":            {[]registry.ResourceTag{{Key: "k"}, {Key: "k"}}, fault.ResourceTagInvalid},
		"one that is too long":      {tags(1, strings.Repeat("k", 128)+"%d"), fault.ResourceTagInvalid},
		"two that differ in a case": {append(tags(1, "K%d"), tags(1, "k%d")...), fault.ResourceTagInvalid},
		"two that fold to one":      {append(tags(1, "\u212a%d"), tags(1, "k%d")...), fault.ResourceTagInvalid},
	} {
		t.Run(what, func(t *testing.T) {
			if err := w.PutResourceTags(w.ctx, k, c.tags); !fault.Is(err, c.reason) {
				t.Errorf("put: %v, want %v", err, c.reason)
			}
			if _, err := w.CreateRepository(w.ctx, key("team/other"), registry.Defaults(), c.tags); !fault.Is(err, c.reason) {
				t.Errorf("create: %v, want %v", err, c.reason)
			}
		})
	}
	if store.updates != before {
		t.Errorf("%d transactions", store.updates-before)
	}
	w.must(w.PutResourceTags(w.ctx, k, tags(48, "k%d")))
	w.want(w.PutResourceTags(w.ctx, k, tags(50, "k%d")), fault.TooManyTags)
}

// TestOfVeryManyKeysThoseThatAreThereAreRemoved: the others cost no statement.
func TestOfVeryManyKeysThoseThatAreThereAreRemoved(t *testing.T) {
	store := new(watched)
	w := open(t, func(c *registry.Config) {
		store.Store = c.Meta
		c.Meta = store
	})
	k := w.create("team/app")
	w.must(w.PutResourceTags(w.ctx, k, []registry.ResourceTag{{Key: "env", Value: "prod"}, {Key: "k7", Value: "x"}, {Key: "k9", Value: "y"}}))
	var keys []string
	for i := range 100_000 {
		keys = append(keys, fmt.Sprintf("k%d", i))
	}
	w.must(w.DeleteResourceTags(w.ctx, k, keys))
	if diff := cmp.Diff([]string{"k7", "k9"}, store.deleted); diff != "" {
		t.Errorf("removed (-want +got):\n%s", diff)
	}
	left, err := w.ResourceTags(w.ctx, k)
	w.must(err)
	if diff := cmp.Diff([]registry.ResourceTag{{Key: "env", Value: "prod"}}, left); diff != "" {
		t.Errorf("left (-want +got):\n%s", diff)
	}
	w.want(w.DeleteResourceTags(w.ctx, k, append(keys, "aws:x")), fault.ResourceTagInvalid)
}
