package fault

// Reason is the fine, closed set of causes. Each belongs to one Kind (see
// reasons); each front words and numbers it in its own errors.go.
type Reason uint8

// The reasons, by subject.
const (
	Unexpected Reason = iota // anything without a reason of its own

	// Parameters and bodies.
	ParameterInvalid   // Member, Constraint
	ResourceTagInvalid // a resource tag's key or value
	TooManyTags        // resource tags, Limit
	BodyMalformed      // Detail may say what was found
	BodyTooLarge       // Limit in bytes
	OperationUnknown   // no such operation
	OperationNotOffered
	FeatureNotOffered // Member, Detail: a modelled input this server refuses
	PageTokenInvalid

	// Names as the OCI door sees them.
	NameInvalid
	TagInvalid
	DigestInvalid

	// Who is calling.
	CredentialMissing
	CredentialUnknown   // access key or session token not known
	CredentialMalformed // Detail says which part is missing
	SignatureInvalid    // Detail is the sentence
	TokenInvalid        // forged, truncated, wrong user, replaced key
	TokenExpired
	AccessDenied // Principal, Action, Resource, Detail

	// Tokens of web identities. Detail is the sentence.
	IdentityTokenInvalid
	IdentityTokenExpired
	IdentityTokenRejected // genuine, but of no use here
	IssuerUnreachable

	// Repositories.
	RepositoryNotFound
	RepositoryExists
	RepositoryNotEmpty
	KeyUnusable // KMSError: an encryption key that cannot be used
	RepositoryPolicyNotFound
	RegistryPolicyNotFound
	LifecyclePolicyNotFound
	LifecyclePreviewNotFound
	LifecyclePreviewRunning

	// Images and tags.
	ImageNotFound     // Tag, Digest
	ImageExists       // Tag, Digest: same digest, same tag
	TagImmutable      // Tag
	TagImmutableSame  // Tag, Digest: the tag already points to this very image
	ImageReferenced   // Digests: the indexes that refer to it
	ImageArchived     // Tag, Digest: kept, and not given out
	ImageBound        // Digest, Digests: what it goes with, into the archive or not
	ManifestInvalid   // Constraint
	ManifestTooLarge  // Limit
	DigestMismatch    // Digest: the one that was claimed
	LayersNotFound    // Digests
	ChildrenNotFound  // Digests
	ImageUnregistered // Lightsail: digest not in the registry
	TagMapsElsewhere  // Tag, Digest: the tag points to another digest

	// Layers and uploads.
	LayerNotFound
	LayerExists
	LayerReferenced
	LayerInaccessible
	LayerMismatch     // Digest: computed; none of the claimed match
	LayerTooLarge     // Limit
	UploadNotFound    // Upload
	UploadEmpty       // Upload
	UploadPartSmall   // Upload
	UploadPartInvalid // Upload, LastByte: size, or not consecutive
	UploadPartCount   // Upload, Limit
	RangeInvalid      // Upload, LastByte

	// Lightsail.
	ServiceNotFound
	ServiceExists
	ServiceMissing // no container service in the account and region yet
	RegisteredImageNotFound

	// The directory of an account: users, groups, roles, policies, keys.
	EntityNotFound      // Entity, Name
	EntityExists        // Entity, Name
	EntityInUse         // Entity, Name, Constraint: what keeps it from going
	EntityProtected     // Entity, Name: not the account's to change
	PolicyMalformed     // Detail is the sentence
	PolicyTooLarge      // Detail is the sentence
	PolicyNotAttachable // Name: the policy's ARN
	InputRefused        // Detail is the sentence: a rule that no constraint of one member says

	// Quotas and load.
	LimitExceeded // Quota, Limit
	Overloaded
	StoreFull
	StoreUnavailable
)

var reasons = [...]struct {
	name string
	kind Kind
}{
	Unexpected:               {"unexpected", Internal},
	ParameterInvalid:         {"parameter invalid", Invalid},
	ResourceTagInvalid:       {"resource tag invalid", Invalid},
	TooManyTags:              {"too many resource tags", Exceeded},
	BodyMalformed:            {"body malformed", Invalid},
	BodyTooLarge:             {"body too large", TooLarge},
	OperationUnknown:         {"operation unknown", Unsupported},
	OperationNotOffered:      {"operation not offered", Unsupported},
	FeatureNotOffered:        {"feature not offered", Unsupported},
	PageTokenInvalid:         {"page token invalid", Invalid},
	NameInvalid:              {"name invalid", Invalid},
	TagInvalid:               {"tag invalid", Invalid},
	DigestInvalid:            {"digest invalid", Invalid},
	CredentialMissing:        {"credential missing", Unauthenticated},
	CredentialUnknown:        {"credential unknown", Unauthenticated},
	CredentialMalformed:      {"credential malformed", Unauthenticated},
	SignatureInvalid:         {"signature invalid", Unauthenticated},
	TokenInvalid:             {"token invalid", Unauthenticated},
	TokenExpired:             {"token expired", Denied},
	AccessDenied:             {"access denied", Denied},
	IdentityTokenInvalid:     {"identity token invalid", Invalid},
	IdentityTokenExpired:     {"identity token expired", Denied},
	IdentityTokenRejected:    {"identity token rejected", Denied},
	IssuerUnreachable:        {"issuer unreachable", Unavailable},
	RepositoryNotFound:       {"repository not found", NotFound},
	RepositoryExists:         {"repository exists", Conflict},
	RepositoryNotEmpty:       {"repository not empty", Conflict},
	KeyUnusable:              {"encryption key unusable", Conflict},
	RepositoryPolicyNotFound: {"repository policy not found", NotFound},
	RegistryPolicyNotFound:   {"registry policy not found", NotFound},
	LifecyclePolicyNotFound:  {"lifecycle policy not found", NotFound},
	LifecyclePreviewNotFound: {"lifecycle policy preview not found", NotFound},
	LifecyclePreviewRunning:  {"lifecycle policy preview in progress", Conflict},
	ImageNotFound:            {"image not found", NotFound},
	ImageExists:              {"image exists", Conflict},
	TagImmutable:             {"tag immutable", Conflict},
	TagImmutableSame:         {"tag immutable and the same", Conflict},
	ImageReferenced:          {"image referenced", Conflict},
	ImageArchived:            {"image archived", NotFound},
	ImageBound:               {"image bound to others", Conflict},
	ManifestInvalid:          {"manifest invalid", Invalid},
	ManifestTooLarge:         {"manifest too large", TooLarge},
	DigestMismatch:           {"digest mismatch", Invalid},
	LayersNotFound:           {"layers not found", NotFound},
	ChildrenNotFound:         {"children not found", NotFound},
	ImageUnregistered:        {"image not pushed", NotFound},
	TagMapsElsewhere:         {"tag maps elsewhere", NotFound},
	LayerNotFound:            {"layer not found", NotFound},
	LayerExists:              {"layer exists", Conflict},
	LayerReferenced:          {"layer referenced", Conflict},
	LayerInaccessible:        {"layer inaccessible", NotFound},
	LayerMismatch:            {"layer mismatch", Invalid},
	LayerTooLarge:            {"layer too large", Exceeded},
	UploadNotFound:           {"upload not found", NotFound},
	UploadEmpty:              {"upload empty", Invalid},
	UploadPartSmall:          {"upload part too small", Invalid},
	UploadPartInvalid:        {"upload part invalid", Range},
	UploadPartCount:          {"too many upload parts", Exceeded},
	RangeInvalid:             {"range invalid", Range},
	ServiceNotFound:          {"service not found", NotFound},
	ServiceExists:            {"service exists", Conflict},
	ServiceMissing:           {"no container service", Conflict},
	RegisteredImageNotFound:  {"registered image not found", NotFound},
	EntityNotFound:           {"entity not found", NotFound},
	EntityExists:             {"entity exists", Conflict},
	EntityInUse:              {"entity in use", Conflict},
	EntityProtected:          {"entity protected", Denied},
	PolicyMalformed:          {"policy malformed", Invalid},
	PolicyTooLarge:           {"policy too large", TooLarge},
	PolicyNotAttachable:      {"policy not attachable", Invalid},
	InputRefused:             {"input refused", Invalid},
	LimitExceeded:            {"limit exceeded", Exceeded},
	Overloaded:               {"overloaded", Throttled},
	StoreFull:                {"store full", Unavailable},
	StoreUnavailable:         {"store unavailable", Unavailable},
}

// Kind returns the class the reason belongs to.
func (r Reason) Kind() Kind { return reasons[r].kind }

// String returns the reason in words, for logs.
func (r Reason) String() string { return reasons[r].name }

// Reasons returns every reason, for tests that walk them through the fronts.
func Reasons() []Reason {
	all := make([]Reason, len(reasons))
	for i := range all {
		all[i] = Reason(i)
	}
	return all
}
