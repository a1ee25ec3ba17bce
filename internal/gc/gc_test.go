package gc_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lighterage/lighterage/internal/blob/disk"
	"github.com/lighterage/lighterage/internal/containers"
	"github.com/lighterage/lighterage/internal/digest"
	"github.com/lighterage/lighterage/internal/fault"
	"github.com/lighterage/lighterage/internal/gc"
	"github.com/lighterage/lighterage/internal/meta"
	"github.com/lighterage/lighterage/internal/meta/sqlstore"
	"github.com/lighterage/lighterage/internal/name"
	"github.com/lighterage/lighterage/internal/registry"
)

const (
	grace   = time.Hour
	urlTTL  = 2 * time.Hour
	pushTTL = 24 * time.Hour
)

// clock is a time that tests move.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// world is the rules and the collector over a SQLite file and a directory.
type world struct {
	*registry.Catalogue
	services *containers.Services
	gc       *gc.Collector
	t        *testing.T
	ctx      context.Context
	clock    *clock
	store    *sqlstore.Store
	blobs    *disk.Store
	dir      string
}

func open(t *testing.T) *world {
	t.Helper()
	t.Parallel()
	at := &clock{now: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}
	store, err := sqlstore.OpenSQLite(context.Background(), filepath.Join(t.TempDir(), "catalogue.db"), sqlstore.Options{Clock: at.Now, Logger: quiet})
	if err != nil {
		t.Fatal(err)
	}
	return over(t, store, at, pushTTL)
}

var quiet = slog.New(slog.DiscardHandler)

// over makes a world over a store, which it closes.
func over(t *testing.T, store *sqlstore.Store, at *clock, pushTTL time.Duration) *world {
	t.Helper()
	t.Cleanup(func() { store.Close() })
	w := &world{t: t, ctx: t.Context(), dir: t.TempDir(), clock: at, store: store}
	var err error
	w.blobs, err = disk.Open(filepath.Join(w.dir, "blobs"), disk.Options{Logger: quiet})
	w.must(err)
	t.Cleanup(func() { w.blobs.Close() })
	w.Catalogue = registry.New(registry.Config{
		Meta: store, Blobs: w.blobs, Clock: at.Now, Logger: quiet, BootID: "boot-1",
		LayerGrace: grace, UploadTTL: pushTTL, PushTTL: pushTTL, URLTTL: urlTTL,
	})
	w.services = containers.New(containers.Config{Meta: store, Repositories: w.Catalogue, PushTTL: pushTTL})
	w.gc = gc.New(gc.Config{Meta: store, Blobs: w.blobs, Logger: quiet, LayerGrace: grace, URLTTL: urlTTL})
	return w
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// run advances the clock and collects.
func (w *world) run(d time.Duration) gc.Tally {
	w.t.Helper()
	w.clock.Advance(d)
	t, err := w.gc.Run(w.ctx)
	w.must(err)
	t.Usage = 0 // how often usage was recorded is the store's affair
	return t
}

// runs is run with what it must have done.
func (w *world) runs(d time.Duration, want gc.Tally) {
	w.t.Helper()
	if diff := cmp.Diff(want, w.run(d)); diff != "" {
		w.t.Errorf("collected (-want +got):\n%s", diff)
	}
}

var home = name.RegistryID{Account: "000000000000", Region: "us-east-1"}

var hidden = containers.HiddenRepository(home)

func (w *world) create(repository string) registry.RepositoryKey {
	w.t.Helper()
	k := registry.RepositoryKey{Registry: home, Space: registry.ECR, Name: name.RepositoryName(repository)}
	_, err := w.CreateRepository(w.ctx, k, registry.Defaults(), nil)
	w.must(err)
	return k
}

func (w *world) service() containers.Key {
	w.t.Helper()
	k := containers.Key{Registry: home, Name: "web"}
	_, err := w.services.CreateService(w.ctx, k, "nano", 1, nil)
	w.must(err)
	return k
}

func (w *world) layer(k registry.RepositoryKey, body []byte) digest.Digest {
	w.t.Helper()
	d := digest.Of(digest.SHA256, body)
	id, err := w.StartUpload(w.ctx, k, digest.SHA256)
	w.must(err)
	w.must(w.FinishUpload(w.ctx, k, id, d, registry.Anywhere, bytes.NewReader(body)))
	return d
}

// large is a body that does not fit into the catalogue.
func large(seed string) []byte { return []byte(strings.Repeat(seed+" ", 200<<10/(len(seed)+1))) }

// image pushes an inline config and a layer in a file of its own, and a
// manifest of them.
func (w *world) image(k registry.RepositoryKey, seed string, tags ...name.Tag) digest.Digest {
	w.t.Helper()
	config, layer := []byte(`{"seed":"`+seed+`"}`), large(seed)
	return w.put(k, fmt.Appendf(nil, `{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":%q,"size":%d},"layers":[{"mediaType":"application/vnd.oci.image.layer.v1.tar","digest":%q,"size":%d}]}`,
		w.layer(k, config), len(config), w.layer(k, layer), len(layer)), tags...)
}

func (w *world) index(k registry.RepositoryKey, children ...digest.Digest) digest.Digest {
	w.t.Helper()
	type descriptor struct {
		MediaType string        `json:"mediaType"`
		Digest    digest.Digest `json:"digest"`
		Size      int           `json:"size"`
	}
	var list []descriptor
	for _, c := range children {
		list = append(list, descriptor{"application/vnd.oci.image.manifest.v1+json", c, 1})
	}
	body, err := json.Marshal(map[string]any{"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": list})
	w.must(err)
	return w.put(k, body)
}

func (w *world) put(k registry.RepositoryKey, body []byte, tags ...name.Tag) digest.Digest {
	w.t.Helper()
	i, err := w.PutImage(w.ctx, registry.Put{By: "arn:me", Key: k, Body: body, Tags: tags, Repeatable: true})
	w.must(err)
	return i.Digest
}

func (w *world) delete(k registry.RepositoryKey, d digest.Digest) {
	w.t.Helper()
	w.must(w.DeleteImage(w.ctx, "arn:me", k, registry.Reference{Digest: d}))
}

func (w *world) has(k registry.RepositoryKey, d digest.Digest) bool {
	w.t.Helper()
	_, err := w.Image(w.ctx, k, registry.Reference{Digest: d})
	if err != nil && !fault.Is(err, fault.ImageNotFound) && !fault.Is(err, fault.RepositoryNotFound) {
		w.t.Fatal(err)
	}
	return err == nil
}

// whole checks that an image can be pulled: its manifest, its children, and
// every byte of its layers.
func (w *world) whole(k registry.RepositoryKey, d digest.Digest) {
	w.t.Helper()
	i, err := w.Image(w.ctx, k, registry.Reference{Digest: d})
	w.must(err)
	body, err := w.Manifest(w.ctx, k, i)
	w.must(err)
	var m struct {
		Config            *struct{ Digest digest.Digest }
		Layers, Manifests []struct{ Digest digest.Digest }
	}
	w.must(json.Unmarshal(body, &m))
	for _, c := range m.Manifests {
		w.whole(k, c.Digest)
	}
	if m.Config != nil {
		m.Layers = append(m.Layers, *m.Config)
	}
	for _, l := range m.Layers {
		w.readable(k, l.Digest)
	}
}

func (w *world) readable(k registry.RepositoryKey, d digest.Digest) {
	w.t.Helper()
	content, err := w.OpenLayer(w.ctx, k, d)
	w.must(err)
	defer content.Close()
	var body io.Reader = bytes.NewReader(content.Body)
	if content.Reader != nil {
		body = content.Reader
	}
	h := digest.NewHasher(d.Algorithm())
	_, err = io.Copy(h, body)
	w.must(err)
	if got := h.Digest(); got != d {
		w.t.Errorf("the bytes of %s have the digest %s", d, got)
	}
}

// files is the number of files that the blob store has.
func (w *world) files() int {
	w.t.Helper()
	n := 0
	w.must(filepath.WalkDir(filepath.Join(w.dir, "blobs"), func(path string, e fs.DirEntry, err error) error {
		if err == nil && e.Type().IsRegular() && filepath.Dir(path) != filepath.Join(w.dir, "blobs") {
			n++
		}
		return err
	}))
	return n
}

func (w *world) update(fn func(meta.Tx) error) {
	w.t.Helper()
	w.must(w.store.Update(w.ctx, fn))
}
