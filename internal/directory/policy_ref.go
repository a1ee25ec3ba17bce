package directory

import (
	"github.com/lighterage/lighterage/internal/fault"
	"github.com/lighterage/lighterage/internal/meta"
	"github.com/lighterage/lighterage/internal/name"
	"github.com/lighterage/lighterage/internal/policy"
)

// policyRef finds the managed policy of an ARN: one of AWS's own, or of the
// account. It keeps the row from being deleted until the transaction ends.
// EntityNotFound, for a policy of another account too.
func policyRef(tx meta.Tx, account name.AccountID, arn string) (PolicyRef, error) {
	if _, ok := policy.ManagedPolicyOf(arn); ok {
		return PolicyRef{ARN: arn}, nil
	}
	absent := entityFault(fault.EntityNotFound, PolicyEntity, arn)
	owner, kind, path, called, ok := name.ParseDirectoryARN(arn)
	if !ok || owner != account || kind != "policy" {
		return PolicyRef{}, absent
	}
	p, err := tx.Policy(account, called, meta.LockShared)
	if err != nil {
		return PolicyRef{}, missing(err, PolicyEntity, arn)
	}
	if p.Path != path || p.Name != called { // an ARN has one spelling
		return PolicyRef{}, absent
	}
	return PolicyRef{ARN: arn, ID: p.ID}, nil
}

// boundaryRef is policyRef of a permissions boundary; none for an empty ARN.
func boundaryRef(tx meta.Tx, account name.AccountID, arn string) (PolicyRef, error) {
	if arn == "" {
		return PolicyRef{}, nil
	}
	return policyRef(tx, account, arn)
}
