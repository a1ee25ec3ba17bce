package awsquery

import (
	"context"
	"fmt"
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
	Name   string
	Action string // IAM action, as "iam:CreateUser"

	open     bool
	relaxed  []string
	in, out  reflect.Type
	resource func(context.Context, *Call, any) (access.Resource, error)
	handle   func(context.Context, *Call, any) (any, error)

	// Filled by New.
	model         awsmodel.Operation
	input, output *awsplan.Plan
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
		Name:   operation,
		Action: action,
		open:   true,
		in:     reflect.TypeFor[In](),
		out:    reflect.TypeFor[Out](),
		handle: func(ctx context.Context, c *Call, in any) (any, error) { return handle(ctx, c, in.(*In)) },
	}
}

// Relax returns the row without the model's constraints on some values, of
// which the handler reports each by itself. A path names members, and the
// entries of lists and maps as member: "Tags.member.Key". What the values are
// made of, and whether they are required, is checked all the same.
func (o Operation) Relax(paths ...string) Operation {
	o.relaxed = append(o.relaxed[:len(o.relaxed):len(o.relaxed)], paths...)
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
	rows := make(map[string]*Operation, len(s.Model.Operations))
	for _, o := range s.Operations {
		row, err := s.row(o)
		if err != nil {
			return nil, fmt.Errorf("operation %s: %w", o.Name, err)
		}
		if _, twice := rows[o.Name]; twice {
			return nil, fmt.Errorf("operation %s is in the table twice", o.Name)
		}
		rows[o.Name] = row
	}
	for _, o := range s.NotOffered {
		if _, twice := rows[o]; twice {
			return nil, fmt.Errorf("operation %s is offered or not offered twice", o)
		}
		rows[o] = nil
	}
	for _, o := range s.Model.Operations {
		if _, ok := rows[o.Name]; !ok {
			return nil, fmt.Errorf("operation %s is neither offered nor not offered", o.Name)
		}
	}
	return rows, nil
}

func (s *Service) row(o Operation) (*Operation, error) {
	m, ok := s.Model.Operation(o.Name)
	switch {
	case !ok:
		return nil, fmt.Errorf("it is not in the model")
	case o.in != m.In || o.out != m.Out:
		return nil, fmt.Errorf("its handler is for %s and %s, not %s and %s", o.in, o.out, m.In, m.Out)
	case o.Action == "":
		return nil, fmt.Errorf("it names no action")
	case o.open != m.Unsigned:
		return nil, fmt.Errorf("its row and its model disagree on whether it is signed")
	case holds(m.Input, awsmodel.Bytes) || holds(m.Output, awsmodel.Bytes):
		return nil, fmt.Errorf("bytes cannot be decoded or encoded")
	}
	var err error
	if o.input, err = awsplan.Compile(m.Input, m.In, o.relaxed...); err != nil {
		return nil, err
	}
	if o.output, err = awsplan.Compile(m.Output, m.Out); err != nil {
		return nil, err
	}
	o.model = m
	return &o, nil
}

// holds reports whether a value of the kind is somewhere in the shape.
func holds(s *awsmodel.Shape, k awsmodel.Kind) bool {
	if s == nil {
		return false
	}
	for _, m := range s.Members {
		if holds(m.Shape, k) {
			return true
		}
	}
	return s.Kind == k || holds(s.Elem, k)
}
