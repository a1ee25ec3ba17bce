package oci

import (
	"errors"
	"io"
	"mime"
	"net/http"
	"strconv"
	"strings"

	"github.com/lighterage/lighterage/internal/access"
	"github.com/lighterage/lighterage/internal/digest"
	"github.com/lighterage/lighterage/internal/edge"
	"github.com/lighterage/lighterage/internal/fault"
	"github.com/lighterage/lighterage/internal/manifest"
	"github.com/lighterage/lighterage/internal/name"
	"github.com/lighterage/lighterage/internal/registry"
)

// maxManifest is the largest manifest that is read, in bytes (ECR model,
// ImageManifest).
const maxManifest = 4 << 20

// manifestHeld is how often a manifest is in memory while it is read.
const manifestHeld = 2

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
	if listed(c.r.Header["If-None-Match"], etag) {
		c.w.WriteHeader(http.StatusNotModified)
		return nil
	}
	h["Content-Length"] = []string{strconv.FormatInt(image.ManifestSize, 10)}
	if c.r.Method == http.MethodHead {
		c.w.WriteHeader(http.StatusOK)
		return nil
	}
	release, err := f.Catalogue.HoldAnswer(c.r.Context(), manifestHeld*image.ManifestSize)
	if err != nil {
		return err
	}
	defer release()
	body, err := f.Catalogue.Manifest(c.r.Context(), c.key, image)
	if err != nil {
		return err
	}
	f.Catalogue.RecordPull(image.ID)
	c.w.WriteHeader(http.StatusOK)
	c.w.Write(body)
	return nil
}

// listed reports whether a header of entity tags names the one, compared
// weakly (RFC 9110 13.1.2).
func listed(header []string, etag string) bool {
	for _, line := range header {
		for s := range strings.SplitSeq(line, ",") {
			if s = strings.TrimSpace(s); s == "*" || strings.TrimPrefix(s, "W/") == etag {
				return true
			}
		}
	}
	return false
}

func (f *front) putManifest(c *call) error {
	lease := f.manifests.Lease(edge.From(c.r.Context()).Client)
	defer lease.End()
	put, err := f.readPut(c, lease)
	if err != nil {
		return err
	}
	if err := f.still(c, "ecr:PutImage"); err != nil {
		return err
	}
	image, err := f.Catalogue.PutImage(c.r.Context(), put)
	if fault.Is(err, fault.RepositoryNotFound) {
		if err = f.createForManifest(c, put, err); err == nil {
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
	if c.r.URL.RawQuery != "" && !f.Strict {
		for _, t := range put.Tags {
			h["Oci-Tag"] = append(h["Oci-Tag"], string(t))
		}
	}
	c.w.WriteHeader(http.StatusCreated)
	return nil
}

// readPut reads a manifest and what the request says of it. By digest, tags
// may stand in the query (spec, "Pushing a manifest by digest with tags").
func (f *front) readPut(c *call, lease *edge.Lease) (registry.Put, error) {
	put := registry.Put{By: c.caller.ARN, Key: c.key, Repeatable: true}
	ref, err := reference(c.lastPart())
	if err != nil {
		return put, err
	}
	put.Digest = ref.Digest
	if ref.Tag != "" {
		put.Tags = []name.Tag{ref.Tag}
	} else if c.r.URL.RawQuery != "" && !f.Strict {
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
		put.MediaType, _, err = mime.ParseMediaType(said)
		if err != nil && !errors.Is(err, mime.ErrInvalidMediaParameter) { // spec: parameters are ignored
			return put, &fault.Error{Reason: fault.ManifestInvalid, Member: "ImageManifest", Constraint: "The Content-Type is no media type", Err: err}
		}
	}
	put.Body, err = lease.Read(c.w, c.r, edge.Held{Limit: maxManifest, Free: usualManifest, Weight: 1})
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return put, &fault.Error{Reason: fault.ManifestTooLarge, Limit: maxManifest}
	}
	return put, err
}

// createOnPush makes the missing repository of a push, if the caller may.
func (f *front) createOnPush(c *call, missing error) error {
	if err := f.mayCreate(c, missing); err != nil {
		return err
	}
	_, err := f.Catalogue.CreateRepository(c.r.Context(), c.key, registry.Defaults(), nil)
	switch {
	case err == nil:
		edge.From(c.r.Context()).Created = name.RepositoryARN(c.key.Registry, c.key.Name)
	case fault.Is(err, fault.RepositoryExists): // somebody else was faster
		return nil
	}
	return err
}

const createAction = "ecr:CreateRepository"

// mayCreate returns nil if a push may create the repository, else the fault
// that it is missing, with what to do about it.
func (f *front) mayCreate(c *call, missing error) error {
	if c.key.Space != registry.ECR {
		return missing
	}
	told := *fault.Of(missing)
	told.Detail = "Create it first: aws ecr create-repository --repository-name " + string(c.key.Name)
	if f.Strict {
		return &told
	}
	resource := access.Resource{Account: c.key.Registry.Account, ARN: name.RepositoryARN(c.key.Registry, c.key.Name)}
	err := f.Access.Authorize(c.r.Context(), c.caller, createAction, resource)
	if fault.Is(err, fault.AccessDenied) {
		event := edge.From(c.r.Context())
		event.Created, event.Withheld = resource.ARN, err
		told.Detail += ". A push creates it for those who have the right " + createAction
		return &told
	}
	return err
}

// createForManifest makes the missing repository of a manifest that can be put
// there: one that is refused leaves nothing behind, and one that refers to
// anything is refused, since nothing is there.
func (f *front) createForManifest(c *call, put registry.Put, missing error) error {
	if err := f.mayCreate(c, missing); err != nil {
		return err
	}
	m, err := manifest.Parse(put.Body, put.MediaType)
	if err != nil {
		return err
	}
	told := *fault.Of(missing)
	layers, children := m.RequiredLayers(), m.RequiredChildren()
	switch {
	case put.Digest != "" && put.Digest != digest.Of(put.Digest.Algorithm(), put.Body):
		told.Reason, told.Digest = fault.DigestMismatch, string(put.Digest)
	case len(layers) > 0:
		told.Reason, told.Digests = fault.LayersNotFound, texts(layers)
	case len(children) > 0:
		told.Reason, told.Digests = fault.ChildrenNotFound, texts(children)
	default:
		return f.createOnPush(c, missing)
	}
	return &told
}

func texts(ds []digest.Digest) []string {
	out := make([]string, len(ds))
	for i, d := range ds {
		out[i] = string(d)
	}
	return out
}

func (f *front) deleteManifest(c *call) error {
	ref, err := reference(c.lastPart())
	if err != nil {
		return err
	}
	if ref.Tag != "" && f.Strict {
		err = f.deleteByTag(c, ref)
	} else if ref.Tag != "" {
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
