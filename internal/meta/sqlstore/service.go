package sqlstore

import (
	"errors"

	"github.com/lighterage/lighterage/internal/meta"
	"github.com/lighterage/lighterage/internal/name"
)

const serviceSelect = `SELECT s.id, s.name, s.resource_id, s.power, s.scale, s.disabled, s.created_at FROM service s `

func readService(r *row, registry name.RegistryID) meta.Service {
	return meta.Service{
		ID:         meta.ServiceID(r.int(0)),
		Registry:   registry,
		Name:       name.ServiceName(r.text(1)),
		ResourceID: r.text(2),
		Power:      r.text(3),
		Scale:      r.int(4),
		Disabled:   r.bool(5),
		CreatedAt:  r.time(6),
	}
}

// Service finds one.
func (t *tx) Service(registry name.RegistryID, service name.ServiceName, lock meta.Lock) (meta.Service, error) {
	id, err := t.registry(registry, meta.Lightsail)
	if err != nil {
		return meta.Service{}, err
	}
	var found meta.Service
	err = t.row(func(r *row) { found = readService(r, registry) },
		t.locked(serviceSelect+`WHERE s.registry_id = ?1 AND s.name = ?2`, lock, "s"), id, service)
	return found, err
}

// Services lists by name.
func (t *tx) Services(registry name.RegistryID, page meta.Page[name.ServiceName]) ([]meta.Service, error) {
	id, err := t.registry(registry, meta.Lightsail)
	if errors.Is(err, meta.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var found []meta.Service
	err = t.rows(func(r *row) { found = append(found, readService(r, registry)) },
		serviceSelect+`WHERE s.registry_id = ?1 AND s.name > ?2 ORDER BY s.name LIMIT ?3`, id, page.After, page.Limit)
	return found, err
}

// InsertService adds one to the Lightsail registry.
func (t *tx) InsertService(s meta.Service) (meta.ServiceID, error) {
	registry, err := t.makeRegistry(s.Registry, meta.Lightsail)
	if err != nil {
		return 0, err
	}
	id, err := t.number(`INSERT INTO service (registry_id, name, resource_id, power, scale, disabled, created_at)
		VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT (registry_id, name) DO NOTHING RETURNING id`,
		registry, s.Name, s.ResourceID, s.Power, s.Scale, s.Disabled, s.CreatedAt)
	if err == meta.ErrNotFound {
		return 0, meta.ErrExists
	}
	return meta.ServiceID(id), err
}

// SetService stores what can change.
func (t *tx) SetService(s meta.Service) error {
	return t.change(`UPDATE service SET power = ?2, scale = ?3, disabled = ?4 WHERE id = ?1`, s.ID, s.Power, s.Scale, s.Disabled)
}

// DeleteService removes a service that has no images.
func (t *tx) DeleteService(id meta.ServiceID) error {
	if err := t.row(func(*row) {}, t.locked(`SELECT s.id FROM service s WHERE s.id = ?1`, meta.LockExclusive, "s"), id); err != nil {
		return err
	}
	kept, err := t.has(`SELECT 1 FROM registered_image WHERE service_id = ?1 LIMIT 1`, id)
	if err != nil {
		return err
	}
	if kept {
		return meta.ErrReferenced
	}
	if _, err := t.exec(`DELETE FROM service_label WHERE service_id = ?1`, id); err != nil {
		return err
	}
	if err := t.dropResourceTags(meta.Resource{Kind: meta.ServiceResource, ID: int64(id)}); err != nil {
		return err
	}
	return t.change(`DELETE FROM service WHERE id = ?1`, id)
}
