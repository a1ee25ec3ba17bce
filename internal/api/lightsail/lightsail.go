// Package lightsail is the container part of the Amazon Lightsail API over
// package containers: each operation turns its input into names, asks the
// rules once, and turns the answer or the fault into Lightsail's shapes and
// sentences.
//
//  1. Every operation of the model is offered or listed in notOffered.
//  2. Every operation names the IAM action and the resource that package
//     access decides on before its handler runs.
//  3. What this server does not do is refused before anything is changed:
//     containers are stored and served here, not run.
//  4. A registry login is a token that is good for pushing to the account's
//     hidden repository and for nothing else.
//
// It has no rules of its own.
//
// Sources: the Lightsail service model ("model" below), the Lightsail API
// reference, and what lightsailctl, the AWS CLI's helper, sends.
package lightsail

import (
	"context"

	"github.com/lighterage/lighterage/internal/access"
	"github.com/lighterage/lighterage/internal/api/awsjson"
	"github.com/lighterage/lighterage/internal/api/awsmodel/lightsailmodel"
	"github.com/lighterage/lighterage/internal/containers"
	"github.com/lighterage/lighterage/internal/edge"
	"github.com/lighterage/lighterage/internal/identity"
	"github.com/lighterage/lighterage/internal/name"
)

// Issuer makes the passwords of registry logins; *identity.Authority is one.
type Issuer interface {
	IssueToken(ctx context.Context, c identity.Caller, scope identity.Scope, region name.Region) (identity.Token, error)
}

// Authorizer decides; *access.Decider is one. Operations ask it where they do
// more than the protocol's handler asked for.
type Authorizer interface {
	Authorize(ctx context.Context, c identity.Caller, action string, r access.Resource) error
}

// Config is what the front is made of. Every field must be set.
type Config struct {
	Services  *containers.Services
	Issuer    Issuer
	Access    Authorizer
	Addresses *edge.Addresses
}

type front struct{ Config }

// New returns the service for the protocol's handler.
func New(c Config) awsjson.Service {
	f := &front{c}
	return awsjson.Service{
		Model:        lightsailmodel.Model,
		Operations:   f.operations(),
		NotOffered:   notOffered,
		Style:        awsjson.ValidationError,
		Errors:       wordFault,
		ErrorMembers: errorMembers,
	}
}
