package meta

import "github.com/lighterage/lighterage/internal/name"

// AttachmentTx reads and writes which managed policies principals have.
type AttachmentTx interface {
	// AttachPolicy gives a principal a managed policy; again is no error.
	// ErrNotFound for a principal or policy that is not there, or a policy of
	// another account.
	AttachPolicy(principal PrincipalID, policy PolicyRef) error
	// DetachPolicy takes it away. ErrNotFound.
	DetachPolicy(principal PrincipalID, arn string) error
	// AttachedPolicies lists a principal's by ARN.
	AttachedPolicies(principal PrincipalID) ([]PolicyRef, error)
	// Attached lists an account's principals that have the policy, by id.
	Attached(account name.AccountID, arn string, page Page[PrincipalID]) ([]Principal, error)
	// CountAttached counts them.
	CountAttached(account name.AccountID, arn string) (int64, error)
	// Bounded lists an account's principals that the policy bounds, by id.
	Bounded(account name.AccountID, arn string, page Page[PrincipalID]) ([]Principal, error)
	// CountBounded counts them.
	CountBounded(account name.AccountID, arn string) (int64, error)
	// PolicyUses counts both, by ARN, of all policies that the account's
	// principals have or are bounded by. It costs what there is of either.
	PolicyUses(account name.AccountID) (map[string]PolicyUse, error)
}

// PolicyUse is how many principals have a managed policy, and how many it
// bounds.
type PolicyUse struct{ Attached, Bounded int64 }
