package transfer

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
	"sync"

	v1 "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/lighterage/lighterage/internal/digest"
	"github.com/lighterage/lighterage/internal/manifest"
	"github.com/lighterage/lighterage/internal/name"
)

// maxIndex bounds an index.json.
const maxIndex = 256 << 20

// Layouts is a directory with OCI image layouts: it is one, which is the
// repository "", or has them somewhere below, each a repository that is called
// as the way to it.
type Layouts struct {
	fs fs.FS

	mu       sync.Mutex
	subjects map[string]func() (map[digest.Digest][]digest.Digest, error) // of repositories
}

// NewLayouts returns the layouts of a directory.
func NewLayouts(dir fs.FS) *Layouts {
	return &Layouts{fs: dir, subjects: map[string]func() (map[digest.Digest][]digest.Digest, error){}}
}

// Repositories finds the layouts.
func (l *Layouts) Repositories(ctx context.Context) ([]string, error) {
	return find(ctx, l.fs, func(dir string) (layout, rest bool) {
		_, err := fs.Stat(l.fs, path.Join(dir, v1.ImageLayoutFile))
		return err == nil, err != nil
	})
}

// find walks the directories of a tree: is tells whether one is a repository,
// and whether there may be others below. The one at the root is called "".
func find(ctx context.Context, tree fs.FS, is func(dir string) (repository, rest bool)) ([]string, error) {
	var all []string
	err := fs.WalkDir(tree, ".", func(dir string, d fs.DirEntry, err error) error {
		if err != nil || ctx.Err() != nil {
			return cmp.Or(err, ctx.Err())
		}
		if !d.IsDir() {
			return nil
		}
		repository, rest := is(dir)
		if repository {
			all = append(all, strings.TrimPrefix(dir, "."))
		}
		if !rest {
			return fs.SkipDir
		}
		return nil
	})
	return all, err
}

// index reads an index.json.
func (l *Layouts) index(repository string) (v1.Index, error) {
	var index v1.Index
	b, err := readFile(l.fs, path.Join(repository, v1.ImageIndexFile), maxIndex)
	if err != nil {
		return index, err
	}
	if err := json.Unmarshal(b, &index); err != nil {
		return index, fmt.Errorf("%s: %w", v1.ImageIndexFile, err)
	}
	return index, nil
}

// readFile reads a file that has no more than so many bytes.
func readFile(tree fs.FS, name string, limit int64) ([]byte, error) {
	f, err := tree.Open(name)
	if err != nil {
		return nil, gone(err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && int64(len(b)) > limit {
		err = fmt.Errorf("%s has more than %d bytes", name, limit)
	}
	return b, err
}

func gone(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w: %w", ErrNotFound, err)
	}
	return err
}

// tagOf is the tag of an entry of an index.json: what it is called, or the end of
// it if that is a whole name. "" if it has none.
func tagOf(annotations map[string]string) string {
	called := annotations[v1.AnnotationRefName]
	if _, err := name.ParseTag(called); err == nil {
		return called
	}
	called, _, _ = strings.Cut(called, "@")
	if i := strings.LastIndexByte(called, ':'); i >= 0 && !strings.Contains(called[i:], "/") {
		if _, err := name.ParseTag(called[i+1:]); err == nil {
			return called[i+1:]
		}
	}
	return ""
}

// Images lists the entries of the layout's index, each digest once.
func (l *Layouts) Images(_ context.Context, repository string) ([]Image, error) {
	index, err := l.index(repository)
	if err != nil {
		return nil, err
	}
	var images []Image
	at := map[digest.Digest]int{}
	for _, e := range index.Manifests {
		d, err := digest.Parse(e.Digest.String())
		if err != nil {
			return nil, fmt.Errorf("%s: %w", v1.ImageIndexFile, err)
		}
		i, ok := at[d]
		if !ok {
			i = len(images)
			at[d] = i
			images = append(images, Image{Digest: d})
		}
		if t := tagOf(e.Annotations); t != "" && !slices.Contains(images[i].Tags, t) {
			images[i].Tags = append(images[i].Tags, t)
		}
	}
	return images, nil
}

// Resolve returns what a tag points to.
func (l *Layouts) Resolve(_ context.Context, repository, tag string) (digest.Digest, error) {
	index, err := l.index(repository)
	if err != nil {
		return "", err
	}
	for _, e := range index.Manifests {
		if tagOf(e.Annotations) == tag {
			return digest.Parse(e.Digest.String())
		}
	}
	return "", ErrNotFound
}

func (l *Layouts) blob(repository string, d digest.Digest) string {
	algorithm, hex, _ := strings.Cut(string(d), ":")
	return path.Join(repository, v1.ImageBlobsDir, algorithm, hex)
}

// Manifest returns a manifest. What the body does not say of its media type may
// be said by the entry that points to it.
func (l *Layouts) Manifest(_ context.Context, repository string, d digest.Digest) (Document, error) {
	body, err := readFile(l.fs, l.blob(repository, d), manifest.MaxSize)
	if err != nil {
		return Document{}, err
	}
	return document(d, mediaType(body), body)
}

// mediaType says what a manifest is that may not say so itself: one with
// manifests is an index, one with layers an image.
func mediaType(body []byte) string {
	var m struct {
		MediaType string            `json:"mediaType"`
		Manifests []json.RawMessage `json:"manifests"`
		Layers    []json.RawMessage `json:"layers"`
	}
	if err := json.Unmarshal(body, &m); err != nil {
		return "" // the parser says what is wrong
	}
	switch {
	case m.MediaType != "":
		return m.MediaType
	case m.Manifests != nil:
		return v1.MediaTypeImageIndex
	}
	return v1.MediaTypeImageManifest
}

// Referrers looks for the subject in what the layout lists.
func (l *Layouts) Referrers(ctx context.Context, repository string, d digest.Digest) ([]digest.Digest, error) {
	l.mu.Lock()
	find, ok := l.subjects[repository]
	if !ok {
		find = sync.OnceValues(func() (map[digest.Digest][]digest.Digest, error) { return l.referring(ctx, repository) })
		l.subjects[repository] = find
	}
	l.mu.Unlock()
	found, err := find()
	return found[d], err
}

// referring maps subjects to what refers to them, over the images that the index
// lists, and the lists under the tags that stand in for the API.
func (l *Layouts) referring(ctx context.Context, repository string) (map[digest.Digest][]digest.Digest, error) {
	images, err := l.Images(ctx, repository)
	if err != nil {
		return nil, err
	}
	var all []digest.Digest
	for _, i := range images {
		all = append(all, i.Digest)
		if !slices.ContainsFunc(i.Tags, fallback.MatchString) {
			continue
		}
		if doc, err := l.Manifest(ctx, repository, i.Digest); err == nil {
			if m, err := manifest.Parse(doc.Body, doc.MediaType); err == nil {
				all = append(all, m.RequiredChildren()...)
			}
		}
	}
	return subjects(all, func(d digest.Digest) (Document, error) { return l.Manifest(ctx, repository, d) }), nil
}

// subjects maps the subjects of images to the images. What cannot be read refers
// to nothing: copying it says why.
func subjects(all []digest.Digest, read func(digest.Digest) (Document, error)) map[digest.Digest][]digest.Digest {
	found := map[digest.Digest][]digest.Digest{}
	for _, d := range all {
		doc, err := read(d)
		if err != nil {
			continue
		}
		m, err := manifest.Parse(doc.Body, doc.MediaType)
		if err != nil || m.Subject == "" || slices.Contains(found[m.Subject], d) {
			continue
		}
		found[m.Subject] = append(found[m.Subject], d)
	}
	return found
}

// Blob opens a layer.
func (l *Layouts) Blob(_ context.Context, repository string, d manifest.Descriptor) (io.ReadCloser, error) {
	f, err := l.fs.Open(l.blob(repository, d.Digest))
	if err != nil {
		return nil, gone(err)
	}
	return f, nil
}
