package awsquery

import (
	"context"
	"errors"
	"reflect"

	"github.com/lighterage/lighterage/internal/access"
	"github.com/lighterage/lighterage/internal/api/awsmodel"
	"github.com/lighterage/lighterage/internal/api/awsplan"
	"github.com/lighterage/lighterage/internal/fault"
	"github.com/lighterage/lighterage/internal/identity"
)

// Service is one AWS service: what its package gives to New.
type Service struct {
	Model *awsmodel.Model
	// Operations are the offered ones. NotOffered are the names of all others
	// of the model, and of those that AWS's service has beyond the model: they
	// are refused by name.
	Operations []Operation
	NotOffered []string
	// Errors words the domain's faults. Nil: all fall back to their kind's.
	Errors ErrorMapper
}

// ErrorMapper words a fault of the domain: the error's code on the wire, which
// is the model's if it has one, and the message. If it has no line for the
// fault, ok is false. It is not asked about the faults that this package words
// itself: credentials, bodies, access, unknown operations, load.
type ErrorMapper func(f *fault.Error) (code, message string, ok bool)

// Call is what a handler knows of a request besides its input.
type Call struct {
	// Caller is who signed; nobody, but for the origin, if the operation is Open.
	Caller identity.Caller
	// Scheme and Host are how the client addressed this server.
	Scheme, Host string
	RequestID    string
}

// Operation is one row of a service's table. Op and Open make it.
type Operation struct {
	awsplan.Operation

	open     bool
	resource func(context.Context, *Call, any) (access.Resource, error)
	handle   func(context.Context, *Call, any) (any, error)
}

// Op returns the row of an operation. resource names what the action is done
// to, from a validated input: Everything if the action knows no resources. What
// it looks up to tell so is nothing that its answers or errors may show.
// handle is called once access allowed it, and returns a fault for every
// foreseen error.
func Op[In, Out any](
	operation, action string,
	resource func(context.Context, *Call, *In) (access.Resource, error),
	handle func(context.Context, *Call, *In) (*Out, error),
) Operation {
	o := Open(operation, action, handle)
	o.open = false
	o.resource = func(ctx context.Context, c *Call, in any) (access.Resource, error) {
		return resource(ctx, c, in.(*In))
	}
	return o
}

// Open returns the row of an operation that is called without a signature:
// who calls, and whether they may, is for handle to find out from the input.
// Only an operation that is unsigned in the model can be one. A signature that
// is sent all the same is not looked at.
func Open[In, Out any](operation, action string, handle func(context.Context, *Call, *In) (*Out, error)) Operation {
	return Operation{
		Operation: awsplan.Operation{
			Name: operation, Action: action, In: reflect.TypeFor[In](), Out: reflect.TypeFor[Out](),
		},
		open:   true,
		handle: func(ctx context.Context, c *Call, in any) (any, error) { return handle(ctx, c, in.(*In)) },
	}
}

// Relax returns the row without the model's constraints on some values, of
// which the handler reports each by itself. A path names members, and the
// entries of lists and maps as member: "Tags.member.Key". What the values are
// made of, and whether they are required, is checked all the same.
func (o Operation) Relax(paths ...string) Operation {
	o.Relaxed = append(o.Relaxed[:len(o.Relaxed):len(o.Relaxed)], paths...)
	return o
}

// Everything is the resource of actions that IAM knows no narrower one for: *
// in the caller's account.
func Everything[In any](_ context.Context, c *Call, _ *In) (access.Resource, error) {
	return access.Resource{Account: c.Caller.Account, ARN: "*"}, nil
}

// rows checks the service's table against its model and returns it by name.
// An operation that is not offered has a nil row.
func (s *Service) rows() (map[string]*Operation, error) {
	return awsplan.Table(s.Model, s.Operations, s.NotOffered,
		func(o *Operation) *awsplan.Operation { return &o.Operation },
		func(o *Operation) error {
			switch {
			case o.open != o.Model.Unsigned:
				return errors.New("its row and its model disagree on whether it is signed")
			case o.Input.Holds(awsmodel.Bytes), o.Output.Holds(awsmodel.Bytes):
				return errors.New("bytes cannot be decoded or encoded")
			}
			return nil
		})
}
