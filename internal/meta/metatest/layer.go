package metatest

import (
	"errors"
	"fmt"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/lighterage/lighterage/internal/digest"
	"github.com/lighterage/lighterage/internal/meta"
	"github.com/lighterage/lighterage/internal/name"
)

func testLayer(f *fixture) {
	k := key("layers")
	id := f.repository(k)
	f.on("a layer is found with its blob's facts", func(f *fixture) {
		f.drain()
		layer := f.layer(id, "found layer")
		want := meta.Layer{ID: layer, Repository: id, Blob: inline("found layer")}
		f.view(func(t meta.Tx) error {
			found, err := t.FindLayer(k, sha("found layer"))
			if err != nil {
				return err
			}
			of, err := t.LayerOf(layer)
			if err != nil {
				return err
			}
			for _, got := range []meta.Layer{found, of} {
				if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(meta.Layer{}, "TouchedAt", "Blob.ID")); diff != "" || got.TouchedAt.IsZero() {
					return fmt.Errorf("touched %v: %s", got.TouchedAt, diff)
				}
			}
			return nil
		})
		if diff := cmp.Diff([]meta.Review{{Subject: meta.LayerSubject, Of: int64(layer), Due: nextDay}}, f.drain()); diff != "" {
			f.Errorf("reviews of a new layer: %s", diff)
		}
		if again := f.layer(id, "found layer"); again != layer {
			f.Errorf("put again it is %d, was %d", again, layer)
		}
		if got := f.drain(); len(got) != 0 {
			f.Errorf("reviews of a layer put again: %v", got)
		}
	})
	f.on("what is missing has its own error", func(f *fixture) {
		for _, c := range []struct {
			key  meta.RepositoryKey
			want error
		}{
			{k, meta.ErrNotFound},
			{key("no/such"), meta.ErrNoRepository},
			{meta.RepositoryKey{Registry: west, Space: meta.ECR, Name: "layers"}, meta.ErrNoRepository},
		} {
			f.misses(c.want, func(t meta.Tx) error {
				_, err := t.FindLayer(c.key, sha("absent"))
				return err
			})
		}
		f.fails(meta.ErrNotFound, func(t meta.Tx) error { return t.TouchLayer(1 << 40) })
		f.fails(meta.ErrNotFound, func(t meta.Tx) error { return t.DeleteLayer(1<<40, day) })
		f.misses(meta.ErrNotFound, func(t meta.Tx) error {
			_, err := t.LayerOf(1 << 40)
			return err
		})
		f.fails(meta.ErrNotFound, func(t meta.Tx) error {
			_, err := t.PutLayer(id, 1<<40, day)
			return err
		})
	})
	f.on("many are looked up at once, with any lock", func(f *fixture) {
		var all, present []digest.Digest
		f.update(func(t meta.Tx) error {
			for i := range 150 {
				body := fmt.Sprint("many ", i)
				all = append(all, sha(body))
				if i%3 == 0 {
					continue
				}
				if _, err := putLayer(t, id, body); err != nil {
					return err
				}
				present = append(present, sha(body))
			}
			return nil
		})
		all = append(all, all[1])
		for _, lock := range []meta.Lock{meta.NoLock, meta.LockShared, meta.LockExclusive} {
			var got map[digest.Digest]meta.Layer
			f.update(func(t meta.Tx) (err error) {
				got, err = t.Layers(id, all, lock)
				return err
			})
			if len(got) != len(present) {
				f.Errorf("lock %d: %d found, want %d", lock, len(got), len(present))
			}
			for _, d := range present {
				if l := got[d]; l.Blob.Digest != d || l.Repository != id {
					f.Errorf("lock %d: %s is %+v", lock, d, l)
				}
			}
		}
		f.view(func(t meta.Tx) error {
			none, err := t.Layers(id, nil, meta.LockShared)
			if len(none) != 0 {
				return fmt.Errorf("of nothing: %v", none)
			}
			return err
		})
	})
	f.on("holders are repositories of the registry and space that have a name", func(f *fixture) {
		body := "held layer"
		for _, k := range []meta.RepositoryKey{
			key("held/a"), key("held/b"), key("held/c"),
			{Registry: west, Space: meta.ECR, Name: "held/a"}, {Registry: east, Space: meta.Lightsail, Name: "sr"},
		} {
			f.layer(f.repository(k), body)
		}
		f.update(func(t meta.Tx) error {
			r, err := t.Repository(key("held/b"), meta.LockExclusive)
			if err != nil {
				return err
			}
			return t.UnlinkRepository(r.ID)
		})
		for _, c := range []struct {
			registry name.RegistryID
			space    meta.Space
			limit    int
			want     []name.RepositoryName
		}{
			{east, meta.ECR, 10, []name.RepositoryName{"held/a", "held/c"}},
			{east, meta.ECR, 1, []name.RepositoryName{"held/a"}},
			{west, meta.ECR, 10, []name.RepositoryName{"held/a"}},
			{east, meta.Lightsail, 10, []name.RepositoryName{"sr"}},
			{west, meta.Lightsail, 10, []name.RepositoryName{}},
		} {
			var got []name.RepositoryName
			f.view(func(t meta.Tx) error {
				list, err := t.LayerHolders(c.registry, c.space, sha(body), c.limit)
				got = each(list, func(k meta.RepositoryKey) name.RepositoryName { return k.Name })
				return err
			})
			if diff := cmp.Diff(c.want, got); diff != "" {
				f.Errorf("%v: %s", c, diff)
			}
		}
	})
	f.on("holders are found behind very many of other registries", func(f *fixture) {
		const limit, others = 3, 40
		hold := func(k meta.RepositoryKey) { f.layer(f.repository(k), "held by many") }
		for i := range others {
			hold(meta.RepositoryKey{Registry: west, Space: meta.ECR, Name: name.RepositoryName(fmt.Sprintf("many/%02d", i))})
		}
		f.repository(key("many/without"))
		hold(key("many/a"))
		hold(key("many/b"))
		var got []meta.RepositoryKey
		f.view(func(t meta.Tx) (err error) {
			got, err = t.LayerHolders(east, meta.ECR, sha("held by many"), limit)
			return err
		})
		if diff := cmp.Diff([]meta.RepositoryKey{key("many/a"), key("many/b")}, got); diff != "" {
			f.Error(diff)
		}
	})
	f.on("touching sets the transaction's time", func(f *fixture) {
		layer := f.layer(id, "touched layer")
		var now time.Time
		f.update(func(t meta.Tx) (err error) {
			if now, err = t.Now(); err != nil {
				return err
			}
			return t.TouchLayer(layer)
		})
		f.view(func(t meta.Tx) error {
			l, err := t.LayerOf(layer)
			if !l.TouchedAt.Equal(now) {
				return fmt.Errorf("touched at %v, want %v, %w", l.TouchedAt, now, err)
			}
			return nil
		})
	})
}

func testLayerDelete(f *fixture) {
	k := key("layers/deleted")
	id, other := f.repository(k), f.repository(key("layers/other"))
	file := func(repository meta.RepositoryID, body, at string) (layer meta.LayerID) {
		f.update(func(t meta.Tx) error {
			b, err := t.PutBlob(filed(body, at), nil)
			if err != nil {
				return err
			}
			layer, err = t.PutLayer(repository, b.ID, nextDay)
			return err
		})
		return layer
	}
	remove := func(layer meta.LayerID) func(meta.Tx) error {
		return func(t meta.Tx) error { return t.DeleteLayer(layer, nextDay) }
	}
	f.on("an image keeps its layers", func(f *fixture) {
		layer := f.layer(id, "kept layer")
		image := f.image(id, "kept image", []meta.LayerID{layer})
		f.fails(meta.ErrReferenced, remove(layer))
		f.update(func(t meta.Tx) error { return t.DeleteImage(image, "x", nextDay) })
		f.update(remove(layer))
		f.misses(meta.ErrNotFound, func(t meta.Tx) error {
			_, err := t.FindLayer(k, sha("kept layer"))
			return err
		})
	})
	f.on("the last layer takes the blob with it", func(f *fixture) {
		first, second := file(id, "blob of two", "two"), file(other, "blob of two", "unused")
		f.garbage(nextDay) // of the second newcomer
		var blob meta.Blob
		f.view(func(t meta.Tx) error {
			l, err := t.LayerOf(second)
			blob = l.Blob
			return err
		})
		f.update(remove(first))
		if got := f.garbage(nextDay); len(got) != 0 {
			f.Errorf("garbage while a layer is left: %v", got)
		}
		f.view(func(t meta.Tx) error {
			_, err := t.LayerOf(second)
			return err
		})
		f.update(remove(second))
		f.fails(meta.ErrNotFound, func(t meta.Tx) error { return t.SetBlobState(blob.ID, meta.BlobOK) })
		if got := f.garbage(nextDay.Add(-1)); len(got) != 0 {
			f.Errorf("garbage before its time: %v", got)
		}
		if diff := cmp.Diff([]string{"file:two"}, f.garbage(nextDay)); diff != "" {
			f.Error(diff)
		}
	})
	f.on("inline bytes go with their blob and leave no garbage", func(f *fixture) {
		layer := f.layer(id, "inline layer")
		var blob meta.Blob
		f.view(func(t meta.Tx) error {
			l, err := t.LayerOf(layer)
			blob = l.Blob
			return err
		})
		f.update(remove(layer))
		f.misses(meta.ErrNotFound, func(t meta.Tx) error {
			_, err := t.InlineBytes(blob.ID)
			return err
		})
		if got := f.garbage(nextDay); len(got) != 0 {
			f.Errorf("garbage: %v", got)
		}
	})
	f.on("a push and a delete of one blob do not miss each other", func(f *fixture) {
		for round := range 20 {
			body := fmt.Sprint("race ", round)
			layer := file(id, body, fmt.Sprint("old", round))
			errs := f.together(3, func(i int, t meta.Tx) error {
				switch i {
				case 0:
					return t.DeleteLayer(layer, nextDay)
				case 1: // pushed to another repository
					b, err := t.PutBlob(filed(body, fmt.Sprint("new", round)), nil)
					if err != nil {
						return err
					}
					_, err = t.PutLayer(other, b.ID, nextDay)
					return err
				}
				// pushed again, and kept by an image at once
				b, err := t.PutBlob(filed(body, fmt.Sprint("newer", round)), nil)
				if err != nil {
					return err
				}
				layer, err := t.PutLayer(id, b.ID, nextDay)
				if err != nil {
					return err
				}
				_, err = t.InsertImage(manifest(id, "of "+body), []byte(body), []meta.LayerID{layer}, nil)
				return err
			})
			if errs[1] != nil || errs[2] != nil || errs[0] != nil && !errors.Is(errs[0], meta.ErrReferenced) {
				f.Errorf("round %d: %v", round, errs)
			}
			var blob meta.Blob
			f.view(func(t meta.Tx) error {
				for _, k := range []meta.RepositoryKey{k, key("layers/other")} {
					l, err := t.FindLayer(k, sha(body))
					if err != nil {
						return fmt.Errorf("round %d: %s: %w", round, k.Name, err)
					}
					blob = l.Blob
				}
				return nil
			})
			for _, at := range f.garbage(nextDay) {
				if at == string(blob.Location) {
					f.Errorf("round %d: the blob's location %s is garbage", round, at)
				}
			}
		}
	})
	f.on("a layer and an image that would keep it do not miss each other", func(f *fixture) {
		for round := range 15 {
			body := fmt.Sprint("kept race ", round)
			layer := f.layer(id, body)
			errs := f.together(2, func(i int, t meta.Tx) error {
				if i == 0 {
					return t.DeleteLayer(layer, nextDay)
				}
				found, err := t.Layers(id, []digest.Digest{sha(body)}, meta.LockShared)
				if err != nil {
					return err
				}
				if len(found) == 0 {
					return meta.ErrNotFound
				}
				_, err = t.InsertImage(manifest(id, "image of "+body), []byte(body), []meta.LayerID{found[sha(body)].ID}, nil)
				return err
			})
			deleted, pushed := errs[0] == nil, errs[1] == nil
			if deleted == pushed || !deleted && !errors.Is(errs[0], meta.ErrReferenced) || !pushed && !errors.Is(errs[1], meta.ErrNotFound) {
				f.Errorf("round %d: delete %v, push %v", round, errs[0], errs[1])
			}
		}
	})
	f.on("a collector that reads a layer's age in its update is not overtaken by a touch", func(f *fixture) {
		for round := range 15 {
			layer := f.layer(id, fmt.Sprint("aged ", round))
			var touched, seen time.Time
			errs := f.together(2, func(i int, t meta.Tx) error {
				if i == 0 {
					l, err := t.LayerOf(layer)
					if err != nil {
						return err
					}
					seen = l.TouchedAt
					return t.DeleteLayer(layer, nextDay)
				}
				l, err := t.Layers(id, []digest.Digest{sha(fmt.Sprint("aged ", round))}, meta.NoLock)
				if err != nil || len(l) == 0 {
					return meta.ErrNotFound
				}
				touched, err = t.Now()
				if err != nil {
					return err
				}
				return t.TouchLayer(layer)
			})
			if errs[0] != nil || errs[1] != nil && !errors.Is(errs[1], meta.ErrNotFound) {
				f.Errorf("round %d: %v", round, errs)
			}
			if errs[1] == nil && !seen.Equal(touched) {
				f.Errorf("round %d: touched at %v, deleted as of %v", round, touched, seen)
			}
		}
	})
}
