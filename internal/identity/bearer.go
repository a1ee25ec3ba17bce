package identity

import (
	"context"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/lighterage/lighterage/internal/fault"
)

// BearerTTL is how long a client may use a bearer token before it asks for the
// next one.
const BearerTTL = 5 * time.Minute

// anonymousScope spells AnonymousPull in the tokens of nobody. It is none of
// scopes: as the password of a login it is worth nothing.
const anonymousScope = "anonymous-pull"

// IssueBearer returns what stands in a Bearer header for the Basic credential
// of the Authorization header: its own password, so that both are good for the
// same, and end together. Without a header it returns a token of nobody's. A
// credential that is not good gets the faults of VerifyBasic, never less.
func (a *Authority) IssueBearer(ctx context.Context, header string) (Token, error) {
	now := a.config.Clock()
	if header == "" {
		return a.sign(claims{Scope: anonymousScope}, now, now.Add(BearerTTL))
	}
	if _, err := a.VerifyBasic(ctx, header); err != nil {
		return Token{}, err
	}
	password, err := parseBasic(header)
	return Token{Password: password, ExpiresAt: now.Add(BearerTTL)}, err
}

// VerifyBearer returns whom a token of IssueBearer speaks for. The faults are
// those of VerifyToken; a token of nobody's is not worth telling that it has
// expired.
func (a *Authority) VerifyBearer(ctx context.Context, token string) (Caller, error) {
	if len(token) > maxToken {
		return Caller{}, fault.New(fault.TokenInvalid)
	}
	if claimedKey(token) != "" {
		return a.VerifyToken(ctx, TokenUser, token)
	}
	c, err := a.parseClaims(token)
	if err != nil {
		return Caller{}, err
	}
	good := c.Scope == anonymousScope && c.Account == "" && c.KeyID == "" && c.Session == ""
	if !good || !inTime(c.ExpiresAt, a.config.Clock()) {
		return Caller{}, fault.New(fault.TokenInvalid)
	}
	return Caller{Scope: AnonymousPull, Kind: Anonymous}, nil
}

func inTime(expires *jwt.NumericDate, now time.Time) bool {
	return expires != nil && now.Before(expires.Time)
}
