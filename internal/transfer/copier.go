package transfer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"regexp"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sync/semaphore"

	"github.com/lighterage/lighterage/internal/digest"
	"github.com/lighterage/lighterage/internal/manifest"
)

// Options say how to copy.
type Options struct {
	Jobs      int                   // images, and blobs, on their way at a time; at least 1
	Referrers bool                  // and what refers to the images
	Verify    bool                  // ask both sides for each tag in the end
	DryRun    bool                  // change nothing
	Keep      func(tag string) bool // which tags; nil for all, and for images without one
	Report    func(Result)          // called once for each image, one at a time
}

// Copier copies repositories of one source. Make it with New.
type Copier struct {
	source  Source
	target  Target
	options Options

	slots, blobs *semaphore.Weighted
	once         sync.Map // of step, to *outcome
	report       sync.Mutex
	unreachable  atomic.Int64 // images in a row for want of a connection

	listed, copied, present, failed, tags, referrers, sent, bytes, skipped atomic.Int64
}

// New returns a copier.
func New(s Source, t Target, o Options) *Copier {
	o.Jobs = max(o.Jobs, 1)
	return &Copier{
		source: s, target: t, options: o,
		slots: semaphore.NewWeighted(int64(o.Jobs)), blobs: semaphore.NewWeighted(int64(o.Jobs)),
	}
}

// Totals may be asked for at any time.
func (c *Copier) Totals() Totals {
	return Totals{
		Listed: c.listed.Load(), Copied: c.copied.Load(), Present: c.present.Load(), Failed: c.failed.Load(), Tags: c.tags.Load(),
		Referrers: c.referrers.Load(), Blobs: c.sent.Load(), Bytes: c.bytes.Load(), Skipped: c.skipped.Load(),
	}
}

// errUnreachable ends a copy whose places do not answer any more.
var errUnreachable = errors.New("one of the two sides cannot be reached; run it again to go on")

// tooMany is how many images in a row may find nobody to talk to.
const tooMany = 10

// List lists what the source has of a repository. That it cannot is reported,
// and told by ok; an error ends the whole copy.
func (c *Copier) List(ctx context.Context, repository string) (images []Image, ok bool, err error) {
	images, err = c.source.Images(ctx, repository)
	if err != nil {
		c.finish(Result{Repository: repository, State: Failed, Error: fmt.Sprintf("list the images: %v", err)}, err)
		return nil, false, c.ended(ctx)
	}
	return images, true, nil
}

// Images copies images of a repository to another name. It returns an error only
// for what ends the whole copy; the rest is reported. Of several calls at the
// same time, each has its own order.
func (c *Copier) Images(ctx context.Context, from, to string, images []Image) error {
	images = c.wanted(images)
	c.listed.Add(int64(len(images)))
	var g sync.WaitGroup
	before := make(chan struct{})
	close(before)
	for _, i := range images {
		if c.slots.Acquire(ctx, 1) != nil || c.unreachable.Load() >= tooMany {
			break
		}
		turn, done := before, make(chan struct{})
		before = done
		g.Go(func() {
			defer c.slots.Release(1)
			defer close(done)
			t := &task{Copier: c, from: from, to: to, turn: turn}
			r, err := t.image(ctx, i)
			c.finish(r, err)
		})
	}
	g.Wait()
	return c.ended(ctx)
}

func (c *Copier) ended(ctx context.Context) error {
	if c.unreachable.Load() >= tooMany {
		return errUnreachable
	}
	return ctx.Err()
}

// wanted leaves out what was not asked for.
func (c *Copier) wanted(images []Image) []Image {
	if c.options.Keep == nil {
		return images
	}
	var out []Image
	for _, i := range images {
		kept := Image{Digest: i.Digest}
		for _, t := range i.Tags {
			if c.options.Keep(t) {
				kept.Tags = append(kept.Tags, t)
			}
		}
		if len(kept.Tags) > 0 {
			out = append(out, kept)
		}
	}
	return out
}

func (c *Copier) finish(r Result, err error) {
	if _, ok := errors.AsType[*net.OpError](err); ok {
		c.unreachable.Add(1)
	} else {
		c.unreachable.Store(0)
	}
	switch r.State {
	case Copied:
		c.copied.Add(1)
	case Present:
		c.present.Add(1)
	case Failed:
		c.failed.Add(1)
	}
	if r.State != Failed {
		c.tags.Add(int64(len(r.Tags)))
	}
	c.report.Lock()
	defer c.report.Unlock()
	if c.options.Report != nil {
		c.options.Report(r)
	}
}

// task is one image on its way.
type task struct {
	*Copier
	from, to string
	turn     <-chan struct{} // closed when the image before is done
}

// fallback is the form of a tag under which registries without the referrers API
// keep the list of what refers to a digest (OCI distribution, "Referrers Tag
// Schema"). Where there is the API such a list is made of the images themselves.
var fallback = regexp.MustCompile(`^(sha256-[0-9a-f]{64}|sha512-[0-9a-f]{128})$`)

func (t *task) image(ctx context.Context, i Image) (Result, error) {
	r := Result{Repository: t.from, Tags: i.Tags, Digest: i.Digest, State: Present}
	err := t.copy(ctx, i, &r)
	if err == nil && t.options.Verify && !t.options.DryRun {
		err = t.verify(ctx, r)
	}
	if err != nil {
		r.State, r.Error = Failed, err.Error()
	}
	return r, err
}

func (t *task) copy(ctx context.Context, i Image, r *Result) error {
	if r.Digest == "" {
		var err error
		if r.Digest, err = t.source.Resolve(ctx, t.from, i.Tags[0]); err != nil {
			return fmt.Errorf("ask the source: %w", err)
		}
	}
	missing, err := t.missing(ctx, r.Digest, i.Tags)
	if err != nil {
		return fmt.Errorf("ask the target: %w", err)
	}
	if len(missing) == 0 && !t.options.Referrers {
		return nil
	}
	doc, m, err := t.manifest(ctx, r.Digest)
	if err != nil {
		return err
	}
	if m.Kind == manifest.Index && len(i.Tags) == 1 && fallback.MatchString(i.Tags[0]) {
		return t.list(ctx, m, r)
	}
	if len(missing) > 0 {
		if err := t.deliver(ctx, doc, m, missing); err != nil {
			return err
		}
		r.State = Copied
	}
	if t.options.Referrers {
		return t.referring(ctx, append([]digest.Digest{r.Digest}, m.RequiredChildren()...))
	}
	return nil
}

// missing returns the tags that do not point to the digest; "" stands for none
// at all. The target has nothing to do if there is no missing one.
func (t *task) missing(ctx context.Context, d digest.Digest, tags []string) ([]string, error) {
	if len(tags) == 0 {
		has, err := t.target.Has(ctx, t.to, d)
		if err != nil || has {
			return nil, err
		}
		return []string{""}, nil
	}
	var missing []string
	for _, tag := range tags {
		is, err := t.target.Resolve(ctx, t.to, tag)
		if err != nil && !errors.Is(err, ErrNotFound) {
			return nil, err
		}
		if is != d {
			missing = append(missing, tag)
		}
	}
	return missing, nil
}

func (t *task) manifest(ctx context.Context, d digest.Digest) (Document, *manifest.Manifest, error) {
	doc, err := t.source.Manifest(ctx, t.from, d)
	if err != nil {
		return doc, nil, fmt.Errorf("read the manifest %s: %w", d, err)
	}
	m, err := manifest.Parse(doc.Body, doc.MediaType)
	if err != nil {
		return doc, nil, fmt.Errorf("the manifest %s: %w", d, err)
	}
	doc.MediaType = m.MediaType
	return doc, m, nil
}

// list copies what a list of referrers names.
func (t *task) list(ctx context.Context, m *manifest.Manifest, r *Result) error {
	r.Tags = nil
	for _, d := range m.RequiredChildren() {
		sent, err := t.ensure(ctx, d, false)
		if err != nil {
			return err
		}
		if sent {
			t.referrers.Add(1)
			r.State = Copied
		}
	}
	return nil
}

// deliver copies what an image needs, waits for its turn, and stores it.
func (t *task) deliver(ctx context.Context, doc Document, m *manifest.Manifest, tags []string) error {
	has, err := t.target.Has(ctx, t.to, doc.Digest)
	if err != nil {
		return fmt.Errorf("ask the target: %w", err)
	}
	if !has {
		if err := t.content(ctx, m); err != nil {
			return err
		}
	}
	select {
	case <-t.turn:
	case <-ctx.Done():
		return ctx.Err()
	}
	for _, tag := range tags {
		if t.options.DryRun {
			continue
		}
		if err := t.target.PutManifest(ctx, t.to, tag, doc, false); err != nil {
			return fmt.Errorf("store the image: %w", err)
		}
	}
	return nil
}

// content copies the layers and children of a manifest.
func (t *task) content(ctx context.Context, m *manifest.Manifest) error {
	for _, d := range m.RequiredChildren() {
		if _, err := t.ensure(ctx, d, true); err != nil {
			return err
		}
	}
	described := map[digest.Digest]manifest.Descriptor{m.Config.Digest: m.Config}
	for _, l := range m.Layers {
		described[l.Digest] = l
	}
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(t.options.Jobs)
	for _, d := range m.RequiredLayers() {
		g.Go(func() error { return t.blob(ctx, described[d]) })
	}
	return g.Wait()
}

// step is what is done once for all images that need it.
type step struct {
	to   string
	d    digest.Digest
	blob bool
}

type outcome struct {
	sync.Mutex
	done bool
}

// do calls fn unless it has succeeded for the step; others that want the step
// wait. It reports whether this call did it.
func (c *Copier) do(s step, fn func() error) (bool, error) {
	v, _ := c.once.LoadOrStore(s, &outcome{})
	o := v.(*outcome)
	o.Lock()
	defer o.Unlock()
	if o.done {
		return false, nil
	}
	if err := fn(); err != nil {
		return false, err
	}
	o.done = true
	return true, nil
}

// ensure sees that an image is there, under no tag, and reports whether it came
// just now.
func (t *task) ensure(ctx context.Context, d digest.Digest, child bool) (sent bool, err error) {
	_, err = t.do(step{t.to, d, false}, func() error {
		has, err := t.target.Has(ctx, t.to, d)
		if err != nil {
			return fmt.Errorf("ask the target: %w", err)
		}
		if has {
			return nil
		}
		doc, m, err := t.manifest(ctx, d)
		if err != nil {
			return err
		}
		if err := t.content(ctx, m); err != nil {
			return err
		}
		sent = true
		if t.options.DryRun {
			return nil
		}
		if err := t.target.PutManifest(ctx, t.to, "", doc, child); err != nil {
			return fmt.Errorf("store %s: %w", d, err)
		}
		return nil
	})
	return sent, err
}

// tries is how often a layer is sent before it counts as failed.
const tries = 3

func (t *task) blob(ctx context.Context, d manifest.Descriptor) error {
	_, err := t.do(step{t.to, d.Digest, true}, func() error {
		if err := t.blobs.Acquire(ctx, 1); err != nil {
			return err
		}
		defer t.blobs.Release(1)
		has, err := t.target.HasBlob(ctx, t.to, d)
		if err != nil {
			return fmt.Errorf("ask the target: %w", err)
		}
		if has {
			t.skipped.Add(1)
			return nil
		}
		if t.options.DryRun {
			t.sent.Add(1)
			t.bytes.Add(d.Size)
			return nil
		}
		return t.send(ctx, d)
	})
	return err
}

func (t *task) send(ctx context.Context, d manifest.Descriptor) error {
	var err error
	for n := range tries {
		if n > 0 {
			if err := wait(ctx, time.Duration(n)*time.Second); err != nil {
				return err
			}
		}
		r := &checked{open: func() (io.ReadCloser, error) { return t.source.Blob(ctx, t.from, d) }, want: d, count: &t.bytes}
		err = t.target.PutBlob(ctx, t.to, d, r)
		r.close()
		if r.failed != nil { // what the source did says more than what came of it
			err = r.failed
		}
		if err == nil && r.body == nil {
			t.skipped.Add(1) // the target found it elsewhere
			return nil
		}
		if err == nil {
			t.sent.Add(1)
			return nil
		}
		t.bytes.Add(-r.read)
		if errors.Is(err, errMismatch) || errors.Is(err, errPermanent) || errors.Is(err, ErrNotFound) || ctx.Err() != nil {
			break
		}
	}
	return fmt.Errorf("the layer %s: %w", d.Digest, err)
}

func wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// referring copies what refers to the images, and what refers to that.
func (t *task) referring(ctx context.Context, subjects []digest.Digest) error {
	seen := map[digest.Digest]bool{}
	for len(subjects) > 0 {
		d := subjects[0]
		subjects = subjects[1:]
		if seen[d] {
			continue
		}
		seen[d] = true
		found, err := t.source.Referrers(ctx, t.from, d)
		if err != nil && !errors.Is(err, ErrNotFound) {
			return fmt.Errorf("list what refers to %s: %w", d, err)
		}
		for _, r := range found {
			sent, err := t.ensure(ctx, r, false)
			if err != nil {
				return fmt.Errorf("what refers to %s: %w", d, err)
			}
			if sent {
				t.referrers.Add(1)
			}
		}
		subjects = append(subjects, found...)
	}
	return nil
}

// verify asks both sides what the tags are.
func (t *task) verify(ctx context.Context, r Result) error {
	for _, tag := range r.Tags {
		from, err := t.source.Resolve(ctx, t.from, tag)
		if err != nil {
			return fmt.Errorf("verify with the source: %w", err)
		}
		to, err := t.target.Resolve(ctx, t.to, tag)
		if err != nil {
			return fmt.Errorf("verify with the target: %w", err)
		}
		if from != to {
			return fmt.Errorf("the tag %s is %s at the source and %s at the target", tag, from, to)
		}
	}
	return nil
}
