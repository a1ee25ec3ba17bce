package iam

import "github.com/lighterage/lighterage/internal/api/awsquery"

// operationsOfPolicies are those of roles, policies, attachments and OIDC
// providers, and the simulations.
func (f *front) operationsOfPolicies() []awsquery.Operation {
	return nil
}
