package containers

import (
	"context"
	"errors"
	"time"

	"github.com/lighterage/lighterage/internal/fault"
	"github.com/lighterage/lighterage/internal/meta"
)

// The row types of the trash, for the fronts.
type (
	TrashedRegistration = meta.TrashedRegistration
	TrashedService      = meta.TrashedService
	ServiceID           = meta.ServiceID
)

// dropAtOnce bounds one transaction of an emptying.
const dropAtOnce = 100

// UndeleteRegisteredImage brings a registered image back, with its number, into
// the service that had it. ParameterInvalid, ServiceNotFound, NotInTrash,
// LimitExceeded.
func (s *Services) UndeleteRegisteredImage(ctx context.Context, key Key, image string) error {
	n, err := ParseImageName(image)
	if err != nil {
		return err
	}
	absent := serviceFault(fault.NotInTrash, key)
	absent.Image = image
	return storeFault(key, s.Meta.Update(ctx, func(tx meta.Tx) error {
		service, err := live(tx, key, meta.LockExclusive)
		if err != nil {
			return err
		}
		if n.Service != key.Name {
			return absent
		}
		now, err := tx.Now()
		if err != nil {
			return err
		}
		x, err := tx.TrashedRegistration(service.ID, n.Label, n.Version, meta.LockExclusive)
		if errors.Is(err, meta.ErrNotFound) || err == nil && !x.Until.After(now) {
			return absent
		}
		if err != nil {
			return err
		}
		if err := s.checkImageQuota(tx, key, service); err != nil {
			return err
		}
		return tx.RestoreRegisteredImage(x.ID)
	}))
}

// UndeleteService brings back the service that was deleted last under the name,
// with the registered images that went with it. NotInTrash, ServiceExists,
// LimitExceeded.
func (s *Services) UndeleteService(ctx context.Context, key Key) error {
	return storeFault(key, s.Meta.Update(ctx, func(tx meta.Tx) error {
		now, err := tx.Now()
		if err != nil {
			return err
		}
		x, err := tx.TrashedService(key.Registry, key.Name, meta.LockExclusive)
		if errors.Is(err, meta.ErrNotFound) || err == nil && !x.Until.After(now) {
			return serviceFault(fault.NotInTrash, key)
		}
		if err != nil {
			return err
		}
		if _, err := tx.Repository(HiddenRepository(key.Registry), meta.LockExclusive); err != nil && !errors.Is(err, meta.ErrNotFound) {
			return err
		}
		if err := s.checkServiceQuota(tx, key); err != nil {
			return err
		}
		err = tx.RestoreService(x.ID)
		if errors.Is(err, meta.ErrExists) {
			return serviceFault(fault.ServiceExists, key)
		}
		return err
	}))
}

// TrashedRegistrations lists the registered images in the trash of all
// registries by id.
func (s *Services) TrashedRegistrations(ctx context.Context, after int64, limit int) ([]TrashedRegistration, error) {
	var found []TrashedRegistration
	err := s.Meta.View(ctx, func(tx meta.Tx) (err error) {
		found, err = tx.TrashedRegistrations(meta.Page[int64]{After: after, Limit: limit})
		return err
	})
	return found, storeFault(Key{}, err)
}

// TrashedServices lists the services in the trash of all registries by id.
func (s *Services) TrashedServices(ctx context.Context, after ServiceID, limit int) ([]TrashedService, error) {
	var found []TrashedService
	err := s.Meta.View(ctx, func(tx meta.Tx) (err error) {
		found, err = tx.TrashedServices(meta.Page[ServiceID]{After: after, Limit: limit})
		return err
	})
	return found, storeFault(Key{}, err)
}

// EmptyTrash takes out of the trash, for ever, the registered images and
// services that were deleted at the given time or before, or all if it is zero, of all registries, and
// returns how many.
func (s *Services) EmptyTrash(ctx context.Context, before time.Time) (images, services int, err error) {
	for after := int64(0); ; {
		page, err := s.TrashedRegistrations(ctx, after, dropAtOnce)
		if err != nil {
			return images, services, err
		}
		var drop []int64
		for _, x := range page {
			if after = x.ID; before.IsZero() || !x.At.After(before) {
				drop = append(drop, x.ID)
			}
		}
		n, err := dropAll(ctx, s, drop, meta.Tx.DropTrashedRegistration)
		if err != nil {
			return images, services, err
		}
		if images += n; len(page) < dropAtOnce {
			break
		}
	}
	for after := ServiceID(0); ; {
		page, err := s.TrashedServices(ctx, after, dropAtOnce)
		if err != nil {
			return images, services, err
		}
		var drop []ServiceID
		for _, x := range page {
			if after = x.ID; before.IsZero() || !x.At.After(before) {
				drop = append(drop, x.ID)
			}
		}
		n, err := dropAll(ctx, s, drop, meta.Tx.DropTrashedService)
		if err != nil {
			return images, services, err
		}
		if services += n; len(page) < dropAtOnce {
			return images, services, nil
		}
	}
}

// dropAll drops rows in one transaction, but for those that others dropped
// meanwhile, and services that have to wait for their images.
func dropAll[ID any](ctx context.Context, s *Services, ids []ID, drop func(meta.Tx, ID) error) (int, error) {
	if len(ids) == 0 {
		return 0, nil
	}
	n := 0
	err := s.Meta.Update(ctx, func(tx meta.Tx) error {
		n = 0
		for _, id := range ids {
			err := drop(tx, id)
			if errors.Is(err, meta.ErrNotFound) || errors.Is(err, meta.ErrReferenced) {
				continue
			}
			if err != nil {
				return err
			}
			n++
		}
		return nil
	})
	return n, storeFault(Key{}, err)
}
