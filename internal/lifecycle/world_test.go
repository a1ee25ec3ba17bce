package lifecycle_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lighterage/lighterage/internal/digest"
	"github.com/lighterage/lighterage/internal/fault"
	"github.com/lighterage/lighterage/internal/lifecycle"
	"github.com/lighterage/lighterage/internal/meta"
	"github.com/lighterage/lighterage/internal/meta/metatest"
	"github.com/lighterage/lighterage/internal/name"
	"github.com/lighterage/lighterage/internal/registry"
	"github.com/lighterage/lighterage/internal/testkit"
)

const day = 24 * time.Hour

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

// journal keeps what it is told, and lets a test act between the steps of a run.
type journal struct {
	before func() // a step; nil: nothing
	broken error
	told   []lifecycle.Execution
}

func (j *journal) Ready() error {
	if j.before != nil {
		j.before()
	}
	return j.broken
}

func (j *journal) Record(e lifecycle.Execution) { j.told = append(j.told, e) }

// expired is the digests that the journal was told of, in order.
func (j *journal) expired() []digest.Digest { return j.toldOf(lifecycle.Expired) }

func (j *journal) toldOf(o lifecycle.Outcome) []digest.Digest {
	var all []digest.Digest
	for _, e := range j.told {
		for _, r := range e.Results {
			if r.Outcome == o {
				all = append(all, r.Image.Digest)
			}
		}
	}
	return all
}

// world is policies over the stores of a whole server, whose own passes are
// left alone.
type world struct {
	*lifecycle.Runner
	t         *testing.T
	ctx       context.Context
	kit       *testkit.Server
	clock     *clock
	faults    *metatest.Faults // between the policies and the store
	journal   *journal
	catalogue *registry.Catalogue
	made      int
}

const grace = time.Hour

func open(t *testing.T, options ...testkit.Option) *world {
	t.Helper()
	t.Parallel()
	w := &world{t: t, ctx: t.Context(), clock: &clock{now: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}, journal: &journal{}}
	w.kit = testkit.Start(t, append([]testkit.Option{testkit.Clock(w.clock.Now), testkit.Setting("layer-grace", grace.String())}, options...)...)
	w.faults = metatest.NewFaults(w.kit.Meta)
	log := slog.New(slog.DiscardHandler)
	w.catalogue = registry.New(registry.Config{
		Meta: w.kit.Meta, Blobs: w.kit.Blobs, Clock: w.clock.Now, Logger: log, BootID: "boot",
		LayerGrace: grace, UploadTTL: day, PushTTL: day, URLTTL: time.Hour,
	})
	t.Cleanup(func() { w.must(w.catalogue.Close(context.WithoutCancel(w.ctx))) })
	w.Runner = lifecycle.New(lifecycle.Config{
		Meta: w.faults, Logger: log, LayerGrace: grace, FlushPulls: w.catalogue.FlushPulls, Journal: w.journal,
	})
	return w
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) wants(err error, reason fault.Reason) {
	w.t.Helper()
	if !fault.Is(err, reason) {
		w.t.Fatalf("got %v, want %v", err, reason)
	}
}

func (w *world) update(fn func(meta.Tx) error) {
	w.t.Helper()
	w.must(w.kit.Meta.Update(w.ctx, fn))
}

// repository makes one.
func (w *world) repository() meta.RepositoryKey {
	w.t.Helper()
	w.made++
	k := meta.RepositoryKey{
		Registry: name.RegistryID{Account: w.kit.Config.Account, Region: w.kit.Config.Region},
		Space:    meta.ECR, Name: name.RepositoryName(fmt.Sprint("app-", w.made)),
	}
	_, err := w.catalogue.CreateRepository(w.ctx, k, registry.Defaults(), nil)
	w.must(err)
	return k
}

// drawn is an image to insert.
type drawn struct {
	content  string // makes the digest
	tags     []string
	age      time.Duration // since the push
	pulled   time.Duration // since the last pull; 0: never
	children []string      // contents that an index lists
	subject  string        // content

	archived time.Duration // since then, unless an index that is not lists it; 0: not
	restored time.Duration // since it was brought back from the archive; 0: never
}

type descriptor struct {
	MediaType string        `json:"mediaType"`
	Digest    digest.Digest `json:"digest"`
	Size      int           `json:"size"`
}

// body is the image's manifest.
func (d drawn) body(all map[string]drawn) []byte {
	point := func(content string) *descriptor {
		body := all[content].body(all)
		return &descriptor{all[content].mediaType(), digest.Of(digest.SHA256, body), len(body)}
	}
	m := struct {
		SchemaVersion int          `json:"schemaVersion"`
		MediaType     string       `json:"mediaType"`
		Config        *descriptor  `json:"config,omitempty"`
		Layers        []descriptor `json:"layers,omitzero"`
		Manifests     []descriptor `json:"manifests,omitzero"`
		Subject       *descriptor  `json:"subject,omitempty"`
		Annotations   any          `json:"annotations"`
	}{SchemaVersion: 2, MediaType: d.mediaType(), Annotations: map[string]string{"content": d.content}}
	if d.children == nil {
		m.Config = &descriptor{"application/vnd.oci.image.config.v1+json", digest.Of(digest.SHA256, []byte(d.content)), len(d.content)}
		m.Layers = []descriptor{}
	}
	for _, c := range d.children {
		m.Manifests = append(m.Manifests, *point(c))
	}
	if d.subject != "" {
		m.Subject = point(d.subject)
	}
	body, err := json.Marshal(m)
	if err != nil {
		panic(err)
	}
	return body
}

func (d drawn) mediaType() string {
	if d.children != nil {
		return "application/vnd.oci.image.index.v1+json"
	}
	return "application/vnd.oci.image.manifest.v1+json"
}

// insert puts images into a repository as if they had been pushed at their
// time, children and subjects first, and returns the digests by content.
func (w *world) insert(k meta.RepositoryKey, images ...drawn) map[string]digest.Digest {
	w.t.Helper()
	all := map[string]drawn{}
	for _, d := range images {
		all[d.content] = d
	}
	var digests map[string]digest.Digest
	w.update(func(tx meta.Tx) error {
		digests = map[string]digest.Digest{}
		ids := map[string]meta.ImageID{}
		r, err := tx.Repository(k, meta.NoLock)
		if err != nil {
			return err
		}
		now, err := tx.Now()
		if err != nil {
			return err
		}
		for _, d := range images {
			body := d.body(all)
			i := meta.Image{
				Repository: r.ID, Digest: digest.Of(digest.SHA256, body), MediaType: d.mediaType(),
				ManifestSize: int64(len(body)), ImageSize: int64(len(d.content)), PushedAt: now.Add(-d.age),
			}
			if d.pulled > 0 {
				i.PulledAt = now.Add(-d.pulled)
			}
			if d.subject != "" {
				i.Subject = digests[d.subject]
			}
			var layers []meta.LayerID
			var children []meta.ImageID
			if d.children == nil {
				b, err := tx.PutBlob(meta.Blob{
					Digest: digest.Of(digest.SHA256, []byte(d.content)), Size: int64(len(d.content)), Location: meta.Inline, State: meta.BlobOK,
				}, []byte(d.content))
				if err != nil {
					return err
				}
				layer, err := tx.PutLayer(r.ID, b.ID, now.Add(-d.age))
				if err != nil {
					return err
				}
				layers = append(layers, layer)
			}
			for _, c := range d.children {
				children = append(children, ids[c])
			}
			id, err := tx.InsertImage(i, body, layers, children)
			if err != nil {
				return fmt.Errorf("insert %s: %w", d.content, err)
			}
			for _, tag := range d.tags {
				if err := tx.PutTag(r.ID, name.Tag(tag), id, "pusher"); err != nil {
					return err
				}
			}
			ids[d.content], digests[d.content] = id, i.Digest
			if d.restored > 0 {
				if err := errors.Join(tx.ArchiveImage(id, now.Add(-d.restored-day)), tx.ActivateImage(id, now.Add(-d.restored))); err != nil {
					return err
				}
			}
		}
		for _, d := range slices.Backward(images) { // an index before what it lists
			if d.archived == 0 {
				continue
			}
			if err := tx.ArchiveImage(ids[d.content], now.Add(-d.archived)); err != nil && !errors.Is(err, meta.ErrReferenced) {
				return err
			}
		}
		return nil
	})
	return digests
}

// has is the repository's digests, sorted.
func (w *world) has(k meta.RepositoryKey) []digest.Digest {
	w.t.Helper()
	return w.of(k, meta.AnyImageStatus)
}

// archived is those of them that are archived.
func (w *world) archived(k meta.RepositoryKey) []digest.Digest {
	w.t.Helper()
	return w.of(k, meta.Archived)
}

func (w *world) of(k meta.RepositoryKey, status meta.ImageStatus) []digest.Digest {
	w.t.Helper()
	var all []digest.Digest
	w.must(w.kit.Meta.View(w.ctx, func(tx meta.Tx) error {
		all = nil
		r, err := tx.Repository(k, meta.NoLock)
		if err != nil {
			return err
		}
		images, err := tx.Images(r.ID, meta.ImageFilter{Status: status}, meta.Page[meta.ImageID]{Limit: 100_000})
		for _, i := range images {
			all = append(all, i.Digest)
		}
		return err
	}))
	slices.Sort(all)
	return all
}

// named is the contents of digests, sorted, for messages that say something.
func named(digests map[string]digest.Digest, some []digest.Digest) string {
	var names []string
	for content, d := range digests {
		if slices.Contains(some, d) {
			names = append(names, content)
		}
	}
	slices.Sort(names)
	return strings.Join(names, " ")
}

// previewed is the results of the repository's preview, read in pages.
func (w *world) previewed(k meta.RepositoryKey) []meta.PreviewResult {
	w.t.Helper()
	v, err := w.Preview(w.ctx, k)
	w.must(err)
	if v.Status != meta.PreviewComplete {
		w.t.Fatalf("the preview is in status %d", v.Status)
	}
	var all []meta.PreviewResult
	for after, more := 0, true; more; {
		var page []meta.PreviewResult
		page, more, err = w.PreviewResults(w.ctx, v, meta.AnyTagStatus, after, 7)
		w.must(err)
		if len(page) == 0 && more {
			w.t.Fatal("an empty page is not the last")
		}
		if all = append(all, page...); more {
			after = page[len(page)-1].Position
		}
	}
	if n := int64(len(all)); v.Expiring+v.Transitioned != n {
		w.t.Errorf("the preview has %d results, and says %d and %d", n, v.Expiring, v.Transitioned)
	}
	return all
}

// rule makes a policy of one rule, long enough to be one.
func rule(selection, action string) string {
	return `{"rules":[{"rulePriority":1,"description":"` + strings.Repeat("x", 60) + `","selection":{` + selection + `},"action":{"type":"` + action + `"}}]}`
}

var (
	afterTenDays = rule(`"tagStatus":"any","countType":"sinceImagePushed","countUnit":"days","countNumber":10`, "expire")
	keepTwo      = rule(`"tagStatus":"any","countType":"imageCountMoreThan","countNumber":2`, "expire")
	unpulled     = rule(`"tagStatus":"any","countType":"sinceImagePulled","countUnit":"days","countNumber":10`, "expire")
)

var errTest = errors.New("the test says so")
