package registry

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/lighterage/lighterage/internal/digest"
	"github.com/lighterage/lighterage/internal/fault"
	"github.com/lighterage/lighterage/internal/meta"
)

// ArchiveImage archives an image, and after it the images that refer to it. They
// are kept, and not given out. What an index that is not archived lists goes with
// the index, and what refers to an image with that: alone they are refused
// (ImageBound). An image that is archived is not archived anew.
// RepositoryNotFound, ImageNotFound, TagMapsElsewhere, DigestInvalid,
// ParameterInvalid, ImageBound.
func (c *Catalogue) ArchiveImage(ctx context.Context, key RepositoryKey, id Asked) (Image, error) {
	return c.changeStatus(ctx, key, id, archiving, archive)
}

// RestoreImage brings an archived image back at once, with what of the images
// that it lists is archived, and after it the images that refer to these. The
// errors are those of ArchiveImage but ImageBound.
func (c *Catalogue) RestoreImage(ctx context.Context, key RepositoryKey, id Asked) (Image, error) {
	return c.changeStatus(ctx, key, id, restoring, restore)
}

func (c *Catalogue) changeStatus(
	ctx context.Context, key RepositoryKey, id Asked, way direction, change func(meta.Tx, RepositoryKey, Image) (Image, walk, error),
) (Image, error) {
	var i Image
	var left walk
	err := c.Meta.Update(ctx, func(tx meta.Tx) error {
		i, left = Image{}, walk{}
		r, err := live(tx, key, meta.LockShared)
		if err != nil {
			return err
		}
		ms, err := lockAsked(tx, key, r.ID, id)
		if err != nil {
			return err
		}
		if ms[0].Err != nil {
			return ms[0].Err
		}
		i, left, err = change(tx, key, ms[0].Image)
		if errors.Is(err, meta.ErrNotFound) { // somebody else was faster
			return imageFault(fault.ImageNotFound, key, Reference{Digest: ms[0].Image.Digest})
		}
		return err
	})
	if err == nil {
		err = c.goOn(ctx, way, left)
	}
	return i, storeFault(key, err)
}

// archive archives an image, and begins with what refers to it.
func archive(tx meta.Tx, key RepositoryKey, i Image) (Image, walk, error) {
	now, err := tx.Now()
	if err != nil {
		return i, walk{}, err
	}
	bound := imageFault(fault.ImageBound, key, Reference{Digest: i.Digest})
	if i.Subject != "" && !i.Archived {
		subject, err := tx.Image(i.Repository, Reference{Digest: i.Subject})
		if err == nil && !subject.Archived {
			bound.Digests = []string{string(i.Subject)}
			return i, walk{}, bound
		}
		if err != nil && !errors.Is(err, meta.ErrNotFound) {
			return i, walk{}, err
		}
	}
	err = tx.ArchiveImage(i.ID, now)
	if errors.Is(err, meta.ErrReferenced) {
		parents, err := tx.Parents(i.ID, parentsShown)
		if err != nil {
			return i, walk{}, err
		}
		for _, p := range parents {
			bound.Digests = append(bound.Digests, string(p.Digest))
		}
		return i, walk{}, bound
	}
	if err != nil {
		return i, walk{}, err
	}
	return archiving.begin(tx, i.ID, walk{repository: i.Repository, subjects: []digest.Digest{i.Digest}})
}

// restore brings an image back with what it lists, and begins with what refers
// to these.
func restore(tx meta.Tx, _ RepositoryKey, i Image) (Image, walk, error) {
	w := walk{repository: i.Repository, subjects: []digest.Digest{i.Digest}}
	seen := map[ImageID]bool{}
	for below := []Image{i}; len(below) > 0; below = below[1:] {
		children, err := tx.Children(below[0].ID)
		if err != nil {
			return i, w, err
		}
		for _, child := range children {
			if child.Archived && !seen[child.ID] { // what is not archived lists nothing that is
				seen[child.ID] = true
				below = append(below, child)
				w.subjects = append(w.subjects, child.Digest)
			}
		}
	}
	now, err := tx.Now()
	if err != nil {
		return i, w, err
	}
	if err := tx.ActivateImage(i.ID, now); err != nil {
		return i, w, err
	}
	return restoring.begin(tx, i.ID, w)
}

// direction is into the archive, or out of it.
type direction struct {
	status meta.ImageStatus // of what is still to go
	move   func(meta.Tx, ImageID, time.Time) error
}

var (
	archiving = direction{meta.Active, meta.Tx.ArchiveImage}
	restoring = direction{meta.Archived, meta.Tx.ActivateImage}
)

// walk is a way through what refers to images, and to what refers to that: each
// is after its subject. It is changed by making another one.
type walk struct {
	repository meta.RepositoryID
	subjects   []digest.Digest
	after      ImageID // a referrer of the first subject; zero: none
}

// stepSize bounds what one transaction reads or moves on a walk.
const stepSize = 500

// begin reads the image that was moved, and takes the first step of the way.
func (d direction) begin(tx meta.Tx, id ImageID, w walk) (Image, walk, error) {
	i, err := tx.ImageOf(id)
	if err != nil {
		return i, w, err
	}
	left, err := d.step(tx, w)
	return i, left, err
}

// step moves what refers to the subjects, and returns what is left of the way.
// What cannot go stays, with what refers to it.
func (d direction) step(tx meta.Tx, w walk) (walk, error) {
	w.subjects = slices.Clone(w.subjects)
	now, err := tx.Now()
	if err != nil {
		return w, err
	}
	for cost := 0; len(w.subjects) > 0 && cost < stepSize; cost++ {
		page, err := tx.Referrers(w.repository, w.subjects[0], meta.ReferrerFilter{}, meta.Page[ImageID]{After: w.after, Limit: stepSize})
		if err != nil {
			return w, err
		}
		for _, r := range page {
			w.after = r.ID
			if r.Archived == (d.status == meta.Archived) {
				err := d.move(tx, r.ID, now)
				if errors.Is(err, meta.ErrReferenced) || errors.Is(err, meta.ErrNotFound) {
					continue
				}
				if err != nil {
					return w, err
				}
			}
			w.subjects = append(w.subjects, r.Digest)
		}
		if cost += len(page); len(page) < stepSize {
			w.subjects, w.after = w.subjects[1:], 0
		}
	}
	return w, nil
}

// goOn walks the rest of a way in transactions of their own.
func (c *Catalogue) goOn(ctx context.Context, d direction, w walk) error {
	for len(w.subjects) > 0 {
		var left walk
		err := c.Meta.Update(ctx, func(tx meta.Tx) (err error) {
			left, err = d.step(tx, w)
			return err
		})
		if err != nil {
			return err
		}
		w = left
	}
	return nil
}

// ArchivedLayers returns those of a repository's layers that only archived
// images keep. RepositoryNotFound.
func (c *Catalogue) ArchivedLayers(ctx context.Context, key RepositoryKey, layers map[digest.Digest]Layer) (map[meta.LayerID]bool, error) {
	var repository meta.RepositoryID
	var ids []meta.LayerID
	for _, l := range layers {
		repository = l.Repository
		ids = append(ids, l.ID)
	}
	slices.Sort(ids)
	archived := map[meta.LayerID]bool{}
	if len(ids) == 0 {
		return archived, nil
	}
	err := c.Meta.View(ctx, func(tx meta.Tx) error {
		clear(archived)
		found, err := tx.ArchivedLayers(repository, ids)
		for _, id := range found {
			archived[id] = true
		}
		return err
	})
	return archived, storeFault(key, err)
}
