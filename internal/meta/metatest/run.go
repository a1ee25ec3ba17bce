// Package metatest is the suite that every metadata store passes, a wrapper
// that injects faults into a store, and a PostgreSQL server for tests.
//
//  1. Run asserts what the comments of package meta promise, error by error,
//     on a store that the caller opens; it knows nothing of how the store does
//     it.
//  2. The random histories print their seeds.
//
// It does not test durability: that takes a process that dies.
package metatest

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/lighterage/lighterage/internal/digest"
	"github.com/lighterage/lighterage/internal/meta"
	"github.com/lighterage/lighterage/internal/name"
)

// New makes an empty place for a store, and returns what opens it: again and
// again, each time after the store before was closed.
type New func(t testing.TB) (open func(t testing.TB) meta.Store)

// Run runs the suite.
func Run(t *testing.T, new New) {
	for _, part := range []struct {
		name string
		run  func(*fixture)
	}{
		{"transaction", testTransaction},
		{"look", testLook},
		{"group", testGroup},
		{"repository", testRepository},
		{"purge", testPurge},
		{"image", testImage},
		{"image delete", testImageDelete},
		{"referrer", testReferrer},
		{"archive", testArchive},
		{"usage", testUsage},
		{"tag", testTag},
		{"tagged flag", testTagged},
		{"layer", testLayer},
		{"layer delete", testLayerDelete},
		{"blob", testBlob},
		{"garbage", testGarbage},
		{"upload", testUpload},
		{"review", testReview},
		{"service", testService},
		{"registered image", testRegisteredImage},
		{"resource tag", testResourceTag},
		{"secret", testSecret},
		{"account", testAccount},
		{"access version", testAccessVersion},
		{"principal", testPrincipal},
		{"member", testMember},
		{"access key", testAccessKey},
		{"policy", testPolicy},
		{"attachment", testAttachment},
		{"inline policy", testInlinePolicy},
		{"resource policy", testResourcePolicy},
		{"oidc provider", testOIDCProvider},
		{"lifecycle policy", testLifecyclePolicy},
		{"lifecycle images", testLifecycleImages},
		{"lifecycle preview", testLifecyclePreview},
		{"reopen", testReopen},
		{"history", testHistory},
		{"faults", testFaults},
	} {
		t.Run(part.name, func(t *testing.T) {
			t.Parallel() // most of the time is spent waiting for syncs
			f := &fixture{T: t, open: new(t)}
			f.store = f.open(t)
			t.Cleanup(func() {
				if err := f.store.Close(); err != nil {
					t.Errorf("close: %v", err)
				}
			})
			part.run(f)
		})
	}
}

// The names that tests use.
var (
	east = name.RegistryID{Account: "111111111111", Region: "us-east-1"}
	west = name.RegistryID{Account: "111111111111", Region: "us-west-2"}

	day     = time.Date(2024, 2, 29, 12, 0, 0, 123e6, time.UTC)
	nextDay = day.Add(24 * time.Hour)
)

func key(repository string) meta.RepositoryKey {
	return meta.RepositoryKey{Registry: east, Space: meta.ECR, Name: name.RepositoryName(repository)}
}

func sha(body string) digest.Digest { return digest.Of(digest.SHA256, []byte(body)) }

// fixture is a store under test. Closures run on goroutines of the store, so
// nothing in them ends the test: they return errors.
type fixture struct {
	*testing.T
	open  func(testing.TB) meta.Store
	store meta.Store
}

// on is the fixture for a subtest.
func (f *fixture) on(name string, fn func(f *fixture)) {
	f.Helper()
	f.Run(name, func(t *testing.T) {
		g := *f
		g.T = t
		fn(&g)
	})
}

func (f *fixture) update(fn func(meta.Tx) error) {
	f.Helper()
	if err := f.store.Update(context.Background(), fn); err != nil {
		f.Fatalf("update: %v", err)
	}
}

func (f *fixture) view(fn func(meta.Tx) error) {
	f.Helper()
	if err := f.store.View(context.Background(), fn); err != nil {
		f.Fatalf("view: %v", err)
	}
}

// fails asserts that an update fails with the error.
func (f *fixture) fails(want error, fn func(meta.Tx) error) {
	f.Helper()
	if err := f.store.Update(context.Background(), fn); !errors.Is(err, want) {
		f.Errorf("update: got %v, want %v", err, want)
	}
}

// misses asserts that a view fails with the error.
func (f *fixture) misses(want error, fn func(meta.Tx) error) {
	f.Helper()
	if err := f.store.View(context.Background(), fn); !errors.Is(err, want) {
		f.Errorf("view: got %v, want %v", err, want)
	}
}

// repository adds a repository.
func (f *fixture) repository(k meta.RepositoryKey) meta.RepositoryID {
	f.Helper()
	var id meta.RepositoryID
	f.update(func(t meta.Tx) (err error) {
		id, err = t.InsertRepository(plain(k))
		return err
	})
	return id
}

func plain(k meta.RepositoryKey) meta.Repository {
	return meta.Repository{Key: k, CreatedAt: day, RepositorySettings: meta.RepositorySettings{Mutability: "MUTABLE", EncryptionType: "AES256"}}
}

// layer adds a layer with the body.
func (f *fixture) layer(repository meta.RepositoryID, body string) meta.LayerID {
	f.Helper()
	var id meta.LayerID
	f.update(func(t meta.Tx) (err error) {
		id, err = putLayer(t, repository, body)
		return err
	})
	return id
}

func putLayer(t meta.Tx, repository meta.RepositoryID, body string) (meta.LayerID, error) {
	b, err := t.PutBlob(inline(body), []byte(body))
	if err != nil {
		return 0, err
	}
	return t.PutLayer(repository, b.ID, nextDay)
}

func inline(body string) meta.Blob {
	return meta.Blob{Digest: sha(body), Size: int64(len(body)), Location: meta.Inline, State: meta.BlobOK}
}

// filed is a blob with bytes elsewhere.
func filed(body, at string) meta.Blob {
	return meta.Blob{Digest: sha(body), Size: int64(len(body)), Location: name.Location("file:" + at), State: meta.BlobOK}
}

// manifest is an image with the body and sizes that follow from it.
func manifest(repository meta.RepositoryID, body string) meta.Image {
	return meta.Image{
		Repository: repository, Digest: sha(body), MediaType: "application/vnd.oci.image.manifest.v1+json",
		ManifestSize: int64(len(body)), ImageSize: 1000, PushedAt: day,
	}
}

// image adds an image that keeps layers, with tags.
func (f *fixture) image(repository meta.RepositoryID, body string, layers []meta.LayerID, tags ...name.Tag) meta.ImageID {
	f.Helper()
	return f.index(repository, body, layers, nil, tags...)
}

// index adds an image that keeps layers and children, with tags.
func (f *fixture) index(repository meta.RepositoryID, body string, layers []meta.LayerID, children []meta.ImageID, tags ...name.Tag) meta.ImageID {
	f.Helper()
	var id meta.ImageID
	f.update(func(t meta.Tx) (err error) {
		id, err = t.InsertImage(manifest(repository, body), []byte(body), layers, children)
		for _, tag := range tags {
			if err == nil {
				err = t.PutTag(repository, tag, id, "pusher")
			}
		}
		return err
	})
	return id
}

// pages reads a list to its end in pages of the size and fails on one that is
// too long.
func pages[K, V any](size int, page func(meta.Page[K]) ([]V, error), key func(V) K) ([]V, error) {
	var all []V
	var after K
	for range 10_000 {
		part, err := page(meta.Page[K]{After: after, Limit: size})
		if err != nil {
			return nil, err
		}
		if len(part) > size {
			return nil, fmt.Errorf("a page of %d holds %d", size, len(part))
		}
		if len(part) == 0 {
			return all, nil
		}
		all = append(all, part...)
		after = key(part[len(part)-1])
	}
	return nil, errors.New("the pages do not end")
}

// each maps a list to what a test compares.
func each[V, W any](list []V, fn func(V) W) []W {
	to := make([]W, 0, len(list))
	for _, v := range list {
		to = append(to, fn(v))
	}
	return to
}
