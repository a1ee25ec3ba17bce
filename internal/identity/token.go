package identity

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/lighterage/lighterage/internal/fault"
	"github.com/lighterage/lighterage/internal/meta"
	"github.com/lighterage/lighterage/internal/name"
)

// TokenUser is the user name that goes with every token (GetAuthorizationToken
// in the ECR API Reference).
const TokenUser = "AWS"

// maxToken bounds what is hashed and parsed for a stranger; ours are a half at
// most, and mostly a twentieth.
const maxToken = 12 << 10

// Token is a password for the registry.
type Token struct {
	Password  string // has no colon: clients split "AWS:<password>" at it
	ExpiresAt time.Time
}

// claims is a token's content. The fingerprint ties it to a long-term key's
// secret: a secret replaced under the same id ends it. A session's token holds
// the session, sealed, since the server keeps none. The subject is the caller's
// ARN, for when nothing else is left of it.
type claims struct {
	Account     name.AccountID `json:"acc"`
	Region      name.Region    `json:"reg"`
	KeyID       string         `json:"key"`
	Fingerprint string         `json:"fpr,omitempty"`
	Session     string         `json:"ses,omitempty"`
	Scope       string         `json:"scp"`
	Issued      int64          `json:"ims,omitempty"` // in milliseconds; the field that all know has seconds
	jwt.RegisteredClaims
}

// issued returns when the token was issued.
func (c claims) issued() time.Time {
	if c.Issued == 0 && c.IssuedAt != nil {
		return c.IssuedAt.Time
	}
	return time.UnixMilli(c.Issued)
}

// scopes spells Scope in tokens. Spellings are in clients' hands for as long
// as a token lives.
var scopes = map[Scope]string{FullScope: "full", LightsailPush: "lightsail-push"}

func parseScope(s string) (Scope, bool) {
	for scope, spelling := range scopes {
		if s == spelling {
			return scope, true
		}
	}
	return 0, false
}

// IssueToken returns a token for the caller's key or session, good for the
// scope in the region. A caller that is narrowed itself gets no wider token.
func (a *Authority) IssueToken(ctx context.Context, c Caller, scope Scope, region name.Region) (Token, error) {
	if c.Scope != FullScope && c.Scope != scope {
		return Token{}, &fault.Error{Reason: fault.AccessDenied, Principal: c.ARN, Detail: "because the token in use is good for less"}
	}
	now := a.config.Clock()
	expires := now.Add(a.config.TokenTTL)
	content := claims{Account: c.Account, Region: region, KeyID: c.KeyID, Scope: scopes[scope]}
	content.Subject = c.ARN
	if c.Session != nil {
		sealed, err := a.sealRecord(recordOf(c), asLogin, c.KeyID)
		if err != nil {
			return Token{}, fault.Wrap(fault.Unexpected, err)
		}
		content.Session = sealed
		if a.config.TokensEndWithSessions && c.Session.Expires.Before(expires) {
			expires = c.Session.Expires
		}
		return a.sign(content, now, expires)
	}
	version, err := a.config.Store.RecentAccessVersion(ctx)
	if err != nil {
		return Token{}, meta.Fault(err)
	}
	k, err := a.current(ctx, c.KeyID, version)
	if err == nil && k.caller.Account != c.Account {
		err = errGone
	}
	if err != nil {
		return Token{}, unknown(err)
	}
	content.Fingerprint = k.fingerprint
	return a.sign(content, now, expires)
}

func (a *Authority) sign(c claims, now, expires time.Time) (Token, error) {
	until := jwt.NewNumericDate(expires) // to the second
	c.Issued = now.UnixMilli()
	c.RegisteredClaims = jwt.RegisteredClaims{ID: rand.Text(), Subject: c.Subject, IssuedAt: jwt.NewNumericDate(now), ExpiresAt: until}
	t := jwt.NewWithClaims(jwt.SigningMethodHS256, c)
	t.Header["kid"] = a.signing.id
	password, err := t.SignedString(a.signing.token)
	if err != nil {
		return Token{}, fault.Wrap(fault.Unexpected, err)
	}
	return Token{Password: password, ExpiresAt: until.UTC()}, nil
}

// VerifyToken returns whom a token speaks for. What it was issued for is looked
// at each time: its key, its user or role, its account. Reasons of faults:
// TokenExpired for a token that was good once, Overloaded for who failed too
// often, those of a failing store, else TokenInvalid. One of a genuine token is
// within an Ended.
func (a *Authority) VerifyToken(ctx context.Context, user, password string) (Caller, error) {
	version, err := a.config.Store.RecentAccessVersion(ctx)
	if err != nil {
		return Caller{}, meta.Fault(err)
	}
	if user != TokenUser || len(password) > maxToken {
		return Caller{}, a.noLogin(ctx)
	}
	h := hashOf(password)
	g, ok := a.tokens.get(h, version)
	if !ok {
		if g, err = a.login(ctx, password, version); err != nil {
			return Caller{}, err
		}
		a.tokens.put(h, version, g)
	}
	return g.at(a.config.Clock())
}

// VerifyBasic does what VerifyToken does with the value of an Authorization
// header. The fault's reason is CredentialMissing for an empty one.
func (a *Authority) VerifyBasic(ctx context.Context, header string) (Caller, error) {
	if header == "" {
		return Caller{}, fault.New(fault.CredentialMissing)
	}
	version, err := a.config.Store.RecentAccessVersion(ctx)
	if err != nil {
		return Caller{}, meta.Fault(err)
	}
	if len(header) > 2*maxToken {
		return Caller{}, a.noLogin(ctx)
	}
	h := hashOf(header)
	g, ok := a.headers.get(h, version)
	if !ok {
		password, err := parseBasic(header)
		if err != nil {
			return Caller{}, a.noLogin(ctx)
		}
		if g, err = a.login(ctx, password, version); err != nil {
			return Caller{}, err
		}
		a.headers.put(h, version, g)
	}
	return g.at(a.config.Clock())
}

// login looks at a token that is in no cache. What we did not sign counts for
// its address alone, whatever key it says it is for. One of ours is no guess: if
// its key or account ended it, it counts for nothing, so that machines with old
// logins do not keep out those behind the same address that log in anew.
func (a *Authority) login(ctx context.Context, password string, version int64) (grant, error) {
	c, err := a.parseClaims(password)
	if err != nil {
		return grant{}, a.attempt(ctx, "").end(err)
	}
	g, err := a.grant(ctx, c, version)
	if err != nil {
		return grant{}, endedOf(a.said(c), err)
	}
	_ = a.attempt(ctx, c.KeyID).end(nil)
	return g, nil
}

// noLogin is what becomes of a login that has not even the form of one.
func (a *Authority) noLogin(ctx context.Context) error {
	return a.attempt(ctx, "").end(fault.New(fault.TokenInvalid))
}

// claimedKey returns the key id that a token says it is for, whether or not it
// is genuine.
func claimedKey(password string) string {
	_, rest, _ := strings.Cut(password, ".")
	body, _, _ := strings.Cut(rest, ".")
	var c struct {
		KeyID string `json:"key"`
	}
	if text, err := decode(body); err != nil || json.Unmarshal(text, &c) != nil {
		return ""
	}
	return c.KeyID
}

// grant is a genuine token's content.
type grant struct {
	caller  Caller
	expires time.Time
}

// at returns the caller if the grant still holds.
func (g grant) at(now time.Time) (Caller, error) {
	if !now.Before(g.expires) {
		return Caller{}, endedOf(g.caller, fault.New(fault.TokenExpired))
	}
	return g.caller, nil
}

// hash stands for a credential in a cache.
type hash = [sha256.Size]byte

func hashOf(s string) hash { return sha256.Sum256([]byte(s)) }

// parseBasic returns the password of a Basic credential of the user AWS.
func parseBasic(header string) (string, error) {
	scheme, encoded, _ := strings.Cut(header, " ")
	if !strings.EqualFold(scheme, "Basic") {
		return "", fault.New(fault.TokenInvalid)
	}
	plain, err := base64.StdEncoding.DecodeString(strings.TrimLeft(encoded, " "))
	if err != nil {
		return "", fault.New(fault.TokenInvalid)
	}
	user, password, _ := strings.Cut(string(plain), ":")
	if user != TokenUser || len(password) > maxToken {
		return "", fault.New(fault.TokenInvalid)
	}
	return password, nil
}

// grant checks all of a genuine token's content but the time.
func (a *Authority) grant(ctx context.Context, c claims, version int64) (grant, error) {
	scope, scoped := parseScope(c.Scope)
	if !scoped || c.ExpiresAt == nil || !a.config.Regions(c.Region) {
		return grant{}, fault.New(fault.TokenInvalid)
	}
	var caller Caller
	var err error
	if c.Session != "" {
		caller, err = a.sessionOf(ctx, c)
	} else {
		caller, err = a.keyOf(ctx, c, version)
	}
	if errors.Is(err, errGone) {
		return grant{}, fault.Wrap(fault.TokenInvalid, err)
	}
	if err != nil {
		return grant{}, meta.Fault(err)
	}
	caller.Region, caller.Scope = c.Region, scope
	return grant{caller, c.ExpiresAt.Time}, nil
}

// parseClaims returns what a token says, if it is one of ours.
func (a *Authority) parseClaims(password string) (claims, error) {
	var c claims
	if strings.ContainsAny(password, newLines) {
		return c, fault.New(fault.TokenInvalid)
	}
	parser := jwt.NewParser(
		jwt.WithValidMethods([]string{jwt.SigningMethodHS256.Alg()}), // never what the token asks for
		jwt.WithStrictDecoding(),
		jwt.WithoutClaimsValidation(), // the time is the caller's to check, each time
	)
	_, err := parser.ParseWithClaims(password, &c, func(t *jwt.Token) (any, error) {
		if t.Header["kid"] != a.signing.id {
			return nil, jwt.ErrTokenUnverifiable
		}
		return a.signing.token, nil
	})
	if err != nil {
		return c, fault.New(fault.TokenInvalid) // the cause may quote the token
	}
	return c, nil
}

// keyOf returns whom the long-term key of a token speaks for. errGone.
func (a *Authority) keyOf(ctx context.Context, c claims, version int64) (Caller, error) {
	k, err := a.current(ctx, c.KeyID, version)
	if err != nil {
		return Caller{}, err
	}
	same := subtle.ConstantTimeCompare([]byte(k.fingerprint), []byte(c.Fingerprint)) == 1
	if !same || c.Account != k.caller.Account || ended(c.issued(), k.revoked) {
		return Caller{}, errGone
	}
	return k.caller, nil
}

// sessionOf returns whom the session of a token speaks for, whether or not the
// session itself has ended by time. errGone.
func (a *Authority) sessionOf(ctx context.Context, c claims) (Caller, error) {
	r, err := a.openRecord(c.Session, asLogin, c.KeyID)
	if err != nil {
		return Caller{}, err
	}
	var caller Caller
	err = a.config.Store.View(ctx, func(tx meta.Tx) (err error) {
		caller, err = a.restored(tx, r, c.KeyID)
		return err
	})
	if err == nil && caller.Account != c.Account {
		err = errGone
	}
	return caller, err
}
