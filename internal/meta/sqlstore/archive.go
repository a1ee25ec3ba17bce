package sqlstore

import (
	"time"

	"github.com/lighterage/lighterage/internal/meta"
)

// activeParent finds indexes that are not archived and list image i.
const activeParent = `SELECT 1 FROM image_child c JOIN image a ON a.id = c.parent_id WHERE c.child_id = i.id AND a.archived = 0`

// ArchiveImage locks the image as DeleteImage does: an index that comes to list
// it waits for that lock, and one that is brought back for it too.
func (t *tx) ArchiveImage(id meta.ImageID, at time.Time) error {
	if err := t.LockImage(id); err != nil {
		return err
	}
	image, err := t.ImageOf(id)
	if err != nil || image.Archived {
		return err
	}
	kept, err := t.has(`SELECT 1 FROM image i WHERE i.id = ?1
		AND (EXISTS (`+activeParent+`) OR EXISTS (SELECT 1 FROM registered_image g WHERE g.image_id = i.id))`, id)
	if err != nil {
		return err
	}
	if kept {
		return meta.ErrReferenced
	}
	return t.change(`UPDATE image SET archived = 1, archived_at = ?2 WHERE id = ?1`, id, at)
}

// ActivateImage writes all rows of what the image keeps, and so locks them: whoever
// is archiving one of them is waited for.
func (t *tx) ActivateImage(id meta.ImageID, at time.Time) error {
	return t.change(`WITH RECURSIVE below (id) AS (
			SELECT i.id FROM image i WHERE i.id = ?1
			UNION SELECT c.child_id FROM image_child c JOIN below b ON c.parent_id = b.id)
		UPDATE image SET activated_at = CASE WHEN archived = 1 THEN CAST(?2 AS BIGINT) ELSE activated_at END, archived = 0
		WHERE id IN (SELECT id FROM below)`, id, at)
}

// CountArchived counts in the two indexes that have archived images.
func (t *tx) CountArchived(repository meta.RepositoryID) (int64, error) {
	return t.number(`SELECT (SELECT COUNT(*) FROM image i WHERE i.repository_id = ?1 AND i.archived = 1 AND i.tagged = 0)
		+ (SELECT COUNT(*) FROM image i WHERE i.repository_id = ?1 AND i.archived = 1 AND i.tagged = 1)`, repository)
}
