package awsjson

import (
	"slices"

	"github.com/lighterage/lighterage/internal/api/awsplan"
	"github.com/lighterage/lighterage/internal/fault"
)

// Style is how a service words a constraint that an input failed to satisfy.
type Style = awsplan.Style

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
var ValidationError = awsplan.Validation("InvalidInputException")

// bare are the members of which ECR says "must" and not "Member must".
var bare = []string{"repositoryName", "registryId", "imageTag"}

func invalidParameterConstraint(v awsplan.Violation) string {
	pattern := "'" + v.Pattern() + "'"
	if v.Path == "registryId" {
		pattern = v.Pattern()
	}
	text := v.Text(pattern)
	if slices.Contains(bare, v.Path) {
		return text
	}
	return v.InEntry("Member " + text)
}
