package oci

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"

	"github.com/lighterage/lighterage/internal/digest"
	"github.com/lighterage/lighterage/internal/fault"
	"github.com/lighterage/lighterage/internal/name"
	"github.com/lighterage/lighterage/internal/registry"
)

// pageMax is the longest page: an answer without n has it, and a Link to the
// next one when there is more.
const pageMax = 10_000

// A page of referrers ends with its 1000th, or with the first that makes it
// longer than referrersSize: annotations are as long as a manifest may be.
// They are read in small steps, for the same reason.
const (
	referrersMax  = 1_000
	referrersSize = 4 << 20 // bytes
	referrersStep = 16
)

// typesMax bounds the artifact types of one filter.
const typesMax = 20

// pageSize reads n; absent or larger than the maximum, however large, means
// the maximum.
func pageSize(q url.Values) (int, error) {
	s := q.Get("n")
	if s == "" {
		return pageMax, nil
	}
	n, err := strconv.ParseInt(s, 10, 64) // clamps
	if err != nil && !errors.Is(err, strconv.ErrRange) || n < 0 {
		return 0, &fault.Error{Reason: fault.ParameterInvalid, Member: "maxResults", Value: s, Constraint: "Member must have value greater than or equal to 0"}
	}
	return int(min(n, pageMax)), nil
}

func (f *front) listTags(c *call) error {
	q := c.r.URL.Query()
	n, err := pageSize(q)
	if err != nil {
		return err
	}
	names, err := f.Catalogue.Tags(c.r.Context(), c.key, name.Tag(q.Get("last")), n+1)
	if err != nil {
		return err
	}
	more := len(names) > n
	names = names[:min(n, len(names))]
	if more && n > 0 {
		c.linkNext(url.Values{"n": {strconv.Itoa(n)}, "last": {string(names[n-1])}})
	}
	body := append(make([]byte, 0, 64+len(names)*24), `{"name":"`...)
	body = append(append(body, c.key.Name...), `","tags":`...)
	return c.list(appendNames(body, names))
}

func (f *front) listRepositories(c *call) error {
	q := c.r.URL.Query()
	n, err := pageSize(q)
	if err != nil {
		return err
	}
	repositories, err := f.Catalogue.Repositories(c.r.Context(), c.key.Registry, name.RepositoryName(q.Get("last")), n+1)
	if err != nil {
		return err
	}
	if len(repositories) > n && n > 0 {
		c.linkNext(url.Values{"n": {strconv.Itoa(n)}, "last": {string(repositories[n-1].Key.Name)}})
	}
	var names []name.RepositoryName
	for _, r := range repositories[:min(n, len(repositories))] {
		if f.may(c, "ecr:DescribeRepositories", r.Key) {
			names = append(names, r.Key.Name)
		}
	}
	return c.list(appendNames([]byte(`{"repositories":`), names))
}

// appendNames writes a JSON array of names, whose grammars need no escaping,
// and closes the object.
func appendNames[S ~string](body []byte, names []S) []byte {
	body = append(body, '[')
	for i, s := range names {
		if i > 0 {
			body = append(body, ',')
		}
		body = append(append(append(body, '"'), s...), '"')
	}
	return append(body, "]}\n"...)
}

// linkNext points to the next page (RFC 5988, as the spec asks).
func (c *call) linkNext(q url.Values) {
	next := url.URL{Path: c.r.URL.Path, RawQuery: q.Encode()}
	c.w.Header()["Link"] = []string{"<" + next.String() + `>; rel="next"`}
}

func (c *call) list(body []byte) error {
	h := c.w.Header()
	h["Content-Type"] = jsonType
	h["Content-Length"] = []string{strconv.Itoa(len(body))}
	c.w.WriteHeader(http.StatusOK)
	c.w.Write(body)
	return nil
}

// referrer is a descriptor in the answer of the referrers API.
type referrer struct {
	MediaType    string          `json:"mediaType"`
	Digest       digest.Digest   `json:"digest"`
	Size         int64           `json:"size"`
	ArtifactType string          `json:"artifactType,omitempty"`
	Annotations  json.RawMessage `json:"annotations,omitempty"`
}

const indexType = "application/vnd.oci.image.index.v1+json"

func (f *front) listReferrers(c *call) error {
	subject, err := digest.Parse(c.lastPart())
	if err != nil {
		return err
	}
	q := c.r.URL.Query()
	types := slices.DeleteFunc(q["artifactType"], func(s string) bool { return s == "" })
	if len(types) > typesMax {
		return &fault.Error{Reason: fault.ParameterInvalid, Member: "artifactType", Constraint: "Member must have length less than or equal to " + strconv.Itoa(typesMax)}
	}
	after, _ := strconv.ParseInt(q.Get("last"), 10, 64)
	list, more, err := f.referrers(c, subject, types, registry.ImageID(after))
	if err != nil {
		return err
	}
	h := c.w.Header()
	if more != 0 {
		next := url.Values{"last": {strconv.FormatInt(int64(more), 10)}}
		if len(types) > 0 {
			next["artifactType"] = types
		}
		c.linkNext(next)
	}
	if len(types) > 0 {
		h["Oci-Filters-Applied"] = []string{"artifactType"}
	}
	body, err := json.Marshal(struct {
		SchemaVersion int        `json:"schemaVersion"`
		MediaType     string     `json:"mediaType"`
		Manifests     []referrer `json:"manifests"`
	}{2, indexType, list})
	if err != nil {
		return err
	}
	h["Content-Type"] = []string{indexType}
	h["Content-Length"] = []string{strconv.Itoa(len(body))}
	c.w.WriteHeader(http.StatusOK)
	c.w.Write(body)
	return nil
}

// referrers reads one page, and the image after which the next one begins if
// there are more.
func (f *front) referrers(c *call, subject digest.Digest, types []string, after registry.ImageID) (page []referrer, more registry.ImageID, err error) {
	page = []referrer{}
	size := 0
	for {
		images, err := f.Catalogue.Referrers(c.r.Context(), c.key, subject, types, after, referrersStep)
		if fault.Is(err, fault.RepositoryNotFound) { // spec: never 404 for want of referrers
			return page, 0, nil
		}
		if err != nil {
			return nil, 0, err
		}
		for _, i := range images {
			if len(page) == referrersMax || size > referrersSize {
				return page, after, nil
			}
			r := referrer{MediaType: i.MediaType, Digest: i.Digest, Size: i.ManifestSize, ArtifactType: i.EffectiveArtifactType()}
			if i.Annotations != "" {
				r.Annotations = json.RawMessage(i.Annotations)
			}
			page, size, after = append(page, r), size+len(i.Annotations), i.ID
		}
		if len(images) < referrersStep {
			return page, 0, nil
		}
	}
}
