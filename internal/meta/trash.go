package meta

import (
	"time"

	"github.com/lighterage/lighterage/internal/digest"
	"github.com/lighterage/lighterage/internal/name"
)

// TrashID is the surrogate id of an image in the trash.
type TrashID int64

// Discard says how something goes to the trash.
type Discard struct {
	By    string    // ARN of the principal, or who else deletes
	Until time.Time // when it leaves the trash for ever
	// Tags are tags of an image that it lost a moment before, in the same
	// transaction: they go with it.
	Tags []name.Tag
}

// Discarded is what is known of anything in the trash.
type Discarded struct {
	By    string
	At    time.Time
	Until time.Time
}

// TrashedImage is an image in the trash. Its own ID is zero, and it is given
// another when it comes back.
type TrashedImage struct {
	TrashID TrashID
	Image
	Key  RepositoryKey // what its repository is called, which may be in the trash itself
	Tags []name.Tag    // by name
	Discarded
}

// TrashedRepository is a repository in the trash.
type TrashedRepository struct {
	Repository
	Discarded
}

// TrashedRegistration is a registered image in the trash. It keeps its image.
type TrashedRegistration struct {
	RegisteredImage
	Registry    name.RegistryID
	ServiceName name.ServiceName
	WithService bool // it went with its service
	Discarded
}

// TrashedService is a container service in the trash.
type TrashedService struct {
	Service
	Discarded
}

// DueTrash is what leaves the trash.
type DueTrash struct {
	Images        []TrashID
	Repositories  []RepositoryID
	Registrations []int64
	Services      []ServiceID
}

// Len is how much it is.
func (d DueTrash) Len() int {
	return len(d.Images) + len(d.Repositories) + len(d.Registrations) + len(d.Services)
}

// TrashTx keeps what was deleted, and brings it back. None of it is in any other
// list, count or look-up but those that say so. An image in the trash keeps the
// blobs of its layers, not the layers: these go as if it was not there.
type TrashTx interface {
	// DiscardImage is DeleteImage, and puts the image with its tags into the
	// trash.
	DiscardImage(id ImageID, due time.Time, d Discard) error
	// TrashedImage finds one. ErrNotFound.
	TrashedImage(id TrashID, lock Lock) (TrashedImage, error)
	// LastTrashedImage finds what was deleted last of a repository and digest.
	// ErrNotFound.
	LastTrashedImage(repository RepositoryID, d digest.Digest) (TrashedImage, error)
	// TrashedReferrers lists at most limit images of a repository in the trash
	// whose subject is the digest.
	TrashedReferrers(repository RepositoryID, subject digest.Digest, limit int) ([]TrashedImage, error)
	// TrashedImages lists all in the order in which they were deleted.
	TrashedImages(page Page[TrashID]) ([]TrashedImage, error)
	// TrashedManifest returns the exact bytes. ErrNotFound.
	TrashedManifest(id TrashID) ([]byte, error)
	// TrashedBlobs lists the blobs that an image in the trash keeps.
	TrashedBlobs(id TrashID) ([]Blob, error)
	// RestoreImage makes an image of one in the trash, as it was but without
	// tags, and with what it keeps as in InsertImage; the images that an
	// archived one keeps may be archived too. ErrNotFound; ErrExists for a
	// digest that the repository has.
	RestoreImage(id TrashID, layers []LayerID, children []ImageID) (ImageID, error)
	// DropTrashedImage takes an image out of the trash for ever, and enqueues a
	// review of each of its blobs due at the given time. ErrNotFound.
	DropTrashedImage(id TrashID, due time.Time) error

	// DiscardRepository is UnlinkRepository, and puts the name and the policies
	// into the trash; the content stays below the id.
	DiscardRepository(id RepositoryID, d Discard) error
	// TrashedRepository finds what was deleted last under a name. ErrNotFound.
	TrashedRepository(key RepositoryKey, lock Lock) (TrashedRepository, error)
	// TrashedRepositories lists all by id.
	TrashedRepositories(page Page[RepositoryID]) ([]TrashedRepository, error)
	// RestoreRepository gives a repository in the trash a name of its registry,
	// and its policies, of which that of the life cycle is due at the given
	// time. ErrNotFound; ErrExists for a name that is there.
	RestoreRepository(id RepositoryID, as name.RepositoryName, due time.Time) error
	// DropTrashedRepository takes a repository out of the trash, and enqueues a
	// review of it, due at once. ErrNotFound.
	DropTrashedRepository(id RepositoryID) error

	// DiscardRegisteredImage is DeleteRegisteredImage, and puts it into the
	// trash, where it keeps its image.
	DiscardRegisteredImage(id int64, withService bool, d Discard) error
	// TrashedRegistration finds one of a service. ErrNotFound.
	TrashedRegistration(service ServiceID, label name.Label, version int64, lock Lock) (TrashedRegistration, error)
	// TrashedRegistrations lists all by id.
	TrashedRegistrations(page Page[int64]) ([]TrashedRegistration, error)
	// RestoreRegisteredImage brings one back. ErrNotFound, also when its service
	// is not there.
	RestoreRegisteredImage(id int64) error
	// DropTrashedRegistration takes one out of the trash, and enqueues a review
	// of its image, due at once. ErrNotFound.
	DropTrashedRegistration(id int64) error

	// DiscardService is DeleteService, and puts the service into the trash with
	// its counters and resource tags.
	DiscardService(id ServiceID, d Discard) error
	// TrashedService finds what was deleted last under a name. ErrNotFound.
	TrashedService(registry name.RegistryID, service name.ServiceName, lock Lock) (TrashedService, error)
	// TrashedServices lists all by id.
	TrashedServices(page Page[ServiceID]) ([]TrashedService, error)
	// RestoreService brings a service back under its name, with the registered
	// images that went with it. ErrNotFound; ErrExists for a name that is there.
	RestoreService(id ServiceID) error
	// DropTrashedService takes a service out of the trash. ErrNotFound;
	// ErrReferenced while registered images are in the trash that went with it.
	DropTrashedService(id ServiceID) error

	// DueTrash lists at most limit rows of each sort whose time in the trash is
	// over.
	DueTrash(now time.Time, limit int) (DueTrash, error)

	// BlobOf returns the blob with the id, and in an update holds it. ErrNotFound.
	BlobOf(id BlobID) (Blob, error)
	// BlobKept reports whether a layer, or an image in the trash, keeps the blob,
	// and in an update holds the blob. ErrNotFound.
	BlobKept(id BlobID) (bool, error)
	// DeleteBlob removes a blob, whose location becomes garbage removable from
	// the given time on. ErrReferenced when something keeps it; ErrNotFound.
	DeleteBlob(id BlobID, removeAfter time.Time) error
}
