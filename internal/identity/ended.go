package identity

import "github.com/lighterage/lighterage/internal/fault"

// Ended is the error of a credential that is genuine and does not work any
// more. It wraps the fault that tells why. Nobody is to be let in by it.
type Ended struct {
	// Caller is whom the credential was issued to, as far as it tells by itself
	// if its key or principal is gone.
	Caller Caller
	Err    error
}

// Error implements error.
func (e *Ended) Error() string {
	return "a login of " + e.Caller.ARN + " with the access key " + e.Caller.KeyID + ": " + e.Err.Error()
}

// Unwrap returns the fault.
func (e *Ended) Unwrap() error { return e.Err }

// endedOf tells of a genuine credential that was refused whose it was. A store
// that fails says nothing about the credential, and nobody's is nobody's.
func endedOf(c Caller, err error) error {
	if err == nil || c.KeyID == "" {
		return err
	}
	if kind := fault.Of(err).Kind(); kind != fault.Unauthenticated && kind != fault.Denied {
		return err
	}
	return &Ended{Caller: c, Err: err}
}

// said returns whom a genuine token was issued to, by what it says alone.
func (a *Authority) said(c claims) Caller {
	scope, _ := parseScope(c.Scope)
	caller := Caller{Account: c.Account, ARN: c.Subject, KeyID: c.KeyID, Region: c.Region, Scope: scope}
	_, caller.Kind, caller.Name, _, _ = parsePrincipal(c.Subject)
	if caller.Kind == Root {
		caller.UserID = string(c.Account)
	}
	r, err := a.openRecord(c.Session, asLogin, c.KeyID)
	if err != nil {
		return caller
	}
	caller.Session, caller.UserID = r.session(), r.UniqueID
	if caller.Kind == RoleSession {
		caller.UserID += ":" + r.Name
	}
	return caller
}
