package meta

import (
	"errors"
	"strings"

	"github.com/lighterage/lighterage/internal/name"
	"github.com/lighterage/lighterage/internal/policy"
)

// CheckMentions returns an *policy.Error, in IAM's words, if the document names
// a user or a role that is not there, or a session of a role that is not, of an
// account that this store knows. Other accounts may be anybody's: what they have
// is not known here, and nobody calls as theirs. Providers and services are not
// looked for, as IAM does not. What is there may be gone later, and the document
// then names nobody by it.
func CheckMentions(tx Tx, d *policy.Document) error {
	for _, written := range d.Principals() {
		err := mentioned(tx, written)
		if errors.Is(err, ErrNotFound) {
			return policy.InvalidPrincipal(written)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// mentioned looks for what a policy names. ErrNotFound.
func mentioned(tx Tx, written string) error {
	if _, err := name.ParseAccountID(written); err == nil {
		return nil
	}
	if rest, ok := strings.CutPrefix(written, "arn:aws:sts::"); ok {
		return sessionThere(tx, rest)
	}
	if rest, ok := strings.CutSuffix(written, ":root"); ok {
		account := name.AccountID(strings.TrimPrefix(rest, "arn:aws:iam::"))
		if name.RootARN(account) != written {
			return ErrNotFound
		}
		return nil
	}
	account, kind, path, called, ok := name.ParseDirectoryARN(written)
	key := PrincipalKey{Account: account, Kind: map[string]PrincipalKind{"user": User, "role": Role}[kind], Name: called}
	if !ok || key.Kind == 0 {
		return ErrNotFound
	}
	// Decisions compare ARNs to the letter.
	return principalThere(tx, key, func(p Principal) bool { return p.Path == path && p.Key.Name == called })
}

// sessionThere looks for the role of a session, which has no path there. Of a
// federated user nothing is kept.
func sessionThere(tx Tx, rest string) error {
	account, rest, _ := strings.Cut(rest, ":")
	session, ok := strings.CutPrefix(rest, "assumed-role/")
	if !ok {
		return nil
	}
	role, _, _ := strings.Cut(session, "/")
	key := PrincipalKey{Account: name.AccountID(account), Kind: Role, Name: role}
	return principalThere(tx, key, func(p Principal) bool { return p.Key.Name == role })
}

// principalThere returns ErrNotFound if the account is known, and has no such
// principal.
func principalThere(tx Tx, key PrincipalKey, meant func(Principal) bool) error {
	if _, err := tx.Account(key.Account, NoLock); err != nil {
		if errors.Is(err, ErrNotFound) {
			return nil
		}
		return err
	}
	p, err := tx.Principal(key, NoLock)
	if err == nil && !meant(p) {
		return ErrNotFound
	}
	return err
}
