package awsquery

import (
	"net/http"
	"strings"

	"github.com/lighterage/lighterage/internal/edge"
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
// https://docs.aws.amazon.com/STS/latest/APIReference/CommonErrors.html; that
// IncompleteSignature is a 400 was seen on the wire.
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

type errorBody struct {
	Type    string // whose fault it is
	Code    string
	Message string
}

func (f *front) writeError(w http.ResponseWriter, r *http.Request, err error) {
	edge.From(r.Context()).Err = err
	words := word(fault.Of(err))
	side := "Sender"
	if words.status >= http.StatusInternalServerError {
		side = "Receiver"
	}
	f.write(w, r, words.status, "ErrorResponse", []element{
		{"Error", errorBody{side, words.code, words.sentence}},
		{"RequestId", edge.From(r.Context()).ID},
	})
}

// word returns the code, status and whole sentence of a fault.
func word(e *fault.Error) wording {
	words, ok := byReason[e.Reason]
	if !ok {
		words = byKind[e.Kind()]
	}
	switch {
	case words.status >= http.StatusInternalServerError:
		return words // what failed inside is for the log
	case e.Reason == fault.AccessDenied && e.Action != "":
		words.sentence = strings.TrimSpace("User: " + e.Principal + " is not authorized to perform: " + e.Action + " on resource: " + e.Resource + " " + e.Detail)
	case e.Reason == fault.OperationNotOffered && e.Value != "":
		words.sentence = e.Value + " is not offered by this server"
	case e.Reason == fault.OperationUnknown && e.Detail != "":
		words.code, words.sentence = "InvalidAction", e.Detail
	case e.Detail != "":
		words.sentence = e.Detail
	}
	return words
}
