package oci

import (
	"maps"
	"slices"
	"strings"

	"github.com/lighterage/lighterage/internal/fault"
)

// route is one line of the protocol: who may ask for it and who answers.
type route struct {
	method    string
	pattern   string // see kindOf
	action    string // IAM action; empty: a valid token is enough
	handle    func(*front, *call) error
	named     bool // the path names a repository
	lightsail bool // part of pushing to Lightsail's hidden registry
	download  bool // also answers to the token of a download URL
	filtered  bool // the handler asks about each thing that it shows, instead
}

// The shapes of paths under /v2/.
const (
	base      = "/"
	catalog   = "/_catalog"
	tags      = "/<name>/tags/list"
	manifests = "/<name>/manifests/<reference>"
	blobs     = "/<name>/blobs/<digest>"
	uploads   = "/<name>/blobs/uploads/"
	upload    = "/<name>/blobs/uploads/<id>"
	referrers = "/<name>/referrers/<digest>"
)

// routes is the whole front. Actions: what the ECR user guide names for
// pushing and pulling; ListImageReferrers' note in the ECR model; else that of
// the API operation that does the same.
var routes = []*route{
	{method: "GET", pattern: base, handle: (*front).ping, lightsail: true},
	{method: "HEAD", pattern: base, handle: (*front).ping, lightsail: true},
	{method: "GET", pattern: catalog, handle: (*front).listRepositories, action: "ecr:DescribeRepositories", filtered: true},
	{method: "GET", pattern: tags, handle: (*front).listTags, action: "ecr:ListImages", named: true},
	{method: "GET", pattern: manifests, handle: (*front).getManifest, action: "ecr:BatchGetImage", named: true},
	{method: "HEAD", pattern: manifests, handle: (*front).getManifest, action: "ecr:BatchGetImage", named: true, lightsail: true},
	{method: "PUT", pattern: manifests, handle: (*front).putManifest, action: "ecr:PutImage", named: true, lightsail: true},
	{method: "DELETE", pattern: manifests, handle: (*front).deleteManifest, action: "ecr:BatchDeleteImage", named: true},
	{method: "GET", pattern: blobs, handle: (*front).getBlob, action: "ecr:GetDownloadUrlForLayer", named: true, download: true},
	{method: "HEAD", pattern: blobs, handle: (*front).headBlob, action: "ecr:BatchCheckLayerAvailability", named: true, lightsail: true, download: true},
	{method: "DELETE", pattern: blobs, handle: (*front).deleteBlob, action: "ecr:BatchDeleteImage", named: true},
	{method: "POST", pattern: uploads, handle: (*front).startUpload, action: "ecr:InitiateLayerUpload", named: true, lightsail: true},
	{method: "PATCH", pattern: upload, handle: (*front).patchUpload, action: "ecr:UploadLayerPart", named: true, lightsail: true},
	{method: "PUT", pattern: upload, handle: (*front).putUpload, action: "ecr:CompleteLayerUpload", named: true, lightsail: true},
	{method: "GET", pattern: upload, handle: (*front).getUpload, action: "ecr:UploadLayerPart", named: true},
	{method: "DELETE", pattern: upload, handle: (*front).cancelUpload, action: "ecr:InitiateLayerUpload", named: true},
	{method: "GET", pattern: referrers, handle: (*front).listReferrers, action: "ecr:BatchGetImage", named: true},
}

// byPattern is routes by pattern and method.
var byPattern = func() map[string]map[string]*route {
	m := map[string]map[string]*route{}
	for _, r := range routes {
		if m[r.pattern] == nil {
			m[r.pattern] = map[string]*route{}
		}
		m[r.pattern][r.method] = r
	}
	return m
}()

// match finds the route of a request and the repository's name, unchecked. The
// last part of the path is left to handlers: see lastPart.
func match(method, path string) (*route, string, error) {
	pattern, repository := kindOf(path)
	r := byPattern[pattern][method]
	switch {
	case pattern == "":
		return nil, "", fault.New(fault.OperationUnknown)
	case r == nil:
		return nil, "", &fault.Error{Reason: fault.OperationNotOffered, Value: strings.Join(slices.Sorted(maps.Keys(byPattern[pattern])), ", ")}
	}
	return r, repository, nil
}

// kindOf tells a path's pattern by its last parts, since repository names may
// have any number of slashes and contain the same words.
func kindOf(path string) (pattern, repository string) {
	rest, ok := strings.CutPrefix(path, "/v2/")
	if !ok {
		if path == "/v2" {
			return base, ""
		}
		return "", ""
	}
	switch rest {
	case "":
		return base, ""
	case "_catalog":
		return catalog, ""
	}
	head, last := cutLast(rest)
	head2, word := cutLast(head)
	switch {
	case word == "manifests":
		return manifests, head2
	case word == "tags" && last == "list":
		return tags, head2
	case word == "referrers":
		return referrers, head2
	case word == "blobs" && last == "uploads":
		return uploads, head2
	case word == "blobs":
		return blobs, head2
	case word == "uploads":
		if name, word := cutLast(head2); word == "blobs" {
			if last == "" {
				return uploads, name
			}
			return upload, name
		}
	}
	return "", ""
}

func cutLast(s string) (head, last string) {
	i := strings.LastIndexByte(s, '/')
	if i < 0 {
		return "", s
	}
	return s[:i], s[i+1:]
}

// lastPart is the reference, digest or upload id at the end of the path.
func (c *call) lastPart() string {
	_, last := cutLast(c.r.URL.Path)
	return last
}
