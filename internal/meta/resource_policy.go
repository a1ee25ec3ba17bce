package meta

import "github.com/lighterage/lighterage/internal/name"

// The settings of a registry, under ECR's names for them.
const (
	ScanTypeSetting     = "BASIC_SCAN_TYPE_VERSION"
	PolicyScopeSetting  = "REGISTRY_POLICY_SCOPE" // V1 or V2: what a registry policy is asked about
	BlobMountingSetting = "BLOB_MOUNTING"         // ENABLED or DISABLED
)

// ResourcePolicyTx reads and writes the policies of repositories and of ECR
// registries, and a registry's settings.
type ResourcePolicyTx interface {
	// RepositoryPolicy returns a document. ErrNotFound.
	RepositoryPolicy(id RepositoryID) (string, error)
	// PutRepositoryPolicy adds or overwrites. ErrNotFound when no live
	// repository has the id. UnlinkRepository drops the policy.
	PutRepositoryPolicy(id RepositoryID, document string) error
	// DeleteRepositoryPolicy removes it. ErrNotFound.
	DeleteRepositoryPolicy(id RepositoryID) error

	// RegistryPolicy returns a document. ErrNotFound.
	RegistryPolicy(registry name.RegistryID) (string, error)
	// PutRegistryPolicy adds or overwrites, and adds the registry if new.
	PutRegistryPolicy(registry name.RegistryID, document string) error
	// DeleteRegistryPolicy removes it. ErrNotFound.
	DeleteRegistryPolicy(registry name.RegistryID) error

	// AccountSetting is a setting of a registry. ErrNotFound: never put.
	AccountSetting(registry name.RegistryID, setting string) (string, error)
	// PutAccountSetting adds or overwrites, and adds the registry if new.
	PutAccountSetting(registry name.RegistryID, setting, value string) error
}
