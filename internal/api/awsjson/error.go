package awsjson

import (
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strconv"

	"github.com/lighterage/lighterage/internal/fault"
)

// Answer is an error as the client sees it.
type Answer struct {
	Status  int
	Type    string         // the shape's name
	Message string         // empty: the body has no message member
	Extra   map[string]any // further members by wire name: strings, numbers, truths
}

// framework are the errors that come before or around an operation and are
// the same in all services: AWS's common errors, as JSON services spell them.
var framework = map[fault.Reason]struct {
	status  int
	shape   string
	message func(*fault.Error) string
}{
	fault.CredentialMissing:   {400, "MissingAuthenticationTokenException", say("Missing Authentication Token")},
	fault.CredentialUnknown:   {400, "UnrecognizedClientException", say(tokenInvalid)},
	fault.TokenInvalid:        {400, "UnrecognizedClientException", say(tokenInvalid)},
	fault.CredentialMalformed: {400, "IncompleteSignatureException", detail},
	fault.SignatureInvalid:    {400, "InvalidSignatureException", detail},
	fault.TokenExpired:        {400, "ExpiredTokenException", say("The security token included in the request is expired")},
	fault.AccessDenied:        {400, "AccessDeniedException", (*fault.Error).Denial},
	fault.BodyMalformed:       {400, "SerializationException", detail},
	fault.BodyTooLarge:        {413, "RequestEntityTooLargeException", overLimit},
	fault.OperationUnknown:    {400, "UnknownOperationException", detail},
	fault.OperationNotOffered: {400, "UnknownOperationException", notOffered},
	fault.Overloaded:          {400, "ThrottlingException", say("Rate exceeded")},
}

const tokenInvalid = "The security token included in the request is invalid."

func say(text string) func(*fault.Error) string { return func(*fault.Error) string { return text } }

func detail(f *fault.Error) string { return f.Detail }

func overLimit(f *fault.Error) string {
	return "The request body is larger than " + strconv.FormatInt(f.Limit, 10) + " bytes."
}

func notOffered(f *fault.Error) string { return f.Action + " is not offered by this server" }

// Answer returns what the service answers for an error: the framework's line,
// else the service's own, else, without a detail, that the server failed.
func (s *Service) Answer(err error) Answer {
	f := fault.Of(err)
	if line, ok := framework[f.Reason]; ok {
		return s.complete(Answer{Status: line.status, Type: line.shape, Message: line.message(f)})
	}
	if s == nil {
		return Answer{Status: http.StatusInternalServerError, Type: "InternalFailure", Message: failed}
	}
	if s.Errors != nil {
		if shape, message, extra, ok := s.Errors(f); ok {
			return s.complete(Answer{Status: s.status(shape), Type: shape, Message: message, Extra: extra})
		}
	}
	if f.Reason == fault.ParameterInvalid {
		return s.complete(Answer{Status: http.StatusBadRequest, Type: s.Style.Error, Message: s.Style.Message(f)})
	}
	return s.complete(Answer{Status: http.StatusInternalServerError, Type: s.faultShape(), Message: failed})
}

const failed = "The request failed because of an internal error of the server."

// status returns the status of a modelled error: the models carry none of
// their own, so the protocol's defaults hold.
func (s *Service) status(shape string) int {
	if e, ok := s.Model.Error(shape); ok && e.Fault {
		return http.StatusInternalServerError
	}
	return http.StatusBadRequest
}

// faultShape returns the model's error that is the server's fault.
func (s *Service) faultShape() string {
	for _, e := range s.Model.Errors {
		if e.Fault {
			return e.Name
		}
	}
	return "InternalFailure"
}

// complete adds what the service says with each error, and leaves out what
// the model does not know of this one.
func (s *Service) complete(a Answer) Answer {
	if s == nil {
		return a
	}
	e, _ := s.Model.Error(a.Type)
	extra := map[string]any{}
	add := func(more map[string]any) {
		for _, m := range e.Members {
			if value, ok := more[m]; ok && m != "message" {
				extra[m] = value
			}
		}
	}
	if s.ErrorMembers != nil {
		add(s.ErrorMembers(a.Type))
	}
	add(a.Extra)
	a.Extra = extra
	return a
}

// body returns the answer as JSON, without further members that have no JSON.
func (a Answer) body() []byte {
	e := encoder{buf: []byte(`{"__type":`)}
	e.string(a.Type)
	if a.Message != "" {
		e.buf = append(e.buf, `,"message":`...)
		e.string(a.Message)
	}
	for _, name := range slices.Sorted(maps.Keys(a.Extra)) {
		text, err := json.Marshal(a.Extra[name])
		if err != nil {
			continue
		}
		e.buf = append(e.buf, ',')
		e.string(name)
		e.buf = append(append(e.buf, ':'), text...)
	}
	return append(e.buf, '}')
}
