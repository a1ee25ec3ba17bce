package oci

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"

	"github.com/lighterage/lighterage/internal/access"
	"github.com/lighterage/lighterage/internal/digest"
	"github.com/lighterage/lighterage/internal/fault"
	"github.com/lighterage/lighterage/internal/name"
	"github.com/lighterage/lighterage/internal/registry"
)

// pageMax is the longest page: an answer without n has it, and a Link to the
// next one when there is more.
const pageMax = 10_000

// A page of referrers ends with its 1000th, or before the one whose annotations
// bring those of the page above annotationsMax, if it has one: annotations are
// as long as a manifest may be.
const (
	referrersMax   = 1_000
	annotationsMax = 4 << 20 // bytes
	// annotationsHeld is how often annotations are in memory while they are read.
	annotationsHeld = 2
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
	n, after, err := f.page(c, q)
	if err != nil {
		return err
	}
	names, err := f.Catalogue.Tags(c.r.Context(), c.key, name.Tag(after), n+1)
	if err != nil {
		return err
	}
	more := len(names) > n
	names = names[:min(n, len(names))]
	if more && n > 0 {
		f.linkPage(c, q, n, string(names[n-1]))
	}
	body := append(make([]byte, 0, 64+len(names)*24), `{"name":"`...)
	body = append(append(body, c.key.Name...), `","tags":`...)
	contentType := jsonType
	if f.Strict {
		contentType = plainText // deitch/docker_registry2#34
	}
	return c.list(contentType, appendNames(body, names))
}

var plainText = []string{"text/plain; charset=utf-8"}

func (f *front) listRepositories(c *call) error {
	q := c.r.URL.Query()
	n, after, err := f.page(c, q)
	if err != nil {
		return err
	}
	names, err := f.visible(c, name.RepositoryName(after), n+1)
	if err != nil {
		return err
	}
	if len(names) == 0 && after == "" { // nothing is there, or nothing for the caller
		if err := f.allow(c, "ecr:DescribeRepositories"); err != nil {
			return err
		}
	}
	more := len(names) > n
	names = names[:min(n, len(names))]
	if more && n > 0 {
		f.linkPage(c, q, n, string(names[n-1]))
	}
	return c.list(jsonType, appendNames([]byte(`{"repositories":`), names))
}

// repositoriesAtOnce is how many rows are read at a time.
const repositoriesAtOnce = 1_000

// visible lists repositories that the caller may see, at most limit. Pages are
// made of these alone: neither their size nor their ends tell of others. A list
// that would take too much to decide is an error, and never a shorter one.
func (f *front) visible(c *call, after name.RepositoryName, limit int) ([]name.RepositoryName, error) {
	var names []name.RepositoryName
	ctx := access.Together(c.r.Context())
	for {
		size := min(max(limit-len(names), 100), repositoriesAtOnce)
		page, err := f.Catalogue.Repositories(c.r.Context(), c.key.Registry, after, size)
		if err != nil {
			return nil, err
		}
		for _, r := range page {
			allowed, err := f.may(ctx, c, "ecr:DescribeRepositories", r.Key)
			if err != nil {
				return nil, err
			}
			if allowed {
				names = append(names, r.Key.Name)
			}
			if len(names) == limit {
				return names, nil
			}
		}
		if len(page) < size {
			return names, nil
		}
		after = page[len(page)-1].Key.Name
	}
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

func (c *call) list(contentType []string, body []byte) error {
	h := c.w.Header()
	h["Content-Type"] = contentType
	h["Content-Length"] = []string{strconv.Itoa(len(body))}
	c.w.WriteHeader(http.StatusOK)
	c.w.Write(body)
	return nil
}

// referrer is a descriptor in the answer of the referrers API, but for its
// annotations.
type referrer struct {
	MediaType    string        `json:"mediaType"`
	Digest       digest.Digest `json:"digest"`
	Size         int64         `json:"size"`
	ArtifactType string        `json:"artifactType,omitempty"`
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
	filter := registry.ReferrerFilter{ArtifactTypes: types, Status: registry.Active}
	page, more, err := f.Catalogue.Referrers(c.r.Context(), c.key, subject, filter, registry.ImageID(after), referrersMax, annotationsMax)
	if err != nil && (f.Strict || !fault.Is(err, fault.RepositoryNotFound)) { // spec: never 404 for want of referrers
		return err
	}
	release, err := f.Catalogue.HoldAnswer(c.r.Context(), annotationsHeld*registry.AnnotationsSize(page))
	if err != nil {
		return err
	}
	defer release()
	if err := f.Catalogue.ReadAnnotations(c.r.Context(), c.key, page); err != nil {
		return err
	}
	body, err := index(page)
	if err != nil {
		return err
	}
	h := c.w.Header()
	if more {
		next := url.Values{"last": {strconv.FormatInt(int64(page[len(page)-1].ID), 10)}}
		if len(types) > 0 {
			next["artifactType"] = types
		}
		c.linkNext(next)
	}
	if len(types) > 0 {
		h["Oci-Filters-Applied"] = []string{"artifactType"}
	}
	size := 0
	for _, piece := range body {
		size += len(piece)
	}
	h["Content-Type"] = []string{indexType}
	h["Content-Length"] = []string{strconv.Itoa(size)}
	c.w.WriteHeader(http.StatusOK)
	for _, piece := range body {
		io.WriteString(c.w, piece)
	}
	return nil
}

// index is the image index of the referrers, in pieces: annotations are JSON
// as they are stored, and not copied.
func index(page []registry.Referrer) ([]string, error) {
	body := []string{`{"schemaVersion":2,"mediaType":"` + indexType + `","manifests":[`}
	for i, r := range page {
		text, err := json.Marshal(referrer{r.MediaType, r.Digest, r.ManifestSize, r.EffectiveArtifactType()})
		if err != nil {
			return nil, err
		}
		open := string(text[:len(text)-1])
		if i > 0 {
			open = "," + open
		}
		if r.Annotations == "" {
			body = append(body, open+"}")
		} else {
			body = append(body, open+`,"annotations":`, r.Annotations, "}")
		}
	}
	return append(body, "]}"), nil
}
