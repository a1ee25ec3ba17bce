package containers_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/lighterage/lighterage/internal/blob/disk"
	"github.com/lighterage/lighterage/internal/containers"
	"github.com/lighterage/lighterage/internal/digest"
	"github.com/lighterage/lighterage/internal/fault"
	"github.com/lighterage/lighterage/internal/meta"
	"github.com/lighterage/lighterage/internal/meta/metatest"
	"github.com/lighterage/lighterage/internal/meta/sqlstore"
	"github.com/lighterage/lighterage/internal/name"
	"github.com/lighterage/lighterage/internal/registry"
)

const pushTTL = 24 * time.Hour

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

// world is the rules over a SQLite file and a directory.
type world struct {
	*containers.Services
	t         *testing.T
	ctx       context.Context
	clock     *clock
	faults    *metatest.Faults
	catalogue *registry.Catalogue
}

func open(t *testing.T, limits containers.Limits) *world {
	t.Helper()
	t.Parallel()
	at := &clock{now: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}
	store, err := sqlstore.OpenSQLite(context.Background(), filepath.Join(t.TempDir(), "catalogue.db"), sqlstore.Options{Clock: at.Now, Logger: quiet})
	if err != nil {
		t.Fatal(err)
	}
	return over(t, store, at, limits)
}

var quiet = slog.New(slog.DiscardHandler)

// over makes a world over a store, which it closes.
func over(t *testing.T, store *sqlstore.Store, at *clock, limits containers.Limits) *world {
	t.Helper()
	t.Cleanup(func() { store.Close() })
	w := &world{t: t, ctx: t.Context(), clock: at, faults: metatest.NewFaults(store)}
	blobs, err := disk.Open(filepath.Join(t.TempDir(), "blobs"), disk.Options{Logger: quiet})
	w.must(err)
	t.Cleanup(func() { blobs.Close() })
	w.catalogue = registry.New(registry.Config{
		Meta: store, Blobs: blobs, Clock: at.Now, Logger: quiet, BootID: "boot-1",
		LayerGrace: time.Hour, UploadTTL: pushTTL, PushTTL: pushTTL, URLTTL: time.Hour,
	})
	w.Services = containers.New(containers.Config{Meta: w.faults, Repositories: w.catalogue, PushTTL: pushTTL, Limits: limits})
	return w
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

var home = name.RegistryID{Account: "000000000000", Region: "us-east-1"}

func key(service string) containers.Key {
	return containers.Key{Registry: home, Name: name.ServiceName(service)}
}

func (w *world) create(service string) containers.Service {
	w.t.Helper()
	s, err := w.CreateService(w.ctx, key(service), "nano", 1, nil)
	w.must(err)
	return s
}

// push puts an image made from the seed into a registry's hidden repository.
func (w *world) push(r name.RegistryID, seed string) digest.Digest {
	w.t.Helper()
	k := containers.HiddenRepository(r)
	_, err := w.catalogue.EnsureRepository(w.ctx, k)
	w.must(err)
	config, layer := []byte(`{"seed":"`+seed+`"}`), []byte("layer of "+seed)
	return w.put(k, fmt.Appendf(nil, `{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":%q,"size":%d},"layers":[{"mediaType":"application/vnd.oci.image.layer.v1.tar","digest":%q,"size":%d}]}`,
		w.layer(k, config), len(config), w.layer(k, layer), len(layer)))
}

func (w *world) layer(k registry.RepositoryKey, body []byte) digest.Digest {
	w.t.Helper()
	d := digest.Of(digest.SHA256, body)
	id, err := w.catalogue.StartUpload(w.ctx, k, digest.SHA256)
	w.must(err)
	w.must(w.catalogue.FinishUpload(w.ctx, k, id, d, registry.Anywhere, bytes.NewReader(body)))
	return d
}

func (w *world) put(k registry.RepositoryKey, body []byte) digest.Digest {
	w.t.Helper()
	i, err := w.catalogue.PutImage(w.ctx, registry.Put{By: "arn:me", Key: k, Body: body, Repeatable: true})
	w.must(err)
	return i.Digest
}

func (w *world) pushIndex(children ...digest.Digest) digest.Digest {
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
	return w.put(containers.HiddenRepository(home), body)
}

func (w *world) register(service, label string, d digest.Digest) containers.RegisteredImage {
	w.t.Helper()
	i, err := w.RegisterImage(w.ctx, key(service), name.Label(label), string(d))
	w.must(err)
	return i
}

// names lists a service's registered images as the wire names them.
func (w *world) names(service string) []string {
	w.t.Helper()
	images, err := w.RegisteredImages(w.ctx, key(service))
	w.must(err)
	names := []string{}
	for _, i := range images {
		names = append(names, containers.ImageName{Service: name.ServiceName(service), Label: i.Label, Version: i.Version}.String())
	}
	return names
}

// lastReview is when the collector looks at the image for the last time.
func (w *world) lastReview(d digest.Digest) time.Time {
	w.t.Helper()
	i, err := w.catalogue.Image(w.ctx, containers.HiddenRepository(home), registry.Reference{Digest: d})
	w.must(err)
	var due time.Time
	w.must(w.faults.View(w.ctx, func(tx meta.Tx) (err error) {
		due, err = tx.LastReview(meta.ImageSubject, int64(i.ID))
		return err
	}))
	return due
}
