package lifecycle

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/lighterage/lighterage/internal/digest"
	"github.com/lighterage/lighterage/internal/fault"
	"github.com/lighterage/lighterage/internal/meta"
)

// errOthers: an image that the policy counted is gone, or went into the archive or
// out of it, and the policy did not do it.
var errOthers = errors.New("lifecycle: others delete or archive images of the repository")

// lookAfter is how long it may take to see that others do.
const lookAfter = time.Second

// carryOut does what a plan says in small transactions, each of which looks
// again at what it acts on.
func (r *Runner) carryOut(ctx context.Context, c claim, policy Policy, p *plan) error {
	todo := p.order()
	for len(todo) > 0 {
		if err := ctx.Err(); err != nil {
			return err
		}
		n := min(len(todo), stepSize)
		if err := r.step(ctx, c, policy, p, todo[:n]); err != nil {
			return err
		}
		todo = todo[n:]
	}
	return nil
}

// step carries out some results in one transaction, and tells the journal.
func (r *Runner) step(ctx context.Context, c claim, policy Policy, p *plan, todo []*Result) error {
	if err := r.Journal.Ready(); err != nil {
		return fault.Wrap(fault.StoreUnavailable, err)
	}
	var became []Outcome
	var checked time.Time
	err := r.Meta.Update(ctx, func(tx meta.Tx) error {
		became, checked = nil, p.checked
		if _, err := c.holds(tx, meta.LockShared); err != nil {
			return err
		}
		now, err := tx.Now()
		if err != nil {
			return err
		}
		if now.Sub(checked) >= lookAfter {
			if err := p.alone(tx, c.Repository); err != nil {
				return err
			}
			checked = now
		}
		left := map[digest.Digest]bool{} // by this transaction
		for _, result := range todo {
			o := SubjectKept
			if subject := result.Image.Subject; !left[subject] && !p.left[subject] {
				if o, err = r.act(tx, c.Repository, p.newest, result, now); err != nil {
					return err
				}
			}
			if !o.done() {
				left[result.Image.Digest] = true
			}
			became = append(became, o)
		}
		return nil
	})
	if errors.Is(err, meta.ErrInDoubt) {
		became = r.settle(ctx, todo)
	} else if err != nil {
		return err
	}
	p.checked = checked
	for i, o := range became {
		todo[i].Outcome = o
		switch {
		case !o.done():
			p.left[todo[i].Image.Digest] = true
		case o == Archived:
			p.archive++
		default:
			p.removed++
			if todo[i].Image.Archived {
				p.archive--
			}
		}
	}
	r.tell(ctx, c, policy, todo)
	return err
}

// alone makes sure that all images are there, and in the archive or not, but for
// what the plan did: what a rule keeps, it keeps beside others that it counted.
// Newer images are none of the plan's.
func (p *plan) alone(tx meta.Tx, repository meta.RepositoryID) error {
	n, _, err := tx.ImageUsage(repository)
	if err != nil {
		return err
	}
	newer, err := tx.Images(repository, meta.ImageFilter{}, meta.Page[meta.ImageID]{After: p.newest, Limit: pageSize})
	if err != nil {
		return err
	}
	archive, err := tx.CountArchived(repository)
	if err != nil {
		return err
	}
	if len(newer) == pageSize || int(n)-len(newer) != p.images-p.removed || int(archive) != p.archive {
		return errOthers
	}
	return nil
}

// act removes or archives an image that is as it was when it was selected. Of an
// image that was attached to it since, newer than the newest, its owner knows more
// than the policy.
func (r *Runner) act(tx meta.Tx, repository meta.RepositoryID, newest meta.ImageID, result *Result, now time.Time) (Outcome, error) {
	i, became := result.Image, Expired
	err := tx.LockImage(i.ID)
	if errors.Is(err, meta.ErrNotFound) {
		return Gone, nil
	}
	if err != nil {
		return 0, err
	}
	found, err := tx.LifecycleImages(repository, meta.Page[meta.ImageID]{After: i.ID - 1, Limit: 1})
	if err != nil {
		return 0, err
	}
	if len(found) == 0 || found[0].ID != i.ID {
		return Gone, nil
	}
	attached, err := tx.Referrers(repository, i.Digest, meta.ReferrerFilter{}, meta.Page[meta.ImageID]{After: newest, Limit: 1})
	if err != nil {
		return 0, err
	}
	if len(attached) > 0 || !same(imageOf(found[0]), i) {
		return Changed, nil
	}
	if result.Action == Transition {
		became, err = Archived, tx.ArchiveImage(i.ID, now)
	} else {
		err = tx.DeleteImage(i.ID, By, now.Add(r.LayerGrace))
	}
	switch {
	case errors.Is(err, meta.ErrReferenced):
		return Kept, nil
	case errors.Is(err, meta.ErrNotFound):
		return Gone, nil
	}
	return became, err
}

// same reports whether nothing has happened to an image that a rule may look
// at.
func same(a, b Image) bool {
	return a.PushedAt.Equal(b.PushedAt) && a.PulledAt.Equal(b.PulledAt) && slices.Equal(a.Tags, b.Tags) &&
		a.Archived == b.Archived && a.TransitionedAt.Equal(b.TransitionedAt) && a.ActivatedAt.Equal(b.ActivatedAt)
}

// settle looks what a transaction did whose outcome is not known.
func (r *Runner) settle(ctx context.Context, todo []*Result) []Outcome {
	var became []Outcome
	err := r.Meta.View(ctx, func(tx meta.Tx) error {
		became = nil
		for _, result := range todo {
			i, err := tx.ImageOf(result.Image.ID)
			switch {
			case err == nil && result.Action == Transition && i.Archived:
				became = append(became, Archived)
			case err == nil:
				became = append(became, Selected)
			case errors.Is(err, meta.ErrNotFound):
				became = append(became, Expired)
			default:
				return err
			}
		}
		return nil
	})
	if err != nil {
		r.Logger.LogAttrs(ctx, slog.LevelError, "it is not known on which images a lifecycle policy acted", slog.String("error", err.Error()))
		return nil
	}
	return became
}

// tell records what was done to images.
func (r *Runner) tell(ctx context.Context, c claim, policy Policy, done []*Result) {
	e := Execution{Key: c.key, Policy: policy, EvaluatedAt: c.EvaluatedAt}
	for _, result := range done {
		if result.Outcome == Selected || result.Outcome == Gone {
			continue
		}
		e.Results = append(e.Results, *result)
		r.Logger.LogAttrs(ctx, slog.LevelInfo, "lifecycle policy: image "+result.Outcome.String(),
			slog.String("account", string(c.key.Registry.Account)), slog.String("region", string(c.key.Registry.Region)),
			slog.String("repository", string(c.key.Name)), slog.String("digest", string(result.Image.Digest)),
			slog.String("tags", strings.Join(result.Image.Tags, " ")), slog.Int("rule", result.Priority))
	}
	if len(e.Results) > 0 {
		r.Journal.Record(e)
	}
}
