package registry

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/lighterage/lighterage/internal/digest"
	"github.com/lighterage/lighterage/internal/fault"
	"github.com/lighterage/lighterage/internal/manifest"
	"github.com/lighterage/lighterage/internal/meta"
	"github.com/lighterage/lighterage/internal/name"
)

// The row types of the trash, for the fronts.
type (
	TrashedImage      = meta.TrashedImage
	TrashedRepository = meta.TrashedRepository
	TrashID           = meta.TrashID
	RepositoryID      = meta.RepositoryID
)

const (
	// together is how far apart the end of an image and of what refers to it may
	// be, by the same principal, to come back together.
	together = time.Minute
	// backMax bounds the images that one call brings back.
	backMax = 500
	// historyLooked is how many changes of a tag are looked at for an image that
	// had it.
	historyLooked = 100
	// lifecycleAfter is when the lifecycle policy of a repository that came back
	// is evaluated, as when it is set.
	lifecycleAfter = 24 * time.Hour
	// dropAtOnce bounds one transaction of an emptying.
	dropAtOnce = 100
)

// UndeleteImage brings an image back that was deleted last of a tag or digest,
// with its tags or without them, the images that it lists, and what referred to
// it and was deleted with it. All of it, or nothing: what no longer fits is an
// error of PutImage's, and a tag that another image has now is TagTaken. It
// returns what came back, the image itself last but for what refers to it.
// RepositoryNotFound, RepositoryThrown, NotInTrash, ImageExists, TagTaken,
// LayersNotFound, ChildrenNotFound, ManifestInvalid, KeyUnusable, LimitExceeded.
func (c *Catalogue) UndeleteImage(ctx context.Context, by string, key RepositoryKey, ref Reference, untagged bool) ([]TrashedImage, error) {
	var b back
	update := func(tx meta.Tx) error {
		b = back{c: c, tx: tx, by: by, untagged: untagged}
		var err error
		if b.repository, err = live(tx, key, meta.LockShared); err != nil {
			return thrown(tx, key, err)
		}
		if b.now, err = tx.Now(); err != nil {
			return err
		}
		if err := c.Keys.Check(b.repository.RepositorySettings); err != nil {
			return err
		}
		x, err := b.find(ref)
		if err != nil {
			return err
		}
		if _, err := tx.Image(b.repository.ID, Reference{Digest: x.Digest}); !errors.Is(err, meta.ErrNotFound) {
			if err != nil {
				return err
			}
			return imageFault(fault.ImageExists, key, Reference{Tag: ref.Tag, Digest: x.Digest})
		}
		if _, err := b.image(x); err != nil {
			return err
		}
		return b.referrers(x)
	}
	err := c.Meta.Update(ctx, update)
	// What was found may be gone when it is referred to: look again.
	for again := 0; errors.Is(err, meta.ErrNotFound) && again < putAgain; again++ {
		err = c.Meta.Update(ctx, update)
	}
	return b.done, storeFault(key, err)
}

// thrown says of a repository that is not there whether it is in the trash.
func thrown(tx meta.Tx, key RepositoryKey, err error) error {
	if !errors.Is(err, meta.ErrNoRepository) {
		return err
	}
	switch _, looked := tx.TrashedRepository(key, meta.NoLock); {
	case looked == nil:
		return repositoryFault(fault.RepositoryThrown, key)
	case !errors.Is(looked, meta.ErrNotFound):
		return looked
	}
	return err
}

// back is images on their way back, in one transaction.
type back struct {
	c          *Catalogue
	tx         meta.Tx
	by         string
	untagged   bool
	repository Repository
	now        time.Time
	done       []TrashedImage
}

// find looks up by digest, or finds the digest that a tag had last, of those
// whose image went with it.
func (b *back) find(ref Reference) (TrashedImage, error) {
	absent := imageFault(fault.NotInTrash, b.repository.Key, ref)
	if ref.Tag == "" {
		x, err := b.last(ref.Digest)
		if errors.Is(err, meta.ErrNotFound) {
			return x, absent
		}
		return x, err
	}
	changes, err := b.tx.TagHistory(b.repository.ID, ref.Tag, historyLooked)
	if err != nil {
		return TrashedImage{}, err
	}
	for _, change := range changes {
		if change.New != "" || change.Old == "" {
			continue
		}
		x, err := b.last(change.Old)
		if err == nil && slices.Contains(x.Tags, ref.Tag) {
			return x, nil
		}
		if err != nil && !errors.Is(err, meta.ErrNotFound) {
			return x, err
		}
	}
	return TrashedImage{}, absent
}

// last holds what was deleted last of a digest, if its time is not over.
// ErrNotFound.
func (b *back) last(d digest.Digest) (TrashedImage, error) {
	x, err := b.tx.LastTrashedImage(b.repository.ID, d)
	if err != nil {
		return x, err
	}
	x, err = b.tx.TrashedImage(x.TrashID, meta.LockExclusive)
	if err == nil && !x.Until.After(b.now) {
		err = meta.ErrNotFound
	}
	return x, err
}

// image brings one back as PutImage would put it, after what it lists.
func (b *back) image(x TrashedImage) (ImageID, error) {
	key := b.repository.Key
	if len(b.done) >= backMax {
		f := imageFault(fault.LimitExceeded, key, Reference{Digest: x.Digest})
		f.Quota, f.Limit = "images that come back at once", backMax
		return 0, f
	}
	body, err := b.tx.TrashedManifest(x.TrashID)
	if err != nil {
		return 0, err
	}
	m, err := manifest.Parse(body, x.MediaType)
	if err != nil {
		return 0, err
	}
	if err := b.c.checkManifest(key, m); err != nil {
		return 0, err
	}
	if err := b.checkTags(x); err != nil {
		return 0, err
	}
	layers, err := b.layers(x, m)
	if err != nil {
		return 0, err
	}
	children, err := b.children(x, m)
	if err != nil {
		return 0, err
	}
	if err := b.c.checkImageQuota(b.tx, key, b.repository.ID); err != nil {
		return 0, err
	}
	id, err := b.tx.RestoreImage(x.TrashID, layers, children)
	if err != nil {
		return 0, err
	}
	if !x.Archived && len(children) > 0 {
		if err := stillActive(b.tx, id); err != nil {
			return 0, err
		}
	}
	if b.untagged {
		x.Tags = nil
	}
	for _, t := range x.Tags {
		if err := b.tx.PutTag(b.repository.ID, t, id, b.by); err != nil {
			return 0, err
		}
	}
	b.done = append(b.done, x)
	return id, nil
}

// checkTags holds the tags that are to come back, which no image may have.
func (b *back) checkTags(x TrashedImage) error {
	if b.untagged {
		return nil
	}
	if err := b.tx.LockTags(b.repository.ID, x.Tags); err != nil {
		return err
	}
	for _, t := range x.Tags {
		now, err := b.tx.Tag(b.repository.ID, t)
		if err == nil {
			return imageFault(fault.TagTaken, b.repository.Key, Reference{Tag: t, Digest: now.Digest})
		}
		if !errors.Is(err, meta.ErrNotFound) {
			return err
		}
	}
	return b.c.checkTagQuota(b.tx, b.repository.Key, x.Image, false, len(x.Tags))
}

// layers finds what the image needs in the repository, and makes those visible
// anew that are gone, whose blobs the trash has kept.
func (b *back) layers(x TrashedImage, m *manifest.Manifest) ([]meta.LayerID, error) {
	have, err := b.tx.Layers(b.repository.ID, m.RequiredLayers(), meta.LockShared)
	if err != nil {
		return nil, err
	}
	kept, err := b.tx.TrashedBlobs(x.TrashID)
	if err != nil {
		return nil, err
	}
	slices.SortFunc(kept, func(a, b meta.Blob) int { return slices.Compare(a.Digest.Bytes(), b.Digest.Bytes()) })
	for _, blob := range kept {
		if _, ok := have[blob.Digest]; ok || blob.State != meta.BlobOK {
			continue
		}
		if _, err := b.tx.PutLayer(b.repository.ID, blob.ID, b.now.Add(b.c.LayerGrace)); err != nil {
			return nil, err
		}
	}
	return requiredLayers(b.tx, b.repository.Key, b.repository.ID, m)
}

// children finds what an index lists, and brings it back from the trash. What
// is archived is as good as missing, but to an index that is archived too.
func (b *back) children(x TrashedImage, m *manifest.Manifest) ([]ImageID, error) {
	var ids []ImageID
	var missing []string
	for _, d := range m.RequiredChildren() {
		i, err := b.tx.Image(b.repository.ID, Reference{Digest: d})
		if err == nil && (!i.Archived || x.Archived) {
			ids = append(ids, i.ID)
			continue
		}
		if err != nil && !errors.Is(err, meta.ErrNotFound) {
			return nil, err
		}
		var child TrashedImage
		if err != nil {
			child, err = b.last(d)
		} else {
			err = meta.ErrNotFound
		}
		if errors.Is(err, meta.ErrNotFound) {
			missing = append(missing, string(d))
			continue
		}
		if err != nil {
			return nil, err
		}
		id, err := b.image(child)
		if err != nil {
			return nil, err
		}
		ids = append(ids, id)
	}
	if len(missing) > 0 {
		f := repositoryFault(fault.ChildrenNotFound, b.repository.Key)
		f.Digests = missing
		return nil, f
	}
	return ids, nil
}

// referrers brings back what referred to an image and was deleted with it, and
// what referred to that.
func (b *back) referrers(x TrashedImage) error {
	for subjects := []TrashedImage{x}; len(subjects) > 0; subjects = subjects[1:] {
		of := subjects[0]
		found, err := b.tx.TrashedReferrers(b.repository.ID, of.Digest, backMax)
		if err != nil {
			return err
		}
		for _, r := range found {
			if r.By != of.By || r.At.Sub(of.At).Abs() > together {
				continue
			}
			newest, err := b.last(r.Digest)
			if errors.Is(err, meta.ErrNotFound) || err == nil && newest.TrashID != r.TrashID {
				continue
			}
			if err != nil {
				return err
			}
			if _, err := b.tx.Image(b.repository.ID, Reference{Digest: r.Digest}); err == nil {
				continue // it was pushed again
			} else if !errors.Is(err, meta.ErrNotFound) {
				return err
			}
			if _, err := b.image(newest); err != nil {
				return err
			}
			subjects = append(subjects, newest)
		}
	}
	return nil
}

// UndeleteRepository brings a repository back that was deleted last under the
// name, with all that it had, under its name or another.
// NotInTrash, RepositoryExists, KeyUnusable, LimitExceeded.
func (c *Catalogue) UndeleteRepository(ctx context.Context, key RepositoryKey, as name.RepositoryName) (Repository, error) {
	var r Repository
	err := c.Meta.Update(ctx, func(tx meta.Tx) error {
		now, err := tx.Now()
		if err != nil {
			return err
		}
		x, err := tx.TrashedRepository(key, meta.LockExclusive)
		if errors.Is(err, meta.ErrNotFound) || err == nil && !x.Until.After(now) {
			return repositoryFault(fault.NotInTrash, key)
		}
		if err != nil {
			return err
		}
		r = x.Repository
		if as != "" {
			r.Key.Name = as
		}
		if err := c.Keys.Check(r.RepositorySettings); err != nil {
			return err
		}
		err = tx.RestoreRepository(r.ID, r.Key.Name, now.Add(lifecycleAfter))
		if errors.Is(err, meta.ErrExists) {
			return repositoryFault(fault.RepositoryExists, r.Key)
		}
		if err != nil {
			return err
		}
		return c.checkRepositoryQuota(tx, r.Key) // counted with the newcomer, as of a new one
	})
	return r, storeFault(key, err)
}

// TrashedImages lists the images in the trash of all registries in the order in
// which they were deleted.
func (c *Catalogue) TrashedImages(ctx context.Context, after TrashID, limit int) ([]TrashedImage, error) {
	var found []TrashedImage
	err := c.Meta.View(ctx, func(tx meta.Tx) (err error) {
		found, err = tx.TrashedImages(meta.Page[TrashID]{After: after, Limit: limit})
		return err
	})
	return found, storeFault(RepositoryKey{}, err)
}

// Thrown is a repository in the trash with what is in it.
type Thrown struct {
	TrashedRepository
	Images, Bytes int64
}

// TrashedRepositories lists the repositories in the trash of all registries by
// id.
func (c *Catalogue) TrashedRepositories(ctx context.Context, after RepositoryID, limit int) ([]Thrown, error) {
	var found []Thrown
	err := c.Meta.View(ctx, func(tx meta.Tx) error {
		found = nil
		page, err := tx.TrashedRepositories(meta.Page[RepositoryID]{After: after, Limit: limit})
		if err != nil {
			return err
		}
		for _, x := range page {
			t := Thrown{TrashedRepository: x}
			if t.Images, t.Bytes, err = tx.ImageUsage(x.ID); err != nil {
				return err
			}
			found = append(found, t)
		}
		return nil
	})
	return found, storeFault(RepositoryKey{}, err)
}

// EmptyTrash takes out of the trash, for ever, the images and repositories that
// were deleted at the given time or before, or all if it is zero, of all registries, and returns how
// many. What only they kept goes as what is deleted without a trash.
func (c *Catalogue) EmptyTrash(ctx context.Context, before time.Time) (images, repositories int, err error) {
	for after := TrashID(0); ; {
		page, err := c.TrashedImages(ctx, after, dropAtOnce)
		if err != nil {
			return images, repositories, err
		}
		var drop []TrashID
		for _, x := range page {
			if after = x.TrashID; before.IsZero() || !x.At.After(before) {
				drop = append(drop, x.TrashID)
			}
		}
		n := 0
		err = c.Meta.Update(ctx, func(tx meta.Tx) error {
			now, err := tx.Now()
			if err != nil {
				return err
			}
			n, err = each(drop, func(id TrashID) error { return tx.DropTrashedImage(id, now.Add(c.LayerGrace)) })
			return err
		})
		if err != nil {
			return images, repositories, storeFault(RepositoryKey{}, err)
		}
		if images += n; len(page) < dropAtOnce {
			break
		}
	}
	for after := RepositoryID(0); ; {
		page, err := c.TrashedRepositories(ctx, after, dropAtOnce)
		if err != nil {
			return images, repositories, err
		}
		var drop []RepositoryID
		for _, x := range page {
			if after = x.ID; before.IsZero() || !x.At.After(before) {
				drop = append(drop, x.ID)
			}
		}
		n := 0
		err = c.Meta.Update(ctx, func(tx meta.Tx) (err error) {
			n, err = each(drop, tx.DropTrashedRepository)
			return err
		})
		if err != nil {
			return images, repositories, storeFault(RepositoryKey{}, err)
		}
		if repositories += n; len(page) < dropAtOnce {
			return images, repositories, nil
		}
	}
}

// each drops rows, but for those that others dropped meanwhile, and returns how
// many.
func each[ID any](ids []ID, drop func(ID) error) (int, error) {
	n := 0
	for _, id := range ids {
		err := drop(id)
		if err == nil {
			n++
		} else if !errors.Is(err, meta.ErrNotFound) {
			return n, err
		}
	}
	return n, nil
}
