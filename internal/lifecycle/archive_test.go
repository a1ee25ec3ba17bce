package lifecycle_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lighterage/lighterage/internal/digest"
	"github.com/lighterage/lighterage/internal/lifecycle"
	"github.com/lighterage/lighterage/internal/meta"
	"github.com/lighterage/lighterage/internal/meta/metatest"
	"github.com/lighterage/lighterage/internal/registry"
)

const archiveThenExpire = `{"rules":[
	{"rulePriority":1,"selection":{"tagStatus":"any","countType":"sinceImagePulled","countUnit":"days","countNumber":10},"action":{"type":"transition","targetStorageClass":"archive"}},
	{"rulePriority":2,"selection":{"tagStatus":"any","storageClass":"archive","countType":"sinceImageTransitioned","countUnit":"days","countNumber":90},"action":{"type":"expire"}}]}`

// TestImagesGoThroughTheArchive: an index before what it lists, a signature with
// its subject, and all of it away in the end but what came back.
func TestImagesGoThroughTheArchive(t *testing.T) {
	w := open(t)
	k := w.repository()
	at := w.insert(k,
		drawn{content: "amd64", age: 20 * day}, drawn{content: "arm64", age: 20 * day},
		drawn{content: "index", age: 20 * day, tags: []string{"v1"}, children: []string{"amd64", "arm64"}},
		drawn{content: "signature", age: 20 * day, subject: "index"}, drawn{content: "of amd64", age: 20 * day, subject: "amd64"},
		drawn{content: "plain", age: 20 * day, tags: []string{"p"}}, drawn{content: "signature of plain", age: 1 * day, subject: "plain"},
		drawn{content: "pulled", age: 20 * day, pulled: day})
	w.must(w.Put(w.ctx, k, archiveThenExpire))
	run := func(images, archived, did string) {
		t.Helper()
		report, err := w.Run(w.ctx, k)
		w.must(err)
		var acted []digest.Digest
		for _, r := range report.Results {
			if r.Outcome == lifecycle.Archived || r.Outcome == lifecycle.Expired {
				acted = append(acted, r.Image.Digest)
			}
		}
		for _, c := range []struct {
			what, want string
			got        []digest.Digest
		}{{"there are", images, w.has(k)}, {"archived are", archived, w.archived(k)}, {"acted on were", did, acted}} {
			if diff := cmp.Diff(c.want, named(at, c.got)); diff != "" {
				t.Errorf("%s (-want +got):\n%s", c.what, diff)
			}
		}
		w.kit.CheckInvariants(t)
	}
	all := "amd64 arm64 index of amd64 plain pulled signature signature of plain"
	run(all, "index plain signature signature of plain", "index plain signature signature of plain")
	run(all, "amd64 arm64 index of amd64 plain signature signature of plain", "amd64 arm64 of amd64")
	run(all, "amd64 arm64 index of amd64 plain signature signature of plain", "")
	_, err := w.catalogue.RestoreImage(w.ctx, k, registry.Asked{Tag: "p"})
	w.must(err)
	w.clock.Advance(9 * day)
	run(all, "amd64 arm64 index of amd64 signature", "")
	w.clock.Advance(2 * day)
	run(all, "amd64 arm64 index of amd64 plain pulled signature signature of plain", "plain pulled signature of plain")
	w.clock.Advance(80 * day)
	run("amd64 arm64 of amd64 plain pulled signature of plain", "amd64 arm64 of amd64 plain pulled signature of plain", "index signature")
	run("plain pulled signature of plain", "plain pulled signature of plain", "amd64 arm64 of amd64")
	w.clock.Advance(2 * grace)
	w.kit.Pass("collect garbage")
	w.kit.CheckInvariants(t)
}

func TestARunThatArchivesEndsAtAnyCommit(t *testing.T) {
	w := open(t)
	for n := 0; n <= 4; n++ { // claim, two steps, the end
		for _, mode := range []metatest.Mode{metatest.NotApplied, metatest.Applied} {
			t.Run(fmt.Sprint("commit ", n, " mode ", mode), func(t *testing.T) {
				w.t = t
				k := w.repository()
				images := []drawn{{content: "subject", age: 20 * day}}
				for i := range 14 {
					images = append(images, drawn{content: fmt.Sprint("s", i), age: 20 * day, subject: "subject"})
				}
				at := w.insert(k, images...)
				w.must(w.Put(w.ctx, k, archiveThenExpire))
				w.journal.told = nil
				if n > 0 {
					w.faults.FailUpdate(n, mode)
				}
				_, failed := w.Run(w.ctx, k)
				w.faults.Heal()
				if (failed != nil) != (n > 0) {
					t.Errorf("the run ends with %v", failed)
				}
				_, err := w.Run(w.ctx, k)
				w.must(err)
				want := w.has(k)
				if diff := cmp.Diff(named(at, want), named(at, w.archived(k))); diff != "" {
					t.Errorf("archived (-want +got):\n%s", diff)
				}
				told := w.journal.toldOf(lifecycle.Archived)
				slices.Sort(told)
				if len(told) != len(want) || len(slices.Compact(told)) != len(told) {
					t.Errorf("the journal was told of %d images, there are %d", len(told), len(want))
				}
				w.kit.CheckInvariants(t)
			})
		}
	}
}

func TestWhatAnIndexListsIsNotArchivedBeforeIt(t *testing.T) {
	w := open(t)
	k := w.repository()
	at := w.insert(k, drawn{content: "old", age: 20 * day})
	w.must(w.Put(w.ctx, k, archiveThenExpire))
	steps := 0
	w.journal.before = func() {
		if steps++; steps == 2 { // 1 is before the claim
			w.list(k, at["old"])
		}
	}
	report, err := w.Run(w.ctx, k)
	w.must(err)
	if report.Count(lifecycle.Kept) != 1 || len(w.archived(k)) != 0 {
		t.Errorf("archived %q; %+v", named(at, w.archived(k)), report.Results)
	}
	w.inRepository(k, func(tx meta.Tx, r meta.RepositoryID) error {
		n, err := tx.CountArchived(r)
		if n != 0 {
			t.Errorf("%d are archived", n)
		}
		return err
	})
}
