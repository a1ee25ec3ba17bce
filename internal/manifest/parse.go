package manifest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/lighterage/lighterage/internal/digest"
	"github.com/lighterage/lighterage/internal/fault"
)

// Parse checks a manifest or index. mediaType is what came with it, a
// Content-Type or imageManifestMediaType; it is required if and only if the
// body has no mediaType of its own, as at ECR (boto/boto3#3295,
// aws/aws-cli#8620).
func Parse(body []byte, mediaType string) (*Manifest, error) {
	if err := checkText(body); err != nil {
		return nil, err
	}
	doc, err := readDocument(body)
	if err != nil {
		return nil, err
	}
	if doc.schema1() {
		return nil, schema1()
	}
	if doc.schemaVersion != 2 {
		return nil, invalid("schemaVersion must be 2")
	}
	m := &Manifest{ArtifactType: doc.artifactType, Annotations: doc.annotations}
	if m.MediaType, err = effectiveMediaType(doc.mediaType, mediaType); err != nil {
		return nil, err
	}
	kind, known := kinds[m.MediaType]
	if !known {
		return nil, invalidSyntax("the media type is none of an image manifest or index", nil)
	}
	m.Kind = kind
	if doc.subject != nil {
		m.Subject = doc.subject.Digest
	}
	if err := m.fill(doc); err != nil {
		return nil, err
	}
	if err := m.addSizes(); err != nil {
		return nil, err
	}
	return m, nil
}

// fill takes over what the kind allows and refuses what belongs to the other:
// the same bytes must not be an image to one reader and an index to another.
func (m *Manifest) fill(doc *document) error {
	if m.Kind == Index {
		return m.fillIndex(doc)
	}
	if doc.manifests != nil {
		return invalid("An image manifest must not have manifests")
	}
	if doc.config == nil {
		return invalid("An image manifest must have a config")
	}
	m.Config, m.Layers = *doc.config, doc.layers
	return nil
}

// fillIndex sorts the entries of an index. Entries of the accepted manifest
// types are children, which must be images of the repository. All others are
// taken for layers: BuildKit's registry cache is an index whose entries are
// layers and one application/vnd.buildkit.cacheconfig.v0, and what is no
// manifest to this registry can have been pushed to it in no other way than
// as a blob.
func (m *Manifest) fillIndex(doc *document) error {
	if doc.config != nil || doc.layers != nil {
		return invalid("An index must not have config or layers")
	}
	if !doc.seen["manifests"] {
		return invalid("An index must have manifests")
	}
	for i, entry := range doc.manifests {
		switch _, isManifest := kinds[entry.MediaType]; {
		case isSchema1(entry.MediaType):
			return schema1()
		case isManifest:
			m.Children = append(m.Children, entry)
		case entry.MediaType == "":
			return invalid(fmt.Sprintf("manifests[%d] must have a mediaType", i))
		default:
			m.Layers = append(m.Layers, entry)
		}
	}
	return nil
}

// checkText refuses what is too large, too deep or no JSON text before
// anything is built from it. JSON is UTF-8 (RFC 8259 paragraph 8.1), and other
// bytes could not be given back unchanged inside an AWS answer.
func checkText(body []byte) error {
	switch {
	case len(body) > MaxSize:
		return &fault.Error{Reason: fault.ManifestTooLarge, Member: "ImageManifest", Limit: MaxSize}
	case !utf8.Valid(body):
		return invalidSyntax("the manifest is not UTF-8", nil)
	case depth(body) > maxDepth:
		return invalidSyntax("the manifest is nested too deeply", nil)
	case !json.Valid(body):
		return invalidSyntax("the manifest is not one JSON value", nil)
	}
	return nil
}

// depth returns how deeply brackets nest outside strings. For text that is
// not JSON the number means nothing, but it is never less than what a decoder
// would descend before it found the error.
func depth(body []byte) int {
	deepest, level, inString := 0, 0, false
	for i := 0; i < len(body); i++ {
		switch c := body[i]; {
		case inString && c == '\\':
			i++
		case c == '"':
			inString = !inString
		case inString:
		case c == '{' || c == '[':
			level++
			deepest = max(deepest, level)
		case c == '}' || c == ']':
			level--
		}
	}
	return deepest
}

// document is a manifest as written, of either kind. A member that is null is
// as good as absent: Go programs write their nil slices so.
type document struct {
	schemaVersion int64
	mediaType     string
	artifactType  string
	config        *Descriptor
	layers        []Descriptor // not nil when present
	manifests     []Descriptor // not nil when present
	subject       *Descriptor
	annotations   map[string]string
	fsLayers      bool

	seen map[string]bool // members that were written, null or not
}

func (d *document) schema1() bool { return d.schemaVersion == 1 || d.fsLayers }

var documentMembers = []string{
	"schemaVersion", "mediaType", "artifactType", "config", "layers", "manifests", "subject", "annotations", "fsLayers",
}

func readDocument(body []byte) (*document, error) {
	r := reader{json.NewDecoder(bytes.NewReader(body))}
	doc := &document{}
	seen, err := r.object("the manifest", documentMembers, func(member string) error {
		return r.documentMember(doc, member)
	})
	if err != nil {
		return nil, err
	}
	if seen == nil {
		return nil, invalidSyntax("the manifest is not a JSON object", nil)
	}
	doc.seen = seen
	return doc, nil
}

func (r reader) documentMember(doc *document, member string) (err error) {
	switch member {
	case "schemaVersion":
		return r.value(member, &doc.schemaVersion)
	case "mediaType":
		return r.mediaType(member, &doc.mediaType)
	case "artifactType":
		return r.mediaType(member, &doc.artifactType)
	case "config":
		doc.config, err = r.descriptor(member)
	case "subject":
		doc.subject, err = r.descriptor(member)
	case "layers":
		doc.layers, err = r.descriptors(member, "Limit on number of layers per image exceeded")
	case "manifests":
		doc.manifests, err = r.descriptors(member, "Limit on number of images per index exceeded")
	case "annotations":
		// Referrers are listed with their annotations, and one value that is
		// no string would spoil the whole list for its readers.
		return r.value(member, &doc.annotations)
	case "fsLayers":
		doc.fsLayers = true
		return r.skip()
	}
	return err
}

// reader walks JSON text that is known to be valid, so an error of the decoder
// is a value of the wrong type.
type reader struct{ *json.Decoder }

// object calls fn for each of the known members, positioned at its value, and
// skips the others. A known member that comes twice, or in another letter
// case, is refused: readers differ in which of the two they believe. It
// returns the known members that were there; nil for null.
func (r reader) object(what string, known []string, fn func(member string) error) (map[string]bool, error) {
	token, err := r.Token()
	if err != nil {
		return nil, invalidSyntax(what+" cannot be read", err)
	}
	if token == nil {
		return nil, nil
	}
	if token != json.Delim('{') {
		return nil, invalidSyntax(what+" is not a JSON object", nil)
	}
	seen := make(map[string]bool, len(known))
	for r.More() {
		token, err := r.Token()
		if err != nil {
			return nil, invalidSyntax(what+" cannot be read", err)
		}
		written, _ := token.(string)
		member := knownMember(written, known)
		if member == "" {
			if err := r.skip(); err != nil {
				return nil, err
			}
			continue
		}
		if member != written {
			return nil, invalid(fmt.Sprintf("%s must spell %s in this letter case", what, member))
		}
		if seen[member] {
			return nil, invalid(fmt.Sprintf("%s must not have %s twice", what, member))
		}
		seen[member] = true
		if err := fn(member); err != nil {
			return nil, err
		}
	}
	if _, err := r.Token(); err != nil {
		return nil, invalidSyntax(what+" cannot be read", err)
	}
	return seen, nil
}

func knownMember(written string, known []string) string {
	for _, member := range known {
		if strings.EqualFold(written, member) {
			return member
		}
	}
	return ""
}

func (r reader) skip() error {
	var raw json.RawMessage
	return r.value("a member", &raw)
}

func (r reader) value(what string, into any) error {
	if err := r.Decode(into); err != nil {
		return invalidSyntax(what+" is of the wrong type", err)
	}
	return nil
}

func (r reader) mediaType(what string, into *string) error {
	if err := r.value(what, into); err != nil {
		return err
	}
	if !isMediaType(*into) {
		return invalid(what + " must be a media type")
	}
	return nil
}

// descriptors reads an array of at most maxDescriptors; nil for null.
func (r reader) descriptors(what, limit string) ([]Descriptor, error) {
	token, err := r.Token()
	if err != nil {
		return nil, invalidSyntax(what+" cannot be read", err)
	}
	if token == nil {
		return nil, nil
	}
	if token != json.Delim('[') {
		return nil, invalidSyntax(what+" is not a JSON array", nil)
	}
	list := []Descriptor{}
	for r.More() {
		if len(list) == maxDescriptors {
			return nil, invalid(limit)
		}
		at := what + "[" + strconv.Itoa(len(list)) + "]"
		d, err := r.descriptor(at)
		if err != nil {
			return nil, err
		}
		if d == nil {
			return nil, invalidSyntax(at+" is not a JSON object", nil)
		}
		list = append(list, *d)
	}
	if _, err := r.Token(); err != nil {
		return nil, invalidSyntax(what+" cannot be read", err)
	}
	return list, nil
}

var descriptorMembers = []string{"mediaType", "digest", "size"}

// descriptor reads one (image-spec descriptor.md); nil for null. mediaType and
// size may be absent, since Docker's own library leaves out empty ones.
func (r reader) descriptor(what string) (*Descriptor, error) {
	var d Descriptor
	var written string
	seen, err := r.object(what, descriptorMembers, func(member string) error {
		switch member {
		case "mediaType":
			return r.mediaType(what+".mediaType", &d.MediaType)
		case "size":
			return r.value(what+".size", &d.Size)
		}
		return r.value(what+".digest", &written)
	})
	if err != nil || seen == nil {
		return nil, err
	}
	if d.Size < 0 {
		return nil, invalid(what + ".size must not be negative")
	}
	if d.Digest, err = digest.Parse(written); err != nil {
		return nil, &fault.Error{Reason: fault.ManifestInvalid, Member: "ImageManifest", Constraint: what + ".digest must be a sha256 or sha512 digest", Err: err}
	}
	return &d, nil
}
