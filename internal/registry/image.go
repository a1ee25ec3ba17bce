package registry

import (
	"context"
	"errors"
	"time"

	"github.com/lighterage/lighterage/internal/digest"
	"github.com/lighterage/lighterage/internal/fault"
	"github.com/lighterage/lighterage/internal/meta"
	"github.com/lighterage/lighterage/internal/name"
)

// TagsPerImageShown bounds the tags that a description of one image lists.
const TagsPerImageShown = 10_000

// tagsOfPage bounds the tags in a page of descriptions: it ends before the
// image that would bring more, but holds one image.
const tagsOfPage = 10_000

// Image finds an image by tag or digest; an archived one is as good as missing.
// RepositoryNotFound, ImageNotFound.
func (c *Catalogue) Image(ctx context.Context, key RepositoryKey, ref Reference) (Image, error) {
	i, err := recalled(&c.recall, imageQuestion{key, ref}, time.Time{}, func() (a answer[Image], size int, err error) {
		err = c.Meta.Look(ctx, func(tx meta.Tx) (err error) {
			a.value, err = tx.FindImage(key, ref)
			return err
		})
		return a, smallAnswer, err
	})
	if errors.Is(err, meta.ErrNotFound) {
		err = imageFault(fault.ImageNotFound, key, ref)
	}
	return i, storeFault(key, err)
}

// Manifest returns an image's exact bytes, which must not be changed.
func (c *Catalogue) Manifest(ctx context.Context, key RepositoryKey, i Image) ([]byte, error) {
	if body, ok := c.manifests.get(i.Digest); ok {
		return body, nil
	}
	var body []byte
	err := c.Meta.Look(ctx, func(tx meta.Tx) (err error) {
		body, err = tx.Manifest(i.ID)
		return err
	})
	if errors.Is(err, meta.ErrNotFound) { // deleted since it was found
		return nil, imageFault(fault.ImageNotFound, key, Reference{Digest: i.Digest})
	}
	if err != nil {
		return nil, storeFault(key, err)
	}
	c.manifests.put(i.Digest, body)
	return body, nil
}

func imageFault(r fault.Reason, key RepositoryKey, ref Reference) *fault.Error {
	f := repositoryFault(r, key)
	f.Tag, f.Digest = string(ref.Tag), string(ref.Digest)
	return f
}

// Asked names an image as the AWS API does: by tag, by digest, or by both. The
// strings are as the client sent them.
type Asked struct{ Tag, Digest string }

// Match is one of the images that an Asked names: the image, and the tag it
// was found by or, asked by digest, one of its tags.
type Match struct {
	Asked Asked
	Image Image
	Tag   name.Tag // empty: untagged
	Err   *fault.Error
}

// FindImages resolves ids as BatchGetImage does: one Match for each tag of an
// image asked by digest, one for each other, each with its own Err of the
// reasons ImageNotFound, ImageArchived, DigestInvalid, TagMapsElsewhere or
// ParameterInvalid (neither tag nor digest). It stops when it has limit matches.
// RepositoryNotFound for all.
func (c *Catalogue) FindImages(ctx context.Context, key RepositoryKey, ids []Asked, limit int) ([]Match, error) {
	var found []Match
	err := c.Meta.View(ctx, func(tx meta.Tx) error {
		found = nil
		r, err := live(tx, key, meta.NoLock)
		if err != nil {
			return err
		}
		for _, id := range unique(ids) {
			if len(found) == limit {
				return nil
			}
			ms, err := resolve(tx, key, r.ID, id, limit-len(found))
			if err != nil {
				return err
			}
			if m := ms[0]; m.Err == nil && m.Image.Archived {
				m.Err = imageFault(fault.ImageArchived, key, Reference{Digest: m.Image.Digest})
				ms = []Match{m}
			}
			found = append(found, ms...)
		}
		return nil
	})
	return found, storeFault(key, err)
}

func unique[T comparable](all []T) []T {
	seen := make(map[T]bool, len(all))
	var out []T
	for _, v := range all {
		if !seen[v] {
			seen[v] = true
			out = append(out, v)
		}
	}
	return out
}

// resolve finds at most limit matches of one id, and at least one.
func resolve(tx meta.Tx, key RepositoryKey, repository meta.RepositoryID, id Asked, limit int) ([]Match, error) {
	m, err := resolveOne(tx, key, repository, id)
	if err != nil {
		return nil, err
	}
	if m.Err != nil || m.Tag != "" {
		return []Match{m}, nil
	}
	tags, err := tx.TagsOf(m.Image.ID, min(limit, TagsPerImageShown))
	if err != nil {
		return nil, err
	}
	if len(tags) == 0 {
		return []Match{m}, nil
	}
	out := make([]Match, len(tags))
	for i, t := range tags {
		out[i] = m
		out[i].Tag = t
	}
	return out, nil
}

// resolveOne finds the image that an id names, with the tag if it was asked
// by tag. A tag or digest that cannot exist is not looked up.
func resolveOne(tx meta.Tx, key RepositoryKey, repository meta.RepositoryID, id Asked) (Match, error) {
	fail := func(r fault.Reason) Match {
		f := repositoryFault(r, key)
		f.Tag, f.Digest = id.Tag, id.Digest
		return Match{Asked: id, Err: f}
	}
	var ref Reference
	if id.Tag == "" && id.Digest == "" {
		return fail(fault.ParameterInvalid), nil
	}
	if id.Digest != "" {
		if !looksLikeDigest(id.Digest) {
			return fail(fault.DigestInvalid), nil
		}
		d, err := digest.Parse(id.Digest)
		if err != nil { // well-formed for AWS, of no algorithm that exists here
			return fail(fault.ImageNotFound), nil
		}
		ref.Digest = d
	}
	if id.Tag != "" {
		t, err := name.ParseTag(id.Tag)
		if err != nil {
			return fail(fault.ImageNotFound), nil
		}
		i, err := tx.Image(repository, Reference{Tag: t})
		switch {
		case errors.Is(err, meta.ErrNotFound):
			return fail(fault.ImageNotFound), nil
		case err != nil:
			return Match{}, err
		case id.Digest != "" && i.Digest != ref.Digest:
			return fail(fault.TagMapsElsewhere), nil
		}
		return Match{Asked: id, Image: i, Tag: t}, nil
	}
	i, err := tx.Image(repository, ref)
	if errors.Is(err, meta.ErrNotFound) {
		return fail(fault.ImageNotFound), nil
	}
	return Match{Asked: id, Image: i}, err
}

// looksLikeDigest applies the loose pattern the AWS API checks digests with:
// [a-zA-Z0-9-_+.]+:[a-fA-F0-9]+ (ECR model, LayerDigest).
func looksLikeDigest(s string) bool {
	for i, r := range s {
		if r == ':' {
			return i > 0 && isHex(s[i+1:])
		}
		if !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '_' || r == '+' || r == '.') {
			return false
		}
	}
	return false
}

func isHex(s string) bool {
	for _, r := range s {
		if !(r >= '0' && r <= '9' || r >= 'a' && r <= 'f' || r >= 'A' && r <= 'F') {
			return false
		}
	}
	return s != ""
}

// Described is an image with its tags.
type Described struct {
	Image Image
	Tags  []name.Tag
}

// DescribeImages lists a repository's images with their tags by image id: at
// most limit after the given one, fewer if they have many tags, and whether
// there are more. RepositoryNotFound.
func (c *Catalogue) DescribeImages(ctx context.Context, key RepositoryKey, filter ImageFilter, after meta.ImageID, limit int) (out []Described, more bool, err error) {
	err = c.Meta.View(ctx, func(tx meta.Tx) error {
		out, more = nil, false
		r, err := live(tx, key, meta.NoLock)
		if err != nil {
			return err
		}
		images, err := tx.Images(r.ID, filter, meta.Page[meta.ImageID]{After: after, Limit: limit + 1})
		if err != nil {
			return err
		}
		room := tagsOfPage
		for _, i := range images {
			if more = len(out) == limit; more {
				return nil
			}
			d, err := describe(tx, i)
			if err != nil {
				return err
			}
			if more = len(out) > 0 && len(d.Tags) > room; more {
				return nil
			}
			out, room = append(out, d), room-len(d.Tags)
		}
		return nil
	})
	return out, more, storeFault(key, err)
}

func describe(tx meta.Tx, i Image) (Described, error) {
	tags, err := tx.TagsOf(i.ID, TagsPerImageShown)
	return Described{i, tags}, err
}

// DescribeImagesByID describes the named images, each once. The first id that
// names none fails the call. It stops after the image whose tags make more
// than limit, and says that they are not all. RepositoryNotFound,
// ImageNotFound, ParameterInvalid.
func (c *Catalogue) DescribeImagesByID(ctx context.Context, key RepositoryKey, ids []Asked, limit int) (out []Described, all bool, err error) {
	err = c.Meta.View(ctx, func(tx meta.Tx) error {
		out, all = nil, false
		room := limit
		r, err := live(tx, key, meta.NoLock)
		if err != nil {
			return err
		}
		seen := map[meta.ImageID]bool{}
		for _, id := range ids {
			m, err := resolveOne(tx, key, r.ID, id)
			if err != nil {
				return err
			}
			if m.Err != nil {
				return m.Err
			}
			if seen[m.Image.ID] {
				continue
			}
			seen[m.Image.ID] = true
			d, err := describe(tx, m.Image)
			if err != nil {
				return err
			}
			out = append(out, d)
			if room -= len(d.Tags); room < 0 {
				return nil
			}
		}
		all = true
		return nil
	})
	return out, all, storeFault(key, err)
}

// ListCursor is where a listing of (tag, digest) pairs stands: the tags by
// name come first, then the untagged images by id.
type ListCursor struct {
	Tag   name.Tag
	Image meta.ImageID
	// Untagged: the tags are done.
	Untagged bool
}

// Listed is one pair of a listing; Tag is empty for an untagged image.
type Listed struct {
	Tag    name.Tag
	Digest digest.Digest
}

// ListImages lists (tag, digest) pairs: at most limit, and where to go on, or
// nil at the end. RepositoryNotFound.
func (c *Catalogue) ListImages(ctx context.Context, key RepositoryKey, filter ImageFilter, at ListCursor, limit int) ([]Listed, *ListCursor, error) {
	var out []Listed
	var next *ListCursor
	err := c.Meta.View(ctx, func(tx meta.Tx) error {
		out, next = nil, nil
		r, err := live(tx, key, meta.NoLock)
		if err != nil {
			return err
		}
		if filter.Tags != meta.Untagged && !at.Untagged {
			tags, err := tx.Tags(r.ID, filter.Status, meta.Page[name.Tag]{After: at.Tag, Limit: limit + 1})
			if err != nil {
				return err
			}
			for i, t := range tags {
				if i == limit {
					next = &ListCursor{Tag: tags[i-1].Name}
					return nil
				}
				out = append(out, Listed{t.Name, t.Digest})
			}
		}
		if filter.Tags == meta.Tagged {
			return nil
		}
		filter.Tags = meta.Untagged
		images, err := tx.Images(r.ID, filter, meta.Page[meta.ImageID]{After: at.Image, Limit: limit - len(out) + 1})
		if err != nil {
			return err
		}
		last := at.Image
		for _, i := range images {
			if len(out) == limit {
				next = &ListCursor{Untagged: true, Image: last}
				return nil
			}
			out, last = append(out, Listed{Digest: i.Digest}), i.ID
		}
		return nil
	})
	return out, next, storeFault(key, err)
}

// Tags lists a repository's tags by name, at most limit after the given one;
// those of archived images are left out. RepositoryNotFound.
func (c *Catalogue) Tags(ctx context.Context, key RepositoryKey, after name.Tag, limit int) ([]name.Tag, error) {
	out, err := recalled(&c.recall, tagsQuestion{key, after, limit}, time.Time{}, func() (a answer[[]name.Tag], size int, err error) {
		err = c.Meta.View(ctx, func(tx meta.Tx) error {
			r, err := live(tx, key, meta.NoLock)
			if err != nil {
				return err
			}
			a.value, err = tx.TagNames(r.ID, meta.Page[name.Tag]{After: after, Limit: limit})
			return err
		})
		return a, smallAnswer + tagAnswer*len(a.value), err
	})
	return out, storeFault(key, err)
}

// Referrers lists the images whose subject is the digest, by id, and whether
// there are more: at most limit after the given one, fewer if their
// annotations take more than size bytes together, but one at least. An unknown
// digest has none. ReadAnnotations reads the annotations. RepositoryNotFound.
func (c *Catalogue) Referrers(ctx context.Context, key RepositoryKey, subject digest.Digest, filter ReferrerFilter, after meta.ImageID, limit int, size int64) (page []Referrer, more bool, err error) {
	err = c.Meta.View(ctx, func(tx meta.Tx) error {
		r, err := live(tx, key, meta.NoLock)
		if err != nil {
			return err
		}
		page, err = tx.Referrers(r.ID, subject, filter, meta.Page[meta.ImageID]{After: after, Limit: limit + 1})
		return err
	})
	for i, r := range page {
		if size -= r.AnnotationsSize; i == limit || i > 0 && size < 0 {
			return page[:i], true, nil
		}
	}
	return page, false, storeFault(key, err)
}

// ReadAnnotations sets the annotations of a page of referrers; one that is
// gone since has none.
func (c *Catalogue) ReadAnnotations(ctx context.Context, key RepositoryKey, page []Referrer) error {
	if AnnotationsSize(page) == 0 {
		return nil
	}
	return storeFault(key, c.Meta.View(ctx, func(tx meta.Tx) (err error) {
		for i := range page {
			if page[i].AnnotationsSize == 0 {
				continue
			}
			if page[i].Annotations, err = tx.Annotations(page[i].ID); err != nil {
				return err
			}
		}
		return nil
	}))
}

// AnnotationsSize is how many bytes ReadAnnotations will read.
func AnnotationsSize(page []Referrer) int64 {
	size := int64(0)
	for _, r := range page {
		size += r.AnnotationsSize
	}
	return size
}
