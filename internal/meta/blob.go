package meta

import (
	"time"

	"github.com/lighterage/lighterage/internal/digest"
	"github.com/lighterage/lighterage/internal/name"
)

// BlobID is a blob's surrogate id.
type BlobID int64

// Inline is the location of bytes that the metadata store itself keeps.
const Inline name.Location = "inline:"

// BlobState says whether a blob's bytes are believed.
type BlobState uint8

// The states. Their values are stored.
const (
	BlobOK      BlobState = 1
	BlobSuspect BlobState = 2 // failed a check
	BlobMissing BlobState = 3 // no bytes at the location
)

// Blob is stored bytes, shared by all layers of one encryption domain.
type Blob struct {
	ID       BlobID
	Domain   int64 // encryption domain; 0: none
	Digest   digest.Digest
	Size     int64
	Location name.Location
	State    BlobState
}

// Garbage is a location whose bytes nothing names any more.
type Garbage struct {
	ID       int64
	Location name.Location
}

// BlobTx reads and writes blobs.
type BlobTx interface {
	// PutBlob records bytes, or returns the blob that the domain already has
	// of the digest. A known blob that is not BlobOK or has another size is
	// healed: it takes the newcomer's location and bytes, and its old location
	// becomes garbage. Otherwise a newcomer with a location of its own loses
	// it to garbage. inline holds the bytes if b.Location is Inline.
	PutBlob(b Blob, inline []byte) (Blob, error)
	// InlineBytes returns the bytes of a blob at Inline. ErrNotFound.
	InlineBytes(id BlobID) ([]byte, error)
	// SetBlobState marks a blob. ErrNotFound.
	SetBlobState(id BlobID, state BlobState) error

	// AddGarbage enqueues a location for removal from the given time on.
	AddGarbage(at name.Location, removeAfter time.Time) error
	// DueGarbage lists at most limit locations whose time has come.
	DueGarbage(now time.Time, limit int) ([]Garbage, error)
	// ForgetGarbage removes lines whose bytes are gone.
	ForgetGarbage(ids []int64) error
}
