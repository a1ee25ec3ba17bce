package meta

import (
	"time"

	"github.com/lighterage/lighterage/internal/name"
)

// ProviderID is an OIDC provider's surrogate id.
type ProviderID int64

// OIDCProvider is an issuer of web identities that an account trusts.
type OIDCProvider struct {
	ID          ProviderID // set by InsertOIDCProvider
	Account     name.AccountID
	Host        string // host and path of the URL, as in the ARN
	ClientIDs   []string
	Thumbprints []string
	CreatedAt   time.Time
}

// OIDCProviderTx reads and writes OIDC providers.
type OIDCProviderTx interface {
	// OIDCProvider finds one. ErrNotFound.
	OIDCProvider(account name.AccountID, host string, lock Lock) (OIDCProvider, error)
	// OIDCProviders lists an account's by host.
	OIDCProviders(account name.AccountID) ([]OIDCProvider, error)
	// InsertOIDCProvider adds one. ErrExists for a host that the account has;
	// ErrNotFound for an account that is not there.
	InsertOIDCProvider(p OIDCProvider) (ProviderID, error)
	// SetOIDCProvider stores ClientIDs and Thumbprints of p.ID. ErrNotFound.
	SetOIDCProvider(p OIDCProvider) error
	// DeleteOIDCProvider removes one with its resource tags. ErrNotFound.
	DeleteOIDCProvider(id ProviderID) error
}
