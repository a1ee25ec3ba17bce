// Package blob is the contract of the stores that keep layer bytes.
//
// Bytes live at a random, typed location that is drawn before they are
// written and never reused; what they are (digest, size, whose) is known only
// to the metadata store. A store promises:
//
//  1. What Seal returned for survives power loss, under the given location.
//  2. A sealed location's bytes never change: it is never opened for writing.
//  3. An upload has one writer. After Close, or after another Resume of the
//     same location, a write through the old Upload fails and changes nothing.
//  4. Resume continues at exactly the offset it is given; later bytes are cut.
//  5. Remove of an absent location succeeds.
//
// A store does not know digests, does not deduplicate, and does not decide
// when bytes may go.
package blob

import (
	"context"
	"errors"
	"io"

	"github.com/lighterage/lighterage/internal/name"
)

// The sentinels of the contract.
var (
	// ErrNotFound: there are no bytes at the location.
	ErrNotFound = errors.New("blob: not found")
	// ErrFull: the store has no room. Nothing was acknowledged.
	ErrFull = errors.New("blob: store is full")
	// ErrClosed: the upload was closed, sealed or taken over.
	ErrClosed = errors.New("blob: upload is closed")
	// ErrSync: a sync failed; what was written before is in doubt, and the
	// process must not go on (docs/ARCHITECTURE.md, Storage: not retried).
	ErrSync = errors.New("blob: sync failed")
)

// Store keeps bytes. All methods are safe for concurrent use. A location that
// the store can never have drawn is ErrNotFound to all of them. After ErrSync
// nothing more is written; what was sealed before can still be read.
type Store interface {
	// NewLocation draws a location. It touches nothing: the caller commits
	// the location to the metadata store before Create.
	NewLocation() name.Location

	// Create begins the upload of a new location; one that is not new is an
	// error and left as it is.
	Create(ctx context.Context, at name.Location) (Upload, error)

	// Resume continues an upload from the offset and state of a Checkpoint.
	// ErrNotFound when the location is absent or has fewer bytes than offset,
	// ErrClosed when it is sealed: a process that died between Seal and what
	// its caller noted of it leaves an upload that must begin anew.
	Resume(ctx context.Context, at name.Location, offset int64, state []byte) (Upload, error)

	// Open returns sealed bytes for reading, or an unsealed upload's bytes so
	// far to a caller that holds the upload's lease. ErrNotFound when absent.
	Open(ctx context.Context, at name.Location) (Reader, error)

	// Remove takes the bytes, or the unfinished upload, away for good.
	Remove(ctx context.Context, at name.Location) error

	// Claim binds the store to an identity: the first call records it, each
	// later one returns what was recorded.
	Claim(ctx context.Context, identity string) (recorded string, err error)

	// Close releases the store; uploads in flight fail with ErrClosed.
	Close() error
}

// Upload is the exclusive writer of one location.
type Upload interface {
	// Write appends; ErrFull when there is no room. A short write leaves the
	// offset at what was written.
	io.Writer

	// Offset is the number of bytes written.
	Offset() int64

	// Checkpoint makes the bytes so far survive kill -9 and returns the
	// opaque state that Resume needs beside the offset.
	Checkpoint(ctx context.Context) (state []byte, err error)

	// Seal makes the bytes survive power loss and ends the upload.
	Seal(ctx context.Context) error

	// Close gives the upload up without sealing; Resume may continue it.
	Close() error
}

// Reader reads stored bytes. The disk store's embeds an *os.File, so that
// net/http can hand it to the kernel if nobody wraps it.
type Reader interface {
	io.ReadSeekCloser
	Size() int64
}
