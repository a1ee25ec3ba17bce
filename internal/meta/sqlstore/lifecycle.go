package sqlstore

import (
	"fmt"
	"time"

	"github.com/lighterage/lighterage/internal/digest"
	"github.com/lighterage/lighterage/internal/meta"
	"github.com/lighterage/lighterage/internal/name"
)

// LifecyclePolicy reads one.
func (t *tx) LifecyclePolicy(id meta.RepositoryID, lock meta.Lock) (meta.LifecyclePolicy, error) {
	p := meta.LifecyclePolicy{Repository: id}
	err := t.row(func(r *row) {
		p.Text, p.SetAt, p.EvaluatedAt, p.DueAt = r.text(0), r.time(1), r.time(2), r.time(3)
	}, t.locked(`SELECT l.document, l.set_at, l.evaluated_at, l.due_at FROM lifecycle_policy l WHERE l.repository_id = ?1`, lock, "l"), id)
	return p, err
}

// PutLifecyclePolicy adds or overwrites, as PutRepositoryPolicy does.
func (t *tx) PutLifecyclePolicy(p meta.LifecyclePolicy) error {
	if err := t.hold(`SELECT n.repository_id FROM repository_name n WHERE n.repository_id = ?1`, meta.LockShared, "n", p.Repository); err != nil {
		return err
	}
	_, err := t.exec(`INSERT INTO lifecycle_policy (repository_id, document, set_at, evaluated_at, due_at) VALUES (?1, ?2, ?3, ?4, ?5)
		ON CONFLICT (repository_id) DO UPDATE SET document = excluded.document, set_at = excluded.set_at,
			evaluated_at = excluded.evaluated_at, due_at = excluded.due_at`,
		p.Repository, p.Text, p.SetAt, p.EvaluatedAt, p.DueAt)
	return err
}

// DeleteLifecyclePolicy removes one.
func (t *tx) DeleteLifecyclePolicy(id meta.RepositoryID) error {
	return t.change(`DELETE FROM lifecycle_policy WHERE repository_id = ?1`, id)
}

// LifecyclePolicies lists by repository.
func (t *tx) LifecyclePolicies(page meta.Page[meta.RepositoryID]) ([]meta.LifecyclePolicy, error) {
	var found []meta.LifecyclePolicy
	err := t.rows(func(r *row) {
		found = append(found, meta.LifecyclePolicy{
			Repository: meta.RepositoryID(r.int(0)), SetAt: r.time(1), EvaluatedAt: r.time(2), DueAt: r.time(3),
		})
	}, `SELECT repository_id, set_at, evaluated_at, due_at FROM lifecycle_policy WHERE repository_id > ?1 ORDER BY repository_id LIMIT ?2`, page.After, page.Limit)
	return found, err
}

// DueLifecyclePolicies lists by the time at which they are due.
func (t *tx) DueLifecyclePolicies(by time.Time, limit int) ([]meta.RepositoryID, error) {
	return t.repositoryIDs(`SELECT repository_id FROM lifecycle_policy WHERE due_at <= ?1 ORDER BY due_at, repository_id LIMIT ?2`, by, limit)
}

func (t *tx) repositoryIDs(sql string, args ...any) ([]meta.RepositoryID, error) {
	var found []meta.RepositoryID
	err := t.rows(func(r *row) { found = append(found, meta.RepositoryID(r.int(0))) }, sql, args...)
	return found, err
}

// LifecycleImages lists by id: the images, then the tags of all of them.
func (t *tx) LifecycleImages(repository meta.RepositoryID, page meta.Page[meta.ImageID]) ([]meta.LifecycleImage, error) {
	var found []meta.LifecycleImage
	tagged := false
	err := t.rows(func(r *row) {
		found = append(found, meta.LifecycleImage{
			ID: meta.ImageID(r.int(0)), Digest: r.digest(1), Subject: r.digest(2),
			PushedAt: r.time(3), PulledAt: r.time(4), Listed: r.int(5) > 0, ListedByActive: r.int(5) > 1,
			Archived: r.bool(6), ArchivedAt: r.time(7), ActivatedAt: r.time(8),
		})
		tagged = tagged || r.bool(9)
	}, `SELECT i.id, i.digest, i.subject, i.pushed_at, p.pulled_at,
			CASE WHEN EXISTS (`+activeParent+`) THEN 2 WHEN EXISTS (SELECT 1 FROM image_child c WHERE c.child_id = i.id) THEN 1 ELSE 0 END,
			i.archived, i.archived_at, i.activated_at, i.tagged
		FROM image i LEFT JOIN image_pull p ON p.image_id = i.id
		WHERE i.repository_id = ?1 AND i.id > ?2 ORDER BY i.id LIMIT ?3`, repository, page.After, page.Limit)
	if err != nil || !tagged {
		return found, err
	}
	next := 0
	err = t.rows(func(r *row) {
		id := meta.ImageID(r.int(0))
		for next < len(found) && found[next].ID < id { // both lists are by id
			next++
		}
		if next < len(found) && found[next].ID == id {
			found[next].Tags = append(found[next].Tags, name.Tag(r.text(1)))
		}
	}, `SELECT t.image_id, t.name FROM image i JOIN tag t ON t.image_id = i.id
		WHERE i.repository_id = ?1 AND i.id > ?2 AND i.id <= ?3 AND i.tagged = 1 ORDER BY i.id, t.name`,
		repository, page.After, found[len(found)-1].ID)
	return found, err
}

// LifecyclePreview reads one.
func (t *tx) LifecyclePreview(id meta.RepositoryID, lock meta.Lock) (meta.LifecyclePreview, error) {
	p := meta.LifecyclePreview{Repository: id}
	err := t.row(func(r *row) {
		p.Attempt, p.Text, p.Status, p.StartedAt = r.int(0), r.text(1), meta.PreviewStatus(r.int(2)), r.time(3)
		p.Expiring, p.Transitioned = r.int(4), r.int(5)
	}, t.locked(`SELECT v.attempt, v.document, v.status, v.started_at, v.expiring, v.transitioned
		FROM lifecycle_preview v WHERE v.repository_id = ?1`, lock, "v"), id)
	return p, err
}

// PutLifecyclePreview adds or overwrites.
func (t *tx) PutLifecyclePreview(p meta.LifecyclePreview) error {
	if err := t.hold(`SELECT r.id FROM repository r WHERE r.id = ?1`, meta.LockShared, "r", p.Repository); err != nil {
		return err
	}
	_, err := t.exec(`INSERT INTO lifecycle_preview (repository_id, attempt, document, status, started_at, expiring, transitioned)
		VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
		ON CONFLICT (repository_id) DO UPDATE SET attempt = excluded.attempt, document = excluded.document, status = excluded.status,
			started_at = excluded.started_at, expiring = excluded.expiring, transitioned = excluded.transitioned`,
		p.Repository, p.Attempt, p.Text, p.Status, p.StartedAt, p.Expiring, p.Transitioned)
	return err
}

// OldPreviews lists by the time at which they were started; the filter is
// spelled as the partial index is.
func (t *tx) OldPreviews(before time.Time, limit int) ([]meta.RepositoryID, error) {
	return t.repositoryIDs(`SELECT repository_id FROM lifecycle_preview WHERE status <> 4 AND started_at < ?1
		ORDER BY started_at, repository_id LIMIT ?2`, before, limit)
}

// AddPreviewResults adds one after the other.
func (t *tx) AddPreviewResults(id meta.RepositoryID, results []meta.PreviewResult) error {
	if err := t.hold(`SELECT v.repository_id FROM lifecycle_preview v WHERE v.repository_id = ?1`, meta.LockShared, "v", id); err != nil {
		return err
	}
	for _, p := range results {
		tags, err := stringsJSON(p.Tags)
		if err != nil {
			return fmt.Errorf("tags of a preview: %w", err)
		}
		n, err := t.exec(`INSERT INTO lifecycle_preview_result (repository_id, position, digest, tagged, tags, pushed_at, priority, transition, archived)
			VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) ON CONFLICT DO NOTHING`,
			id, p.Position, p.Digest, len(p.Tags) > 0, tags, p.PushedAt, p.Priority, p.Transition, p.Archived)
		if err != nil {
			return err
		}
		if n == 0 {
			return meta.ErrExists
		}
	}
	return nil
}

const resultSelect = `SELECT position, digest, tags, pushed_at, priority, transition, archived FROM lifecycle_preview_result `

func readResult(r *row) meta.PreviewResult {
	return meta.PreviewResult{
		Position: int(r.int(0)), Digest: r.digest(1), Tags: r.strings(2), PushedAt: r.time(3),
		Priority: int(r.int(4)), Transition: r.bool(5), Archived: r.bool(6),
	}
}

// PreviewResults lists by position.
func (t *tx) PreviewResults(id meta.RepositoryID, status meta.TagStatus, page meta.Page[int]) ([]meta.PreviewResult, error) {
	filter := ""
	switch status {
	case meta.Tagged:
		filter = `AND tagged = 1 `
	case meta.Untagged:
		filter = `AND tagged = 0 `
	}
	var found []meta.PreviewResult
	err := t.rows(func(r *row) { found = append(found, readResult(r)) },
		resultSelect+`WHERE repository_id = ?1 AND position > ?2 `+filter+`ORDER BY position LIMIT ?3`, id, page.After, page.Limit)
	return found, err
}

// PreviewResult looks up by digest.
func (t *tx) PreviewResult(id meta.RepositoryID, d digest.Digest) (meta.PreviewResult, error) {
	var found meta.PreviewResult
	err := t.row(func(r *row) { found = readResult(r) }, resultSelect+`WHERE repository_id = ?1 AND digest = ?2`, id, d)
	return found, err
}

// DropPreviewResults removes the first ones.
func (t *tx) DropPreviewResults(id meta.RepositoryID, limit int) (int, error) {
	n, err := t.exec(`DELETE FROM lifecycle_preview_result WHERE repository_id = ?1 AND position IN
		(SELECT position FROM lifecycle_preview_result WHERE repository_id = ?1 ORDER BY position LIMIT ?2)`, id, limit)
	return int(n), err
}
