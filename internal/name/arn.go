package name

import (
	"strings"

	"github.com/lighterage/lighterage/internal/fault"
)

// RepositoryARN returns the ARN of an ECR repository.
func RepositoryARN(r RegistryID, repository RepositoryName) string {
	return "arn:aws:ecr:" + string(r.Region) + ":" + string(r.Account) + ":repository/" + string(repository)
}

// ServiceARN returns the ARN of a Lightsail container service; id is a UUID.
func ServiceARN(r RegistryID, id string) string {
	return "arn:aws:lightsail:" + string(r.Region) + ":" + string(r.Account) + ":ContainerService/" + id
}

// RootARN returns the ARN of an account's root principal.
func RootARN(account AccountID) string { return "arn:aws:iam::" + string(account) + ":root" }

// ParseRepositoryARN takes an ECR repository ARN apart.
func ParseRepositoryARN(s string) (RegistryID, RepositoryName, error) {
	bad := &fault.Error{Reason: fault.ParameterInvalid, Member: "resourceArn", Value: s, Constraint: "Invalid ARN"}
	p := strings.SplitN(s, ":", 6)
	if len(p) != 6 || p[0] != "arn" || !strings.HasPrefix(p[1], "aws") || p[2] != "ecr" || p[3] == "" {
		return RegistryID{}, "", bad
	}
	account, err := ParseAccountID(p[4])
	if err != nil {
		return RegistryID{}, "", bad
	}
	rest, ok := strings.CutPrefix(p[5], "repository/")
	if !ok {
		return RegistryID{}, "", bad
	}
	repository, err := ParseRepositoryName(rest)
	if err != nil {
		return RegistryID{}, "", bad
	}
	return RegistryID{Account: account, Region: Region(p[3])}, repository, nil
}
