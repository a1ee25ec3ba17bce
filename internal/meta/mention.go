package meta

import (
	"errors"
	"strings"

	"github.com/lighterage/lighterage/internal/name"
	"github.com/lighterage/lighterage/internal/policy"
)

// CheckMentions returns an *policy.Error, in IAM's words, if the document names
// an AWS principal that is not there: an account, a user or a role of any
// account, or a session of a role that is not. Providers and services are not
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
	if account, err := name.ParseAccountID(written); err == nil {
		return accountThere(tx, account)
	}
	if rest, ok := strings.CutPrefix(written, "arn:aws:sts::"); ok {
		return sessionThere(tx, rest)
	}
	if rest, ok := strings.CutSuffix(written, ":root"); ok {
		account := name.AccountID(strings.TrimPrefix(rest, "arn:aws:iam::"))
		if name.RootARN(account) != written {
			return ErrNotFound
		}
		return accountThere(tx, account)
	}
	account, kind, path, called, ok := name.ParseDirectoryARN(written)
	key := PrincipalKey{Account: account, Kind: map[string]PrincipalKind{"user": User, "role": Role}[kind], Name: called}
	if !ok || key.Kind == 0 {
		return ErrNotFound
	}
	p, err := tx.Principal(key, NoLock)
	if err == nil && (p.Path != path || p.Key.Name != called) { // decisions compare ARNs to the letter
		return ErrNotFound
	}
	return err
}

func accountThere(tx Tx, account name.AccountID) error {
	_, err := tx.Account(account, NoLock)
	return err
}

// sessionThere looks for the role of a session, which has no path there, or for
// the account of a federated user.
func sessionThere(tx Tx, rest string) error {
	owner, rest, _ := strings.Cut(rest, ":")
	account := name.AccountID(owner)
	session, ok := strings.CutPrefix(rest, "assumed-role/")
	if !ok {
		return accountThere(tx, account)
	}
	role, _, _ := strings.Cut(session, "/")
	p, err := tx.Principal(PrincipalKey{Account: account, Kind: Role, Name: role}, NoLock)
	if err == nil && p.Key.Name != role {
		return ErrNotFound
	}
	return err
}
