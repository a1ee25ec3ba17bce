package identity

import (
	"github.com/lighterage/lighterage/internal/fault"
	"github.com/lighterage/lighterage/internal/name"
	"github.com/lighterage/lighterage/internal/sigv4"
)

// Pending is a signed request whose body is still to be read.
type Pending interface {
	// Finish proves the signature over the body's SHA-256, in lower-case hex.
	// The fault's reason is SignatureInvalid.
	Finish(payloadSHA256 string) (Caller, error)
}

// globalRegion is where clients that know no regional endpoint of a service
// sign for, whether or not a registry is served there.
var globalRegion = map[string]name.Region{"sts": "us-east-1", "iam": "us-east-1"}

// Begin checks all of a signed request that can be checked before its body is
// read: that the signature is well formed, its key known, its scope the
// service in a served region, and its date near. service is the name that
// clients sign for, such as "ecr". Besides sigv4's faults it returns one of the
// reason CredentialUnknown.
func (a *Authority) Begin(r *sigv4.Request, service string) (Pending, error) {
	s, err := sigv4.Parse(r)
	if err != nil {
		return nil, err
	}
	k, ok := a.keys[s.KeyID]
	if !ok || s.SessionToken != "" { // no session was ever issued
		return nil, fault.New(fault.CredentialUnknown)
	}
	p := &pending{key: k, signed: s, expected: sigv4.Expectation{
		Service: service,
		Region: func(region string) bool {
			return a.regions(name.Region(region)) || globalRegion[service] == name.Region(region) && region != ""
		},
		Now: a.clock(),
	}}
	if err := s.Check(p.expected); err != nil {
		return nil, err
	}
	return p, nil
}

type pending struct {
	key      key
	signed   *sigv4.Signed
	expected sigv4.Expectation
}

// Finish implements Pending. The date is judged by the moment of Begin: a
// large body may arrive slowly.
func (p *pending) Finish(payloadSHA256 string) (Caller, error) {
	if err := p.signed.Verify(p.expected, p.key.Secret.Reveal(), payloadSHA256); err != nil {
		return Caller{}, err
	}
	return p.key.caller(name.Region(p.signed.Scope.Region), FullScope), nil
}
