package registry_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"sync"
	"testing"
	"time"

	"github.com/lighterage/lighterage/internal/blob"
	"github.com/lighterage/lighterage/internal/blob/blobtest"
	"github.com/lighterage/lighterage/internal/digest"
	"github.com/lighterage/lighterage/internal/gc"
	"github.com/lighterage/lighterage/internal/manifest"
	"github.com/lighterage/lighterage/internal/meta"
	"github.com/lighterage/lighterage/internal/meta/metatest"
	"github.com/lighterage/lighterage/internal/name"
	"github.com/lighterage/lighterage/internal/registry"
)

// counting is a blob store that knows how many uploads and readers it has
// given and not got back, each of which is a descriptor, and where it created
// bytes.
type counting struct {
	blob.Store
	mu      sync.Mutex
	open    int
	created map[name.Location]bool
	layers  map[name.Location]bool // found to be
}

func newCounting() *counting {
	return &counting{created: map[name.Location]bool{}, layers: map[name.Location]bool{}}
}

func (c *counting) add(n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.open += n
}

func (c *counting) Open(ctx context.Context, at name.Location) (blob.Reader, error) {
	r, err := c.Store.Open(ctx, at)
	if err != nil {
		return nil, err
	}
	c.add(1)
	return &countedReader{Reader: r, store: c}, nil
}

func (c *counting) Create(ctx context.Context, at name.Location) (blob.Upload, error) {
	c.mu.Lock()
	c.created[at] = true
	c.mu.Unlock()
	return c.upload(c.Store.Create(ctx, at))
}

func (c *counting) Resume(ctx context.Context, at name.Location, offset int64, state []byte) (blob.Upload, error) {
	return c.upload(c.Store.Resume(ctx, at, offset, state))
}

func (c *counting) upload(u blob.Upload, err error) (blob.Upload, error) {
	if err != nil {
		return nil, err
	}
	c.add(1)
	return &countedUpload{Upload: u, store: c}, nil
}

type countedReader struct {
	blob.Reader
	store *counting
	once  sync.Once
}

func (r *countedReader) Close() error {
	r.once.Do(func() { r.store.add(-1) })
	return r.Reader.Close()
}

type countedUpload struct {
	blob.Upload
	store *counting
	once  sync.Once
}

func (u *countedUpload) Seal(ctx context.Context) error {
	err := u.Upload.Seal(ctx)
	if err == nil {
		u.once.Do(func() { u.store.add(-1) })
	}
	return err
}

func (u *countedUpload) Close() error {
	u.once.Do(func() { u.store.add(-1) })
	return u.Upload.Close()
}

// breakable is a world whose stores fail on demand and count.
type breakable struct {
	*world
	faults *metatest.Faults
	faulty *blobtest.Faulty
}

func openBreakable(t *testing.T, changes ...change) *breakable {
	t.Helper()
	b := &breakable{}
	b.world = open(t, append(changes, b.wrap)...)
	return b
}

func (b *breakable) wrap(c *registry.Config) {
	b.faults, b.faulty = metatest.NewFaults(c.Meta), blobtest.Wrap(c.Blobs)
	c.Meta, c.Blobs = b.faults, b.faulty
}

func (b *breakable) heal() {
	b.faults.Heal()
	b.faulty.FailAt(-1, blobtest.NotApplied, nil)
}

// far is a time at which everything is due.
var far = time.Date(3000, 1, 1, 0, 0, 0, 0, time.UTC)

// check reads all that some repositories have and fails for each of the
// invariants I1, I2, I3 and I8 (docs/ARCHITECTURE.md) that does not hold.
func (w *world) check(keys ...registry.RepositoryKey) {
	w.t.Helper()
	w.must(w.meta.View(w.ctx, func(tx meta.Tx) error {
		for _, k := range keys {
			r, err := tx.Repository(k, meta.NoLock)
			if err == meta.ErrNotFound {
				continue
			}
			if err != nil {
				return err
			}
			if err := w.checkRepository(tx, r); err != nil {
				return fmt.Errorf("%s: %w", k.Name, err)
			}
		}
		return nil
	}))
}

func (w *world) checkRepository(tx meta.Tx, r meta.Repository) error {
	w.t.Helper()
	images, err := tx.Images(r.ID, meta.ImageFilter{}, meta.Page[meta.ImageID]{Limit: 1000})
	if err != nil {
		return err
	}
	if n, _, err := tx.ImageUsage(r.ID); err != nil || n != int64(len(images)) {
		w.t.Errorf("%s has %d images and counts %d: %v", r.Key.Name, len(images), n, err)
	}
	for _, i := range images {
		if err := w.checkImage(tx, r, i); err != nil {
			return fmt.Errorf("%s: %w", i.Digest, err)
		}
	}
	tags, err := tx.Tags(r.ID, meta.AnyImageStatus, meta.Page[name.Tag]{Limit: 1000})
	if err != nil {
		return err
	}
	for _, tag := range tags {
		if i, err := tx.ImageOf(tag.Image); err != nil || i.Repository != r.ID || i.Digest != tag.Digest {
			w.t.Errorf("I3: %s:%s points to %s, which is %+v: %v", r.Key.Name, tag.Name, tag.Digest, i, err)
		}
	}
	return nil
}

func (w *world) checkImage(tx meta.Tx, r meta.Repository, i meta.Image) error {
	w.t.Helper()
	body, err := tx.Manifest(i.ID)
	if err != nil {
		return err
	}
	if got := digest.Of(i.Digest.Algorithm(), body); got != i.Digest {
		w.t.Errorf("the manifest of %s hashes to %s", i.Digest, got)
	}
	m, err := manifest.Parse(body, i.MediaType)
	if err != nil {
		return err
	}
	layers, err := tx.Layers(r.ID, m.RequiredLayers(), meta.NoLock)
	if err != nil {
		return err
	}
	for _, d := range m.RequiredLayers() {
		l, ok := layers[d]
		if !ok {
			w.t.Errorf("I1: %s of %s has no layer %s", i.Digest, r.Key.Name, d)
			continue
		}
		if kept, err := tx.LayerReferenced(l.ID); err != nil || !kept {
			w.t.Errorf("I1: %s does not keep its layer %s: %v", i.Digest, d, err)
		}
		if err := w.checkBlob(tx, l.Blob); err != nil {
			w.t.Errorf("I2: %s at %s: %v", d, l.Blob.Location, err)
		}
	}
	for _, d := range m.RequiredChildren() {
		child, err := tx.Image(r.ID, meta.Reference{Digest: d})
		if err != nil {
			w.t.Errorf("I1: %s has no child %s: %v", i.Digest, d, err)
		}
		if child.Archived && !i.Archived {
			w.t.Errorf("I8: %s is not archived, its child %s is", i.Digest, d)
		}
	}
	return nil
}

// checkBlob reads a blob's bytes where they lie, past every cache.
func (w *world) checkBlob(tx meta.Tx, b meta.Blob) error {
	if b.State != meta.BlobOK {
		return fmt.Errorf("in state %d", b.State)
	}
	var from io.Reader
	if b.Location == meta.Inline {
		body, err := tx.InlineBytes(b.ID)
		if err != nil {
			return err
		}
		from = bytes.NewReader(body)
	} else {
		r, err := w.blobs.Open(context.Background(), b.Location)
		if err != nil {
			return err
		}
		defer r.Close()
		from = r
	}
	h := digest.NewHasher(b.Digest.Algorithm())
	n, err := io.Copy(h, from)
	if got := h.Digest(); err == nil && (n != b.Size || got != b.Digest) {
		err = fmt.Errorf("%d bytes of %d, with the digest %s", n, b.Size, got)
	}
	return err
}

// files lists the locations that have bytes.
func (w *world) files() map[name.Location]bool {
	w.t.Helper()
	w.counted.mu.Lock()
	defer w.counted.mu.Unlock()
	for at := range w.counted.created {
		r, err := w.blobs.Open(context.Background(), at)
		if errors.Is(err, blob.ErrNotFound) {
			delete(w.counted.created, at)
			continue
		}
		w.must(err)
		w.must(r.Close())
	}
	return maps.Clone(w.counted.created)
}

// orphans lists the files that nothing names: no upload, no line of garbage,
// no layer of the digests in the repositories, and none that was found by an
// earlier call.
func (w *world) orphans(keys []registry.RepositoryKey, ds []digest.Digest) []name.Location {
	w.t.Helper()
	files := w.files()
	w.must(w.meta.View(w.ctx, func(tx meta.Tx) error {
		uploads, err := tx.ExpiredUploads(far, 100_000)
		if err != nil {
			return err
		}
		garbage, err := tx.DueGarbage(far, 100_000)
		if err != nil {
			return err
		}
		for _, u := range uploads {
			delete(files, u.Location)
		}
		for _, g := range garbage {
			delete(files, g.Location)
		}
		for _, k := range keys {
			for _, d := range ds {
				if l, err := tx.FindLayer(k, d); err == nil {
					w.counted.layers[l.Blob.Location] = true
				}
			}
		}
		for at := range w.counted.layers {
			delete(files, at)
		}
		return nil
	}))
	var left []name.Location
	for at := range files {
		left = append(left, at)
	}
	return left
}

// collector returns the garbage collector of the world, whose stores do not
// fail.
func (w *world) collector() *gc.Collector {
	return gc.New(gc.Config{
		Meta: w.meta, Blobs: w.blobs, Logger: slog.New(slog.DiscardHandler),
		LayerGrace: w.config.LayerGrace, URLTTL: w.config.URLTTL,
	})
}

// deserted checks that nothing is left where no repository is: no file, no
// row of an upload, no byte or descriptor of a session.
func (w *world) deserted() {
	w.t.Helper()
	for range 4 { // uploads, reviews, what these put off, and their bytes
		w.clock.Advance(25 * time.Hour)
		w.must(w.ParkUploads(w.ctx))
		_, err := w.collector().Run(w.ctx)
		w.must(err)
	}
	if n := w.Sessions(); n != 0 {
		w.t.Errorf("%d uploads are left in memory", n)
	}
	if counted, held := w.Buffered(); counted != 0 || held != 0 {
		w.t.Errorf("%d bytes are counted as buffered, %d are", counted, held)
	}
	if files := w.files(); len(files) != 0 {
		w.t.Errorf("files are left: %v", files)
	}
	w.must(w.meta.View(w.ctx, func(tx meta.Tx) error {
		uploads, err := tx.ExpiredUploads(far, 1000)
		if err != nil {
			return err
		}
		garbage, err := tx.DueGarbage(far, 1000)
		if len(uploads)+len(garbage) > 0 {
			w.t.Errorf("rows are left: %+v %+v", uploads, garbage)
		}
		return err
	}))
}
