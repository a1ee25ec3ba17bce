package lifecycle_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lighterage/lighterage/internal/digest"
	"github.com/lighterage/lighterage/internal/fault"
	"github.com/lighterage/lighterage/internal/lifecycle"
	"github.com/lighterage/lighterage/internal/meta"
	"github.com/lighterage/lighterage/internal/meta/metatest"
)

// status is that of a repository's preview.
func (w *world) status(k meta.RepositoryKey) meta.PreviewStatus {
	w.t.Helper()
	v, err := w.Preview(w.ctx, k)
	w.must(err)
	return v.Status
}

func TestAPreviewIsOfOnePolicyAtOneMoment(t *testing.T) {
	w := open(t)
	k := w.repository()
	at := w.insert(k, drawn{content: "a", age: 20 * day, tags: []string{"v1", "v0"}}, drawn{content: "b", age: 15 * day}, drawn{content: "c"})
	_, err := w.Preview(w.ctx, k)
	w.wants(err, fault.LifecyclePreviewNotFound)
	_, err = w.StartPreview(w.ctx, k, "")
	w.wants(err, fault.LifecyclePolicyNotFound)
	_, err = w.Preview(w.ctx, k)
	w.wants(err, fault.LifecyclePreviewNotFound)
	text, err := w.StartPreview(w.ctx, k, afterTenDays)
	w.must(err)
	if text != afterTenDays {
		t.Errorf("the text %q", text)
	}
	now := w.clock.Now()
	want := []meta.PreviewResult{
		{Position: 1, Digest: at["a"], Tags: []string{"v0", "v1"}, PushedAt: now.Add(-20 * day), Priority: 1},
		{Position: 2, Digest: at["b"], PushedAt: now.Add(-15 * day), Priority: 1},
	}
	if diff := cmp.Diff(want, w.previewed(k)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	// What happens afterwards does not change it; another preview does.
	w.must(w.Put(w.ctx, k, keepTwo))
	_, err = w.Run(w.ctx, k)
	w.must(err)
	if diff := cmp.Diff(want, w.previewed(k)); diff != "" {
		t.Errorf("after a run (-want +got):\n%s", diff)
	}
	if text, err = w.StartPreview(w.ctx, k, ""); err != nil || text != keepTwo {
		t.Errorf("the stored policy: %q, %v", text, err)
	}
	if got := w.previewed(k); len(got) != 0 {
		t.Errorf("after the run there is still %v to do", got)
	}
}

func TestResultsOfNamedImages(t *testing.T) {
	w := open(t)
	k := w.repository()
	at := w.insert(k,
		drawn{content: "a", age: 20 * day, tags: []string{"v1", "v2"}}, drawn{content: "b", age: 15 * day}, drawn{content: "young", tags: []string{"v3"}})
	_, err := w.StartPreview(w.ctx, k, afterTenDays)
	w.must(err)
	w.tag(k, at["a"], "later")
	w.tag(k, at["young"], "v2")
	v, err := w.Preview(w.ctx, k)
	w.must(err)
	for _, tt := range []struct {
		name  string
		asked []lifecycle.Asked
		want  []string
	}{
		{"by digest", []lifecycle.Asked{{Digest: at["b"]}}, []string{"b"}},
		{"by tag", []lifecycle.Asked{{Tag: "v1"}}, []string{"a"}},
		{"by both", []lifecycle.Asked{{Tag: "v1", Digest: at["a"]}}, []string{"a"}},
		{"by a tag of another image", []lifecycle.Asked{{Tag: "v1", Digest: at["b"]}}, nil},
		{"in the order asked, each once", []lifecycle.Asked{{Digest: at["b"]}, {Tag: "v1"}, {Digest: at["b"]}, {Digest: at["a"]}}, []string{"b", "a"}},
		{"one that stays", []lifecycle.Asked{{Tag: "v3"}, {Digest: at["young"]}}, nil},
		{"by a tag that came since", []lifecycle.Asked{{Tag: "later"}}, nil},
		{"by a tag that has moved since", []lifecycle.Asked{{Tag: "v2"}}, nil},
		{"by what is not there", []lifecycle.Asked{{Tag: "no"}, {Digest: digest.Of(digest.SHA256, nil)}}, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := w.PreviewResultsOf(w.ctx, v, tt.asked)
			w.must(err)
			var want, have []digest.Digest
			for _, content := range tt.want {
				want = append(want, at[content])
			}
			for _, r := range got {
				have = append(have, r.Digest)
			}
			if diff := cmp.Diff(want, have); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestAPreviewExpires(t *testing.T) {
	w := open(t)
	k := w.repository()
	w.insert(k, drawn{content: "a", age: 20 * day})
	_, err := w.StartPreview(w.ctx, k, afterTenDays)
	w.must(err)
	w.clock.Advance(day)
	if n := len(w.previewed(k)); n != 1 {
		t.Errorf("%d results after a day", n)
	}
	rows := func() (n int) {
		w.inRepository(k, func(tx meta.Tx, r meta.RepositoryID) error {
			rows, err := tx.PreviewResults(r, meta.AnyTagStatus, meta.Page[int]{Limit: 10})
			n = len(rows)
			return err
		})
		return n
	}
	w.clock.Advance(time.Second)
	for _, want := range []int{1, 0} {
		v, err := w.Preview(w.ctx, k)
		w.must(err)
		results, _, err := w.PreviewResults(w.ctx, v, meta.AnyTagStatus, 0, 10)
		w.must(err)
		if v.Status != meta.PreviewExpired || v.Text != afterTenDays || len(results) != 0 || rows() != want {
			t.Errorf("status %d with %d results, %d of them stored, want %d", v.Status, len(results), rows(), want)
		}
		w.must(w.RunDue(w.ctx))
	}
	_, err = w.StartPreview(w.ctx, k, afterTenDays)
	w.must(err)
	if n := len(w.previewed(k)); n != 1 {
		t.Errorf("%d results of a new preview", n)
	}
}

// begun leaves a preview that nobody goes on with.
func (w *world) begun(k meta.RepositoryKey) {
	w.inRepository(k, func(tx meta.Tx, r meta.RepositoryID) error {
		now, err := tx.Now()
		if err != nil {
			return err
		}
		return tx.PutLifecyclePreview(meta.LifecyclePreview{Repository: r, Attempt: 7, Text: keepTwo, Status: meta.PreviewRunning, StartedAt: now})
	})
}

func TestTwoPreviewsAtOnce(t *testing.T) {
	w := open(t)
	k := w.repository()
	w.begun(k)
	_, err := w.StartPreview(w.ctx, k, afterTenDays)
	w.wants(err, fault.LifecyclePreviewRunning)
	if got := w.status(k); got != meta.PreviewRunning {
		t.Errorf("status %d", got)
	}
	w.clock.Advance(10*time.Minute + time.Second)
	if got := w.status(k); got != meta.PreviewFailed {
		t.Errorf("one that nobody finishes has status %d", got)
	}
	_, err = w.StartPreview(w.ctx, k, afterTenDays)
	w.must(err)
	if v, err := w.Preview(w.ctx, k); err != nil || v.Status != meta.PreviewComplete || v.Attempt != 8 {
		t.Errorf("the next one is %+v, %v", v, err)
	}
}

// TestAPreviewThatWasOvertakenLeavesTheOtherAlone: it took so long that it was
// taken for dead.
func TestAPreviewThatWasOvertakenLeavesTheOtherAlone(t *testing.T) {
	w := open(t)
	k := w.repository()
	w.insert(k, drawn{content: "a", age: 20 * day}, drawn{content: "b"}, drawn{content: "c"})
	slow := lifecycle.New(lifecycle.Config{Meta: w.kit.Meta, Logger: w.Logger, LayerGrace: grace, Journal: &journal{},
		FlushPulls: func(ctx context.Context) error { // before the evaluation
			w.clock.Advance(11 * time.Minute)
			_, err := w.StartPreview(ctx, k, keepTwo)
			return err
		}})
	text, err := slow.StartPreview(w.ctx, k, afterTenDays)
	w.must(err)
	v, err := w.Preview(w.ctx, k)
	w.must(err)
	if text != afterTenDays || v.Text != keepTwo || v.Status != meta.PreviewComplete || len(w.previewed(k)) != 1 {
		t.Errorf("%s was overtaken by %+v with %d results", text, v, len(w.previewed(k)))
	}
}

func TestPreviewsWithFaults(t *testing.T) {
	w := open(t)
	for n := 1; n <= 4; n++ { // begin, drop, add, end
		for _, mode := range []metatest.Mode{metatest.NotApplied, metatest.Applied} {
			t.Run(fmt.Sprintf("commit %d in mode %d", n, mode), func(t *testing.T) {
				w.t = t
				k := w.repository()
				w.insert(k, drawn{content: "a", age: 20 * day}, drawn{content: "b"})
				before := len(w.has(k))
				w.faults.FailUpdate(n, mode)
				_, err := w.StartPreview(w.ctx, k, afterTenDays)
				w.wants(err, fault.StoreUnavailable)
				w.faults.Heal()
				_, err = w.StartPreview(w.ctx, k, afterTenDays)
				if begun := n == 1 && mode == metatest.Applied; begun {
					w.wants(err, fault.LifecyclePreviewRunning)
					w.clock.Advance(11 * time.Minute)
					_, err = w.StartPreview(w.ctx, k, afterTenDays)
				}
				w.must(err)
				if got := len(w.previewed(k)); got != 1 || len(w.has(k)) != before {
					t.Errorf("%d results", got)
				}
			})
		}
	}
}

func TestALongPreviewIsStoredInPages(t *testing.T) {
	w := open(t)
	k := w.repository()
	var images []drawn
	for i := range 2500 {
		images = append(images, drawn{content: fmt.Sprint(i), age: 20 * day})
	}
	w.insert(k, images...)
	for range 2 { // the second drops the first
		before := w.faults.Updates()
		_, err := w.StartPreview(w.ctx, k, afterTenDays)
		w.must(err)
		if n := w.faults.Updates() - before; n < 6 {
			t.Errorf("%d commits", n)
		}
		v, err := w.Preview(w.ctx, k)
		w.must(err)
		results, more, err := w.PreviewResults(w.ctx, v, meta.AnyTagStatus, 2490, 9)
		w.must(err)
		if v.Expiring != 2500 || len(results) != 9 || !more || results[8].Position != 2499 {
			t.Errorf("%d results, a page of %d, more %v", v.Expiring, len(results), more)
		}
	}
}

func TestAPolicyIsCheckedBeforeAnythingElse(t *testing.T) {
	w := open(t)
	strict := lifecycle.New(lifecycle.Config{Meta: w.kit.Meta, Logger: w.Logger, LayerGrace: grace, FlushPulls: w.FlushPulls, Journal: w.journal, Strict: true})
	k, nowhere := w.repository(), w.repository()
	nowhere.Name = "nowhere"
	invalid := func(err error) {
		t.Helper()
		f := fault.Of(err)
		if err == nil || f.Reason != fault.ParameterInvalid || f.Member != "LifecyclePolicyText" || len(f.Constraint) <= len("Lifecycle policy validation failure: ") {
			t.Errorf("got %v", err)
		}
	}
	for _, text := range []string{"no JSON", rule(`"tagStatus":"none"`, "expire")} {
		_, err := w.StartPreview(w.ctx, nowhere, text)
		invalid(err)
		invalid(w.Put(w.ctx, nowhere, text))
		_, err = w.DryRun(w.ctx, nowhere, text)
		invalid(err)
	}
	// What is ours is refused where ECR's word counts, and runs if it is stored.
	invalid(strict.Put(w.ctx, k, unpulled))
	_, err := strict.StartPreview(w.ctx, k, unpulled)
	invalid(err)
	w.must(w.Put(w.ctx, k, unpulled))
	_, err = strict.StartPreview(w.ctx, k, "")
	w.must(err)
	_, err = strict.Run(w.ctx, k)
	w.must(err)
	for _, err := range []error{
		w.Put(w.ctx, nowhere, keepTwo),
		only(w.Get(w.ctx, nowhere)), only(w.Delete(w.ctx, nowhere)), only(w.Run(w.ctx, nowhere)), only(w.DryRun(w.ctx, nowhere, keepTwo)),
		only(w.DryRun(w.ctx, nowhere, "")), only(w.StartPreview(w.ctx, nowhere, keepTwo)), only(w.Preview(w.ctx, nowhere)),
	} {
		w.wants(err, fault.RepositoryNotFound)
	}
	w.must(only(w.Delete(w.ctx, k)))
	for _, err := range []error{only(w.Get(w.ctx, k)), only(w.Delete(w.ctx, k)), only(w.Run(w.ctx, k)), only(w.DryRun(w.ctx, k, ""))} {
		w.wants(err, fault.LifecyclePolicyNotFound)
	}
}

func only[T any](_ T, err error) error { return err }

func TestPoliciesAreListed(t *testing.T) {
	w := open(t)
	var want []meta.RepositoryKey
	for range 5 {
		k := w.repository()
		w.must(w.Put(w.ctx, k, keepTwo))
		want = append(want, k)
	}
	var got []meta.RepositoryKey
	for after, more := meta.RepositoryID(0), true; more; {
		page, next, err := w.List(w.ctx, after, 2)
		w.must(err)
		for _, l := range page {
			got, after = append(got, l.Key), l.Repository
		}
		more = next
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
