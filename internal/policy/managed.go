package policy

import (
	_ "embed"
	"slices"
	"time"
)

// ManagedPolicy is a managed policy of AWS's own. It is there in every account,
// nobody can change it, and its only version is v1.
type ManagedPolicy struct {
	ARN, Name, Path, UniqueID string
	Description               string
	Document                  string // of the kind Managed
	CreatedAt                 time.Time
}

// managed is what AWS says of its policies (AWS Managed Policy Reference Guide),
// by name without regard to case, as all lists of policies. The id of
// AmazonEC2ContainerRegistryPullOnly is not published: the one here only has
// its form.
var managed = []ManagedPolicy{
	{"arn:aws:iam::aws:policy/AdministratorAccess", "AdministratorAccess", "/", "ANPAIWMBCKSKIEE64ZLYK", "Every action on every resource.", administratorAccess, time.Date(2015, 2, 6, 18, 39, 46, 0, time.UTC)},
	{"arn:aws:iam::aws:policy/AmazonEC2ContainerRegistryFullAccess", "AmazonEC2ContainerRegistryFullAccess", "/", "ANPAIESRL7KD7IIVF6V4W", "Every action on repositories and registries.", amazonEC2ContainerRegistryFullAccess, time.Date(2015, 12, 21, 17, 6, 48, 0, time.UTC)},
	{"arn:aws:iam::aws:policy/AmazonEC2ContainerRegistryPowerUser", "AmazonEC2ContainerRegistryPowerUser", "/", "ANPAJDNE5PIHROIBGGDDW", "Push and pull of images, without deleting and without changes of policies.", amazonEC2ContainerRegistryPowerUser, time.Date(2015, 12, 21, 17, 5, 33, 0, time.UTC)},
	{"arn:aws:iam::aws:policy/AmazonEC2ContainerRegistryPullOnly", "AmazonEC2ContainerRegistryPullOnly", "/", "ANPAZKAPJZG4PULLONLY2", "Pull of images.", amazonEC2ContainerRegistryPullOnly, time.Date(2024, 10, 4, 16, 58, 0, 0, time.UTC)},
	{"arn:aws:iam::aws:policy/AmazonEC2ContainerRegistryReadOnly", "AmazonEC2ContainerRegistryReadOnly", "/", "ANPAIFYZPA37OOHVIH7KQ", "Reading of repositories and pull of images.", amazonEC2ContainerRegistryReadOnly, time.Date(2015, 12, 21, 17, 4, 15, 0, time.UTC)},
	{"arn:aws:iam::aws:policy/PowerUserAccess", "PowerUserAccess", "/", "ANPAJYRXTHIB4FOVS3ZXS", "Every action on every resource but the management of identities.", powerUserAccess, time.Date(2015, 2, 6, 18, 39, 47, 0, time.UTC)},
	{"arn:aws:iam::aws:policy/ReadOnlyAccess", "ReadOnlyAccess", "/", "ANPAILL3HVNFSB6DCOWYQ", "Every action that only reads.", readOnlyAccess, time.Date(2015, 2, 6, 18, 39, 48, 0, time.UTC)},
}

//go:embed managed/AdministratorAccess.json
var administratorAccess string

//go:embed managed/AmazonEC2ContainerRegistryFullAccess.json
var amazonEC2ContainerRegistryFullAccess string

//go:embed managed/AmazonEC2ContainerRegistryPowerUser.json
var amazonEC2ContainerRegistryPowerUser string

//go:embed managed/AmazonEC2ContainerRegistryPullOnly.json
var amazonEC2ContainerRegistryPullOnly string

//go:embed managed/AmazonEC2ContainerRegistryReadOnly.json
var amazonEC2ContainerRegistryReadOnly string

//go:embed managed/PowerUserAccess.json
var powerUserAccess string

//go:embed managed/ReadOnlyAccess.json
var readOnlyAccess string

// ManagedPolicyOf returns the managed policy of AWS's that has the ARN. Letter
// case counts, and there is one spelling: ok is false for any other.
func ManagedPolicyOf(arn string) (p ManagedPolicy, ok bool) {
	i := slices.IndexFunc(managed, func(p ManagedPolicy) bool { return p.ARN == arn })
	if i < 0 {
		return ManagedPolicy{}, false
	}
	return managed[i], true
}

// ManagedDocument returns the document of the managed policy that has the ARN.
func ManagedDocument(arn string) (document string, ok bool) {
	p, ok := ManagedPolicyOf(arn)
	return p.Document, ok
}

// ManagedPolicies returns all of AWS's that there are, by name.
func ManagedPolicies() []ManagedPolicy { return slices.Clone(managed) }
