package gc_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"sync"
	"testing"

	"github.com/lighterage/lighterage/internal/digest"
	"github.com/lighterage/lighterage/internal/gc"
	"github.com/lighterage/lighterage/internal/meta"
	"github.com/lighterage/lighterage/internal/registry"
)

// size is of a body that is just too large for the catalogue.
const size = 132 << 10

// filed is a body of its own file.
func filed(seed string) []byte {
	body := bytes.Repeat([]byte{'x'}, size)
	copy(body, seed)
	return body
}

// pushes pushes images of one layer, and returns those of them that were pushed.
func (w *world) pushes(k registry.RepositoryKey, seeds ...string) []digest.Digest {
	pushed := make([]digest.Digest, len(seeds))
	errs := make([]error, len(seeds))
	var all sync.WaitGroup
	turns := make(chan struct{}, 16)
	for i, seed := range seeds {
		turns <- struct{}{}
		all.Go(func() {
			pushed[i], errs[i] = w.pushFiled(k, seed)
			<-turns
		})
	}
	all.Wait()
	w.must(errors.Join(errs...))
	return pushed
}

func (w *world) pushFiled(k registry.RepositoryKey, seed string) (digest.Digest, error) {
	body := filed(seed)
	d := digest.Of(digest.SHA256, body)
	id, err := w.StartUpload(w.ctx, k, digest.SHA256)
	if err != nil {
		return "", err
	}
	if err := w.FinishUpload(w.ctx, k, id, d, registry.Anywhere, bytes.NewReader(body)); err != nil {
		return "", err
	}
	const kind = "application/vnd.oci.image.manifest.v1+json"
	i, err := w.PutImage(w.ctx, registry.Put{By: "arn:me", Key: k, Repeatable: true, Body: fmt.Appendf(nil,
		`{"schemaVersion":2,"mediaType":%q,"config":{"mediaType":"c","digest":%q,"size":%d},"layers":[],"annotations":{"seed":%q}}`, kind, d, size, seed)})
	return i.Digest, err
}

// stored is the bytes of all files of the blob store.
func (w *world) stored() (n int64) {
	w.t.Helper()
	w.must(filepath.WalkDir(filepath.Join(w.dir, "blobs"), func(path string, e fs.DirEntry, err error) error {
		if err == nil && e.Type().IsRegular() && filepath.Dir(path) != filepath.Join(w.dir, "blobs") {
			info, err := e.Info()
			if err != nil {
				return err
			}
			n += info.Size()
		}
		return err
	}))
	return n
}

// during runs the collector, and meanwhile do, again and again and once at least.
func (w *world) during(do func()) gc.Tally {
	w.t.Helper()
	var tally gc.Tally
	var err error
	done := make(chan struct{})
	go func() {
		defer close(done)
		tally, err = w.gc.Run(w.ctx)
	}()
	for {
		do()
		select {
		case <-done:
			w.must(err)
			return tally
		default:
		}
	}
}

// What a thousand deleted images took is free again, and nobody waits for it:
// others push and pull meanwhile, and lose nothing.
func TestAThousandDeletedImagesAreReclaimedWhileOthersPushAndPull(t *testing.T) {
	w := open(t)
	k, other := w.create("app"), w.create("other")
	seeds := make([]string, 1000)
	for i := range seeds {
		seeds[i] = fmt.Sprint("doomed ", i)
	}
	doomed := w.pushes(k, seeds...)
	kept := append(w.pushes(k, "kept 1", "kept 2"), w.pushes(k, "kept 3")...)
	shared := w.pushes(other, "doomed 7", "kept 2") // their layers are others' too
	for _, d := range doomed {
		w.delete(k, d)
	}
	if got, want := w.stored(), int64(1005*size); got != want { // two were stored when they came, and not needed
		t.Fatalf("%d bytes are stored, want %d", got, want)
	}
	n := 0
	work := func() {
		n++
		kept = append(kept, w.pushes(k, fmt.Sprint("new ", n))...)
		w.whole(k, kept[n%len(kept)])
		w.whole(other, shared[n%2])
	}
	w.clock.Advance(grace)
	if tally := w.during(work); tally.Layers != 1000 || tally.Locations != 2 {
		t.Errorf("the first run: %+v", tally)
	}
	w.clock.Advance(urlTTL)
	if tally := w.during(work); tally.Locations != 999 || tally.Bytes != 999*size {
		t.Errorf("the second run: %+v", tally)
	}
	if got, want := w.stored(), int64((len(kept)+1)*size); got != want || w.files() != len(kept)+1 {
		t.Errorf("%d bytes in %d files are stored, want %d", got, w.files(), want)
	}
	for _, d := range kept {
		w.whole(k, d)
	}
	for _, d := range shared {
		w.whole(other, d)
	}
	if totals := w.gc.Totals(); totals.Runs != 2 || totals.Bytes != 1001*size || totals.Running != 0 || totals.Failures != 0 {
		t.Errorf("totals %+v", totals)
	}
}

// limited ends a context with the n-th update. The first of a run is the trash's.
type limited struct {
	meta.Store
	left int
	end  context.CancelFunc
}

func (l *limited) Update(ctx context.Context, fn func(meta.Tx) error) error {
	err := l.Store.Update(ctx, fn)
	if l.left--; l.left == 0 {
		l.end()
	}
	return err
}

// No transaction of the collector is longer than another, however much there is
// to do, and whoever stops a run loses nothing by it.
func TestTheWorkOfATransactionIsBounded(t *testing.T) {
	w := open(t)
	k := w.create("app")
	const layers = 350
	for i := range layers {
		w.layer(k, fmt.Appendf(nil, "small %d", i))
	}
	w.clock.Advance(grace)
	for _, want := range []int{100, 100, 100, 50} {
		ctx, end := context.WithCancel(w.ctx)
		w.gc = gc.New(gc.Config{Meta: &limited{w.store, 2, end}, Blobs: w.blobs, Logger: quiet, LayerGrace: grace, URLTTL: urlTTL})
		tally, err := w.gc.Run(ctx)
		if !errors.Is(err, context.Canceled) || tally.Layers != want {
			t.Errorf("one transaction removed %d layers (%v), want %d", tally.Layers, err, want)
		}
		if got := w.gc.Totals(); got.Layers != want || got.Failures != 1 {
			t.Errorf("totals %+v", got)
		}
	}
}
