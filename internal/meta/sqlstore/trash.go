package sqlstore

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/lighterage/lighterage/internal/digest"
	"github.com/lighterage/lighterage/internal/meta"
	"github.com/lighterage/lighterage/internal/name"
)

const trashedSelect = `SELECT x.id, x.repository_id, x.digest, x.media_type, x.artifact_type, x.config_media_type, x.subject,
	x.manifest_size, x.image_size, x.pushed_at, x.pulled_at, x.archived, x.archived_at, x.activated_at,
	x.tags, x.deleted_by, x.deleted_at, x.until, g.account, g.region, g.space, r.name
	FROM trash_image x JOIN repository r ON r.id = x.repository_id JOIN registry g ON g.id = r.registry_id `

func readTrashed(r *row) meta.TrashedImage {
	x := meta.TrashedImage{
		TrashID: meta.TrashID(r.int(0)),
		Image: meta.Image{
			Repository: meta.RepositoryID(r.int(1)), Digest: r.digest(2), MediaType: r.text(3), ArtifactType: r.text(4), ConfigMediaType: r.text(5),
			Subject: r.digest(6), ManifestSize: r.int(7), ImageSize: r.int(8), PushedAt: r.time(9), PulledAt: r.time(10),
			Archived: r.bool(11), ArchivedAt: r.time(12), ActivatedAt: r.time(13),
		},
		Discarded: readDiscarded(r, 15),
		Key:       meta.RepositoryKey{Registry: readRegistry(r, 18), Space: meta.Space(r.int(20)), Name: name.RepositoryName(r.text(21))},
	}
	for tag := range strings.FieldsSeq(r.text(14)) {
		x.Tags = append(x.Tags, name.Tag(tag))
	}
	slices.Sort(x.Tags)
	x.Tags = slices.Compact(x.Tags)
	return x
}

func readDiscarded(r *row, from int) meta.Discarded {
	return meta.Discarded{By: r.text(from), At: r.time(from + 1), Until: r.time(from + 2)}
}

func readRegistry(r *row, from int) name.RegistryID {
	return name.RegistryID{Account: name.AccountID(r.text(from)), Region: name.Region(r.text(from + 1))}
}

func (t *tx) trashed(sql string, args ...any) ([]meta.TrashedImage, error) {
	var found []meta.TrashedImage
	err := t.rows(func(r *row) { found = append(found, readTrashed(r)) }, sql, args...)
	return found, err
}

// DiscardImage removes an image that nothing keeps, after a copy.
func (t *tx) DiscardImage(id meta.ImageID, due time.Time, d meta.Discard) error {
	return t.deleteImage(id, d.By, due, &d)
}

// discard copies an image with its tags, and what it keeps. Tags have no blanks.
func (t *tx) discard(id meta.ImageID, d *meta.Discard) error {
	now, err := t.Now()
	if err != nil {
		return err
	}
	var more []string
	for _, tag := range d.Tags {
		more = append(more, string(tag))
	}
	trash, err := t.number(`INSERT INTO trash_image (repository_id, digest, media_type, artifact_type, config_media_type, subject,
			manifest_size, image_size, usage_bytes, pushed_at, pulled_at, archived, archived_at, activated_at,
			tags, deleted_by, deleted_at, until, annotations, manifest)
		SELECT i.repository_id, i.digest, i.media_type, i.artifact_type, i.config_media_type, i.subject,
			i.manifest_size, i.image_size, i.usage_bytes, i.pushed_at, COALESCE(p.pulled_at, 0), i.archived, i.archived_at, i.activated_at,
			CAST(?2 AS TEXT) || COALESCE((SELECT string_agg(t.name, ' ') FROM tag t WHERE t.image_id = i.id), ''),
			CAST(?3 AS TEXT), CAST(?4 AS BIGINT), CAST(?5 AS BIGINT), COALESCE(a.annotations, ''), m.bytes
		FROM image i JOIN manifest m ON m.image_id = i.id
		LEFT JOIN image_pull p ON p.image_id = i.id LEFT JOIN image_annotation a ON a.image_id = i.id
		WHERE i.id = ?1 RETURNING id`, id, strings.Join(append(more, ""), " "), d.By, now, d.Until)
	if err != nil {
		return err
	}
	_, err = t.exec(`INSERT INTO trash_blob (trash_id, blob_id)
		SELECT CAST(?2 AS BIGINT), l.blob_id FROM image_layer k JOIN layer l ON l.id = k.layer_id WHERE k.image_id = ?1`, id, trash)
	return err
}

// TrashedImage finds one.
func (t *tx) TrashedImage(id meta.TrashID, lock meta.Lock) (meta.TrashedImage, error) {
	return one(t.trashed(t.locked(trashedSelect+`WHERE x.id = ?1`, lock, "x"), id))
}

// one is the first of a list. ErrNotFound.
func one[T any](list []T, err error) (T, error) {
	var first T
	if err == nil && len(list) == 0 {
		err = meta.ErrNotFound
	}
	if err == nil {
		first = list[0]
	}
	return first, err
}

// LastTrashedImage looks at the newest.
func (t *tx) LastTrashedImage(repository meta.RepositoryID, d digest.Digest) (meta.TrashedImage, error) {
	return one(t.trashed(trashedSelect+`WHERE x.repository_id = ?1 AND x.digest = ?2 ORDER BY x.id DESC LIMIT 1`, repository, d))
}

// TrashedReferrers lists by id.
func (t *tx) TrashedReferrers(repository meta.RepositoryID, subject digest.Digest, limit int) ([]meta.TrashedImage, error) {
	return t.trashed(trashedSelect+`WHERE x.repository_id = ?1 AND x.subject = ?2 ORDER BY x.id LIMIT ?3`, repository, subject, limit)
}

// TrashedImages lists by id.
func (t *tx) TrashedImages(page meta.Page[meta.TrashID]) ([]meta.TrashedImage, error) {
	return t.trashed(trashedSelect+`WHERE x.id > ?1 ORDER BY x.id LIMIT ?2`, page.After, page.Limit)
}

// TrashedManifest reads the bytes.
func (t *tx) TrashedManifest(id meta.TrashID) ([]byte, error) {
	var body []byte
	err := t.row(func(r *row) { body = r.bytes(0) }, `SELECT manifest FROM trash_image WHERE id = ?1`, id)
	return body, err
}

// TrashedBlobs lists by the blob's id.
func (t *tx) TrashedBlobs(id meta.TrashID) ([]meta.Blob, error) {
	var found []meta.Blob
	err := t.rows(func(r *row) { found = append(found, readBlob(r)) },
		`SELECT `+blobColumns+` FROM trash_blob x JOIN blob b ON b.id = x.blob_id WHERE x.trash_id = ?1 ORDER BY x.blob_id`, id)
	return found, err
}

const blobColumns = `b.id, b.domain, b.digest, b.size, b.location, b.state`

func readBlob(r *row) meta.Blob {
	return meta.Blob{
		ID: meta.BlobID(r.int(0)), Domain: r.int(1), Digest: r.digest(2), Size: r.int(3), Location: name.Location(r.text(4)), State: meta.BlobState(r.int(5)),
	}
}

// RestoreImage moves rows back.
func (t *tx) RestoreImage(id meta.TrashID, layers []meta.LayerID, children []meta.ImageID) (meta.ImageID, error) {
	x, err := t.TrashedImage(id, meta.LockExclusive)
	if err != nil {
		return 0, err
	}
	usage, err := t.number(`SELECT usage_bytes FROM trash_image WHERE id = ?1`, id)
	if err != nil {
		return 0, err
	}
	n, err := t.number(`INSERT INTO image (repository_id, digest, media_type, artifact_type, config_media_type, subject,
			manifest_size, image_size, usage_bytes, pushed_at, archived, archived_at, activated_at)
		SELECT repository_id, digest, media_type, artifact_type, config_media_type, subject,
			manifest_size, image_size, usage_bytes, pushed_at, archived, archived_at, activated_at FROM trash_image WHERE id = ?1
		ON CONFLICT (repository_id, digest) DO NOTHING RETURNING id`, id)
	if err == meta.ErrNotFound {
		return 0, meta.ErrExists
	}
	if err != nil {
		return 0, err
	}
	image := meta.ImageID(n)
	for _, sql := range []string{
		`INSERT INTO manifest (image_id, bytes) SELECT CAST(?1 AS BIGINT), manifest FROM trash_image WHERE id = ?2`,
		`INSERT INTO image_annotation (image_id, annotations) SELECT CAST(?1 AS BIGINT), annotations FROM trash_image WHERE id = ?2 AND annotations <> ''`,
		`INSERT INTO image_pull (image_id, pulled_at) SELECT CAST(?1 AS BIGINT), pulled_at FROM trash_image WHERE id = ?2 AND pulled_at > 0`,
	} {
		if _, err := t.exec(sql, image, id); err != nil {
			return 0, err
		}
	}
	if err := t.keep(image, x.Repository, layers, children); err != nil {
		return 0, err
	}
	if err := t.dropTrashedImage(id); err != nil {
		return 0, err
	}
	return image, t.changeUsage(x.Repository, 1, usage)
}

func (t *tx) dropTrashedImage(id meta.TrashID) error {
	if _, err := t.exec(`DELETE FROM trash_blob WHERE trash_id = ?1`, id); err != nil {
		return err
	}
	return t.change(`DELETE FROM trash_image WHERE id = ?1`, id)
}

// DropTrashedImage asks about all blobs: a layer that keeps one now may go
// while the row is still there that kept it too.
func (t *tx) DropTrashedImage(id meta.TrashID, due time.Time) error {
	if err := t.hold(`SELECT x.id FROM trash_image x WHERE x.id = ?1`, meta.LockExclusive, "x", id); err != nil {
		return err
	}
	_, err := t.exec(`INSERT INTO review (subject, of_id, due)
		SELECT CAST(?2 AS BIGINT), blob_id, CAST(?3 AS BIGINT) FROM trash_blob WHERE trash_id = ?1`, id, meta.BlobSubject, due)
	if err != nil {
		return err
	}
	return t.dropTrashedImage(id)
}

// DiscardRepository copies what unlinking drops.
func (t *tx) DiscardRepository(id meta.RepositoryID, d meta.Discard) error {
	now, err := t.Now()
	if err != nil {
		return err
	}
	err = t.change(`INSERT INTO trash_repository (repository_id, registry_id, name, policy, lifecycle, lifecycle_set_at, deleted_by, deleted_at, until)
		SELECT n.repository_id, n.registry_id, n.name, COALESCE(p.document, ''), COALESCE(l.document, ''), COALESCE(l.set_at, 0),
			CAST(?2 AS TEXT), CAST(?3 AS BIGINT), CAST(?4 AS BIGINT)
		FROM repository_name n LEFT JOIN repository_policy p ON p.repository_id = n.repository_id
		LEFT JOIN lifecycle_policy l ON l.repository_id = n.repository_id WHERE n.repository_id = ?1`, id, d.By, now, d.Until)
	if err != nil {
		return err
	}
	return t.UnlinkRepository(id)
}

const trashedRepositorySelect = `SELECT ` + repositoryColumns + `, x.deleted_by, x.deleted_at, x.until, g.account, g.region, g.space
	FROM trash_repository x JOIN repository r ON r.id = x.repository_id JOIN registry g ON g.id = x.registry_id `

func (t *tx) trashedRepositories(sql string, args ...any) ([]meta.TrashedRepository, error) {
	var found []meta.TrashedRepository
	err := t.rows(func(r *row) {
		found = append(found, meta.TrashedRepository{
			Repository: readRepository(r, readRegistry(r, 11), meta.Space(r.int(13))), Discarded: readDiscarded(r, 8),
		})
	}, sql, args...)
	return found, err
}

// TrashedRepository looks at the latest.
func (t *tx) TrashedRepository(key meta.RepositoryKey, lock meta.Lock) (meta.TrashedRepository, error) {
	registry, err := t.registry(key.Registry, key.Space)
	if err != nil {
		return meta.TrashedRepository{}, err
	}
	return one(t.trashedRepositories(
		t.locked(trashedRepositorySelect+`WHERE x.registry_id = ?1 AND x.name = ?2 ORDER BY x.deleted_at DESC, x.repository_id DESC LIMIT 1`, lock, "x"), registry, key.Name))
}

// TrashedRepositories lists by id.
func (t *tx) TrashedRepositories(page meta.Page[meta.RepositoryID]) ([]meta.TrashedRepository, error) {
	return t.trashedRepositories(trashedRepositorySelect+`WHERE x.repository_id > ?1 ORDER BY x.repository_id LIMIT ?2`, page.After, page.Limit)
}

// RestoreRepository moves the name back, under the lock of InsertRepository.
func (t *tx) RestoreRepository(id meta.RepositoryID, as name.RepositoryName, due time.Time) error {
	registry, err := t.number(t.locked(`SELECT x.registry_id FROM trash_repository x WHERE x.repository_id = ?1`, meta.LockExclusive, "x"), id)
	if err != nil {
		return err
	}
	if err := t.hold(`SELECT g.id FROM registry g WHERE g.id = ?1`, meta.LockExclusive, "g", registry); err != nil {
		return err
	}
	taken, err := t.has(`SELECT 1 FROM repository_name WHERE registry_id = ?1 AND name = ?2`, registry, as)
	if err != nil {
		return err
	}
	if taken {
		return meta.ErrExists
	}
	t.access = true // what decisions knew of the name
	for _, s := range []struct {
		sql  string
		args []any
	}{
		{`INSERT INTO repository_name (registry_id, name, repository_id) VALUES (?1, ?2, ?3)`, []any{registry, as, id}},
		{`UPDATE repository SET name = ?2 WHERE id = ?1`, []any{id, as}},
		{`INSERT INTO repository_policy (repository_id, document) SELECT repository_id, policy FROM trash_repository WHERE repository_id = ?1 AND policy <> ''`, []any{id}},
		{`INSERT INTO lifecycle_policy (repository_id, document, set_at, evaluated_at, due_at)
			SELECT repository_id, lifecycle, lifecycle_set_at, 0, CAST(?2 AS BIGINT) FROM trash_repository WHERE repository_id = ?1 AND lifecycle <> ''`, []any{id, due}},
		{`DELETE FROM trash_repository WHERE repository_id = ?1`, []any{id}},
		{`UPDATE registry SET repositories = repositories + 1 WHERE id = ?1`, []any{registry}},
	} {
		if _, err := t.exec(s.sql, s.args...); err != nil {
			return err
		}
	}
	return nil
}

// DropTrashedRepository leaves the rest to who purges it.
func (t *tx) DropTrashedRepository(id meta.RepositoryID) error {
	now, err := t.Now()
	if err != nil {
		return err
	}
	if err := t.change(`DELETE FROM trash_repository WHERE repository_id = ?1`, id); err != nil {
		return err
	}
	return t.EnqueueReview(meta.RepositorySubject, int64(id), now)
}

// purgeTrash removes what of an unlinked repository is in the trash.
func (t *tx) purgeTrash(id meta.RepositoryID, limit int, _ time.Time) (int, error) {
	now, err := t.Now()
	if err != nil {
		return 0, err
	}
	images, err := t.numbers(`SELECT id FROM trash_image WHERE repository_id = ?1 ORDER BY digest, id LIMIT ?2`, id, limit)
	if err != nil {
		return 0, err
	}
	for _, image := range images {
		if err := t.DropTrashedImage(meta.TrashID(image), now); err != nil && !errors.Is(err, meta.ErrNotFound) {
			return 0, err
		}
	}
	return len(images), nil
}

// DueTrash lists each sort by its time.
func (t *tx) DueTrash(now time.Time, limit int) (meta.DueTrash, error) {
	var due meta.DueTrash
	images, err := t.numbers(`SELECT id FROM trash_image WHERE until <= ?1 ORDER BY until, id LIMIT ?2`, now, limit)
	if err != nil {
		return due, err
	}
	due.Images = ids[meta.TrashID](images)
	repositories, err := t.numbers(`SELECT repository_id FROM trash_repository WHERE until <= ?1 ORDER BY until, repository_id LIMIT ?2`, now, limit)
	if err != nil {
		return due, err
	}
	due.Repositories = ids[meta.RepositoryID](repositories)
	due.Registrations, err = t.numbers(`SELECT id FROM trash_registered WHERE until <= ?1 ORDER BY until, id LIMIT ?2`, now, limit)
	if err != nil {
		return due, err
	}
	services, err := t.numbers(`SELECT service_id FROM trash_service WHERE until <= ?1 ORDER BY until, service_id LIMIT ?2`, now, limit)
	due.Services = ids[meta.ServiceID](services)
	return due, err
}

func ids[ID ~int64](numbers []int64) []ID {
	var all []ID
	for _, n := range numbers {
		all = append(all, ID(n))
	}
	return all
}

// BlobOf looks up by id.
func (t *tx) BlobOf(id meta.BlobID) (meta.Blob, error) {
	var found meta.Blob
	err := t.row(func(r *row) { found = readBlob(r) }, t.locked(`SELECT `+blobColumns+` FROM blob b WHERE b.id = ?1`, meta.LockExclusive, "b"), id)
	return found, err
}

// BlobKept looks for one row of each sort, under the lock of the blob: a layer
// takes it before it goes.
func (t *tx) BlobKept(id meta.BlobID) (bool, error) {
	if err := t.hold(`SELECT b.id FROM blob b WHERE b.id = ?1`, meta.LockExclusive, "b", id); err != nil {
		return false, err
	}
	return t.blobKept(id)
}

func (t *tx) blobKept(id meta.BlobID) (bool, error) {
	kept, err := t.has(`SELECT 1 FROM layer WHERE blob_id = ?1 LIMIT 1`, id)
	if err != nil || kept {
		return kept, err
	}
	return t.has(`SELECT 1 FROM trash_blob WHERE blob_id = ?1 LIMIT 1`, id)
}

// DeleteBlob removes a blob that nothing keeps.
func (t *tx) DeleteBlob(id meta.BlobID, removeAfter time.Time) error {
	b, err := t.BlobOf(id)
	if err != nil {
		return err
	}
	kept, err := t.blobKept(id)
	if err != nil {
		return err
	}
	if kept {
		return meta.ErrReferenced
	}
	return t.deleteBlob(b, removeAfter)
}

// DiscardRegisteredImage moves one. ErrNotFound.
func (t *tx) DiscardRegisteredImage(id int64, withService bool, d meta.Discard) error {
	now, err := t.Now()
	if err != nil {
		return err
	}
	err = t.change(`INSERT INTO trash_registered (id, service_id, label, version, image_id, created_at, with_service,
			registry_id, service_name, deleted_by, deleted_at, until)
		SELECT m.id, m.service_id, m.label, m.version, m.image_id, m.created_at, CAST(?2 AS BIGINT),
			s.registry_id, s.name, CAST(?3 AS TEXT), CAST(?4 AS BIGINT), CAST(?5 AS BIGINT)
		FROM registered_image m JOIN service s ON s.id = m.service_id WHERE m.id = ?1`, id, withService, d.By, now, d.Until)
	if err != nil {
		return err
	}
	return t.DeleteRegisteredImage(id)
}

const trashedRegistrationSelect = `SELECT x.id, x.service_id, x.label, x.version, x.image_id, i.digest, x.created_at,
	x.with_service, x.service_name, x.deleted_by, x.deleted_at, x.until, g.account, g.region
	FROM trash_registered x JOIN image i ON i.id = x.image_id JOIN registry g ON g.id = x.registry_id `

func (t *tx) trashedRegistrations(sql string, args ...any) ([]meta.TrashedRegistration, error) {
	var found []meta.TrashedRegistration
	err := t.rows(func(r *row) {
		found = append(found, meta.TrashedRegistration{
			RegisteredImage: readRegistered(r), WithService: r.bool(7), ServiceName: name.ServiceName(r.text(8)),
			Discarded: readDiscarded(r, 9), Registry: readRegistry(r, 12),
		})
	}, sql, args...)
	return found, err
}

// TrashedRegistration finds one: a version is given once.
func (t *tx) TrashedRegistration(service meta.ServiceID, label name.Label, version int64, lock meta.Lock) (meta.TrashedRegistration, error) {
	return one(t.trashedRegistrations(
		t.locked(trashedRegistrationSelect+`WHERE x.service_id = ?1 AND x.label = ?2 AND x.version = ?3`, lock, "x"), service, label, version))
}

// TrashedRegistrations lists by id.
func (t *tx) TrashedRegistrations(page meta.Page[int64]) ([]meta.TrashedRegistration, error) {
	return t.trashedRegistrations(trashedRegistrationSelect+`WHERE x.id > ?1 ORDER BY x.id LIMIT ?2`, page.After, page.Limit)
}

const restoreRegistered = `INSERT INTO registered_image (id, service_id, label, version, image_id, created_at)
	SELECT x.id, x.service_id, x.label, x.version, x.image_id, x.created_at FROM trash_registered x JOIN service s ON s.id = x.service_id `

// RestoreRegisteredImage moves one back, under the lock of its service.
func (t *tx) RestoreRegisteredImage(id int64) error {
	if err := t.hold(`SELECT s.id FROM service s JOIN trash_registered x ON x.service_id = s.id WHERE x.id = ?1`, meta.LockExclusive, "s, x", id); err != nil {
		return err
	}
	if err := t.change(restoreRegistered+`WHERE x.id = ?1`, id); err != nil {
		return err
	}
	return t.change(`DELETE FROM trash_registered WHERE id = ?1`, id)
}

// DropTrashedRegistration has the image looked at, which nothing else may keep.
func (t *tx) DropTrashedRegistration(id int64) error {
	now, err := t.Now()
	if err != nil {
		return err
	}
	image, err := t.number(`DELETE FROM trash_registered WHERE id = ?1 RETURNING image_id`, id)
	if err != nil {
		return err
	}
	return t.EnqueueReview(meta.ImageSubject, image, now)
}

// DiscardService moves a service that has no images with its counters.
func (t *tx) DiscardService(id meta.ServiceID, d meta.Discard) error {
	now, err := t.Now()
	if err != nil {
		return err
	}
	if err := t.lockEmptyService(id); err != nil {
		return err
	}
	err = t.change(`INSERT INTO trash_service (service_id, registry_id, name, resource_id, power, scale, disabled, created_at,
			labels, deleted_by, deleted_at, until)
		SELECT s.id, s.registry_id, s.name, s.resource_id, s.power, s.scale, s.disabled, s.created_at,
			COALESCE((SELECT string_agg(l.label || ' ' || CAST(l.version AS TEXT), ' ') FROM service_label l WHERE l.service_id = s.id), ''),
			CAST(?2 AS TEXT), CAST(?3 AS BIGINT), CAST(?4 AS BIGINT) FROM service s WHERE s.id = ?1`, id, d.By, now, d.Until)
	if err != nil {
		return err
	}
	if _, err := t.exec(`DELETE FROM service_label WHERE service_id = ?1`, id); err != nil {
		return err
	}
	return t.change(`DELETE FROM service WHERE id = ?1`, id)
}

const trashedServiceSelect = `SELECT x.service_id, x.name, x.resource_id, x.power, x.scale, x.disabled, x.created_at,
	x.deleted_by, x.deleted_at, x.until, g.account, g.region FROM trash_service x JOIN registry g ON g.id = x.registry_id `

func (t *tx) trashedServices(sql string, args ...any) ([]meta.TrashedService, error) {
	var found []meta.TrashedService
	err := t.rows(func(r *row) {
		found = append(found, meta.TrashedService{Service: readService(r, readRegistry(r, 10)), Discarded: readDiscarded(r, 7)})
	}, sql, args...)
	return found, err
}

// TrashedService looks at the latest.
func (t *tx) TrashedService(registry name.RegistryID, service name.ServiceName, lock meta.Lock) (meta.TrashedService, error) {
	id, err := t.registry(registry, meta.Lightsail)
	if err != nil {
		return meta.TrashedService{}, err
	}
	return one(t.trashedServices(
		t.locked(trashedServiceSelect+`WHERE x.registry_id = ?1 AND x.name = ?2 ORDER BY x.deleted_at DESC, x.service_id DESC LIMIT 1`, lock, "x"), id, service))
}

// TrashedServices lists by id.
func (t *tx) TrashedServices(page meta.Page[meta.ServiceID]) ([]meta.TrashedService, error) {
	return t.trashedServices(trashedServiceSelect+`WHERE x.service_id > ?1 ORDER BY x.service_id LIMIT ?2`, page.After, page.Limit)
}

// RestoreService moves a service back under its id, with its counters.
func (t *tx) RestoreService(id meta.ServiceID) error {
	labels, err := t.text(t.locked(`SELECT x.labels FROM trash_service x WHERE x.service_id = ?1`, meta.LockExclusive, "x"), id)
	if err != nil {
		return err
	}
	n, err := t.exec(`INSERT INTO service (id, registry_id, name, resource_id, power, scale, disabled, created_at)
		SELECT service_id, registry_id, name, resource_id, power, scale, disabled, created_at FROM trash_service WHERE service_id = ?1
		ON CONFLICT DO NOTHING`, id)
	if err != nil {
		return err
	}
	if n == 0 {
		return meta.ErrExists
	}
	t.access = true // its resource tags are somebody's again
	for pair := range slices.Chunk(strings.Fields(labels), 2) {
		version, err := strconv.ParseInt(pair[len(pair)-1], 10, 64)
		if err != nil {
			return fmt.Errorf("labels of service %d: %w", id, err)
		}
		if _, err := t.exec(`INSERT INTO service_label (service_id, label, version) VALUES (?1, ?2, ?3)`, id, pair[0], version); err != nil {
			return err
		}
	}
	for _, sql := range []string{
		restoreRegistered + `WHERE x.service_id = ?1 AND x.with_service = 1`,
		`DELETE FROM trash_registered WHERE service_id = ?1 AND with_service = 1`,
		`DELETE FROM trash_service WHERE service_id = ?1`,
	} {
		if _, err := t.exec(sql, id); err != nil {
			return err
		}
	}
	return nil
}

// DropTrashedService forgets a service whose images are forgotten.
func (t *tx) DropTrashedService(id meta.ServiceID) error {
	if err := t.hold(`SELECT x.service_id FROM trash_service x WHERE x.service_id = ?1`, meta.LockExclusive, "x", id); err != nil {
		return err
	}
	kept, err := t.has(`SELECT 1 FROM trash_registered WHERE service_id = ?1 AND with_service = 1 LIMIT 1`, id)
	if err != nil {
		return err
	}
	if kept {
		return meta.ErrReferenced
	}
	if err := t.dropResourceTags(meta.Resource{Kind: meta.ServiceResource, ID: int64(id)}); err != nil {
		return err
	}
	return t.change(`DELETE FROM trash_service WHERE service_id = ?1`, id)
}
