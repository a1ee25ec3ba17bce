package sqlstore

import (
	"errors"
	"fmt"
	"hash/fnv"
	"slices"
	"strings"

	"github.com/lighterage/lighterage/internal/digest"
	"github.com/lighterage/lighterage/internal/meta"
	"github.com/lighterage/lighterage/internal/name"
)

const tagSelect = `SELECT t.name, t.image_id, i.digest, t.updated_at FROM tag t JOIN image i ON i.id = t.image_id `

func readTag(r *row) meta.Tag {
	return meta.Tag{Name: name.Tag(r.text(0)), Image: meta.ImageID(r.int(1)), Digest: r.digest(2), UpdatedAt: r.time(3)}
}

// Tag finds a tag.
func (t *tx) Tag(repository meta.RepositoryID, tag name.Tag) (meta.Tag, error) {
	var found meta.Tag
	err := t.row(func(r *row) { found = readTag(r) }, tagSelect+`WHERE t.repository_id = ?1 AND t.name = ?2`, repository, tag)
	return found, err
}

// Tags lists by name.
func (t *tx) Tags(repository meta.RepositoryID, status meta.ImageStatus, page meta.Page[name.Tag]) ([]meta.Tag, error) {
	var found []meta.Tag
	err := t.rows(func(r *row) { found = append(found, readTag(r)) },
		tagSelect+`WHERE t.repository_id = ?1 AND t.name > ?2 `+ofStatus(status)+`ORDER BY t.name LIMIT ?3`, repository, page.After, page.Limit)
	return found, err
}

// TagNames lists by name. The names are one text, with a blank between them, for
// which no name has room: a row of each would cost ten times as much. Images are
// looked at only where some are archived that have tags.
func (t *tx) TagNames(repository meta.RepositoryID, page meta.Page[name.Tag]) ([]name.Tag, error) {
	text := ""
	err := t.row(func(r *row) { text = r.text(0) }, `SELECT string_agg(u.name, ' ') FROM (
		SELECT t.name FROM tag t WHERE t.repository_id = ?1 AND t.name > ?2
		AND (NOT EXISTS (SELECT 1 FROM image a WHERE a.repository_id = ?1 AND a.archived = 1 AND a.tagged = 1)
			OR EXISTS (SELECT 1 FROM image i WHERE i.id = t.image_id AND i.archived = 0))
		ORDER BY t.name LIMIT ?3) u`, repository, page.After, page.Limit)
	if err != nil || text == "" {
		return nil, err
	}
	found := make([]name.Tag, 0, 1+strings.Count(text, " "))
	for tag := range strings.SplitSeq(text, " ") {
		found = append(found, name.Tag(tag))
	}
	if !slices.IsSorted(found) { // neither database promises the order of the aggregate
		slices.Sort(found)
	}
	return found, nil
}

// TagsOf lists by name.
func (t *tx) TagsOf(image meta.ImageID, limit int) ([]name.Tag, error) {
	var found []name.Tag
	err := t.rows(func(r *row) { found = append(found, name.Tag(r.text(0))) },
		`SELECT name FROM tag WHERE image_id = ?1 ORDER BY name LIMIT ?2`, image, limit)
	return found, err
}

// LockTags locks in the order of the names, as every update does.
func (t *tx) LockTags(repository meta.RepositoryID, tags []name.Tag) error {
	if !t.session.locks() {
		return nil
	}
	for _, tag := range slices.Sorted(slices.Values(tags)) {
		if _, err := t.lockTag(repository, tag); err != nil && !errors.Is(err, meta.ErrNotFound) {
			return err
		}
	}
	return nil
}

// PutTag points a tag to an image. The tag is locked, then the images' rows
// in the order of their ids: whether an image is tagged is written under the
// lock of its row, after a look at the tags that nobody can change meanwhile.
func (t *tx) PutTag(repository meta.RepositoryID, tag name.Tag, image meta.ImageID, by string) error {
	now, err := t.Now()
	if err != nil {
		return err
	}
	old, err := t.lockTag(repository, tag)
	fresh := err == meta.ErrNotFound
	if err != nil && !fresh {
		return err
	}
	digests, err := t.lockTagged(repository, old, image)
	if err != nil {
		return err
	}
	if _, ok := digests[image]; !ok {
		return meta.ErrNotFound
	}
	sql := `UPDATE tag SET image_id = ?3, updated_at = ?4 WHERE repository_id = ?1 AND name = ?2`
	if fresh {
		sql = `INSERT INTO tag (repository_id, name, image_id, updated_at) VALUES (?1, ?2, ?3, ?4)`
	}
	if err := t.change(sql, repository, tag, image, now); err != nil {
		return err
	}
	if _, err := t.exec(`UPDATE image SET tagged = 1 WHERE id = ?1 AND tagged = 0`, image); err != nil {
		return err
	}
	if !fresh && old != image {
		if err := t.untag(old); err != nil {
			return err
		}
	}
	return t.addTagChange(repository, string(tag), digests[old], digests[image], by)
}

// lockTag locks a tag and returns its image. ErrNotFound. The lock is on the
// name, which can be locked before there is a row, and on the row, against
// DeleteImage.
func (t *tx) lockTag(repository meta.RepositoryID, tag name.Tag) (meta.ImageID, error) {
	if t.session.locks() {
		h := fnv.New64a()
		fmt.Fprintf(h, "tag %d %s", repository, tag)
		if _, err := t.has(`SELECT 1 FROM pg_advisory_xact_lock(?1)`, int64(h.Sum64())); err != nil {
			return 0, err
		}
	}
	id, err := t.number(t.locked(`SELECT t.image_id FROM tag t WHERE t.repository_id = ?1 AND t.name = ?2`, meta.LockExclusive, "t"), repository, tag)
	return meta.ImageID(id), err
}

// lockTagged locks images of a repository against changes of their tags, and
// returns the digests of those that are there.
func (t *tx) lockTagged(repository meta.RepositoryID, ids ...meta.ImageID) (map[meta.ImageID]digest.Digest, error) {
	found := make(map[meta.ImageID]digest.Digest, len(ids))
	in, args := list([]any{repository}, ids)
	sql := `SELECT id, digest FROM image WHERE repository_id = ?1 AND id IN ` + in + ` ORDER BY id`
	if t.session.locks() {
		sql += ` FOR NO KEY UPDATE`
	}
	err := t.rows(func(r *row) { found[meta.ImageID(r.int(0))] = r.digest(1) }, sql, args...)
	return found, err
}

// untag clears an image's mark if it has no tag left.
func (t *tx) untag(image meta.ImageID) error {
	_, err := t.exec(`UPDATE image SET tagged = 0 WHERE id = ?1 AND NOT EXISTS (SELECT 1 FROM tag WHERE image_id = ?1)`, image)
	return err
}

// DeleteTag removes a tag, under the locks that PutTag takes.
func (t *tx) DeleteTag(repository meta.RepositoryID, tag name.Tag, by string) error {
	old, err := t.lockTag(repository, tag)
	if err != nil {
		return err
	}
	digests, err := t.lockTagged(repository, old)
	if err != nil {
		return err
	}
	if err := t.change(`DELETE FROM tag WHERE repository_id = ?1 AND name = ?2`, repository, tag); err != nil {
		return err
	}
	if err := t.untag(old); err != nil {
		return err
	}
	return t.addTagChange(repository, string(tag), digests[old], "", by)
}

func (t *tx) addTagChange(repository meta.RepositoryID, tag string, from, to digest.Digest, by string) error {
	now, err := t.Now()
	if err != nil {
		return err
	}
	_, err = t.exec(`INSERT INTO tag_history (repository_id, name, old_digest, new_digest, changed_by, changed_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6)`,
		repository, tag, from, to, by, now)
	return err
}

// forgetTags records that an image loses its tags, and returns how many it has.
func (t *tx) forgetTags(id meta.ImageID, by string) (int64, error) {
	now, err := t.Now()
	if err != nil {
		return 0, err
	}
	return t.exec(`INSERT INTO tag_history (repository_id, name, old_digest, changed_by, changed_at)
		SELECT t.repository_id, t.name, i.digest, CAST(?2 AS TEXT), CAST(?3 AS BIGINT) FROM tag t JOIN image i ON i.id = t.image_id
		WHERE t.image_id = ?1 ORDER BY t.name`, id, by, now)
}

// TagHistory lists newest first.
func (t *tx) TagHistory(repository meta.RepositoryID, tag name.Tag, limit int) ([]meta.TagChange, error) {
	var found []meta.TagChange
	err := t.rows(func(r *row) {
		found = append(found, meta.TagChange{Tag: tag, Old: r.digest(0), New: r.digest(1), By: r.text(2), When: r.time(3)})
	}, `SELECT old_digest, new_digest, changed_by, changed_at FROM tag_history
		WHERE repository_id = ?1 AND name = ?2 ORDER BY id DESC LIMIT ?3`, repository, tag, limit)
	return found, err
}
