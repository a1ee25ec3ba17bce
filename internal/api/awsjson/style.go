package awsjson

import (
	"slices"
	"strconv"
	"strings"

	"github.com/lighterage/lighterage/internal/fault"
)

// Style is how a service words a constraint that an input failed to satisfy.
type Style struct {
	// Error is the shape name of the error.
	Error string
	// Constraint words what was violated.
	Constraint func(Violation) string
	// Message makes the sentence from a fault of the reason ParameterInvalid,
	// the framework's or a handler's: its Member, Value and Constraint.
	Message func(*fault.Error) string
}

// InvalidParameter is ECR's style: Invalid parameter at 'repositoryName'
// failed to satisfy constraint: 'must not be null'.
var InvalidParameter = Style{
	Error:      "InvalidParameterException",
	Constraint: invalidParameterConstraint,
	Message: func(f *fault.Error) string {
		return "Invalid parameter at '" + f.Member + "' failed to satisfy constraint: '" + f.Constraint + "'"
	},
}

// ValidationError is the style of most AWS services, and Lightsail's here: 1
// validation error detected: Value 'X' at 'label' failed to satisfy
// constraint: Member must satisfy regular expression pattern: …
var ValidationError = Style{
	Error:      "InvalidInputException",
	Constraint: func(v Violation) string { return inMapKey(v, "Member "+constraint(v, "pattern: "+shownPattern(v))) },
	Message: func(f *fault.Error) string {
		value := "'" + f.Value + "'"
		if strings.HasSuffix(f.Constraint, mustNotBeNull) {
			value = "null"
		}
		return "1 validation error detected: Value " + value + " at '" + f.Member + "' failed to satisfy constraint: " + f.Constraint
	},
}

// bare are the members of which ECR says "must" and not "Member must".
var bare = []string{"repositoryName", "registryId", "imageTag"}

func invalidParameterConstraint(v Violation) string {
	pattern := "'" + shownPattern(v) + "'"
	if v.Path == "registryId" {
		pattern = shownPattern(v)
	}
	text := constraint(v, pattern)
	if slices.Contains(bare, v.Path) {
		return text
	}
	return inMapKey(v, "Member "+text)
}

func inMapKey(v Violation, text string) string {
	if !v.InKey {
		return text
	}
	return "Map keys must satisfy constraint: [" + text + "]"
}

const mustNotBeNull = "must not be null"

// constraint words a violation without its subject.
func constraint(v Violation, pattern string) string {
	limit := strconv.FormatInt(v.Limit, 10)
	switch v.Rule {
	case NotNull:
		return mustNotBeNull
	case MinLength:
		return "must have length greater than or equal to " + limit
	case MaxLength:
		return "must have length less than or equal to " + limit
	case MinValue:
		return "must have value greater than or equal to " + limit
	case MaxValue:
		return "must have value less than or equal to " + limit
	case EnumSet:
		return "must satisfy enum value set: [" + strings.Join(asSet(v.Shape.Enum), ", ") + "]"
	}
	return "must satisfy regular expression " + pattern
}

// shownPattern is the model's pattern without the escapes of slashes, which
// the services' texts do not have.
func shownPattern(v Violation) string { return strings.ReplaceAll(v.Shape.Pattern, `\/`, `/`) }

// asSet orders an enum's values as AWS prints them: as a hash set of the JVM
// walks over its buckets. With it the one text that was seen comes out as seen.
func asSet(values []string) []string {
	buckets := uint32(16)
	for float64(len(values)) > float64(buckets)*0.75 {
		buckets *= 2
	}
	bucket := func(s string) uint32 {
		var h uint32
		for _, c := range []byte(s) {
			h = 31*h + uint32(c)
		}
		return (h ^ h>>16) & (buckets - 1)
	}
	set := slices.Clone(values)
	slices.SortStableFunc(set, func(a, b string) int { return int(bucket(a)) - int(bucket(b)) })
	return set
}
