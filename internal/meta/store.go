// Package meta is the contract of the metadata store: one durable catalogue of
// registries, repositories, images, tags, layers, blobs, uploads, Lightsail
// services, and of the accounts with their identities and policies, read and
// changed in transactions.
//
// It promises:
//
//  1. What Update returned nil for survives kill -9 and power loss.
//  2. An Update that returns an error changed nothing, unless the error is
//     ErrInDoubt.
//  3. A View sees one moment; an Update sees everything committed before it
//     wrote, and loses no change of another.
//  4. A row that keeps another has a foreign key to it: a forgotten check above
//     fails with ErrReferenced, and cannot lose data nor a denial.
//  5. Lists are ordered bytewise and paged by key: a page costs what it
//     returns, wherever it lies.
//
// The rules of a registry live above; rows are plain values here.
package meta

import (
	"context"
	"errors"
	"time"
)

// The sentinels of the contract. Drivers return them wrapped or bare.
var (
	ErrNotFound   = errors.New("meta: not found")
	ErrExists     = errors.New("meta: exists")
	ErrReferenced = errors.New("meta: still referenced")
	// ErrNoRepository is ErrNotFound of the repository in a look-up that goes
	// through one (FindImage, FindLayer).
	ErrNoRepository = errors.New("meta: no such repository")
	// ErrConflict: a compare-and-set found another value.
	ErrConflict = errors.New("meta: changed meanwhile")
	// ErrFull: the store has no room. Nothing was changed.
	ErrFull = errors.New("meta: store is full")
	// ErrUnavailable: the store is away; nothing was changed.
	ErrUnavailable = errors.New("meta: store is unavailable")
	// ErrInDoubt: the commit's outcome is not known.
	ErrInDoubt = errors.New("meta: outcome of the commit is not known")
)

// Store runs transactions. fn may run more than once; it must touch nothing
// but its Tx and variables that it sets anew on each run, whose values count
// only after View or Update returned nil. fn must not keep the Tx.
//
// ctx ends the wait for a transaction, never a statement inside one.
type Store interface {
	View(ctx context.Context, fn func(Tx) error) error
	Update(ctx context.Context, fn func(Tx) error) error
	// Look is View for an fn that mostly asks for one thing, which it may do
	// without a transaction; an fn that asks for more runs again in one.
	Look(ctx context.Context, fn func(Tx) error) error

	// RecentAccessVersion returns what AccessVersion returned at most half a
	// second ago, and no less than what any update that has returned to this
	// process made of it. It costs next to nothing: caches of what decisions
	// depend on ask at every use. A cache may remember the version that it had
	// from here before it began the View that it was filled in.
	RecentAccessVersion(ctx context.Context) (int64, error)

	// Moment returns a number that changes with every update, and whether that
	// can be relied on now: not while a commit is under way, and never where
	// other processes write. A cache may give again what a View showed that
	// began after it had a moment from here, for as long as it has the same one.
	Moment() (moment int64, steady bool)

	// Ping reports whether the store can be read now.
	Ping(ctx context.Context) error
	// Close waits for what runs and releases the store.
	Close() error
}

// Tx is a transaction, by noun. It is used by one goroutine.
type Tx interface {
	// Now is the transaction's time in UTC, to the millisecond: the
	// database's own on PostgreSQL.
	Now() (time.Time, error)

	RepositoryTx
	ImageTx
	TagTx
	LayerTx
	BlobTx
	UploadTx
	ReviewTx
	ServiceTx
	RegisteredImageTx
	ResourceTagTx
	SecretTx

	AccountTx
	PrincipalTx
	AccessKeyTx
	PolicyTx
	AttachmentTx
	InlinePolicyTx
	ResourcePolicyTx
	OIDCProviderTx

	LifecycleTx
}

// Lock says how a row is held until the transaction ends. On a store with a
// single writer it is free.
type Lock uint8

// The strengths of a Lock.
const (
	NoLock        Lock = iota
	LockShared         // nobody removes or re-keys the row meanwhile
	LockExclusive      // nobody else locks it
)

// Page asks for at most Limit rows after the key After (zero value: from the
// start).
type Page[K any] struct {
	After K
	Limit int
}
