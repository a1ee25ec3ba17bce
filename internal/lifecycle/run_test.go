package lifecycle_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lighterage/lighterage/internal/containers"
	"github.com/lighterage/lighterage/internal/digest"
	"github.com/lighterage/lighterage/internal/fault"
	"github.com/lighterage/lighterage/internal/lifecycle"
	"github.com/lighterage/lighterage/internal/meta"
	"github.com/lighterage/lighterage/internal/meta/metatest"
	"github.com/lighterage/lighterage/internal/name"
	"github.com/lighterage/lighterage/internal/registry"
	"github.com/lighterage/lighterage/internal/testkit"
)

// policies are what the random repositories meet.
var policies = []string{
	afterTenDays, keepTwo, unpulled,
	`{"rules":[
		{"rulePriority":1,"selection":{"tagStatus":"untagged","countType":"sinceImagePushed","countUnit":"days","countNumber":3},"action":{"type":"expire"}},
		{"rulePriority":2,"selection":{"tagStatus":"tagged","tagPrefixList":["v"],"countType":"imageCountMoreThan","countNumber":3},"action":{"type":"expire"}},
		{"rulePriority":9,"selection":{"tagStatus":"any","countType":"imageCountMoreThan","countNumber":6},"action":{"type":"expire"}}]}`,
	`{"rules":[
		{"rulePriority":1,"selection":{"tagStatus":"tagged","tagPatternList":["*prod*"]},"action":{"type":"retain"}},
		{"rulePriority":2,"selection":{"tagStatus":"any","countType":"imageCountMoreThan","countNumber":2},"action":{"type":"retain"}},
		{"rulePriority":3,"selection":{"tagStatus":"any","countType":"sinceImagePulled","countUnit":"days","countNumber":5},"action":{"type":"expire"}}]}`,
	`{"rules":[
		{"rulePriority":1,"selection":{"tagStatus":"tagged","tagPatternList":["v*"],"countType":"sinceImagePulled","countUnit":"days","countNumber":5},"action":{"type":"transition","targetStorageClass":"archive"}},
		{"rulePriority":2,"selection":{"tagStatus":"any","countType":"imageCountMoreThan","countNumber":3},"action":{"type":"expire"}}]}`,
	`{"rules":[
		{"rulePriority":1,"selection":{"tagStatus":"tagged","tagPatternList":["x*"],"countType":"sinceImagePushed","countUnit":"days","countNumber":9},"action":{"type":"expire"}},
		{"rulePriority":2,"selection":{"tagStatus":"any","countType":"imageCountMoreThan","countNumber":1},"action":{"type":"transition","targetStorageClass":"archive"}},
		{"rulePriority":3,"selection":{"tagStatus":"any","storageClass":"archive","countType":"sinceImageTransitioned","countUnit":"days","countNumber":90},"action":{"type":"expire"}}]}`,
}

// draw makes a repository's images: with and without tags, indexes of others,
// signatures of images and of signatures, pulled and not, archived and not.
func draw(random *rand.Rand) []drawn {
	var images []drawn
	some := func() string { return images[random.IntN(len(images))].content }
	for i := range 12 + random.IntN(20) {
		d := drawn{
			content: fmt.Sprint("i", i),
			age:     time.Duration(random.IntN(15))*day + time.Duration(1+random.IntN(22))*time.Hour,
		}
		for _, tag := range []string{"v", "prod-", "x"} {
			if random.IntN(3) == 0 {
				d.tags = append(d.tags, fmt.Sprint(tag, i))
			}
		}
		if random.IntN(3) == 0 {
			d.pulled = time.Duration(1+random.IntN(10)) * 23 * time.Hour
		}
		switch random.IntN(5) {
		case 0:
			d.archived = time.Duration(80+random.IntN(20)) * day
		case 1:
			d.restored = time.Duration(1+random.IntN(10)) * day
		}
		if len(images) > 2 {
			switch random.IntN(4) {
			case 0:
				d.children = []string{some()}
				if other := some(); other != d.children[0] {
					d.children = append(d.children, other)
				}
			case 1:
				d.subject = some()
			}
		}
		images = append(images, d)
	}
	return images
}

// TestARunComesToWhatItsPreviewSaid: what the preview says would expire is
// gone, what it says would be archived is archived, and nothing else; what it kept
// is whole, before and after the collector.
func TestARunComesToWhatItsPreviewSaid(t *testing.T) {
	testRunIsPreview(t, open(t), 24)
}

func TestARunOnPostgreSQLComesToWhatItsPreviewSaid(t *testing.T) {
	w := open(t, testkit.Postgres(metatest.StartPostgres(t).NewDatabase(t)))
	testRunIsPreview(t, w, 7)
}

func testRunIsPreview(t *testing.T, w *world, seeds int) {
	removed, archived := 0, 0
	for seed := range uint64(seeds) {
		k := w.repository()
		all := w.insert(k, draw(rand.New(rand.NewPCG(seed, 1)))...)
		text := policies[int(seed)%len(policies)]
		before, archive := w.has(k), w.archived(k)
		w.must(w.Put(w.ctx, k, text))
		if _, err := w.StartPreview(w.ctx, k, ""); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		var expiring, leaving []digest.Digest
		for _, r := range w.previewed(k) {
			if r.Archived != slices.Contains(archive, r.Digest) {
				t.Errorf("seed %d: the preview says of %s that it is archived: %v", seed, named(all, []digest.Digest{r.Digest}), r.Archived)
			}
			if r.Transition {
				leaving = append(leaving, r.Digest)
			} else {
				expiring = append(expiring, r.Digest)
			}
		}
		slices.Sort(expiring)
		slices.Sort(leaving)
		dry, err := w.DryRun(w.ctx, k, text)
		w.must(err)
		if diff := cmp.Diff(before, w.has(k)); diff != "" {
			t.Fatalf("seed %d: a preview changed the repository: %s", seed, diff)
		}
		w.journal.told = nil
		report, err := w.Run(w.ctx, k)
		w.must(err)
		if report.Images != len(before) || report.Count(lifecycle.Expired) != len(expiring) || report.Count(lifecycle.Archived) != len(leaving) ||
			len(dry.Results) != len(report.Results) {
			t.Errorf("seed %d: of %d images the run expired %d and archived %d of %d, the preview %d and %d, a dry run would %d",
				seed, len(before), report.Count(lifecycle.Expired), report.Count(lifecycle.Archived), len(report.Results), len(expiring), len(leaving), len(dry.Results))
		}
		isArchived := slices.DeleteFunc(slices.Concat(archive, leaving), func(d digest.Digest) bool { return slices.Contains(expiring, d) })
		if diff := cmp.Diff(named(all, isArchived), named(all, w.archived(k))); diff != "" {
			t.Errorf("seed %d: the archive has (-want +got):\n%s", seed, diff)
		}
		want := slices.DeleteFunc(slices.Clone(before), func(d digest.Digest) bool { return slices.Contains(expiring, d) })
		if diff := cmp.Diff(named(all, want), named(all, w.has(k))); diff != "" {
			t.Errorf("seed %d: the repository has (-want +got):\n%s", seed, diff)
		}
		for o, want := range map[lifecycle.Outcome][]digest.Digest{lifecycle.Expired: expiring, lifecycle.Archived: leaving} {
			told := w.journal.toldOf(o)
			slices.Sort(told)
			if diff := cmp.Diff(want, told); diff != "" {
				t.Errorf("seed %d: the journal of what was %v (-want +got):\n%s", seed, o, diff)
			}
		}
		removed += len(expiring)
		archived += len(leaving)
	}
	if removed < seeds || archived < seeds/2 {
		t.Errorf("only %d images expired, %d were archived", removed, archived)
	}
	w.kit.CheckInvariants(t)
	w.clock.Advance(2 * grace)
	w.kit.Pass("collect garbage")
	w.kit.CheckInvariants(t)
}

// TestTheCollectorTakesWhatExpiredAlone: the layers of what expired, and none
// of what others share with it.
func TestTheCollectorTakesWhatExpiredAlone(t *testing.T) {
	w := open(t)
	k, other := w.repository(), w.repository()
	w.insert(k, drawn{content: "old", age: 20 * day}, drawn{content: "shared", age: 20 * day}, drawn{content: "young"})
	w.insert(other, drawn{content: "shared", age: 20 * day})
	w.must(w.Put(w.ctx, k, afterTenDays))
	_, err := w.Run(w.ctx, k)
	w.must(err)
	there := func(k meta.RepositoryKey, content string) bool {
		_, err := w.catalogue.Layer(w.ctx, k, digest.Of(digest.SHA256, []byte(content)))
		if err != nil && !fault.Is(err, fault.LayerNotFound) {
			t.Fatal(err)
		}
		return err == nil
	}
	if !there(k, "old") {
		t.Error("a layer went before its grace")
	}
	w.clock.Advance(grace + time.Minute)
	w.kit.Pass("collect garbage")
	if there(k, "old") || there(k, "shared") || !there(k, "young") || !there(other, "shared") {
		t.Errorf("layers: old %v, shared %v, young %v, shared elsewhere %v", there(k, "old"), there(k, "shared"), there(k, "young"), there(other, "shared"))
	}
	w.kit.CheckInvariants(t)
}

// TestWhatHappensMeanwhileCounts: something happens between the evaluation and
// the deletion.
func TestWhatHappensMeanwhileCounts(t *testing.T) {
	tests := []struct {
		name   string
		policy string
		images []drawn
		act    func(w *world, k meta.RepositoryKey, at map[string]digest.Digest)
		left   string // of the images
		fails  fault.Reason
	}{
		{name: "nothing happens", left: "young"},
		{name: "a tag comes to the image", left: "old young", act: func(w *world, k meta.RepositoryKey, at map[string]digest.Digest) {
			w.tag(k, at["old"], "new")
		}},
		{name: "a tag moves to the image from another", left: "old young", act: func(w *world, k meta.RepositoryKey, at map[string]digest.Digest) {
			w.tag(k, at["old"], "y")
		}},
		{name: "a tag of the image moves away", left: "old young", act: func(w *world, k meta.RepositoryKey, at map[string]digest.Digest) {
			w.tag(k, at["young"], "o")
		}},
		{name: "the image is pulled, and that is written down", left: "old young", act: func(w *world, k meta.RepositoryKey, at map[string]digest.Digest) {
			i, err := w.catalogue.Image(w.ctx, k, registry.Reference{Digest: at["old"]})
			w.must(err)
			w.catalogue.RecordPull(i.ID)
			w.must(w.catalogue.FlushPulls(w.ctx))
		}},
		{name: "the image is deleted", left: "young", act: func(w *world, k meta.RepositoryKey, at map[string]digest.Digest) {
			w.must(w.catalogue.DeleteImage(w.ctx, "me", k, registry.Reference{Digest: at["old"]}))
		}},
		{name: "the image is deleted and pushed again", left: "old young", act: func(w *world, k meta.RepositoryKey, at map[string]digest.Digest) {
			w.must(w.catalogue.DeleteImage(w.ctx, "me", k, registry.Reference{Digest: at["old"]}))
			w.insert(k, drawn{content: "old", tags: []string{"o"}})
		}},
		{name: "the image is archived", left: "old young", act: func(w *world, k meta.RepositoryKey, at map[string]digest.Digest) {
			_, err := w.catalogue.ArchiveImage(w.ctx, k, registry.Asked{Digest: string(at["old"])})
			w.must(err)
		}},
		{name: "the image is archived and brought back", left: "old young", act: func(w *world, k meta.RepositoryKey, at map[string]digest.Digest) {
			_, err := w.catalogue.ArchiveImage(w.ctx, k, registry.Asked{Digest: string(at["old"])})
			w.must(err)
			_, err = w.catalogue.RestoreImage(w.ctx, k, registry.Asked{Digest: string(at["old"])})
			w.must(err)
		}},
		{name: "an index comes that lists the image", left: "old young", act: func(w *world, k meta.RepositoryKey, at map[string]digest.Digest) {
			w.list(k, at["old"])
		}},
		{name: "a signature is attached to the image", left: "old young", act: func(w *world, k meta.RepositoryKey, at map[string]digest.Digest) {
			w.sign(k, at["old"])
		}},
		{name: "the policy is taken back", left: "old young", fails: fault.LifecyclePolicyNotFound, act: func(w *world, k meta.RepositoryKey, _ map[string]digest.Digest) {
			_, err := w.Delete(w.ctx, k)
			w.must(err)
		}},
		{name: "another policy is set", left: "old young", fails: fault.LifecyclePolicyNotFound, act: func(w *world, k meta.RepositoryKey, _ map[string]digest.Digest) {
			w.must(w.Put(w.ctx, k, unpulled))
		}},
		{
			name: "others delete images that a rule counted", policy: keepTwo,
			images: []drawn{{content: "1", age: 4 * day}, {content: "2", age: 3 * day}, {content: "3", age: 2 * day}, {content: "4", age: day}},
			left:   "1 2",
			act: func(w *world, k meta.RepositoryKey, at map[string]digest.Digest) {
				for _, content := range []string{"3", "4"} {
					w.must(w.catalogue.DeleteImage(w.ctx, "me", k, registry.Reference{Digest: at[content]}))
				}
			},
		},
		{
			name: "others archive images that a rule counted", policy: keepTwo,
			images: []drawn{{content: "1", age: 4 * day}, {content: "2", age: 3 * day}, {content: "3", age: 2 * day}, {content: "4", age: day}},
			left:   "1 2 3 4",
			act: func(w *world, k meta.RepositoryKey, at map[string]digest.Digest) {
				for _, content := range []string{"3", "4"} {
					_, err := w.catalogue.ArchiveImage(w.ctx, k, registry.Asked{Digest: string(at[content])})
					w.must(err)
				}
			},
		},
		{
			name: "others push images", policy: keepTwo,
			images: []drawn{{content: "1", age: 4 * day}, {content: "2", age: 3 * day}, {content: "3", age: 2 * day}},
			left:   "2 3",
			act: func(w *world, k meta.RepositoryKey, _ map[string]digest.Digest) {
				w.insert(k, drawn{content: "4"})
			},
		},
		{
			name:   "the subject of a signature is pulled",
			images: []drawn{{content: "old", age: 20 * day}, {content: "signature", age: 20 * day, subject: "old"}, {content: "of it", age: 20 * day, subject: "signature"}, {content: "other", age: 20 * day}},
			left:   "of it old signature",
			act: func(w *world, k meta.RepositoryKey, at map[string]digest.Digest) {
				i, err := w.catalogue.Image(w.ctx, k, registry.Reference{Digest: at["old"]})
				w.must(err)
				w.catalogue.RecordPull(i.ID)
				w.must(w.catalogue.FlushPulls(w.ctx))
			},
		},
	}
	w := open(t)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w.t = t
			k := w.repository()
			images, policy := tt.images, tt.policy
			if images == nil {
				images = []drawn{{content: "old", age: 20 * day, tags: []string{"o"}}, {content: "young", tags: []string{"y"}}}
			}
			if policy == "" {
				policy = afterTenDays
			}
			at := w.insert(k, images...)
			w.must(w.Put(w.ctx, k, policy))
			steps := 0
			w.journal.before = func() {
				if steps++; steps == 2 && tt.act != nil { // 1 is before the claim
					tt.act(w, k, at)
				}
			}
			defer func() { w.journal.before = nil }()
			report, err := w.Run(w.ctx, k)
			if tt.fails != 0 {
				w.wants(err, tt.fails)
			} else {
				w.must(err)
			}
			if steps < 2 {
				t.Fatal("the run had nothing to do")
			}
			if got := named(at, w.has(k)); got != tt.left {
				t.Errorf("left %q, want %q; the report: %+v", got, tt.left, report.Results)
			}
			w.kit.CheckInvariants(t)
		})
	}
}

// tag points a tag to an image.
func (w *world) tag(k meta.RepositoryKey, d digest.Digest, tag name.Tag) {
	w.t.Helper()
	w.inRepository(k, func(tx meta.Tx, r meta.RepositoryID) error {
		i, err := tx.Image(r, meta.Reference{Digest: d})
		if err != nil {
			return err
		}
		return tx.PutTag(r, tag, i.ID, "me")
	})
}

func (w *world) inRepository(k meta.RepositoryKey, fn func(meta.Tx, meta.RepositoryID) error) {
	w.t.Helper()
	w.update(func(tx meta.Tx) error {
		r, err := tx.Repository(k, meta.NoLock)
		if err != nil {
			return err
		}
		return fn(tx, r.ID)
	})
}

func (w *world) put(k meta.RepositoryKey, format string, args ...any) {
	w.t.Helper()
	_, err := w.catalogue.PutImage(w.ctx, registry.Put{By: "me", Key: k, Body: fmt.Appendf(nil, format, args...)})
	w.must(err)
}

// list pushes an index that lists an image.
func (w *world) list(k meta.RepositoryKey, d digest.Digest) {
	w.t.Helper()
	w.put(k, `{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[
		{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"%s","size":2}]}`, d)
}

// sign pushes an index without images that refers to an image.
func (w *world) sign(k meta.RepositoryKey, d digest.Digest) {
	w.t.Helper()
	w.put(k, `{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","artifactType":"signature/x","manifests":[],
		"subject":{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"%s","size":2}}`, d)
}

func TestReferrersGoAfterTheirSubjectInStepsOfTheRun(t *testing.T) {
	w := open(t)
	k := w.repository()
	images := []drawn{{content: "old", age: 20 * day}, {content: "pulled", age: 20 * day}}
	for i := range 25 {
		images = append(images,
			drawn{content: fmt.Sprint("s", i), subject: "old"}, drawn{content: fmt.Sprint("of s", i), subject: fmt.Sprint("s", i)},
			drawn{content: fmt.Sprint("p", i), subject: "pulled"})
	}
	at := w.insert(k, images...)
	w.must(w.Put(w.ctx, k, afterTenDays))
	steps := 0
	w.journal.before = func() {
		if steps++; steps == 2 {
			w.tag(k, at["pulled"], "kept")
		}
	}
	report, err := w.Run(w.ctx, k)
	w.must(err)
	if steps < 7 {
		t.Errorf("%d images went in %d steps", len(report.Results), steps-1)
	}
	if n, left := report.Count(lifecycle.Expired), report.Count(lifecycle.SubjectKept); n != 51 || left != 25 || report.Count(lifecycle.Changed) != 1 || len(w.has(k)) != 26 {
		t.Errorf("%d expired, %d were left with their subject, %d images are there", n, left, len(w.has(k)))
	}
	gone := map[digest.Digest]int{}
	for i, d := range w.journal.expired() {
		gone[d] = i + 1
	}
	for i := range 25 {
		if s, of := gone[at[fmt.Sprint("s", i)]], gone[at[fmt.Sprint("of s", i)]]; gone[at["old"]] > s || s > of || s == 0 {
			t.Errorf("the subject went as number %d, its signature as %d, and that of it as %d", gone[at["old"]], s, of)
		}
	}
	for _, e := range w.journal.told {
		if len(e.Results) > 10 {
			t.Errorf("%d results in one step", len(e.Results))
		}
	}
}

func TestARegisteredImageStays(t *testing.T) {
	w := open(t)
	services := containers.New(containers.Config{Meta: w.kit.Meta, Repositories: w.catalogue, PushTTL: day})
	home := name.RegistryID{Account: w.kit.Config.Account, Region: w.kit.Config.Region}
	service := containers.Key{Registry: home, Name: "web"}
	_, err := services.CreateService(w.ctx, service, "nano", 1, nil)
	w.must(err)
	k := containers.HiddenRepository(home)
	at := w.insert(k, drawn{content: "registered", age: 20 * day}, drawn{content: "not", age: 20 * day})
	_, err = services.RegisterImage(w.ctx, service, "app", string(at["registered"]))
	w.must(err)
	w.must(w.Put(w.ctx, k, afterTenDays)) // which no door does
	report, err := w.Run(w.ctx, k)
	w.must(err)
	if got := named(at, w.has(k)); got != "registered" || report.Count(lifecycle.Kept) != 1 {
		t.Errorf("left %q; %+v", got, report.Results)
	}
	w.kit.CheckInvariants(t)
}

func TestTheHistoryOfTagsSaysWhatRemovedThem(t *testing.T) {
	w := open(t)
	k := w.repository()
	at := w.insert(k, drawn{content: "old", age: 20 * day, tags: []string{"v1"}})
	w.must(w.Put(w.ctx, k, afterTenDays))
	_, err := w.Run(w.ctx, k)
	w.must(err)
	w.inRepository(k, func(tx meta.Tx, r meta.RepositoryID) error {
		h, err := tx.TagHistory(r, "v1", 1)
		if len(h) != 1 || h[0].By != lifecycle.By || h[0].Old != at["old"] || h[0].New != "" {
			t.Errorf("history %+v", h)
		}
		return err
	})
}
