package meta

import (
	"time"

	"github.com/lighterage/lighterage/internal/digest"
	"github.com/lighterage/lighterage/internal/name"
)

// LayerID is a layer's surrogate id.
type LayerID int64

// Layer is a blob made visible in a repository, with the blob's facts.
type Layer struct {
	ID         LayerID
	Repository RepositoryID
	Blob       Blob
	TouchedAt  time.Time // last time it was uploaded, mounted or promised to a client
}

// LayerTx reads and writes layers.
type LayerTx interface {
	// FindLayer looks a layer up in one statement. ErrNoRepository,
	// ErrNotFound.
	FindLayer(key RepositoryKey, d digest.Digest) (Layer, error)
	// Layers looks several layers up; absent ones are absent in the answer.
	// With a lock, they are locked in the order of their digests.
	Layers(repository RepositoryID, ds []digest.Digest, lock Lock) (map[digest.Digest]Layer, error)
	// LayerHolders lists repositories of a registry and space that have a
	// layer of the digest, at most limit, and fewer than there are if very many
	// of other registries have it.
	LayerHolders(registry name.RegistryID, space Space, d digest.Digest, limit int) ([]RepositoryKey, error)
	// LayerOf returns the layer with the id. ErrNotFound.
	LayerOf(id LayerID) (Layer, error)
	// LayerReferenced reports whether an image keeps the layer.
	LayerReferenced(id LayerID) (bool, error)
	// ArchivedLayers returns those of the layers of a repository that images
	// keep of which each is archived.
	ArchivedLayers(repository RepositoryID, ids []LayerID) ([]LayerID, error)
	// PutLayer makes a blob visible in a repository, or touches the layer that
	// is there; a new one gets a review due at the given time.
	PutLayer(repository RepositoryID, blob BlobID, due time.Time) (LayerID, error)
	// TouchLayer sets TouchedAt to the transaction's time. ErrNotFound.
	TouchLayer(id LayerID) error
	// DeleteLayer removes a layer and, when no other layer keeps its blob, the
	// blob too, whose location then becomes garbage removable from the given
	// time on. ErrReferenced when an image keeps the layer.
	DeleteLayer(id LayerID, removeAfter time.Time) error
}
