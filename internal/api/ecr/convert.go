package ecr

import (
	"context"
	"regexp"

	"github.com/lighterage/lighterage/internal/api/awsjson"
	"github.com/lighterage/lighterage/internal/api/awsmodel/ecrmodel"
	"github.com/lighterage/lighterage/internal/digest"
	"github.com/lighterage/lighterage/internal/edge"
	"github.com/lighterage/lighterage/internal/fault"
	"github.com/lighterage/lighterage/internal/name"
	"github.com/lighterage/lighterage/internal/registry"
)

// keyOf names a repository of the registry that the call means.
func keyOf(c *awsjson.Call, repository string) (registry.RepositoryKey, error) {
	n, err := name.ParseRepositoryName(repository)
	return registry.RepositoryKey{Registry: c.Registry, Space: registry.ECR, Name: n}, err
}

// value returns what a member points to, or the zero value of an absent one.
func value[T any](p *T) T {
	if p == nil {
		var zero T
		return zero
	}
	return *p
}

// present is a string member that is left out when it is empty.
func present(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

func accountOf(key registry.RepositoryKey) *string { return new(string(key.Registry.Account)) }
func nameOf(key registry.RepositoryKey) *string    { return new(string(key.Name)) }

// repositoryOut is a repository as the client sees it; its address is one that
// works for this client.
func (f *front) repositoryOut(ctx context.Context, r registry.Repository) *ecrmodel.Repository {
	host := f.Addresses.RegistryHost(edge.From(ctx), r.Key.Registry)
	return &ecrmodel.Repository{
		RepositoryArn:                      new(name.RepositoryARN(r.Key.Registry, r.Key.Name)),
		RegistryId:                         accountOf(r.Key),
		RepositoryName:                     nameOf(r.Key),
		RepositoryUri:                      new(host + "/" + string(r.Key.Name)),
		CreatedAt:                          &r.CreatedAt,
		ImageTagMutability:                 new(ecrmodel.ImageTagMutability(r.Mutability)),
		ImageTagMutabilityExclusionFilters: filtersOut(r.MutabilityFilters),
		ImageScanningConfiguration:         &ecrmodel.ImageScanningConfiguration{ScanOnPush: &r.ScanOnPush},
		EncryptionConfiguration: &ecrmodel.EncryptionConfiguration{
			EncryptionType: new(ecrmodel.EncryptionType(r.EncryptionType)),
			KmsKey:         present(r.KMSKey),
		},
	}
}

func filtersIn(filters []ecrmodel.ImageTagMutabilityExclusionFilter) []string {
	var out []string
	for _, f := range filters {
		out = append(out, *f.Filter) // WILDCARD is the only type of the model
	}
	return out
}

func filtersOut(filters []string) []ecrmodel.ImageTagMutabilityExclusionFilter {
	var out []ecrmodel.ImageTagMutabilityExclusionFilter
	for _, f := range filters {
		out = append(out, ecrmodel.ImageTagMutabilityExclusionFilter{
			FilterType: new(ecrmodel.ImageTagMutabilityExclusionFilterTypeWildcard), Filter: &f,
		})
	}
	return out
}

func tagsIn(tags []ecrmodel.Tag) []registry.ResourceTag {
	var out []registry.ResourceTag
	for _, t := range tags {
		out = append(out, registry.ResourceTag{Key: *t.Key, Value: *t.Value})
	}
	return out
}

func idsIn(ids []ecrmodel.ImageIdentifier) []registry.Asked {
	var out []registry.Asked
	for _, id := range ids {
		out = append(out, registry.Asked{Tag: value(id.ImageTag), Digest: value(id.ImageDigest)})
	}
	return out
}

func idOut(tag, digest string) *ecrmodel.ImageIdentifier {
	return &ecrmodel.ImageIdentifier{ImageTag: present(tag), ImageDigest: present(digest)}
}

// tagStatuses are the registry's words for the model's.
var tagStatuses = map[ecrmodel.TagStatus]registry.TagStatus{
	"":                         registry.AnyTagStatus,
	ecrmodel.TagStatusAny:      registry.AnyTagStatus,
	ecrmodel.TagStatusTagged:   registry.Tagged,
	ecrmodel.TagStatusUntagged: registry.Untagged,
}

// imageStatuses and artifactStatuses are the registry's words for the model's;
// without a word there are those of active images. No image is activating:
// coming back takes no time.
var (
	imageStatuses = map[ecrmodel.ImageStatusFilter]registry.ImageStatus{
		"":                                 registry.Active,
		ecrmodel.ImageStatusFilterActive:   registry.Active,
		ecrmodel.ImageStatusFilterArchived: registry.Archived,
		ecrmodel.ImageStatusFilterAny:      registry.AnyImageStatus,
	}
	artifactStatuses = map[ecrmodel.ArtifactStatusFilter]registry.ImageStatus{
		"":                                    registry.Active,
		ecrmodel.ArtifactStatusFilterActive:   registry.Active,
		ecrmodel.ArtifactStatusFilterArchived: registry.Archived,
		ecrmodel.ArtifactStatusFilterAny:      registry.AnyImageStatus,
	}
)

// filterIn is a filter of images, and whether any can pass it.
func filterIn(tags ecrmodel.TagStatus, status ecrmodel.ImageStatusFilter) (f registry.ImageFilter, any bool) {
	f.Tags = tagStatuses[tags]
	f.Status, any = imageStatuses[status]
	return f, any
}

func statusOut(i registry.Image) *ecrmodel.ImageStatus {
	if i.Archived {
		return new(ecrmodel.ImageStatusArchived)
	}
	return new(ecrmodel.ImageStatusActive)
}

// digestPattern is the model's pattern of digests (LayerDigest), which ECR's
// texts name for image digests too.
const digestPattern = `[a-zA-Z0-9-_+.]+:[a-fA-F0-9]+`

var looksLikeDigest = regexp.MustCompile(`^` + digestPattern + `$`).MatchString

// digestIn reads a digest that stands alone in its member.
func digestIn(member, s string) (digest.Digest, error) {
	d, err := digest.Parse(s)
	if err == nil {
		return d, nil
	}
	constraint := "must satisfy regular expression '" + digestPattern + "'"
	if looksLikeDigest(s) {
		constraint = "must be a sha256 or sha512 digest"
	}
	return "", &fault.Error{Reason: fault.ParameterInvalid, Member: member, Value: s, Constraint: constraint, Err: err}
}

// distinct returns each value once, in the order of first mention.
func distinct[T comparable](all []T) []T {
	seen := make(map[T]bool, len(all))
	var out []T
	for _, v := range all {
		if !seen[v] {
			seen[v] = true
			out = append(out, v)
		}
	}
	return out
}
