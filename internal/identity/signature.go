package identity

import (
	"crypto/subtle"
	"errors"
	"strings"

	"github.com/lighterage/lighterage/internal/fault"
	"github.com/lighterage/lighterage/internal/meta"
	"github.com/lighterage/lighterage/internal/name"
	"github.com/lighterage/lighterage/internal/sigv4"
)

// Pending is a signed request whose body is still to be read.
type Pending interface {
	// Finish proves the signature over the body's SHA-256, in lower-case hex,
	// and that the credential still works: a body may take long. The reasons of
	// faults are SignatureInvalid and those of Begin.
	Finish(payloadSHA256 string) (Caller, error)
}

// globalRegion is where clients that know no regional endpoint of a service
// sign for, whether or not a registry is served there.
var globalRegion = map[string]name.Region{"sts": "us-east-1", "iam": "us-east-1"}

// Begin checks all of a signed request that can be checked before its body is
// read: that the signature is well formed, its key known, its scope the
// service in a served region, and its date near. service is the name that
// clients sign for, such as "ecr". Besides sigv4's faults it returns those of
// the reasons CredentialUnknown, TokenExpired for a session that has ended by
// itself, Overloaded for who failed too often, and of a failing store.
func (a *Authority) Begin(r *sigv4.Request, service string) (Pending, error) {
	s, err := sigv4.Parse(r)
	if err != nil {
		return nil, err
	}
	t := a.attempt(r.Context(), s.KeyID)
	version, err := a.seen(r, s)
	if err != nil {
		return nil, err
	}
	secret, caller, err := a.signer(r, s)
	if err != nil {
		return nil, t.end(err)
	}
	t.weak = len(secret.Reveal()) < strongSecret
	p := &pending{authority: a, attempt: t, request: r, version: version, secret: secret, caller: caller, signed: s, expected: sigv4.Expectation{
		Service: service,
		Region: func(region string) bool {
			return a.config.Regions(name.Region(region)) || globalRegion[service] == name.Region(region) && region != ""
		},
		Now: a.config.Clock(),
	}}
	if err := s.Check(p.expected); err != nil {
		return nil, err
	}
	p.caller.Region = name.Region(s.Scope.Region)
	return p, nil
}

// seen returns the store's version that a request's signer is looked up at or
// after. A key of the configuration is none of the store's: 0.
func (a *Authority) seen(r *sigv4.Request, s *sigv4.Signed) (int64, error) {
	if _, given := a.given[s.KeyID]; given {
		return 0, nil
	}
	version, err := a.config.Store.RecentAccessVersion(r.Context())
	return version, meta.Fault(err)
}

// signer returns whom the request says it is from, with the secret that proves
// it. A security token works with the key id that it was issued with, and no
// other; that its header is among those signed is promised by sigv4.Parse.
func (a *Authority) signer(r *sigv4.Request, s *sigv4.Signed) (Secret, Caller, error) {
	given, known := a.given[s.KeyID]
	switch session := strings.HasPrefix(s.KeyID, sessionPrefix); {
	case session != (s.SessionToken != ""):
		return Secret{}, Caller{}, fault.New(fault.CredentialUnknown)
	case session:
		o, err := a.openSession(r.Context(), s.KeyID, s.SessionToken)
		if err != nil {
			return Secret{}, Caller{}, unknown(err)
		}
		return o.secret, o.caller, nil
	case known:
		return given.secret, given.caller, nil
	}
	version, err := a.config.Store.RecentAccessVersion(r.Context())
	if err != nil {
		return Secret{}, Caller{}, meta.Fault(err)
	}
	c, err := a.current(r.Context(), s.KeyID, version)
	if err != nil {
		return Secret{}, Caller{}, unknown(err)
	}
	return c.secret, c.caller, nil
}

// unknown is the fault of a signer who could not be found.
func unknown(err error) error {
	if errors.Is(err, errGone) {
		return fault.New(fault.CredentialUnknown)
	}
	return meta.Fault(err)
}

type pending struct {
	authority *Authority
	attempt   attempt
	request   *sigv4.Request
	version   int64 // of the store, at Begin
	secret    Secret
	caller    Caller
	signed    *sigv4.Signed
	expected  sigv4.Expectation
}

// Finish implements Pending. The date is judged by the moment of Begin: a
// large body may arrive slowly.
func (p *pending) Finish(payloadSHA256 string) (Caller, error) {
	err := p.attempt.end(p.signed.Verify(p.expected, p.secret.Reveal(), payloadSHA256))
	if err == nil {
		err = endedOf(p.caller, p.again())
	}
	if err != nil {
		return Caller{}, err
	}
	p.authority.record(p.caller, p.caller.Region, p.expected.Service)
	return p.caller, nil
}

// again looks once more for whom the signature is of, if that may be another
// since Begin, or nobody. A session also ends by itself.
func (p *pending) again() error {
	if s := p.caller.Session; s != nil && !p.authority.config.Clock().Before(s.Expires) {
		return fault.New(fault.TokenExpired)
	}
	version, err := p.authority.seen(p.request, p.signed)
	if err != nil || version == p.version {
		return err
	}
	secret, caller, err := p.authority.signer(p.request, p.signed)
	if err != nil {
		return err
	}
	if subtle.ConstantTimeCompare([]byte(secret.Reveal()), []byte(p.secret.Reveal())) != 1 { // another key under the same id did not sign
		return fault.New(fault.CredentialUnknown)
	}
	caller.Region = p.caller.Region
	p.caller = caller
	return nil
}
