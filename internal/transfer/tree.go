package transfer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/lighterage/lighterage/internal/digest"
	"github.com/lighterage/lighterage/internal/manifest"
)

// Tree is what CNCF distribution keeps in a directory (its storage driver
// "filesystem", or a copy of its bucket). It is read while nobody writes to it.
//
//	repositories/NAME/_manifests/revisions/ALGORITHM/HEX/link
//	repositories/NAME/_manifests/tags/TAG/current/link
//	blobs/ALGORITHM/HH/HEX/data
type Tree struct {
	fs fs.FS

	mu       sync.Mutex
	subjects map[string]func() (map[digest.Digest][]digest.Digest, error)
}

// treeRoot is where distribution begins, below its root directory.
const treeRoot = "docker/registry/v2"

// NewTree returns the tree of a root directory, or of what is in it.
func NewTree(dir fs.FS) (*Tree, error) {
	for _, root := range []string{treeRoot, "registry/v2", "v2", "."} {
		if i, err := fs.Stat(dir, path.Join(root, "repositories")); err != nil || !i.IsDir() {
			continue
		}
		sub, err := fs.Sub(dir, root)
		return &Tree{fs: sub, subjects: map[string]func() (map[digest.Digest][]digest.Digest, error){}}, err
	}
	return nil, errors.New("it is no directory of CNCF distribution: there is no " + treeRoot + "/repositories in it")
}

const (
	manifests = "_manifests"
	revisions = manifests + "/revisions"
	tags      = manifests + "/tags"
)

// Repositories finds the directories with manifests. What begins with an
// underscore is distribution's own.
func (t *Tree) Repositories(ctx context.Context) ([]string, error) {
	sub, err := fs.Sub(t.fs, "repositories")
	if err != nil {
		return nil, err
	}
	return find(ctx, sub, func(dir string) (repository, rest bool) {
		if strings.HasPrefix(path.Base(dir), "_") {
			return false, false
		}
		i, err := fs.Stat(sub, path.Join(dir, manifests))
		return err == nil && i.IsDir(), true
	})
}

func (t *Tree) file(repository string, parts ...string) string {
	return path.Join(append([]string{"repositories", repository}, parts...)...)
}

// link reads a file that is a digest.
func (t *Tree) link(name string) (digest.Digest, error) {
	b, err := readFile(t.fs, name, 1<<10)
	if err != nil {
		return "", err
	}
	d, err := digest.Parse(strings.TrimSpace(string(b)))
	if err != nil {
		return "", fmt.Errorf("%s: %w", name, err)
	}
	return d, nil
}

// Images lists the revisions, in the order in which they were pushed, with the
// tags that point to them; those without a tag too. A tag that points to nothing
// is listed, for it to be missed.
func (t *Tree) Images(ctx context.Context, repository string) ([]Image, error) {
	pushed, err := t.revisions(repository)
	if err != nil {
		return nil, err
	}
	tagged := map[digest.Digest][]string{}
	entries, err := fs.ReadDir(t.fs, t.file(repository, tags))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	for _, e := range entries {
		d, err := t.Resolve(ctx, repository, e.Name())
		if err != nil {
			if errors.Is(err, ErrNotFound) {
				continue // a tag that was deleted leaves its directory
			}
			return nil, err
		}
		if _, ok := pushed[d]; !ok {
			pushed[d] = time.Time{}
		}
		tagged[d] = append(tagged[d], e.Name())
	}
	images := make([]Image, 0, len(pushed))
	for d := range pushed {
		images = append(images, Image{d, tagged[d]})
	}
	slices.SortFunc(images, func(a, b Image) int {
		if c := pushed[a.Digest].Compare(pushed[b.Digest]); c != 0 {
			return c
		}
		return strings.Compare(string(a.Digest), string(b.Digest))
	})
	return images, nil
}

// revisions returns the repository's manifests with when they were linked.
func (t *Tree) revisions(repository string) (map[digest.Digest]time.Time, error) {
	found := map[digest.Digest]time.Time{}
	algorithms, err := fs.ReadDir(t.fs, t.file(repository, revisions))
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return found, nil // nothing was ever pushed
		}
		return nil, err
	}
	for _, a := range algorithms {
		entries, err := fs.ReadDir(t.fs, t.file(repository, revisions, a.Name()))
		if err != nil {
			return nil, err
		}
		for _, e := range entries {
			d, err := digest.Parse(a.Name() + ":" + e.Name())
			if err != nil {
				continue // a file of somebody else
			}
			info, err := fs.Stat(t.fs, t.file(repository, revisions, a.Name(), e.Name(), "link"))
			if errors.Is(err, fs.ErrNotExist) {
				continue // it was deleted
			}
			if err != nil {
				return nil, err
			}
			found[d] = info.ModTime()
		}
	}
	return found, nil
}

// Resolve returns what a tag points to.
func (t *Tree) Resolve(_ context.Context, repository, tag string) (digest.Digest, error) {
	return t.link(t.file(repository, tags, tag, "current", "link"))
}

func blobFile(d digest.Digest) string {
	algorithm, hex, _ := strings.Cut(string(d), ":")
	return path.Join("blobs", algorithm, hex[:2], hex, "data")
}

// Manifest returns a manifest that the repository links.
func (t *Tree) Manifest(_ context.Context, repository string, d digest.Digest) (Document, error) {
	algorithm, hex, _ := strings.Cut(string(d), ":")
	if _, err := fs.Stat(t.fs, t.file(repository, revisions, algorithm, hex, "link")); err != nil {
		return Document{}, gone(err)
	}
	body, err := readFile(t.fs, blobFile(d), manifest.MaxSize)
	if err != nil {
		return Document{}, err
	}
	return document(d, mediaType(body), body)
}

// Referrers looks for the subject in all revisions.
func (t *Tree) Referrers(ctx context.Context, repository string, d digest.Digest) ([]digest.Digest, error) {
	t.mu.Lock()
	find, ok := t.subjects[repository]
	if !ok {
		find = sync.OnceValues(func() (map[digest.Digest][]digest.Digest, error) { return t.referring(ctx, repository) })
		t.subjects[repository] = find
	}
	t.mu.Unlock()
	found, err := find()
	return found[d], err
}

func (t *Tree) referring(ctx context.Context, repository string) (map[digest.Digest][]digest.Digest, error) {
	images, err := t.Images(ctx, repository)
	if err != nil {
		return nil, err
	}
	all := make([]digest.Digest, len(images))
	for i := range images {
		all[i] = images[i].Digest
	}
	return subjects(all, func(d digest.Digest) (Document, error) { return t.Manifest(ctx, repository, d) }), nil
}

// Blob opens a layer. That the repository links it is not asked: what an image
// of it names, it has.
func (t *Tree) Blob(_ context.Context, _ string, d manifest.Descriptor) (io.ReadCloser, error) {
	f, err := t.fs.Open(blobFile(d.Digest))
	if err != nil {
		return nil, gone(err)
	}
	return f, nil
}
