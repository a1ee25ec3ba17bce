package sqlstore

import (
	"time"

	"github.com/lighterage/lighterage/internal/meta"
)

// EnqueueReview adds a review.
func (t *tx) EnqueueReview(s meta.Subject, of int64, due time.Time) error {
	_, err := t.exec(`INSERT INTO review (subject, of_id, due) VALUES (?1, ?2, ?3)`, s, of, due)
	return err
}

// LastReview looks at the latest one.
func (t *tx) LastReview(s meta.Subject, of int64) (time.Time, error) {
	var due time.Time
	err := t.row(func(r *row) { due = r.time(0) },
		`SELECT due FROM review WHERE of_id = ?1 AND subject = ?2 ORDER BY due DESC LIMIT 1`, of, s)
	return due, err
}

// DueReviews lists the oldest first.
func (t *tx) DueReviews(now time.Time, limit int) ([]meta.Review, error) {
	sql := `SELECT id, subject, of_id, due FROM review WHERE due <= ?1 ORDER BY due, id LIMIT ?2`
	if t.writes && t.session.locks() {
		sql += ` FOR UPDATE SKIP LOCKED`
	}
	var found []meta.Review
	err := t.rows(func(r *row) {
		found = append(found, meta.Review{ID: r.int(0), Subject: meta.Subject(r.int(1)), Of: r.int(2), Due: r.time(3)})
	}, sql, now, limit)
	return found, err
}

// PostponeReview sets another time.
func (t *tx) PostponeReview(id int64, due time.Time) error {
	_, err := t.exec(`UPDATE review SET due = ?2 WHERE id = ?1`, id, due)
	return err
}

// DropReview removes a review.
func (t *tx) DropReview(id int64) error {
	_, err := t.exec(`DELETE FROM review WHERE id = ?1`, id)
	return err
}
