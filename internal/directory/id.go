package directory

import (
	"crypto/rand"
	"encoding/base64"
	"math/big"
	"regexp"

	"github.com/lighterage/lighterage/internal/fault"
	"github.com/lighterage/lighterage/internal/identity"
	"github.com/lighterage/lighterage/internal/name"
)

// The prefixes of unique ids (IAM User Guide, unique identifiers).
const (
	userPrefix   = "AIDA"
	groupPrefix  = "AGPA"
	rolePrefix   = "AROA"
	policyPrefix = "ANPA"
	keyPrefix    = "AKIA"
)

// uniqueID draws an id of 85 random bits: the prefix and 17 characters of
// base 32, as IAM's are.
func uniqueID(prefix string) string { return prefix + rand.Text()[:17] }

// newKeyID draws an access key's id, of 20 characters.
func newKeyID() string { return keyPrefix + rand.Text()[:16] }

// newSecret draws a secret access key, of 40 characters and 240 random bits.
func newSecret() identity.Secret {
	raw := make([]byte, 30)
	_, _ = rand.Read(raw) // never fails: it ends the process instead
	return identity.NewSecret(base64.StdEncoding.EncodeToString(raw))
}

// newAccountID draws twelve digits, of which the first is not zero: tools that
// take them for a number keep them.
func newAccountID() name.AccountID {
	const least = 100_000_000_000
	n, err := rand.Int(rand.Reader, big.NewInt(9*least))
	if err != nil { // never: the reader ends the process instead
		panic(err)
	}
	return name.AccountID(n.Add(n, big.NewInt(least)).String())
}

// The rules of names and paths (IAM User Guide, IAM identifiers).
const (
	maxUserName   = 64
	maxGroupName  = 128
	maxRoleName   = 64
	maxPolicyName = 128
	maxPath       = 512
)

var (
	entityName = regexp.MustCompile(`^[A-Za-z0-9_+=,.@-]+$`)
	entityPath = regexp.MustCompile(`^/([!-~]+/)?$`)
)

// checkName checks the name of an entity, which an input has in member.
// ParameterInvalid.
func checkName(member, s string, most int) error {
	if s == "" || len(s) > most || !entityName.MatchString(s) {
		return &fault.Error{Reason: fault.ParameterInvalid, Member: member, Value: s,
			Detail: "The specified value for " + member + " is invalid. It must contain only alphanumeric characters and/or the following: +=,.@_-"}
	}
	return nil
}

// checkNamed checks the name of an entity and its path. ParameterInvalid.
func checkNamed(member, s string, most int, path string) error {
	if err := checkName(member, s, most); err != nil {
		return err
	}
	return checkPath(path)
}

// checkPath checks a path. ParameterInvalid.
func checkPath(s string) error {
	if len(s) > maxPath || !entityPath.MatchString(s) {
		return &fault.Error{Reason: fault.ParameterInvalid, Member: "path", Value: s,
			Detail: "The specified value for path is invalid. It must begin and end with / and contain only alphanumeric characters and/or / characters."}
	}
	return nil
}
