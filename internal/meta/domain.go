package meta

import "time"

// DomainKind says what the data keys of an encryption domain are wrapped with,
// and how often its bytes are encrypted. The values are stored.
type DomainKind string

// The kinds.
const (
	ServerDomain DomainKind = "server"   // the server's encryption key
	KMSDomain    DomainKind = "kms"      // a named key
	DSSEDomain   DomainKind = "kms-dsse" // a named key, twice
)

// Domain is an encryption domain: within it one digest is one blob. Domains are
// never removed.
type Domain struct {
	ID   int64
	Kind DomainKind
	Key  string // the name of a named key; empty: the server's
}

// DataKey is what bytes of a domain are encrypted with. A location names it by
// its number.
type DataKey struct {
	Number    int64
	Domain    int64
	Wrapped   []byte
	CreatedAt time.Time
}

// DomainTx reads and writes encryption domains. They are few.
type DomainTx interface {
	// Domain finds a domain. ErrNotFound.
	Domain(kind DomainKind, key string) (Domain, error)
	// DomainOf returns the domain with the id. ErrNotFound.
	DomainOf(id int64) (Domain, error)
	// PutDomain adds a domain, or returns the one that is there. Until the end of
	// the transaction no other gets it.
	PutDomain(kind DomainKind, key string) (Domain, error)
	// Domains lists all of them by id.
	Domains(page Page[int64]) ([]Domain, error)

	// InsertDataKey adds a key, which is the newest of its domain from now on, and
	// returns its number.
	InsertDataKey(domain int64, wrapped []byte) (int64, error)
	// SetDataKey replaces how a key is wrapped, if it is still wrapped as it was.
	// ErrConflict.
	SetDataKey(number int64, was, wrapped []byte) error
	// DataKeyOf returns the key of that number. ErrNotFound.
	DataKeyOf(number int64) (DataKey, error)
	// NewestDataKey returns the key that new bytes of a domain are encrypted
	// with. ErrNotFound.
	NewestDataKey(domain int64) (DataKey, error)
	// DataKeys lists all of them by number.
	DataKeys(page Page[int64]) ([]DataKey, error)
}
