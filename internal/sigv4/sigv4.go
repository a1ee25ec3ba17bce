// Package sigv4 verifies and makes AWS signatures, version 4, in the form of
// an Authorization header.
//
//  1. A request verifies only if its method, path, query, signed headers, date
//     and the hash of the body that was really read are what its signer saw.
//  2. Host and every x-amz-* header of the request are among the signed ones.
//  3. What is signed is taken from the request at Parse: whoever changes the
//     request later changes nothing that was checked.
//  4. Sizes are bounded before anything is built from them, and signatures are
//     compared in constant time.
//
// It looks up no keys, reads no body and knows no clock. Signatures in query
// strings, unsigned and streamed payloads, and version 4A are refused: the
// services that are offered here know none of them.
//
// The algorithm: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
package sigv4

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"net/http"
	"strings"
	"time"

	"github.com/lighterage/lighterage/internal/fault"
)

// Algorithm is the only one that is accepted.
const Algorithm = "AWS4-HMAC-SHA256"

const (
	asymmetric = "AWS4-ECDSA-P256-SHA256"
	terminator = "aws4_request"

	dateHeader    = "X-Amz-Date"
	tokenHeader   = "X-Amz-Security-Token"
	contentHeader = "X-Amz-Content-Sha256"

	basicFormat = "20060102T150405Z" // ISO 8601, basic
	dayFormat   = "20060102"
)

// Skew is how far a request's date may lie from the server's, either way: the
// 15 minutes that ECR's own error text names.
const Skew = 15 * time.Minute

// Request is net/http's. A floor that only hands a request to Parse names it so
// and stays free of HTTP.
type Request = http.Request

// Scope says what a signature is good for, as its Credential parameter spells
// it.
type Scope struct {
	Date       string // yyyymmdd
	Region     string
	Service    string
	Terminator string
}

// Signed is a request's signature and what it was made over. Nothing in it is
// to be believed before Verify returned nil.
type Signed struct {
	KeyID        string
	Scope        Scope
	Time         time.Time // the request's date, UTC
	SessionToken string    // empty: none was sent

	signature   string // 64 lower-case hex digits
	canonical   string // the canonical request without its last line
	contentHash string // x-amz-content-sha256, empty if absent
}

// Expectation is what a verifier demands of a signature besides its secret.
type Expectation struct {
	Service string
	Region  func(string) bool // whether the region is one that is served
	Now     time.Time
}

// Parse reads the request's signature and everything signed but the body. It
// returns a fault of the reason CredentialMissing if there is no signature,
// CredentialMalformed if it cannot be read, or SignatureInvalid if it leaves
// out a header that must be signed.
func Parse(r *Request) (*Signed, error) {
	return parse(r, pathStyleOf)
}

func parse(r *Request, styleOf func(service string) pathStyle) (*Signed, error) {
	header, err := authorizationHeader(r)
	if err != nil {
		return nil, err
	}
	at, dateErr := requestTime(r.Header)
	a, err := parseAuthorization(header, at.IsZero() && dateErr == nil)
	if err != nil {
		return nil, err
	}
	if dateErr != nil {
		return nil, dateErr
	}
	for _, single := range []string{tokenHeader, contentHeader} {
		if len(r.Header.Values(single)) > 1 {
			return nil, malformed("Header '" + single + "' must be sent once.")
		}
	}
	if err := mustBeSigned(r.Header, a.signedHeaders); err != nil {
		return nil, err
	}
	canonical, err := canonicalRequest(r, styleOf(a.scope.Service), a.signedHeaders)
	if err != nil {
		return nil, err
	}
	return &Signed{
		KeyID:        a.keyID,
		Scope:        a.scope,
		Time:         at,
		SessionToken: r.Header.Get(tokenHeader),
		signature:    a.signature,
		canonical:    canonical,
		contentHash:  r.Header.Get(contentHeader),
	}, nil
}

// mustBeSigned checks that the signed names, which are sorted and lower-case,
// hold every header that no one on the way may add or change.
func mustBeSigned(h http.Header, signed []string) error {
	has := make(map[string]bool, len(signed))
	for _, s := range signed {
		has[s] = true
	}
	if !has["host"] {
		return invalid("'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization.")
	}
	for key := range h {
		if key = strings.ToLower(key); strings.HasPrefix(key, "x-amz-") && !has[key] {
			return invalid("'" + key + "' must be a 'SignedHeader' in the AWS Authorization.")
		}
	}
	return nil
}

// requestTime returns the request's date: X-Amz-Date, else Date, else zero.
func requestTime(h http.Header) (time.Time, error) {
	key := dateHeader
	if len(h.Values(key)) == 0 {
		key = "Date"
	}
	values := h.Values(key)
	switch {
	case len(values) == 0:
		return time.Time{}, nil
	case len(values) > 1:
		return time.Time{}, malformed("Header '" + key + "' must be sent once.")
	}
	// The length check keeps out the fractions that time.Parse lets in unasked.
	if t, err := time.Parse(basicFormat, values[0]); err == nil && len(values[0]) == len(basicFormat) {
		return t, nil
	}
	if t, err := http.ParseTime(values[0]); err == nil && key == "Date" {
		return t.UTC(), nil
	}
	return time.Time{}, malformed("Date must be in ISO-8601 'basic format'. Got '" + values[0] + "'.")
}

// Check tells whether the signature is for this service, a served region and
// this time. It needs neither secret nor body, so a front asks it before it
// reads one. The fault's reason is SignatureInvalid.
func (s *Signed) Check(e Expectation) error {
	var wrong []string
	if !e.Region(s.Scope.Region) {
		wrong = append(wrong, "Credential should be scoped to a valid Region, not '"+s.Scope.Region+"'.")
	}
	if s.Scope.Service != e.Service {
		wrong = append(wrong, "Credential should be scoped to correct service: '"+e.Service+"'.")
	}
	if s.Scope.Terminator != terminator {
		wrong = append(wrong, "Credential should be scoped with a valid terminator: '"+terminator+"', not '"+s.Scope.Terminator+"'.")
	}
	at := s.Time.Format(basicFormat)
	if day := s.Time.Format(dayFormat); s.Scope.Date != day {
		wrong = append(wrong, "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '"+s.Scope.Date+"' != '"+day+"', from '"+at+"'.")
	}
	if len(wrong) > 0 {
		return invalid(strings.Join(wrong, " "))
	}

	now := e.Now.UTC().Truncate(time.Second)
	if earliest := now.Add(-Skew); s.Time.Before(earliest) {
		return invalid("Signature expired: " + at + " is now earlier than " + earliest.Format(basicFormat) + " (" + now.Format(basicFormat) + " - 15 min.)")
	}
	if latest := now.Add(Skew); s.Time.After(latest) {
		return invalid("Signature not yet current: " + at + " is still later than " + latest.Format(basicFormat) + " (" + now.Format(basicFormat) + " + 15 min.)")
	}
	return nil
}

// Verify does what Check does and proves the signature. payloadSHA256 is the
// lower-case hex hash of the body as it was read, never a client's word for
// it. The fault's reason is SignatureInvalid.
func (s *Signed) Verify(e Expectation, secret, payloadSHA256 string) error {
	if err := s.Check(e); err != nil {
		return err
	}
	expected := signature(secret, s.Scope, s.Time, s.canonical+payloadSHA256)
	same := subtle.ConstantTimeCompare([]byte(expected), []byte(s.signature)) == 1
	if !same || (s.contentHash != "" && s.contentHash != payloadSHA256) {
		return mismatch()
	}
	return nil
}

// signature returns the hex signature of a whole canonical request.
func signature(secret string, scope Scope, at time.Time, canonicalRequest string) string {
	hash := sha256.Sum256([]byte(canonicalRequest))
	toSign := Algorithm + "\n" + at.Format(basicFormat) + "\n" +
		scope.Date + "/" + scope.Region + "/" + scope.Service + "/" + scope.Terminator + "\n" +
		hex.EncodeToString(hash[:])

	key := []byte("AWS4" + secret)
	for _, part := range []string{scope.Date, scope.Region, scope.Service, scope.Terminator, toSign} {
		mac := hmac.New(sha256.New, key)
		mac.Write([]byte(part))
		key = mac.Sum(nil)
	}
	return hex.EncodeToString(key)
}

func malformed(sentence string) error {
	return &fault.Error{Reason: fault.CredentialMalformed, Detail: sentence}
}

func invalid(sentence string) error {
	return &fault.Error{Reason: fault.SignatureInvalid, Detail: sentence}
}

func mismatch() error {
	return invalid("The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details.")
}
