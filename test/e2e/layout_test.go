//go:build e2e

package e2e_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"
	"github.com/rogpeppe/go-internal/testscript"
)

// cmdLayout: layout DIR writes an OCI image layout whose index.json names, as
// "multi", an index of two platforms with a layer in common, and sets INDEX to
// its digest.
func cmdLayout(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: layout dir")
	}
	l := layout(ts.MkAbs(args[0]))
	index, err := l.write()
	ts.Check(err)
	ts.Setenv("INDEX", index.String())
}

// layout is the folder of an OCI image layout.
type layout string

func (l layout) write() (digest.Digest, error) {
	if err := os.MkdirAll(filepath.Join(string(l), "blobs", "sha256"), 0o755); err != nil {
		return "", err
	}
	var index v1.Index
	index.Versioned, index.MediaType = specs.Versioned{SchemaVersion: 2}, v1.MediaTypeImageIndex
	for _, arch := range []string{"amd64", "arm64"} {
		d, err := l.image(arch)
		if err != nil {
			return "", err
		}
		d.Platform = &v1.Platform{OS: "linux", Architecture: arch}
		index.Manifests = append(index.Manifests, d)
	}
	multi, err := l.json(v1.MediaTypeImageIndex, index)
	if err != nil {
		return "", err
	}
	top := v1.Index{Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: v1.MediaTypeImageIndex}
	named := multi
	named.Annotations = map[string]string{v1.AnnotationRefName: "multi"}
	top.Manifests = []v1.Descriptor{named}
	b, err := json.Marshal(top)
	if err != nil {
		return "", err
	}
	if err := os.WriteFile(filepath.Join(string(l), v1.ImageIndexFile), b, 0o644); err != nil {
		return "", err
	}
	return multi.Digest, os.WriteFile(filepath.Join(string(l), v1.ImageLayoutFile), []byte(`{"imageLayoutVersion":"1.0.0"}`), 0o644)
}

// image writes an image of two layers, one of them the same for every arch.
func (l layout) image(arch string) (v1.Descriptor, error) {
	m := v1.Manifest{Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: v1.MediaTypeImageManifest}
	var diffs []digest.Digest
	for _, text := range []string{"for all", "for " + arch} {
		layer, err := rootfs(text)
		if err != nil {
			return v1.Descriptor{}, err
		}
		// Compressed, or skopeo would compress it on its way.
		var packed bytes.Buffer
		w := gzip.NewWriter(&packed)
		if _, err := w.Write(layer); err != nil {
			return v1.Descriptor{}, err
		}
		if err := w.Close(); err != nil {
			return v1.Descriptor{}, err
		}
		d, err := l.blob(v1.MediaTypeImageLayerGzip, packed.Bytes())
		if err != nil {
			return v1.Descriptor{}, err
		}
		m.Layers, diffs = append(m.Layers, d), append(diffs, digest.FromBytes(layer))
	}
	config, err := l.json(v1.MediaTypeImageConfig, v1.Image{
		Platform: v1.Platform{OS: "linux", Architecture: arch},
		RootFS:   v1.RootFS{Type: "layers", DiffIDs: diffs},
	})
	if err != nil {
		return v1.Descriptor{}, err
	}
	m.Config = config
	return l.json(v1.MediaTypeImageManifest, m)
}

func (l layout) json(mediaType string, v any) (v1.Descriptor, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return v1.Descriptor{}, fmt.Errorf("%s: %w", mediaType, err)
	}
	return l.blob(mediaType, b)
}

func (l layout) blob(mediaType string, b []byte) (v1.Descriptor, error) {
	d := digest.FromBytes(b)
	path := filepath.Join(string(l), "blobs", "sha256", d.Encoded())
	return v1.Descriptor{MediaType: mediaType, Digest: d, Size: int64(len(b))}, os.WriteFile(path, b, 0o644)
}
