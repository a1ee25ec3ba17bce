package gc_test

import (
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lighterage/lighterage/internal/digest"
	"github.com/lighterage/lighterage/internal/fault"
	"github.com/lighterage/lighterage/internal/gc"
	"github.com/lighterage/lighterage/internal/meta"
	"github.com/lighterage/lighterage/internal/name"
	"github.com/lighterage/lighterage/internal/registry"
)

func TestALayerThatNoImageRefersToGoesAfterItsGrace(t *testing.T) {
	w := open(t)
	k := w.create("app")
	d := w.layer(k, large("a"))
	w.runs(grace-time.Second, gc.Tally{})
	w.readable(k, d)
	w.runs(time.Second, gc.Tally{Layers: 1})
	_, err := w.Layer(w.ctx, k, d)
	if !fault.Is(err, fault.LayerNotFound) {
		t.Errorf("after its grace: %v", err)
	}
	if w.files() != 1 { // a download that was promised may still go on
		t.Errorf("%d files", w.files())
	}
	w.runs(urlTTL, gc.Tally{Locations: 1})
	if w.files() != 0 {
		t.Errorf("%d files", w.files())
	}
	w.runs(pushTTL, gc.Tally{})
}

func TestALayerThatAClientWasToldOfStaysTheGraceLonger(t *testing.T) {
	w := open(t)
	k := w.create("app")
	d := w.layer(k, large("a"))
	w.run(grace - time.Minute)
	_, err := w.Layer(w.ctx, k, d) // HEAD: the client will not push it again
	w.must(err)
	w.runs(grace-time.Minute, gc.Tally{})
	w.readable(k, d)
	w.runs(time.Minute, gc.Tally{Layers: 1})
}

func TestALayerOfAnImageStaysUntilTheImageIsDeleted(t *testing.T) {
	w := open(t)
	k := w.create("app")
	d := w.image(k, "a", "v1")
	w.run(100 * pushTTL)
	w.whole(k, d)
	w.delete(k, d)
	w.runs(grace-time.Second, gc.Tally{})
	w.runs(time.Second, gc.Tally{Layers: 2})
	w.runs(urlTTL, gc.Tally{Locations: 1}) // the config was inline
}

func TestAnImagePutAgainWithinTheGraceKeepsItsLayers(t *testing.T) {
	w := open(t)
	k := w.create("app")
	d := w.image(k, "a")
	i, err := w.Image(w.ctx, k, registry.Reference{Digest: d})
	w.must(err)
	body, err := w.Manifest(w.ctx, k, i)
	w.must(err)
	w.delete(k, d)
	w.run(grace - time.Second)
	w.put(k, body)
	w.runs(100*grace, gc.Tally{})
	w.whole(k, d)
}

func TestBytesThatTwoRepositoriesShareStayForTheOther(t *testing.T) {
	w := open(t)
	a, b := w.create("a"), w.create("b")
	d := w.image(a, "x")
	if w.image(b, "x") != d || w.files() != 2 {
		t.Fatalf("%d files before the first run", w.files())
	}
	w.run(2 * urlTTL)
	if w.files() != 1 {
		t.Errorf("%d files: the second upload's bytes are not needed", w.files())
	}
	w.delete(a, d)
	w.runs(grace, gc.Tally{Layers: 2})
	w.runs(10*urlTTL, gc.Tally{})
	w.whole(b, d)
	w.delete(b, d)
	w.runs(grace, gc.Tally{Layers: 2})
	w.runs(urlTTL, gc.Tally{Locations: 1})
	if w.files() != 0 {
		t.Errorf("%d files", w.files())
	}
}

func TestAPushToLightsailExpiresUnlessItIsRegistered(t *testing.T) {
	w := open(t)
	service := w.service()
	lost, kept := w.image(hidden, "lost", "100-a"), w.image(hidden, "kept", "100-b")
	_, err := w.services.RegisterImage(w.ctx, service, "app", string(kept))
	w.must(err)
	w.runs(pushTTL-time.Second, gc.Tally{})
	w.whole(hidden, lost)
	w.runs(time.Second, gc.Tally{Images: 1})
	if w.has(hidden, lost) {
		t.Error("the push that nobody registered is there")
	}
	w.runs(grace, gc.Tally{Layers: 2})
	w.runs(urlTTL, gc.Tally{Locations: 1})
	w.runs(100*pushTTL, gc.Tally{})
	w.whole(hidden, kept)

	w.must(w.services.DeleteRegisteredImage(w.ctx, service, ":web.app.1"))
	w.runs(pushTTL-time.Second, gc.Tally{})
	w.whole(hidden, kept)
	w.runs(time.Second, gc.Tally{Images: 1})
	w.runs(grace+urlTTL, gc.Tally{Layers: 2})
	w.runs(urlTTL, gc.Tally{Locations: 1})
	if w.files() != 0 {
		t.Errorf("%d files", w.files())
	}
}

func TestAnImageStaysForEachOfItsRegistrations(t *testing.T) {
	w := open(t)
	service := w.service()
	d := w.image(hidden, "a")
	for range 2 {
		_, err := w.services.RegisterImage(w.ctx, service, "app", string(d))
		w.must(err)
	}
	w.must(w.services.DeleteRegisteredImage(w.ctx, service, ":web.app.1"))
	w.runs(100*pushTTL, gc.Tally{})
	w.whole(hidden, d)
	w.must(w.services.DeleteService(w.ctx, service))
	w.runs(pushTTL, gc.Tally{Images: 1})
}

func TestTheChildrenOfARegisteredIndexStay(t *testing.T) {
	w := open(t)
	service := w.service()
	a, b, c := w.image(hidden, "a"), w.image(hidden, "b"), w.image(hidden, "c")
	inner := w.index(hidden, a)
	outer := w.index(hidden, inner, b)
	lone := w.index(hidden, c)
	_, err := w.services.RegisterImage(w.ctx, service, "app", string(outer))
	w.must(err)
	w.runs(pushTTL, gc.Tally{Images: 1}) // lone; its child's turn comes later
	w.whole(hidden, outer)
	w.runs(grace, gc.Tally{Images: 1})
	if w.has(hidden, c) || w.has(hidden, lone) {
		t.Error("the index that nobody registered left something")
	}
	w.runs(grace, gc.Tally{Layers: 2})
	w.run(100 * pushTTL)
	w.whole(hidden, outer)

	w.must(w.services.DeleteService(w.ctx, service))
	w.runs(pushTTL, gc.Tally{Images: 1}) // outer
	w.runs(grace, gc.Tally{Images: 2})   // inner, b
	w.runs(grace, gc.Tally{Images: 1, Layers: 2})
	w.runs(grace, gc.Tally{Layers: 2, Locations: 0})
	w.run(urlTTL)
	if w.files() != 0 {
		t.Errorf("%d files", w.files())
	}
}

func TestAChildRegisteredItselfSurvivesItsIndex(t *testing.T) {
	w := open(t)
	service := w.service()
	child := w.image(hidden, "a")
	w.index(hidden, child)
	_, err := w.services.RegisterImage(w.ctx, service, "app", string(child))
	w.must(err)
	w.runs(pushTTL, gc.Tally{Images: 1})
	w.runs(100*pushTTL, gc.Tally{})
	w.whole(hidden, child)
}

func TestAPushAgainCountsFromTheLastTime(t *testing.T) {
	for _, c := range []struct {
		name string
		tags []name.Tag
	}{{"by digest", nil}, {"with a new tag", []name.Tag{"100-a"}}} {
		t.Run(c.name, func(t *testing.T) {
			w := open(t)
			w.service()
			d := w.image(hidden, "a")
			i, err := w.Image(w.ctx, hidden, registry.Reference{Digest: d})
			w.must(err)
			body, err := w.Manifest(w.ctx, hidden, i)
			w.must(err)
			w.run(pushTTL - time.Hour)
			w.put(hidden, body, c.tags...)
			w.runs(pushTTL-time.Second, gc.Tally{})
			w.whole(hidden, d)
			w.runs(time.Second, gc.Tally{Images: 1})
		})
	}
}

func TestADeletedRepositoryIsPurged(t *testing.T) {
	w := open(t)
	k, other := w.create("app"), w.create("other")
	shared := w.image(other, "shared")
	w.image(k, "shared", "v1")
	w.index(k, w.image(k, "a", "v2"), w.image(k, "b"))
	w.layer(k, large("alone"))
	_, err := w.DeleteRepository(w.ctx, k, true)
	w.must(err)
	again := w.create("app")
	fresh := w.image(again, "a", "v2")
	if got := w.run(0); got.Repositories != 1 {
		t.Errorf("collected %+v", got)
	}
	w.run(10 * pushTTL)
	w.run(10 * pushTTL)
	w.whole(other, shared)
	w.whole(again, fresh)
	if w.files() != 2 {
		t.Errorf("%d files for two layers", w.files())
	}
}

func TestARepositoryOfManyImagesIsPurgedInPages(t *testing.T) {
	w := open(t)
	k := w.create("app")
	var all sync.WaitGroup
	for i := range 250 {
		body := `{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[],"annotations":{"n":"` + strings.Repeat("x", i) + `"}}`
		all.Go(func() {
			if _, err := w.PutImage(w.ctx, registry.Put{Key: k, Body: []byte(body)}); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	_, err := w.DeleteRepository(w.ctx, k, true)
	w.must(err)
	w.runs(0, gc.Tally{Repositories: 1})
	w.runs(pushTTL, gc.Tally{})
}

// A review that asks about an image in a repository of its owner's own can
// only be a mistake.
func TestAnImageInARepositoryIsNeverCollected(t *testing.T) {
	w := open(t)
	k := w.create("app")
	d := w.image(k, "a")
	i, err := w.Image(w.ctx, k, registry.Reference{Digest: d})
	w.must(err)
	w.update(func(tx meta.Tx) error { return tx.EnqueueReview(meta.ImageSubject, int64(i.ID), w.clock.Now()) })
	w.runs(pushTTL, gc.Tally{})
	w.whole(k, d)
}

func TestAReviewOfALaterProgramWaitsAndHoldsUpNobody(t *testing.T) {
	w := open(t)
	k := w.create("app")
	w.layer(k, large("a"))
	w.update(func(tx meta.Tx) error { return tx.EnqueueReview(200, 7, w.clock.Now()) })
	w.runs(grace, gc.Tally{Layers: 1})
	steps, err := w.gc.PlanReviews(w.ctx)
	w.must(err)
	if len(steps) != 0 {
		t.Errorf("due now: %v", steps)
	}
	w.clock.Advance(pushTTL)
	steps, err = w.gc.PlanReviews(w.ctx)
	w.must(err)
	if len(steps) != 1 || steps[0].Verb != gc.Postpone {
		t.Errorf("due later: %v", steps)
	}
}

// A repository that got its name back cannot be purged; the reviews behind
// its own are worked off, and it does not come up at once again.
func TestAFailingReviewHoldsUpNobody(t *testing.T) {
	w := open(t)
	k := w.create("app")
	w.layer(k, large("a"))
	r, err := w.Repository(w.ctx, k)
	w.must(err)
	w.update(func(tx meta.Tx) error {
		return tx.EnqueueReview(meta.RepositorySubject, int64(r.ID), w.clock.Now())
	})
	w.clock.Advance(grace)
	tally, err := w.gc.Run(w.ctx)
	if !errors.Is(err, meta.ErrReferenced) {
		t.Errorf("run: %v", err)
	}
	if tally.Layers != 1 {
		t.Errorf("collected %+v", tally)
	}
	w.runs(time.Minute, gc.Tally{})
	if _, err := w.Repository(w.ctx, k); err != nil {
		t.Error(err)
	}
}

func TestAPlanSaysWhatARunDoesAndChangesNothing(t *testing.T) {
	w := open(t)
	service := w.service()
	k := w.create("app")
	image := w.image(k, "a")
	lone := w.layer(k, large("lone"))
	push, kept := w.index(hidden, w.image(hidden, "b")), w.image(hidden, "c")
	_, err := w.services.RegisterImage(w.ctx, service, "app", string(kept))
	w.must(err)
	old := w.create("old")
	_, err = w.DeleteRepository(w.ctx, old, false)
	w.must(err)
	w.clock.Advance(pushTTL)
	read := func() []string {
		steps, err := w.gc.PlanReviews(w.ctx)
		w.must(err)
		var lines []string
		for _, s := range steps {
			lines = append(lines, s.String())
		}
		slices.Sort(lines)
		return lines
	}
	lines := read()
	if diff := cmp.Diff(lines, read()); diff != "" {
		t.Errorf("the second plan differs:\n%s", diff)
	}
	plan := strings.Join(lines, "\n")
	for _, want := range []string{
		"remove layer " + string(lone) + ": no image refers to it",
		"remove image " + string(push) + ": it was not registered in time",
		"keep image " + string(kept) + ": it is kept by a container service",
		"is kept by the index " + string(push),
		"purge repository old of 000000000000 in us-east-1: it was deleted",
		"keep layer " + string(digest.Of(digest.SHA256, large("a"))) + ": it is kept by an image, whose end will ask again",
	} {
		if !strings.Contains(plan, want) {
			t.Errorf("the plan does not say %q:\n%s", want, plan)
		}
	}
	w.runs(0, gc.Tally{Layers: 1, Images: 1, Repositories: 1})
	if got := read(); len(got) != 0 {
		t.Errorf("left after a run: %v", got)
	}
	w.whole(k, image)
}

func TestDecide(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	layer, image, repository := meta.LayerSubject, meta.ImageSubject, meta.RepositorySubject
	for _, c := range []struct {
		name    string
		subject meta.Subject
		facts   gc.Facts
		want    string
	}{
		{"a layer that is gone", layer, gc.Facts{Gone: true}, "keep x: it is gone already"},
		{"a layer that an image keeps", layer, gc.Facts{Kept: "an image"}, "keep x: it is kept by an image"},
		{"a layer in its grace", layer, gc.Facts{TouchedAt: now.Add(-time.Hour + 1), Grace: time.Hour}, "keep x until 2026-01-02T03:04:05Z: a client was told that it exists"},
		{"a layer past its grace", layer, gc.Facts{TouchedAt: now.Add(-time.Hour), Grace: time.Hour}, "remove x: no image refers to it"},
		{"an image that is gone", image, gc.Facts{Gone: true, Space: meta.Lightsail}, "keep x: it is gone already"},
		{"an image that is kept", image, gc.Facts{Kept: "the index y", Space: meta.Lightsail}, "keep x: it is kept by the index y"},
		{"an image of ECR", image, gc.Facts{Space: meta.ECR}, "keep x: it is not a push to Lightsail"},
		{"an image of no known space", image, gc.Facts{}, "keep x: it is not a push to Lightsail"},
		{"an image pushed again", image, gc.Facts{Space: meta.Lightsail, Last: now.Add(1)}, "keep x: it was pushed again, and a later review decides"},
		{"an image whose last time has come", image, gc.Facts{Space: meta.Lightsail, Last: now}, "remove x: it was not registered in time"},
		{"a repository that is gone", repository, gc.Facts{Gone: true}, "keep x: it is gone already"},
		{"a repository", repository, gc.Facts{}, "purge x: it was deleted"},
		{"something else", 99, gc.Facts{Unknown: true}, "keep x until 2026-01-02T04:04:05Z: a later program asked for it"},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.facts.Object = "x"
			if got := gc.Decide(meta.Review{Subject: c.subject}, c.facts, now).String(); got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
}
