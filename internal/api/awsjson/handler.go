package awsjson

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/lighterage/lighterage/internal/access"
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

// Outcome is one finished request, for the one event that is written about it.
type Outcome struct {
	RequestID string
	Service   string // empty: the target named none
	Operation string // empty: the target named none of the service
	Caller    identity.Caller
	Error     string // the shape of the error; empty: it succeeded
}

// Config is what a Handler is made of.
type Config struct {
	Services      []Service
	Authenticator Authenticator
	Authorizer    Authorizer
	Logger        *slog.Logger // gets the causes that clients do not see
	Now           func() time.Time
	// Base returns how the client addressed this server; nil: as the request
	// came, whatever stands before the server.
	Base func(*http.Request) (scheme, host string)
	// RequestID names the request; nil: a random UUID.
	RequestID func(*http.Request) string
	// Observe is told of every finished request; nil: nobody is.
	Observe func(context.Context, Outcome)
	// Memory is what all requests together may hold of blobs and long
	// strings, in bytes; 0: DefaultMemory.
	Memory int64
}

// Handler serves the operations of all its services.
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
	if c.Base == nil {
		c.Base = asItCame
	}
	if c.RequestID == nil {
		c.RequestID = func(*http.Request) string { return uuid.NewString() }
	}
	if c.Observe == nil {
		c.Observe = func(context.Context, Outcome) {}
	}
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

func asItCame(r *http.Request) (scheme, host string) {
	if r.TLS != nil {
		return "https", r.Host
	}
	return "http", r.Host
}

// ServeHTTP implements http.Handler.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	x := &exchange{handler: h, w: w, r: r}
	x.outcome.RequestID = h.config.RequestID(r)
	if err := x.serve(); err != nil {
		x.fail(err)
	}
	h.config.Observe(r.Context(), x.outcome)
}

// exchange is one request on its way to an answer.
type exchange struct {
	handler *Handler
	w       http.ResponseWriter
	r       *http.Request
	service *Service // nil until the target named one
	outcome Outcome
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
	in := reflect.New(op.in)
	d := &decoder{ctx: x.r.Context(), lease: &lease{of: x.handler.memory}}
	defer d.release()
	hash, decodeErr, err := x.read(d, op, in.Elem())
	if err != nil {
		return err
	}
	caller, err := pending.Finish(hash)
	if err != nil {
		return err
	}
	x.outcome.Caller = caller
	if decodeErr != nil {
		return decodeErr
	}
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
	x.service, x.outcome.Service = t.service, t.service.Model.Name
	op, ok := t.rows[operation]
	if !ok {
		return nil, fault.New(fault.OperationUnknown)
	}
	x.outcome.Operation = operation
	if op == nil {
		return nil, &fault.Error{Reason: fault.OperationNotOffered, Action: operation}
	}
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
	defer boundArrival(x.w, d.size)()

	buffer := x.handler.memory.buffers.Get().(*[bufferSize]byte)
	defer x.handler.memory.buffers.Put(buffer)
	b := newBody(x.r.Body, op.limit)
	d.src, d.buf = b, buffer[:]
	decodeErr = d.input(op.input, in)
	if err := b.drain(buffer[:]); err != nil {
		return "", nil, err
	}
	return b.payloadHash(), decodeErr, nil
}

// act does what the caller asks for: it is the only way to a handler.
func (x *exchange) act(op *Operation, caller identity.Caller, in reflect.Value) (any, error) {
	if bad := op.input.violated(in.Elem()); bad != nil {
		return nil, &fault.Error{
			Reason: fault.ParameterInvalid, Member: bad.Path, Value: bad.Value, Constraint: op.service.Style.Constraint(*bad),
		}
	}
	call := &Call{Caller: caller, Registry: caller.Registry(), RequestID: x.outcome.RequestID}
	call.Scheme, call.Host = x.handler.config.Base(x.r)
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
	if err := x.handler.config.Authorizer.Authorize(x.r.Context(), caller, op.Action, resource); err != nil {
		return nil, err
	}
	return op.handle(x.r.Context(), call, in.Interface())
}

const contentType = "application/x-amz-json-1.1"

// headers sets what every answer has. SDKs learn their clock's error from Date.
func (x *exchange) headers(size int64) {
	header := x.w.Header()
	header.Set("Content-Type", contentType)
	header.Set("Content-Length", strconv.FormatInt(size, 10))
	header.Set("X-Amzn-Requestid", x.outcome.RequestID)
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
	e.value(op.output, v.Elem())
	whole := e.size == 0
	x.headers(e.size + int64(len(e.buf)))
	x.w.WriteHeader(http.StatusOK)
	if !whole {
		e = encoder{to: x.w, buf: e.buf[:0]}
		e.value(op.output, v.Elem())
	}
	if _, err := x.w.Write(e.buf); err != nil && e.err == nil {
		e.err = err
	}
	if e.err != nil {
		x.handler.config.Logger.DebugContext(x.r.Context(), "answer not received", "request", x.outcome.RequestID, "error", e.err)
	}
	return nil
}

// fail sends an error.
func (x *exchange) fail(err error) {
	a := x.service.Answer(err)
	x.outcome.Error = a.Type
	log := x.handler.config.Logger.With("request", x.outcome.RequestID, "operation", x.outcome.Operation)
	if a.Status >= http.StatusInternalServerError {
		log.ErrorContext(x.r.Context(), "operation failed", "error", err)
	}
	text, err := a.body()
	if err != nil {
		log.ErrorContext(x.r.Context(), "error not encoded", "type", a.Type, "error", err)
		text = []byte(`{"__type":"InternalFailure"}`)
	}
	x.headers(int64(len(text)))
	x.w.Header().Set("X-Amzn-Errortype", a.Type)
	x.w.WriteHeader(a.Status)
	_, _ = x.w.Write(text) // a client that went away is nobody's concern
}
