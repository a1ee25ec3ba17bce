package meta

import (
	"time"

	"github.com/lighterage/lighterage/internal/digest"
	"github.com/lighterage/lighterage/internal/name"
)

// Tag is a tag's row with the digest of the image it points to.
type Tag struct {
	Name      name.Tag
	Image     ImageID
	Digest    digest.Digest
	UpdatedAt time.Time
}

// TagChange is a line of the tag history; Old or New is empty when the tag
// came or went.
type TagChange struct {
	Tag  name.Tag
	Old  digest.Digest
	New  digest.Digest
	By   string // ARN of the principal
	When time.Time
}

// TagTx reads and writes tags. Each write records a TagChange.
type TagTx interface {
	// Tag finds a tag. ErrNotFound.
	Tag(repository RepositoryID, tag name.Tag) (Tag, error)
	// Tags lists a repository's tags of images of the status by name. A page
	// costs those that it passes over too.
	Tags(repository RepositoryID, status ImageStatus, page Page[name.Tag]) ([]Tag, error)
	// TagNames lists the tags of images that are not archived by name, as Tags
	// does, and nothing else of them.
	TagNames(repository RepositoryID, page Page[name.Tag]) ([]name.Tag, error)
	// TagsOf lists at most limit tags of an image by name.
	TagsOf(image ImageID, limit int) ([]name.Tag, error)
	// LockTags holds names, whether there is a tag or not, until the
	// transaction ends: what Tag then finds nobody else changes. On a store
	// with a single writer it is free.
	LockTags(repository RepositoryID, tags []name.Tag) error
	// PutTag points a tag to an image, new or moved. ErrNotFound
	// when the image is gone.
	PutTag(repository RepositoryID, tag name.Tag, image ImageID, by string) error
	// DeleteTag removes a tag. ErrNotFound.
	DeleteTag(repository RepositoryID, tag name.Tag, by string) error
	// TagHistory lists at most limit changes of a tag, newest first.
	TagHistory(repository RepositoryID, tag name.Tag, limit int) ([]TagChange, error)
}
