package identity

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/lighterage/lighterage/internal/fault"
	"github.com/lighterage/lighterage/internal/name"
)

// TokenUser is the user name that goes with every token (GetAuthorizationToken
// in the ECR API Reference).
const TokenUser = "AWS"

// maxToken bounds what is hashed and parsed for a stranger; ours are a quarter.
const maxToken = 4 << 10

// Token is a password for the registry.
type Token struct {
	Password  string // has no colon: clients split "AWS:<password>" at it
	ExpiresAt time.Time
}

// claims is a token's content. The fingerprint ties it to a key's secret: a
// secret replaced under the same id ends it.
type claims struct {
	Account     name.AccountID `json:"acc"`
	Region      name.Region    `json:"reg"`
	KeyID       string         `json:"key"`
	Fingerprint string         `json:"fpr"`
	Scope       string         `json:"scp"`
	jwt.RegisteredClaims
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

// IssueToken returns a token for the caller's key, good for the scope in the
// region. A caller that is narrowed itself gets no wider token.
func (a *Authority) IssueToken(_ context.Context, c Caller, scope Scope, region name.Region) (Token, error) {
	k, ok := a.keys[c.KeyID]
	if !ok || k.Account != c.Account {
		return Token{}, fault.New(fault.CredentialUnknown)
	}
	if c.Scope != FullScope && c.Scope != scope {
		return Token{}, &fault.Error{Reason: fault.AccessDenied, Principal: c.ARN, Detail: "because the token in use is good for less"}
	}
	now := a.clock()
	expires := jwt.NewNumericDate(now.Add(a.tokenTTL)) // to the second
	t := jwt.NewWithClaims(jwt.SigningMethodHS256, claims{
		Account: k.Account, Region: region, KeyID: k.ID, Fingerprint: k.fingerprint, Scope: scopes[scope],
		RegisteredClaims: jwt.RegisteredClaims{ID: rand.Text(), IssuedAt: jwt.NewNumericDate(now), ExpiresAt: expires},
	})
	t.Header["kid"] = a.signing.id
	password, err := t.SignedString(a.signing.token)
	if err != nil {
		return Token{}, fault.Wrap(fault.Unexpected, err)
	}
	return Token{Password: password, ExpiresAt: expires.UTC()}, nil
}

// VerifyToken returns whom a token speaks for. The fault's reason is
// TokenExpired for a token that was good once, else TokenInvalid.
func (a *Authority) VerifyToken(_ context.Context, user, password string) (Caller, error) {
	if user != TokenUser || len(password) > maxToken {
		return Caller{}, fault.New(fault.TokenInvalid)
	}
	now, hash := a.clock(), hashOf(password)
	g, ok := a.tokens.get(hash, now)
	if !ok {
		var err error
		if g, err = a.parseToken(password); err != nil {
			return Caller{}, err
		}
		a.tokens.put(hash, g, now)
	}
	return g.at(now)
}

// VerifyBasic does what VerifyToken does with the value of an Authorization
// header. The fault's reason is CredentialMissing for an empty one.
func (a *Authority) VerifyBasic(_ context.Context, header string) (Caller, error) {
	if header == "" {
		return Caller{}, fault.New(fault.CredentialMissing)
	}
	if len(header) > 2*maxToken {
		return Caller{}, fault.New(fault.TokenInvalid)
	}
	now, hash := a.clock(), hashOf(header)
	g, ok := a.headers.get(hash, now)
	if !ok {
		password, err := parseBasic(header)
		if err != nil {
			return Caller{}, err
		}
		if g, err = a.parseToken(password); err != nil {
			return Caller{}, err
		}
		a.headers.put(hash, g, now)
	}
	return g.at(now)
}

// at returns the caller if the grant still holds.
func (g grant) at(now time.Time) (Caller, error) {
	if !now.Before(g.expires) {
		return Caller{}, fault.New(fault.TokenExpired)
	}
	return g.caller, nil
}

func hashOf(s string) [sha256.Size]byte { return sha256.Sum256([]byte(s)) }

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

// parseToken checks all of a token but the time.
func (a *Authority) parseToken(password string) (grant, error) {
	if strings.ContainsAny(password, newLines) {
		return grant{}, fault.New(fault.TokenInvalid)
	}
	parser := jwt.NewParser(
		jwt.WithValidMethods([]string{jwt.SigningMethodHS256.Alg()}), // never what the token asks for
		jwt.WithStrictDecoding(),
		jwt.WithoutClaimsValidation(), // the time is the caller's to check, each time
	)
	var c claims
	_, err := parser.ParseWithClaims(password, &c, func(t *jwt.Token) (any, error) {
		if t.Header["kid"] != a.signing.id {
			return nil, jwt.ErrTokenUnverifiable
		}
		return a.signing.token, nil
	})
	if err != nil {
		return grant{}, fault.New(fault.TokenInvalid) // the cause may quote the token
	}
	k, known := a.keys[c.KeyID]
	scope, scoped := parseScope(c.Scope)
	same := subtle.ConstantTimeCompare([]byte(k.fingerprint), []byte(c.Fingerprint)) == 1
	if !known || !same || !scoped || c.ExpiresAt == nil || c.Account != k.Account || !a.regions(c.Region) {
		return grant{}, fault.New(fault.TokenInvalid)
	}
	return grant{k.caller(c.Region, scope), c.ExpiresAt.Time}, nil
}
