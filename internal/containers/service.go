package containers

import (
	"context"
	"errors"

	"github.com/google/uuid"

	"github.com/lighterage/lighterage/internal/fault"
	"github.com/lighterage/lighterage/internal/meta"
	"github.com/lighterage/lighterage/internal/name"
)

// State is how far a service is.
type State uint8

// The states. A change is finished when it is answered, so Pending and
// Updating are only in the answer that made it, where clients expect them;
// every later reading finds Ready or Disabled.
const (
	Ready    State = iota // there is nothing to run
	Disabled              // by its owner
	Pending               // being created
	Updating
)

// Service is a container service with its state and resource tags.
type Service struct {
	meta.Service
	State State
	Tags  []ResourceTag // by key
}

// ARN names this very service: one created later under its name has another.
func (s Service) ARN() string { return name.ServiceARN(s.Registry, s.ResourceID) }

// rest is the state of a service that is not in the middle of a change.
func rest(s meta.Service) State {
	if s.Disabled {
		return Disabled
	}
	return Ready
}

// CreateService adds a service; the answer's state is Pending.
// ServiceExists, ParameterInvalid, ResourceTagInvalid, TooManyTags,
// LimitExceeded.
func (s *Services) CreateService(ctx context.Context, key Key, power string, scale int64, tags []ResourceTag) (Service, error) {
	if err := s.checkNewTags(tags); err != nil {
		return Service{}, err
	}
	if err := s.checkSize(key, power, scale); err != nil {
		return Service{}, err
	}
	// A registry with a service has the repository to push to. Its row is also
	// what creations queue for, so that they count each other.
	if _, err := s.Repositories.EnsureRepository(ctx, HiddenRepository(key.Registry)); err != nil {
		return Service{}, err
	}
	row := meta.Service{Registry: key.Registry, Name: key.Name, ResourceID: uuid.NewString(), Power: power, Scale: scale}
	var created Service
	err := s.Meta.Update(ctx, func(tx meta.Tx) (err error) {
		created, err = s.insert(tx, key, row, tags)
		return err
	})
	created.State = Pending
	return created, storeFault(key, err)
}

func (s *Services) insert(tx meta.Tx, key Key, row meta.Service, tags []ResourceTag) (Service, error) {
	if _, err := tx.Repository(HiddenRepository(key.Registry), meta.LockExclusive); err != nil {
		return Service{}, err
	}
	switch _, err := tx.Service(key.Registry, key.Name, meta.NoLock); {
	case err == nil:
		return Service{}, serviceFault(fault.ServiceExists, key)
	case !errors.Is(err, meta.ErrNotFound):
		return Service{}, err
	}
	if limit := s.Limits.Services; limit > 0 {
		have, err := tx.Services(key.Registry, meta.Page[name.ServiceName]{Limit: int(limit)})
		if err != nil {
			return Service{}, err
		}
		if int64(len(have)) >= limit {
			f := serviceFault(fault.LimitExceeded, key)
			f.Quota, f.Limit = "container services per region", limit
			return Service{}, f
		}
	}
	var err error
	if row.CreatedAt, err = tx.Now(); err != nil {
		return Service{}, err
	}
	row.ID, err = tx.InsertService(row)
	if errors.Is(err, meta.ErrExists) {
		return Service{}, serviceFault(fault.ServiceExists, key)
	}
	if err != nil {
		return Service{}, err
	}
	if len(tags) > 0 {
		if err := tx.PutResourceTags(resourceOf(row), tags); err != nil {
			return Service{}, err
		}
	}
	return describe(tx, row)
}

// describe adds to a row what is beside it.
func describe(tx meta.Tx, row meta.Service) (Service, error) {
	tags, err := tx.ResourceTags(resourceOf(row))
	return Service{Service: row, State: rest(row), Tags: tags}, err
}

// Change is what of a service is to be another; nil stays.
type Change struct {
	Power    *string
	Scale    *int64
	Disabled *bool
}

// UpdateService changes a service; the answer's state is Updating.
// ServiceNotFound, ParameterInvalid, LimitExceeded.
func (s *Services) UpdateService(ctx context.Context, key Key, c Change) (Service, error) {
	var changed Service
	err := s.Meta.Update(ctx, func(tx meta.Tx) error {
		row, err := live(tx, key, meta.LockExclusive)
		if err != nil {
			return err
		}
		if c.Power != nil {
			row.Power = *c.Power
		}
		if c.Scale != nil {
			row.Scale = *c.Scale
		}
		if c.Disabled != nil {
			row.Disabled = *c.Disabled
		}
		if err := s.checkSize(key, row.Power, row.Scale); err != nil {
			return err
		}
		if err := tx.SetService(row); err != nil {
			return err
		}
		changed, err = describe(tx, row)
		return err
	})
	changed.State = Updating
	return changed, storeFault(key, err)
}

// Service finds one. ServiceNotFound.
func (s *Services) Service(ctx context.Context, key Key) (Service, error) {
	var found Service
	err := s.Meta.View(ctx, func(tx meta.Tx) error {
		row, err := live(tx, key, meta.NoLock)
		if err != nil {
			return err
		}
		found, err = describe(tx, row)
		return err
	})
	return found, storeFault(key, err)
}

// servicesAtOnce bounds what one transaction of a listing reads.
const servicesAtOnce = 100

// Services lists a registry's services by name, all of them: the wire that
// asks knows no pages.
func (s *Services) Services(ctx context.Context, r name.RegistryID) ([]Service, error) {
	var all []Service
	for {
		var page []Service
		after := name.ServiceName("")
		if len(all) > 0 {
			after = all[len(all)-1].Name
		}
		err := s.Meta.View(ctx, func(tx meta.Tx) error {
			page = nil
			rows, err := tx.Services(r, meta.Page[name.ServiceName]{After: after, Limit: servicesAtOnce})
			if err != nil {
				return err
			}
			for _, row := range rows {
				d, err := describe(tx, row)
				if err != nil {
					return err
				}
				page = append(page, d)
			}
			return nil
		})
		if err != nil {
			return nil, storeFault(Key{Registry: r}, err)
		}
		all = append(all, page...)
		if len(page) < servicesAtOnce {
			return all, nil
		}
	}
}

// imagesAtOnce bounds what one transaction of a deletion removes: more than a
// service may have by AWS's quota.
const imagesAtOnce = 200

// DeleteService removes a service with its registered images and tags; the
// name is free at once. ServiceNotFound.
func (s *Services) DeleteService(ctx context.Context, key Key) error {
	for again := false; ; again = true {
		done := false
		err := s.Meta.Update(ctx, func(tx meta.Tx) (err error) {
			done, err = s.deleteSome(tx, key)
			return err
		})
		if again && fault.Is(err, fault.ServiceNotFound) { // somebody else deleted it too
			return nil
		}
		if err != nil || done {
			return storeFault(key, err)
		}
	}
}

// deleteSome removes a bounded number of a service's images and, when none is
// left, the service.
func (s *Services) deleteSome(tx meta.Tx, key Key) (done bool, err error) {
	row, err := live(tx, key, meta.LockExclusive) // no registration meanwhile
	if err != nil {
		return false, err
	}
	images, err := tx.RegisteredImages(row.ID, imagesAtOnce)
	if err != nil {
		return false, err
	}
	for _, i := range images {
		if err := s.forget(tx, i); err != nil {
			return false, err
		}
	}
	if len(images) == imagesAtOnce {
		return false, nil
	}
	return true, tx.DeleteService(row.ID)
}

// OpenRegistry makes sure that there is something to push to. ServiceMissing
// while the registry has no container service to push for.
func (s *Services) OpenRegistry(ctx context.Context, r name.RegistryID) error {
	some := false
	err := s.Meta.View(ctx, func(tx meta.Tx) error {
		rows, err := tx.Services(r, meta.Page[name.ServiceName]{Limit: 1})
		some = len(rows) > 0
		return err
	})
	if err != nil {
		return storeFault(Key{Registry: r}, err)
	}
	if !some {
		return serviceFault(fault.ServiceMissing, Key{Registry: r})
	}
	_, err = s.Repositories.EnsureRepository(ctx, HiddenRepository(r))
	return err
}
