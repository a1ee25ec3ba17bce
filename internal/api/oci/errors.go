package oci

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/lighterage/lighterage/internal/edge"
	"github.com/lighterage/lighterage/internal/fault"
	"github.com/lighterage/lighterage/internal/identity"
)

// wording is how a reason looks on this wire.
type wording struct {
	status int
	code   string // of the spec's table of error codes
	text   func(*fault.Error) string
}

func fixed(s string) func(*fault.Error) string { return func(*fault.Error) string { return s } }

func text(format string, args ...func(*fault.Error) string) func(*fault.Error) string {
	return func(e *fault.Error) string {
		values := make([]any, len(args))
		for i, a := range args {
			values[i] = a(e)
		}
		return fmt.Sprintf(format, values...)
	}
}

func repository(e *fault.Error) string { return e.Repository }
func account(e *fault.Error) string    { return e.Account }
func tagOf(e *fault.Error) string      { return e.Tag }
func digestOf(e *fault.Error) string   { return e.Digest }
func digestsOf(e *fault.Error) string  { return "[" + strings.Join(e.Digests, ", ") + "]" }
func limitOf(e *fault.Error) string    { return strconv.FormatInt(e.Limit, 10) }
func quotaOf(e *fault.Error) string    { return e.Quota }
func constraintOf(e *fault.Error) string {
	return "Invalid parameter at '" + e.Member + "' failed to satisfy constraint: '" + e.Constraint + "'"
}
func unknownRepository(e *fault.Error) string {
	s := "The repository with name '" + e.Repository + "' does not exist in the registry with id '" + e.Account + "'"
	if e.Detail != "" {
		s += ". " + e.Detail
	}
	return s
}

func manifestConstraint(e *fault.Error) string {
	return "Invalid parameter at 'ImageManifest' failed to satisfy constraint: '" + e.Constraint + "'"
}

// wordings has ECR's texts where they are public: in its user guide ("Common
// errors", "Deleting an image") and in issues of its clients, such as
// docker/docker-py#1170 (expired tokens), google/go-containerregistry#1568
// (digests), oras-project/oras-py#54 (layers),
// int128/docker-manifest-create-action#63 (children),
// osscontainertools/kaniko#204 (immutable tags) and
// bazelbuild/rules_docker#298 (layers that differ). Codes and statuses are the
// specification's where ECR's are unknown or contradict it.
var wordings = map[fault.Reason]wording{
	fault.CredentialMissing:   {http.StatusUnauthorized, "UNAUTHORIZED", fixed("Not Authorized")},
	fault.CredentialUnknown:   {http.StatusUnauthorized, "UNAUTHORIZED", fixed("Not Authorized")},
	fault.CredentialMalformed: {http.StatusUnauthorized, "UNAUTHORIZED", fixed("Not Authorized")},
	fault.TokenInvalid:        {http.StatusUnauthorized, "UNAUTHORIZED", fixed("Not Authorized")},
	fault.TokenExpired:        {http.StatusForbidden, "DENIED", fixed("Your authorization token has expired. Reauthenticate and try again.")},
	fault.AccessDenied:        {http.StatusForbidden, "DENIED", (*fault.Error).Denial},

	fault.OperationUnknown:    {http.StatusNotFound, "UNSUPPORTED", fixed("The path belongs to no operation.")},
	fault.OperationNotOffered: {http.StatusMethodNotAllowed, "UNSUPPORTED", fixed("The operation is unsupported.")},
	fault.NameInvalid:         {http.StatusBadRequest, "NAME_INVALID", constraintOf},
	fault.TagInvalid: {http.StatusBadRequest, "TAG_INVALID", func(e *fault.Error) string {
		if e.Detail != "" {
			return e.Detail
		}
		return constraintOf(e)
	}},
	fault.DigestInvalid:    {http.StatusBadRequest, "DIGEST_INVALID", text("'%s' is not a digest of a supported algorithm (sha256, sha512)", digestOf)},
	fault.ParameterInvalid: {http.StatusBadRequest, "UNSUPPORTED", constraintOf},
	fault.BodyMalformed:    {http.StatusBadRequest, "SIZE_INVALID", fixed("The body is shorter or longer than announced")},

	fault.RepositoryNotFound: {http.StatusNotFound, "NAME_UNKNOWN", unknownRepository},
	fault.ImageNotFound:      {http.StatusNotFound, "MANIFEST_UNKNOWN", fixed("Requested image not found")},
	fault.ImageReferenced:    {http.StatusMethodNotAllowed, "UNSUPPORTED", text("Requested image referenced by manifest list: %s", digestsOf)},
	fault.TagImmutable:       {http.StatusBadRequest, "TAG_INVALID", text("The image tag '%s' already exists in the '%s' repository and cannot be overwritten because the tag is immutable.", tagOf, repository)},
	fault.TagImmutableSame:   {http.StatusBadRequest, "TAG_INVALID", text("The image tag '%s' already exists in the '%s' repository and cannot be overwritten because the tag is immutable.", tagOf, repository)},
	fault.ManifestInvalid:    {http.StatusBadRequest, "MANIFEST_INVALID", manifestConstraint},
	fault.ManifestTooLarge:   {http.StatusRequestEntityTooLarge, "SIZE_INVALID", text("The manifest is larger than %s bytes", limitOf)},
	fault.DigestMismatch:     {http.StatusBadRequest, "DIGEST_INVALID", text("The image with digest '%s' in repository '%s' and registry ID '%s' does not match the image digest that Amazon ECR has calculated.", digestOf, repository, account)},
	fault.LayersNotFound:     {http.StatusNotFound, "MANIFEST_BLOB_UNKNOWN", text("Layers with digests '%s' required for pushing image into repository with name '%s' in the registry with id '%s' do not exist", digestsOf, repository, account)},
	fault.ChildrenNotFound:   {http.StatusNotFound, "MANIFEST_BLOB_UNKNOWN", text("Images with digests '%s' required for pushing image into repository with name '%s' in the registry with id '%s' do not exist", digestsOf, repository, account)},
	fault.LimitExceeded:      {http.StatusForbidden, "DENIED", text("The quota of %s %s is used up", limitOf, quotaOf)},
	fault.KeyUnusable: {http.StatusForbidden, "DENIED", func(e *fault.Error) string {
		return "The encryption key '" + e.Value + "' of the repository cannot be used: " + e.KMSError
	}},

	fault.LayerNotFound:   {http.StatusNotFound, "BLOB_UNKNOWN", text("The layer with digest '%s' does not exist within the repository with name '%s' in the registry with id '%s'", digestOf, repository, account)},
	fault.LayerReferenced: {http.StatusMethodNotAllowed, "UNSUPPORTED", text("The layer with digest '%s' is referenced by an image", digestOf)},
	fault.LayerMismatch:   {http.StatusBadRequest, "DIGEST_INVALID", text("None of the provided layer digests match the calculated layer digest: %s", digestOf)},
	fault.LayerTooLarge:   {http.StatusRequestEntityTooLarge, "SIZE_INVALID", text("The layer is larger than %s bytes", limitOf)},
	fault.UploadNotFound:  {http.StatusNotFound, "BLOB_UPLOAD_UNKNOWN", func(e *fault.Error) string { return "The upload with id '" + e.Upload + "' does not exist" }},
	fault.RangeInvalid:    {http.StatusRequestedRangeNotSatisfiable, "BLOB_UPLOAD_INVALID", fixed("The range of the chunk does not follow the bytes received so far")},

	fault.Overloaded:       {http.StatusTooManyRequests, "TOOMANYREQUESTS", fixed("Rate exceeded")},
	fault.StoreFull:        {http.StatusInsufficientStorage, "UNAVAILABLE", fixed("The registry has no room left")},
	fault.StoreUnavailable: {http.StatusServiceUnavailable, "UNAVAILABLE", fixed("The registry cannot reach its store now; try again")},
}

// byKind words the reasons that have no line of their own.
var byKind = map[fault.Kind]wording{
	fault.Invalid:         {http.StatusBadRequest, "UNSUPPORTED", constraintOf},
	fault.Unauthenticated: {http.StatusUnauthorized, "UNAUTHORIZED", fixed("Not Authorized")},
	fault.Denied:          {http.StatusForbidden, "DENIED", fixed("Access denied")},
	fault.NotFound:        {http.StatusNotFound, "MANIFEST_UNKNOWN", fixed("Not found")},
	fault.Conflict:        {http.StatusConflict, "DENIED", fixed("The request conflicts with the state of the registry")},
	fault.Exceeded:        {http.StatusForbidden, "DENIED", fixed("A quota is used up")},
	fault.Range:           {http.StatusRequestedRangeNotSatisfiable, "BLOB_UPLOAD_INVALID", fixed("The range cannot be satisfied")},
	fault.TooLarge:        {http.StatusRequestEntityTooLarge, "SIZE_INVALID", fixed("The request is too large")},
	fault.Unsupported:     {http.StatusMethodNotAllowed, "UNSUPPORTED", fixed("The operation is unsupported.")},
	fault.Throttled:       {http.StatusTooManyRequests, "TOOMANYREQUESTS", fixed("Rate exceeded")},
	fault.Unavailable:     {http.StatusServiceUnavailable, "UNAVAILABLE", fixed("The registry cannot answer now; try again")},
}

// internal is all that a client learns of a defect.
var internal = wording{http.StatusInternalServerError, "UNKNOWN", fixed("The registry failed to answer; its log says why")}

func wordingOf(e *fault.Error) wording {
	if w, ok := wordings[e.Reason]; ok {
		return w
	}
	if w, ok := byKind[e.Kind()]; ok {
		return w
	}
	return internal
}

var jsonType = []string{"application/json; charset=utf-8"}

// writeError answers with the spec's error body, or with ECR's challenge.
func (f *front) writeError(c *call, err error) {
	e := fault.Of(err)
	anybody := c.caller.Kind == identity.Anonymous && e.Reason == fault.AccessDenied
	event := edge.From(c.r.Context())
	event.Err = err
	w, ok := f.strictly(c, e)
	if !ok {
		w = wordingOf(e)
	}
	if anybody { // somebody may be allowed
		w = wordings[fault.CredentialMissing]
	}
	event.Code, event.Message = w.code, w.text(e)
	h := c.w.Header()
	if w.status == http.StatusUnauthorized {
		h["Www-Authenticate"] = []string{f.challenge(c, anybody)}
		h["Content-Type"] = []string{"text/plain; charset=utf-8"}
		c.answer(w.status, []byte("Not Authorized\n"))
		return
	}
	if e.Reason == fault.OperationNotOffered && e.Value != "" {
		h["Allow"] = []string{e.Value} // RFC 9110 15.5.6
	}
	if w.status == http.StatusServiceUnavailable || w.status == http.StatusTooManyRequests {
		h["Retry-After"] = []string{"1"}
		edge.RetryAfter(h, err)
	}
	h["Content-Type"] = jsonType
	if c.r.Method == http.MethodHead { // the answer to every layer that a push brings
		c.w.WriteHeader(w.status)
		return
	}
	type line struct {
		Code    string `json:"code"`
		Message string `json:"message"`
	}
	body, err := json.Marshal(struct {
		Errors [1]line `json:"errors"`
	}{[1]line{{w.code, w.text(e)}}})
	if err != nil {
		body = []byte(`{"errors":[{"code":"UNKNOWN","message":""}]}`)
	}
	c.answer(w.status, append(body, '\n'))
}

// answer writes a body, which a HEAD request does not get.
func (c *call) answer(status int, body []byte) {
	c.w.Header()["Content-Length"] = []string{strconv.Itoa(len(body))}
	c.w.WriteHeader(status)
	if c.r.Method != http.MethodHead {
		c.w.Write(body)
	}
}
