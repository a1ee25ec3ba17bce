package meta

import "time"

// Subject says what a review looks at.
type Subject uint8

// The subjects. Their values are stored.
const (
	LayerSubject      Subject = 1 // a layer that may be unreferenced
	ImageSubject      Subject = 2 // a Lightsail push that may be unregistered
	RepositorySubject Subject = 3 // an unlinked repository to purge
)

// Review asks the garbage collector to look at one row at a time to come. What
// it finds is decided then; the row may be gone.
type Review struct {
	ID      int64
	Subject Subject
	Of      int64 // LayerID, ImageID or RepositoryID
	Due     time.Time
}

// ReviewTx is the garbage collector's queue.
type ReviewTx interface {
	EnqueueReview(s Subject, of int64, due time.Time) error
	// LastReview is when the latest of the reviews of a row is due, which may
	// be past. ErrNotFound when it has none.
	LastReview(s Subject, of int64) (time.Time, error)
	// DueReviews lists at most limit reviews whose time has come, oldest
	// first; on a store with several writers it locks them and skips what
	// another holds.
	DueReviews(now time.Time, limit int) ([]Review, error)
	// PostponeReview sets another time. DropReview removes it.
	PostponeReview(id int64, due time.Time) error
	DropReview(id int64) error
}
