package meta

import (
	"time"

	"github.com/lighterage/lighterage/internal/name"
)

// AccessKey is an access key's row.
type AccessKey struct {
	ID        string
	Account   name.AccountID
	User      PrincipalID // of the account; 0: the account's root
	Sealed    []byte      // the secret, encrypted above
	Active    bool
	CreatedAt time.Time
	LastUse   Use // set by RecordKeyUses only
}

// AccessKeyTx reads and writes access keys.
type AccessKeyTx interface {
	// AccessKey finds one. ErrNotFound.
	AccessKey(id string) (AccessKey, error)
	// AccessKeys lists a user's, or with user 0 an account root's, by id.
	AccessKeys(account name.AccountID, user PrincipalID) ([]AccessKey, error)
	// CountAccessKeys counts an account's keys of users.
	CountAccessKeys(account name.AccountID) (int64, error)
	// InsertAccessKey adds one. ErrExists; ErrNotFound for an account that is
	// not there or has no such user.
	InsertAccessKey(k AccessKey) error
	// SetAccessKey stores Sealed and Active of k.ID. ErrNotFound.
	SetAccessKey(k AccessKey) error
	// DeleteAccessKey removes one. ErrNotFound.
	DeleteAccessKey(id string) error
	// RecordKeyUses sets the last uses of keys that still exist, never back.
	RecordKeyUses(uses map[string]Use) error
}
