// Package move takes the bytes of a catalogue's blobs from one store to
// another, after the rows: for moves, and for what comes back from a backup.
//
//  1. Bytes are hashed as they pass. What does not hash to its digest is not
//     placed.
//  2. No location is written to before the target's catalogue has noted it, so
//     that a run which begins again takes away what was left half-written.
//  3. A blob's row names its new location only after the bytes are durable.
//  4. The source is only read.
//
// It does not know what a backup looks like, nor what kinds of stores there are.
package move

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/lighterage/lighterage/internal/blob"
	"github.com/lighterage/lighterage/internal/digest"
	"github.com/lighterage/lighterage/internal/meta"
	"github.com/lighterage/lighterage/internal/name"
)

// Catalogue is the target's: *sqlstore.Store after its rows were copied.
type Catalogue interface {
	// CopiedBlobs lists the next blobs whose bytes are the source's still, by
	// id, and the locations that were noted and not placed.
	CopiedBlobs(ctx context.Context, limit int) ([]meta.Blob, []name.Location, error)
	// PendingBlobs notes locations, in the place of those before.
	PendingBlobs(ctx context.Context, at []name.Location) error
	// PlaceBlobs records location and state of the next blobs.
	PlaceBlobs(ctx context.Context, placed []meta.Blob) error
}

// Source gives bytes; ErrNotFound of package blob if it has none.
type Source interface {
	Open(ctx context.Context, b meta.Blob) (io.ReadCloser, error)
}

// Store is a Source of a blob store's bytes.
type Store struct{ blob.Store }

// Open opens the bytes at the blob's location.
func (s Store) Open(ctx context.Context, b meta.Blob) (io.ReadCloser, error) {
	return s.Store.Open(ctx, b.Location)
}

// ErrEncrypted: bytes that a store keeps encrypted are not copied, since they
// would lie open where they come to.
var ErrEncrypted = errors.New("its bytes are encrypted, and encrypted layers cannot be copied yet")

// Config is what a transfer is made of. Every field must be set.
type Config struct {
	To     Catalogue
	Bytes  blob.Store // of the target
	Source Source
	Told   func(blobs, bytes int64) // of each page that is placed
	// Damaged is told of bytes that the source does not have, or not as they
	// should be, and returns nil if the transfer goes on without them: then the
	// blob is marked as missing, until somebody pushes it again.
	Damaged func(b meta.Blob, why error) error
}

// The bounds of a page: what is copied again after a run was cut short.
const (
	pageBlobs = 32
	pageBytes = 1 << 30
	workers   = 4
)

// Blobs copies what is not copied yet.
func Blobs(ctx context.Context, c Config) error {
	for {
		page, vain, err := c.To.CopiedBlobs(ctx, pageBlobs)
		if err != nil {
			return err
		}
		for _, at := range vain {
			if err := c.Bytes.Remove(ctx, at); err != nil {
				return fmt.Errorf("remove what an earlier run left: %w", err)
			}
		}
		if len(page) == 0 {
			return nil
		}
		page = bounded(page)
		if err := c.page(ctx, page); err != nil {
			return err
		}
		var bytes int64
		for _, b := range page {
			bytes += b.Size
		}
		c.Told(int64(len(page)), bytes)
	}
}

// bounded cuts a page after the blob that fills it.
func bounded(page []meta.Blob) []meta.Blob {
	bytes := int64(0)
	for i, b := range page {
		if bytes += b.Size; bytes >= pageBytes {
			return page[:i+1]
		}
	}
	return page
}

// page copies some blobs side by side.
func (c Config) page(ctx context.Context, page []meta.Blob) error {
	placed := make([]meta.Blob, len(page))
	var pending []name.Location
	for i, b := range page {
		placed[i] = b
		placed[i].Location = c.Bytes.NewLocation()
		pending = append(pending, placed[i].Location)
	}
	if err := c.To.PendingBlobs(ctx, pending); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var all sync.WaitGroup
	next, failed, broken := make(chan int), make([]error, len(page)), make([]error, len(page))
	for range min(workers, len(page)) {
		all.Go(func() {
			for i := range next {
				if broken[i], failed[i] = c.one(ctx, page[i], &placed[i]); failed[i] != nil {
					cancel()
				}
			}
		})
	}
	for i := range page {
		next <- i
	}
	close(next)
	all.Wait()
	for _, err := range failed {
		if err != nil && !errors.Is(err, context.Canceled) {
			return err
		}
	}
	if err := errors.Join(failed...); err != nil {
		return err
	}
	for i, why := range broken {
		if why == nil {
			continue
		}
		if err := c.Damaged(page[i], why); err != nil {
			return err
		}
	}
	return c.To.PlaceBlobs(ctx, placed)
}

// one copies the bytes of a blob to the location of placed, and says in broken
// what is wrong with the source's.
func (c Config) one(ctx context.Context, b meta.Blob, placed *meta.Blob) (broken, err error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if b.Domain != 0 {
		return nil, fmt.Errorf("%s: %w", b.Digest, ErrEncrypted)
	}
	broken, err = c.copy(ctx, b, placed.Location)
	if err != nil {
		return nil, fmt.Errorf("copy %s: %w", b.Digest, err)
	}
	placed.State = meta.BlobOK
	if broken != nil {
		placed.State = meta.BlobMissing
	}
	return broken, nil
}

// copy returns in broken what is wrong with the source's bytes.
func (c Config) copy(ctx context.Context, b meta.Blob, at name.Location) (broken, err error) {
	r, err := c.Source.Open(ctx, b)
	if errors.Is(err, blob.ErrNotFound) {
		return err, nil
	}
	if err != nil {
		return nil, err
	}
	defer r.Close()
	u, err := c.Bytes.Create(ctx, at)
	if err != nil {
		return nil, err
	}
	defer u.Close() // after Seal it does nothing
	if broken, err = Copy(ctx, u, r, b); err != nil {
		return nil, err
	}
	if broken != nil {
		return broken, errors.Join(u.Close(), c.Bytes.Remove(ctx, at))
	}
	return nil, u.Seal(ctx)
}

// Copy copies a blob's bytes and hashes them. broken says what is wrong with
// them, err what failed.
func Copy(ctx context.Context, to io.Writer, from io.Reader, b meta.Blob) (broken, err error) {
	h := digest.NewHasher(b.Digest.Algorithm())
	n, err := io.CopyBuffer(struct{ io.Writer }{io.MultiWriter(to, h)}, struct{ io.Reader }{during{ctx, from}}, make([]byte, 256<<10))
	switch {
	case err != nil:
		return nil, err
	case n != b.Size:
		return fmt.Errorf("it has %d bytes in the place of %d", n, b.Size), nil
	case h.Digest() != b.Digest:
		return fmt.Errorf("its bytes hash to %s", h.Digest()), nil
	}
	return nil, nil
}

// during is a reader that fails when the context has ended.
type during struct {
	ctx context.Context
	io.Reader
}

func (d during) Read(p []byte) (int, error) {
	if err := d.ctx.Err(); err != nil {
		return 0, err
	}
	return d.Reader.Read(p)
}
