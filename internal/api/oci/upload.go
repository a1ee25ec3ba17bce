package oci

import (
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/lighterage/lighterage/internal/digest"
	"github.com/lighterage/lighterage/internal/fault"
	"github.com/lighterage/lighterage/internal/name"
	"github.com/lighterage/lighterage/internal/registry"
)

// holdersTried bounds the repositories that a mount without a source looks at.
const holdersTried = 20

// startUpload answers POST: a mount, a whole layer in one request, or the
// beginning of an upload.
func (f *front) startUpload(c *call) error {
	var q url.Values
	if c.r.URL.RawQuery != "" {
		q = c.r.URL.Query()
	}
	if q.Has("mount") {
		if done, err := f.mount(c, q.Get("mount"), q.Get("from")); done || err != nil {
			return err
		}
	}
	algorithm := digest.SHA256
	var whole digest.Digest
	var err error
	if s := q.Get("digest-algorithm"); s != "" {
		if algorithm, err = digest.ParseAlgorithm(s); err != nil {
			return err
		}
	}
	if s := q.Get("digest"); s != "" {
		if whole, err = digest.Parse(s); err != nil {
			return err
		}
		algorithm = whole.Algorithm()
	}
	id, err := f.Catalogue.StartUpload(c.r.Context(), c.key, algorithm)
	if fault.Is(err, fault.RepositoryNotFound) {
		if err = f.createOnPush(c, err); err == nil {
			id, err = f.Catalogue.StartUpload(c.r.Context(), c.key, algorithm)
		}
	}
	if err != nil {
		return err
	}
	// A client that only announces the digest sends no body: it goes on with
	// PATCH or PUT.
	if whole != "" && (c.r.ContentLength != 0 || whole == digest.Of(algorithm, nil)) {
		if err := f.Catalogue.FinishUpload(c.r.Context(), c.key, id, whole, registry.Anywhere, c.r.Body); err != nil {
			f.Catalogue.CancelUpload(c.r.Context(), c.key, id)
			return err
		}
		return c.created(whole)
	}
	return c.accepted(id, 0)
}

// accepted answers 202 with where to go on and how far the upload is.
func (c *call) accepted(id name.UploadID, offset int64) error {
	c.progress(id, offset)
	c.w.WriteHeader(http.StatusAccepted)
	return nil
}

func (c *call) progress(id name.UploadID, offset int64) {
	h := c.w.Header()
	h["Location"] = []string{c.locate("blobs", "uploads", string(id))}
	h["Range"] = []string{"0-" + strconv.FormatInt(max(offset-1, 0), 10)}
	h["Docker-Upload-Uuid"] = []string{string(id)}
	h["Content-Length"] = []string{"0"}
}

// created answers 201 for a layer that is there.
func (c *call) created(d digest.Digest) error {
	h := c.w.Header()
	h["Location"] = []string{c.locate("blobs", string(d))}
	h["Docker-Content-Digest"] = []string{string(d)}
	h["Content-Length"] = []string{"0"}
	c.w.WriteHeader(http.StatusCreated)
	return nil
}

// mount makes a layer of another repository visible here, if the caller may
// pull it from there. Whatever is in the way, the answer is a plain upload,
// never an error: whether the source exists stays unknown.
func (f *front) mount(c *call, want, from string) (bool, error) {
	d, err := digest.Parse(want)
	if err != nil {
		return false, err
	}
	if c.key.Space != registry.ECR {
		return false, nil
	}
	sources, err := f.sources(c, d, from)
	if err != nil {
		return false, err
	}
	for _, source := range sources {
		if !f.may(c, "ecr:BatchCheckLayerAvailability", source) || !f.may(c, "ecr:GetDownloadUrlForLayer", source) {
			continue
		}
		mounted, err := f.Catalogue.MountLayer(c.r.Context(), c.key, source, d)
		if fault.Is(err, fault.RepositoryNotFound) {
			if err = f.createOnPush(c, err); err == nil {
				mounted, err = f.Catalogue.MountLayer(c.r.Context(), c.key, source, d)
			}
		}
		if err != nil {
			return false, err
		}
		if mounted {
			return true, c.created(d)
		}
	}
	return false, nil
}

func (f *front) sources(c *call, d digest.Digest, from string) ([]registry.RepositoryKey, error) {
	if from == "" {
		if f.Strict {
			return nil, nil
		}
		return f.Catalogue.LayerHolders(c.r.Context(), c.key.Registry, d, holdersTried)
	}
	parsed, err := name.ParseRepositoryName(from)
	if err != nil {
		return nil, nil
	}
	return []registry.RepositoryKey{{Registry: c.key.Registry, Space: registry.ECR, Name: parsed}}, nil
}

func (c *call) uploadID() (name.UploadID, error) { return name.ParseUploadID(c.lastPart()) }

// patchUpload answers PATCH: a stream, or a chunk with its place.
func (f *front) patchUpload(c *call) error {
	id, err := c.uploadID()
	if err != nil {
		return err
	}
	at, body, err := chunk(c.r)
	if err != nil {
		return f.withProgress(c, id, err)
	}
	offset, err := f.Catalogue.AppendUpload(c.r.Context(), c.key, id, at, body)
	if err != nil {
		return f.withProgress(c, id, err)
	}
	return c.accepted(id, offset)
}

// withProgress tells the client of a refused chunk how far the upload is.
func (f *front) withProgress(c *call, id name.UploadID, err error) error {
	if e := fault.Of(err); e.Reason == fault.RangeInvalid {
		if offset, statusErr := f.Catalogue.UploadOffset(c.r.Context(), c.key, id); statusErr == nil {
			c.progress(id, offset)
		}
	}
	return err
}

// chunk reads where a body belongs: Content-Range is "first-last" (spec), with
// "bytes " before and "/size" after it tolerated.
func chunk(r *http.Request) (at int64, body io.Reader, err error) {
	s := r.Header.Get("Content-Range")
	if s == "" {
		return registry.Anywhere, r.Body, nil
	}
	s, _, _ = strings.Cut(strings.TrimPrefix(s, "bytes "), "/")
	a, b, ok := strings.Cut(s, "-")
	first, firstErr := strconv.ParseInt(a, 10, 64)
	last, lastErr := strconv.ParseInt(b, 10, 64)
	bad := &fault.Error{Reason: fault.RangeInvalid, Value: s, LastByte: -1}
	if !ok || firstErr != nil || lastErr != nil || first < 0 || last < first-1 {
		return 0, nil, bad
	}
	if size := last - first + 1; r.ContentLength >= 0 && r.ContentLength != size {
		return 0, nil, bad
	}
	return first, r.Body, nil
}

// putUpload answers PUT: the rest of the bytes, if any, and the digest.
func (f *front) putUpload(c *call) error {
	id, err := c.uploadID()
	if err != nil {
		return err
	}
	d, err := digest.Parse(c.r.URL.Query().Get("digest"))
	if err != nil {
		return err
	}
	at, body, err := chunk(c.r)
	if err != nil {
		return f.withProgress(c, id, err)
	}
	if c.r.ContentLength == 0 {
		body = nil
	}
	if err := f.Catalogue.FinishUpload(c.r.Context(), c.key, id, d, at, body); err != nil {
		return f.withProgress(c, id, err)
	}
	return c.created(d)
}

func (f *front) getUpload(c *call) error {
	id, err := c.uploadID()
	if err != nil {
		return err
	}
	offset, err := f.Catalogue.UploadOffset(c.r.Context(), c.key, id)
	if err != nil {
		return err
	}
	c.progress(id, offset)
	delete(c.w.Header(), "Content-Length") // 204 has none
	c.w.WriteHeader(http.StatusNoContent)
	return nil
}

func (f *front) cancelUpload(c *call) error {
	id, err := c.uploadID()
	if err != nil {
		return err
	}
	if err := f.Catalogue.CancelUpload(c.r.Context(), c.key, id); err != nil {
		return err
	}
	c.w.WriteHeader(http.StatusNoContent)
	return nil
}
