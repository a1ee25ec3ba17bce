package sqlstore

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/lighterage/lighterage/internal/digest"
	"github.com/lighterage/lighterage/internal/meta"
)

const (
	activeColumns = `i.id, i.repository_id, i.digest, i.media_type, i.artifact_type, i.config_media_type, i.subject,
	i.manifest_size, i.image_size, i.pushed_at, p.pulled_at`
	imageColumns = activeColumns + `, i.archived, i.archived_at, i.activated_at`
	imageSelect  = `SELECT ` + imageColumns + ` FROM image i LEFT JOIN image_pull p ON p.image_id = i.id `

	// The outer joins give a row whenever the repository is there.
	findImageByTag = `SELECT ` + activeColumns + ` FROM repository_name n
	LEFT JOIN tag t ON t.repository_id = n.repository_id AND t.name = ?3
	LEFT JOIN image i ON i.id = t.image_id AND i.archived = 0
	LEFT JOIN image_pull p ON p.image_id = i.id
	WHERE n.registry_id = ?1 AND n.name = ?2`
	findImageByDigest = `SELECT ` + activeColumns + ` FROM repository_name n
	LEFT JOIN image i ON i.repository_id = n.repository_id AND i.digest = ?3 AND i.archived = 0
	LEFT JOIN image_pull p ON p.image_id = i.id
	WHERE n.registry_id = ?1 AND n.name = ?2`
)

func readImage(r *row) meta.Image {
	i := readActive(r)
	i.Archived, i.ArchivedAt, i.ActivatedAt = r.bool(11), r.time(12), r.time(13)
	return i
}

func readActive(r *row) meta.Image {
	return meta.Image{
		ID:              meta.ImageID(r.int(0)),
		Repository:      meta.RepositoryID(r.int(1)),
		Digest:          r.digest(2),
		MediaType:       r.text(3),
		ArtifactType:    r.text(4),
		ConfigMediaType: r.text(5),
		Subject:         r.digest(6),
		ManifestSize:    r.int(7),
		ImageSize:       r.int(8),
		PushedAt:        r.time(9),
		PulledAt:        r.time(10),
	}
}

func (t *tx) image(sql string, args ...any) (meta.Image, error) {
	var found meta.Image
	err := t.row(func(r *row) { found = readImage(r) }, sql, args...)
	return found, err
}

func (t *tx) images(sql string, args ...any) ([]meta.Image, error) {
	var found []meta.Image
	err := t.rows(func(r *row) { found = append(found, readImage(r)) }, sql, args...)
	return found, err
}

// FindImage looks up by name in one statement.
func (t *tx) FindImage(key meta.RepositoryKey, ref meta.Reference) (meta.Image, error) {
	registry, err := t.registry(key.Registry, key.Space)
	if err != nil {
		return meta.Image{}, noRepository(err)
	}
	var found meta.Image
	read := func(r *row) { found = readActive(r) }
	if ref.Tag != "" {
		err = t.row(read, findImageByTag, registry, key.Name, ref.Tag)
	} else {
		err = t.row(read, findImageByDigest, registry, key.Name, ref.Digest)
	}
	if err != nil {
		return meta.Image{}, noRepository(err)
	}
	if found.ID == 0 {
		return meta.Image{}, meta.ErrNotFound
	}
	return found, nil
}

// noRepository is for a look-up whose only missing row can be the repository.
func noRepository(err error) error {
	if err == meta.ErrNotFound {
		return meta.ErrNoRepository
	}
	return err
}

// Image looks up in a repository.
func (t *tx) Image(repository meta.RepositoryID, ref meta.Reference) (meta.Image, error) {
	if ref.Tag != "" {
		return t.image(`SELECT `+imageColumns+` FROM tag t JOIN image i ON i.id = t.image_id LEFT JOIN image_pull p ON p.image_id = i.id
			WHERE t.repository_id = ?1 AND t.name = ?2`, repository, ref.Tag)
	}
	return t.image(imageSelect+`WHERE i.repository_id = ?1 AND i.digest = ?2`, repository, ref.Digest)
}

// ImageOf looks up by id.
func (t *tx) ImageOf(id meta.ImageID) (meta.Image, error) {
	return t.image(imageSelect+`WHERE i.id = ?1`, id)
}

// Images lists by id. The indexes are of images that are tagged or not, and in
// them of those that are archived or not: what a filter leaves open is two lists.
func (t *tx) Images(repository meta.RepositoryID, f meta.ImageFilter, page meta.Page[meta.ImageID]) ([]meta.Image, error) {
	status, tags := statuses(f.Status), []string{`AND i.tagged = 0 `, `AND i.tagged = 1 `}
	switch f.Tags {
	case meta.Tagged:
		tags = tags[1:]
	case meta.Untagged:
		tags = tags[:1]
	}
	if f == (meta.ImageFilter{}) { // the index of all images
		status, tags = []string{""}, []string{""}
	}
	var lists []string
	for _, status := range status {
		for _, tags := range tags {
			lists = append(lists, `SELECT i.id FROM image i WHERE i.repository_id = ?1 AND i.id > ?2 `+tags+status)
		}
	}
	found, err := t.images(`SELECT `+imageColumns+` FROM `+t.merge(lists, `LIMIT ?3`)+` k JOIN image i ON i.id = k.id LEFT JOIN image_pull p ON p.image_id = i.id`,
		repository, page.After, page.Limit)
	slices.SortFunc(found, func(a, b meta.Image) int { return cmp.Compare(a.ID, b.ID) })
	return found, err
}

// merge is a table of the first ids of all lists, each of which is a query of one
// table that an index has in order. SQLite reads of each as much as it takes;
// PostgreSQL would not see the order, and is told to take no more than limit.
func (t *tx) merge(lists []string, limit string) string {
	if t.session.locks() && len(lists) > 1 {
		for i, list := range lists {
			lists[i] = `SELECT id FROM (` + list + ` ORDER BY 1 ` + limit + fmt.Sprintf(`) k%d`, i)
		}
	}
	return `(` + strings.Join(lists, ` UNION ALL `) + ` ORDER BY 1 ` + limit + `)`
}

// statuses are conditions on image i, of which each has an index.
func statuses(s meta.ImageStatus) []string {
	switch s {
	case meta.Active:
		return []string{`AND i.archived = 0 `}
	case meta.Archived:
		return []string{`AND i.archived = 1 `}
	}
	return []string{`AND i.archived = 0 `, `AND i.archived = 1 `}
}

// ofStatus is a condition on image i.
func ofStatus(s meta.ImageStatus) string {
	switch s {
	case meta.Active:
		return `AND i.archived = 0 `
	case meta.Archived:
		return `AND i.archived = 1 `
	}
	return ""
}

// HasImages looks for one.
func (t *tx) HasImages(repository meta.RepositoryID) (bool, error) {
	return t.has(`SELECT 1 FROM image WHERE repository_id = ?1 LIMIT 1`, repository)
}

// Manifest reads the bytes.
func (t *tx) Manifest(id meta.ImageID) ([]byte, error) {
	var manifest []byte
	err := t.row(func(r *row) { manifest = r.bytes(0) }, `SELECT bytes FROM manifest WHERE image_id = ?1`, id)
	return manifest, err
}

// Annotations reads the text.
func (t *tx) Annotations(id meta.ImageID) (string, error) {
	annotations := ""
	err := t.rows(func(r *row) { annotations = r.text(0) }, `SELECT annotations FROM image_annotation WHERE image_id = ?1`, id)
	return annotations, err
}

// InsertImage adds an image. Its usage counts an index without its children's
// bytes, which they count themselves.
func (t *tx) InsertImage(i meta.Image, manifest []byte, layers []meta.LayerID, children []meta.ImageID) (meta.ImageID, error) {
	usage := i.ManifestSize
	if len(children) == 0 {
		usage += i.ImageSize
	}
	n, err := t.number(`INSERT INTO image (repository_id, digest, media_type, artifact_type, config_media_type, subject,
			manifest_size, image_size, usage_bytes, pushed_at)
		VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10) ON CONFLICT (repository_id, digest) DO NOTHING RETURNING id`,
		i.Repository, i.Digest, i.MediaType, i.ArtifactType, i.ConfigMediaType, i.Subject,
		i.ManifestSize, i.ImageSize, usage, i.PushedAt)
	if err == meta.ErrNotFound {
		return 0, meta.ErrExists
	}
	if err != nil {
		return 0, err
	}
	id := meta.ImageID(n)
	if _, err := t.exec(`INSERT INTO manifest (image_id, bytes) VALUES (?1, ?2)`, id, manifest); err != nil {
		return 0, err
	}
	if i.Annotations != "" {
		if _, err := t.exec(`INSERT INTO image_annotation (image_id, annotations) VALUES (?1, ?2)`, id, i.Annotations); err != nil {
			return 0, err
		}
	}
	if err := t.keep(id, i.Repository, layers, children); err != nil {
		return 0, err
	}
	if !i.PulledAt.IsZero() {
		if _, err := t.exec(`INSERT INTO image_pull (image_id, pulled_at) VALUES (?1, ?2)`, id, i.PulledAt); err != nil {
			return 0, err
		}
	}
	return id, t.changeUsage(i.Repository, 1, usage)
}

// keep records what an image keeps; a row of another repository, or none, is
// ErrNotFound and fails the transaction.
func (t *tx) keep(id meta.ImageID, repository meta.RepositoryID, layers []meta.LayerID, children []meta.ImageID) error {
	for _, layer := range layers {
		n, err := t.exec(`INSERT INTO image_layer (image_id, layer_id)
			SELECT CAST(?1 AS BIGINT), l.id FROM layer l WHERE l.id = ?2 AND l.repository_id = ?3 ON CONFLICT DO NOTHING`, id, layer, repository)
		if err != nil {
			return err
		}
		if n == 0 {
			if err := t.keeps(`SELECT 1 FROM image_layer WHERE image_id = ?1 AND layer_id = ?2`, id, int64(layer)); err != nil {
				return err
			}
		}
	}
	for _, child := range children {
		n, err := t.exec(`INSERT INTO image_child (parent_id, child_id)
			SELECT CAST(?1 AS BIGINT), i.id FROM image i WHERE i.id = ?2 AND i.repository_id = ?3 ON CONFLICT DO NOTHING`, id, child, repository)
		if err != nil {
			return err
		}
		if n == 0 {
			if err := t.keeps(`SELECT 1 FROM image_child WHERE parent_id = ?1 AND child_id = ?2`, id, int64(child)); err != nil {
				return err
			}
		}
	}
	return nil
}

// keeps tells what was named twice from what is not there.
func (t *tx) keeps(sql string, id meta.ImageID, kept int64) error {
	twice, err := t.has(sql, id, kept)
	if err != nil || twice {
		return err
	}
	t.failed = fmt.Errorf("%w: what image %d is to keep, %d", meta.ErrNotFound, id, kept)
	return t.failed
}

// LockImage locks an image and its tags, tags first as PutTag does. Under the
// lock of the image nothing comes to it.
func (t *tx) LockImage(id meta.ImageID) error {
	if !t.session.locks() {
		return nil
	}
	if _, err := t.has(`SELECT 1 FROM tag t WHERE t.image_id = ?1 ORDER BY t.name FOR UPDATE`, id); err != nil {
		return err
	}
	found, err := t.has(`SELECT 1 FROM image i WHERE i.id = ?1 FOR UPDATE`, id)
	if err == nil && !found {
		return meta.ErrNotFound
	}
	return err
}

// What goes with an image.
const (
	dropTags       = `DELETE FROM tag WHERE image_id = ?1`
	dropLayers     = `DELETE FROM image_layer WHERE image_id = ?1`
	dropChildren   = `DELETE FROM image_child WHERE parent_id = ?1`
	dropPull       = `DELETE FROM image_pull WHERE image_id = ?1`
	dropAnnotation = `DELETE FROM image_annotation WHERE image_id = ?1`
	dropManifest   = `DELETE FROM manifest WHERE image_id = ?1`
)

// DeleteImage removes an image that nothing keeps. It asks once what the image
// has, and leaves out the statements about the rest.
func (t *tx) DeleteImage(id meta.ImageID, by string, due time.Time) error {
	if err := t.LockImage(id); err != nil {
		return err
	}
	var repository, usage int64
	var kept, index, pulled, annotated bool
	err := t.row(func(r *row) {
		repository, usage = r.int(0), r.int(1)
		kept, index, pulled, annotated = r.bool(2), r.bool(3), r.bool(4), r.bool(5)
	}, `SELECT i.repository_id, i.usage_bytes,
		CASE WHEN EXISTS (SELECT 1 FROM image_child c WHERE c.child_id = i.id)
			OR EXISTS (SELECT 1 FROM registered_image g WHERE g.image_id = i.id) THEN CAST(1 AS BIGINT) ELSE 0 END,
		CASE WHEN EXISTS (SELECT 1 FROM image_child c WHERE c.parent_id = i.id) THEN CAST(1 AS BIGINT) ELSE 0 END,
		CASE WHEN EXISTS (SELECT 1 FROM image_pull p WHERE p.image_id = i.id) THEN CAST(1 AS BIGINT) ELSE 0 END,
		CASE WHEN EXISTS (SELECT 1 FROM image_annotation a WHERE a.image_id = i.id) THEN CAST(1 AS BIGINT) ELSE 0 END
		FROM image i WHERE i.id = ?1`, id)
	if err != nil {
		return err
	}
	if kept {
		return meta.ErrReferenced
	}
	tags, err := t.forgetTags(id, by)
	if err != nil {
		return err
	}
	layers, err := t.exec(`INSERT INTO review (subject, of_id, due)
		SELECT CAST(?2 AS BIGINT), layer_id, CAST(?3 AS BIGINT) FROM image_layer WHERE image_id = ?1`, id, meta.LayerSubject, due)
	if err != nil {
		return err
	}
	// A child of an index that was pushed to Lightsail is kept by nothing else.
	if index {
		if _, err := t.exec(`INSERT INTO review (subject, of_id, due)
			SELECT CAST(?2 AS BIGINT), c.child_id, CAST(?3 AS BIGINT) FROM image_child c
			JOIN image i ON i.id = c.parent_id JOIN repository r ON r.id = i.repository_id JOIN registry g ON g.id = r.registry_id
			WHERE c.parent_id = ?1 AND g.space = ?4`, id, meta.ImageSubject, due, meta.Lightsail); err != nil {
			return err
		}
	}
	drop := []string{dropManifest}
	for _, d := range []struct {
		has bool
		sql string
	}{{tags > 0, dropTags}, {layers > 0, dropLayers}, {index, dropChildren}, {pulled, dropPull}, {annotated, dropAnnotation}} {
		if d.has {
			drop = append(drop, d.sql)
		}
	}
	if err := t.removeImage(id, drop); err != nil {
		return err
	}
	return t.changeUsage(meta.RepositoryID(repository), -1, -usage)
}

// removeImage removes an image's rows. What still keeps the image makes it
// ErrReferenced, and fails the transaction.
func (t *tx) removeImage(id meta.ImageID, drop []string) error {
	for _, sql := range drop {
		if _, err := t.exec(sql, id); err != nil {
			return err
		}
	}
	return t.change(`DELETE FROM image WHERE id = ?1`, id)
}

// Children lists by id.
func (t *tx) Children(id meta.ImageID) ([]meta.Image, error) {
	return t.images(imageSelect+`JOIN image_child c ON c.child_id = i.id WHERE c.parent_id = ?1 ORDER BY c.child_id`, id)
}

// Parents lists by id.
func (t *tx) Parents(id meta.ImageID, limit int) ([]meta.Image, error) {
	return t.images(imageSelect+`JOIN image_child c ON c.parent_id = i.id WHERE c.child_id = ?1 ORDER BY c.parent_id LIMIT ?2`, id, limit)
}

// Referrers lists by id, from an index of each type and status. Both databases
// know the length of a text without reading it.
func (t *tx) Referrers(repository meta.RepositoryID, subject digest.Digest, f meta.ReferrerFilter, page meta.Page[meta.ImageID]) ([]meta.Referrer, error) {
	args := []any{repository, subject, page.After, page.Limit}
	types := []string{""}
	if len(f.ArtifactTypes) > 0 {
		types, args = typesOf(f.ArtifactTypes, args)
	}
	var lists []string
	for _, status := range statuses(f.Status) {
		for _, is := range types {
			lists = append(lists, `SELECT i.id FROM image i WHERE i.repository_id = ?1 AND i.subject = ?2 AND i.id > ?3 `+is+status)
		}
	}
	var found []meta.Referrer
	err := t.rows(func(r *row) { found = append(found, meta.Referrer{Image: readImage(r), AnnotationsSize: r.int(14)}) },
		`SELECT `+imageColumns+`, CAST(COALESCE(octet_length(a.annotations), 0) AS BIGINT) FROM `+t.merge(lists, `LIMIT ?4`)+` k
		JOIN image i ON i.id = k.id LEFT JOIN image_pull p ON p.image_id = i.id LEFT JOIN image_annotation a ON a.image_id = i.id`, args...)
	slices.SortFunc(found, func(a, b meta.Referrer) int { return cmp.Compare(a.ID, b.ID) })
	return found, err
}

// typesOf are conditions on image i, spelled as the index is, for each type
// once. So that few different texts arise there is a power of two of them; what
// fills it is no type of any image.
func typesOf(types []string, args []any) ([]string, []any) {
	types = slices.Compact(slices.Sorted(slices.Values(types)))
	var conditions []string
	for i := 0; i < len(types) || i&(i-1) != 0; i++ {
		var is any
		if i < len(types) {
			is = types[i]
		}
		args = append(args, is)
		conditions = append(conditions, fmt.Sprintf(`AND (CASE WHEN i.artifact_type <> '' THEN i.artifact_type ELSE i.config_media_type END) = ?%d `, len(args)))
	}
	return conditions, args
}

// RecordPulls sets pull times in the order of ids, so that two recorders
// cannot wait for each other.
func (t *tx) RecordPulls(at map[meta.ImageID]time.Time) error {
	for _, id := range slices.Sorted(maps.Keys(at)) {
		_, err := t.exec(`INSERT INTO image_pull (image_id, pulled_at) SELECT i.id, CAST(?2 AS BIGINT) FROM image i WHERE i.id = ?1
			ON CONFLICT (image_id) DO UPDATE SET pulled_at = excluded.pulled_at WHERE image_pull.pulled_at < excluded.pulled_at`, id, at[id])
		if err != nil {
			return err
		}
	}
	return nil
}

// changeUsage changes a repository's totals. Where rows are locked it records the
// change beside them, so that pushes do not queue for one row.
func (t *tx) changeUsage(repository meta.RepositoryID, images, bytes int64) error {
	if !t.session.locks() {
		return t.addUsage(repository, images, bytes)
	}
	_, err := t.exec(`INSERT INTO usage_delta (repository_id, images, bytes) VALUES (?1, ?2, ?3)`, repository, images, bytes)
	return err
}

func (t *tx) addUsage(repository meta.RepositoryID, images, bytes int64) error {
	_, err := t.exec(`INSERT INTO repository_usage (repository_id, images, bytes) VALUES (?1, ?2, ?3)
		ON CONFLICT (repository_id) DO UPDATE SET images = repository_usage.images + excluded.images, bytes = repository_usage.bytes + excluded.bytes`,
		repository, images, bytes)
	return err
}

// ImageUsage adds the totals and what is not folded yet, in one statement. An
// update that counts folds it, for who counts at every push would add up all
// pushes since the last fold.
func (t *tx) ImageUsage(repository meta.RepositoryID) (images, bytes int64, err error) {
	if t.writes && t.session.locks() {
		if _, err := t.foldUsage(`DELETE FROM usage_delta WHERE repository_id = ?1 RETURNING repository_id, images, bytes`, repository); err != nil {
			return 0, 0, err
		}
	}
	err = t.row(func(r *row) { images, bytes = r.int(0), r.int(1) },
		`SELECT CAST(COALESCE(SUM(u.images), 0) AS BIGINT), CAST(COALESCE(SUM(u.bytes), 0) AS BIGINT) FROM (
			SELECT images, bytes FROM repository_usage WHERE repository_id = ?1
			UNION ALL SELECT images, bytes FROM usage_delta WHERE repository_id = ?1) u`, repository)
	return images, bytes, err
}

// FoldUsage moves the oldest changes into the totals.
func (t *tx) FoldUsage(limit int) (int, error) {
	sql := `SELECT id FROM usage_delta ORDER BY id LIMIT ?1`
	if t.session.locks() {
		sql += ` FOR UPDATE SKIP LOCKED`
	}
	return t.foldUsage(`DELETE FROM usage_delta WHERE id IN (`+sql+`) RETURNING repository_id, images, bytes`, limit)
}

// foldUsage adds what a statement takes away from the changes to the totals.
func (t *tx) foldUsage(take string, of any) (int, error) {
	type sum struct{ images, bytes int64 }
	sums, n := map[int64]sum{}, 0
	err := t.rows(func(r *row) {
		s := sums[r.int(0)]
		sums[r.int(0)] = sum{s.images + r.int(1), s.bytes + r.int(2)}
		n++
	}, take, of)
	if err != nil {
		return 0, err
	}
	for _, repository := range slices.Sorted(maps.Keys(sums)) {
		s := sums[repository]
		if err := t.addUsage(meta.RepositoryID(repository), s.images, s.bytes); err != nil {
			return 0, err
		}
	}
	return n, nil
}
