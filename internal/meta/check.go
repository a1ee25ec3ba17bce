package meta

import (
	"time"

	"github.com/lighterage/lighterage/internal/digest"
	"github.com/lighterage/lighterage/internal/name"
)

// Turn is a place in a queue that is ordered by time.
type Turn struct {
	Due time.Time
	ID  int64
}

// UploadTurn is an upload's place in the order of expiry.
type UploadTurn struct {
	Expires time.Time
	ID      name.UploadID
}

// TagTurn is a tag's place in the order of all tags.
type TagTurn struct {
	Repository RepositoryID
	Name       name.Tag
}

// CheckedBlob is a blob with the time at which its bytes were last right, or
// found wrong; zero: never looked at.
type CheckedBlob struct {
	Blob
	VerifiedAt time.Time
}

// Stray is a tag whose image is not there, or is of another repository.
type Stray struct {
	Repository RepositoryID
	Name       name.Tag
	Image      ImageID
}

// Scrub is how far the check in the background has come.
type Scrub struct {
	Cursor  string // where it goes on; empty: it has not begun, or is through
	BeganAt time.Time
	EndedAt time.Time // of the pass before; zero: there was none
	Checked int64     // blobs of this pass, or of the one that has ended
	Bytes   int64
	Found   int64
}

// CheckTx reads across all registries, in pages: what the collector is going to
// do, and what a check compares. It locks nothing.
type CheckTx interface {
	// Reviews lists reviews, due or not.
	Reviews(page Page[Turn]) ([]Review, error)
	// AllGarbage lists locations, due or not.
	AllGarbage(page Page[Turn]) ([]Garbage, error)
	// Uploads lists uploads, expired or not.
	Uploads(page Page[UploadTurn]) ([]Upload, error)

	// Blobs lists blobs by id, in any state.
	Blobs(page Page[BlobID]) ([]CheckedBlob, error)
	// LastBlob and LastImage return the greatest id; 0: there is none.
	LastBlob() (BlobID, error)
	LastImage() (ImageID, error)
	// LayersOf lists at most limit layers of a blob.
	LayersOf(blob BlobID, limit int) ([]Layer, error)
	// AllImages lists images of all repositories by id.
	AllImages(page Page[ImageID]) ([]Image, error)
	// KeptLayers returns the digests of the layers that an image keeps, whose
	// blobs are there.
	KeptLayers(id ImageID) (map[digest.Digest]Blob, error)
	// StrayTags looks at a page of all tags: it returns those of them that are
	// astray, and the last that it looked at; none looked at: that was the end.
	StrayTags(page Page[TagTurn]) (astray []Stray, last TagTurn, looked int, err error)
	// NamedLocations returns those of the locations that a blob, an upload or
	// garbage names.
	NamedLocations(at []name.Location) (map[name.Location]bool, error)

	// MarkBlob is SetBlobState for a blob that is still at the location; false:
	// it is not.
	MarkBlob(id BlobID, at name.Location, state BlobState) (bool, error)
	// SetVerified notes that the bytes of blobs that are OK were found right at
	// the given time.
	SetVerified(ids []BlobID, at time.Time) error

	// Scrub returns what PutScrub stored; the zero value at first.
	Scrub() (Scrub, error)
	PutScrub(s Scrub) error
}
