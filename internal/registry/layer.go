package registry

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/lighterage/lighterage/internal/blob"
	"github.com/lighterage/lighterage/internal/digest"
	"github.com/lighterage/lighterage/internal/fault"
	"github.com/lighterage/lighterage/internal/meta"
	"github.com/lighterage/lighterage/internal/name"
)

func layerFault(r fault.Reason, key RepositoryKey, d digest.Digest) *fault.Error {
	f := repositoryFault(r, key)
	f.Digest = string(d)
	return f
}

// Layer finds a layer and promises it to the client: unreferenced, it stays at
// least the grace longer. RepositoryNotFound, LayerNotFound.
func (c *Catalogue) Layer(ctx context.Context, key RepositoryKey, d digest.Digest) (Layer, error) {
	l, err := c.findLayer(ctx, key, d)
	if err != nil {
		return Layer{}, err
	}
	now := c.Clock()
	promised, err := recalled(&c.recall, promiseQuestion{l.ID}, now, func() (a answer[bool], size int, err error) {
		if until := l.TouchedAt.Add(c.LayerGrace / 2); now.Before(until) {
			return answer[bool]{value: true, until: until}, smallAnswer, nil
		}
		err = c.Meta.Look(ctx, func(tx meta.Tx) (err error) {
			a.value, err = tx.LayerReferenced(l.ID)
			return err
		})
		return a, smallAnswer, err
	})
	if err == nil && !promised {
		err = c.touch(ctx, key, l)
	}
	return l, storeFault(key, err)
}

// findLayer finds a layer that has bytes. RepositoryNotFound, LayerNotFound.
func (c *Catalogue) findLayer(ctx context.Context, key RepositoryKey, d digest.Digest) (Layer, error) {
	l, err := recalled(&c.recall, layerQuestion{key, d}, time.Time{}, func() (a answer[Layer], size int, err error) {
		err = c.Meta.Look(ctx, func(tx meta.Tx) (err error) {
			a.value, err = tx.FindLayer(key, d)
			return err
		})
		return a, smallAnswer, err
	})
	if errors.Is(err, meta.ErrNotFound) || err == nil && l.Blob.State != meta.BlobOK {
		err = layerFault(fault.LayerNotFound, key, d)
	}
	return l, storeFault(key, err)
}

// promised reports whether a layer will outlive what a client does next: it
// has more than half of its grace before it, or an image keeps it, whose end
// would begin a new grace.
func (c *Catalogue) promised(tx meta.Tx, l Layer) (bool, error) {
	if c.Clock().Sub(l.TouchedAt) < c.LayerGrace/2 {
		return true, nil
	}
	return tx.LayerReferenced(l.ID)
}

// touch begins a layer's grace anew. LayerNotFound.
func (c *Catalogue) touch(ctx context.Context, key RepositoryKey, l Layer) error {
	err := c.Meta.Update(ctx, func(tx meta.Tx) error { return tx.TouchLayer(l.ID) })
	if errors.Is(err, meta.ErrNotFound) {
		err = layerFault(fault.LayerNotFound, key, l.Blob.Digest)
	}
	return err
}

// CheckLayers finds those of the digests that are layers of the repository,
// and promises them to the client. RepositoryNotFound.
func (c *Catalogue) CheckLayers(ctx context.Context, key RepositoryKey, ds []digest.Digest) (map[digest.Digest]Layer, error) {
	var have map[digest.Digest]Layer
	var old []Layer
	err := c.Meta.View(ctx, func(tx meta.Tx) error {
		old = nil
		r, err := live(tx, key, meta.NoLock)
		if err != nil {
			return err
		}
		if have, err = tx.Layers(r.ID, ds, meta.NoLock); err != nil {
			return err
		}
		for d, l := range have {
			promised, err := c.promised(tx, l)
			switch {
			case err != nil:
				return err
			case l.Blob.State != meta.BlobOK:
				delete(have, d)
			case !promised:
				old = append(old, l)
			}
		}
		return nil
	})
	if err != nil {
		return nil, storeFault(key, err)
	}
	for _, l := range old {
		err := c.touch(ctx, key, l)
		if fault.Is(err, fault.LayerNotFound) {
			delete(have, l.Blob.Digest)
		} else if err != nil {
			return nil, storeFault(key, err)
		}
	}
	return have, nil
}

// LayerDownloadable checks that a layer is there and that an image keeps it,
// as GetDownloadUrlForLayer asks. RepositoryNotFound, LayerNotFound,
// LayerInaccessible.
func (c *Catalogue) LayerDownloadable(ctx context.Context, key RepositoryKey, d digest.Digest) error {
	err := c.Meta.View(ctx, func(tx meta.Tx) error {
		l, err := tx.FindLayer(key, d)
		if err != nil {
			return err
		}
		if l.Blob.State != meta.BlobOK {
			return meta.ErrNotFound
		}
		kept, err := tx.LayerReferenced(l.ID)
		if err == nil && !kept {
			return layerFault(fault.LayerInaccessible, key, d)
		}
		return err
	})
	if errors.Is(err, meta.ErrNotFound) {
		err = layerFault(fault.LayerNotFound, key, d)
	}
	return storeFault(key, err)
}

// Content is a layer's bytes: small ones whole, others for reading. The caller
// closes it, and changes nothing in Body.
type Content struct {
	Size   int64
	Body   []byte            // nil when there is a Reader
	Reader io.ReadSeekCloser // nil when there is a Body
}

// Close releases the reader, if there is one.
func (c Content) Close() error {
	if c.Reader == nil {
		return nil
	}
	return c.Reader.Close()
}

// OpenLayer opens a layer's bytes. RepositoryNotFound, LayerNotFound.
func (c *Catalogue) OpenLayer(ctx context.Context, key RepositoryKey, d digest.Digest) (Content, error) {
	for again := false; ; again = true {
		content, at, err := c.openLayer(ctx, key, d)
		// Bytes may have moved since the row was read: read it once more.
		if errors.Is(err, blob.ErrNotFound) && !again {
			continue
		}
		if errors.Is(err, blob.ErrNotFound) {
			c.Logger.Error("layer has no bytes, or not all of them", "repository", key.Name, "digest", d, "location", at)
			return Content{}, c.lose(ctx, key, d, at)
		}
		return content, storeFault(key, err)
	}
}

// lose marks a blob whose bytes are not at its location, so that nobody is
// told that it is there, and the next push of it heals it.
func (c *Catalogue) lose(ctx context.Context, key RepositoryKey, d digest.Digest, at name.Location) error {
	err := c.Meta.Update(ctx, func(tx meta.Tx) error {
		l, err := tx.FindLayer(key, d)
		if err != nil || l.Blob.Location != at { // healed or gone meanwhile
			return err
		}
		return tx.SetBlobState(l.Blob.ID, meta.BlobMissing)
	})
	if err != nil && !errors.Is(err, meta.ErrNotFound) {
		return storeFault(key, err)
	}
	return layerFault(fault.LayerNotFound, key, d)
}

func (c *Catalogue) openLayer(ctx context.Context, key RepositoryKey, d digest.Digest) (Content, name.Location, error) {
	l, err := c.findLayer(ctx, key, d)
	if err != nil {
		return Content{}, "", err
	}
	if l.Blob.Location == meta.Inline {
		body, err := c.inlineBytes(ctx, l)
		return Content{Size: l.Blob.Size, Body: body}, meta.Inline, err
	}
	r, err := c.Blobs.Open(ctx, l.Blob.Location)
	if err != nil {
		return Content{}, l.Blob.Location, err
	}
	if r.Size() != l.Blob.Size {
		r.Close()
		return Content{}, l.Blob.Location, blob.ErrNotFound
	}
	return Content{Size: r.Size(), Reader: r}, l.Blob.Location, nil
}

// inlineBytes returns the bytes of a layer in the catalogue. blob.ErrNotFound
// when they are not there any more.
func (c *Catalogue) inlineBytes(ctx context.Context, l Layer) ([]byte, error) {
	if body, ok := c.bodies.get(l.Blob.Digest); ok {
		return body, nil
	}
	var body []byte
	err := c.Meta.Look(ctx, func(tx meta.Tx) (err error) {
		body, err = tx.InlineBytes(l.Blob.ID)
		return err
	})
	if errors.Is(err, meta.ErrNotFound) {
		return nil, blob.ErrNotFound
	}
	if err == nil {
		c.bodies.put(l.Blob.Digest, body)
	}
	return body, err
}

// MountLayer makes a layer of another repository of the same registry visible
// here without copying. False means that the source has no such layer to give,
// or is of another registry or space, or that the registry mounts nothing, or
// not between these. RepositoryNotFound of the target.
func (c *Catalogue) MountLayer(ctx context.Context, key, from RepositoryKey, d digest.Digest) (bool, error) {
	mounted := false
	err := c.Meta.Update(ctx, func(tx meta.Tx) error {
		mounted = false
		r, err := live(tx, key, meta.LockShared)
		if err != nil {
			return err
		}
		if from.Registry != key.Registry || from.Space != key.Space {
			return nil
		}
		if on, err := c.blobMounting(tx, key.Registry); err != nil || !on {
			return err
		}
		l, err := tx.FindLayer(from, d)
		if errors.Is(err, meta.ErrNotFound) || errors.Is(err, meta.ErrNoRepository) {
			return nil
		}
		if err != nil || l.Blob.State != meta.BlobOK {
			return err
		}
		if gives, err := c.gives(tx, from, l, r.RepositorySettings); err != nil || !gives {
			return err
		}
		mounted = true
		return c.addLayer(tx, r.ID, l.Blob.ID)
	})
	return mounted, storeFault(key, err)
}

// gives reports whether a repository's layer may be mounted in one of the given
// settings. On ECR an image must refer to it (aws/containers-roadmap#2860), and
// both are encrypted alike (user guide, blob mounting).
func (c *Catalogue) gives(tx meta.Tx, from RepositoryKey, l Layer, to RepositorySettings) (bool, error) {
	if !c.Limits.Strict {
		return true, nil
	}
	source, err := live(tx, from, meta.NoLock)
	if err != nil || source.EncryptionType != to.EncryptionType || source.KMSKey != to.KMSKey {
		return false, err
	}
	return tx.LayerReferenced(l.ID)
}

// addLayer makes a blob visible in a repository and has the collector look at
// it when its grace is over.
func (c *Catalogue) addLayer(tx meta.Tx, repository meta.RepositoryID, b meta.BlobID) error {
	now, err := tx.Now()
	if err != nil {
		return err
	}
	_, err = tx.PutLayer(repository, b, now.Add(c.LayerGrace))
	return err
}

// LayerHolders lists ECR repositories of a registry that have the layer, at
// most limit.
func (c *Catalogue) LayerHolders(ctx context.Context, registry name.RegistryID, d digest.Digest, limit int) ([]RepositoryKey, error) {
	var out []RepositoryKey
	err := c.Meta.View(ctx, func(tx meta.Tx) (err error) {
		out, err = tx.LayerHolders(registry, meta.ECR, d, limit)
		return err
	})
	return out, storeFault(RepositoryKey{Registry: registry}, err)
}

// DeleteLayer removes a layer that no image keeps. RepositoryNotFound,
// LayerNotFound, LayerReferenced.
func (c *Catalogue) DeleteLayer(ctx context.Context, key RepositoryKey, d digest.Digest) error {
	return storeFault(key, c.Meta.Update(ctx, func(tx meta.Tx) error {
		l, err := tx.FindLayer(key, d)
		if errors.Is(err, meta.ErrNotFound) {
			return layerFault(fault.LayerNotFound, key, d)
		}
		if err != nil {
			return err
		}
		kept, err := tx.LayerReferenced(l.ID)
		if err != nil {
			return err
		}
		if kept {
			return layerFault(fault.LayerReferenced, key, d)
		}
		removeAfter, err := c.removal(tx)
		if err != nil {
			return err
		}
		err = tx.DeleteLayer(l.ID, removeAfter)
		if errors.Is(err, meta.ErrReferenced) {
			return layerFault(fault.LayerReferenced, key, d)
		}
		return err
	}))
}

// removal is when bytes that are unlinked now may be removed.
func (c *Catalogue) removal(tx meta.Tx) (time.Time, error) {
	now, err := tx.Now()
	return now.Add(c.URLTTL), err
}
