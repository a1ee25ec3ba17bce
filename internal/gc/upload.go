package gc

import (
	"context"
	"errors"
	"time"

	"github.com/lighterage/lighterage/internal/meta"
)

// expire drops uploads that were not finished in their time. A process may
// still be writing to one: its next checkpoint, or its end, finds no row and
// fails. Whoever deletes the row owns the bytes: if that is the transaction
// that finishes the upload, they are a layer's, else they are garbage.
func (c *Collector) expire(ctx context.Context, t *Tally) error {
	for range rounds {
		n, dropped := 0, 0
		err := c.Meta.Update(ctx, func(tx meta.Tx) error {
			n, dropped = 0, 0
			now, err := tx.Now()
			if err != nil {
				return err
			}
			expired, err := tx.ExpiredUploads(now, atOnce)
			if err != nil {
				return err
			}
			n = len(expired)
			for _, u := range expired {
				err := dropUpload(tx, u, now)
				if errors.Is(err, meta.ErrNotFound) {
					continue
				}
				if err != nil {
					return err
				}
				dropped++
			}
			return nil
		})
		if err != nil {
			return err
		}
		if t.Uploads += dropped; n < atOnce {
			return nil
		}
	}
	return nil
}

func dropUpload(tx meta.Tx, u meta.Upload, now time.Time) error {
	if err := tx.DeleteUpload(u.ID); err != nil {
		return err
	}
	if u.Location == "" || u.Location == meta.Inline {
		return nil
	}
	return tx.AddGarbage(u.Location, now)
}
