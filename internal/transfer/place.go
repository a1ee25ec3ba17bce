package transfer

import (
	"context"
	"errors"
	"io"

	"github.com/lighterage/lighterage/internal/digest"
	"github.com/lighterage/lighterage/internal/manifest"
)

// ErrNotFound is what a place answers that has no such repository, image or tag.
var ErrNotFound = errors.New("not found")

// Image is a manifest or index that a source lists. Digest may be empty if there
// are tags: then a tag says what it is.
type Image struct {
	Digest digest.Digest
	Tags   []string
}

// Document is a manifest or index as it is stored.
type Document struct {
	Digest    digest.Digest
	MediaType string // may be empty where the body says it
	Body      []byte
}

// Source is where images come from. Its methods may be called at the same time.
type Source interface {
	// Images lists what a repository has, the oldest first where that is known.
	Images(ctx context.Context, repository string) ([]Image, error)
	// Resolve returns what a tag points to.
	Resolve(ctx context.Context, repository, tag string) (digest.Digest, error)
	// Manifest returns a manifest whose bytes have the digest.
	Manifest(ctx context.Context, repository string, d digest.Digest) (Document, error)
	// Referrers lists the images whose subject is the digest.
	Referrers(ctx context.Context, repository string, d digest.Digest) ([]digest.Digest, error)
	// Blob opens a layer. Whoever reads it checks the bytes.
	Blob(ctx context.Context, repository string, d manifest.Descriptor) (io.ReadCloser, error)
}

// Target is where images go. Its methods may be called at the same time.
type Target interface {
	// Resolve returns what a tag points to.
	Resolve(ctx context.Context, repository, tag string) (digest.Digest, error)
	// Has reports whether the image is there, and with it all that it needs.
	Has(ctx context.Context, repository string, d digest.Digest) (bool, error)
	HasBlob(ctx context.Context, repository string, d manifest.Descriptor) (bool, error)
	// PutBlob reads r only as far as it must.
	PutBlob(ctx context.Context, repository string, d manifest.Descriptor, r io.Reader) error
	// PutManifest stores an image under a tag, or under none; child says that
	// an index which comes later needs it.
	PutManifest(ctx context.Context, repository, tag string, doc Document, child bool) error
}

// State is what became of an image.
type State string

// The states.
const (
	Copied  State = "copied"
	Present State = "present" // it was there, under the tags
	Failed  State = "failed"
)

// Result tells about one image, or about all that could not be listed.
type Result struct {
	Repository string        `json:"repositoryName"`
	Tags       []string      `json:"imageTags,omitempty"`
	Digest     digest.Digest `json:"imageDigest,omitempty"`
	State      State         `json:"state"`
	Error      string        `json:"error,omitempty"`
}

// Totals counts what has been done.
type Totals struct {
	Listed    int64 `json:"images"` // that the source lists
	Copied    int64 `json:"copied"`
	Present   int64 `json:"present"`
	Failed    int64 `json:"failed"`
	Tags      int64 `json:"tags"`       // of images that are there now
	Referrers int64 `json:"referrers"`  // manifests that came because of their subject
	Blobs     int64 `json:"blobs"`      // that were sent
	Bytes     int64 `json:"bytes"`      // of those
	Skipped   int64 `json:"blobsThere"` // that were there
}
