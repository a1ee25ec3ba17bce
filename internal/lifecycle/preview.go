package lifecycle

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/lighterage/lighterage/internal/digest"
	"github.com/lighterage/lighterage/internal/fault"
	"github.com/lighterage/lighterage/internal/meta"
	"github.com/lighterage/lighterage/internal/name"
)

const (
	// previewTTL is how long a preview is kept. ECR does not say how long it
	// keeps one.
	previewTTL = 24 * time.Hour
	// previewPatience is after how long a preview has failed that nobody
	// finished.
	previewPatience = 10 * time.Minute
	// afterwards is for noting that a preview failed, whose client may be gone.
	afterwards = 5 * time.Second
)

// errOvertaken: another preview of the repository was begun.
var errOvertaken = errors.New("lifecycle: another preview was begun")

// StartPreview makes a preview of a policy, or with an empty text of the
// repository's own, and returns the policy's text. The preview is complete when
// it returns, unless another one has taken its place. RepositoryNotFound,
// LifecyclePolicyNotFound, LifecyclePreviewRunning, ParameterInvalid.
func (r *Runner) StartPreview(ctx context.Context, key meta.RepositoryKey, text string) (string, error) {
	var policy Policy
	if text != "" {
		var err error
		if policy, err = r.parse(text); err != nil {
			return "", err
		}
	}
	v, err := r.beginPreview(ctx, key, text)
	if err != nil {
		return "", err
	}
	if text == "" {
		if policy, err = Parse(v.Text, Options{}); err != nil { // by a later program
			err = fault.Wrap(fault.Unexpected, err)
		}
	}
	if err == nil {
		err = r.fillPreview(ctx, v, policy)
	}
	switch {
	case errors.Is(err, errOvertaken):
		err = nil
	case err != nil:
		end, cancel := context.WithTimeout(context.WithoutCancel(ctx), afterwards)
		defer cancel()
		v.Status = meta.PreviewFailed
		err = errors.Join(err, r.endPreview(end, v))
	}
	return v.Text, failed(key, err)
}

// beginPreview takes the place of the preview before. The lock on the
// repository makes two that begin at once see each other.
func (r *Runner) beginPreview(ctx context.Context, key meta.RepositoryKey, text string) (v meta.LifecyclePreview, err error) {
	err = r.Meta.Update(ctx, func(tx meta.Tx) error {
		repository, err := live(tx, key, meta.LockExclusive)
		if err != nil {
			return err
		}
		meant := text
		if meant == "" {
			p, err := policyOf(tx, key, meta.NoLock)
			if err != nil {
				return err
			}
			meant = p.Text
		}
		now, err := tx.Now()
		if err != nil {
			return err
		}
		old, err := tx.LifecyclePreview(repository.ID, meta.LockExclusive)
		if err != nil && !errors.Is(err, meta.ErrNotFound) {
			return err
		}
		if statusOf(old, now) == meta.PreviewRunning {
			return about(fault.LifecyclePreviewRunning, key)
		}
		v = meta.LifecyclePreview{Repository: repository.ID, Attempt: old.Attempt + 1, Text: meant, Status: meta.PreviewRunning, StartedAt: now}
		return stored(tx.PutLifecyclePreview(v))
	})
	return v, failed(key, err)
}

// fillPreview evaluates the policy and stores the results in pages.
func (r *Runner) fillPreview(ctx context.Context, v meta.LifecyclePreview, policy Policy) error {
	if err := r.dropResults(ctx, v); err != nil {
		return err
	}
	p, err := r.evaluate(ctx, v.Repository, policy)
	if err != nil {
		return err
	}
	var page []meta.PreviewResult
	for i, result := range p.results {
		row := rowOf(result)
		row.Position = i + 1
		if row.Transition {
			v.Transitioned++
		} else {
			v.Expiring++
		}
		if page = append(page, row); len(page) < pageSize && i < len(p.results)-1 {
			continue
		}
		if err := r.inPreview(ctx, v, func(tx meta.Tx) error { return tx.AddPreviewResults(v.Repository, page) }); err != nil {
			return err
		}
		page = nil
	}
	v.Status = meta.PreviewComplete
	return r.endPreview(ctx, v)
}

func rowOf(result Result) meta.PreviewResult {
	return meta.PreviewResult{
		Digest: result.Image.Digest, Tags: result.Image.Tags, PushedAt: result.Image.PushedAt,
		Priority: result.Priority, Transition: result.Action == Transition, Archived: result.Image.Archived,
	}
}

// inPreview changes a preview that is still the repository's. errOvertaken.
func (r *Runner) inPreview(ctx context.Context, v meta.LifecyclePreview, fn func(meta.Tx) error) error {
	return r.Meta.Update(ctx, func(tx meta.Tx) error {
		now, err := tx.LifecyclePreview(v.Repository, meta.LockExclusive)
		if errors.Is(err, meta.ErrNotFound) { // gone with its repository
			return meta.ErrNoRepository
		}
		if err != nil {
			return err
		}
		if now.Attempt != v.Attempt {
			return errOvertaken
		}
		return fn(tx)
	})
}

func (r *Runner) endPreview(ctx context.Context, v meta.LifecyclePreview) error {
	return r.inPreview(ctx, v, func(tx meta.Tx) error { return stored(tx.PutLifecyclePreview(v)) })
}

// dropResults removes what the repository's last preview left.
func (r *Runner) dropResults(ctx context.Context, v meta.LifecyclePreview) error {
	for n := pageSize; n == pageSize; {
		err := r.inPreview(ctx, v, func(tx meta.Tx) (err error) {
			n, err = tx.DropPreviewResults(v.Repository, pageSize)
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// statusOf is how far a preview is: one that nobody finishes has failed, and
// one that is old has expired, though it may not be cleared away.
func statusOf(v meta.LifecyclePreview, now time.Time) meta.PreviewStatus {
	age := now.Sub(v.StartedAt)
	switch {
	case v.Status == meta.PreviewRunning && age > previewPatience:
		return meta.PreviewFailed
	case v.Status == meta.PreviewComplete && age > previewTTL:
		return meta.PreviewExpired
	}
	return v.Status
}

// Preview returns the last preview of a repository without its results.
// RepositoryNotFound, LifecyclePreviewNotFound.
func (r *Runner) Preview(ctx context.Context, key meta.RepositoryKey) (v meta.LifecyclePreview, err error) {
	err = r.Meta.View(ctx, func(tx meta.Tx) error {
		repository, err := live(tx, key, meta.NoLock)
		if err != nil {
			return err
		}
		v, err = tx.LifecyclePreview(repository.ID, meta.NoLock)
		if errors.Is(err, meta.ErrNotFound) {
			return about(fault.LifecyclePreviewNotFound, key)
		}
		if err != nil {
			return err
		}
		now, err := tx.Now()
		v.Status = statusOf(v, now)
		return err
	})
	return v, failed(key, err)
}

// PreviewResults lists the results of a preview about images with such tags: at
// most limit after the given position, and whether there are more. A preview
// that is not complete has none.
func (r *Runner) PreviewResults(ctx context.Context, v meta.LifecyclePreview, status meta.TagStatus, after, limit int) (out []meta.PreviewResult, more bool, err error) {
	err = r.ofComplete(ctx, v, func(tx meta.Tx) (err error) {
		out, err = tx.PreviewResults(v.Repository, status, meta.Page[int]{After: after, Limit: limit + 1})
		return err
	})
	if more = len(out) > limit; more {
		out = out[:limit]
	}
	return out, more, err
}

// Asked names an image by digest, by tag, or by both.
type Asked struct {
	Tag    name.Tag
	Digest digest.Digest
}

// PreviewResultsOf finds the results of a preview about the named images, each
// once; names of others are passed over. A tag is one that the image has now
// and had in the preview.
func (r *Runner) PreviewResultsOf(ctx context.Context, v meta.LifecyclePreview, asked []Asked) (out []meta.PreviewResult, err error) {
	err = r.ofComplete(ctx, v, func(tx meta.Tx) error {
		out = nil
		seen := map[int]bool{}
		for _, a := range asked {
			d := a.Digest
			if a.Tag != "" {
				t, err := tx.Tag(v.Repository, a.Tag)
				if err != nil && !errors.Is(err, meta.ErrNotFound) {
					return err
				}
				if err != nil || d != "" && d != t.Digest {
					continue
				}
				d = t.Digest
			}
			found, err := tx.PreviewResult(v.Repository, d)
			if err != nil && !errors.Is(err, meta.ErrNotFound) {
				return err
			}
			if err != nil || seen[found.Position] || a.Tag != "" && !slices.Contains(found.Tags, string(a.Tag)) {
				continue
			}
			seen[found.Position] = true
			out = append(out, found)
		}
		return nil
	})
	return out, err
}

// ofComplete reads from a preview that is complete and still the repository's.
func (r *Runner) ofComplete(ctx context.Context, v meta.LifecyclePreview, fn func(meta.Tx) error) error {
	if v.Status != meta.PreviewComplete {
		return nil
	}
	err := r.Meta.View(ctx, func(tx meta.Tx) error {
		now, err := tx.LifecyclePreview(v.Repository, meta.NoLock)
		if err != nil || now.Attempt != v.Attempt {
			return err
		}
		return fn(tx)
	})
	if errors.Is(err, meta.ErrNotFound) { // gone with its repository
		return nil
	}
	return failed(meta.RepositoryKey{}, err)
}

// clearPreviews removes the results of old previews.
func (r *Runner) clearPreviews(ctx context.Context) error {
	for range passSize {
		var v meta.LifecyclePreview
		err := r.Meta.View(ctx, func(tx meta.Tx) error {
			v = meta.LifecyclePreview{}
			now, err := tx.Now()
			if err != nil {
				return err
			}
			ids, err := tx.OldPreviews(now.Add(-previewTTL), 1)
			if err != nil || len(ids) == 0 {
				return err
			}
			v, err = tx.LifecyclePreview(ids[0], meta.NoLock)
			return err
		})
		if err != nil || v.Repository == 0 {
			return failed(meta.RepositoryKey{}, err)
		}
		err = r.dropResults(ctx, v)
		if err == nil {
			v.Status = meta.PreviewExpired
			err = r.endPreview(ctx, v)
		}
		if err != nil && !errors.Is(err, errOvertaken) && !errors.Is(err, meta.ErrNoRepository) {
			return failed(meta.RepositoryKey{}, err)
		}
	}
	return nil
}
