package meta

import (
	"time"

	"github.com/lighterage/lighterage/internal/digest"
	"github.com/lighterage/lighterage/internal/name"
)

// ImageID is an image's surrogate id; ids grow with the time of insertion.
type ImageID int64

// Image is a manifest or index in a repository.
type Image struct {
	ID              ImageID // set by InsertImage
	Repository      RepositoryID
	Digest          digest.Digest
	MediaType       string        // as served
	ArtifactType    string        // of the manifest, else empty
	ConfigMediaType string        // of the config descriptor, else empty
	Subject         digest.Digest // empty: none
	ManifestSize    int64         // bytes of the manifest
	ImageSize       int64         // bytes of config and layers; of the largest child for an index
	Annotations     string        // JSON object of the manifest's annotations, for InsertImage; empty: none, or not read
	PushedAt        time.Time
	PulledAt        time.Time // zero: never recorded
	Archived        bool      // kept, and not given out
	ArchivedAt      time.Time // the last time it was; zero: never
	ActivatedAt     time.Time // the last time it came back; zero: never
}

// Referrer is an image in a list of referrers. ImageTx.Annotations reads its
// annotations, which are as long as a manifest may be.
type Referrer struct {
	Image
	AnnotationsSize int64 // bytes; 0: it has none
}

// EffectiveArtifactType is what a list of referrers calls the image: its
// artifact type, else its config's media type (OCI image specification).
func (i Image) EffectiveArtifactType() string {
	if i.ArtifactType != "" {
		return i.ArtifactType
	}
	return i.ConfigMediaType
}

// Reference names an image within a repository: by tag if Tag is set, else by
// Digest.
type Reference struct {
	Tag    name.Tag
	Digest digest.Digest
}

// TagStatus filters images by whether any tag points to them.
type TagStatus uint8

// The tag filters.
const (
	AnyTagStatus TagStatus = iota
	Tagged
	Untagged
)

// ImageStatus filters images by whether they are archived.
type ImageStatus uint8

// The status filters.
const (
	AnyImageStatus ImageStatus = iota
	Active
	Archived
)

// ImageFilter selects images; the zero value selects all.
type ImageFilter struct {
	Tags   TagStatus
	Status ImageStatus
}

// ReferrerFilter selects referrers; the zero value selects all.
type ReferrerFilter struct {
	ArtifactTypes []string // each an ArtifactType, or a ConfigMediaType where that is empty; none: any
	Status        ImageStatus
}

// ImageTx reads and writes images. Only Annotations reads annotations: images
// come without.
type ImageTx interface {
	// FindImage looks up an image that is not archived, in one statement,
	// without the times at which it ever was. ErrNoRepository, ErrNotFound.
	FindImage(key RepositoryKey, ref Reference) (Image, error)
	// Image looks an image up in a repository already found. ErrNotFound.
	Image(repository RepositoryID, ref Reference) (Image, error)
	// ImageOf returns the image with the id. ErrNotFound.
	ImageOf(id ImageID) (Image, error)
	// LockImage holds an image until the transaction ends: it stays, and no tag
	// comes to it or leaves it. On a store with a single writer it is free.
	// ErrNotFound.
	LockImage(id ImageID) error
	// Images lists a repository's images by id.
	Images(repository RepositoryID, filter ImageFilter, page Page[ImageID]) ([]Image, error)
	// HasImages reports whether the repository has any image.
	HasImages(repository RepositoryID) (bool, error)
	// Manifest returns the image's exact bytes. ErrNotFound.
	Manifest(id ImageID) ([]byte, error)
	// Annotations returns the image's annotations; empty if it has none, or is
	// not there.
	Annotations(id ImageID) (string, error)
	// InsertImage adds an image with its bytes and what it keeps: the layers
	// and children must be of its repository. It is not archived, and nobody
	// archives its children until the transaction ends. ErrExists for a digest
	// that the repository has.
	InsertImage(i Image, manifest []byte, layers []LayerID, children []ImageID) (ImageID, error)
	// DeleteImage removes the image with its tags (recorded in the tag history
	// as removed by the given principal), and enqueues a review of each of its
	// layers, and in the Lightsail space of each of its children, due at the
	// given time. ErrReferenced when an index or a registered image keeps it,
	// ErrNotFound.
	DeleteImage(id ImageID, by string, due time.Time) error

	// ArchiveImage archives the image at the given time, and changes nothing
	// of one that is archived. ErrReferenced when an index that is not
	// archived, or a registered image, keeps it; ErrNotFound.
	ArchiveImage(id ImageID, at time.Time) error
	// ActivateImage brings an archived image back at the given time, with what
	// is archived of the images that it keeps, and that those keep. What is
	// not archived it leaves, and lets nobody archive until the transaction
	// ends. ErrNotFound.
	ActivateImage(id ImageID, at time.Time) error
	// CountArchived is how many images of a repository are archived.
	CountArchived(repository RepositoryID) (int64, error)

	// Children lists the images an index keeps.
	Children(id ImageID) ([]Image, error)
	// Parents lists at most limit images that keep this one.
	Parents(id ImageID, limit int) ([]Image, error)
	// Referrers lists images of the repository whose subject is the digest,
	// by id.
	Referrers(repository RepositoryID, subject digest.Digest, filter ReferrerFilter, page Page[ImageID]) ([]Referrer, error)

	// RecordPulls sets the pull times of images that still exist, never back.
	RecordPulls(at map[ImageID]time.Time) error

	// ImageUsage is the number of images of a repository and the bytes of
	// their manifests, config and layers, exact within the transaction.
	ImageUsage(repository RepositoryID) (images, bytes int64, err error)
	// FoldUsage merges at most limit recorded changes of usage into totals,
	// and returns how many it merged.
	FoldUsage(limit int) (int, error)
}
