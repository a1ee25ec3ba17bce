package manifest

import (
	"strings"

	oci "github.com/opencontainers/image-spec/specs-go/v1"
)

// Docker's media types (distribution's image manifest specification, version
// 2, schemas 1 and 2).
const (
	dockerManifest = "application/vnd.docker.distribution.manifest.v2+json"
	dockerList     = "application/vnd.docker.distribution.manifest.list.v2+json"

	dockerSchema1       = "application/vnd.docker.distribution.manifest.v1+json"
	dockerSchema1Signed = "application/vnd.docker.distribution.manifest.v1+prettyjws"
)

// kinds are the accepted media types.
var kinds = map[string]Kind{
	dockerManifest:             Image,
	oci.MediaTypeImageManifest: Image,
	dockerList:                 Index,
	oci.MediaTypeImageIndex:    Index,
}

// foreign are the layer types whose bytes a registry need not have; each may
// be followed by a compression suffix.
var foreign = []string{
	"application/vnd.docker.image.rootfs.foreign.diff.tar",
	"application/vnd.oci.image.layer.nondistributable.v1.tar",
}

// isForeign reports whether a layer of the media type may be absent from the
// repository (image-spec layer.md, "non-distributable layers").
func isForeign(mediaType string) bool {
	for _, base := range foreign {
		rest, ok := strings.CutPrefix(mediaType, base)
		if ok && (rest == "" || rest[0] == '+' || rest[0] == '.') {
			return true
		}
	}
	return false
}

func isSchema1(mediaType string) bool {
	return mediaType == dockerSchema1 || mediaType == dockerSchema1Signed
}

// maxMediaType is the length of the longest registered name of RFC 6838
// paragraph 4.2: two names of 127 and a slash.
const maxMediaType = 255

// isMediaType keeps out what could not be stored, indexed or sent in a
// header. The grammar of RFC 6838 is not enforced: artifact types in use
// carry parameters.
func isMediaType(s string) bool {
	if len(s) > maxMediaType {
		return false
	}
	return strings.IndexFunc(s, func(r rune) bool { return r < ' ' || r > '~' }) < 0
}

// effectiveMediaType settles what the document is: the body's mediaType and
// the caller's must agree where both are given, and one must be.
func effectiveMediaType(body, caller string) (string, error) {
	caller, _, _ = strings.Cut(caller, ";") // a Content-Type may have parameters
	caller = strings.TrimSpace(caller)
	switch {
	case isSchema1(body) || isSchema1(caller):
		return "", schema1()
	case body == "" && caller == "":
		return "", invalidSyntax("the manifest has no mediaType, and none was given with it", nil)
	case body == "":
		return caller, nil
	case caller != "" && caller != body:
		return "", invalid("The given media type must be the mediaType of the manifest")
	}
	return body, nil
}

func schema1() error {
	return invalid("Docker image manifest version 2, schema 1 is not supported, push the image as schema 2 or OCI")
}
