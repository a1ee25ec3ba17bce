package metatest

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lighterage/lighterage/internal/meta"
	"github.com/lighterage/lighterage/internal/name"
)

func testLifecyclePolicy(f *fixture) {
	get := func(id meta.RepositoryID) func(meta.Tx) (meta.LifecyclePolicy, error) {
		return func(t meta.Tx) (meta.LifecyclePolicy, error) { return t.LifecyclePolicy(id, meta.LockShared) }
	}
	policy := func(id meta.RepositoryID, text string) meta.LifecyclePolicy {
		return meta.LifecyclePolicy{Repository: id, Text: text, SetAt: day, DueAt: nextDay}
	}
	put := func(p meta.LifecyclePolicy) func(meta.Tx) error {
		return func(t meta.Tx) error { return t.PutLifecyclePolicy(p) }
	}
	f.on("a repository has at most one policy, which goes with its name", func(f *fixture) {
		id, other := f.repository(key("with")), f.repository(key("without"))
		missing(f, get(id))
		f.refused(meta.ErrNotFound, func(t meta.Tx) error { return t.DeleteLifecyclePolicy(id) })
		p := policy(id, `{"rules":"ü"}`)
		f.update(put(p))
		found(f, p, get(id))
		p.Text, p.EvaluatedAt, p.DueAt = "{}", nextDay, nextDay.Add(time.Hour)
		f.update(put(p))
		found(f, p, get(id))
		missing(f, get(other))
		f.update(func(t meta.Tx) error { return t.DeleteLifecyclePolicy(id) })
		missing(f, get(id))
		f.update(put(p))
		f.update(func(t meta.Tx) error { return t.UnlinkRepository(id) })
		missing(f, get(id))
		f.refused(meta.ErrNotFound, put(p))
		f.update(func(t meta.Tx) error {
			done, err := t.PurgeRepository(id, 10, nextDay)
			if err == nil && !done {
				err = fmt.Errorf("not done")
			}
			return err
		})
		missing(f, get(f.repository(key("with"))))
		f.refused(meta.ErrNotFound, put(policy(1<<40, "{}")))
	})
	f.on("no policy outlives a repository that goes at the same time", func(f *fixture) {
		for i := range 10 {
			id := f.repository(key(fmt.Sprint("race", i)))
			errs := f.together(2, func(i int, t meta.Tx) error {
				if i == 0 {
					return t.UnlinkRepository(id)
				}
				return t.PutLifecyclePolicy(policy(id, "{}"))
			})
			if errs[0] != nil || errs[1] != nil && !errors.Is(errs[1], meta.ErrNotFound) {
				f.Errorf("unlink: %v; put: %v", errs[0], errs[1])
			}
			missing(f, get(id))
		}
	})
	f.on("policies are listed by repository, and those that are due by their time", func(f *fixture) {
		var ids []meta.RepositoryID
		for i := range 7 {
			id := f.repository(key(fmt.Sprint("due", i)))
			p := policy(id, "{}")
			p.DueAt = day.Add(time.Duration(7-i/2) * time.Minute)
			f.update(put(p))
			ids = append(ids, id)
		}
		f.repository(key("no policy"))
		for _, size := range []int{1, 3, 100} {
			f.view(func(t meta.Tx) error {
				list, err := pages(size, t.LifecyclePolicies, func(p meta.LifecyclePolicy) meta.RepositoryID { return p.Repository })
				for _, p := range list {
					if p.Text != "" || !p.SetAt.Equal(day) {
						return fmt.Errorf("listed %+v", p)
					}
				}
				got := each(list, func(p meta.LifecyclePolicy) meta.RepositoryID { return p.Repository })
				if diff := cmp.Diff(ids, got); diff != "" {
					f.Errorf("pages of %d: %s", size, diff)
				}
				return err
			})
		}
		for _, c := range []struct {
			by    time.Time
			limit int
			want  []meta.RepositoryID
		}{
			{day, 10, nil},
			{day.Add(4 * time.Minute), 10, ids[6:]},
			{day.Add(5 * time.Minute), 10, []meta.RepositoryID{ids[6], ids[4], ids[5]}},
			{nextDay, 2, []meta.RepositoryID{ids[6], ids[4]}},
		} {
			found(f, c.want, func(t meta.Tx) ([]meta.RepositoryID, error) { return t.DueLifecyclePolicies(c.by, c.limit) })
		}
	})
	f.on("a policy under a lock is not taken away meanwhile", func(f *fixture) {
		for i := range 10 {
			id := f.repository(key(fmt.Sprint("locked", i)))
			image := f.image(id, fmt.Sprint("locked image ", i), nil)
			f.update(put(policy(id, "{}")))
			errs := f.together(2, func(i int, t meta.Tx) error {
				if i == 0 { // whoever takes the policy away sees what was done under it
					if err := t.DeleteLifecyclePolicy(id); err != nil {
						return err
					}
					_, err := t.ImageOf(image)
					return err
				}
				if _, err := t.LifecyclePolicy(id, meta.LockShared); err != nil {
					return err
				}
				return t.DeleteImage(image, "x", nextDay)
			})
			switch took, acted := errs[0], errs[1]; {
			case took == nil && errors.Is(acted, meta.ErrNotFound):
			case errors.Is(took, meta.ErrNotFound) && acted == nil:
			default:
				f.Errorf("round %d: took the policy away: %v, acted by it: %v", i, took, acted)
			}
		}
	})
}

func testLifecycleImages(f *fixture) {
	id, other := f.repository(key("lifecycle")), f.repository(key("lifecycle-other"))
	var want []meta.LifecycleImage
	add := func(body string, children []meta.ImageID, tags ...name.Tag) meta.ImageID {
		f.image(other, body, nil, tags...) // between the ids of the repository
		i := f.index(id, body, nil, children, tags...)
		want = append(want, meta.LifecycleImage{ID: i, Digest: sha(body), Tags: tags, PushedAt: day})
		return i
	}
	add("plain", nil)
	child := add("child", nil, "b", "a")
	add("tagged", nil, "ü")
	add("index", []meta.ImageID{child})
	slices.Sort(want[1].Tags)
	want[1].Listed, want[1].ListedByActive = true, true
	f.update(func(t meta.Tx) error {
		i := manifest(id, "signature")
		i.Subject = sha("plain")
		ref, err := t.InsertImage(i, []byte("signature"), nil, nil)
		want = append(want, meta.LifecycleImage{ID: ref, Digest: i.Digest, Subject: i.Subject, PushedAt: day})
		return errors.Join(err, t.RecordPulls(map[meta.ImageID]time.Time{child: nextDay}))
	})
	want[1].PulledAt = nextDay
	second := add("second child", nil)
	want[5].Listed = true
	f.update(archive(add("archived index", []meta.ImageID{second})))
	want[6].Archived, want[6].ArchivedAt = true, day
	f.update(archive(add("brought back", nil)))
	f.update(activate(want[7].ID))
	want[7].ArchivedAt, want[7].ActivatedAt = day, nextDay
	for _, size := range []int{1, 2, 100} {
		f.view(func(t meta.Tx) error {
			got, err := pages(size, func(p meta.Page[meta.ImageID]) ([]meta.LifecycleImage, error) { return t.LifecycleImages(id, p) },
				func(i meta.LifecycleImage) meta.ImageID { return i.ID })
			if diff := cmp.Diff(want, got); diff != "" {
				f.Errorf("pages of %d: %s", size, diff)
			}
			return err
		})
	}
}

func testLifecyclePreview(f *fixture) {
	get := func(id meta.RepositoryID) func(meta.Tx) (meta.LifecyclePreview, error) {
		return func(t meta.Tx) (meta.LifecyclePreview, error) { return t.LifecyclePreview(id, meta.LockExclusive) }
	}
	put := func(p meta.LifecyclePreview) func(meta.Tx) error {
		return func(t meta.Tx) error { return t.PutLifecyclePreview(p) }
	}
	result := func(position int, tags ...string) meta.PreviewResult {
		return meta.PreviewResult{Position: position, Digest: sha(fmt.Sprint("result ", position)), Tags: tags, PushedAt: day, Priority: 10 + position}
	}
	f.on("a repository has its last preview", func(f *fixture) {
		id := f.repository(key("previewed"))
		missing(f, get(id))
		p := meta.LifecyclePreview{Repository: id, Attempt: 1, Text: "ü", Status: meta.PreviewRunning, StartedAt: day}
		f.update(put(p))
		found(f, p, get(id))
		p = meta.LifecyclePreview{Repository: id, Attempt: 2, Text: "{}", Status: meta.PreviewComplete, StartedAt: nextDay, Expiring: 3, Transitioned: 4}
		f.update(put(p))
		found(f, p, get(id))
		f.refused(meta.ErrNotFound, put(meta.LifecyclePreview{Repository: 1 << 40, Status: meta.PreviewRunning}))
	})
	f.on("results are listed by position and found by digest", func(f *fixture) {
		id, other := f.repository(key("results")), f.repository(key("results-other"))
		for _, r := range []meta.RepositoryID{id, other} {
			f.refused(meta.ErrNotFound, func(t meta.Tx) error { return t.AddPreviewResults(r, []meta.PreviewResult{result(1)}) })
			f.update(put(meta.LifecyclePreview{Repository: r, Attempt: 1, Status: meta.PreviewRunning, StartedAt: day}))
		}
		all := []meta.PreviewResult{result(1), result(2, "a", "ü"), result(3), result(4, "b"), result(5)}
		all[3].Transition, all[4].Archived = true, true
		f.update(func(t meta.Tx) error {
			return errors.Join(t.AddPreviewResults(id, all[:2]), t.AddPreviewResults(id, all[2:]), t.AddPreviewResults(other, all[:1]))
		})
		for status, want := range map[meta.TagStatus][]meta.PreviewResult{
			meta.AnyTagStatus: all,
			meta.Tagged:       {all[1], all[3]},
			meta.Untagged:     {all[0], all[2], all[4]},
		} {
			for _, size := range []int{1, 2, 100} {
				f.view(func(t meta.Tx) error {
					got, err := pages(size, func(p meta.Page[int]) ([]meta.PreviewResult, error) { return t.PreviewResults(id, status, p) },
						func(r meta.PreviewResult) int { return r.Position })
					if diff := cmp.Diff(want, got); diff != "" {
						f.Errorf("status %d, pages of %d: %s", status, size, diff)
					}
					return err
				})
			}
		}
		found(f, all[1], func(t meta.Tx) (meta.PreviewResult, error) { return t.PreviewResult(id, all[1].Digest) })
		missing(f, func(t meta.Tx) (meta.PreviewResult, error) { return t.PreviewResult(other, all[1].Digest) })
		again := result(6)
		again.Digest = all[0].Digest
		for _, r := range []meta.PreviewResult{result(5), again} {
			f.refused(meta.ErrExists, func(t meta.Tx) error { return t.AddPreviewResults(id, []meta.PreviewResult{r}) })
		}
		for _, want := range []int{3, 2, 0} {
			f.update(func(t meta.Tx) error {
				n, err := t.DropPreviewResults(id, 3)
				if n != want {
					f.Errorf("dropped %d, want %d", n, want)
				}
				return err
			})
		}
		found(f, all[:1], func(t meta.Tx) ([]meta.PreviewResult, error) {
			return t.PreviewResults(other, meta.AnyTagStatus, meta.Page[int]{Limit: 10})
		})
	})
	f.on("previews grow old, and go with their repository", func(f *fixture) {
		var ids []meta.RepositoryID
		for i, status := range []meta.PreviewStatus{meta.PreviewComplete, meta.PreviewRunning, meta.PreviewExpired, meta.PreviewFailed} {
			id := f.repository(key(fmt.Sprint("old", i)))
			f.update(put(meta.LifecyclePreview{Repository: id, Attempt: 1, Status: status, StartedAt: day.Add(-time.Duration(i+1) * time.Hour)}))
			ids = append(ids, id)
		}
		old := func(before time.Time, limit int) func(meta.Tx) ([]meta.RepositoryID, error) {
			return func(t meta.Tx) ([]meta.RepositoryID, error) { return t.OldPreviews(before, limit) }
		}
		found(f, []meta.RepositoryID{ids[3], ids[1], ids[0]}, old(day, 10))
		found(f, []meta.RepositoryID{ids[3]}, old(day, 1))
		found(f, []meta.RepositoryID{ids[3]}, old(day.Add(-2*time.Hour), 10))
		f.update(func(t meta.Tx) error {
			return errors.Join(t.AddPreviewResults(ids[3], []meta.PreviewResult{result(1), result(2)}), t.UnlinkRepository(ids[3]))
		})
		found(f, meta.PreviewFailed, func(t meta.Tx) (meta.PreviewStatus, error) {
			p, err := t.LifecyclePreview(ids[3], meta.NoLock)
			return p.Status, err
		})
		for done := false; !done; {
			f.update(func(t meta.Tx) (err error) {
				done, err = t.PurgeRepository(ids[3], 1, nextDay)
				return err
			})
		}
		missing(f, get(ids[3]))
		found(f, []meta.RepositoryID{ids[1], ids[0]}, old(day, 10))
	})
}
