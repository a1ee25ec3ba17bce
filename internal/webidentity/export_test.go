package webidentity

// PublicOnly is the guard of connections, for tests.
func PublicOnly(address string) error { return publicOnly("tcp", address, nil) }

// MaxIssuers is the bound of issuers, for tests.
const MaxIssuers = maxIssuers

// Issuers returns how many issuers a verifier has keys of.
func Issuers(v *Verifier) int { return len(v.keys.issuers) }

// Place makes room for the keys of an issuer.
func Place(v *Verifier, issuer string) { v.keys.issuer(issuer) }

// ListedOnly is the guard of connections to hosts that are listed, for tests.
func ListedOnly(address string) error { return listedOnly("tcp", address, nil) }
