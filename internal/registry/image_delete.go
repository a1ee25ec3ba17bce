package registry

import (
	"context"
	"errors"

	"github.com/lighterage/lighterage/internal/fault"
	"github.com/lighterage/lighterage/internal/meta"
	"github.com/lighterage/lighterage/internal/name"
)

// parentsShown bounds the indexes that an ImageReferenced fault names.
const parentsShown = 20

// Deleted is what DeleteImages removed: a tag, an image, or both.
type Deleted struct {
	Tag    name.Tag
	Digest string
}

// DeleteImages removes tags and images as BatchDeleteImage does, each id on
// its own: a tag, and with its last tag the image; by digest the image with
// all its tags; by both the tag if it points there. An image that an index
// keeps stays (ImageReferenced), as does the last tag of it. Indexes go before
// the images they keep, whatever the order asked in.
// RepositoryNotFound for all; per id the reasons of FindImages and
// ImageReferenced.
func (c *Catalogue) DeleteImages(ctx context.Context, by string, key RepositoryKey, ids []Asked) ([]Deleted, []Match, error) {
	var deleted []Deleted
	var failed []Match
	err := c.Meta.Update(ctx, func(tx meta.Tx) error {
		deleted, failed = nil, nil
		r, err := live(tx, key, meta.LockShared)
		if err != nil {
			return err
		}
		waiting := unique(ids)
		for len(waiting) > 0 { // again while a round freed a child of what it removed
			var kept []Match
			for _, id := range waiting {
				gone, fail, err := c.deleteOne(tx, by, key, r.ID, id)
				if err != nil {
					return err
				}
				deleted = append(deleted, gone...)
				kept = append(kept, fail...)
			}
			var again []Asked
			for _, m := range kept {
				if m.Err.Reason == fault.ImageReferenced {
					again = append(again, m.Asked)
				} else {
					failed = append(failed, m)
				}
			}
			if len(again) == len(waiting) {
				for _, m := range kept {
					if m.Err.Reason == fault.ImageReferenced {
						failed = append(failed, m)
					}
				}
				return nil
			}
			waiting = again
		}
		return nil
	})
	return unique(deleted), failed, storeFault(key, err)
}

func (c *Catalogue) deleteOne(tx meta.Tx, by string, key RepositoryKey, repository meta.RepositoryID, id Asked) ([]Deleted, []Match, error) {
	ms, err := lockAsked(tx, key, repository, id)
	if err != nil || ms[0].Err != nil {
		return nil, ms, err
	}
	i := ms[0].Image
	whole := id.Tag == ""
	if !whole {
		tags, err := tx.TagsOf(i.ID, 2)
		if err != nil {
			return nil, nil, err
		}
		whole = len(tags) == 1
	}
	if whole {
		err := c.deleteImage(tx, by, key, i)
		if f := (*fault.Error)(nil); errors.As(err, &f) {
			return nil, []Match{{Asked: id, Image: i, Err: f}}, nil
		}
		if err != nil {
			return nil, nil, err
		}
	} else if err := tx.DeleteTag(repository, ms[0].Tag, by); err != nil {
		return nil, nil, err
	}
	var gone []Deleted
	for _, m := range ms {
		gone = append(gone, Deleted{Tag: m.Tag, Digest: string(i.Digest)})
	}
	return gone, nil, nil
}

// lockAsked resolves an id and holds what it names: the tag stays where it
// points, and the image keeps the tags that it has.
func lockAsked(tx meta.Tx, key RepositoryKey, repository meta.RepositoryID, id Asked) ([]Match, error) {
	if tag, err := name.ParseTag(id.Tag); err == nil {
		if err := tx.LockTags(repository, []name.Tag{tag}); err != nil {
			return nil, err
		}
	}
	ms, err := resolve(tx, key, repository, id, TagsPerImageShown)
	if err != nil || ms[0].Err != nil {
		return ms, err
	}
	if err := tx.LockImage(ms[0].Image.ID); err != nil && !errors.Is(err, meta.ErrNotFound) {
		return nil, err
	}
	return resolve(tx, key, repository, id, TagsPerImageShown)
}

// deleteImage removes an image and everything that only it kept. It looks for
// the indexes that keep it only when told of some.
func (c *Catalogue) deleteImage(tx meta.Tx, by string, key RepositoryKey, i Image) error {
	now, err := tx.Now()
	if err != nil {
		return err
	}
	err = tx.DeleteImage(i.ID, by, now.Add(c.LayerGrace))
	if errors.Is(err, meta.ErrNotFound) { // somebody else was faster
		return imageFault(fault.ImageNotFound, key, Reference{Digest: i.Digest})
	}
	if !errors.Is(err, meta.ErrReferenced) {
		return err
	}
	parents, err := tx.Parents(i.ID, parentsShown)
	if err != nil {
		return err
	}
	f := imageFault(fault.ImageReferenced, key, Reference{Digest: i.Digest})
	for _, p := range parents { // none: a registered image keeps it
		f.Digests = append(f.Digests, string(p.Digest))
	}
	return f
}

// DeleteTag removes a tag alone, as OCI asks. RepositoryNotFound,
// ImageNotFound.
func (c *Catalogue) DeleteTag(ctx context.Context, by string, key RepositoryKey, tag name.Tag) error {
	return storeFault(key, c.Meta.Update(ctx, func(tx meta.Tx) error {
		r, err := live(tx, key, meta.LockShared)
		if err != nil {
			return err
		}
		err = tx.DeleteTag(r.ID, tag, by)
		if errors.Is(err, meta.ErrNotFound) {
			return imageFault(fault.ImageNotFound, key, Reference{Tag: tag})
		}
		return err
	}))
}

// DeleteImage removes an image by digest, with its tags. RepositoryNotFound,
// ImageNotFound, ImageReferenced.
func (c *Catalogue) DeleteImage(ctx context.Context, by string, key RepositoryKey, ref Reference) error {
	return storeFault(key, c.Meta.Update(ctx, func(tx meta.Tx) error {
		i, err := tx.FindImage(key, ref)
		if errors.Is(err, meta.ErrNotFound) { // perhaps it is archived
			i, err = anyImage(tx, key, ref)
		}
		if errors.Is(err, meta.ErrNotFound) {
			return imageFault(fault.ImageNotFound, key, ref)
		}
		if err != nil {
			return err
		}
		return c.deleteImage(tx, by, key, i)
	}))
}

// anyImage finds an image of any status. ErrNotFound, RepositoryNotFound.
func anyImage(tx meta.Tx, key RepositoryKey, ref Reference) (Image, error) {
	r, err := live(tx, key, meta.NoLock)
	if err != nil {
		return Image{}, err
	}
	return tx.Image(r.ID, ref)
}
