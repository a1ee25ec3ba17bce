// Package awsquery is the AWS query protocol: a form is posted to /, its
// Action names the operation, and the answer is XML.
//
//  1. An operation runs only for a request whose signature was proven over the
//     body that was read, and after access allowed its action.
//  2. A body is at most 1 MiB, or 64 KiB if it is not signed with a known key,
//     and all bodies together have a bound, of which each takes as much as has
//     arrived.
//  3. Every error leaves as an ErrorResponse with the service's code; one that
//     was not foreseen leaves without its cause.
//
// It knows no service: each brings a table. That an action does not exist or
// is not offered is said to anyone, as AWS does; some actions are made to be
// called unsigned.
//
// The protocol: https://smithy.io/2.0/aws/protocols/aws-query-protocol.html
package awsquery

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/xml"
	"mime"
	"net/http"
	"net/url"
	"slices"

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

// Service is a service's table.
type Service struct {
	Name       string // what clients sign for
	Version    string
	Namespace  string // of its XML
	Operations []Operation
	NotOffered []string // operations of the service's model that are refused by name
}

// Operation is a row of the table.
type Operation struct {
	Name     string
	Action   string // IAM action
	Resource func(identity.Caller, url.Values) access.Resource
	// Handle returns a struct whose fields are the members of the result.
	Handle func(context.Context, identity.Caller, url.Values) (any, error)
}

// Match reports whether the request is one of this protocol: a form posted to
// the root. Of the other protocols there, AWS JSON has its own content type.
func Match(r *http.Request) bool {
	media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	return r.Method == http.MethodPost && r.URL.Path == "/" && err == nil && media == "application/x-www-form-urlencoded"
}

// New returns the handler of a service's requests, which are those of Match.
func New(s Service, auth Authenticator, decider Authorizer) http.Handler {
	return &front{s, auth, decider, edge.NewMemory(formMemory, formWeight*maxBody)}
}

type front struct {
	service Service
	auth    Authenticator
	decider Authorizer
	memory  *edge.Memory
}

func (f *front) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	operation, result, err := f.serve(w, r)
	if err != nil {
		f.writeError(w, r, err)
		return
	}
	f.write(w, r, http.StatusOK, operation+"Response", []element{
		{operation + "Result", result},
		{"ResponseMetadata", metadata{edge.From(r.Context()).ID}},
	})
}

// serve returns the operation's name and result.
func (f *front) serve(w http.ResponseWriter, r *http.Request) (string, any, error) {
	event := edge.From(r.Context())
	pending, unsigned := f.auth.Begin(r, f.service.Name)
	limit := int64(maxBody)
	if unsigned != nil {
		limit = maxUnsigned
	}
	lease := f.memory.Lease(event.Client)
	defer lease.End()
	body, err := read(w, r, limit, lease)
	if unsigned != nil && fault.Is(err, fault.BodyTooLarge) {
		return "", nil, unsigned
	}
	if err != nil {
		return "", nil, err
	}
	form, err := url.ParseQuery(string(body))
	if err != nil {
		return "", nil, fault.Wrap(fault.BodyMalformed, err)
	}
	operation, err := f.find(form)
	if err != nil {
		return "", nil, err
	}
	if unsigned != nil {
		return "", nil, unsigned
	}
	hash := sha256.Sum256(body)
	caller, err := pending.Finish(hex.EncodeToString(hash[:]))
	if err != nil {
		return "", nil, err
	}
	resource := operation.Resource(caller, form)
	event.Principal, event.Action, event.Resource = caller.ARN, operation.Action, resource.ARN
	if err := f.decider.Authorize(r.Context(), caller, operation.Action, resource); err != nil {
		return "", nil, err
	}
	result, err := operation.Handle(r.Context(), caller, form)
	return operation.Name, result, err
}

func (f *front) find(form url.Values) (Operation, error) {
	action, version := form.Get("Action"), form.Get("Version")
	if action == "" {
		return Operation{}, fault.New(fault.OperationUnknown)
	}
	if version == "" {
		version = "NO_VERSION_SPECIFIED"
	}
	if version == f.service.Version {
		i := slices.IndexFunc(f.service.Operations, func(o Operation) bool { return o.Name == action })
		if i >= 0 {
			return f.service.Operations[i], nil
		}
		if slices.Contains(f.service.NotOffered, action) {
			return Operation{}, &fault.Error{Reason: fault.OperationNotOffered, Value: action}
		}
	}
	return Operation{}, &fault.Error{Reason: fault.OperationUnknown, Detail: "Could not find operation " + action + " for version " + version}
}

// element is a child of an answer.
type element struct {
	name  string
	value any
}

type metadata struct {
	RequestID string `xml:"RequestId"`
}

// write sends an answer: the root element in the service's namespace, with the
// given children.
func (f *front) write(w http.ResponseWriter, r *http.Request, status int, root string, children []element) {
	w.Header().Set("Content-Type", "text/xml")
	w.Header().Set("x-amzn-RequestId", edge.From(r.Context()).ID)
	w.WriteHeader(status)

	start := xml.StartElement{
		Name: xml.Name{Local: root},
		Attr: []xml.Attr{{Name: xml.Name{Local: "xmlns"}, Value: f.service.Namespace}},
	}
	e := xml.NewEncoder(w)
	err := e.EncodeToken(start)
	for _, c := range children {
		if err == nil {
			err = e.EncodeElement(c.value, xml.StartElement{Name: xml.Name{Local: c.name}})
		}
	}
	if err == nil {
		err = e.EncodeToken(start.End())
	}
	if err == nil {
		err = e.Close()
	}
	if err != nil { // the client is gone: the status is sent, only the event can tell
		edge.From(r.Context()).Err = err
	}
}
