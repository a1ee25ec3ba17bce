package gc

import (
	"context"
	"errors"
	"fmt"

	"github.com/lighterage/lighterage/internal/meta"
)

// empty takes out of the trash what has been there for its time. What only the
// trash kept is reviewed after: the grace of bytes begins here.
func (c *Collector) empty(ctx context.Context, t *Tally) error {
	counted := *t
	for round := range rounds {
		var due meta.DueTrash
		err := c.Meta.View(ctx, func(tx meta.Tx) (err error) {
			due, err = dueTrash(tx)
			return err
		})
		if err != nil || due.Len() == 0 {
			return err
		}
		n := 0
		err = c.Meta.Update(ctx, func(tx meta.Tx) (err error) {
			n, err = c.emptySome(tx)
			return err
		})
		if err != nil || n == 0 {
			return err
		}
		t.Trashed += n
		counted = c.progress(t, counted, round)
	}
	return nil
}

func dueTrash(tx meta.Tx) (meta.DueTrash, error) {
	now, err := tx.Now()
	if err != nil {
		return meta.DueTrash{}, err
	}
	return tx.DueTrash(now, atOnce)
}

// emptySome drops what is due now, and returns how much that was.
func (c *Collector) emptySome(tx meta.Tx) (int, error) {
	due, err := dueTrash(tx)
	if err != nil {
		return 0, err
	}
	now, err := tx.Now()
	if err != nil {
		return 0, err
	}
	images, err := drop(due.Images, func(id meta.TrashID) error { return tx.DropTrashedImage(id, now.Add(c.LayerGrace)) })
	if err != nil {
		return 0, err
	}
	repositories, err := drop(due.Repositories, tx.DropTrashedRepository)
	if err != nil {
		return 0, err
	}
	registrations, err := drop(due.Registrations, tx.DropTrashedRegistration)
	if err != nil {
		return 0, err
	}
	services, err := drop(due.Services, tx.DropTrashedService)
	return images + repositories + registrations + services, err
}

// drop drops rows, and returns how many. Of some others were faster, and a
// service waits for its images.
func drop[ID any](ids []ID, drop func(ID) error) (int, error) {
	n := 0
	for _, id := range ids {
		err := drop(id)
		if errors.Is(err, meta.ErrNotFound) || errors.Is(err, meta.ErrReferenced) {
			continue
		}
		if err != nil {
			return n, err
		}
		n++
	}
	return n, nil
}

// blobFacts: in an update the blob is held, and with it every layer of it.
func blobFacts(tx meta.Tx, id meta.BlobID) (Facts, error) {
	f := Facts{Object: fmt.Sprintf("blob %d", id)}
	b, err := tx.BlobOf(id)
	if errors.Is(err, meta.ErrNotFound) {
		f.Gone = true
		return f, nil
	}
	if err != nil {
		return f, err
	}
	f.Object = "blob " + string(b.Digest)
	kept, err := tx.BlobKept(id)
	if kept {
		f.Kept = "a layer or the trash, whose end will ask again"
	}
	return f, err
}
