package metatest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lighterage/lighterage/internal/meta"
	"github.com/lighterage/lighterage/internal/name"
)

var errOwn = errors.New("the closure's own error")

func testTransaction(f *fixture) {
	put := func(purpose string) func(meta.Tx) error {
		return func(t meta.Tx) error { return t.PutSecret(purpose, []byte(purpose)) }
	}
	f.on("an error takes back every change", func(f *fixture) {
		k := key("rolled/back")
		f.fails(errOwn, func(t meta.Tx) error {
			id, err := t.InsertRepository(plain(k))
			if err != nil {
				return err
			}
			if _, err := putLayer(t, id, "rolled back"); err != nil {
				return err
			}
			return errOwn
		})
		f.misses(meta.ErrNotFound, func(t meta.Tx) error {
			_, err := t.Repository(k, meta.NoLock)
			return err
		})
		f.misses(meta.ErrNoRepository, func(t meta.Tx) error {
			_, err := t.FindLayer(k, sha("rolled back"))
			return err
		})
	})
	f.on("a panic reaches the caller, changes nothing, and the store goes on", func(f *fixture) {
		run := map[string]func(context.Context, func(meta.Tx) error) error{"update": f.store.Update, "view": f.store.View, "look": f.store.Look}
		for which, run := range run {
			func() {
				defer func() {
					if got := recover(); got != "a defect" {
						f.Errorf("%s: recovered %v", which, got)
					}
				}()
				err := run(context.Background(), func(t meta.Tx) error {
					if which == "update" {
						if err := t.PutSecret("panic", []byte("x")); err != nil {
							return err
						}
					}
					panic("a defect")
				})
				f.Errorf("%s returned %v", which, err)
			}()
		}
		f.misses(meta.ErrNotFound, func(t meta.Tx) error {
			_, err := t.Secret("panic")
			return err
		})
		f.update(put("after the panic"))
	})
	f.on("a failed statement fails the update even when the closure hides it", func(f *fixture) {
		mine, other := f.repository(key("hide/mine")), f.repository(key("hide/other"))
		foreign := f.layer(other, "foreign")
		err := f.store.Update(context.Background(), func(t meta.Tx) error {
			_, _ = t.InsertImage(manifest(mine, "hides"), []byte("hides"), []meta.LayerID{foreign}, nil)
			_ = t.PutSecret("hidden", []byte("x"))
			return nil
		})
		if err == nil {
			f.Error("the update succeeded")
		}
		f.misses(meta.ErrNotFound, func(t meta.Tx) error {
			_, err := t.Secret("hidden")
			return err
		})
		f.misses(meta.ErrNotFound, func(t meta.Tx) error {
			_, err := t.Image(mine, meta.Reference{Digest: sha("hides")})
			return err
		})
	})
	f.on("an expected error leaves the transaction usable", func(f *fixture) {
		id := f.repository(key("usable"))
		layer := f.layer(id, "usable layer")
		f.image(id, "usable image", []meta.LayerID{layer})
		f.update(put("twice"))
		f.update(func(t meta.Tx) error {
			_, exists := t.InsertRepository(plain(key("usable")))
			_, imageExists := t.InsertImage(manifest(id, "usable image"), []byte("usable image"), nil, nil)
			for _, err := range []error{exists, imageExists, put("twice")(t)} {
				if !errors.Is(err, meta.ErrExists) {
					return fmt.Errorf("got %w, want ErrExists", err)
				}
			}
			if err := t.DeleteLayer(layer, nextDay); !errors.Is(err, meta.ErrReferenced) {
				return fmt.Errorf("got %w, want ErrReferenced", err)
			}
			if err := t.DeleteTag(id, "absent", "x"); !errors.Is(err, meta.ErrNotFound) {
				return fmt.Errorf("got %w, want ErrNotFound", err)
			}
			return t.PutSecret("after errors", []byte("x"))
		})
		f.view(func(t meta.Tx) error {
			_, err := t.Secret("after errors")
			return err
		})
	})
	f.on("a context that has ended starts nothing", func(f *fixture) {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		ran := false
		for which, run := range map[string]func(context.Context, func(meta.Tx) error) error{"update": f.store.Update, "view": f.store.View, "look": f.store.Look} {
			err := run(ctx, func(meta.Tx) error {
				ran = true
				return nil
			})
			if !errors.Is(err, context.Canceled) || ran {
				f.Errorf("%s: got %v, ran %v", which, err, ran)
			}
		}
	})
	f.on("a context that ends while the closure waits means that it never runs", func(f *fixture) {
		held, release := make(chan struct{}), make(chan struct{})
		var wait sync.WaitGroup
		wait.Go(func() {
			err := f.store.Update(context.Background(), func(t meta.Tx) error {
				close(held)
				<-release
				return nil
			})
			if err != nil {
				f.Errorf("the one that holds: %v", err)
			}
		})
		<-held
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
		defer cancel()
		waited := f.store.Update(ctx, put("waited"))
		close(release)
		wait.Wait()
		err := f.store.View(context.Background(), func(t meta.Tx) error {
			_, err := t.Secret("waited")
			return err
		})
		// A store with several writers did not have to wait.
		if applied := err == nil; applied != (waited == nil) || waited != nil && !errors.Is(waited, context.DeadlineExceeded) {
			f.Errorf("update: %v; its row: %v", waited, err)
		}
	})
	f.on("a context that ends inside the closure does not stop it", func(f *fixture) {
		ctx, cancel := context.WithCancel(context.Background())
		err := f.store.Update(ctx, func(t meta.Tx) error {
			cancel()
			return t.PutSecret("ended inside", []byte("x"))
		})
		if err != nil {
			f.Errorf("update: %v", err)
		}
		f.view(func(t meta.Tx) error {
			_, err := t.Secret("ended inside")
			return err
		})
	})
	f.on("a view sees one moment", func(f *fixture) {
		var before, after int64
		f.view(func(t meta.Tx) (err error) {
			if before, err = t.CountRepositories(west, meta.ECR); err != nil {
				return err
			}
			done := make(chan error)
			go func() {
				done <- f.store.Update(context.Background(), func(t meta.Tx) error {
					_, err := t.InsertRepository(plain(meta.RepositoryKey{Registry: west, Space: meta.ECR, Name: "moment"}))
					return err
				})
			}()
			if err := <-done; err != nil {
				return err
			}
			after, err = t.CountRepositories(west, meta.ECR)
			return err
		})
		if before != 0 || after != 0 {
			f.Errorf("counted %d, then %d in one view", before, after)
		}
	})
	f.on("a transaction has one time, in UTC and milliseconds", func(f *fixture) {
		var first, second time.Time
		f.update(func(t meta.Tx) (err error) {
			if first, err = t.Now(); err != nil {
				return err
			}
			second, err = t.Now()
			return err
		})
		if first != second || first.Location() != time.UTC || first.Truncate(time.Millisecond) != first || time.Since(first).Abs() > time.Hour {
			f.Errorf("times %v and %v", first, second)
		}
	})
	f.on("a store that answers can be pinged", func(f *fixture) {
		if err := f.store.Ping(context.Background()); err != nil {
			f.Error(err)
		}
	})
}

// testGroup has many closures wait together, as a store with one writer runs
// them in one transaction.
func testGroup(f *fixture) {
	f.on("one that fails does not hurt its neighbours", func(f *fixture) {
		id := f.repository(key("group"))
		errs := f.together(120, func(i int, t meta.Tx) error {
			body := fmt.Sprint("group ", i)
			layer, err := putLayer(t, id, body)
			if err != nil {
				return err
			}
			switch i % 4 {
			case 1:
				return errOwn
			case 2: // a statement that fails
				_, err := t.InsertImage(manifest(id, body), []byte(body), []meta.LayerID{layer, 1 << 40}, nil)
				return err
			}
			_, err = t.InsertImage(manifest(id, body), []byte(body), []meta.LayerID{layer}, nil)
			return err
		})
		var got []string
		f.view(func(t meta.Tx) error {
			list, err := t.Images(id, meta.ImageFilter{}, meta.Page[meta.ImageID]{Limit: 1000})
			got = each(list, func(i meta.Image) string { return string(i.Digest) })
			return err
		})
		have := map[string]bool{}
		for _, d := range got {
			have[d] = true
		}
		for i, err := range errs {
			if ok := i%4 != 1 && i%4 != 2; ok != (err == nil) || ok != have[string(sha(fmt.Sprint("group ", i)))] {
				f.Errorf("closure %d: %v, stored %v", i, err, have[string(sha(fmt.Sprint("group ", i)))])
			}
			if i%4 == 1 && !errors.Is(err, errOwn) {
				f.Errorf("closure %d: %v", i, err)
			}
		}
	})
	f.on("no increment is lost", func(f *fixture) {
		before := f.count(east)
		errs := f.together(60, func(i int, t meta.Tx) error {
			_, err := t.InsertRepository(plain(key(fmt.Sprintf("many/%03d", i))))
			return err
		})
		if err := errors.Join(errs...); err != nil {
			f.Fatal(err)
		}
		if got := f.count(east); got != before+60 {
			f.Errorf("%d repositories, want %d more than %d", got, 60, before)
		}
	})
	f.on("of many who make the same thing one does", func(f *fixture) {
		k := meta.RepositoryKey{Registry: west, Space: meta.ECR, Name: "same"}
		errs := f.together(30, func(i int, t meta.Tx) error {
			_, err := t.InsertRepository(plain(k))
			return err
		})
		if diff := cmp.Diff(map[string]int{"done": 1, "exists": 29}, outcomes(errs, meta.ErrExists, "exists")); diff != "" {
			f.Error(diff)
		}
		if got := f.count(west); got != 1 {
			f.Errorf("%d repositories, want 1", got)
		}
	})
}

// together runs n closures at once, each in an update of its own.
func (f *fixture) together(n int, fn func(i int, t meta.Tx) error) []error {
	errs := make([]error, n)
	start := make(chan struct{})
	var wait sync.WaitGroup
	for i := range n {
		wait.Go(func() {
			<-start
			errs[i] = f.store.Update(context.Background(), func(t meta.Tx) error { return fn(i, t) })
		})
	}
	close(start)
	wait.Wait()
	return errs
}

// outcomes counts errors: none, the one of a name, and others.
func outcomes(errs []error, known error, name string) map[string]int {
	n := map[string]int{}
	for _, err := range errs {
		switch {
		case err == nil:
			n["done"]++
		case errors.Is(err, known):
			n[name]++
		default:
			n[err.Error()]++
		}
	}
	return n
}

func testReopen(f *fixture) {
	id := f.repository(key("kept"))
	layer := f.layer(id, "kept layer")
	image := f.image(id, "kept image", []meta.LayerID{layer}, "v1", "v2")
	type snapshot struct {
		ID         string
		Generation int64
		Repository meta.Repository
		Image      meta.Image
		Manifest   string
		Tags       []meta.Tag
		Layer      meta.Layer
		Bytes      string
		Count      int64
	}
	read := func() (s snapshot) {
		f.view(func(t meta.Tx) (err error) {
			if s.ID, s.Generation, err = t.Identity(); err != nil {
				return err
			}
			if s.Repository, err = t.Repository(key("kept"), meta.NoLock); err != nil {
				return err
			}
			if s.Image, err = t.FindImage(key("kept"), meta.Reference{Tag: "v2"}); err != nil {
				return err
			}
			body, err := t.Manifest(image)
			if err != nil {
				return err
			}
			s.Manifest = string(body)
			if s.Tags, err = t.Tags(id, meta.AnyImageStatus, meta.Page[name.Tag]{Limit: 10}); err != nil {
				return err
			}
			if s.Layer, err = t.FindLayer(key("kept"), sha("kept layer")); err != nil {
				return err
			}
			if body, err = t.InlineBytes(s.Layer.Blob.ID); err != nil {
				return err
			}
			s.Bytes = string(body)
			s.Count, err = t.CountRepositories(east, meta.ECR)
			return err
		})
		return s
	}
	before := read()
	if before.Manifest != "kept image" || before.Bytes != "kept layer" || len(before.Tags) != 2 || before.Generation != 1 || before.ID == "" {
		f.Fatalf("before: %+v", before)
	}
	old := f.store
	for range 2 {
		if err := f.store.Close(); err != nil {
			f.Fatalf("close: %v", err)
		}
		f.store = f.open(f)
		if diff := cmp.Diff(before, read()); diff != "" {
			f.Errorf("after it was opened again (-before +after):\n%s", diff)
		}
	}
	next := f.image(id, "next image", nil)
	if next <= image {
		f.Errorf("image %d came after %d", next, image)
	}
	if err := old.Update(context.Background(), func(meta.Tx) error { return nil }); !errors.Is(err, meta.ErrUnavailable) {
		f.Errorf("update of a closed store: %v", err)
	}
	if err := old.View(context.Background(), func(meta.Tx) error { return nil }); !errors.Is(err, meta.ErrUnavailable) {
		f.Errorf("view of a closed store: %v", err)
	}
	if err := old.Close(); err != nil {
		f.Errorf("close twice: %v", err)
	}
}

func (f *fixture) count(r name.RegistryID) int64 {
	f.Helper()
	var n int64
	f.view(func(t meta.Tx) (err error) {
		n, err = t.CountRepositories(r, meta.ECR)
		return err
	})
	return n
}
