package lifecycle_test

import (
	"fmt"
	"sync"
	"testing"

	"github.com/lighterage/lighterage/internal/digest"
	"github.com/lighterage/lighterage/internal/fault"
	"github.com/lighterage/lighterage/internal/meta/metatest"
	"github.com/lighterage/lighterage/internal/name"
	"github.com/lighterage/lighterage/internal/registry"
	"github.com/lighterage/lighterage/internal/testkit"
)

var untagged = rule(`"tagStatus":"untagged","countType":"sinceImagePushed","countUnit":"days","countNumber":10`, "expire")

// TestWhatIsPushedWhileAPolicyRunsStays: old images without tags are pushed
// again with one, and listed by indexes, while a run removes them. Whoever was
// told that it is done finds it done.
func TestWhatIsPushedWhileAPolicyRunsStays(t *testing.T) {
	testPushesWhileRunning(t, open(t), 6)
}

func TestWhatIsPushedOnPostgreSQLWhileAPolicyRunsStays(t *testing.T) {
	testPushesWhileRunning(t, open(t, testkit.Postgres(metatest.StartPostgres(t).NewDatabase(t))), 3)
}

func testPushesWhileRunning(t *testing.T, w *world, rounds int) {
	const images = 30
	for round := range rounds {
		k := w.repository()
		var all []drawn
		bodies := map[string]drawn{}
		for i := range images {
			d := drawn{content: fmt.Sprint(round, " ", i), age: 20 * day}
			all, bodies[d.content] = append(all, d), d
		}
		at := w.insert(k, all...)
		w.must(w.Put(w.ctx, k, untagged))
		errs := make([]error, images)
		var group sync.WaitGroup
		for i, d := range all {
			group.Go(func() {
				put := registry.Put{By: "me", Key: k, Body: d.body(bodies), Tags: []name.Tag{tagOf(i)}}
				if i%2 == 1 {
					put.Body, put.Tags = indexOf(at[d.content], i), []name.Tag{tagOf(i)}
				}
				_, errs[i] = w.catalogue.PutImage(w.ctx, put)
			})
		}
		group.Go(func() {
			if _, err := w.Run(w.ctx, k); err != nil && !fault.Is(err, fault.Overloaded) {
				t.Errorf("round %d: the run: %v", round, err)
			}
		})
		group.Wait()
		told := 0
		for i, d := range all {
			i, want := i, at[d.content]
			if i%2 == 1 {
				want = digest.Of(digest.SHA256, indexOf(at[d.content], i))
			}
			switch {
			case errs[i] == nil:
				told++
				if found, err := w.catalogue.Image(w.ctx, k, registry.Reference{Tag: tagOf(i)}); err != nil || found.Digest != want {
					t.Errorf("round %d: push %d was acknowledged: %v, %v", round, i, found.Digest, err)
				}
			case i%2 == 1 && fault.Is(errs[i], fault.ChildrenNotFound):
			default:
				t.Errorf("round %d: push %d: %v", round, i, errs[i])
			}
		}
		if told == 0 {
			t.Errorf("round %d: no push was acknowledged", round)
		}
	}
	w.kit.CheckInvariants(t)
	w.clock.Advance(2 * grace)
	w.kit.Pass("collect garbage")
	w.kit.CheckInvariants(t)
}

func tagOf(i int) name.Tag { return name.Tag(fmt.Sprint("v", i)) }

// indexOf is an index that lists an image.
func indexOf(d digest.Digest, i int) []byte {
	return fmt.Appendf(nil, `{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[
		{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"%s","size":2}],"annotations":{"i":"%d"}}`, d, i)
}

// TestRunsOfManyAtOnceDoEachThingOnce: as replicas and people do.
func TestRunsOfManyAtOnceDoEachThingOnce(t *testing.T) {
	w := open(t)
	k := w.repository()
	var images []drawn
	for i := range 40 {
		images = append(images, drawn{content: fmt.Sprint(i), age: 20 * day})
	}
	w.insert(k, images...)
	w.must(w.Put(w.ctx, k, keepTwo))
	var group sync.WaitGroup
	runners := 4
	reports := make([]int, runners)
	for i := range runners {
		group.Go(func() {
			r := *w.Runner
			r.Journal = &journal{}
			report, err := r.Run(w.ctx, k)
			if err != nil && !fault.Is(err, fault.Overloaded) {
				t.Errorf("runner %d: %v", i, err)
			}
			for _, result := range report.Results {
				if result.Outcome.String() == "expired" {
					reports[i]++
				}
			}
		})
	}
	group.Wait()
	total := 0
	for _, n := range reports {
		total += n
	}
	if left := len(w.has(k)); left != 2 || total != 38 {
		t.Errorf("%d images are left, %v expired", left, reports)
	}
	w.kit.CheckInvariants(t)
}
