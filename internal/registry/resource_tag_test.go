package registry_test

import (
	"testing"

	"github.com/lighterage/lighterage/internal/fault"
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
