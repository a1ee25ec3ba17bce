package meta

import (
	"time"

	"github.com/lighterage/lighterage/internal/name"
)

// Upload is the durable part of a layer on its way in. It is written before
// its location is.
type Upload struct {
	ID         name.UploadID
	Repository RepositoryID
	Location   name.Location
	Offset     int64  // bytes that survive; later ones at the location are cut
	HashState  []byte // digest.Hasher state at Offset
	BlobState  []byte // blob.Upload checkpoint at Offset
	BootID     string // machine boot in which Offset was recorded without a sync; empty: synced
	Parts      int64  // parts received through the AWS API
	SmallPart  int64  // ordinal of the first part under the minimum size; 0: none
	Fence      int64  // grows with each take-over
	CreatedAt  time.Time
	ExpiresAt  time.Time
}

// UploadTx reads and writes uploads.
type UploadTx interface {
	// Upload finds an upload. ErrNotFound.
	Upload(id name.UploadID, lock Lock) (Upload, error)
	// InsertUpload adds one. ErrExists.
	InsertUpload(u Upload) error
	// AdvanceUpload stores everything of u but its identity, if the stored
	// fence is u.Fence. ErrConflict if it is another, ErrNotFound.
	AdvanceUpload(u Upload) error
	// FenceUpload raises the fence and returns the upload with it: writers of
	// the old fence fail from now on. ErrNotFound.
	FenceUpload(id name.UploadID) (Upload, error)
	// DeleteUpload consumes an upload. ErrNotFound, also when it was consumed
	// before: no row, no upload.
	DeleteUpload(id name.UploadID) error
	// ExpiredUploads lists at most limit uploads past their time.
	ExpiredUploads(now time.Time, limit int) ([]Upload, error)
}
