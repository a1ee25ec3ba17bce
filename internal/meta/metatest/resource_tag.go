package metatest

import (
	"github.com/google/go-cmp/cmp"

	"github.com/lighterage/lighterage/internal/meta"
)

func testResourceTag(f *fixture) {
	repository := meta.Resource{Kind: meta.RepositoryResource, ID: 200}
	service := meta.Resource{Kind: meta.ServiceResource, ID: 200}
	check := func(r meta.Resource, want ...meta.ResourceTag) {
		f.Helper()
		var got []meta.ResourceTag
		f.view(func(t meta.Tx) (err error) {
			got, err = t.ResourceTags(r)
			return err
		})
		if diff := cmp.Diff(want, got); diff != "" {
			f.Error(diff)
		}
	}
	f.update(func(t meta.Tx) error {
		return t.PutResourceTags(repository, []meta.ResourceTag{{Key: "b", Value: "1"}, {Key: "B", Value: ""}, {Key: "a/ü", Value: "ü"}, {Key: "a b", Value: "2"}})
	})
	f.update(func(t meta.Tx) error {
		return t.PutResourceTags(service, []meta.ResourceTag{{Key: "b", Value: "of the service"}})
	})
	check(repository, meta.ResourceTag{Key: "B"}, meta.ResourceTag{Key: "a b", Value: "2"}, meta.ResourceTag{Key: "a/ü", Value: "ü"}, meta.ResourceTag{Key: "b", Value: "1"})
	check(service, meta.ResourceTag{Key: "b", Value: "of the service"})
	f.update(func(t meta.Tx) error {
		return t.PutResourceTags(repository, []meta.ResourceTag{{Key: "b", Value: "new"}, {Key: "c", Value: "3"}})
	})
	f.update(func(t meta.Tx) error { return t.DeleteResourceTags(repository, []string{"B", "a b", "a/ü", "absent"}) })
	check(repository, meta.ResourceTag{Key: "b", Value: "new"}, meta.ResourceTag{Key: "c", Value: "3"})
	check(service, meta.ResourceTag{Key: "b", Value: "of the service"})
	check(meta.Resource{Kind: meta.ServiceResource, ID: 201})
}
