package lifecycle

import (
	"context"
	"time"

	"github.com/lighterage/lighterage/internal/digest"
	"github.com/lighterage/lighterage/internal/meta"
)

// plan is what a policy says at a moment.
type plan struct {
	at      time.Time
	images  int          // of the repository
	newest  meta.ImageID // of them
	results []Result     // in order of images

	// Of its carrying out.
	removed int                    // images
	archive int                    // images in the archive
	checked time.Time              // when the others were last seen to be there
	left    map[digest.Digest]bool // selected, and not acted on
}

// evaluate reads all of a repository's images as they are at one moment, and
// asks the policy. One repository at a time is in memory.
func (r *Runner) evaluate(ctx context.Context, id meta.RepositoryID, policy Policy) (*plan, error) {
	if err := r.FlushPulls(ctx); err != nil {
		return nil, err
	}
	select {
	case r.turn <- struct{}{}:
		defer func() { <-r.turn }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	var images []Image
	var now time.Time
	err := r.Meta.View(ctx, func(tx meta.Tx) (err error) {
		images = nil
		if now, err = tx.Now(); err != nil {
			return err
		}
		page := meta.Page[meta.ImageID]{Limit: pageSize}
		for {
			rows, err := tx.LifecycleImages(id, page)
			if err != nil {
				return err
			}
			for _, row := range rows {
				images = append(images, imageOf(row))
			}
			if len(rows) < page.Limit {
				return ctx.Err()
			}
			page.After = rows[len(rows)-1].ID
		}
	})
	if err != nil {
		return nil, err
	}
	p := &plan{at: now, images: len(images), left: map[digest.Digest]bool{}}
	if len(images) > 0 {
		p.newest = images[len(images)-1].ID
	}
	for i := range images {
		if images[i].Archived {
			p.archive++
		}
	}
	for _, s := range policy.Evaluate(images, now) {
		p.results = append(p.results, Result{Image: images[s.Image], Priority: s.Priority, Action: s.Action})
	}
	return p, nil
}

func imageOf(row meta.LifecycleImage) Image {
	i := Image{
		ID: row.ID, Digest: row.Digest, Subject: row.Subject, PushedAt: row.PushedAt, PulledAt: row.PulledAt,
		TransitionedAt: row.ArchivedAt, ActivatedAt: row.ActivatedAt, Archived: row.Archived,
		Listed: row.Listed, ListedByActive: row.ListedByActive,
	}
	for _, t := range row.Tags {
		i.Tags = append(i.Tags, string(t))
	}
	return i
}

// order lists the results so that each comes after that of its subject, if that
// is one of them. Those of a circle, which no digests make, are left out.
func (p *plan) order() []*Result {
	at := make(map[digest.Digest]*Result, len(p.results))
	for i := range p.results {
		at[p.results[i].Image.Digest] = &p.results[i]
	}
	referrers := map[*Result][]*Result{}
	var out []*Result
	for i := range p.results {
		result := &p.results[i]
		if subject := at[result.Image.Subject]; subject != nil {
			referrers[subject] = append(referrers[subject], result)
			continue
		}
		out = append(out, result)
	}
	if len(referrers) == 0 {
		return out
	}
	roots := out
	out = make([]*Result, 0, len(p.results))
	for _, root := range roots {
		next := len(out)
		for out = append(out, root); next < len(out); next++ {
			out = append(out, referrers[out[next]]...)
		}
	}
	return out
}

// done adds what was carried out to a list.
func (p *plan) done(to []Result) []Result {
	for _, result := range p.results {
		if result.Outcome.done() {
			to = append(to, result)
		}
	}
	return to
}
