package meta

// InlinePolicy is a named document that one principal has.
type InlinePolicy struct{ Name, Document string }

// InlinePolicyTx reads and writes inline policies. Their names differ in case.
type InlinePolicyTx interface {
	// InlinePolicies lists a principal's by name.
	InlinePolicies(principal PrincipalID) ([]InlinePolicy, error)
	// InlinePolicy finds one. ErrNotFound.
	InlinePolicy(principal PrincipalID, policy string) (InlinePolicy, error)
	// PutInlinePolicy adds or overwrites. ErrNotFound when there is no such
	// principal.
	PutInlinePolicy(principal PrincipalID, p InlinePolicy) error
	// DeleteInlinePolicy removes one. ErrNotFound.
	DeleteInlinePolicy(principal PrincipalID, policy string) error
}
