// Package iam is the AWS Identity and Access Management API over the directory
// of the caller's account: each operation turns its input into names, asks the
// directory once, and turns the answer or the fault into IAM's shapes and
// sentences.
//
//  1. Every operation of the model is offered.
//  2. Every operation names the IAM action and the resource that package access
//     decides on before its handler runs. What is there is named with its path,
//     and what is not as if its path were /, so that a denial does not tell
//     which it is, as far as the caller's policies do not speak of paths.
//  3. Nothing outside the caller's account is read or changed, but AWS's own
//     managed policies, which are read.
//  4. A Marker is good for the operation, the account and the filter that it was
//     given for, and for nothing else.
//  5. A secret access key is in the answer that made it, and in no other.
//  6. Credentials of GetSessionToken open nothing here; those of a role do.
//
// It has no rules of its own: they are in package directory; who may, in
// package access.
//
// Sources: the IAM service model ("model" below), the IAM API reference and
// User Guide, the Service Authorization Reference, and texts that clients of
// IAM have published.
package iam

import (
	"context"

	"github.com/lighterage/lighterage/internal/access"
	"github.com/lighterage/lighterage/internal/api/awsmodel/iammodel"
	"github.com/lighterage/lighterage/internal/api/awsquery"
	"github.com/lighterage/lighterage/internal/directory"
	"github.com/lighterage/lighterage/internal/identity"
)

// Authorizer decides; *access.Decider is one. The protocol asks before a
// handler runs; a handler asks again where a second resource is concerned.
type Authorizer interface {
	Authorize(ctx context.Context, c identity.Caller, action string, r access.Resource) error
}

// Config is what the front is made of. Every field must be set.
type Config struct {
	Directory  *directory.Directory
	Authorizer Authorizer
}

type front struct{ Config }

// New returns the service for the protocol's handler.
func New(c Config) awsquery.Service {
	f := &front{c}
	return awsquery.Service{
		Model:      iammodel.Model,
		Operations: f.operations(),
		NotOffered: notOffered,
		Errors:     wordFault,
	}
}
