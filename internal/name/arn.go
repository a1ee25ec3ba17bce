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

// The ARNs of what is in an account's directory. A path is "/" or "/…/".

// UserARN returns the ARN of a user.
func UserARN(account AccountID, path, user string) string {
	return directoryARN(account, "user"+path+user)
}

// GroupARN returns the ARN of a group.
func GroupARN(account AccountID, path, group string) string {
	return directoryARN(account, "group"+path+group)
}

// RoleARN returns the ARN of a role.
func RoleARN(account AccountID, path, role string) string {
	return directoryARN(account, "role"+path+role)
}

// SessionARN returns the ARN of whoever has taken on a role; the role's path is
// not in it.
func SessionARN(account AccountID, role, session string) string {
	return "arn:aws:sts::" + string(account) + ":assumed-role/" + role + "/" + session
}

// PolicyARN returns the ARN of a managed policy of an account.
func PolicyARN(account AccountID, path, policy string) string {
	return directoryARN(account, "policy"+path+policy)
}

// ProviderARN returns the ARN of an OIDC provider; host is the issuer's URL
// without its scheme.
func ProviderARN(account AccountID, host string) string {
	return directoryARN(account, "oidc-provider/"+host)
}

func directoryARN(account AccountID, rest string) string {
	return "arn:aws:iam::" + string(account) + ":" + rest
}

// ParseDirectoryARN takes an ARN of an account's directory apart: of the kind
// "policy", say, with its path and name. Where the account is "aws", it is one
// of AWS's own policies. ok is false for anything else, and whenever the parts
// do not make the same ARN again.
func ParseDirectoryARN(s string) (account AccountID, kind, path, entity string, ok bool) {
	rest, ok := strings.CutPrefix(s, "arn:aws:iam::")
	if !ok {
		return "", "", "", "", false
	}
	owner, rest, _ := strings.Cut(rest, ":")
	kind, rest, ok = strings.Cut(rest, "/")
	if owner != "aws" && !accountID.MatchString(owner) || !ok {
		return "", "", "", "", false
	}
	at := strings.LastIndexByte(rest, '/') + 1
	path, entity = "/"+rest[:at], rest[at:]
	if kind == "" || entity == "" || path == "//" {
		return "", "", "", "", false
	}
	return AccountID(owner), kind, path, entity, true
}

// ParseProviderARN takes the ARN of an OIDC provider apart. The host may end in
// a slash, as issuers' URLs do, so ParseDirectoryARN is not for it.
func ParseProviderARN(s string) (account AccountID, host string, ok bool) {
	rest, _ := strings.CutPrefix(s, "arn:aws:iam::")
	owner, rest, _ := strings.Cut(rest, ":")
	host, ok = strings.CutPrefix(rest, "oidc-provider/")
	if !ok || host == "" || !accountID.MatchString(owner) || ProviderARN(AccountID(owner), host) != s {
		return "", "", false
	}
	return AccountID(owner), host, true
}

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
