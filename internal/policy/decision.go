package policy

// Layer is where a decision was made: the role a policy played for a request.
type Layer uint8

// The layers, in the order in which explicit denials are looked for.
const (
	RegistryBased Layer = iota
	ResourceBased
	RoleTrust
	IdentityBased
	PermissionsBoundary
	SessionScoped
	layers
)

// layerNames are IAM's words, with the article they take; the trust policy is
// the one there is.
var layerNames = [layers]struct{ article, name string }{
	RegistryBased:       {"a ", "registry policy"},
	ResourceBased:       {"a ", "resource-based policy"},
	RoleTrust:           {"the ", "role trust policy"},
	IdentityBased:       {"an ", "identity-based policy"},
	PermissionsBoundary: {"a ", "permissions boundary"},
	SessionScoped:       {"a ", "session policy"},
}

// String returns the layer's name as AWS writes it in a denial.
func (l Layer) String() string { return layerNames[l].name }

// Decision is the answer to a request. The zero Decision is a denial.
type Decision struct {
	Allowed  bool
	Explicit bool // denied by a Deny statement; else a denial is for want of an Allow

	// Layer is which policies denied, which lacked an Allow, or which allowed.
	// A root of the resource's account needs no Allow: then the Layer is
	// IdentityBased and there is no Policy.
	Layer Layer

	// The statement that denied or allowed; Statement is -1 if there is none.
	Policy    string // the document's name
	Statement int    // from 0
	Sid       string

	// TooCostly says that a denial is for want of an answer: matching the
	// policies with the request took more than one decision may.
	TooCostly bool

	// Depends says that a condition or a variable was looked at: another
	// request for the same principal, action and resource may be answered
	// differently. If it is false, the answer holds for all of them.
	Depends bool
}

const tooCostly = "matching the policies with the request takes too long"

// Because returns why a request was denied, in the half-sentence that AWS adds
// to a denial (IAM User Guide, troubleshoot access denied), and nothing if it
// was allowed.
func (d Decision) Because(action string) string {
	switch {
	case d.Allowed:
		return ""
	case d.TooCostly:
		return "because " + tooCostly
	case d.Explicit:
		return "with an explicit deny in " + layerNames[d.Layer].article + layerNames[d.Layer].name
	}
	return "because no " + layerNames[d.Layer].name + " allows the " + action + " action"
}

// Denial returns AWS's sentence for a denied request.
func (d Decision) Denial(principal, action, resource string) string {
	return "User: " + principal + " is not authorized to perform: " + action + " on resource: " + resource + " " + d.Because(action)
}
