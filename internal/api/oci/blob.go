package oci

import (
	"bytes"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/lighterage/lighterage/internal/digest"
	"github.com/lighterage/lighterage/internal/edge"
	"github.com/lighterage/lighterage/internal/fault"
	"github.com/lighterage/lighterage/internal/name"
	"github.com/lighterage/lighterage/internal/registry"
)

// downloadParameter carries the token of a download URL.
const downloadParameter = "X-Lighterage-Token"

// DownloadURL is where a layer can be had with the given token and no other
// credential.
func DownloadURL(registryURL string, repository name.RepositoryName, d digest.Digest, token string) string {
	return registryURL + "/v2/" + string(repository) + "/blobs/" + string(d) + "?" + downloadParameter + "=" + token
}

func (f *front) headBlob(c *call) error {
	d, err := digest.Parse(c.lastPart())
	if err != nil {
		return err
	}
	l, err := f.Catalogue.Layer(c.r.Context(), c.key, d)
	if err != nil {
		return err
	}
	h := c.w.Header()
	blobHeaders(h, d)
	h["Accept-Ranges"] = acceptRanges
	h["Content-Length"] = []string{strconv.FormatInt(l.Blob.Size, 10)}
	c.w.WriteHeader(http.StatusOK)
	return nil
}

var (
	octetStream  = []string{"application/octet-stream"}
	acceptRanges = []string{"bytes"}
)

func blobHeaders(h http.Header, d digest.Digest) {
	h["Content-Type"] = octetStream
	h["Docker-Content-Digest"] = []string{string(d)}
	h["Etag"] = []string{`"` + string(d) + `"`}
}

func (f *front) getBlob(c *call) error {
	d, err := digest.Parse(c.lastPart())
	if err != nil {
		return err
	}
	if f.Strict {
		return f.redirect(c, d)
	}
	return f.sendBlob(c, d)
}

func (f *front) sendBlob(c *call, d digest.Digest) error {
	content, err := f.Catalogue.OpenLayer(c.r.Context(), c.key, d)
	if err != nil {
		return err
	}
	defer content.Close()
	h := c.w.Header()
	blobHeaders(h, d)
	if !strings.HasPrefix(c.r.Header.Get("Range"), "bytes=") { // RFC 9110 14.2: other units are ignored
		c.r.Header.Del("Range")
	}
	switch {
	case content.Reader != nil:
		http.ServeContent(c.w, c.r, "", time.Time{}, content.Reader)
	case c.conditional():
		http.ServeContent(c.w, c.r, "", time.Time{}, bytes.NewReader(content.Body))
	default: // the same answer without ServeContent's copying
		h["Accept-Ranges"] = acceptRanges
		h["Content-Length"] = []string{strconv.FormatInt(content.Size, 10)}
		c.w.WriteHeader(http.StatusOK)
		if c.r.Method != http.MethodHead {
			c.w.Write(content.Body)
		}
	}
	return nil
}

// conditional reports whether the answer may be other than 200 and the whole.
func (c *call) conditional() bool {
	h := c.r.Header
	return h["Range"] != nil || h["If-None-Match"] != nil || h["If-Match"] != nil
}

// download answers a download URL: its token, not the caller's, names the
// layer, and must name the one of the path.
func (f *front) download(c *call, repository, token string) error {
	grant, err := f.Auth.VerifyDownload(token)
	if err != nil {
		return err
	}
	if string(grant.Repository) != repository || string(grant.Digest) != c.lastPart() {
		return fault.New(fault.TokenInvalid)
	}
	edge.From(c.r.Context()).Action = "ecr:GetDownloadUrlForLayer"
	c.key = registry.RepositoryKey{Registry: grant.Registry, Space: registry.Space(grant.Space), Name: grant.Repository}
	return f.sendBlob(c, grant.Digest)
}

func (f *front) deleteBlob(c *call) error {
	if f.Strict {
		return &fault.Error{Reason: fault.OperationNotOffered, Value: "GET, HEAD"}
	}
	d, err := digest.Parse(c.lastPart())
	if err != nil {
		return err
	}
	if err := f.Catalogue.DeleteLayer(c.r.Context(), c.key, d); err != nil {
		return err
	}
	c.w.WriteHeader(http.StatusAccepted)
	return nil
}
