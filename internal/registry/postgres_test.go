package registry_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/lighterage/lighterage/internal/digest"
	"github.com/lighterage/lighterage/internal/fault"
	"github.com/lighterage/lighterage/internal/meta/metatest"
	"github.com/lighterage/lighterage/internal/name"
	"github.com/lighterage/lighterage/internal/registry"
)

// A store with several writers decides nothing by itself: what a rule looked at
// must hold until its transaction ends.
func TestRulesHoldAmongSeveralWriters(t *testing.T) {
	w := &world{t: t, ctx: t.Context(), dir: t.TempDir(), clock: &clock{now: time.Now()}, postgres: metatest.StartPostgres(t).NewDatabase(t)}
	w.start(func(c *registry.Config) { c.Limits.Repositories = 6 })
	t.Cleanup(func() { w.stop(false) })
	const rounds = 25
	both := func(f, g func() error) (error, error) {
		var wg sync.WaitGroup
		var ferr, gerr error
		wg.Go(func() { ferr = f() })
		wg.Go(func() { gerr = g() })
		wg.Wait()
		return ferr, gerr
	}
	put := func(k registry.RepositoryKey, body []byte, tags ...name.Tag) func() error {
		return func() error {
			_, err := w.PutImage(w.ctx, registry.Put{By: "arn:me", Key: k, Body: body, Tags: tags, Repeatable: true})
			return err
		}
	}
	only := func(t *testing.T, err error, allowed ...fault.Reason) {
		t.Helper()
		for _, r := range allowed {
			if fault.Is(err, r) {
				return
			}
		}
		if err != nil {
			t.Errorf("unexpected: %v", err)
		}
	}

	t.Run("an immutable tag goes to one image", func(t *testing.T) {
		k := w.create("immutable")
		_, err := w.SetMutability(w.ctx, k, registry.Immutable, nil)
		w.must(err)
		a, b := w.image(k, "a"), w.image(k, "b")
		for i := range rounds {
			tag := name.Tag(fmt.Sprintf("t%d", i))
			one, two := both(put(k, a, tag), put(k, b, tag))
			if (one == nil) == (two == nil) {
				t.Errorf("%s: %v and %v", tag, one, two)
			}
			only(t, one, fault.TagImmutable)
			only(t, two, fault.TagImmutable)
		}
	})

	t.Run("a tag that was acknowledged survives the deletion of another", func(t *testing.T) {
		k := w.create("last-tag")
		body := w.image(k, "a")
		for i := range rounds {
			kept := name.Tag(fmt.Sprintf("kept%d", i))
			w.must(put(k, body, "old")())
			putErr, delErr := both(put(k, body, kept), func() error {
				_, failed, err := w.DeleteImages(w.ctx, "arn:me", k, []registry.Asked{{Tag: "old"}})
				if err == nil && len(failed) > 0 {
					return failed[0].Err
				}
				return err
			})
			only(t, putErr, fault.LayersNotFound)
			only(t, delErr)
			if putErr == nil {
				if _, err := w.Image(w.ctx, k, registry.Reference{Tag: kept}); err != nil {
					t.Errorf("round %d: %v", i, err)
				}
				w.DeleteImages(w.ctx, "arn:me", k, []registry.Asked{{Tag: string(kept)}})
			}
		}
	})

	t.Run("an index and the deletion of its child", func(t *testing.T) {
		k := w.create("children")
		for i := range rounds {
			child := w.put(k, w.image(k, fmt.Sprint("child", i)))
			top := index(child.Digest)
			putErr, delErr := both(put(k, top, "top"), func() error {
				return w.DeleteImage(w.ctx, "arn:me", k, registry.Reference{Digest: child.Digest})
			})
			only(t, putErr, fault.ChildrenNotFound)
			only(t, delErr, fault.ImageReferenced)
			if (putErr == nil) == (delErr == nil) {
				t.Errorf("round %d: put %v, delete %v", i, putErr, delErr)
			}
			w.DeleteImage(w.ctx, "arn:me", k, registry.Reference{Digest: digest.Of(digest.SHA256, top)})
		}
	})

	t.Run("an index and the archiving of its child", func(t *testing.T) {
		k := w.create("archived-children")
		for i := range rounds {
			child := w.put(k, w.image(k, fmt.Sprint("child", i)))
			top := index(child.Digest)
			archive := func(d digest.Digest) func() error {
				return func() error {
					_, err := w.ArchiveImage(w.ctx, k, byDigest(d))
					return err
				}
			}
			putErr, archiveErr := both(put(k, top, "top"), archive(child.Digest))
			only(t, putErr, fault.ChildrenNotFound)
			only(t, archiveErr, fault.ImageBound)
			if (putErr == nil) == (archiveErr == nil) {
				t.Errorf("round %d: put %v, archive %v", i, putErr, archiveErr)
			}
			if putErr != nil {
				continue
			}
			w.must(archive(digest.Of(digest.SHA256, top))())
			putErr, archiveErr = both(put(k, top, "top"), archive(child.Digest))
			only(t, putErr)
			only(t, archiveErr, fault.ImageBound)
		}
		w.check(k)
	})

	t.Run("the quota of repositories", func(t *testing.T) {
		var wg sync.WaitGroup
		for i := range 10 {
			wg.Go(func() {
				_, err := w.CreateRepository(w.ctx, key(fmt.Sprint("quota-", i)), registry.Defaults(), nil)
				only(t, err, fault.LimitExceeded)
			})
		}
		wg.Wait()
		all, err := w.Repositories(w.ctx, key("x").Registry, "", 100)
		w.must(err)
		if len(all) != 6 {
			t.Errorf("%d repositories, want 6", len(all))
		}
	})
}
