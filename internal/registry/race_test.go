package registry_test

import (
	"bytes"
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lighterage/lighterage/internal/digest"
	"github.com/lighterage/lighterage/internal/fault"
	"github.com/lighterage/lighterage/internal/name"
	"github.com/lighterage/lighterage/internal/registry"
)

// while runs work on several goroutines, and background over and over until
// they are done.
func (w *world) while(background func(), work ...func()) {
	w.t.Helper()
	done := make(chan struct{})
	var behind, before sync.WaitGroup
	behind.Go(func() {
		for {
			select {
			case <-done:
				return
			default:
				background()
			}
		}
	})
	for _, f := range work {
		before.Go(f)
	}
	before.Wait()
	close(done)
	behind.Wait()
}

func times(n int, f func(i int)) []func() {
	all := make([]func(), n)
	for i := range all {
		all[i] = func() { f(i) }
	}
	return all
}

// collect runs the collector after some time.
func (w *world) collect(d time.Duration) func() {
	c := w.collector()
	return func() {
		w.clock.Advance(d)
		if _, err := c.Run(w.ctx); err != nil {
			w.t.Errorf("collect: %v", err)
		}
	}
}

// hasty removes at once what may be removed.
func hasty(c *registry.Config) { c.LayerGrace, c.URLTTL = time.Millisecond, time.Millisecond }

// tryPush is push for goroutines other than the test's.
func (w *world) tryPush(k registry.RepositoryKey, body []byte) (digest.Digest, error) {
	d := digest.Of(digest.SHA256, body)
	id, err := w.StartUpload(w.ctx, k, digest.SHA256)
	if err == nil {
		err = w.FinishUpload(w.ctx, k, id, d, registry.Anywhere, bytes.NewReader(body))
	}
	return d, err
}

func TestOneBlobIsPushedByManyWhileItIsCollected(t *testing.T) {
	t.Parallel()
	b := openBreakable(t, hasty)
	k := b.create("app")
	other := b.create("other")
	bodies := [][]byte{random(1000, 1), random(200_000, 2)}
	b.while(b.collect(time.Millisecond), times(6, func(i int) {
		into := []registry.RepositoryKey{k, other}[i%2]
		for n := range 12 {
			config, err := b.tryPush(into, bodies[0])
			if err != nil {
				t.Errorf("push: %v", err)
			}
			layer, err := b.tryPush(into, bodies[1])
			if err != nil {
				t.Errorf("push: %v", err)
			}
			// The collector may be quicker than the manifest.
			_, err = b.PutImage(b.ctx, registry.Put{Key: into, Body: manifestOf(config, 1000, layer, 200_000), Repeatable: true, Tags: []name.Tag{name.Tag(fmt.Sprint("t", i))}})
			if err != nil && !fault.Is(err, fault.LayersNotFound) {
				t.Errorf("put: %v", err)
			}
			if n%3 == 2 {
				_, _, err := b.DeleteImages(b.ctx, "arn:me", into, []registry.Asked{{Tag: fmt.Sprint("t", i)}})
				if err != nil {
					t.Errorf("delete: %v", err)
				}
			}
		}
	})...)
	b.check(k, other)
	for _, k := range []registry.RepositoryKey{k, other} {
		_, err := b.DeleteRepository(b.ctx, k, true)
		b.must(err)
	}
	b.deserted()
	if b.counted.open != 0 {
		t.Errorf("%d descriptors are left open", b.counted.open)
	}
}

// A layer that a client was told is there is there for its manifest, whatever
// the collector does meanwhile. Time stands between the two, and leaps between
// one client's turns.
func TestAManifestFindsTheLayersThatItsClientWasPromised(t *testing.T) {
	t.Parallel()
	w := open(t, func(c *registry.Config) { c.URLTTL = time.Minute })
	var leap sync.RWMutex
	run := w.collect(0)
	k := w.create("app")
	w.while(func() {
		leap.Lock()
		w.clock.Advance(61 * time.Minute) // every layer that nobody asks for now may go
		leap.Unlock()
		run()
	}, times(3, func(i int) {
		config, layer := random(100+i, 3), random(150_000+i, 4)
		ds := []digest.Digest{digest.Of(digest.SHA256, config), digest.Of(digest.SHA256, layer)}
		for n := range 20 {
			leap.RLock()
			for j, body := range [][]byte{config, layer} {
				if _, err := w.Layer(w.ctx, k, ds[j]); fault.Is(err, fault.LayerNotFound) {
					_, err = w.tryPush(k, body)
					if err != nil {
						t.Errorf("push: %v", err)
					}
				} else if err != nil {
					t.Errorf("head: %v", err)
				}
			}
			body := manifestOf(ds[0], len(config), ds[1], len(layer))
			put, err := w.PutImage(w.ctx, registry.Put{Key: k, Body: body, Repeatable: true})
			if err != nil {
				t.Errorf("round %d: put: %v", n, err)
			}
			leap.RUnlock()
			if err := w.DeleteImage(w.ctx, "arn:me", k, registry.Reference{Digest: put.Digest}); err != nil {
				t.Errorf("delete: %v", err)
			}
		}
	})...)
	w.check(k)
}

func TestAMountOfALayerThatIsBeingDeleted(t *testing.T) {
	t.Parallel()
	w := open(t, func(c *registry.Config) { c.URLTTL = 0 })
	a := w.create("a")
	run := w.collect(0)
	for n := range 12 {
		b := w.create(fmt.Sprint("b-", n))
		body := random(1000+n%2*200_000, uint64(n))
		d := w.push(a, body)
		mounted := false
		w.while(run, func() {
			ok, err := w.MountLayer(w.ctx, b, a, d)
			if err != nil {
				t.Errorf("mount: %v", err)
			}
			mounted = ok
		}, func() {
			if err := w.DeleteLayer(w.ctx, a, d); err != nil {
				t.Errorf("delete: %v", err)
			}
		})
		_, err := w.OpenLayer(w.ctx, a, d)
		w.want(err, fault.LayerNotFound)
		if !mounted {
			_, err := w.OpenLayer(w.ctx, b, d)
			w.want(err, fault.LayerNotFound)
		} else if !bytes.Equal(w.read(b, d), body) {
			t.Error("other bytes came back")
		}
	}
}

func TestPullsWhileATagMoves(t *testing.T) {
	t.Parallel()
	w := open(t)
	k := w.create("app")
	images := [][]byte{w.image(k, "a"), w.image(k, "b")}
	w.put(k, images[0], "latest")
	n := 0
	w.while(func() {
		n++
		if _, err := w.PutImage(w.ctx, registry.Put{By: "arn:me", Key: k, Body: images[n%2], Tags: []name.Tag{"latest"}, Repeatable: true}); err != nil {
			t.Errorf("put: %v", err)
		}
	}, times(3, func(int) {
		for range 200 {
			i, err := w.Image(w.ctx, k, registry.Reference{Tag: "latest"})
			if err != nil {
				t.Errorf("the tag was away: %v", err)
				return
			}
			body, err := w.Manifest(w.ctx, k, i)
			if err != nil || digest.Of(digest.SHA256, body) != i.Digest {
				t.Errorf("manifest of %s: %v", i.Digest, err)
			}
		}
	})...)
	w.check(k)
}

// Every upload was begun in the old repository. None may finish in the new one
// of the same name.
func TestNothingOfADeletedRepositoryAppearsInItsSuccessor(t *testing.T) {
	t.Parallel()
	b := openBreakable(t)
	k := key("app")
	for round := range 6 {
		_, err := b.CreateRepository(b.ctx, k, registry.Defaults(), nil)
		b.must(err)
		var ids []name.UploadID
		var bodies [][]byte
		for i := range 8 {
			body := random(1000+i%2*200_000, uint64(8*round+i))
			ids = append(ids, b.begin(k, body[:len(body)/2]))
			bodies = append(bodies, body)
		}
		if round%2 == 0 {
			b.clock.Advance(2 * time.Minute)
			b.must(b.ParkUploads(b.ctx))
		}
		var successor registry.Repository
		work := times(8, func(i int) {
			d := digest.Of(digest.SHA256, bodies[i])
			err := b.FinishUpload(b.ctx, k, ids[i], d, int64(len(bodies[i])/2), bytes.NewReader(bodies[i][len(bodies[i])/2:]))
			if err != nil && !fault.Is(err, fault.UploadNotFound) && !fault.Is(err, fault.RepositoryNotFound) {
				t.Errorf("finish: %v", err)
			}
			_, err = b.PutImage(b.ctx, registry.Put{Key: k, Body: manifestOf(d, 1, d, 1), Tags: []name.Tag{"old"}})
			if err != nil && !fault.Is(err, fault.LayersNotFound) && !fault.Is(err, fault.RepositoryNotFound) {
				t.Errorf("put: %v", err)
			}
		})
		b.while(b.collect(0), append(work, func() {
			if _, err := b.DeleteRepository(b.ctx, k, true); err != nil {
				t.Errorf("delete: %v", err)
			}
			r, err := b.CreateRepository(b.ctx, k, registry.Defaults(), nil)
			if err != nil {
				t.Errorf("create: %v", err)
			}
			successor = r
		})...)
		if got := b.tags(k); got != "" {
			t.Errorf("tags %q", got)
		}
		for i, body := range bodies {
			_, err := b.OpenLayer(b.ctx, k, digest.Of(digest.SHA256, body))
			b.want(err, fault.LayerNotFound)
			_, err = b.UploadOffset(b.ctx, k, ids[i])
			b.want(err, fault.UploadNotFound)
		}
		// Parked again, they must not come back either.
		b.clock.Advance(2 * time.Minute)
		b.must(b.ParkUploads(b.ctx))
		if found, err := b.Repository(b.ctx, k); err != nil || found.ID != successor.ID {
			t.Errorf("found %+v, want %+v: %v", found, successor, err)
		}
		_, err = b.DeleteRepository(b.ctx, k, false) // it is empty
		b.must(err)
	}
	b.deserted()
	if b.counted.open != 0 {
		t.Errorf("%d descriptors are left open", b.counted.open)
	}
}

// Uploads are parked whenever nobody holds them, between any two chunks and
// between a chunk and the end.
func TestUploadsParkedBetweenTheirChunks(t *testing.T) {
	t.Parallel()
	b := openBreakable(t, func(c *registry.Config) { c.UploadTTL = 1e6 * time.Hour })
	k := b.create("app")
	b.while(func() {
		b.clock.Advance(2 * time.Minute)
		if err := b.ParkUploads(b.ctx); err != nil {
			t.Errorf("park: %v", err)
		}
	}, times(4, func(i int) {
		for _, n := range []int{10_000, 500_000} {
			body := random(n+i, uint64(i))
			id, err := b.StartUpload(b.ctx, k, digest.SHA256)
			if err != nil {
				t.Errorf("start: %v", err)
				return
			}
			for at := 0; at < len(body); {
				end := min(at+len(body)/8, len(body))
				got, err := b.AppendUpload(b.ctx, k, id, int64(at), bytes.NewReader(body[at:end]))
				if err != nil || got != int64(end) {
					t.Errorf("chunk at %d: %d, %v", at, got, err)
					return
				}
				at = end
			}
			if err := b.FinishUpload(b.ctx, k, id, digest.Of(digest.SHA256, body), registry.Anywhere, nil); err != nil {
				t.Errorf("finish: %v", err)
			}
		}
	})...)
	for i := range 4 {
		for _, n := range []int{10_000, 500_000} {
			body := random(n+i, uint64(i))
			if !bytes.Equal(b.read(k, digest.Of(digest.SHA256, body)), body) {
				t.Error("other bytes came back")
			}
		}
	}
	if b.Sessions() != 0 || b.counted.open != 0 {
		t.Errorf("%d uploads in memory, %d descriptors", b.Sessions(), b.counted.open)
	}
}

// Several requests wait for a holder that stalled. One takes over, the others
// have their turn after it, and the old holder writes nothing more.
func TestManyTakeOverAStalledUpload(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := open(t, func(c *registry.Config) { c.Clock = time.Now })
		k := w.create("app")
		body := random(600_000, 6)
		id, err := w.StartUpload(w.ctx, k, digest.SHA256)
		w.must(err)
		old := &stuck{bytes.NewReader(body[:300_000]), make(chan struct{})}
		done := make(chan error, 1)
		go func() {
			_, err := w.AppendUpload(context.Background(), k, id, 0, old)
			done <- err
		}()
		synctest.Wait()
		var wg sync.WaitGroup
		for range 5 {
			wg.Go(func() {
				if at, err := w.UploadOffset(w.ctx, k, id); err != nil || at != 262_144 {
					t.Errorf("offset %d: %v", at, err)
				}
			})
		}
		wg.Wait()
		close(old.free)
		w.want(<-done, fault.UploadNotFound)
		d := digest.Of(digest.SHA256, body)
		w.must(w.FinishUpload(w.ctx, k, id, d, 262_144, bytes.NewReader(body[262_144:])))
		if !bytes.Equal(w.read(k, d), body) {
			t.Error("other bytes came back")
		}
		w.stop(false)
	})
}

// Of those who wait for one upload, all but the first learn at once that it is
// finished.
func TestWhoWaitsForAnUploadThatIsFinishedIsNotKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := open(t, func(c *registry.Config) { c.Clock = time.Now })
		k := w.create("app")
		body := random(1000, 7)
		id, err := w.StartUpload(w.ctx, k, digest.SHA256)
		w.must(err)
		held := &stuck{bytes.NewReader(nil), make(chan struct{})}
		done := make(chan error, 1)
		go func() {
			_, err := w.AppendUpload(context.Background(), k, id, 0, held)
			done <- err
		}()
		synctest.Wait()
		var wg sync.WaitGroup
		errs := make([]error, 5)
		for i := range errs {
			wg.Go(func() {
				errs[i] = w.FinishUpload(w.ctx, k, id, digest.Of(digest.SHA256, body), 0, bytes.NewReader(body))
			})
		}
		synctest.Wait()
		close(held.free)
		start := time.Now()
		wg.Wait()
		if waited := time.Since(start); waited >= time.Second {
			t.Errorf("they waited for %v", waited)
		}
		<-done
		won := 0
		for _, err := range errs {
			if err == nil {
				won++
			} else if !fault.Is(err, fault.UploadNotFound) {
				t.Errorf("a loser got %v", err)
			}
		}
		if won != 1 {
			t.Errorf("%d finished the upload", won)
		}
		w.stop(false)
	})
}
