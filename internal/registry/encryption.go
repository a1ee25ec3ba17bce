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
	switch state, ok := k[s.KMSKey]; {
	case strings.HasSuffix(s.KMSKey, DefaultKey) && !ok:
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
