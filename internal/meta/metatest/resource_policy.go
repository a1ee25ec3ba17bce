package metatest

import (
	"fmt"

	"github.com/lighterage/lighterage/internal/meta"
	"github.com/lighterage/lighterage/internal/name"
)

func testResourcePolicy(f *fixture) {
	f.on("a repository has at most one policy, which goes with its name", func(f *fixture) {
		id, other := f.repository(key("with")), f.repository(key("without"))
		get := func(id meta.RepositoryID) func(meta.Tx) (string, error) {
			return func(t meta.Tx) (string, error) { return t.RepositoryPolicy(id) }
		}
		put := func(t meta.Tx) error { return t.PutRepositoryPolicy(id, `{"a":1}`) }
		missing(f, get(id))
		f.refused(meta.ErrNotFound, func(t meta.Tx) error { return t.DeleteRepositoryPolicy(id) })
		f.update(put)
		found(f, `{"a":1}`, get(id))
		f.update(func(t meta.Tx) error { return t.PutRepositoryPolicy(id, `{"a":"ü"}`) })
		found(f, `{"a":"ü"}`, get(id))
		missing(f, get(other))
		f.update(func(t meta.Tx) error { return t.DeleteRepositoryPolicy(id) })
		missing(f, get(id))
		f.update(put)
		f.update(func(t meta.Tx) error { return t.UnlinkRepository(id) })
		missing(f, get(id))
		f.refused(meta.ErrNotFound, put)
		f.update(func(t meta.Tx) error {
			done, err := t.PurgeRepository(id, 10, nextDay)
			if err == nil && !done {
				err = fmt.Errorf("not done")
			}
			return err
		})
		missing(f, get(f.repository(key("with"))))
		f.refused(meta.ErrNotFound, func(t meta.Tx) error { return t.PutRepositoryPolicy(1<<40, "{}") })
	})
	f.on("no policy outlives a repository that goes at the same time", func(f *fixture) {
		for i := range 10 {
			id := f.repository(key(fmt.Sprint("race", i)))
			errs := f.together(2, func(i int, t meta.Tx) error {
				if i == 0 {
					return t.UnlinkRepository(id)
				}
				return t.PutRepositoryPolicy(id, "{}")
			})
			if errs[0] != nil || errs[1] != nil && errs[1] != meta.ErrNotFound {
				f.Errorf("unlink: %v; put: %v", errs[0], errs[1])
			}
			missing(f, func(t meta.Tx) (string, error) { return t.RepositoryPolicy(id) })
		}
	})
	f.on("a registry has at most one policy, also before its first repository", func(f *fixture) {
		here, there := name.RegistryID{Account: "333333333333", Region: "eu-west-1"}, name.RegistryID{Account: "333333333333", Region: "eu-west-2"}
		get := func(r name.RegistryID) func(meta.Tx) (string, error) {
			return func(t meta.Tx) (string, error) { return t.RegistryPolicy(r) }
		}
		missing(f, get(here))
		f.refused(meta.ErrNotFound, func(t meta.Tx) error { return t.DeleteRegistryPolicy(here) })
		f.update(func(t meta.Tx) error { return t.PutRegistryPolicy(here, `{"a":1}`) })
		found(f, `{"a":1}`, get(here))
		f.update(func(t meta.Tx) error { return t.PutRegistryPolicy(here, `{"a":2}`) })
		found(f, `{"a":2}`, get(here))
		missing(f, get(there))
		f.update(func(t meta.Tx) error { return t.DeleteRegistryPolicy(here) })
		missing(f, get(here))
		f.refused(meta.ErrNotFound, func(t meta.Tx) error { return t.DeleteRegistryPolicy(here) })
	})
	f.on("a registry keeps its settings", func(f *fixture) {
		here, there := name.RegistryID{Account: "444444444444", Region: "eu-west-1"}, name.RegistryID{Account: "444444444444", Region: "eu-west-2"}
		get := func(r name.RegistryID, setting string) func(meta.Tx) (string, error) {
			return func(t meta.Tx) (string, error) { return t.AccountSetting(r, setting) }
		}
		missing(f, get(here, "BLOB_MOUNTING"))
		f.update(func(t meta.Tx) error { return t.PutAccountSetting(here, "BLOB_MOUNTING", "DISABLED") })
		f.update(func(t meta.Tx) error { return t.PutAccountSetting(here, "REGISTRY_POLICY_SCOPE", "V2") })
		found(f, "DISABLED", get(here, "BLOB_MOUNTING"))
		f.update(func(t meta.Tx) error { return t.PutAccountSetting(here, "BLOB_MOUNTING", "ENABLED") })
		found(f, "ENABLED", get(here, "BLOB_MOUNTING"))
		found(f, "V2", get(here, "REGISTRY_POLICY_SCOPE"))
		missing(f, get(here, "BASIC_SCAN_TYPE_VERSION"))
		missing(f, get(there, "BLOB_MOUNTING"))
	})
}
