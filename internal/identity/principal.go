package identity

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/lighterage/lighterage/internal/fault"
	"github.com/lighterage/lighterage/internal/meta"
	"github.com/lighterage/lighterage/internal/name"
)

// credential is a long-term access key that works, and whom it speaks for.
type credential struct {
	secret      Secret
	fingerprint string    // of the secret, and of whose it is
	caller      Caller    // without region and scope
	revoked     time.Time // what the account's principals were issued until then has ended
	stored      bool
}

func (a *Authority) credential(secret Secret, caller Caller, stored bool) *credential {
	mac := hmac.New(sha256.New, a.signing.fingerprint)
	mac.Write([]byte(caller.KeyID + "\x00" + string(caller.Account) + "\x00" + secret.Reveal()))
	return &credential{secret: secret, fingerprint: encode(mac.Sum(nil)[:16]), caller: caller, stored: stored}
}

func rootCaller(account name.AccountID, keyID string) Caller {
	return Caller{Account: account, ARN: name.RootARN(account), UserID: string(account), KeyID: keyID, Kind: Root}
}

func userCaller(p meta.Principal, keyID string) Caller {
	return Caller{
		Account: p.Key.Account, ARN: name.UserARN(p.Key.Account, p.Path, p.Key.Name), UserID: p.UniqueID, KeyID: keyID,
		Kind: User, Principal: p.ID, Name: p.Key.Name,
	}
}

// roleCaller returns who has taken on the role. It completes the session.
func roleCaller(p meta.Principal, keyID string, s *Session) Caller {
	s.RoleARN = name.RoleARN(p.Key.Account, p.Path, p.Key.Name)
	return Caller{
		Account: p.Key.Account, ARN: name.SessionARN(p.Key.Account, p.Key.Name, s.Name), UserID: p.UniqueID + ":" + s.Name, KeyID: keyID,
		Kind: RoleSession, Principal: p.ID, Name: p.Key.Name, Session: s,
	}
}

// errGone is why a credential does not work: its key, its principal or its
// session is not there any more, or never was.
var errGone = errors.New("identity: no such principal")

// sealedFor is what binds a stored secret to the key that it is of.
func sealedFor(keyID string) []byte { return []byte(keyID) }

// current returns the key's credential as the store has it at the version, or
// later. errGone.
func (a *Authority) current(ctx context.Context, id string, version int64) (*credential, error) {
	if !keyID.MatchString(id) {
		return nil, errGone
	}
	if c, ok := a.stored.get(id, version); ok {
		return c, nil
	}
	var c *credential
	err := a.config.Store.View(ctx, func(tx meta.Tx) (err error) {
		c, err = a.load(tx, id)
		return err
	})
	if err != nil {
		return nil, err
	}
	a.stored.put(id, version, c)
	return c, nil
}

// load reads a key that works. errGone.
func (a *Authority) load(tx meta.Tx, id string) (*credential, error) {
	if given, ok := a.given[id]; ok {
		c := *given
		account, err := tx.Account(c.caller.Account, meta.NoLock)
		if errors.Is(err, meta.ErrNotFound) { // it has no directory, and nothing was revoked
			return &c, nil
		}
		c.revoked = account.RevokedAt
		return &c, err
	}
	row, err := tx.AccessKey(id)
	if errors.Is(err, meta.ErrNotFound) || err == nil && !row.Active {
		return nil, errGone
	}
	if err != nil {
		return nil, err
	}
	account, err := tx.Account(row.Account, meta.NoLock)
	if err != nil {
		return nil, absent(err)
	}
	caller := rootCaller(row.Account, id)
	if row.User != 0 {
		user, err := tx.PrincipalOf(row.User)
		if err != nil {
			return nil, absent(err)
		}
		caller = userCaller(user, id)
	}
	secret, err := a.config.Seal.Open(row.Sealed, sealedFor(id))
	if err != nil {
		return nil, fmt.Errorf("open the secret of access key %s: %w", id, err)
	}
	c := a.credential(NewSecret(string(secret)), caller, true)
	c.revoked = account.RevokedAt
	return c, nil
}

// absent is errGone for what is not there.
func absent(err error) error {
	if errors.Is(err, meta.ErrNotFound) {
		return errGone
	}
	return err
}

// ended reports whether what was issued then has been revoked since. What was
// issued in the very moment was: which came first is not known.
func ended(issued, revoked time.Time) bool { return !issued.After(revoked) }

// CallerOf returns the principal that an ARN names, a root, user, role or role
// session, as if it had called: to ask what it may do. EntityNotFound,
// InputRefused for what is no principal's ARN.
func (a *Authority) CallerOf(ctx context.Context, arn string) (Caller, error) {
	account, kind, role, session, err := parsePrincipal(arn)
	if err != nil {
		return Caller{}, err
	}
	var c Caller
	err = a.config.Store.View(ctx, func(tx meta.Tx) error {
		if kind == Root {
			c = rootCaller(account, "")
			_, err := tx.Account(account, meta.NoLock)
			if a.gives(account) && errors.Is(err, meta.ErrNotFound) {
				return nil
			}
			return absent(err)
		}
		key := meta.PrincipalKey{Account: account, Kind: meta.User, Name: role}
		if kind == RoleSession {
			key.Kind = meta.Role
		}
		p, err := tx.Principal(key, meta.NoLock)
		if err != nil {
			return absent(err)
		}
		if kind == User {
			c = userCaller(p, "")
		} else {
			c = roleCaller(p, "", &Session{Name: session})
		}
		if session == "" && kind == RoleSession {
			c.ARN, c.UserID = c.Session.RoleARN, p.UniqueID
		}
		if c.ARN != arn { // another path, or another case
			return errGone
		}
		return nil
	})
	if errors.Is(err, errGone) {
		entity := map[Kind]string{Root: "account", User: "user", RoleSession: "role"}[kind]
		return Caller{}, &fault.Error{Reason: fault.EntityNotFound, Entity: entity, Name: arn}
	}
	if err != nil {
		return Caller{}, meta.Fault(err)
	}
	return c, nil
}

// gives reports whether the configuration has a key of the account's root.
func (a *Authority) gives(account name.AccountID) bool {
	for _, c := range a.given {
		if c.caller.Account == account {
			return true
		}
	}
	return false
}

// parsePrincipal takes a principal's ARN apart. A role without a session is a
// RoleSession without a name.
func parsePrincipal(arn string) (account name.AccountID, kind Kind, principal, session string, err error) {
	bad := &fault.Error{Reason: fault.InputRefused, Detail: "Invalid ARN: it names no user, role, role session or account root."}
	if rest, ok := strings.CutPrefix(arn, "arn:aws:sts::"); ok {
		owner, rest, _ := strings.Cut(rest, ":")
		parts := strings.Split(rest, "/")
		account, err := name.ParseAccountID(owner)
		if err != nil || len(parts) != 3 || parts[0] != "assumed-role" || parts[1] == "" || parts[2] == "" {
			return "", NoKind, "", "", bad
		}
		return account, RoleSession, parts[1], parts[2], nil
	}
	if owner, ok := strings.CutSuffix(arn, ":root"); ok {
		account, err := name.ParseAccountID(strings.TrimPrefix(owner, "arn:aws:iam::"))
		if err != nil || arn != name.RootARN(account) {
			return "", NoKind, "", "", bad
		}
		return account, Root, "", "", nil
	}
	account, entity, _, principal, ok := name.ParseDirectoryARN(arn)
	kind = map[string]Kind{"user": User, "role": RoleSession}[entity]
	if !ok || kind == NoKind {
		return "", NoKind, "", "", bad
	}
	return account, kind, principal, "", nil
}

// KeyAccount returns the account that a key id is of, whether or not the key
// works, or of a session whether or not it ever was. EntityNotFound.
func (a *Authority) KeyAccount(ctx context.Context, id string) (name.AccountID, error) {
	if account, ok := sessionAccount(id); ok {
		return account, nil
	}
	if given, ok := a.given[id]; ok {
		return given.caller.Account, nil
	}
	var account name.AccountID
	err := a.config.Store.View(ctx, func(tx meta.Tx) error {
		row, err := tx.AccessKey(id)
		account = row.Account
		return err
	})
	if errors.Is(err, meta.ErrNotFound) {
		return "", &fault.Error{Reason: fault.EntityNotFound, Entity: "access key", Name: id}
	}
	return account, meta.Fault(err)
}
