package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// registry is a small OCI distribution client that counts what it does. Its
// methods are safe for concurrent use after login.
type registry struct {
	base          *url.URL
	http          *http.Client
	keys          keys
	aws           *awsClient
	authorization string // header value; empty before login, or without one

	requests atomic.Int64
	bytes    atomic.Int64 // of blobs, manifests and lists, both ways
}

func newRegistry(base *url.URL, k keys, secure *tls.Config) *registry {
	base.Path = strings.TrimRight(base.Path, "/")
	return &registry{base: base, keys: k, aws: newAWSClient(k), http: &http.Client{Transport: &http.Transport{
		DialContext:         (&net.Dialer{Timeout: 5 * time.Second}).DialContext,
		TLSClientConfig:     secure,
		MaxIdleConns:        512,
		MaxIdleConnsPerHost: 512,
		DisableCompression:  true,
		ReadBufferSize:      64 << 10,
		WriteBufferSize:     64 << 10,
	}}}
}

// request is what differs from one call to the next.
type request struct {
	method string
	url    string // absolute, or a path of the registry
	header http.Header
	body   io.Reader
	length int64 // of body; -1 sends it in chunks
}

// do sends the request; the caller drains the answer when its status is one of
// want, and gets an error otherwise.
func (g *registry) do(ctx context.Context, r request, want ...int) (*http.Response, error) {
	target := r.url
	if strings.HasPrefix(target, "/") {
		target = g.base.String() + target
	}
	req, err := http.NewRequestWithContext(ctx, r.method, target, r.body)
	if err != nil {
		return nil, err
	}
	if r.body != nil {
		req.ContentLength = r.length
	}
	for k, v := range r.header {
		req.Header[k] = v
	}
	if g.authorization != "" {
		req.Header.Set("Authorization", g.authorization)
	}
	g.requests.Add(1)
	resp, err := g.http.Do(req)
	if err != nil {
		return nil, err
	}
	if err := expect(resp, want...); err != nil {
		drain(resp)
		return nil, err
	}
	return resp, nil
}

// expect turns a status that is not wanted into an error with the start of the
// body. It leaves the body open.
func expect(resp *http.Response, want ...int) error {
	for _, w := range want {
		if resp.StatusCode == w {
			return nil
		}
	}
	b, _ := io.ReadAll(io.LimitReader(resp.Body, 200))
	return fmt.Errorf("%s %s: %s %s", resp.Request.Method, resp.Request.URL.Path, resp.Status, bytes.TrimSpace(b))
}

var buffers = sync.Pool{New: func() any { b := make([]byte, 256<<10); return &b }}

// drain reads the body to its end, so that the connection is used again.
func drain(resp *http.Response) {
	_, _ = read(nil, resp.Body)
	resp.Body.Close()
}

// read reads r to its end, into h when it is not nil.
func read(h hash.Hash, r io.Reader) (int64, error) {
	buf := buffers.Get().(*[]byte)
	defer buffers.Put(buf)
	var n int64
	for {
		k, err := r.Read(*buf)
		n += int64(k)
		if h != nil {
			h.Write((*buf)[:k])
		}
		if err == io.EOF {
			return n, nil
		}
		if err != nil {
			return n, err
		}
	}
}

// location is where the answer sends the next request, on the address that we
// were given.
func (g *registry) location(resp *http.Response) (*url.URL, error) {
	l := resp.Header.Get("Location")
	if l == "" {
		return nil, errors.New("no Location")
	}
	u, err := resp.Request.URL.Parse(l)
	if err != nil {
		return nil, err
	}
	u.Scheme, u.Host = g.base.Scheme, g.base.Host
	return u, nil
}

func withDigest(u *url.URL, digest string) string {
	q := u.Query()
	q.Set("digest", digest)
	v := *u
	v.RawQuery = q.Encode()
	return v.String()
}

var octets = http.Header{"Content-Type": {"application/octet-stream"}}

// pushWhole is POST, then PUT with a length: containerd, BuildKit, regctl.
func (g *registry) pushWhole(ctx context.Context, repo string, b []byte, digest string) error {
	at, err := g.startUpload(ctx, repo)
	if err != nil {
		return err
	}
	resp, err := g.do(ctx, request{method: "PUT", url: withDigest(at, digest), header: octets, body: bytes.NewReader(b), length: int64(len(b))}, 201)
	if err != nil {
		return err
	}
	drain(resp)
	g.bytes.Add(int64(len(b)))
	return nil
}

// pushStreamed is POST, PATCH in chunks, and an empty PUT: docker, skopeo.
func (g *registry) pushStreamed(ctx context.Context, repo string, b []byte, digest string) error {
	at, err := g.startUpload(ctx, repo)
	if err != nil {
		return err
	}
	resp, err := g.do(ctx, request{method: "PATCH", url: at.String(), header: octets, body: onlyReader{bytes.NewReader(b)}, length: -1}, 202)
	if err != nil {
		return err
	}
	at, err = g.location(resp)
	drain(resp)
	if err != nil {
		return err
	}
	g.bytes.Add(int64(len(b)))
	resp, err = g.do(ctx, request{method: "PUT", url: withDigest(at, digest)}, 201)
	if err != nil {
		return err
	}
	drain(resp)
	return nil
}

// onlyReader hides the length from net/http.
type onlyReader struct{ io.Reader }

func (g *registry) startUpload(ctx context.Context, repo string) (*url.URL, error) {
	resp, err := g.do(ctx, request{method: "POST", url: "/v2/" + repo + "/blobs/uploads/"}, 202)
	if err != nil {
		return nil, err
	}
	defer drain(resp)
	return g.location(resp)
}

// mount asks for a blob of another repository; false when the server wants it
// uploaded.
func (g *registry) mount(ctx context.Context, repo, from, digest string) (bool, error) {
	q := url.Values{"mount": {digest}, "from": {from}}
	resp, err := g.do(ctx, request{method: "POST", url: "/v2/" + repo + "/blobs/uploads/?" + q.Encode()}, 201, 202)
	if err != nil {
		return false, err
	}
	defer drain(resp)
	return resp.StatusCode == 201, nil
}

// hasBlob is a HEAD of the blob.
func (g *registry) hasBlob(ctx context.Context, repo, digest string) (bool, error) {
	resp, err := g.do(ctx, request{method: "HEAD", url: "/v2/" + repo + "/blobs/" + digest}, 200, 404)
	if err != nil {
		return false, err
	}
	defer drain(resp)
	return resp.StatusCode == 200, nil
}

// getBlob reads a blob and checks its length, and its digest if verify.
func (g *registry) getBlob(ctx context.Context, repo, digest string, size int64, verify bool) error {
	resp, err := g.do(ctx, request{method: "GET", url: "/v2/" + repo + "/blobs/" + digest}, 200)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	var h hash.Hash
	if verify {
		h = sha256.New()
	}
	n, err := read(h, resp.Body)
	g.bytes.Add(n)
	switch {
	case err != nil:
		return err
	case n != size:
		return fmt.Errorf("blob %s: %d bytes, want %d", digest, n, size)
	case verify && "sha256:"+hex.EncodeToString(h.Sum(nil)) != digest:
		return fmt.Errorf("blob %s: wrong digest", digest)
	}
	return nil
}

// getRange reads the bytes first to last of a blob.
func (g *registry) getRange(ctx context.Context, repo, digest string, first, last int64) error {
	header := http.Header{"Range": {fmt.Sprintf("bytes=%d-%d", first, last)}}
	resp, err := g.do(ctx, request{method: "GET", url: "/v2/" + repo + "/blobs/" + digest, header: header}, 206)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	n, err := read(nil, resp.Body)
	g.bytes.Add(n)
	if err == nil && n != last-first+1 {
		err = fmt.Errorf("range of %s: %d bytes, want %d", digest, n, last-first+1)
	}
	return err
}

var acceptHeader = http.Header{"Accept": {
	ociTypes.manifest, "application/vnd.oci.image.index.v1+json",
	dockerTypes.manifest, "application/vnd.docker.distribution.manifest.list.v2+json",
}}

func (g *registry) putManifest(ctx context.Context, repo, ref, mediaType string, m []byte) error {
	header := http.Header{"Content-Type": {mediaType}}
	resp, err := g.do(ctx, request{method: "PUT", url: "/v2/" + repo + "/manifests/" + ref, header: header, body: bytes.NewReader(m), length: int64(len(m))}, 201)
	if err != nil {
		return err
	}
	drain(resp)
	g.bytes.Add(int64(len(m)))
	return nil
}

func (g *registry) getManifest(ctx context.Context, repo, ref string) (*manifest, error) {
	resp, err := g.do(ctx, request{method: "GET", url: "/v2/" + repo + "/manifests/" + ref, header: acceptHeader}, 200)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(io.LimitReader(resp.Body, 8<<20))
	if err != nil {
		return nil, err
	}
	g.bytes.Add(int64(len(b)))
	var m manifest
	return &m, json.Unmarshal(b, &m)
}

// headManifest returns the digest that the server names; empty when there is
// no such manifest.
func (g *registry) headManifest(ctx context.Context, repo, ref string) (string, error) {
	resp, err := g.do(ctx, request{method: "HEAD", url: "/v2/" + repo + "/manifests/" + ref, header: acceptHeader}, 200, 404)
	if err != nil {
		return "", err
	}
	defer drain(resp)
	digest := resp.Header.Get("Docker-Content-Digest")
	if resp.StatusCode == 404 {
		return "", nil
	}
	if digest == "" {
		return "", fmt.Errorf("HEAD %s: no Docker-Content-Digest", ref)
	}
	return digest, nil
}

// deleteManifest deletes a manifest by its digest, or a tag.
func (g *registry) deleteManifest(ctx context.Context, repo, ref string) error {
	resp, err := g.do(ctx, request{method: "DELETE", url: "/v2/" + repo + "/manifests/" + ref}, 202)
	if err != nil {
		return err
	}
	drain(resp)
	return nil
}

// namesPage reads one page of tags or repositories, and the address of the next;
// empty at the end.
func (g *registry) namesPage(ctx context.Context, at string) ([]string, string, error) {
	resp, err := g.do(ctx, request{method: "GET", url: at}, 200)
	if err != nil {
		return nil, "", err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(io.LimitReader(resp.Body, 64<<20))
	if err != nil {
		return nil, "", err
	}
	g.bytes.Add(int64(len(b)))
	var page struct{ Tags, Repositories []string }
	if err := json.Unmarshal(b, &page); err != nil {
		return nil, "", err
	}
	names := append(page.Tags, page.Repositories...) // an answer has one of them
	link := resp.Header.Get("Link")
	if link == "" {
		return names, "", nil
	}
	_, target, _ := strings.Cut(link, "<")
	target, _, _ = strings.Cut(target, ">")
	u, err := resp.Request.URL.Parse(target)
	if err != nil {
		return nil, "", fmt.Errorf("link %q: %w", link, err)
	}
	u.Scheme, u.Host = g.base.Scheme, g.base.Host
	return names, u.String(), nil
}
