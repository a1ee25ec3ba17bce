package meta

import "github.com/lighterage/lighterage/internal/name"

// SecretTx keeps what every process of one store must share.
type SecretTx interface {
	// Secret returns the named secret. ErrNotFound.
	Secret(purpose string) ([]byte, error)
	// PutSecret stores a secret that is not there yet. ErrExists.
	PutSecret(purpose string, value []byte) error
	// SetSecret replaces a secret. ErrNotFound.
	SetSecret(purpose string, value []byte) error

	// Identity returns the store's id and generation: the id is drawn when
	// the store is made, the generation grows with each restore.
	Identity() (id string, generation int64, err error)

	// Accounts returns the accounts that ever had a repository, in order.
	Accounts() ([]name.AccountID, error)
}
