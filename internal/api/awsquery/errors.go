package awsquery

import (
	"net/http"

	"github.com/lighterage/lighterage/internal/api/awsplan"
	"github.com/lighterage/lighterage/internal/fault"
)

// wording is how the protocol says a fault: the code, its status and, where
// the fault brings no sentence of its own, the sentence.
type wording struct {
	code     string
	status   int
	sentence string
}

// byReason has the faults whose code is not their kind's. Codes and statuses:
// https://docs.aws.amazon.com/STS/latest/APIReference/CommonErrors.html, whose
// editions differ on IncompleteSignature: 400 or 403. Of a parameter that is none
// of its kind SNS and SQS say MalformedInput (brendanhay/amazonka#209,
// rusoto/rusoto#586); these services are taken to do so too.
var byReason = map[fault.Reason]wording{
	fault.CredentialMissing:   {"MissingAuthenticationToken", http.StatusForbidden, "Request is missing Authentication Token"},
	fault.CredentialUnknown:   {"InvalidClientTokenId", http.StatusForbidden, "The security token included in the request is invalid."},
	fault.CredentialMalformed: {"IncompleteSignature", http.StatusBadRequest, "The request signature does not conform to AWS standards."},
	fault.SignatureInvalid:    {"SignatureDoesNotMatch", http.StatusForbidden, "The request signature we calculated does not match the signature you provided."},
	fault.TokenInvalid:        {"InvalidClientTokenId", http.StatusForbidden, "The security token included in the request is invalid."},
	fault.TokenExpired:        {"ExpiredToken", http.StatusForbidden, "The security token included in the request is expired"},
	fault.BodyMalformed:       {"MalformedQueryString", http.StatusBadRequest, "The request body is not a form."},
	fault.BodyTooLarge:        {"RequestEntityTooLarge", http.StatusRequestEntityTooLarge, "The request body is too large."},
	fault.OperationUnknown:    {"MissingAction", http.StatusBadRequest, "The request is missing an action or a required parameter."},
	fault.OperationNotOffered: {"UnknownOperationException", http.StatusBadRequest, "The action is not offered by this server"},
}

// byKind has the rest.
var byKind = map[fault.Kind]wording{
	fault.Internal:        {"InternalFailure", http.StatusInternalServerError, "The request processing has failed because of an unknown error, exception or failure."},
	fault.Invalid:         {"ValidationError", http.StatusBadRequest, "The input fails to satisfy the constraints of the service."},
	fault.Unauthenticated: {"InvalidClientTokenId", http.StatusForbidden, "The security token included in the request is invalid."},
	fault.Denied:          {"AccessDenied", http.StatusForbidden, "Access is denied."},
	fault.NotFound:        {"NoSuchEntity", http.StatusNotFound, "The subject of the request does not exist."},
	fault.Conflict:        {"EntityAlreadyExists", http.StatusConflict, "The subject of the request exists, or its state forbids the request."},
	fault.Exceeded:        {"LimitExceeded", http.StatusConflict, "A quota would be exceeded."},
	fault.Range:           {"ValidationError", http.StatusBadRequest, "The input fails to satisfy the constraints of the service."},
	fault.TooLarge:        {"RequestEntityTooLarge", http.StatusRequestEntityTooLarge, "The request is too large."},
	fault.Unsupported:     {"InvalidAction", http.StatusBadRequest, "The request is not supported by this server."},
	fault.Throttled:       {"Throttling", http.StatusBadRequest, "Rate exceeded"},
	fault.Unavailable:     {"ServiceUnavailable", http.StatusServiceUnavailable, "The request has failed due to a temporary failure of the server."},
}

// style words violated constraints; its code is AWS's common one.
var style = awsplan.Validation("ValidationError")

// Answer is an error as the client sees it.
type Answer struct {
	Status  int
	Code    string
	Message string
}

// Answer returns what the service answers for an error: the protocol's own
// line, else the service's, else that of the error's kind, without a detail
// where the server failed.
func (s *Service) Answer(err error) Answer {
	f := fault.Of(err)
	if _, ours := byReason[f.Reason]; !ours && !general(f) && s.Errors != nil {
		if code, message, ok := s.Errors(f); ok {
			return Answer{Status: s.status(code), Code: code, Message: message}
		}
	}
	return s.own(f)
}

// general reports whether a fault is this package's to word whatever the
// service says.
func general(f *fault.Error) bool {
	return f.Reason == fault.AccessDenied || f.Reason == fault.Overloaded
}

// status returns the status of a code: the model's, else that of whoever else
// has it, else that of all errors of clients.
func (s *Service) status(code string) int {
	if e, ok := s.Model.ErrorCode(code); ok && e.Status != 0 {
		return e.Status
	}
	for _, words := range byReason {
		if words.code == code {
			return words.status
		}
	}
	for _, words := range byKind {
		if words.code == code {
			return words.status
		}
	}
	return http.StatusBadRequest
}

// own returns the answer of a fault that the service has no line for.
func (s *Service) own(f *fault.Error) Answer {
	words, ok := byReason[f.Reason]
	if !ok {
		words = byKind[f.Kind()]
	}
	a := Answer{Status: words.status, Code: words.code, Message: words.sentence}
	switch {
	case f.Kind() == fault.Internal:
		if e, ok := s.Model.ErrorCode(failure); ok {
			a.Code, a.Status = failure, e.Status
		}
	case a.Status >= http.StatusInternalServerError: // what failed inside is for the log
	case f.Reason == fault.AccessDenied && f.Action != "":
		a.Message = f.Denial()
	case f.Reason == fault.OperationNotOffered && f.Value != "":
		a.Message = f.Value + " is not offered by this server"
	case f.Reason == fault.OperationUnknown && f.Detail != "":
		a.Code, a.Message = "InvalidAction", f.Detail
	case f.Reason == fault.BodyMalformed && f.Member != "":
		a.Code, a.Message = "MalformedInput", f.Detail
	case f.Reason == fault.ParameterInvalid && f.Constraint != "":
		a.Message = style.Message(f)
	case f.Detail != "":
		a.Message = f.Detail
	}
	return a
}

// failure is the code that a service uses for its own failures, if its model
// has it.
const failure = "ServiceFailure"
