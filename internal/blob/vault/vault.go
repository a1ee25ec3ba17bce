// Package vault encrypts what a blob store keeps.
//
// A location that ends in the number of a data key has encrypted bytes; all
// others pass as they are. Beyond the promises of package blob it promises:
//
//  1. Bytes at such a location leave the process encrypted only: in the store,
//     and in the state of a checkpoint.
//  2. Bytes that were changed, cut, put together anew or taken from another
//     location are blob.ErrDamaged where they are read, and blob.ErrNotFound if
//     they end like an unfinished upload; none of them is returned.
//  3. Any range is read without what lies before it, but for less than 64 KiB.
//  4. No nonce is used twice, also when an upload goes back to a checkpoint and
//     writes something else.
//  5. Sizes and offsets are those of the plain bytes.
//
// It does not draw keys, and does not decide what is encrypted.
package vault

import (
	"context"
	"crypto/cipher"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/lighterage/lighterage/internal/blob"
	"github.com/lighterage/lighterage/internal/datakey"
	"github.com/lighterage/lighterage/internal/name"
)

// Keys finds data keys by number.
type Keys interface {
	// DataKey returns the key of that number; blob.ErrNotFound if there never was
	// one.
	DataKey(ctx context.Context, number int64) (datakey.Key, error)
}

// Store is a blob.Store around another. Errors of its keys it returns as they
// are.
type Store struct {
	inner blob.Store
	keys  Keys
}

var (
	_ blob.Store     = (*Store)(nil)
	_ blob.Lister    = (*Store)(nil)
	_ blob.Presigner = (*Store)(nil)
	_ blob.Remover   = (*Store)(nil)
	_ blob.Sweeper   = (*Store)(nil)
)

// New returns the store around inner, which it closes. inner lists.
func New(inner blob.Store, keys Keys) *Store { return &Store{inner, keys} }

// NewLocation draws a location without a key: who wants its bytes encrypted adds
// one.
func (s *Store) NewLocation() name.Location { return s.inner.NewLocation() }

// Create begins an upload.
func (s *Store) Create(ctx context.Context, at name.Location) (blob.Upload, error) {
	layers, err := s.layers(ctx, at)
	if err != nil {
		return nil, err
	}
	u, err := s.inner.Create(ctx, at)
	if err != nil {
		return nil, err
	}
	for _, aead := range layers {
		u = newUpload(u, aead)
	}
	return u, nil
}

// Resume continues an upload.
func (s *Store) Resume(ctx context.Context, at name.Location, offset int64, state []byte) (blob.Upload, error) {
	layers, err := s.layers(ctx, at)
	if err != nil {
		return nil, err
	}
	points := make([]checkpoint, len(layers))
	for i := len(layers) - 1; i >= 0; i-- {
		if points[i], err = parseCheckpoint(state, layers[i], offset); err != nil {
			return nil, s.whyNot(ctx, at, err)
		}
		offset, state = points[i].sent*sealedSize, points[i].below
	}
	u, err := s.inner.Resume(ctx, at, offset, state)
	if err != nil {
		return nil, err
	}
	for i, aead := range layers {
		u = points[i].upload(u, aead)
	}
	return u, nil
}

// whyNot returns blob.ErrClosed for what is sealed, else the error. At an offset
// that nothing has, resuming changes nothing.
func (s *Store) whyNot(ctx context.Context, at name.Location, err error) error {
	u, closed := s.inner.Resume(ctx, at, math.MaxInt64, nil)
	if closed == nil {
		u.Close()
	} else if errors.Is(closed, blob.ErrClosed) {
		return closed
	}
	return err
}

// Open opens sealed bytes, after a look at their end; an unfinished upload has
// none. blob.ErrNotFound.
func (s *Store) Open(ctx context.Context, at name.Location) (blob.Reader, error) {
	layers, err := s.layers(ctx, at)
	if err != nil {
		return nil, err
	}
	r, err := s.inner.Open(ctx, at)
	if err != nil {
		return nil, err
	}
	for _, aead := range layers {
		outer := newReader(r, aead)
		if err := outer.end(); err != nil {
			r.Close()
			return nil, fmt.Errorf("open %s: %w", at, err)
		}
		r = outer
	}
	return r, nil
}

// layers returns the ciphers of a location, the store's own side first; none:
// it is not encrypted.
func (s *Store) layers(ctx context.Context, at name.Location) ([]cipher.AEAD, error) {
	number := at.Key()
	if number == 0 {
		return nil, nil
	}
	k, err := s.keys.DataKey(ctx, number)
	if err != nil {
		return nil, err
	}
	return k.Files(string(at))
}

// Remove takes away what is at a location.
func (s *Store) Remove(ctx context.Context, at name.Location) error { return s.inner.Remove(ctx, at) }

// Claim binds the store to an identity.
func (s *Store) Claim(ctx context.Context, identity string) (string, error) {
	return s.inner.Claim(ctx, identity)
}

// Close closes the store.
func (s *Store) Close() error { return s.inner.Close() }

// List lists. Of what is encrypted with a key that cannot be had, the size is
// that of the encrypted bytes.
func (s *Store) List(ctx context.Context, after name.Location, limit int) ([]blob.Item, name.Location, error) {
	items, next, err := s.inner.(blob.Lister).List(ctx, after, limit)
	for i, item := range items {
		number := item.Location.Key()
		if number == 0 {
			continue
		}
		if k, err := s.keys.DataKey(ctx, number); err == nil {
			for range k.Layers() {
				items[i].Size = plainSize(items[i].Size)
			}
		}
	}
	return items, next, err
}

// Presign returns no URL for what is encrypted, or where the inner store has
// none.
func (s *Store) Presign(ctx context.Context, at name.Location, valid time.Duration) (string, error) {
	p, ok := s.inner.(blob.Presigner)
	if !ok || at.Key() != 0 {
		return "", nil
	}
	return p.Presign(ctx, at, valid)
}

// RemoveAll removes many, for the price that the inner store has.
func (s *Store) RemoveAll(ctx context.Context, all []name.Location) ([]name.Location, error) {
	if r, ok := s.inner.(blob.Remover); ok {
		return r.RemoveAll(ctx, all)
	}
	var kept []name.Location
	var failed error
	for _, at := range all {
		if err := s.inner.Remove(ctx, at); err != nil {
			kept, failed = append(kept, at), err
		}
	}
	return kept, failed
}

// Sweep removes what is left of old uploads, if the inner store leaves any.
func (s *Store) Sweep(ctx context.Context, before time.Time) (int, error) {
	if w, ok := s.inner.(blob.Sweeper); ok {
		return w.Sweep(ctx, before)
	}
	return 0, nil
}
