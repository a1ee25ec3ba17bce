package awsjson

import (
	"context"
	"errors"
	"fmt"
	"reflect"

	"github.com/lighterage/lighterage/internal/access"
	"github.com/lighterage/lighterage/internal/api/awsmodel"
	"github.com/lighterage/lighterage/internal/api/awsplan"
	"github.com/lighterage/lighterage/internal/fault"
	"github.com/lighterage/lighterage/internal/identity"
	"github.com/lighterage/lighterage/internal/name"
)

// Service is one AWS service: what its package gives to New.
type Service struct {
	Model *awsmodel.Model
	// Operations are the offered ones, NotOffered the names of all others of
	// the model.
	Operations []Operation
	NotOffered []string
	// Style words violated constraints.
	Style Style
	// Errors words the domain's faults.
	Errors ErrorMapper
	// ErrorMembers returns further members of every error of the shape; those
	// that the model does not know of it are left out. Nil: none.
	ErrorMembers func(shape string) map[string]any
}

// ErrorMapper words a fault of the domain: the shape of its error, the message
// and further members. If it has no line for the fault, ok is false. It is not
// asked about the faults that this package words itself: credentials, bodies,
// access, unknown operations, load.
type ErrorMapper func(f *fault.Error) (shape, message string, extra map[string]any, ok bool)

// Call is what a handler knows of a request besides its input.
type Call struct {
	Caller identity.Caller
	// Registry is the one that is meant: of the account that the input names
	// in registryId, else of the caller's, in the region of the signature.
	Registry name.RegistryID
	// Scheme and Host are how the client addressed this server.
	Scheme, Host string
	RequestID    string
}

// Operation is one row of a service's table. Op makes it.
type Operation struct {
	awsplan.Operation

	resource func(*Call, any) (access.Resource, error)
	handle   func(context.Context, *Call, any) (any, error)

	// Filled by New.
	service *Service
	limit   int64 // of the body, in bytes
}

// Op returns the row of an operation. resource names what the action is done
// to, from a validated input: Everything if the action knows no resources.
// handle is called once access allowed it; it returns a fault for every
// foreseen error, and must not keep a Blob of its input.
func Op[In, Out any](
	operation, action string,
	resource func(*Call, *In) (access.Resource, error),
	handle func(context.Context, *Call, *In) (*Out, error),
) Operation {
	return Operation{
		Operation: awsplan.Operation{
			Name: operation, Action: action, In: reflect.TypeFor[In](), Out: reflect.TypeFor[Out](),
		},
		resource: func(c *Call, in any) (access.Resource, error) { return resource(c, in.(*In)) },
		handle:   func(ctx context.Context, c *Call, in any) (any, error) { return handle(ctx, c, in.(*In)) },
	}
}

// Relax returns the row without the model's constraints on some values, of
// which the handler reports each by itself. A path names members, and the
// entries of lists and maps as member: "imageIds.member.imageTag". What the
// values are made of, and whether they are required, is checked all the same.
func (o Operation) Relax(paths ...string) Operation {
	o.Relaxed = append(o.Relaxed[:len(o.Relaxed):len(o.Relaxed)], paths...)
	return o
}

// Everything is the resource of actions that IAM knows no narrower one for.
func Everything[In any](c *Call, _ *In) (access.Resource, error) {
	return access.Resource{Account: c.Registry.Account, ARN: "*"}, nil
}

// rows checks the service's table against its model and returns it by name.
// An operation that is not offered has a nil row.
func (s *Service) rows() (map[string]*Operation, error) {
	for _, name := range s.NotOffered {
		if _, ok := s.Model.Operation(name); !ok {
			return nil, fmt.Errorf("operation %s is not in the model", name)
		}
	}
	return awsplan.Table(s.Model, s.Operations, s.NotOffered,
		func(o *Operation) *awsplan.Operation { return &o.Operation },
		func(o *Operation) error {
			if o.Output.Holds(awsmodel.Bytes) {
				return errors.New("bytes in an output cannot be encoded")
			}
			o.service, o.limit = s, bodyLimit(o.Model.Input)
			return nil
		})
}

// registryID returns the account that an input names, or "".
func (o *Operation) registryID(in reflect.Value) name.AccountID {
	i, ok := o.Input.Index["registryId"]
	if !ok || in.Field(i).IsNil() {
		return ""
	}
	return name.AccountID(in.Field(i).Elem().String())
}
