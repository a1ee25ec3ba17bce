package meta

import (
	"time"

	"github.com/lighterage/lighterage/internal/name"
)

// PolicyID is a managed policy's surrogate id.
type PolicyID int64

// PolicyRef names a managed policy that a principal has: one of AWS's by its
// ARN alone, one of the principal's account by its id too, which keeps the
// policy from being deleted.
type PolicyRef struct {
	ARN string
	ID  PolicyID // 0: not of the account
}

// Policy is a managed policy of an account.
type Policy struct {
	ID             PolicyID // set by InsertPolicy
	Account        name.AccountID
	Name           string // unique in the account without regard to case
	Path           string
	UniqueID       string // ANPA…; never used twice
	Description    string
	DefaultVersion int // a version that is there
	LastVersion    int // the highest number ever given
	CreatedAt      time.Time
	UpdatedAt      time.Time
}

// PolicyVersion is one document of a managed policy.
type PolicyVersion struct {
	Policy    PolicyID
	Number    int // as the 2 of v2
	Document  string
	CreatedAt time.Time
}

// PolicyTx reads and writes managed policies.
type PolicyTx interface {
	// Policy finds one by its name in whatever case. ErrNotFound.
	Policy(account name.AccountID, policy string, lock Lock) (Policy, error)
	// PolicyOf returns the one with the id. ErrNotFound.
	PolicyOf(id PolicyID) (Policy, error)
	// Policies lists an account's whose paths begin so, by lower-case name, as
	// Principals does.
	Policies(account name.AccountID, path string, page Page[string]) ([]Policy, error)
	// CountPolicies counts an account's.
	CountPolicies(account name.AccountID) (int64, error)
	// InsertPolicy adds one with its first version, number 1, which is the
	// default and the last. ErrExists for a name that is there, in whatever
	// case, or a unique id; ErrNotFound for an account that is not.
	InsertPolicy(p Policy, document string) (PolicyID, error)
	// SetPolicy stores description, default and last version and UpdatedAt of
	// p.ID. ErrNotFound, also for a default version that is not there.
	SetPolicy(p Policy) error
	// DeletePolicy removes one with its versions and resource tags.
	// ErrReferenced while a principal has it or is bounded by it; ErrNotFound.
	DeletePolicy(id PolicyID) error

	// PolicyVersions lists by number.
	PolicyVersions(id PolicyID) ([]PolicyVersion, error)
	// PolicyVersion finds one. ErrNotFound.
	PolicyVersion(id PolicyID, number int) (PolicyVersion, error)
	// InsertPolicyVersion adds one, and leaves the policy's row as it is.
	// ErrExists; ErrNotFound when there is no such policy.
	InsertPolicyVersion(v PolicyVersion) error
	// DeletePolicyVersion removes one. ErrReferenced for the default one;
	// ErrNotFound.
	DeletePolicyVersion(id PolicyID, number int) error
}
