package meta

// ResourceKind says what carries resource tags.
type ResourceKind uint8

// The kinds. Their values are stored.
const (
	RepositoryResource ResourceKind = 1
	ServiceResource    ResourceKind = 2
	UserResource       ResourceKind = 3
	RoleResource       ResourceKind = 4
	PolicyResource     ResourceKind = 5
	ProviderResource   ResourceKind = 6
)

// Resource is the owner of resource tags: a RepositoryID, ServiceID,
// PrincipalID, PolicyID or ProviderID, as the kind says.
type Resource struct {
	Kind ResourceKind
	ID   int64
}

// ResourceTag is a key and value that the user attached.
type ResourceTag struct{ Key, Value string }

// ResourceTagTx reads and writes resource tags.
type ResourceTagTx interface {
	// ResourceTags lists by key.
	ResourceTags(r Resource) ([]ResourceTag, error)
	// PutResourceTags adds or overwrites by key.
	PutResourceTags(r Resource, tags []ResourceTag) error
	// DeleteResourceTags removes keys; absent ones are no error.
	DeleteResourceTags(r Resource, keys []string) error
}
