package awsplan

import (
	"slices"
	"strconv"
	"strings"

	"github.com/lighterage/lighterage/internal/fault"
)

// Style is how a service words a constraint that an input failed to satisfy.
type Style struct {
	// Error is what the service calls the error: its shape's name or its code.
	Error string
	// Constraint words what was violated.
	Constraint func(Violation) string
	// Message makes the sentence from a fault of the reason ParameterInvalid,
	// the framework's or a handler's: its Member, Value and Constraint.
	Message func(*fault.Error) string
}

// Fault returns the fault that an input with the violation is answered with.
func (s Style) Fault(v Violation) *fault.Error {
	return &fault.Error{Reason: fault.ParameterInvalid, Member: v.Path, Value: v.Value, Constraint: s.Constraint(v)}
}

// Validation returns the style of most AWS services, in which an error of the
// name says: 1 validation error detected: Value 'X' at 'label' failed to satisfy
// constraint: Member must satisfy regular expression pattern: …
func Validation(name string) Style {
	return Style{
		Error:      name,
		Constraint: func(v Violation) string { return v.InEntry("Member " + v.Text("pattern: "+v.Pattern())) },
		Message:    validationMessage,
	}
}

func validationMessage(f *fault.Error) string {
	value := "Value '" + f.Value + "'"
	switch {
	case strings.HasSuffix(f.Constraint, mustNotBeNull):
		value = "Value null"
	case f.Value == Withheld:
		value = "Value" // as Cognito says of a password
	}
	return "1 validation error detected: " + value + " at '" + f.Member + "' failed to satisfy constraint: " + f.Constraint
}

// InEntry returns a text about the violation as it is said of its member: of a
// key, as a constraint on the map.
func (v Violation) InEntry(text string) string {
	if !v.InKey {
		return text
	}
	return "Map keys must satisfy constraint: [" + text + "]"
}

const mustNotBeNull = "must not be null"

// Text words the violation without its subject; pattern is how the service
// shows the pattern, if it is one.
func (v Violation) Text(pattern string) string {
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

// Pattern returns the model's pattern without the escapes of slashes, which the
// services' texts do not have.
func (v Violation) Pattern() string { return strings.ReplaceAll(v.Shape.Pattern, `\/`, `/`) }

// asSet orders an enum's values as AWS prints them: as a hash set of the JVM
// walks over its buckets. ECR's text about imageTagMutability, as the tests of
// mulgadc/spinifex have it, comes out so.
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
