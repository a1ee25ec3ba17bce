package policy

import (
	_ "embed"
	"encoding/json"
	"strings"
	"sync"
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

// managedRow is what AWS says of a managed policy besides its document (AWS
// Managed Policy Reference Guide). The id of AmazonEC2ContainerRegistryPullOnly
// is not published: the one here only has its form.
type managedRow struct{ arn, id, created, description string }

// managedRows are by name without regard to case, as all lists of policies.
var managedRows = []managedRow{
	{"arn:aws:iam::aws:policy/AdministratorAccess", "ANPAIWMBCKSKIEE64ZLYK", "2015-02-06T18:39:46Z", "Every action on every resource."},
	{"arn:aws:iam::aws:policy/AmazonEC2ContainerRegistryFullAccess", "ANPAIESRL7KD7IIVF6V4W", "2015-12-21T17:06:48Z", "Every action on repositories and registries."},
	{"arn:aws:iam::aws:policy/AmazonEC2ContainerRegistryPowerUser", "ANPAJDNE5PIHROIBGGDDW", "2015-12-21T17:05:33Z", "Push and pull of images, without deleting and without changes of policies."},
	{"arn:aws:iam::aws:policy/AmazonEC2ContainerRegistryPullOnly", "ANPAZKAPJZG4PULLONLY2", "2024-10-04T16:58:00Z", "Pull of images."},
	{"arn:aws:iam::aws:policy/AmazonEC2ContainerRegistryReadOnly", "ANPAIFYZPA37OOHVIH7KQ", "2015-12-21T17:04:15Z", "Reading of repositories and pull of images."},
	{"arn:aws:iam::aws:policy/PowerUserAccess", "ANPAJYRXTHIB4FOVS3ZXS", "2015-02-06T18:39:47Z", "Every action on every resource but the management of identities."},
	{"arn:aws:iam::aws:policy/ReadOnlyAccess", "ANPAILL3HVNFSB6DCOWYQ", "2015-02-06T18:39:48Z", "Every action that only reads."},
}

// managedJSON has the documents by ARN.
//
//go:embed managed.json
var managedJSON []byte

// managed puts rows and documents together once. That they fit is tested.
var managed = sync.OnceValue(func() map[string]ManagedPolicy {
	var documents map[string]json.RawMessage
	if err := json.Unmarshal(managedJSON, &documents); err != nil {
		return nil
	}
	all := make(map[string]ManagedPolicy, len(managedRows))
	for _, row := range managedRows {
		created, err := time.Parse(time.RFC3339, row.created)
		if err != nil || documents[row.arn] == nil {
			continue
		}
		at := strings.LastIndexByte(row.arn, '/')
		all[row.arn] = ManagedPolicy{
			ARN: row.arn, Name: row.arn[at+1:], Path: row.arn[strings.IndexByte(row.arn, '/') : at+1], UniqueID: row.id,
			Description: row.description, Document: strings.ReplaceAll(string(documents[row.arn]), "\n    ", "\n"), CreatedAt: created,
		}
	}
	return all
})

// ManagedDocument returns the document of the managed policy of AWS's that has the ARN.
// Letter case counts, and there is one spelling: ok is false for any other.
func ManagedDocument(arn string) (document string, ok bool) {
	p, ok := managed()[arn]
	return p.Document, ok
}

// ManagedPolicyOf returns the managed policy of AWS's that has the ARN.
func ManagedPolicyOf(arn string) (ManagedPolicy, bool) {
	p, ok := managed()[arn]
	return p, ok
}

// ManagedPolicies returns all of AWS's that there are, by name.
func ManagedPolicies() []ManagedPolicy {
	all := make([]ManagedPolicy, 0, len(managedRows))
	for _, row := range managedRows {
		all = append(all, managed()[row.arn])
	}
	return all
}
