package metatest

import (
	"fmt"
	"slices"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lighterage/lighterage/internal/meta"
	"github.com/lighterage/lighterage/internal/name"
)

func testRepository(f *fixture) {
	find := func(k meta.RepositoryKey) (r meta.Repository) {
		f.view(func(t meta.Tx) (err error) {
			r, err = t.Repository(k, meta.NoLock)
			return err
		})
		return r
	}
	f.on("what is inserted is found as it was", func(f *fixture) {
		want := meta.Repository{Key: key("found/whole"), CreatedAt: day, RepositorySettings: meta.RepositorySettings{
			Mutability: "IMMUTABLE_WITH_EXCLUSION", MutabilityFilters: []string{"dev-*", `odd"'\`}, ScanOnPush: true,
			EncryptionType: "KMS", KMSKey: "arn:aws:kms:us-east-1:111111111111:key/1",
		}}
		f.update(func(t meta.Tx) (err error) {
			want.ID, err = t.InsertRepository(want)
			return err
		})
		if diff := cmp.Diff(want, find(want.Key)); diff != "" {
			f.Error(diff)
		}
		for _, lock := range []meta.Lock{meta.LockShared, meta.LockExclusive} {
			var got meta.Repository
			f.update(func(t meta.Tx) (err error) {
				got, err = t.Repository(want.Key, lock)
				return err
			})
			if diff := cmp.Diff(want, got); diff != "" {
				f.Errorf("lock %d: %s", lock, diff)
			}
		}
		want.RepositorySettings = meta.RepositorySettings{Mutability: "MUTABLE", EncryptionType: "AES256"}
		f.update(func(t meta.Tx) error { return t.SetRepository(want.ID, want.RepositorySettings) })
		if diff := cmp.Diff(want, find(want.Key)); diff != "" {
			f.Errorf("after its settings changed: %s", diff)
		}
	})
	f.on("a name is free in another space, region and account", func(f *fixture) {
		f.repository(key("same"))
		f.fails(meta.ErrExists, func(t meta.Tx) error {
			_, err := t.InsertRepository(plain(key("same")))
			return err
		})
		ids := map[meta.RepositoryID]bool{find(key("same")).ID: true}
		for _, k := range []meta.RepositoryKey{
			{Registry: east, Space: meta.Lightsail, Name: "same"},
			{Registry: west, Space: meta.ECR, Name: "same"},
			{Registry: name.RegistryID{Account: "222222222222", Region: "us-east-1"}, Space: meta.ECR, Name: "same"},
		} {
			f.misses(meta.ErrNotFound, func(t meta.Tx) error {
				_, err := t.Repository(k, meta.NoLock)
				return err
			})
			id := f.repository(k)
			if got := find(k); got.ID != id || got.Key != k || ids[id] {
				f.Errorf("%v is %+v", k, got)
			}
			ids[id] = true
		}
	})
	f.on("lists are by bytes and pages have no gap", func(f *fixture) {
		here := name.RegistryID{Account: "333333333333", Region: "eu-west-1"}
		names := []name.RepositoryName{"a-b", "a.b", "a/b", "a0", "a_b", "aa", "ab", "b", "b/a", "team/app", "team/app-2", "team0"}
		for _, n := range names {
			f.repository(meta.RepositoryKey{Registry: here, Space: meta.ECR, Name: n})
		}
		f.repository(meta.RepositoryKey{Registry: here, Space: meta.Lightsail, Name: "elsewhere"})
		slices.Sort(names)
		for _, size := range []int{1, 3, 12, 100} {
			var got []name.RepositoryName
			f.view(func(t meta.Tx) error {
				list, err := pages(size, func(p meta.Page[name.RepositoryName]) ([]meta.Repository, error) {
					return t.Repositories(here, meta.ECR, p)
				}, func(r meta.Repository) name.RepositoryName { return r.Key.Name })
				got = each(list, func(r meta.Repository) name.RepositoryName { return r.Key.Name })
				return err
			})
			if diff := cmp.Diff(names, got); diff != "" {
				f.Errorf("pages of %d: %s", size, diff)
			}
		}
	})
	f.on("a registry that nobody wrote to is empty", func(f *fixture) {
		nowhere := name.RegistryID{Account: "999999999999", Region: "us-east-1"}
		f.view(func(t meta.Tx) error {
			list, err := t.Repositories(nowhere, meta.ECR, meta.Page[name.RepositoryName]{Limit: 10})
			if err != nil || len(list) != 0 {
				return fmt.Errorf("listed %v, %w", list, err)
			}
			n, err := t.CountRepositories(nowhere, meta.ECR)
			if err != nil || n != 0 {
				return fmt.Errorf("counted %d, %w", n, err)
			}
			holders, err := t.LayerHolders(nowhere, meta.ECR, sha("x"), 10)
			if err != nil || len(holders) != 0 {
				return fmt.Errorf("holders %v, %w", holders, err)
			}
			return nil
		})
	})
	f.on("the count follows what comes and goes", func(f *fixture) {
		here := name.RegistryID{Account: "444444444444", Region: "eu-west-1"}
		var ids []meta.RepositoryID
		for i := range 3 {
			ids = append(ids, f.repository(meta.RepositoryKey{Registry: here, Space: meta.ECR, Name: name.RepositoryName(fmt.Sprint("count", i))}))
		}
		f.repository(meta.RepositoryKey{Registry: here, Space: meta.Lightsail, Name: "sr"})
		f.fails(meta.ErrExists, func(t meta.Tx) error {
			_, err := t.InsertRepository(plain(meta.RepositoryKey{Registry: here, Space: meta.ECR, Name: "count1"}))
			return err
		})
		f.update(func(t meta.Tx) error { return t.UnlinkRepository(ids[0]) })
		if got := f.count(here); got != 2 {
			f.Errorf("counted %d, want 2", got)
		}
	})
	f.on("an unlinked repository is hidden and its name is free", func(f *fixture) {
		k := key("unlinked")
		id := f.repository(k)
		image := f.image(id, "hidden image", []meta.LayerID{f.layer(id, "hidden layer")}, "v1")
		f.update(func(t meta.Tx) error { return t.UnlinkRepository(id) })
		f.fails(meta.ErrNotFound, func(t meta.Tx) error { return t.UnlinkRepository(id) })
		f.fails(meta.ErrNotFound, func(t meta.Tx) error { return t.SetRepository(id, meta.RepositorySettings{}) })
		f.misses(meta.ErrNotFound, func(t meta.Tx) error {
			_, err := t.Repository(k, meta.NoLock)
			return err
		})
		f.misses(meta.ErrNoRepository, func(t meta.Tx) error {
			_, err := t.FindImage(k, meta.Reference{Tag: "v1"})
			return err
		})
		f.view(func(t meta.Tx) error { // its content is still there
			_, err := t.ImageOf(image)
			return err
		})
		for _, lock := range []meta.Lock{meta.NoLock, meta.LockShared, meta.LockExclusive} {
			f.update(func(t meta.Tx) error {
				r, err := t.RepositoryOf(id, lock)
				if r.ID != id || r.Key != k {
					return fmt.Errorf("lock %d: %+v, %w", lock, r, err)
				}
				return nil
			})
		}
		again := f.repository(k)
		if again == id {
			f.Error("the new repository has the id of the old")
		}
		f.misses(meta.ErrNotFound, func(t meta.Tx) error {
			_, err := t.FindImage(k, meta.Reference{Tag: "v1"})
			return err
		})
		f.fails(meta.ErrReferenced, func(t meta.Tx) error {
			_, err := t.PurgeRepository(again, 10, nextDay)
			return err
		})
	})
	f.on("what is not there is not found", func(f *fixture) {
		f.fails(meta.ErrNotFound, func(t meta.Tx) error { return t.SetRepository(1<<40, meta.RepositorySettings{}) })
		f.fails(meta.ErrNotFound, func(t meta.Tx) error { return t.UnlinkRepository(1 << 40) })
		f.fails(meta.ErrNotFound, func(t meta.Tx) error { _, err := t.RepositoryOf(1<<40, meta.LockExclusive); return err })
		f.fails(meta.ErrNotFound, func(t meta.Tx) error {
			_, err := t.Repository(key("never"), meta.LockExclusive)
			return err
		})
	})
}

func testPurge(f *fixture) {
	id := f.repository(key("purged"))
	kept := f.repository(key("kept"))
	shared := f.layer(id, "shared layer")
	f.layer(kept, "shared layer")
	var own meta.LayerID
	f.update(func(t meta.Tx) error {
		b, err := t.PutBlob(filed("own layer", "own"), nil)
		if err != nil {
			return err
		}
		own, err = t.PutLayer(id, b.ID, nextDay)
		return err
	})
	var children []meta.ImageID
	for i := range 5 {
		children = append(children, f.image(id, fmt.Sprint("child ", i), []meta.LayerID{shared, own}, name.Tag(fmt.Sprint("c", i))))
	}
	inner := f.index(id, "inner index", nil, children[:3], "inner")
	f.index(id, "outer index", nil, []meta.ImageID{inner, children[4]}, "outer", "outer2")
	f.update(func(t meta.Tx) error {
		u := upload("purged-upload", id)
		u.Location = "file:upload"
		if err := t.InsertUpload(u); err != nil {
			return err
		}
		if err := t.RecordPulls(map[meta.ImageID]time.Time{inner: nextDay}); err != nil {
			return err
		}
		return t.PutResourceTags(meta.Resource{Kind: meta.RepositoryResource, ID: int64(id)}, []meta.ResourceTag{{Key: "k", Value: "v"}})
	})
	f.update(func(t meta.Tx) error { return t.UnlinkRepository(id) })

	rounds := 0
	for done := false; !done; rounds++ {
		if rounds > 30 {
			f.Fatal("the purge does not end")
		}
		f.update(func(t meta.Tx) (err error) {
			done, err = t.PurgeRepository(id, 2, nextDay)
			return err
		})
	}
	if rounds < 4 {
		f.Errorf("seven images went in %d rounds of two", rounds)
	}
	f.view(func(t meta.Tx) error {
		for _, image := range append(children, inner) {
			if _, err := t.ImageOf(image); err != meta.ErrNotFound {
				return fmt.Errorf("image %d: %w", image, err)
			}
		}
		for _, layer := range []meta.LayerID{shared, own} {
			if _, err := t.LayerOf(layer); err != meta.ErrNotFound {
				return fmt.Errorf("layer %d: %w", layer, err)
			}
		}
		if _, err := t.Upload("purged-upload", meta.NoLock); err != meta.ErrNotFound {
			return fmt.Errorf("upload: %w", err)
		}
		if tags, err := t.ResourceTags(meta.Resource{Kind: meta.RepositoryResource, ID: int64(id)}); err != nil || len(tags) != 0 {
			return fmt.Errorf("resource tags %v, %w", tags, err)
		}
		if _, err := t.FindLayer(key("kept"), sha("shared layer")); err != nil {
			return fmt.Errorf("the layer that another repository has: %w", err)
		}
		return nil
	})
	if diff := cmp.Diff([]string{"file:own", "file:upload"}, f.garbage(nextDay)); diff != "" {
		f.Errorf("garbage: %s", diff)
	}
	if got := f.garbage(nextDay.Add(-time.Millisecond)); len(got) != 0 {
		f.Errorf("garbage before its time: %v", got)
	}
	f.fails(meta.ErrNotFound, func(t meta.Tx) error { _, err := t.RepositoryOf(id, meta.NoLock); return err })
	f.update(func(t meta.Tx) error { // once more is no error
		done, err := t.PurgeRepository(id, 2, nextDay)
		if err == nil && !done {
			err = fmt.Errorf("not done")
		}
		return err
	})
}
