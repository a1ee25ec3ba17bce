package gc

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/lighterage/lighterage/internal/meta"
)

// by is who removed an image, in the tag history.
const by = "gc"

// retryAfter is how long a review waits whose step failed, so that it does not
// keep the others from their turn.
const retryAfter = time.Hour

// review works off the reviews that are due.
func (c *Collector) review(ctx context.Context, t *Tally) error {
	var failed error
	for range rounds {
		steps, err := c.planReviews(ctx)
		if err != nil || len(steps) == 0 {
			return errors.Join(failed, err)
		}
		if err := c.applyReviews(ctx, steps, t); err != nil {
			failed = errors.Join(failed, err)
			if fatal(ctx, err) {
				return failed
			}
		}
	}
	return failed
}

// fatal reports whether going on makes no sense now.
func fatal(ctx context.Context, err error) bool {
	return ctx.Err() != nil || errors.Is(err, meta.ErrUnavailable) || errors.Is(err, meta.ErrFull) || errors.Is(err, meta.ErrInDoubt)
}

// planReviews decides about reviews that are due. It changes nothing.
func (c *Collector) planReviews(ctx context.Context) ([]Step, error) {
	var steps []Step
	err := c.Meta.View(ctx, func(tx meta.Tx) error {
		steps = nil
		now, err := tx.Now()
		if err != nil {
			return err
		}
		due, err := tx.DueReviews(now, atOnce)
		if err != nil {
			return err
		}
		for _, r := range due {
			f, err := c.facts(tx, r)
			if err != nil {
				return err
			}
			steps = append(steps, Decide(r, f, now))
		}
		return nil
	})
	return steps, err
}

// facts reads what is to be known of a review's subject, and in an update
// holds it: a layer, or the repository that an image is in, whose pushes and
// registrations then come before or after.
func (c *Collector) facts(tx meta.Tx, r meta.Review) (Facts, error) {
	switch r.Subject {
	case meta.LayerSubject:
		return c.layerFacts(tx, meta.LayerID(r.Of))
	case meta.ImageSubject:
		return imageFacts(tx, meta.ImageID(r.Of))
	case meta.RepositorySubject:
		return repositoryFacts(tx, meta.RepositoryID(r.Of))
	}
	return Facts{Object: fmt.Sprintf("subject %d, row %d", r.Subject, r.Of), Unknown: true}, nil
}

func (c *Collector) layerFacts(tx meta.Tx, id meta.LayerID) (Facts, error) {
	f := Facts{Object: fmt.Sprintf("layer %d", id), Grace: c.LayerGrace}
	l, err := tx.LayerOf(id)
	if errors.Is(err, meta.ErrNotFound) {
		f.Gone = true
		return f, nil
	}
	if err != nil {
		return f, err
	}
	f.Object, f.TouchedAt = "layer "+string(l.Blob.Digest), l.TouchedAt
	kept, err := tx.LayerReferenced(id)
	if kept {
		f.Kept = "an image, whose end will ask again"
	}
	if err != nil || kept {
		return f, err
	}
	f.Last, err = lastReview(tx, meta.LayerSubject, int64(id))
	return f, err
}

// lastReview is the zero time for a row that has none.
func lastReview(tx meta.Tx, s meta.Subject, of int64) (time.Time, error) {
	due, err := tx.LastReview(s, of)
	if errors.Is(err, meta.ErrNotFound) {
		err = nil
	}
	return due, err
}

// imageFacts: an index keeps its children. Their question can be dropped
// meanwhile, because deleting the index asks about each of them anew (the
// contract of meta.DeleteImage), as deleting a registration does.
func imageFacts(tx meta.Tx, id meta.ImageID) (Facts, error) {
	f := Facts{Object: fmt.Sprintf("image %d", id)}
	i, err := tx.ImageOf(id)
	if err == nil {
		var r meta.Repository
		if r, err = tx.RepositoryOf(i.Repository, meta.LockExclusive); err == nil {
			f.Space = r.Key.Space
			i, err = tx.ImageOf(id) // again, now that it is held
		}
	}
	if errors.Is(err, meta.ErrNotFound) {
		f.Gone = true
		return f, nil
	}
	if err != nil {
		return f, err
	}
	f.Object = "image " + string(i.Digest)
	registered, err := tx.ImageRegistered(id)
	if err != nil {
		return f, err
	}
	if registered {
		f.Kept = "a container service"
		return f, nil
	}
	parents, err := tx.Parents(id, 1)
	if err != nil {
		return f, err
	}
	if len(parents) > 0 {
		f.Kept = "the index " + string(parents[0].Digest)
		return f, nil
	}
	f.Last, err = lastReview(tx, meta.ImageSubject, int64(id))
	return f, err
}

func repositoryFacts(tx meta.Tx, id meta.RepositoryID) (Facts, error) {
	f := Facts{Object: fmt.Sprintf("repository %d", id)}
	r, err := tx.RepositoryOf(id, meta.NoLock)
	if errors.Is(err, meta.ErrNotFound) {
		f.Gone = true
		return f, nil
	}
	f.Object = fmt.Sprintf("repository %s of %s in %s", r.Key.Name, r.Key.Registry.Account, r.Key.Registry.Region)
	return f, err
}

// applyReviews does the steps of a plan: those about layers and images in one
// transaction, or each in its own when that fails; a page of each repository.
func (c *Collector) applyReviews(ctx context.Context, steps []Step, t *Tally) error {
	var rows, repositories []Step
	for _, s := range steps {
		if s.Verb == Purge {
			repositories = append(repositories, s)
		} else {
			rows = append(rows, s)
		}
	}
	slices.SortStableFunc(rows, lockOrder)
	failed := c.together(ctx, rows, t)
	if failed != nil && !fatal(ctx, failed) {
		failed = nil
		for _, s := range rows {
			failed = errors.Join(failed, c.alone(ctx, s, func() error { return c.together(ctx, []Step{s}, t) }))
		}
	}
	for _, s := range repositories {
		failed = errors.Join(failed, c.alone(ctx, s, func() error { return c.purge(ctx, s, t) }))
	}
	return failed
}

// lockOrder is the order in which pushes take their locks too: repositories
// before layers, these by digest.
func lockOrder(a, b Step) int {
	return cmp.Or(-cmp.Compare(a.review.Subject, b.review.Subject), cmp.Compare(a.Object, b.Object))
}

// together applies steps in one transaction, which decides about each again.
func (c *Collector) together(ctx context.Context, steps []Step, t *Tally) error {
	var done Tally
	err := c.Meta.Update(ctx, func(tx meta.Tx) error {
		done = Tally{}
		now, err := tx.Now()
		if err != nil {
			return err
		}
		for _, s := range steps {
			f, err := c.facts(tx, s.review)
			if err != nil {
				return err
			}
			if err := c.apply(tx, Decide(s.review, f, now), now, &done); err != nil {
				return fmt.Errorf("%s: %w", s, err)
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	t.Layers, t.Images = t.Layers+done.Layers, t.Images+done.Images
	return nil
}

func (c *Collector) apply(tx meta.Tx, s Step, now time.Time, done *Tally) error {
	r := s.review
	switch {
	case s.Verb == Purge: // the plan had found it gone; it cannot have come back
		return nil
	case s.Verb == Postpone:
		return tx.PostponeReview(r.ID, s.Until)
	case s.Verb == Remove && r.Subject == meta.LayerSubject:
		if err := tx.DeleteLayer(meta.LayerID(r.Of), now.Add(c.URLTTL)); err != nil {
			return err
		}
		done.Layers++
	case s.Verb == Remove:
		if err := tx.DeleteImage(meta.ImageID(r.Of), by, now.Add(c.LayerGrace)); err != nil {
			return err
		}
		done.Images++
	}
	return tx.DropReview(r.ID)
}

// purge removes a page of a deleted repository, and its review with the last.
func (c *Collector) purge(ctx context.Context, s Step, t *Tally) error {
	done := false
	err := c.Meta.Update(ctx, func(tx meta.Tx) error {
		done = false
		now, err := tx.Now()
		if err != nil {
			return err
		}
		done, err = tx.PurgeRepository(meta.RepositoryID(s.review.Of), atOnce, now.Add(c.URLTTL))
		if err != nil || !done {
			return err
		}
		return tx.DropReview(s.review.ID)
	})
	if err == nil && done {
		t.Repositories++
	}
	return err
}

// alone does one step. If it fails its review waits, and the others go on.
func (c *Collector) alone(ctx context.Context, s Step, do func() error) error {
	err := do()
	if err == nil || fatal(ctx, err) {
		return err
	}
	later := c.Meta.Update(ctx, func(tx meta.Tx) error {
		now, err := tx.Now()
		if err != nil {
			return err
		}
		return tx.PostponeReview(s.review.ID, now.Add(retryAfter))
	})
	return errors.Join(err, later)
}
