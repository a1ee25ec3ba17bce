package oci

import (
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/lighterage/lighterage/internal/digest"
	"github.com/lighterage/lighterage/internal/edge"
	"github.com/lighterage/lighterage/internal/fault"
	"github.com/lighterage/lighterage/internal/identity"
	"github.com/lighterage/lighterage/internal/registry"
)

// strictWordings stand before wordings where ECR is known to differ from the
// specification. Whatever its API calls an InvalidParameterException is 405
// UNSUPPORTED there (google/go-containerregistry#681, openai/tart#890,
// docker-archive/docker.app#563); what it refuses when an upload is completed
// is BLOB_UPLOAD_INVALID (radius-project/radius#7855,
// dotnet/sdk-container-builds#424 and #472); missing layers: oras-project/oras-py#54;
// an index that lists something else than images: overhangio/tutor#1118.
var strictWordings = map[fault.Reason]wording{
	fault.NameInvalid:      {http.StatusMethodNotAllowed, "UNSUPPORTED", constraintOf},
	fault.TagInvalid:       {http.StatusMethodNotAllowed, "UNSUPPORTED", constraintOf},
	fault.DigestInvalid:    {http.StatusMethodNotAllowed, "UNSUPPORTED", fixed("Invalid parameter at 'layerDigest' failed to satisfy constraint: 'must satisfy regular expression '[a-zA-Z0-9-_+.]+:[a-fA-F0-9]+''")},
	fault.ParameterInvalid: {http.StatusMethodNotAllowed, "UNSUPPORTED", constraintOf},
	fault.PageTokenInvalid: {http.StatusMethodNotAllowed, "UNSUPPORTED", fixed("Invalid parameter at 'nextToken' failed to satisfy constraint: 'must be the nextToken of an answer to the same request'")},
	fault.ManifestInvalid:  {http.StatusMethodNotAllowed, "UNSUPPORTED", manifestConstraint},
	fault.ManifestTooLarge: {http.StatusMethodNotAllowed, "UNSUPPORTED", text("Invalid parameter at 'imageManifest' failed to satisfy constraint: 'Member must have length less than or equal to %s'", limitOf)},

	fault.DigestMismatch:   {http.StatusBadRequest, "MANIFEST_INVALID", wordings[fault.DigestMismatch].text},
	fault.LayersNotFound:   {http.StatusNotFound, "BLOB_UPLOAD_UNKNOWN", wordings[fault.LayersNotFound].text},
	fault.ChildrenNotFound: {http.StatusBadRequest, "MANIFEST_BLOB_UNKNOWN", wordings[fault.ChildrenNotFound].text},

	fault.LayerMismatch: {http.StatusBadRequest, "BLOB_UPLOAD_INVALID", wordings[fault.LayerMismatch].text},
	fault.UploadPartSmall: {http.StatusBadRequest, "BLOB_UPLOAD_INVALID", func(e *fault.Error) string {
		return "All layer parts except the last part should be at least " + strconv.FormatInt(e.Limit>>20, 10) + "MB"
	}},
	fault.UploadEmpty: {http.StatusBadRequest, "BLOB_UPLOAD_INVALID", func(e *fault.Error) string {
		return "The upload with id '" + e.Upload + "' in the repository with name '" + e.Repository + "' in registry with id '" + e.Account +
			"' cannot be completed because it does not have any parts"
	}},
}

// strictly words a fault as ECR does, if it is known to have words of its own
// for it. The operations on several ids answer a wrong one as a failure and not
// as an exception, and that is 400 here too (bazel-contrib/rules_oci#720).
func (f *front) strictly(c *call, e *fault.Error) (wording, bool) {
	if !f.Strict {
		return wording{}, false
	}
	badID := e.Reason == fault.TagInvalid || e.Reason == fault.DigestInvalid
	if badID && c.route != nil && strings.HasPrefix(c.route.action, "ecr:Batch") {
		return wording{}, false
	}
	w, ok := strictWordings[e.Reason]
	return w, ok
}

// redirect sends the reader of a layer to its download URL, as ECR does to its
// store's.
func (f *front) redirect(c *call, d digest.Digest) error {
	if _, err := f.Catalogue.Layer(c.r.Context(), c.key, d); err != nil {
		return err
	}
	token := f.Auth.IssueDownload(identity.Download{
		Registry: c.key.Registry, Space: byte(c.key.Space), Repository: c.key.Name, Digest: d,
	})
	event := edge.From(c.r.Context())
	h := c.w.Header()
	h["Location"] = []string{DownloadURL(event.Scheme+"://"+event.Host, c.key.Name, d, token)}
	h["Content-Length"] = []string{"0"}
	c.w.WriteHeader(http.StatusTemporaryRedirect)
	return nil
}

// deleteByTag does what BatchDeleteImage does: the image goes with its last tag.
func (f *front) deleteByTag(c *call, ref registry.Reference) error {
	_, failed, err := f.Catalogue.DeleteImages(c.r.Context(), c.caller.ARN, c.key, []registry.Asked{{Tag: string(ref.Tag)}})
	if err == nil && len(failed) > 0 {
		err = failed[0].Err
	}
	return err
}

// The sizes of ECR's pages (ECR model, MaxResults; docker-archive/migrator#96).
const (
	strictPage    = 100
	strictPageMax = 1_000
)

// strictPageSize reads n as ECR's maxResults.
func strictPageSize(q url.Values) (int, error) {
	s := q.Get("n")
	if s == "" {
		return strictPage, nil
	}
	n, err := strconv.ParseInt(s, 10, 64) // clamps
	bad := &fault.Error{Reason: fault.ParameterInvalid, Member: "maxResults", Value: s, Constraint: "Member must have value less than or equal to " + strconv.Itoa(strictPageMax)}
	switch {
	case err != nil && !errors.Is(err, strconv.ErrRange), n < 1:
		bad.Constraint = "Member must have value greater than or equal to 1"
		return 0, bad
	case n > strictPageMax:
		return 0, bad
	}
	return int(n), nil
}

// bindingSize is how much of a hash a page token begins with, in bytes.
const bindingSize = 12

// pageToken is where a list goes on, as ECR's clients get it: opaque, and good
// for this list alone. Whoever makes one up learns what the first page tells.
func (c *call) pageToken(position string) string {
	id := c.key.Registry
	sum := sha256.Sum256([]byte(c.r.URL.Path + "\x00" + string(id.Account) + "\x00" + string(id.Region) + "\x00" + position))
	return base64.RawURLEncoding.EncodeToString(append(sum[:bindingSize], position...))
}

// pagePosition takes such a token apart; none is the beginning.
func (c *call) pagePosition(given string) (string, error) {
	if given == "" {
		return "", nil
	}
	b, err := base64.RawURLEncoding.DecodeString(given)
	if err != nil || len(b) <= bindingSize || c.pageToken(string(b[bindingSize:])) != given {
		return "", fault.New(fault.PageTokenInvalid)
	}
	return string(b[bindingSize:]), nil
}

// page reads what part of a list is asked for: how many, and after which.
func (f *front) page(c *call, q url.Values) (size int, after string, err error) {
	if !f.Strict {
		size, err = pageSize(q)
		return size, q.Get("last"), err
	}
	if size, err = strictPageSize(q); err == nil {
		after, err = c.pagePosition(q.Get("last"))
	}
	return size, after, err
}

// linkPage points to the page after the last name of this one. ECR's link is
// absolute (deitch/docker_registry2#34).
func (f *front) linkPage(c *call, q url.Values, size int, last string) {
	if !f.Strict {
		c.linkNext(url.Values{"n": {strconv.Itoa(size)}, "last": {last}})
		return
	}
	next := url.Values{"last": {c.pageToken(last)}}
	if n := q.Get("n"); n != "" {
		next["n"] = []string{n}
	}
	event := edge.From(c.r.Context())
	at := url.URL{Scheme: event.Scheme, Host: event.Host, Path: c.r.URL.Path, RawQuery: next.Encode()}
	c.w.Header()["Link"] = []string{"<" + at.String() + `>; rel="next"`}
}

// rated counts a request against the rate of its action, once it is known to be
// allowed: whoever may not do something takes nothing from those who may. It
// counts once, also a request that does the work of several operations. Nobody
// has a rate of its own; it is then the registry's.
func (f *front) rated(c *call, r *route) error {
	if f.Rate == nil || r.action == "" || c.key.Space != registry.ECR {
		return nil
	}
	account := c.caller.Account
	if c.caller.Kind == identity.Anonymous {
		account = c.key.Registry.Account
	}
	return f.Rate(account, c.key.Registry.Region, r.action)
}
