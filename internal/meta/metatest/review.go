package metatest

import (
	"fmt"
	"slices"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lighterage/lighterage/internal/meta"
)

func testReview(f *fixture) {
	enqueue := func(of int64, due time.Time) {
		f.Helper()
		f.update(func(t meta.Tx) error { return t.EnqueueReview(meta.ImageSubject, of, due) })
	}
	due := func(now time.Time, limit int) (got []meta.Review) {
		f.Helper()
		f.update(func(t meta.Tx) (err error) {
			got, err = t.DueReviews(now, limit)
			return err
		})
		return got
	}
	of := func(r meta.Review) int64 { return r.Of }
	f.on("the due are listed, the oldest first", func(f *fixture) {
		enqueue(3, day.Add(3*time.Second))
		enqueue(1, day.Add(time.Second))
		enqueue(2, day.Add(2*time.Second))
		for _, c := range []struct {
			now   time.Time
			limit int
			want  []int64
		}{
			{day, 10, []int64{}},
			{day.Add(2 * time.Second), 10, []int64{1, 2}},
			{nextDay, 10, []int64{1, 2, 3}},
			{nextDay, 2, []int64{1, 2}},
		} {
			if diff := cmp.Diff(c.want, each(due(c.now, c.limit), of)); diff != "" {
				f.Errorf("%v: %s", c, diff)
			}
		}
	})
	f.on("one is postponed, one dropped", func(f *fixture) {
		list := due(nextDay, 10)
		f.update(func(t meta.Tx) error {
			if err := t.PostponeReview(list[0].ID, nextDay); err != nil {
				return err
			}
			return t.DropReview(list[1].ID)
		})
		if diff := cmp.Diff([]int64{3, 1}, each(due(nextDay, 10), of)); diff != "" {
			f.Error(diff)
		}
		if got := due(nextDay, 10)[1]; !got.Due.Equal(nextDay) || got.Subject != meta.ImageSubject {
			f.Errorf("postponed: %+v", got)
		}
	})
	f.on("the latest review of a row", func(f *fixture) {
		enqueue(50, day)
		enqueue(50, nextDay)
		enqueue(50, day.Add(time.Minute))
		f.update(func(t meta.Tx) error { return t.EnqueueReview(meta.LayerSubject, 50, nextDay.Add(time.Hour)) })
		f.view(func(t meta.Tx) error {
			got, err := t.LastReview(meta.ImageSubject, 50)
			if !got.Equal(nextDay) {
				return fmt.Errorf("last at %v, %w", got, err)
			}
			return err
		})
		f.misses(meta.ErrNotFound, func(t meta.Tx) error {
			_, err := t.LastReview(meta.RepositorySubject, 50)
			return err
		})
	})
	f.on("collectors at once review everything, and nothing twice", func(f *fixture) {
		f.drain()
		for i := range 40 {
			enqueue(int64(i), day)
		}
		taken := make([][]int64, 8)
		for len(due(nextDay, 1)) > 0 {
			errs := f.together(len(taken), func(i int, t meta.Tx) error {
				list, err := t.DueReviews(nextDay, 5)
				if err != nil {
					return err
				}
				for _, r := range list {
					if err := t.DropReview(r.ID); err != nil {
						return err
					}
				}
				taken[i] = append(slices.Clone(taken[i]), each(list, of)...)
				return nil
			})
			for i, err := range errs {
				if err != nil {
					f.Fatalf("collector %d: %v", i, err)
				}
			}
		}
		all := slices.Concat(taken...)
		slices.Sort(all)
		if len(all) != 40 || len(slices.Compact(all)) != 40 {
			f.Errorf("%d reviews taken of 40", len(all))
		}
	})
}

// drain takes all reviews from the queue, in the order of what they are of.
func (f *fixture) drain() []meta.Review {
	f.Helper()
	var all []meta.Review
	f.update(func(t meta.Tx) (err error) {
		if all, err = t.DueReviews(far, 10_000); err != nil {
			return err
		}
		for _, r := range all {
			if err := t.DropReview(r.ID); err != nil {
				return err
			}
		}
		return nil
	})
	slices.SortFunc(all, func(a, b meta.Review) int { return int(a.Of - b.Of) })
	for i := range all {
		all[i].ID = 0
	}
	return all
}
