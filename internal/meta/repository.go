package meta

import (
	"time"

	"github.com/lighterage/lighterage/internal/name"
)

// Space separates an account's ECR repositories from its hidden Lightsail
// registry: the same name in two spaces is two repositories.
type Space uint8

// The spaces. Their values are stored.
const (
	ECR       Space = 1
	Lightsail Space = 2
)

// RepositoryKey names a repository from outside.
type RepositoryKey struct {
	Registry name.RegistryID
	Space    Space
	Name     name.RepositoryName
}

// RepositoryID is a repository's surrogate id; a repository deleted and
// created again has another.
type RepositoryID int64

// Repository is a repository's row.
type Repository struct {
	ID  RepositoryID // set by InsertRepository
	Key RepositoryKey
	RepositorySettings
	CreatedAt time.Time
}

// RepositorySettings is what of a repository can be chosen.
type RepositorySettings struct {
	Mutability        string   // MUTABLE, IMMUTABLE, MUTABLE_WITH_EXCLUSION, IMMUTABLE_WITH_EXCLUSION
	MutabilityFilters []string // wildcards, for the modes with exclusion
	ScanOnPush        bool
	EncryptionType    string // AES256, KMS, KMS_DSSE
	KMSKey            string // key ARN; empty with AES256
}

// RepositoryTx reads and writes repositories.
type RepositoryTx interface {
	// Repository finds a live repository. ErrNotFound.
	Repository(key RepositoryKey, lock Lock) (Repository, error)
	// Repositories lists the live ones of a registry and space by name.
	Repositories(registry name.RegistryID, space Space, page Page[name.RepositoryName]) ([]Repository, error)
	// CountRepositories is the number of live ones, kept as they come and go.
	CountRepositories(registry name.RegistryID, space Space) (int64, error)
	// InsertRepository adds one and its registry if new. ErrExists.
	InsertRepository(r Repository) (RepositoryID, error)
	// SetRepository stores the settings of r.ID. ErrNotFound.
	SetRepository(id RepositoryID, settings RepositorySettings) error
	// RepositoryOf returns the repository with the id, unlinked or not.
	// ErrNotFound.
	RepositoryOf(id RepositoryID, lock Lock) (Repository, error)
	// UnlinkRepository frees the repository's name, drops its policy and hides
	// it; its content stays until PurgeRepository. ErrNotFound.
	UnlinkRepository(id RepositoryID) error
	// PurgeRepository removes at most limit images or layers of an unlinked
	// repository, as DeleteImage and DeleteLayer do, and at last the
	// repository itself: done is true when nothing is left. Locations of its
	// blobs and uploads become garbage removable from the given time on.
	// ErrReferenced while the repository has its name, or a registered image
	// keeps one of its images.
	PurgeRepository(id RepositoryID, limit int, removeAfter time.Time) (done bool, err error)
}
