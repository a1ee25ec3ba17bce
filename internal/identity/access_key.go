package identity

import "github.com/lighterage/lighterage/internal/name"

// AccessKey is an account's root key that the configuration gives.
type AccessKey struct {
	ID      string
	Secret  Secret
	Account name.AccountID
}

// RootKey returns an access key of an account's root.
func RootKey(account name.AccountID, id string, secret Secret) AccessKey {
	return AccessKey{ID: id, Secret: secret, Account: account}
}
