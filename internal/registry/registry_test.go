package registry_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lighterage/lighterage/internal/blob"
	"github.com/lighterage/lighterage/internal/blob/disk"
	"github.com/lighterage/lighterage/internal/digest"
	"github.com/lighterage/lighterage/internal/fault"
	"github.com/lighterage/lighterage/internal/meta"
	"github.com/lighterage/lighterage/internal/meta/sqlstore"
	"github.com/lighterage/lighterage/internal/name"
	"github.com/lighterage/lighterage/internal/registry"
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

// world is a catalogue over a SQLite file and a directory of blobs.
type world struct {
	*registry.Catalogue
	t      *testing.T
	ctx    context.Context
	clock  *clock
	dir    string
	config registry.Config
	meta   *sqlstore.Store
	blobs  *disk.Store

	counted  *counting
	postgres string // URL of the database, if it is not SQLite's
}

// template is the directory of a world in which nothing happened. All others
// begin with a copy of its catalogue, and share its directory of blobs, where
// each has locations of its own: the first start of a store takes long.
var (
	template string
	opening  sync.Mutex // a store that opens writes and removes a probe
)

func TestMain(m *testing.M) {
	os.Exit(run(m))
}

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "registry")
	if err == nil {
		defer os.RemoveAll(dir)
		err = prepare(dir)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	template = dir
	return m.Run()
}

func prepare(dir string) error {
	m, err := sqlstore.OpenSQLite(context.Background(), filepath.Join(dir, "catalogue.db"), sqlstore.Options{Clock: time.Now})
	if err != nil {
		return err
	}
	b, err := disk.Open(filepath.Join(dir, "blobs"), disk.Options{})
	if err != nil {
		return errors.Join(err, m.Close())
	}
	return errors.Join(b.Close(), m.Close())
}

type change func(*registry.Config)

func open(t *testing.T, changes ...change) *world {
	t.Helper()
	w := &world{t: t, ctx: t.Context(), dir: t.TempDir(), clock: &clock{now: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}}
	catalogue, err := os.ReadFile(filepath.Join(template, "catalogue.db"))
	w.must(err)
	w.must(os.WriteFile(filepath.Join(w.dir, "catalogue.db"), catalogue, 0o600))
	w.start(changes...)
	t.Cleanup(func() { w.stop(false) })
	return w
}

func (w *world) start(changes ...change) {
	w.t.Helper()
	log := slog.New(slog.DiscardHandler)
	fatal := func(err error) { w.t.Errorf("store failed for good: %v", err) }
	var err error
	options := sqlstore.Options{Clock: w.clock.Now, Logger: log, Fatal: fatal}
	if w.postgres != "" {
		w.meta, err = sqlstore.OpenPostgres(context.Background(), w.postgres, options)
	} else {
		w.meta, err = sqlstore.OpenSQLite(context.Background(), filepath.Join(w.dir, "catalogue.db"), options)
	}
	if err != nil {
		w.t.Fatal(err)
	}
	opening.Lock()
	w.blobs, err = disk.Open(filepath.Join(template, "blobs"), disk.Options{Fatal: fatal, Logger: log})
	opening.Unlock()
	if err != nil {
		w.t.Fatal(err)
	}
	if w.counted == nil {
		w.counted = newCounting()
	}
	w.counted.Store, w.counted.open = w.blobs, 0
	w.config = registry.Config{
		Meta: w.meta, Blobs: w.counted, Clock: w.clock.Now, Logger: log, BootID: "boot-1",
		Limits:     registry.Limits{ResourceTags: 50, ManifestSize: 4 << 20, MinPartSize: 8, MaxPartSize: 20 << 20},
		Keys:       registry.Keys{"arn:aws:kms:us-east-1:000000000000:key/off": registry.KeyDisabled, "arn:aws:kms:us-east-1:000000000000:key/on": registry.KeyEnabled},
		LayerGrace: time.Hour, UploadTTL: 24 * time.Hour, PushTTL: 24 * time.Hour, URLTTL: time.Hour,
	}
	for _, c := range changes {
		c(&w.config)
	}
	w.Catalogue = registry.New(w.config)
}

// stop closes everything; gracefully, or as a crash would leave it.
func (w *world) stop(gracefully bool) {
	if gracefully {
		w.must(w.Close(context.Background()))
	}
	w.blobs.Close()
	w.meta.Close()
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) want(err error, r fault.Reason) *fault.Error {
	w.t.Helper()
	if !fault.Is(err, r) {
		w.t.Fatalf("got error %v, want %v", err, r)
	}
	return fault.Of(err)
}

func key(repository string) registry.RepositoryKey {
	return registry.RepositoryKey{Registry: name.RegistryID{Account: "000000000000", Region: "us-east-1"}, Space: registry.ECR, Name: name.RepositoryName(repository)}
}

func (w *world) create(repository string) registry.RepositoryKey {
	w.t.Helper()
	_, err := w.CreateRepository(w.ctx, key(repository), registry.Defaults(), nil)
	w.must(err)
	return key(repository)
}

func (w *world) push(k registry.RepositoryKey, body []byte) digest.Digest {
	w.t.Helper()
	d := digest.Of(digest.SHA256, body)
	id, err := w.StartUpload(w.ctx, k, digest.SHA256)
	w.must(err)
	w.must(w.FinishUpload(w.ctx, k, id, d, registry.Anywhere, bytes.NewReader(body)))
	return d
}

func (w *world) read(k registry.RepositoryKey, d digest.Digest) []byte {
	w.t.Helper()
	content, err := w.OpenLayer(w.ctx, k, d)
	w.must(err)
	defer content.Close()
	var r io.Reader = bytes.NewReader(content.Body)
	if content.Reader != nil {
		r = content.Reader
	}
	body, err := io.ReadAll(r)
	w.must(err)
	if got := digest.Of(d.Algorithm(), body); got != d {
		w.t.Fatalf("the bytes of %s have the digest %s", d, got)
	}
	return body
}

const (
	ociManifest = "application/vnd.oci.image.manifest.v1+json"
	ociIndex    = "application/vnd.oci.image.index.v1+json"
)

// image uploads a config and a layer made from the seed and returns a manifest
// of them.
func (w *world) image(k registry.RepositoryKey, seed string) []byte {
	w.t.Helper()
	config, layer := []byte(`{"seed":"`+seed+`"}`), []byte("layer of "+seed)
	return manifestOf(w.push(k, config), len(config), w.push(k, layer), len(layer))
}

func manifestOf(config digest.Digest, configSize int, layer digest.Digest, layerSize int) []byte {
	return fmt.Appendf(nil, `{"schemaVersion":2,"mediaType":%q,"config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":%q,"size":%d},"layers":[{"mediaType":"application/vnd.oci.image.layer.v1.tar","digest":%q,"size":%d}]}`,
		ociManifest, config, configSize, layer, layerSize)
}

func index(children ...digest.Digest) []byte {
	type d struct {
		MediaType string        `json:"mediaType"`
		Digest    digest.Digest `json:"digest"`
		Size      int           `json:"size"`
	}
	list := []d{}
	for _, c := range children {
		list = append(list, d{ociManifest, c, 1})
	}
	b, err := json.Marshal(map[string]any{"schemaVersion": 2, "mediaType": ociIndex, "manifests": list})
	if err != nil {
		panic(err)
	}
	return b
}

func (w *world) put(k registry.RepositoryKey, body []byte, tags ...name.Tag) registry.Image {
	w.t.Helper()
	i, err := w.PutImage(w.ctx, registry.Put{By: "arn:me", Key: k, Body: body, Tags: tags})
	w.must(err)
	return i
}

func (w *world) tags(k registry.RepositoryKey) string {
	w.t.Helper()
	tags, err := w.Tags(w.ctx, k, "", 1000)
	w.must(err)
	var s []string
	for _, t := range tags {
		s = append(s, string(t))
	}
	return strings.Join(s, " ")
}

var _ blob.Store = (*disk.Store)(nil)
var _ meta.Store = (*sqlstore.Store)(nil)
