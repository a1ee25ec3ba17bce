package main

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math/rand/v2"
)

func digestOf(b []byte) string {
	s := sha256.Sum256(b)
	return "sha256:" + hex.EncodeToString(s[:])
}

// content makes n bytes that depend on the parts alone and do not compress.
func content(n int, parts ...uint64) []byte {
	var key [32]byte
	for i, p := range parts {
		word := key[8*(i%4):]
		binary.LittleEndian.PutUint64(word, binary.LittleEndian.Uint64(word)^p*0x9e3779b97f4a7c15+uint64(i))
	}
	b := make([]byte, n)
	_, _ = rand.NewChaCha8(key).Read(b)
	return b
}

type descriptor struct {
	MediaType string `json:"mediaType"`
	Digest    string `json:"digest"`
	Size      int64  `json:"size"`
}

type manifest struct {
	SchemaVersion int          `json:"schemaVersion"`
	MediaType     string       `json:"mediaType"`
	Config        descriptor   `json:"config"`
	Layers        []descriptor `json:"layers"`
}

// blobs are what the manifest names, the config first.
func (m *manifest) blobs() []descriptor { return append([]descriptor{m.Config}, m.Layers...) }

// mediaTypes are an image's.
type mediaTypes struct{ manifest, config, layer string }

var (
	ociTypes = mediaTypes{
		"application/vnd.oci.image.manifest.v1+json",
		"application/vnd.oci.image.config.v1+json",
		"application/vnd.oci.image.layer.v1.tar",
	}
	// What docker pushes, schema 2.
	dockerTypes = mediaTypes{
		"application/vnd.docker.distribution.manifest.v2+json",
		"application/vnd.docker.container.image.v1+json",
		"application/vnd.docker.image.rootfs.diff.tar.gzip",
	}
)

// image is a manifest and its blobs, the config first.
type image struct {
	blobs     [][]byte
	digests   []string
	mediaType string
	manifest  []byte
	digest    string
}

// variant is the manifest with an annotation that tells it from the others, so
// that there can be many manifests of the same blobs.
func (im *image) variant(n int) []byte {
	open := im.manifest[:len(im.manifest)-1]
	return fmt.Appendf(nil, `%s,"annotations":{"number":"%d"}}`, open, n)
}

// makeImage makes an image of so many layers of layerSize bytes; parts vary
// the content.
func makeImage(layers, layerSize int, parts ...uint64) *image {
	return makeImageOf(ociTypes, layers, layerSize, parts...)
}

func makeImageOf(types mediaTypes, layers, layerSize int, parts ...uint64) *image {
	im := &image{mediaType: types.manifest}
	m := manifest{SchemaVersion: 2, MediaType: types.manifest}
	var diffs []string
	for l := range layers {
		b := content(layerSize, append(append([]uint64{}, parts...), uint64(l)+100)...)
		d := digestOf(b)
		im.blobs, im.digests, diffs = append(im.blobs, b), append(im.digests, d), append(diffs, d)
		m.Layers = append(m.Layers, descriptor{types.layer, d, int64(len(b))})
	}
	config, _ := json.Marshal(map[string]any{
		"architecture": "amd64", "os": "linux",
		"config": map[string]any{"Labels": map[string]string{"seed": fmt.Sprint(parts)}},
		"rootfs": map[string]any{"type": "layers", "diff_ids": diffs},
	})
	m.Config = descriptor{types.config, digestOf(config), int64(len(config))}
	im.blobs, im.digests = append([][]byte{config}, im.blobs...), append([]string{m.Config.Digest}, im.digests...)
	im.manifest, _ = json.Marshal(m)
	im.digest = digestOf(im.manifest)
	return im
}

// pushImage does what containerd does: ask for each blob, upload what is
// missing, put the manifest.
func (g *registry) pushImage(ctx context.Context, repo, tag string, im *image) error {
	if err := g.pushBlobs(ctx, repo, im); err != nil {
		return err
	}
	return g.putManifest(ctx, repo, tag, im.mediaType, im.manifest)
}

func (g *registry) pushBlobs(ctx context.Context, repo string, im *image) error {
	for i, b := range im.blobs {
		there, err := g.hasBlob(ctx, repo, im.digests[i])
		if err != nil {
			return err
		}
		if there {
			continue
		}
		if err := g.pushWhole(ctx, repo, b, im.digests[i]); err != nil {
			return err
		}
	}
	return nil
}

// pushImageStreamed does what docker does with an image it never pushed: stream
// each blob unasked, then ask whether it arrived, put the manifest.
func (g *registry) pushImageStreamed(ctx context.Context, repo, tag string, im *image) error {
	for i, b := range im.blobs {
		if err := g.pushStreamed(ctx, repo, b, im.digests[i]); err != nil {
			return err
		}
		there, err := g.hasBlob(ctx, repo, im.digests[i])
		if err != nil {
			return err
		}
		if !there {
			return fmt.Errorf("%s is not there after its upload", im.digests[i])
		}
	}
	return g.putManifest(ctx, repo, tag, im.mediaType, im.manifest)
}

// pullImage gets the manifest and each of its blobs.
func (g *registry) pullImage(ctx context.Context, repo, tag string, verify bool) error {
	m, err := g.getManifest(ctx, repo, tag)
	if err != nil {
		return err
	}
	for _, d := range m.blobs() {
		if err := g.getBlob(ctx, repo, d.Digest, d.Size, verify); err != nil {
			return err
		}
	}
	return nil
}

// mountImage gives a repository another's image; blobs that the server does
// not mount are uploaded. It returns how many were mounted.
func (g *registry) mountImage(ctx context.Context, repo, from string, im *image) (int, error) {
	mounted := 0
	for i, d := range im.digests {
		ok, err := g.mount(ctx, repo, from, d)
		if err != nil {
			return mounted, err
		}
		if ok {
			mounted++
			continue
		}
		if err := g.pushWhole(ctx, repo, im.blobs[i], d); err != nil {
			return mounted, err
		}
	}
	return mounted, g.putManifest(ctx, repo, "latest", im.mediaType, im.manifest)
}
