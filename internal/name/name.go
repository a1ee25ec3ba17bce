// Package name holds the checked value types of the registry's world. A value
// of these types is right by construction when it came from a Parse function;
// floors above never check a name again.
//
// Lengths are in bytes. Every pattern is matched against the whole string.
package name

import (
	"regexp"
	"strings"

	"github.com/distribution/reference"

	"github.com/lighterage/lighterage/internal/fault"
)

// AccountID is twelve decimal digits.
type AccountID string

var accountID = regexp.MustCompile(`^[0-9]{12}$`)

// ParseAccountID checks s.
func ParseAccountID(s string) (AccountID, error) {
	if !accountID.MatchString(s) {
		return "", &fault.Error{Reason: fault.ParameterInvalid, Member: "registryId", Value: s, Constraint: "must satisfy regular expression [0-9]{12}"}
	}
	return AccountID(s), nil
}

// Region is the name of an AWS region, such as eu-west-1.
type Region string

// RegistryID names a registry: one account in one region.
type RegistryID struct {
	Account AccountID
	Region  Region
}

// RepositoryName is a repository's name within its registry: 2 to 256 bytes.
type RepositoryName string

// RepositoryPattern is the grammar of repository names (ECR model,
// RepositoryName); OCI's is the same but for its length.
const RepositoryPattern = `[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*(/[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*)*`

var repositoryName = regexp.MustCompile(`^` + RepositoryPattern + `$`)

// ParseRepositoryName checks s.
func ParseRepositoryName(s string) (RepositoryName, error) {
	constraint := ""
	switch {
	case len(s) < 2:
		constraint = "must have length greater than or equal to 2"
	case len(s) > 256:
		constraint = "must have length less than or equal to 256"
	case !repositoryName.MatchString(s):
		constraint = "must satisfy regular expression '" + RepositoryPattern + "'"
	default:
		return RepositoryName(s), nil
	}
	return "", &fault.Error{Reason: fault.NameInvalid, Repository: s, Member: "repositoryName", Value: s, Constraint: constraint}
}

// Tag is an image tag: 1 to 128 bytes in OCI's grammar, on every door.
type Tag string

var tag = regexp.MustCompile(`^(?:` + reference.TagRegexp.String() + `)$`)

// ParseTag checks s against the OCI distribution grammar.
func ParseTag(s string) (Tag, error) {
	if !tag.MatchString(s) {
		return "", &fault.Error{Reason: fault.TagInvalid, Tag: s, Member: "imageTag", Value: s, Constraint: "must satisfy regular expression '[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}'"}
	}
	return Tag(s), nil
}

// UploadID is the public id of a layer upload: a lower-case UUID.
type UploadID string

var uploadID = regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$`)

// ParseUploadID checks s; upper-case hex digits are folded.
func ParseUploadID(s string) (UploadID, error) {
	s = strings.ToLower(s)
	if !uploadID.MatchString(s) {
		return "", &fault.Error{Reason: fault.UploadNotFound, Upload: s}
	}
	return UploadID(s), nil
}

// ServiceName is the name of a Lightsail container service: 1 to 63 bytes.
type ServiceName string

// Label is the label of a registered image: 1 to 53 bytes.
type Label string

// ServicePattern is the grammar of service names and labels (Lightsail model,
// ContainerServiceName), matched whole.
const ServicePattern = `^[a-z0-9]{1,2}|[a-z0-9][a-z0-9-]+[a-z0-9]$`

var serviceName = regexp.MustCompile(`^(?:[a-z0-9]{1,2}|[a-z0-9][a-z0-9-]+[a-z0-9])$`)

// ParseServiceName checks s.
func ParseServiceName(s string) (ServiceName, error) {
	if len(s) > 63 || !serviceName.MatchString(s) {
		return "", &fault.Error{Reason: fault.ParameterInvalid, Member: "serviceName", Value: s, Constraint: "Member must satisfy regular expression pattern: " + ServicePattern}
	}
	return ServiceName(s), nil
}

// ParseLabel checks s.
func ParseLabel(s string) (Label, error) {
	if len(s) > 53 || !serviceName.MatchString(s) {
		return "", &fault.Error{Reason: fault.ParameterInvalid, Member: "label", Value: s, Constraint: "Member must satisfy regular expression pattern: " + ServicePattern}
	}
	return Label(s), nil
}
