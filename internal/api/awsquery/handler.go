package awsquery

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"reflect"
	"strconv"
	"strings"

	"github.com/lighterage/lighterage/internal/access"
	"github.com/lighterage/lighterage/internal/edge"
	"github.com/lighterage/lighterage/internal/fault"
	"github.com/lighterage/lighterage/internal/identity"
)

// Authenticator proves who signed a request; *identity.Authority is one.
type Authenticator interface {
	Begin(r *http.Request, service string) (identity.Pending, error)
}

// Authorizer decides; *access.Decider is one.
type Authorizer interface {
	Authorize(ctx context.Context, c identity.Caller, action string, r access.Resource) error
}

// Config is what a Handler is made of. All of it must be set. A request's id
// and the address that its client used come from its edge.Request, and
// principal, action, resource and error go there: nothing is logged here.
type Config struct {
	// Services are told apart by the versions of their models. Before a version
	// is known, errors are those of the service that the signature is scoped
	// to, or of the first.
	Services      []Service
	Authenticator Authenticator
	Authorizer    Authorizer
}

// Handler serves the operations of all its services. A root mux gives it the
// requests of Match.
type Handler struct {
	config   Config
	services map[string]*target // by version
	memory   *edge.Memory
}

type target struct {
	service *Service
	rows    map[string]*Operation
}

// New returns a handler. It fails if a service's table does not fit its model,
// or lacks an operation of it.
func New(c Config) (*Handler, error) {
	if len(c.Services) == 0 {
		return nil, errors.New("no service")
	}
	h := &Handler{config: c, services: map[string]*target{}, memory: edge.NewMemory(formMemory, formWeight*maxBody)}
	for i := range c.Services {
		s := &c.Services[i]
		rows, err := s.rows()
		if err != nil {
			return nil, fmt.Errorf("service %s: %w", s.Model.Name, err)
		}
		if other, taken := h.services[s.Model.Version]; taken {
			return nil, fmt.Errorf("services %s and %s have the same version", other.service.Model.Name, s.Model.Name)
		}
		h.services[s.Model.Version] = &target{service: s, rows: rows}
	}
	return h, nil
}

// Match reports whether the request is one of this protocol: a form posted to
// the root. Of the other protocols there, AWS JSON has its own content type.
func Match(r *http.Request) bool {
	media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	return r.Method == http.MethodPost && r.URL.Path == "/" && err == nil && media == "application/x-www-form-urlencoded"
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
	service *Service // that the version names, and until then the signature
	event   *edge.Request
}

func (x *exchange) serve() error {
	x.service = x.signedFor()
	signed := x.sign()
	limit := int64(maxBody)
	if signed.err != nil {
		limit = maxUnsigned
	}
	lease := x.handler.memory.Lease(x.event.Client)
	defer lease.End()
	body, err := read(x.w, x.r, limit, lease)
	if signed.err != nil && fault.Is(err, fault.BodyTooLarge) {
		return signed.err
	}
	if err != nil {
		return err
	}
	form, err := parse(string(body))
	if err != nil {
		return err
	}
	op, err := x.route(form)
	if err != nil {
		return err
	}
	call := &Call{Scheme: x.event.Scheme, Host: x.event.Host, RequestID: x.event.ID}
	origin := identity.Origin{Client: x.event.Client, UserAgent: x.r.UserAgent(), Secure: x.event.Scheme == "https"}
	if !op.open {
		if signed.service != x.service {
			signed = x.sign() // for its words: it is not for this service
		}
		if call.Caller, err = signed.caller(body); err != nil {
			return err
		}
		x.event.Principal = call.Caller.ARN
	}
	call.Caller.Origin = origin
	in := reflect.New(op.In)
	if err := structure(op.Input, form, in.Elem()); err != nil {
		return err
	}
	x.event.Input = in.Interface()
	out, err := x.act(op, call, in)
	if err != nil {
		return err
	}
	return x.answer(op, out)
}

// signedFor returns the service that the signature's scope names, or the first
// one: the form, which says what is asked of which service, is read later, and
// how much of it depends on whether a known key signed.
func (x *exchange) signedFor() *Service {
	services := x.handler.config.Services
	for i := range services {
		if strings.Contains(x.r.Header.Get("Authorization"), "/"+services[i].Model.SigningName+"/aws4_request") {
			return &services[i]
		}
	}
	return &services[0]
}

// signature is what a request's header proves. The rest is its body's to prove.
type signature struct {
	service *Service
	pending identity.Pending
	err     error
}

// sign looks at the signature as one for the service.
func (x *exchange) sign() signature {
	pending, err := x.handler.config.Authenticator.Begin(x.r, x.service.Model.SigningName)
	return signature{x.service, pending, err}
}

// caller returns who signed the request with the body.
func (s signature) caller(body []byte) (identity.Caller, error) {
	if s.err != nil {
		return identity.Caller{}, s.err
	}
	hash := sha256.Sum256(body)
	return s.pending.Finish(hex.EncodeToString(hash[:]))
}

// route finds the row that the form means.
func (x *exchange) route(form []parameter) (*Operation, error) {
	action, err := get(form, "Action")
	if err != nil {
		return nil, err
	}
	version, err := get(form, "Version")
	if err != nil {
		return nil, err
	}
	if action == "" {
		return nil, fault.New(fault.OperationUnknown)
	}
	if version == "" {
		version = "NO_VERSION_SPECIFIED"
	}
	var op *Operation
	known := false
	if t := x.handler.services[version]; t != nil {
		x.service = t.service
		x.event.Service = t.service.Model.Name
		op, known = t.rows[action]
	}
	if known {
		x.event.Operation = action
	}
	switch {
	case !known:
		return nil, &fault.Error{Reason: fault.OperationUnknown, Detail: "Could not find operation " + inShort(action) + " for version " + inShort(version)}
	case op == nil:
		return nil, &fault.Error{Reason: fault.OperationNotOffered, Value: action}
	}
	x.event.Action = op.Action
	return op, nil
}

// act does what the caller asks for: it is the only way to a handler.
func (x *exchange) act(op *Operation, call *Call, in reflect.Value) (any, error) {
	if bad := op.Input.Violated(in.Elem()); bad != nil {
		return nil, style.Fault(*bad)
	}
	if !op.open {
		resource, err := op.resource(x.r.Context(), call, in.Interface())
		if err != nil {
			return nil, err
		}
		x.event.Resource = resource.ARN
		if err := x.handler.config.Authorizer.Authorize(x.r.Context(), call.Caller, op.Action, resource); err != nil {
			return nil, err
		}
	}
	return op.handle(x.r.Context(), call, in.Interface())
}

// answer sends an output.
func (x *exchange) answer(op *Operation, out any) error {
	v := reflect.ValueOf(out)
	if v.IsNil() {
		return errors.New("handler returned neither output nor error")
	}
	x.event.Output = out
	e := x.begin(op.Name + "Response")
	if op.Model.Wrapper != "" {
		e.element(op.Model.Wrapper, op.Output, v.Elem())
	}
	e.raw("<ResponseMetadata>")
	e.leaf("RequestId", x.event.ID)
	e.raw("</ResponseMetadata>")
	x.end(e, http.StatusOK, op.Name+"Response")
	return nil
}

// fail sends an error.
func (x *exchange) fail(err error) {
	a := x.service.Answer(err)
	x.event.Code, x.event.Message = a.Code, a.Message
	edge.RetryAfter(x.w.Header(), err)
	side := "Sender"
	if a.Status >= http.StatusInternalServerError {
		side = "Receiver"
	}
	e := x.begin("ErrorResponse")
	e.raw("<Error>")
	e.leaf("Type", side)
	e.leaf("Code", a.Code)
	e.leaf("Message", a.Message)
	e.raw("</Error>")
	e.leaf("RequestId", x.event.ID)
	x.end(e, a.Status, "ErrorResponse")
}

// begin returns an encoder of an answer: the root element in the service's
// namespace, for the children to follow. One that is too large to be held
// begins to leave with the status 200.
func (x *exchange) begin(root string) *encoder {
	x.w.Header().Set("Content-Type", "text/xml")
	x.w.Header().Set("X-Amzn-Requestid", x.event.ID)
	e := &encoder{to: x.w}
	e.raw("<", root, ` xmlns="`)
	e.text(x.service.Model.Namespace)
	e.raw(`">`)
	return e
}

// end sends what begin began, or the rest of it.
func (x *exchange) end(e *encoder, status int, root string) {
	e.raw("</", root, ">")
	if !e.sent {
		x.w.Header().Set("Content-Length", strconv.Itoa(len(e.buf)))
		x.w.WriteHeader(status)
	}
	e.flush(0)
	if x.event.Err == nil {
		x.event.Err = e.err // the client went away; the status is sent
	}
}
