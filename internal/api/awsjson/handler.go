package awsjson

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/lighterage/lighterage/internal/access"
	"github.com/lighterage/lighterage/internal/edge"
	"github.com/lighterage/lighterage/internal/fault"
	"github.com/lighterage/lighterage/internal/identity"
	"github.com/lighterage/lighterage/internal/name"
)

// Authenticator checks who signed a request, in two steps because the body is
// part of what is signed.
type Authenticator interface {
	// Begin checks all that can be checked before the body was read: that the
	// header can be read, is meant for the service and this time, and names a
	// known key.
	Begin(r *http.Request, signingName string) (Pending, error)
}

// Pending is a signature of which only the body's part is unchecked. It is
// identity's own, so that *identity.Authority is an Authenticator as it is.
type Pending = identity.Pending

// Authorizer decides whether a caller may do an action.
type Authorizer interface {
	Authorize(ctx context.Context, c identity.Caller, action string, r access.Resource) error
}

// Config is what a Handler is made of. All but Rate and Memory must be set. A request's
// id and the address that its client used come from its edge.Request, and
// principal, action, resource and error go there: nothing is logged here.
type Config struct {
	Services      []Service
	Authenticator Authenticator
	Authorizer    Authorizer
	Now           func() time.Time
	// Rate counts a call of an account in a region, and returns Overloaded for one
	// too many. Nil: as many as they like.
	Rate func(account name.AccountID, region name.Region, action string) error
	// Memory is what all requests together may hold of what they sent, beyond
	// a little each, in bytes; 0: DefaultMemory.
	Memory int64
}

// Handler serves the operations of all its services. It stands behind
// edge.Handler, which names each request and writes what became of it.
type Handler struct {
	config   Config
	services map[string]*target // by target prefix
	memory   *memory
}

type target struct {
	service *Service
	rows    map[string]*Operation
}

// New returns a handler. It fails if a service's table does not fit its model.
func New(c Config) (*Handler, error) {
	if c.Memory == 0 {
		c.Memory = DefaultMemory
	}
	h := &Handler{config: c, services: map[string]*target{}, memory: newMemory(c.Memory)}
	for i := range c.Services {
		s := &c.Services[i]
		rows, err := s.rows()
		if err != nil {
			return nil, fmt.Errorf("service %s: %w", s.Model.Name, err)
		}
		h.services[s.Model.TargetPrefix] = &target{service: s, rows: rows}
	}
	return h, nil
}

// ServeHTTP implements http.Handler.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	x := &exchange{handler: h, w: w, r: r, event: edge.From(r.Context())}
	if err := x.serve(); err != nil {
		x.event.Err = err
		x.fail(err)
	}
}

// exchange is one request on its way to an answer.
type exchange struct {
	handler *Handler
	w       http.ResponseWriter
	r       *http.Request
	service *Service // nil until the target named one
	event   *edge.Request
}

func (x *exchange) serve() error {
	op, err := x.route()
	if err != nil {
		return err
	}
	pending, err := x.handler.config.Authenticator.Begin(x.r, x.service.Model.SigningName)
	if err != nil {
		return err
	}
	in := reflect.New(op.In)
	d := &decoder{scanner: scanner{account: x.handler.memory.account(x.r.Context(), x.event.Client)}}
	defer d.release()
	hash, decodeErr, err := x.read(d, op, in.Elem())
	if err != nil {
		return err
	}
	caller, err := pending.Finish(hash)
	if err != nil {
		return err
	}
	x.event.Principal = caller.ARN
	caller.Origin = identity.Origin{Client: x.event.Client, UserAgent: x.r.UserAgent(), Secure: x.event.Scheme == "https"}
	if decodeErr != nil {
		return decodeErr
	}
	x.event.Input = in.Interface()
	out, err := x.act(op, caller, in)
	if err != nil {
		return err
	}
	return x.answer(op, out)
}

// route finds the row that the request means.
func (x *exchange) route() (*Operation, error) {
	if x.r.Method != http.MethodPost {
		return nil, fault.New(fault.OperationUnknown)
	}
	prefix, operation, _ := strings.Cut(x.r.Header.Get("X-Amz-Target"), ".")
	t, ok := x.handler.services[prefix]
	if !ok {
		return nil, fault.New(fault.OperationUnknown)
	}
	x.service = t.service
	x.event.Service = t.service.Model.Name
	op, ok := t.rows[operation]
	if !ok {
		return nil, fault.New(fault.OperationUnknown)
	}
	x.event.Operation = operation
	if op == nil {
		return nil, &fault.Error{Reason: fault.OperationNotOffered, Action: operation}
	}
	x.event.Action = op.Action
	return op, nil
}

// read decodes the body into in and reads it to its end, for the signature is
// over all of it. What is wrong with its content is decodeErr, to be told
// after the signature was proven; err is a body that cannot be hashed.
func (x *exchange) read(d *decoder, op *Operation, in reflect.Value) (hash string, decodeErr, err error) {
	d.size = op.limit
	if declared := x.r.ContentLength; declared > op.limit {
		return "", nil, tooLarge(op.limit)
	} else if declared >= 0 {
		d.size = declared
	}

	memory := x.handler.memory
	head := memory.heads.Get().(*[headSize]byte)
	defer memory.heads.Put(head)
	var wide *[bufferSize]byte
	defer func() {
		if wide != nil {
			memory.buffers.Put(wide)
		}
	}()
	d.widen = func() ([]byte, error) {
		if err := d.account.charge(bufferSize); err != nil {
			return nil, err
		}
		wide = memory.buffers.Get().(*[bufferSize]byte)
		return wide[:], nil
	}
	b := newBody(edge.NewArrival(x.r.Body, x.handler.config.Now), op.limit)
	d.src, d.buf = b, head[:]
	decodeErr = d.input(op.Input, in)
	if err := b.drain(d.buf); err != nil {
		return "", nil, err
	}
	return b.payloadHash(), decodeErr, nil
}

// act does what the caller asks for: it is the only way to a handler.
func (x *exchange) act(op *Operation, caller identity.Caller, in reflect.Value) (any, error) {
	if bad := op.Input.Violated(in.Elem()); bad != nil {
		return nil, op.service.Style.Fault(*bad)
	}
	call := &Call{Caller: caller, Registry: caller.Registry(), Scheme: x.event.Scheme, Host: x.event.Host, RequestID: x.event.ID}
	named := op.registryID(in.Elem())
	if named != "" {
		account, err := name.ParseAccountID(string(named))
		if err != nil {
			return nil, err
		}
		call.Registry.Account = account
	}
	resource, err := op.resource(call, in.Interface())
	if err != nil {
		return nil, err
	}
	if named != "" {
		resource.Account = call.Registry.Account
	}
	x.event.Resource = resource.ARN
	if err := x.handler.config.Authorizer.Authorize(x.r.Context(), caller, op.Action, resource); err != nil {
		return nil, err
	}
	// Whoever may not do something takes nothing from those who may.
	if rate := x.handler.config.Rate; rate != nil {
		if err := rate(caller.Account, call.Registry.Region, op.Action); err != nil {
			return nil, err
		}
	}
	return op.handle(x.r.Context(), call, in.Interface())
}

const contentType = "application/x-amz-json-1.1"

// headers sets what every answer has. SDKs learn their clock's error from Date.
func (x *exchange) headers(size int64) {
	header := x.w.Header()
	header.Set("Content-Type", contentType)
	header.Set("Content-Length", strconv.FormatInt(size, 10))
	header.Set("X-Amzn-Requestid", x.event.ID)
	header.Set("Date", x.handler.config.Now().UTC().Format(http.TimeFormat))
}

// answer sends an output. One that is too large to hold is encoded twice: to
// know its length, and to send it.
func (x *exchange) answer(op *Operation, out any) error {
	v := reflect.ValueOf(out)
	if v.IsNil() {
		return errors.New("handler returned neither output nor error")
	}
	var e encoder
	e.value(op.Output, v.Elem())
	whole := e.size == 0
	x.event.Output = out
	x.headers(e.size + int64(len(e.buf)))
	x.w.WriteHeader(http.StatusOK)
	if !whole {
		e = encoder{to: x.w, buf: e.buf[:0]}
		e.value(op.Output, v.Elem())
	}
	_, err := x.w.Write(e.buf)
	x.event.Err = errors.Join(e.err, err) // the client went away; the status is sent
	return nil
}

// fail sends an error.
func (x *exchange) fail(err error) {
	a := x.service.Answer(err)
	text := a.body()
	x.event.Code, x.event.Message = a.Type, a.Message
	x.headers(int64(len(text)))
	x.w.Header().Set("X-Amzn-Errortype", a.Type)
	edge.RetryAfter(x.w.Header(), err)
	x.w.WriteHeader(a.Status)
	_, _ = x.w.Write(text) // a client that went away is nobody's concern
}
