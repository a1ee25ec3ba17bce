package registry

import (
	"context"
	"encoding/json"
	"errors"
	"strings"

	"github.com/lighterage/lighterage/internal/digest"
	"github.com/lighterage/lighterage/internal/fault"
	"github.com/lighterage/lighterage/internal/manifest"
	"github.com/lighterage/lighterage/internal/meta"
	"github.com/lighterage/lighterage/internal/name"
)

// Put is a manifest on its way into a repository.
type Put struct {
	By        string // ARN of the principal
	Key       RepositoryKey
	Body      []byte
	MediaType string        // said beside the body; empty: the body's own counts
	Digest    digest.Digest // what the client says it is; empty: sha256
	Tags      []name.Tag    // none: the image stays as it is tagged
	// Repeatable makes putting again what is already there a success, as OCI
	// clients expect, instead of ImageExists.
	Repeatable bool
}

// putAgain bounds how often a put is tried against deletions.
const putAgain = 10

// PutImage stores a manifest and points the tags to it, all or nothing. The
// checks come in this order: manifest, repository, digest, key, tags, layers
// and children, quotas.
//
// ManifestInvalid, ManifestTooLarge, RepositoryNotFound, DigestMismatch,
// KeyUnusable, ImageExists, TagImmutable, TagImmutableSame, LayersNotFound,
// ChildrenNotFound, LimitExceeded.
func (c *Catalogue) PutImage(ctx context.Context, p Put) (Image, error) {
	if limit := c.Limits.ManifestSize; limit > 0 && int64(len(p.Body)) > limit {
		return Image{}, &fault.Error{Reason: fault.ManifestTooLarge, Repository: string(p.Key.Name), Limit: limit}
	}
	size := min(int64(len(p.Body)), parsingMax)
	if err := c.parsing.Acquire(ctx, size); err != nil {
		return Image{}, storeFault(p.Key, err)
	}
	defer c.parsing.Release(size)
	m, parseErr := manifest.Parse(p.Body, p.MediaType)
	algorithm := digest.SHA256
	if p.Digest != "" && !c.Limits.Strict {
		algorithm = p.Digest.Algorithm()
	}
	computed := digest.Of(algorithm, p.Body)
	var put Image
	var back walk
	update := func(tx meta.Tx) error {
		r, err := live(tx, p.Key, meta.LockShared)
		if err != nil {
			return err
		}
		if parseErr != nil {
			return parseErr
		}
		if err := c.checkManifest(p.Key, m); err != nil {
			return err
		}
		if p.Digest != "" && p.Digest != computed {
			return imageFault(fault.DigestMismatch, p.Key, Reference{Digest: p.Digest})
		}
		if err := c.Keys.Check(r.RepositorySettings); err != nil {
			return err
		}
		back = walk{}
		if put, err = c.putImage(tx, p, r, m, computed); err == nil && put.Archived { // a push brings it back
			put, back, err = restore(tx, p.Key, put)
		}
		return err
	}
	err := c.Meta.Update(ctx, update)
	// What was found may be gone when it is referred to: look again.
	for again := 0; errors.Is(err, meta.ErrNotFound) && again < putAgain; again++ {
		err = c.Meta.Update(ctx, update)
	}
	if err == nil {
		c.manifests.put(put.Digest, p.Body)
		err = c.goOn(ctx, restoring, back)
	}
	return put, storeFault(p.Key, err)
}

// checkManifest refuses images of more layers than the quota allows, and
// indexes that list layers, such as BuildKit's caches, where an index lists
// images alone (aws/containers-roadmap#876).
func (c *Catalogue) checkManifest(key RepositoryKey, m *manifest.Manifest) error {
	limit := c.Limits.LayersPerImage
	if m.Kind == manifest.Image && limit > 0 && int64(len(m.Layers)) > limit {
		return &fault.Error{Reason: fault.ManifestInvalid, Member: "ImageManifest", Constraint: "Limit on number of layers per image exceeded"}
	}
	if m.Kind != manifest.Index || !c.Limits.Strict || len(m.Layers) == 0 {
		return nil
	}
	f := repositoryFault(fault.ChildrenNotFound, key)
	for _, l := range m.Layers {
		f.Digests = append(f.Digests, string(l.Digest))
	}
	return f
}

func (c *Catalogue) putImage(tx meta.Tx, p Put, r Repository, m *manifest.Manifest, d digest.Digest) (Image, error) {
	i, err := tx.Image(r.ID, Reference{Digest: d})
	known := err == nil
	if err != nil && !errors.Is(err, meta.ErrNotFound) {
		return i, err
	}
	if err := tx.LockTags(r.ID, p.Tags); err != nil {
		return i, err
	}
	move, err := c.checkTags(tx, p, r, d, known && !i.Archived)
	if err != nil {
		return i, err
	}
	if !known {
		if i, err = c.insertImage(tx, p.Key, r, m, d, p.Body); err != nil {
			return i, err
		}
	}
	if err := c.checkTagQuota(tx, p.Key, i, known, len(move)); err != nil {
		return i, err
	}
	for _, t := range move {
		if err := tx.PutTag(r.ID, t, i.ID, p.By); err != nil {
			return i, err
		}
	}
	if r.Key.Space == meta.Lightsail {
		now, err := tx.Now()
		if err != nil {
			return i, err
		}
		return i, tx.EnqueueReview(meta.ImageSubject, int64(i.ID), now.Add(c.PushTTL))
	}
	return i, nil
}

// checkTags returns the tags that are to be set, and refuses those that may
// not move. An image that is archived may be put again as it is. ECR's cases: its
// user guide, image tag mutability; for the same image again
// aws/containers-roadmap#2179, aws/aws-sdk#750 and getmoto/moto#8717.
func (c *Catalogue) checkTags(tx meta.Tx, p Put, r Repository, d digest.Digest, active bool) ([]name.Tag, error) {
	if len(p.Tags) == 0 && active && !p.Repeatable {
		return nil, imageFault(fault.ImageExists, p.Key, Reference{Digest: d})
	}
	var move []name.Tag
	for _, t := range unique(p.Tags) {
		old, err := tx.Tag(r.ID, t)
		switch {
		case errors.Is(err, meta.ErrNotFound):
			move = append(move, t)
		case err != nil:
			return nil, err
		case old.Digest == d && !active:
		case old.Digest == d && p.Repeatable && c.Limits.Strict && !mayMove(r.RepositorySettings, t):
			return nil, imageFault(fault.TagImmutableSame, p.Key, Reference{Tag: t, Digest: d}) // moby/buildkit#3776
		case old.Digest == d && p.Repeatable:
		case old.Digest == d:
			return nil, imageFault(fault.ImageExists, p.Key, Reference{Tag: t, Digest: d})
		case !mayMove(r.RepositorySettings, t):
			return nil, imageFault(fault.TagImmutable, p.Key, Reference{Tag: t, Digest: d})
		default:
			move = append(move, t)
		}
	}
	return move, nil
}

func (c *Catalogue) insertImage(tx meta.Tx, key RepositoryKey, r Repository, m *manifest.Manifest, d digest.Digest, body []byte) (Image, error) {
	layers, err := requiredLayers(tx, key, r.ID, m)
	if err != nil {
		return Image{}, err
	}
	children, largest, err := requiredChildren(tx, key, r.ID, m)
	if err != nil {
		return Image{}, err
	}
	if err := c.checkImageQuota(tx, key, r.ID); err != nil {
		return Image{}, err
	}
	now, err := tx.Now()
	if err != nil {
		return Image{}, err
	}
	annotations := ""
	if len(m.Annotations) > 0 {
		var text strings.Builder
		e := json.NewEncoder(&text)
		e.SetEscapeHTML(false) // would make it up to six times as long
		if err := e.Encode(m.Annotations); err != nil {
			return Image{}, err
		}
		annotations = strings.TrimSuffix(text.String(), "\n")
	}
	i := Image{
		Repository: r.ID, Digest: d, MediaType: m.MediaType, ArtifactType: m.ArtifactType,
		ConfigMediaType: m.Config.MediaType, Subject: m.Subject, Annotations: annotations,
		ManifestSize: int64(len(body)), ImageSize: max(m.Size, largest), PushedAt: now,
	}
	i.ID, err = tx.InsertImage(i, body, layers, children)
	i.Annotations = ""
	if err != nil || len(children) == 0 {
		return i, err
	}
	return i, stillActive(tx, i.ID)
}

// stillActive looks again at the images that an index lists, which nobody can
// archive now. ErrNotFound when one was archived since it was found.
func stillActive(tx meta.Tx, index ImageID) error {
	children, err := tx.Children(index)
	for _, child := range children {
		if child.Archived {
			return meta.ErrNotFound
		}
	}
	return err
}

// requiredLayers locks the manifest's layers in the repository.
func requiredLayers(tx meta.Tx, key RepositoryKey, repository meta.RepositoryID, m *manifest.Manifest) ([]meta.LayerID, error) {
	want := m.RequiredLayers()
	have, err := tx.Layers(repository, want, meta.LockShared)
	if err != nil {
		return nil, err
	}
	var ids []meta.LayerID
	var missing []string
	for _, d := range want {
		l, ok := have[d]
		if !ok || l.Blob.State != meta.BlobOK {
			missing = append(missing, string(d))
			continue
		}
		ids = append(ids, l.ID)
	}
	if len(missing) > 0 {
		f := repositoryFault(fault.LayersNotFound, key)
		f.Digests = missing
		return nil, f
	}
	return ids, nil
}

// requiredChildren finds an index's images in the repository, and the size of
// the largest. Archived ones are as good as missing.
func requiredChildren(tx meta.Tx, key RepositoryKey, repository meta.RepositoryID, m *manifest.Manifest) ([]meta.ImageID, int64, error) {
	var ids []meta.ImageID
	var missing []string
	largest := int64(0)
	for _, d := range m.RequiredChildren() {
		i, err := tx.Image(repository, Reference{Digest: d})
		switch {
		case errors.Is(err, meta.ErrNotFound), err == nil && i.Archived:
			missing = append(missing, string(d))
		case err != nil:
			return nil, 0, err
		default:
			ids, largest = append(ids, i.ID), max(largest, i.ImageSize)
		}
	}
	if len(missing) > 0 {
		f := repositoryFault(fault.ChildrenNotFound, key)
		f.Digests = missing
		return nil, 0, f
	}
	return ids, largest, nil
}

func (c *Catalogue) checkImageQuota(tx meta.Tx, key RepositoryKey, id meta.RepositoryID) error {
	limit := c.Limits.ImagesPerRepo
	if limit == 0 {
		return nil
	}
	if _, err := tx.Repository(key, meta.LockExclusive); err != nil { // one counter at a time
		return err
	}
	n, _, err := tx.ImageUsage(id)
	if err != nil || n < limit {
		return err
	}
	f := repositoryFault(fault.LimitExceeded, key)
	f.Quota, f.Limit = "images per repository", limit
	return f
}

func (c *Catalogue) checkTagQuota(tx meta.Tx, key RepositoryKey, i Image, known bool, more int) error {
	limit := c.Limits.TagsPerImage
	if limit == 0 || more == 0 {
		return nil
	}
	have := 0
	if known {
		if err := tx.LockImage(i.ID); err != nil {
			return err
		}
		tags, err := tx.TagsOf(i.ID, int(limit))
		if err != nil {
			return err
		}
		have = len(tags)
	}
	if int64(have+more) <= limit {
		return nil
	}
	f := imageFault(fault.LimitExceeded, key, Reference{Digest: i.Digest})
	f.Quota, f.Limit = "tags per image", limit
	return f
}
