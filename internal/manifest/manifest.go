// Package manifest parses, checks and classifies image manifests and indexes,
// and lists what they refer to.
//
// It promises:
//
//  1. A document that Parse accepts has one meaning. Its kind follows from its
//     effective media type alone; a document that another reader could take
//     for the other kind is refused, and so is one whose deciding members
//     appear twice or in another letter case (OCI advisory
//     GHSA-mc8v-mgrf-8f4m, that is CVE-2021-41190).
//  2. Every digest in the result is canonical, every size is not negative, and
//     the sizes of an image add up.
//  3. Work and memory are bounded by MaxSize, maxDepth and maxDescriptors.
//
// It never looks at what a document refers to, never follows the urls of a
// descriptor, and never changes a byte: what is stored and hashed is what was
// pushed. Errors are faults with the reason ManifestInvalid or
// ManifestTooLarge.
package manifest

import (
	"math"

	"github.com/lighterage/lighterage/internal/digest"
	"github.com/lighterage/lighterage/internal/fault"
)

// MaxSize is the largest manifest in bytes (ECR model, PutImage; OCI
// distribution, "pushing manifests").
const MaxSize = 4 << 20

// maxDepth bounds the nesting of objects and arrays. A platform's features
// are five levels deep; the rest is room for members of somebody's own.
const maxDepth = 64

// maxDescriptors bounds the layers of an image and the entries of an index.
const maxDescriptors = 10_000

// Kind is what a document is.
type Kind uint8

// The kinds.
const (
	Image Kind = iota // an image manifest: one config, some layers
	Index             // an index or manifest list: names other images
)

// Manifest is a checked image manifest or index.
type Manifest struct {
	MediaType    string // effective: the body's, else the caller's
	Kind         Kind
	ArtifactType string // the document's own artifactType; empty: none

	// Config is an image's config; the zero Descriptor for an index. Its
	// MediaType stands in for an absent ArtifactType (OCI distribution,
	// "listing referrers").
	Config Descriptor

	// Layers are an image's layers in order, foreign ones included. For an
	// index they are those entries that are no manifests: see fillIndex.
	Layers []Descriptor

	// Children are the manifests an index names, in order.
	Children []Descriptor

	// Subject is the image this one refers to; empty when there is none. It
	// need not exist.
	Subject digest.Digest

	// Annotations are the document's own; nil when there are none.
	Annotations map[string]string

	// Size is the sum of the sizes of what RequiredLayers lists: the bytes the
	// repository keeps for this document beside the document itself.
	Size int64
}

// Descriptor points to content. Members that a registry has no use for are
// not kept.
type Descriptor struct {
	MediaType string // may be empty for a config or a layer
	Digest    digest.Digest
	Size      int64 // zero when the descriptor has none
}

// RequiredLayers lists the digests of the config and of the layers that must
// be in the repository before the document: each once, in order of first
// mention, without non-distributable layers, which clients get elsewhere.
func (m *Manifest) RequiredLayers() []digest.Digest {
	return digests(m.requiredLayers())
}

// RequiredChildren lists the digests of the images that must be in the
// repository before the index: each once, in order of first mention.
func (m *Manifest) RequiredChildren() []digest.Digest {
	return digests(distinct(m.Children))
}

func (m *Manifest) requiredLayers() []Descriptor {
	var required []Descriptor
	if m.Kind == Image {
		required = append(required, m.Config)
	}
	for _, layer := range m.Layers {
		if !isForeign(layer.MediaType) {
			required = append(required, layer)
		}
	}
	return distinct(required)
}

// addSizes sets Size. Sizes are the client's claims, so the sum is guarded.
func (m *Manifest) addSizes() error {
	for _, d := range m.requiredLayers() {
		if d.Size > math.MaxInt64-m.Size {
			return invalid("The sizes of config and layers exceed what can be counted")
		}
		m.Size += d.Size
	}
	return nil
}

func distinct(list []Descriptor) []Descriptor {
	seen := make(map[digest.Digest]bool, len(list))
	first := make([]Descriptor, 0, len(list))
	for _, d := range list {
		if !seen[d.Digest] {
			seen[d.Digest] = true
			first = append(first, d)
		}
	}
	return first
}

func digests(list []Descriptor) []digest.Digest {
	all := make([]digest.Digest, len(list))
	for i, d := range list {
		all[i] = d.Digest
	}
	return all
}

// invalid returns the fault of a document that breaks a rule of ours or of
// the specifications; the sentence is for the client.
func invalid(sentence string) *fault.Error {
	return &fault.Error{Reason: fault.ManifestInvalid, Member: "ImageManifest", Constraint: sentence}
}

// invalidSyntax returns the fault that ECR words the same whatever is wrong
// with the text (boto/boto3#3295); detail says what it was.
func invalidSyntax(detail string, err error) *fault.Error {
	return &fault.Error{Reason: fault.ManifestInvalid, Member: "ImageManifest", Constraint: "Invalid JSON syntax", Detail: detail, Err: err}
}
