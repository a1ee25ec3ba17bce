package registry

import (
	"strings"

	"github.com/lighterage/lighterage/internal/fault"
	"github.com/lighterage/lighterage/internal/name"
)

// The modes of imageTagMutability (ECR model).
const (
	Mutable                = "MUTABLE"
	Immutable              = "IMMUTABLE"
	MutableWithExclusion   = "MUTABLE_WITH_EXCLUSION"
	ImmutableWithExclusion = "IMMUTABLE_WITH_EXCLUSION"
)

// mayMove reports whether a tag that exists may be pointed to another image:
// the filters turn a mode around for the tags they match (ECR user guide,
// image tag mutability).
func mayMove(s RepositorySettings, tag name.Tag) bool {
	excluded := false
	for _, f := range s.MutabilityFilters {
		excluded = excluded || matchWildcard(f, string(tag))
	}
	switch s.Mutability {
	case Immutable:
		return false
	case ImmutableWithExclusion:
		return excluded
	case MutableWithExclusion:
		return !excluded
	}
	return true
}

// checkMutability checks a mode with its filters.
func checkMutability(mode string, filters []string) error {
	const member = "imageTagMutabilityExclusionFilters"
	withExclusion := mode == MutableWithExclusion || mode == ImmutableWithExclusion
	constraint := ""
	switch {
	case withExclusion && len(filters) == 0:
		constraint = "ImageTagMutabilityExclusionFilters can't be null when imageTagMutability is set as " + mode
	case !withExclusion && len(filters) > 0:
		constraint = "ImageTagMutabilityExclusionFilters can't be set when imageTagMutability is set as " + mode
	}
	for _, f := range filters {
		if strings.Count(f, "*") > 2 {
			constraint = "ImageTagMutabilityExclusionFilter '" + f + "' can contain at most 2 wildcards (*)"
		}
	}
	if constraint != "" {
		return &fault.Error{Reason: fault.ParameterInvalid, Member: member, Constraint: constraint}
	}
	return nil
}

// matchWildcard matches the whole of s; * stands for any run of characters.
func matchWildcard(pattern, s string) bool {
	head, rest, ok := strings.Cut(pattern, "*")
	if !ok {
		return pattern == s
	}
	s, found := strings.CutPrefix(s, head)
	if !found {
		return false
	}
	for {
		if rest == "" {
			return true
		}
		part, after, more := strings.Cut(rest, "*")
		if !more {
			return strings.HasSuffix(s, part)
		}
		i := strings.Index(s, part)
		if i < 0 {
			return false
		}
		s, rest = s[i+len(part):], after
	}
}
