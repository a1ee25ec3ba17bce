package main

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"
)

// image is a manifest and the blobs that it names.
type image struct {
	manifest []byte
	blobs    [][]byte
}

func (i *image) digest() digest.Digest { return digest.FromBytes(i.manifest) }

// makeImage makes an image of one layer with one file.
func makeImage(text string) (*image, error) {
	var layer bytes.Buffer
	w := tar.NewWriter(&layer)
	err := w.WriteHeader(&tar.Header{Name: "hello.txt", Mode: 0o644, Size: int64(len(text))})
	if err == nil {
		_, err = io.WriteString(w, text)
	}
	if err = errors.Join(err, w.Close()); err != nil {
		return nil, err
	}
	config, err := json.Marshal(v1.Image{
		Platform: v1.Platform{OS: "linux", Architecture: "amd64"},
		RootFS:   v1.RootFS{Type: "layers", DiffIDs: []digest.Digest{digest.FromBytes(layer.Bytes())}},
	})
	if err != nil {
		return nil, err
	}
	m, err := json.Marshal(v1.Manifest{
		Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: v1.MediaTypeImageManifest,
		Config: describe(v1.MediaTypeImageConfig, config),
		Layers: []v1.Descriptor{describe(v1.MediaTypeImageLayer, layer.Bytes())},
	})
	return &image{m, [][]byte{config, layer.Bytes()}}, err
}

func describe(mediaType string, b []byte) v1.Descriptor {
	return v1.Descriptor{MediaType: mediaType, Digest: digest.FromBytes(b), Size: int64(len(b))}
}

// registry is what docker is to the server: a client with a password.
type registry struct {
	base, user, password string
}

// do sends a request and returns the answer's body, if its status is want.
func (g *registry) do(method, target string, header http.Header, body []byte, want int) (*http.Response, []byte, error) {
	req, err := http.NewRequest(method, target, bytes.NewReader(body))
	if err != nil {
		return nil, nil, err
	}
	for k, v := range header {
		req.Header[k] = v
	}
	req.SetBasicAuth(g.user, g.password)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, nil, err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != want {
		err = fmt.Errorf("%s %s: %s %s", method, req.URL.Path, resp.Status, b)
	}
	return resp, b, err
}

// login is what docker does with a password before it keeps it.
func (g *registry) login() error {
	_, _, err := g.do("GET", g.base+"/v2/", nil, nil, http.StatusOK)
	return err
}

func (g *registry) push(repo, tag string, i *image) error {
	for _, b := range i.blobs {
		if err := g.pushBlob(repo, b); err != nil {
			return err
		}
	}
	_, _, err := g.do("PUT", g.base+"/v2/"+repo+"/manifests/"+tag, http.Header{"Content-Type": {v1.MediaTypeImageManifest}}, i.manifest, http.StatusCreated)
	return err
}

func (g *registry) pushBlob(repo string, b []byte) error {
	resp, _, err := g.do("POST", g.base+"/v2/"+repo+"/blobs/uploads/", nil, nil, http.StatusAccepted)
	if err != nil {
		return err
	}
	at, err := resp.Location()
	if err != nil {
		return err
	}
	q := at.Query()
	q.Set("digest", digest.FromBytes(b).String())
	at.RawQuery = q.Encode()
	_, _, err = g.do("PUT", at.String(), http.Header{"Content-Type": {"application/octet-stream"}}, b, http.StatusCreated)
	return err
}

// pull reads an image back and checks every digest.
func (g *registry) pull(repo, tag string) (digest.Digest, error) {
	_, b, err := g.do("GET", g.base+"/v2/"+repo+"/manifests/"+tag, http.Header{"Accept": {v1.MediaTypeImageManifest}}, nil, http.StatusOK)
	if err != nil {
		return "", err
	}
	var m v1.Manifest
	if err := json.Unmarshal(b, &m); err != nil {
		return "", err
	}
	for _, d := range append(m.Layers, m.Config) {
		_, blob, err := g.do("GET", g.base+"/v2/"+repo+"/blobs/"+d.Digest.String(), nil, nil, http.StatusOK)
		if err != nil {
			return "", err
		}
		if digest.FromBytes(blob) != d.Digest {
			return "", fmt.Errorf("the bytes of %s are others", d.Digest)
		}
	}
	return digest.FromBytes(b), nil
}
