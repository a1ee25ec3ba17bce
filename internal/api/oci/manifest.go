package oci

import (
	"errors"
	"io"
	"mime"
	"net/http"
	"strconv"

	"github.com/lighterage/lighterage/internal/fault"
	"github.com/lighterage/lighterage/internal/manifest"
	"github.com/lighterage/lighterage/internal/name"
	"github.com/lighterage/lighterage/internal/registry"
)

// maxManifest is the largest manifest that is read, in bytes (ECR model,
// ImageManifest).
const maxManifest = 4 << 20

// tagsAtOnce bounds the tags of one multi-tag push (spec: at least 10).
const tagsAtOnce = 100

// ping answers GET /v2/: the token is good.
func (f *front) ping(c *call) error {
	h := c.w.Header()
	h["Content-Type"] = jsonType
	h["Content-Length"] = []string{"2"}
	c.w.WriteHeader(http.StatusOK)
	if c.r.Method == http.MethodGet {
		io.WriteString(c.w, "{}")
	}
	return nil
}

func (f *front) getManifest(c *call) error {
	ref, err := reference(c.lastPart())
	if err != nil {
		return err
	}
	image, err := f.Catalogue.Image(c.r.Context(), c.key, ref)
	if err != nil {
		return err
	}
	h := c.w.Header()
	etag := `"` + string(image.Digest) + `"`
	h["Content-Type"] = []string{image.MediaType}
	h["Docker-Content-Digest"] = []string{string(image.Digest)}
	h["Etag"] = []string{etag}
	if c.r.Header.Get("If-None-Match") == etag {
		c.w.WriteHeader(http.StatusNotModified)
		return nil
	}
	h["Content-Length"] = []string{strconv.FormatInt(image.ManifestSize, 10)}
	if c.r.Method == http.MethodHead {
		c.w.WriteHeader(http.StatusOK)
		return nil
	}
	body, err := f.Catalogue.Manifest(c.r.Context(), c.key, image)
	if err != nil {
		return err
	}
	f.Catalogue.RecordPull(image.ID)
	c.w.WriteHeader(http.StatusOK)
	c.w.Write(body)
	return nil
}

func (f *front) putManifest(c *call) error {
	put, err := f.readPut(c)
	if err != nil {
		return err
	}
	image, err := f.Catalogue.PutImage(c.r.Context(), put)
	if fault.Is(err, fault.RepositoryNotFound) {
		if _, parseErr := manifest.Parse(put.Body, put.MediaType); parseErr != nil {
			return parseErr
		}
		if err = f.createOnPush(c, err); err == nil {
			image, err = f.Catalogue.PutImage(c.r.Context(), put)
		}
	}
	if err != nil {
		return err
	}
	h := c.w.Header()
	h["Location"] = []string{c.locate("manifests", string(image.Digest))}
	h["Docker-Content-Digest"] = []string{string(image.Digest)}
	h["Content-Length"] = []string{"0"}
	if image.Subject != "" {
		h["Oci-Subject"] = []string{string(image.Subject)}
	}
	if c.r.URL.RawQuery != "" {
		for _, t := range put.Tags {
			h["Oci-Tag"] = append(h["Oci-Tag"], string(t))
		}
	}
	c.w.WriteHeader(http.StatusCreated)
	return nil
}

// readPut reads a manifest and what the request says of it. By digest, tags
// may stand in the query (spec, "Pushing a manifest by digest with tags").
func (f *front) readPut(c *call) (registry.Put, error) {
	put := registry.Put{By: c.caller.ARN, Key: c.key, Repeatable: !f.Strict}
	ref, err := reference(c.lastPart())
	if err != nil {
		return put, err
	}
	put.Digest = ref.Digest
	if ref.Tag != "" {
		put.Tags = []name.Tag{ref.Tag}
	} else if c.r.URL.RawQuery != "" {
		asked := c.r.URL.Query()["tag"]
		if len(asked) > tagsAtOnce {
			return put, &fault.Error{Reason: fault.TagInvalid, Detail: "no more than " + strconv.Itoa(tagsAtOnce) + " tags at once"}
		}
		for _, s := range asked {
			t, err := name.ParseTag(s)
			if err != nil {
				return put, err
			}
			put.Tags = append(put.Tags, t)
		}
	}
	if said := c.r.Header.Get("Content-Type"); said != "" {
		if put.MediaType, _, err = mime.ParseMediaType(said); err != nil {
			return put, &fault.Error{Reason: fault.ManifestInvalid, Member: "ImageManifest", Constraint: "The Content-Type is no media type", Err: err}
		}
	}
	put.Body, err = io.ReadAll(http.MaxBytesReader(c.w, c.r.Body, maxManifest))
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return put, &fault.Error{Reason: fault.ManifestTooLarge, Limit: maxManifest}
	}
	if err != nil {
		return put, &fault.Error{Reason: fault.BodyMalformed, Detail: "the body ended early", Err: err}
	}
	return put, nil
}

// createOnPush makes the missing repository of a push, if the caller may.
func (f *front) createOnPush(c *call, missing error) error {
	if f.Strict || c.key.Space != registry.ECR || !f.may(c, "ecr:CreateRepository", c.key) {
		told := *fault.Of(missing)
		if c.key.Space == registry.ECR {
			told.Detail = "Create it first: aws ecr create-repository --repository-name " + string(c.key.Name)
		}
		return &told
	}
	_, err := f.Catalogue.EnsureRepository(c.r.Context(), c.key)
	return err
}

func (f *front) deleteManifest(c *call) error {
	ref, err := reference(c.lastPart())
	if err != nil {
		return err
	}
	if ref.Tag != "" {
		err = f.Catalogue.DeleteTag(c.r.Context(), c.caller.ARN, c.key, ref.Tag)
	} else {
		err = f.Catalogue.DeleteImage(c.r.Context(), c.caller.ARN, c.key, ref)
	}
	if err != nil {
		return err
	}
	c.w.WriteHeader(http.StatusAccepted)
	return nil
}
