package registry

import (
	"strings"

	"github.com/lighterage/lighterage/internal/fault"
)

// KeyState is the state of a configured encryption key.
type KeyState string

// The states a key can be configured in.
const (
	KeyEnabled         KeyState = "enabled"
	KeyDisabled        KeyState = "disabled"
	KeyPendingDeletion KeyState = "pending-deletion"
)

// DefaultKey is the alias that a repository with KMS and no key means; it is
// always there and enabled.
const DefaultKey = "alias/aws/ecr"

// Keys is the configured encryption keys: ARN, key id or alias to state.
type Keys map[string]KeyState

// Check returns a KeyUnusable fault unless the repository's key can be used.
// The codes are the KMS API's (Encrypt: NotFoundException, DisabledException,
// KMSInvalidStateException).
func (k Keys) Check(s RepositorySettings) error {
	if s.EncryptionType == "" || s.EncryptionType == "AES256" {
		return nil
	}
	code := ""
	switch state, ok := k.state(s.KMSKey); {
	case !ok && short(s.KMSKey) == DefaultKey:
		return nil
	case !ok:
		code = "NotFoundException"
	case state == KeyDisabled:
		code = "DisabledException"
	case state == KeyPendingDeletion:
		code = "KMSInvalidStateException"
	default:
		return nil
	}
	return &fault.Error{Reason: fault.KeyUnusable, KMSError: code, Value: s.KMSKey}
}

// state finds a key. A configured id or alias stands for the key of that id or
// alias in every account and region.
func (k Keys) state(key string) (KeyState, bool) {
	if state, ok := k[key]; ok {
		return state, true
	}
	state, ok := k[short(key)]
	return state, ok
}

// short is the alias or the id in a key's ARN; what is no ARN is returned as
// it is.
func short(key string) string {
	parts := strings.SplitN(key, ":", 6) // arn:aws:kms:region:account:key/id
	if len(parts) < 6 || parts[0] != "arn" || parts[2] != "kms" {
		return key
	}
	return strings.TrimPrefix(parts[5], "key/")
}
