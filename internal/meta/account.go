package meta

import (
	"time"

	"github.com/lighterage/lighterage/internal/name"
)

// Account is an account's row.
type Account struct {
	ID        name.AccountID
	Name      string
	Alias     string // unique among accounts; empty: none
	CreatedAt time.Time
	// RevokedAt ends every token and session that was issued before it; zero:
	// none was.
	RevokedAt time.Time
}

// AccountTx reads and writes accounts. Whatever names an account that is not
// there is ErrNotFound; only registries come without one.
type AccountTx interface {
	// Account finds one. ErrNotFound. Under LockExclusive nothing is added to
	// the account, so that a count of what it has stays true.
	Account(id name.AccountID, lock Lock) (Account, error)
	// ListAccounts lists by id.
	ListAccounts(page Page[name.AccountID]) ([]Account, error)
	// InsertAccount adds one. ErrExists for an id or alias that is there.
	InsertAccount(a Account) error
	// SetAccount stores name, alias and RevokedAt of a.ID. ErrNotFound,
	// ErrExists for another's alias.
	SetAccount(a Account) error

	// AccessVersion grows with every change that a decision can depend on:
	// accounts, principals, memberships, access keys, policies, attachments,
	// OIDC providers, resource tags, repository and registry policies, account
	// settings. Uses that are recorded are no change, and repositories come and
	// go without one unless a policy or resource tags go with them.
	//
	// A cache that remembers the version that it read in the View it was filled
	// in, or in one before, is exact as long as the version is the same. An
	// update's own changes count from its commit on, once for all of them.
	AccessVersion() (int64, error)
}

// Use is when, where and for what an access key or a role was used last.
type Use struct {
	At      time.Time // zero: never
	Region  name.Region
	Service string // as in a request's credential scope; roles have none
}
