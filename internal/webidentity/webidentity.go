// Package webidentity proves tokens of OpenID Connect issuers, such as those of
// GitHub Actions and of Kubernetes service accounts.
//
//  1. A token counts only in an account that has its issuer as a provider, with
//     one of the token's audiences; and only with a signature of one of the
//     keys that the issuer publishes now, by RS256 or ES256.
//  2. Claims are read with their letter case, and a token in which one could be
//     read in two ways is refused.
//  3. An issuer is asked over HTTPS, with bounded time and bytes; at a loopback
//     or private address only if the operator lists its host, and then only at
//     the scheme, host and port of the provider's URL; at link-local addresses
//     never. Redirects lead to no other host. Plain HTTP is for loopback hosts
//     that are listed.
//  4. Keys are kept for an hour. However many tokens come, an issuer is asked
//     at most every few seconds, and memory is bounded.
//
// It does not decide what whoever holds the token may do.
package webidentity

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/go-jose/go-jose/v4"

	"github.com/lighterage/lighterage/internal/fault"
	"github.com/lighterage/lighterage/internal/meta"
	"github.com/lighterage/lighterage/internal/name"
)

// Config is what a Verifier is built from.
type Config struct {
	Store meta.Store // has the providers
	Clock func() time.Time
	// CAs are certificates in PEM that issuers may have theirs from, beside the
	// machine's own.
	CAs []byte
	// Private reports whether a host, by name or address, may be at a loopback
	// or private address. Nil: none may.
	Private func(host string) bool
}

// Verifier proves tokens. Its methods are safe for concurrent use.
type Verifier struct {
	store meta.Store
	clock func() time.Time
	keys  *keyring
	// listed reports whether a host may be at a private address.
	listed func(host string) bool
}

// New returns a verifier that knows no keys yet.
func New(c Config) (*Verifier, error) {
	client, err := newClient(c)
	if err != nil {
		return nil, err
	}
	return &Verifier{store: c.Store, clock: c.Clock, keys: newKeyring(client, c.Clock), listed: c.listed}, nil
}

// Identity is whom an issuer vouches for.
type Identity struct {
	Provider string // host and path of the issuer, as in the provider's ARN
	Subject  string
	Audience string // the provider's client id that the token is for
}

const (
	// maxToken is the model's limit of what STS takes.
	maxToken = 20_000
	// leeway is how far an issuer's clock may differ.
	leeway = time.Minute
	// maxSubject is the model's limit of what STS answers.
	maxSubject = 255
)

var algorithms = []string{oidc.RS256, oidc.ES256}

// claims is what of a token is looked at, beside what package oidc does.
type claims struct {
	Issuer    string   `json:"iss"`
	NotBefore *float64 `json:"nbf"`
	IssuedAt  *float64 `json:"iat"`
	Expires   *float64 `json:"exp"`
}

// Verify returns whom the token is of, in an account. Reasons of faults:
// IdentityTokenInvalid, IdentityTokenExpired, IdentityTokenRejected,
// IssuerUnreachable, and those of a failing store.
func (v *Verifier) Verify(ctx context.Context, account name.AccountID, token string) (Identity, error) {
	unproven, err := glance(token)
	if err != nil {
		return Identity{}, err
	}
	provider, err := v.provider(ctx, account, unproven.Issuer)
	if err != nil {
		return Identity{}, err
	}
	keys := &keySet{keyring: v.keys, issuer: unproven.Issuer}
	proven, err := oidc.NewVerifier(unproven.Issuer, keys, &oidc.Config{
		SkipClientIDCheck:    true, // there may be several: below
		SkipExpiryCheck:      true, // with another leeway: below
		SupportedSigningAlgs: algorithms,
	}).Verify(ctx, token)
	if keys.failed != nil {
		return Identity{}, keys.failed
	}
	if err != nil {
		return Identity{}, &fault.Error{Reason: fault.IdentityTokenInvalid, Detail: "The ID Token's signature or content is not valid.", Err: err}
	}
	var c claims
	if err := proven.Claims(&c); err != nil {
		return Identity{}, invalid(notAJWT)
	}
	if err := inTime(c, v.clock()); err != nil {
		return Identity{}, err
	}
	i := slices.IndexFunc(proven.Audience, func(a string) bool { return slices.Contains(provider.ClientIDs, a) })
	if i < 0 {
		return Identity{}, invalid("Incorrect token audience")
	}
	if proven.Subject == "" || len(proven.Subject) > maxSubject {
		return Identity{}, &fault.Error{Reason: fault.IdentityTokenRejected, Detail: fmt.Sprintf("The ID Token must have a subject of at most %d characters.", maxSubject)}
	}
	return Identity{Provider: provider.Host, Subject: proven.Subject, Audience: proven.Audience[i]}, nil
}

const notAJWT = "The ID Token provided is not a valid JWT. (You may see this error if you sent an Access Token)"

func invalid(sentence string) error {
	return &fault.Error{Reason: fault.IdentityTokenInvalid, Detail: sentence}
}

// glance reads a token that is not proven, to learn whose it says it is.
func glance(token string) (claims, error) {
	var c claims
	if len(token) > maxToken || strings.Count(token, ".") != 2 {
		return c, invalid(notAJWT)
	}
	if _, err := jose.ParseSigned(token, []jose.SignatureAlgorithm{jose.RS256, jose.ES256}); err != nil {
		if _, other := errors.AsType[*jose.ErrUnexpectedSignatureAlgorithm](err); other {
			return c, invalid("The ID Token is not signed with RS256 or ES256.")
		}
		return c, invalid(notAJWT)
	}
	payload, err := base64.RawURLEncoding.DecodeString(strings.Split(token, ".")[1])
	if err != nil || !unambiguous(payload) || json.Unmarshal(payload, &c) != nil || c.Issuer == "" {
		return c, invalid(notAJWT)
	}
	return c, nil
}

// reserved are the names of claims that we or package oidc read.
var reserved = []string{
	"iss", "sub", "aud", "exp", "nbf", "iat", "azp", "nonce", "at_hash", "_claim_names", "_claim_sources",
}

// unambiguous reports whether a payload is one object in which no name is given
// twice, and none is a reserved one but for the letter case. An issuer may let
// those who ask it for tokens name claims of their own: to package json, the
// last of all names that are alike but for the case is the claim, while claims
// have letter case (RFC 7519 section 4, RFC 8259 section 4).
func unambiguous(payload []byte) bool {
	d := json.NewDecoder(bytes.NewReader(payload))
	if open, err := d.Token(); err != nil || open != json.Delim('{') {
		return false
	}
	seen := map[string]bool{}
	for d.More() {
		token, err := d.Token()
		claim, ok := token.(string)
		if err != nil || !ok || seen[claim] {
			return false
		}
		seen[claim] = true
		if slices.ContainsFunc(reserved, func(r string) bool { return r != claim && strings.EqualFold(r, claim) }) {
			return false
		}
		var value json.RawMessage
		if d.Decode(&value) != nil {
			return false
		}
	}
	_, err := d.Token() // the closing brace; json.Unmarshal sees what is behind it
	return err == nil
}

// provider finds the account's provider of an issuer.
func (v *Verifier) provider(ctx context.Context, account name.AccountID, issuer string) (meta.OIDCProvider, error) {
	missing := invalid("No OpenIDConnect provider found in your account for " + shown(issuer))
	host, ok := hostOf(issuer, v.listed)
	if !ok {
		return meta.OIDCProvider{}, missing
	}
	var p meta.OIDCProvider
	err := v.store.View(ctx, func(tx meta.Tx) (err error) {
		p, err = tx.OIDCProvider(account, host, meta.NoLock)
		if bare := strings.TrimSuffix(host, "/"); errors.Is(err, meta.ErrNotFound) && bare != host {
			p, err = tx.OIDCProvider(account, bare, meta.NoLock)
		}
		return err
	})
	if errors.Is(err, meta.ErrNotFound) {
		return p, missing
	}
	return p, meta.Fault(err)
}

// hostOf returns what of an issuer's URL stands in a provider's ARN.
func hostOf(issuer string, listed func(host string) bool) (string, bool) {
	u, err := url.Parse(issuer)
	if err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" || u.Opaque != "" {
		return "", false
	}
	if !protected(u, listed(u.Hostname())) {
		return "", false
	}
	return strings.TrimPrefix(issuer, u.Scheme+"://"), true
}

// shown is a client's own text as far as it is repeated.
func shown(s string) string {
	if len(s) > 256 {
		return strings.ToValidUTF8(s[:256], "") + "…"
	}
	return s
}

// inTime checks the times of a proven token.
func inTime(c claims, now time.Time) error {
	if c.Expires == nil {
		return invalid("The ID Token does not say when it expires.")
	}
	seconds := float64(now.UnixMilli()) / 1000
	slack := leeway.Seconds()
	if seconds >= *c.Expires+slack {
		return &fault.Error{Reason: fault.IdentityTokenExpired, Detail: "Token expired: current date/time " + strconv.FormatInt(now.Unix(), 10) +
			" must be before the expiration date/time " + strconv.FormatFloat(*c.Expires, 'f', 0, 64)}
	}
	for _, from := range []*float64{c.NotBefore, c.IssuedAt} {
		if from != nil && seconds < *from-slack {
			return &fault.Error{Reason: fault.IdentityTokenRejected, Detail: "The ID Token is not valid yet."}
		}
	}
	return nil
}
