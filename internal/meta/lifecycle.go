package meta

import (
	"time"

	"github.com/lighterage/lighterage/internal/digest"
	"github.com/lighterage/lighterage/internal/name"
)

// LifecyclePolicy is a repository's lifecycle policy.
type LifecyclePolicy struct {
	Repository  RepositoryID
	Text        string
	SetAt       time.Time
	EvaluatedAt time.Time // zero: not since it was set
	DueAt       time.Time // when it is to be evaluated next
}

// LifecycleImage is what a lifecycle policy looks at in an image.
type LifecycleImage struct {
	ID       ImageID
	Digest   digest.Digest
	Subject  digest.Digest // empty: none
	Tags     []name.Tag    // by name
	PushedAt time.Time
	PulledAt time.Time // zero: never recorded
	Listed   bool      // an index of the repository keeps it
	// ListedByActive: one that is not archived does.
	ListedByActive          bool
	Archived                bool
	ArchivedAt, ActivatedAt time.Time // the last time; zero: never
}

// PreviewStatus says how far a preview is.
type PreviewStatus uint8

// The statuses. Their values are stored.
const (
	PreviewRunning  PreviewStatus = 1
	PreviewComplete PreviewStatus = 2
	PreviewFailed   PreviewStatus = 3
	PreviewExpired  PreviewStatus = 4 // its results are gone
)

// LifecyclePreview is the last preview of a repository.
type LifecyclePreview struct {
	Repository   RepositoryID
	Attempt      int64 // tells a repository's previews apart
	Text         string
	Status       PreviewStatus
	StartedAt    time.Time
	Expiring     int64 // results that expire an image
	Transitioned int64 // results that move one to the archive
}

// PreviewResult is an image that a policy would act on.
type PreviewResult struct {
	Position   int // from 1
	Digest     digest.Digest
	Tags       []string
	PushedAt   time.Time
	Priority   int  // of the rule
	Transition bool // to the archive; else it would expire
	Archived   bool
}

// LifecycleTx reads and writes lifecycle policies and their previews.
// UnlinkRepository drops the policy, PurgeRepository the preview.
type LifecycleTx interface {
	// LifecyclePolicy finds a repository's. ErrNotFound. Under a lock it stays
	// as it is until the transaction ends.
	LifecyclePolicy(id RepositoryID, lock Lock) (LifecyclePolicy, error)
	// PutLifecyclePolicy adds or overwrites. ErrNotFound when no live
	// repository has the id.
	PutLifecyclePolicy(p LifecyclePolicy) error
	// DeleteLifecyclePolicy removes it. ErrNotFound.
	DeleteLifecyclePolicy(id RepositoryID) error
	// LifecyclePolicies lists all, without their texts, by repository.
	LifecyclePolicies(page Page[RepositoryID]) ([]LifecyclePolicy, error)
	// DueLifecyclePolicies lists at most limit repositories whose policy is to
	// be evaluated by the given time, the longest due first.
	DueLifecyclePolicies(by time.Time, limit int) ([]RepositoryID, error)

	// LifecycleImages lists a repository's images by id. A page takes a number
	// of statements that does not depend on its size.
	LifecycleImages(repository RepositoryID, page Page[ImageID]) ([]LifecycleImage, error)

	// LifecyclePreview finds a repository's. ErrNotFound.
	LifecyclePreview(id RepositoryID, lock Lock) (LifecyclePreview, error)
	// PutLifecyclePreview adds or overwrites; results stay. ErrNotFound when
	// no repository has the id.
	PutLifecyclePreview(p LifecyclePreview) error
	// OldPreviews lists at most limit repositories whose preview was started
	// before the given time and is not PreviewExpired, the oldest first.
	OldPreviews(before time.Time, limit int) ([]RepositoryID, error)
	// AddPreviewResults adds results. ErrExists for a position or digest that
	// there is; ErrNotFound when the repository has no preview.
	AddPreviewResults(id RepositoryID, results []PreviewResult) error
	// PreviewResults lists by position those of images with such tags.
	PreviewResults(id RepositoryID, status TagStatus, page Page[int]) ([]PreviewResult, error)
	// PreviewResult finds the result about an image. ErrNotFound.
	PreviewResult(id RepositoryID, d digest.Digest) (PreviewResult, error)
	// DropPreviewResults removes at most limit results, and returns how many
	// it removed.
	DropPreviewResults(id RepositoryID, limit int) (int, error)
}
