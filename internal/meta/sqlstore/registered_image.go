package sqlstore

import (
	"github.com/lighterage/lighterage/internal/meta"
	"github.com/lighterage/lighterage/internal/name"
)

const registeredSelect = `SELECT m.id, m.service_id, m.label, m.version, m.image_id, i.digest, m.created_at
	FROM registered_image m JOIN image i ON i.id = m.image_id `

func readRegistered(r *row) meta.RegisteredImage {
	return meta.RegisteredImage{
		ID:        r.int(0),
		Service:   meta.ServiceID(r.int(1)),
		Label:     name.Label(r.text(2)),
		Version:   r.int(3),
		Image:     meta.ImageID(r.int(4)),
		Digest:    string(r.digest(5)),
		CreatedAt: r.time(6),
	}
}

// RegisterImage adds the next version. The counter's row makes registrations
// of one label queue, and stays when versions go. ErrNotFound when the service
// or the image is not there.
func (t *tx) RegisterImage(service meta.ServiceID, label name.Label, image meta.ImageID) (meta.RegisteredImage, error) {
	now, err := t.Now()
	if err != nil {
		return meta.RegisteredImage{}, err
	}
	m := meta.RegisteredImage{Service: service, Label: label, Image: image, CreatedAt: now}
	if err := t.row(func(*row) {}, t.locked(`SELECT s.id FROM service s WHERE s.id = ?1`, meta.LockShared, "s"), service); err != nil {
		return meta.RegisteredImage{}, err
	}
	err = t.row(func(r *row) { m.Digest = string(r.digest(0)) }, t.locked(`SELECT i.digest FROM image i WHERE i.id = ?1`, meta.LockShared, "i"), image)
	if err != nil {
		return meta.RegisteredImage{}, err
	}
	m.Version, err = t.number(`INSERT INTO service_label (service_id, label, version) VALUES (?1, ?2, 1)
		ON CONFLICT (service_id, label) DO UPDATE SET version = service_label.version + 1 RETURNING version`, service, label)
	if err != nil {
		return meta.RegisteredImage{}, err
	}
	m.ID, err = t.number(`INSERT INTO registered_image (service_id, label, version, image_id, created_at)
		VALUES (?1, ?2, ?3, ?4, ?5) RETURNING id`, service, label, m.Version, image, now)
	return m, err
}

// RegisteredImages lists the newest first.
func (t *tx) RegisteredImages(service meta.ServiceID, limit int) ([]meta.RegisteredImage, error) {
	var found []meta.RegisteredImage
	err := t.rows(func(r *row) { found = append(found, readRegistered(r)) },
		registeredSelect+`WHERE m.service_id = ?1 ORDER BY m.id DESC LIMIT ?2`, service, limit)
	return found, err
}

// RegisteredImage finds one.
func (t *tx) RegisteredImage(service meta.ServiceID, label name.Label, version int64) (meta.RegisteredImage, error) {
	var found meta.RegisteredImage
	err := t.row(func(r *row) { found = readRegistered(r) },
		registeredSelect+`WHERE m.service_id = ?1 AND m.label = ?2 AND m.version = ?3`, service, label, version)
	return found, err
}

// DeleteRegisteredImage removes one. ErrNotFound.
func (t *tx) DeleteRegisteredImage(id int64) error {
	return t.change(`DELETE FROM registered_image WHERE id = ?1`, id)
}

// ImageRegistered looks for one.
func (t *tx) ImageRegistered(id meta.ImageID) (bool, error) {
	return t.has(`SELECT 1 FROM registered_image WHERE image_id = ?1 LIMIT 1`, id)
}
