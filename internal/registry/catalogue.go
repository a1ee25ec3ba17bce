// Package registry holds the rules of repositories, images, tags, layers and
// uploads: what may be put, found, listed and deleted, and in which order the
// bytes and the catalogue are written so that nothing acknowledged is lost.
//
//  1. An image enters a repository only with all its layers and children there
//     (non-distributable layers and subjects excepted).
//  2. What a method returned success for survives kill -9 and power loss;
//     StartUpload and AppendUpload promise less, see there.
//  3. A tag moves only as the repository's mutability allows.
//  4. A layer that a client was told exists stays for the grace that follows.
//  5. Manifests and layers are stored and returned byte for byte.
//
// It knows no HTTP, no SQL and no wire's spelling; who may call is decided
// before. Errors are *fault.Error.
package registry

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"golang.org/x/sync/semaphore"

	"github.com/lighterage/lighterage/internal/blob"
	"github.com/lighterage/lighterage/internal/fault"
	"github.com/lighterage/lighterage/internal/meta"
	"github.com/lighterage/lighterage/internal/name"
)

// Config is what a Catalogue is made of. Every field must be set but Limits.
type Config struct {
	Meta   meta.Store
	Blobs  blob.Store
	Clock  func() time.Time
	Logger *slog.Logger
	BootID string // identifies the machine's boot: unsynced bytes of another one are not trusted
	Limits Limits
	Keys   Keys

	LayerGrace time.Duration // an unreferenced layer lives at least this long
	UploadTTL  time.Duration // an upload not finished by then is dropped
	PushTTL    time.Duration // a Lightsail push not registered by then is dropped
	URLTTL     time.Duration // bytes of a removed blob stay readable this long
}

// Catalogue is the registry's rules over one metadata store and one blob
// store. Its methods are safe for concurrent use.
type Catalogue struct {
	Config
	uploads   *sessions
	recall    recall
	manifests *cache
	bodies    *cache
	pulls     pulls
	parsing   *semaphore.Weighted // bytes of manifests that are being parsed and put
	answers   *semaphore.Weighted // bytes of long answers
}

// The memory given to content-addressed bytes, in bytes.
const (
	manifestCacheSize = 12 << 20
	bodyCacheSize     = 16 << 20
)

// parsingMax is how many bytes of manifests are parsed at once: a manifest made
// for it takes many times its size while it is.
const parsingMax = 8 << 20

// New returns a catalogue. Close it before its stores.
func New(c Config) *Catalogue {
	return &Catalogue{
		Config:    c,
		uploads:   newSessions(),
		recall:    recall{store: c.Meta},
		manifests: newCache(manifestCacheSize),
		bodies:    newCache(bodyCacheSize),
		parsing:   semaphore.NewWeighted(parsingMax),
		answers:   semaphore.NewWeighted(answersMax),
		pulls:     pulls{at: map[ImageID]time.Time{}},
	}
}

// Close writes down the uploads that are only in memory, so that they continue
// after a restart, and the pull times.
func (c *Catalogue) Close(ctx context.Context) error {
	return errors.Join(c.parkUploads(ctx, 0), c.FlushPulls(ctx))
}

// The row types of the catalogue, for the fronts.
type (
	RepositoryKey      = meta.RepositoryKey
	Repository         = meta.Repository
	RepositorySettings = meta.RepositorySettings
	Image              = meta.Image
	Referrer           = meta.Referrer
	Reference          = meta.Reference
	Layer              = meta.Layer
	ResourceTag        = meta.ResourceTag
	TagStatus          = meta.TagStatus
	ImageStatus        = meta.ImageStatus
	ImageFilter        = meta.ImageFilter
	ReferrerFilter     = meta.ReferrerFilter
	Space              = meta.Space
	ImageID            = meta.ImageID
)

// The spaces and filters, for the fronts.
const (
	ECR            = meta.ECR
	Lightsail      = meta.Lightsail
	AnyTagStatus   = meta.AnyTagStatus
	Tagged         = meta.Tagged
	Untagged       = meta.Untagged
	AnyImageStatus = meta.AnyImageStatus
	Active         = meta.Active
	Archived       = meta.Archived
)

// storeFault turns a store's error into a fault about the repository of key.
func storeFault(key RepositoryKey, err error) error {
	if _, ok := errors.AsType[*fault.Error](err); ok || err == nil {
		return err
	}
	reason := meta.Reason(err)
	switch {
	case errors.Is(err, meta.ErrNoRepository):
		return repositoryFault(fault.RepositoryNotFound, key)
	case errors.Is(err, blob.ErrFull):
		reason = fault.StoreFull
	case errors.Is(err, blob.ErrSync):
		reason = fault.StoreUnavailable
	}
	f := repositoryFault(reason, key)
	f.Err = err
	return f
}

func repositoryFault(r fault.Reason, key RepositoryKey) *fault.Error {
	return &fault.Error{Reason: r, Account: string(key.Registry.Account), Repository: string(key.Name)}
}

// live finds a repository inside a transaction.
func live(tx meta.Tx, key RepositoryKey, lock meta.Lock) (Repository, error) {
	r, err := tx.Repository(key, lock)
	if errors.Is(err, meta.ErrNotFound) {
		return r, meta.ErrNoRepository
	}
	return r, err
}

// LightsailRepository is the one repository of a Lightsail space: what docker
// pushes to before RegisterContainerImage.
const LightsailRepository name.RepositoryName = "sr"
