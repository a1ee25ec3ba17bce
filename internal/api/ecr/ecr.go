// Package ecr is the Amazon ECR API over the registry: each operation turns
// its input into names, asks the catalogue once, and turns the answer or the
// fault into ECR's shapes and sentences.
//
//  1. Every operation of the model is offered or listed in NotOffered.
//  2. Every operation names the IAM action and the resource that package
//     access decides on before its handler runs.
//  3. Manifests go in and out byte for byte; acceptedMediaTypes changes
//     nothing.
//  4. A nextToken is good for the operation, the registry, the repository and
//     the filter that it was given for, and for nothing else.
//
// It has no rules of its own: what may be put, moved or deleted is decided in
// package registry, what expires in package lifecycle, who may in package access.
//
// Sources: the ECR service model ("model" below), the ECR API reference and
// user guide, and texts that clients of ECR have published.
package ecr

import (
	"context"

	"github.com/lighterage/lighterage/internal/access"
	"github.com/lighterage/lighterage/internal/api/awsjson"
	"github.com/lighterage/lighterage/internal/api/awsmodel/ecrmodel"
	"github.com/lighterage/lighterage/internal/digest"
	"github.com/lighterage/lighterage/internal/edge"
	"github.com/lighterage/lighterage/internal/identity"
	"github.com/lighterage/lighterage/internal/lifecycle"
	"github.com/lighterage/lighterage/internal/name"
	"github.com/lighterage/lighterage/internal/registry"
)

// Issuer makes the credentials that answers carry; *identity.Authority is one.
type Issuer interface {
	IssueToken(ctx context.Context, c identity.Caller, scope identity.Scope, region name.Region) (identity.Token, error)
	IssueDownload(d identity.Download) string
}

// Decider decides what an operation's row cannot ask: about further resources
// of one request, and what a policy would come to. *access.Decider is one.
type Decider interface {
	Authorize(ctx context.Context, c identity.Caller, action string, r access.Resource) error
	LocksOut(ctx context.Context, c identity.Caller, registry name.RegistryID, repository name.RepositoryName, document string) (bool, error)
}

// Config is what the front is made of. Every field must be set.
type Config struct {
	Catalogue *registry.Catalogue
	Lifecycle *lifecycle.Runner
	Issuer    Issuer
	Access    Decider
	Addresses *edge.Addresses
	// DownloadURL is where the registry at a URL gives a layer to the holder
	// of a download token.
	DownloadURL func(registryURL string, repository name.RepositoryName, d digest.Digest, token string) string
}

type front struct{ Config }

// New returns the service for the protocol's handler.
func New(c Config) awsjson.Service {
	f := &front{c}
	return awsjson.Service{
		Model:      ecrmodel.Model,
		Operations: f.operations(),
		NotOffered: notOffered,
		Style:      awsjson.InvalidParameter,
		Errors:     wordFault,
	}
}
