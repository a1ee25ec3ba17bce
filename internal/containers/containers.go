// Package containers holds the rules of Lightsail: container services, and the
// images registered with them under a name of the form ":service.label.N".
//
//  1. A service's name is unique in its registry. A service deleted and created
//     anew is another service: another id, and versions that start at 1.
//  2. N starts at 1 for each service and label, grows by one with each
//     registration, and is never given twice: not at the same time, not after
//     the image that had it was deleted.
//  3. A registered image is one that was pushed to the registry's hidden
//     repository, and stays there, with what it refers to, until its last
//     registration is deleted and the time of a push is over again.
//  4. Each method is one decision in one transaction: it happened, or nothing
//     did. DeleteService alone may be left half-way, with fewer images, and is
//     asked for again.
//
// Services run nothing here. It knows no HTTP, no SQL and no wire's spelling;
// who may call is decided before. Errors are *fault.Error.
package containers

import (
	"context"
	"errors"
	"time"

	"github.com/lighterage/lighterage/internal/fault"
	"github.com/lighterage/lighterage/internal/meta"
	"github.com/lighterage/lighterage/internal/name"
	"github.com/lighterage/lighterage/internal/registry"
)

// Limits is the table of quotas; zero means unlimited. Values and source:
// the Lightsail quotas of the AWS General Reference.
type Limits struct {
	Services     int64 // per registry
	Nodes        int64 // per service: its scale
	Images       int64 // registered at a time, per service
	ResourceTags int   // per service
}

// Repositories makes the hidden repository; *registry.Catalogue does.
type Repositories interface {
	EnsureRepository(ctx context.Context, key registry.RepositoryKey) (registry.Repository, error)
}

// Config is what the rules stand on. Every field must be set but Limits.
type Config struct {
	Meta         meta.Store
	Repositories Repositories
	PushTTL      time.Duration // an image that nothing keeps any more lives this long
	Limits       Limits
}

// Services is the rules over one metadata store. Its methods are safe for
// concurrent use.
type Services struct{ Config }

// New returns the rules.
func New(c Config) *Services { return &Services{c} }

// Key names a service from outside.
type Key struct {
	Registry name.RegistryID
	Name     name.ServiceName
}

// The row types of the rules, for the fronts.
type (
	RegisteredImage = meta.RegisteredImage
	ResourceTag     = meta.ResourceTag
)

// HiddenRepository is the repository that a registry's Lightsail pushes go to.
func HiddenRepository(r name.RegistryID) registry.RepositoryKey {
	return registry.RepositoryKey{Registry: r, Space: registry.Lightsail, Name: registry.LightsailRepository}
}

// storeFault turns the store's error into a fault about the service of key.
func storeFault(key Key, err error) error {
	if _, ok := errors.AsType[*fault.Error](err); ok || err == nil {
		return err
	}
	f := serviceFault(meta.Reason(err), key)
	f.Err = err
	return f
}

func serviceFault(r fault.Reason, key Key) *fault.Error {
	return &fault.Error{Reason: r, Account: string(key.Registry.Account), Service: string(key.Name)}
}

// live finds a service inside a transaction. ServiceNotFound.
func live(tx meta.Tx, key Key, lock meta.Lock) (meta.Service, error) {
	s, err := tx.Service(key.Registry, key.Name, lock)
	if errors.Is(err, meta.ErrNotFound) {
		return s, serviceFault(fault.ServiceNotFound, key)
	}
	return s, err
}
