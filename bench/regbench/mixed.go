package main

import (
	"context"
	"fmt"
	"math/rand/v2"
)

// W16: what a repository sees in a year, in some seconds. Each client has
// images of its own and knows what must be there, so that every answer is
// checked; the repository is shared.

const (
	mixedClients = 12
	mixedImages  = 32 // of each client
)

// shares are of 100 operations.
var shares = []struct {
	percent int
	run     func(*tenant, context.Context, *rand.Rand) error
}{
	{50, (*tenant).head},
	{25, (*tenant).pull},
	{12, (*tenant).push},
	{5, (*tenant).deleteTag},
	{6, (*tenant).deleteManifest},
	{2, (*tenant).list},
}

type presence int

const (
	absent   presence = iota
	untagged          // the manifest is there, its tag is not
	tagged
)

// tenant is a client with its images; one goroutine uses it.
type tenant struct {
	reg    *registry
	repo   string
	number int
	images []*image
	is     []presence
}

func (t *tenant) tag(i int) string { return fmt.Sprintf("c%02d-%02d", t.number, i) }

func mixedLoad(ctx context.Context, b *bench) *result {
	workers := b.clients(mixedClients)
	tenants := make([]*tenant, workers)
	for n := range tenants {
		t := &tenant{b.reg, b.repo + "/mixed", n, make([]*image, mixedImages), make([]presence, mixedImages)}
		for i := range t.images {
			t.images[i] = makeImage(2, 16<<10, b.seed, uint64(b.round), 160, uint64(n*mixedImages+i))
		}
		tenants[n] = t
	}
	setup := b.meter()
	setup.count(workers, workers, func(n int) error { return tenants[n].begin(ctx) })
	if setup.errors > 0 {
		return setup.done(workers, "while filling")
	}
	m := b.meter()
	m.each(workers, b.duration, func(worker int, r *rand.Rand) error { return tenants[worker].step(ctx, r) })
	return m.done(workers, "50 HEAD, 25 pulls, 12 pushes, 5 tag and 6 manifest deletes, 2 lists of 100")
}

// begin pushes half of the images.
func (t *tenant) begin(ctx context.Context) error {
	for i := range len(t.images) / 2 {
		if err := t.put(ctx, i); err != nil {
			return err
		}
	}
	return nil
}

func (t *tenant) step(ctx context.Context, r *rand.Rand) error {
	n := r.IntN(100)
	for _, s := range shares {
		if n < s.percent {
			return s.run(t, ctx, r)
		}
		n -= s.percent
	}
	panic("the shares are less than 100")
}

// find returns an image at random for which want holds; false when none does.
func (t *tenant) find(r *rand.Rand, want func(presence) bool) (int, bool) {
	from := r.IntN(len(t.is))
	for k := range t.is {
		if i := (from + k) % len(t.is); want(t.is[i]) {
			return i, true
		}
	}
	return 0, false
}

func isTagged(p presence) bool  { return p == tagged }
func isThere(p presence) bool   { return p != absent }
func isMissing(p presence) bool { return p != tagged }

func (t *tenant) put(ctx context.Context, i int) error {
	if err := t.reg.pushImage(ctx, t.repo, t.tag(i), t.images[i]); err != nil {
		return err
	}
	t.is[i] = tagged
	return nil
}

// push pushes an image whose tag is not there, or else asks for one that is.
func (t *tenant) push(ctx context.Context, r *rand.Rand) error {
	i, ok := t.find(r, isMissing)
	if !ok {
		return t.head(ctx, r)
	}
	return t.put(ctx, i)
}

// head asks for any image's tag and, when that was deleted alone, its digest.
func (t *tenant) head(ctx context.Context, r *rand.Rand) error {
	i := r.IntN(len(t.images))
	ref, want := t.tag(i), ""
	switch t.is[i] {
	case tagged:
		want = t.images[i].digest
	case untagged:
		ref, want = t.images[i].digest, t.images[i].digest
	case absent:
	}
	got, err := t.reg.headManifest(ctx, t.repo, ref)
	if err == nil && got != want {
		err = fmt.Errorf("HEAD of %s: %q, want %q", ref, got, want)
	}
	return err
}

func (t *tenant) pull(ctx context.Context, r *rand.Rand) error {
	i, ok := t.find(r, isTagged)
	if !ok {
		return t.push(ctx, r)
	}
	return t.reg.pullImage(ctx, t.repo, t.tag(i), false)
}

func (t *tenant) deleteTag(ctx context.Context, r *rand.Rand) error {
	i, ok := t.find(r, isTagged)
	if !ok {
		return t.push(ctx, r)
	}
	if err := t.reg.deleteManifest(ctx, t.repo, t.tag(i)); err != nil {
		return err
	}
	t.is[i] = untagged
	return nil
}

func (t *tenant) deleteManifest(ctx context.Context, r *rand.Rand) error {
	i, ok := t.find(r, isThere)
	if !ok {
		return t.push(ctx, r)
	}
	if err := t.reg.deleteManifest(ctx, t.repo, t.images[i].digest); err != nil {
		return err
	}
	t.is[i] = absent
	return nil
}

// list reads a page from one of the client's tags on.
func (t *tenant) list(ctx context.Context, r *rand.Rand) error {
	after := t.tag(r.IntN(len(t.images)))
	_, _, err := t.reg.namesPage(ctx, fmt.Sprintf("/v2/%s/tags/list?n=100&last=%s", t.repo, after))
	return err
}
