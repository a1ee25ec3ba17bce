// Package identity answers who is calling: it knows the access keys, issues
// registry tokens and download links, and verifies them.
//
//  1. A caller is returned only for a credential that was checked in full, in
//     constant time where secrets are compared.
//  2. A token works until it expires, and only while the key that it was
//     issued for is the current one.
//  3. Secrets never appear in errors, logs or String.
//
// What a caller may do is decided in package access.
package identity

import "github.com/lighterage/lighterage/internal/name"

// Scope narrows what a credential is good for.
type Scope uint8

// The scopes.
const (
	// FullScope: whatever the principal may do.
	FullScope Scope = iota
	// LightsailPush: push to the account's hidden Lightsail registry in the
	// token's region, nothing else.
	LightsailPush
)

// Caller is an authenticated principal.
type Caller struct {
	Account name.AccountID
	ARN     string // arn:aws:iam::<account>:root
	UserID  string // the account's id for its root
	KeyID   string // access key id that authenticated, or that the token was issued for
	Region  name.Region
	Scope   Scope
}

// Registry returns the registry the caller's credential means on a plain host.
func (c Caller) Registry() name.RegistryID {
	return name.RegistryID{Account: c.Account, Region: c.Region}
}
