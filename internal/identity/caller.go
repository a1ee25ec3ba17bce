// Package identity answers who is calling: it finds the access keys of users
// and roots, issues temporary credentials, registry tokens and download links,
// and verifies them.
//
//  1. A caller is returned only for a credential that was checked in full, in
//     constant time where secrets are compared.
//  2. A credential works until it expires, and only while what it was issued
//     for is there: the key, active and with the same secret, the user or role,
//     by its unique id, and the account, without a later revocation. What is
//     known of that is at most half a second old, and not old at all for changes
//     made through this process.
//  3. Nothing is kept of sessions: a security token holds its session, sealed,
//     and opens only for the key id that it was issued with.
//  4. Secrets never appear in errors, logs or String.
//  5. Memory is bounded, whatever strangers send, and holds no answer of no.
//
// What a caller may do is decided in package access.
package identity

import (
	"net/netip"
	"time"

	"github.com/lighterage/lighterage/internal/meta"
	"github.com/lighterage/lighterage/internal/name"
)

// Scope narrows what a credential is good for.
type Scope uint8

// The scopes.
const (
	// FullScope: whatever the principal may do.
	FullScope Scope = iota
	// LightsailPush: push to the account's hidden Lightsail registry in the
	// token's region, nothing else.
	LightsailPush
	// AnonymousPull: what repository policies allow anybody to pull.
	AnonymousPull
)

// Kind says what sort of principal a caller is.
type Kind uint8

// The kinds. The zero value is nobody's.
const (
	NoKind Kind = iota
	// Root is the account itself.
	Root
	// User is a user of the account.
	User
	// RoleSession is a role that somebody took on for a while.
	RoleSession
	// WebIdentity is whom an OIDC provider of the account vouches for. It may
	// ask for a role, and is nobody beyond that.
	WebIdentity
	// Anonymous is anybody.
	Anonymous
)

// Caller is an authenticated principal.
type Caller struct {
	Account name.AccountID
	// ARN is arn:aws:iam::<account>:root, …:user<path><name>,
	// arn:aws:sts::<account>:assumed-role/<role>/<session>, or for a web
	// identity …:oidc-provider/<host>.
	ARN    string
	UserID string // aws:userid: the account's id for its root, AIDA…, AROA…:<session>
	KeyID  string // access key id that authenticated, or that the token was issued for
	Region name.Region
	Scope  Scope

	Kind      Kind
	Principal meta.PrincipalID // the user, or the session's role; 0 for root
	Name      string           // of the user or role; empty for root
	Session   *Session         // nil: a long-term key. Nobody writes to it
	Origin    Origin           // filled in by the fronts
}

// Session is what temporary credentials add to their principal.
type Session struct {
	Name           string   // of a role session
	SourceKey      string   // of a user's or root's session: the long-term key that it was got with
	RoleARN        string   // of a role session
	Policies       []string // documents that narrow it
	PolicyARNs     []string // managed policies that narrow it; without both it is not narrowed
	Tags           [][2]string
	Transitive     []string // keys of tags that pass on to the roles taken on from here
	SourceIdentity string
	Issued         time.Time
	Expires        time.Time
	Provider       string // of web identities: the issuer's host and path, as in the provider's ARN
	Subject        string // of web identities
	Audience       string // of web identities
}

// Narrowed reports whether session policies narrow the session.
func (s *Session) Narrowed() bool {
	return s != nil && len(s.Policies)+len(s.PolicyARNs) > 0
}

// Origin is how a request came.
type Origin struct {
	Client    netip.Addr
	UserAgent string
	Secure    bool // over TLS, as far as is known
}

// Registry returns the registry the caller's credential means on a plain host.
func (c Caller) Registry() name.RegistryID {
	return name.RegistryID{Account: c.Account, Region: c.Region}
}
