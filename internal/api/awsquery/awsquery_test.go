package awsquery_test

import (
	"context"
	"encoding/xml"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lighterage/lighterage/internal/access"
	"github.com/lighterage/lighterage/internal/api/awsquery"
	"github.com/lighterage/lighterage/internal/edge"
	"github.com/lighterage/lighterage/internal/fault"
	"github.com/lighterage/lighterage/internal/identity"
)

// gate is an authenticator that lets in or refuses as it is told, and notes
// what it was asked.
type gate struct {
	begin, finish error
	service, hash string
}

var caller = identity.Caller{Account: "123456789012", ARN: "arn:aws:iam::123456789012:root", UserID: "123456789012"}

func (g *gate) Begin(_ *http.Request, service string) (identity.Pending, error) {
	g.service = service
	return g, g.begin
}

func (g *gate) Finish(hash string) (identity.Caller, error) {
	g.hash = hash
	return caller, g.finish
}

// table is a service with one operation that echoes, or fails with err.
func table(err error) awsquery.Service {
	return awsquery.Service{
		Name: "echo", Version: "2000-01-01", Namespace: "https://echo.example.com/",
		Operations: []awsquery.Operation{{
			Name: "Echo", Action: "echo:Echo",
			Resource: func(c identity.Caller, _ url.Values) access.Resource {
				return access.Resource{Account: c.Account, ARN: "*"}
			},
			Handle: func(_ context.Context, c identity.Caller, form url.Values) (any, error) {
				return struct{ Said, By string }{form.Get("Say"), c.ARN}, err
			},
		}},
		NotOffered: []string{"Shout"},
	}
}

// post sends the form to the handler and returns the status, the body and the
// event.
func post(h http.Handler, form string) (*httptest.ResponseRecorder, *edge.Request) {
	event := &edge.Request{ID: "id-1"}
	r := httptest.NewRequest("POST", "/", strings.NewReader(form))
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r.WithContext(edge.With(r.Context(), event)))
	return w, event
}

func TestAnAnswerIsXMLInTheServicesNamespace(t *testing.T) {
	g := &gate{}
	w, event := post(awsquery.New(table(nil), g, access.New()), "Action=Echo&Version=2000-01-01&Say=a%3Cb")
	want := `<EchoResponse xmlns="https://echo.example.com/"><EchoResult><Said>a&lt;b</Said><By>arn:aws:iam::123456789012:root</By></EchoResult>` +
		`<ResponseMetadata><RequestId>id-1</RequestId></ResponseMetadata></EchoResponse>`
	if diff := cmp.Diff(want, w.Body.String()); diff != "" {
		t.Errorf("body (-want +got):\n%s", diff)
	}
	if w.Code != 200 || w.Header().Get("Content-Type") != "text/xml" || w.Header().Get("x-amzn-RequestId") != "id-1" {
		t.Errorf("status %d, header %v", w.Code, w.Header())
	}
	if g.service != "echo" || g.hash != "ceb1ee22c2d6bd7c68a9e19b33516588aa8b5e0b840d694faff9faa61abd74ae" {
		t.Errorf("asked for the service %q with the hash %q", g.service, g.hash)
	}
	if event.Principal != caller.ARN || event.Action != "echo:Echo" || event.Resource != "*" || event.Err != nil {
		t.Errorf("event %+v", event)
	}
}

type errorResponse struct {
	XMLName   xml.Name `xml:"https://echo.example.com/ ErrorResponse"`
	Type      string   `xml:"Error>Type"`
	Code      string   `xml:"Error>Code"`
	Message   string   `xml:"Error>Message"`
	RequestID string   `xml:"RequestId"`
}

func readError(t *testing.T, body io.Reader) errorResponse {
	t.Helper()
	var e errorResponse
	if err := xml.NewDecoder(body).Decode(&e); err != nil {
		t.Fatalf("not an ErrorResponse: %v", err)
	}
	e.XMLName = xml.Name{}
	return e
}

func TestWhatIsWrongIsSaid(t *testing.T) {
	denied := &fault.Error{Reason: fault.AccessDenied, Principal: "arn:p", Action: "echo:Echo", Resource: "*", Detail: "because of a test"}
	const echo = "Action=Echo&Version=2000-01-01"
	tests := []struct {
		name, form           string
		begin, finish, fails error
		status               int
		code, message        string
	}{
		{name: "no action", form: "Version=2000-01-01", status: 400, code: "MissingAction", message: "The request is missing an action or a required parameter."},
		{name: "an empty body", form: "", status: 400, code: "MissingAction", message: "The request is missing an action or a required parameter."},
		{name: "an unknown action", form: "Action=Sing&Version=2000-01-01", status: 400, code: "InvalidAction", message: "Could not find operation Sing for version 2000-01-01"},
		{name: "another version", form: "Action=Echo&Version=1999-01-01", status: 400, code: "InvalidAction", message: "Could not find operation Echo for version 1999-01-01"},
		{name: "no version", form: "Action=Echo", status: 400, code: "InvalidAction", message: "Could not find operation Echo for version NO_VERSION_SPECIFIED"},
		{name: "an action that is not offered", form: "Action=Shout&Version=2000-01-01", status: 400, code: "UnknownOperationException", message: "Shout is not offered by this server"},
		{name: "a body that is no form", form: "Action=%zz", status: 400, code: "MalformedQueryString", message: "The request body is not a form."},
		{name: "too many parameters", form: strings.Repeat("a&", 100_000), status: 400, code: "MalformedQueryString", message: "The request body is not a form."},
		{name: "a body beyond the limit", form: echo + "&Say=" + strings.Repeat("a", 1<<20), status: 413, code: "RequestEntityTooLarge", message: "The request body is too large."},
		{name: "no signature", form: echo, begin: fault.New(fault.CredentialMissing), status: 403, code: "MissingAuthenticationToken", message: "Request is missing Authentication Token"},
		{name: "an unknown key", form: echo, begin: fault.New(fault.CredentialUnknown), status: 403, code: "InvalidClientTokenId", message: "The security token included in the request is invalid."},
		{name: "half a signature", form: echo, begin: &fault.Error{Reason: fault.CredentialMalformed, Detail: "It lacks a half."}, status: 400, code: "IncompleteSignature", message: "It lacks a half."},
		{name: "a signature that does not hold", form: echo, finish: &fault.Error{Reason: fault.SignatureInvalid, Detail: "It does not match."}, status: 403, code: "SignatureDoesNotMatch", message: "It does not match."},
		{name: "an expired session", form: echo, finish: fault.New(fault.TokenExpired), status: 403, code: "ExpiredToken", message: "The security token included in the request is expired"},
		{name: "a denial", form: echo, fails: denied, status: 403, code: "AccessDenied", message: "User: arn:p is not authorized to perform: echo:Echo on resource: * because of a test"},
		{name: "an error of nobody's", form: echo, fails: errors.New("secret path"), status: 500, code: "InternalFailure", message: "The request processing has failed because of an unknown error, exception or failure."},
		{name: "a store that is away", form: echo, fails: &fault.Error{Reason: fault.StoreUnavailable, Detail: "secret path"}, status: 503, code: "ServiceUnavailable", message: "The request has failed due to a temporary failure of the server."},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w, event := post(awsquery.New(table(tt.fails), &gate{begin: tt.begin, finish: tt.finish}, access.New()), tt.form)
			want := errorResponse{Type: "Sender", Code: tt.code, Message: tt.message, RequestID: "id-1"}
			if tt.status >= 500 {
				want.Type = "Receiver"
			}
			if diff := cmp.Diff(want, readError(t, w.Body)); diff != "" || w.Code != tt.status {
				t.Errorf("status %d, want %d (-want +got):\n%s", w.Code, tt.status, diff)
			}
			if event.Err == nil {
				t.Error("the event knows of no error")
			}
		})
	}
}

func TestWithoutAccessNothingRuns(t *testing.T) {
	ran := false
	s := table(nil)
	s.Operations[0].Handle = func(context.Context, identity.Caller, url.Values) (any, error) { ran = true; return nil, nil }
	s.Operations[0].Resource = func(identity.Caller, url.Values) access.Resource {
		return access.Resource{Account: "210987654321", ARN: "arn:x"}
	}
	w, _ := post(awsquery.New(s, &gate{}, access.New()), "Action=Echo&Version=2000-01-01")
	if w.Code != 403 || ran {
		t.Errorf("status %d, ran: %v", w.Code, ran)
	}
}

func TestEveryReasonHasACodeAndNoInnerDetail(t *testing.T) {
	for _, reason := range fault.Reasons() {
		t.Run(reason.String(), func(t *testing.T) {
			cause := errors.New("inner cause")
			w, _ := post(awsquery.New(table(&fault.Error{Reason: reason, Err: cause}), &gate{}, access.New()), "Action=Echo&Version=2000-01-01")
			e := readError(t, w.Body)
			if w.Code < 400 || e.Code == "" || e.Message == "" || strings.Contains(e.Message, "inner cause") {
				t.Errorf("status %d, %+v", w.Code, e)
			}
		})
	}
}

func TestMatch(t *testing.T) {
	tests := []struct {
		name, method, target, contentType string
		want                              bool
	}{
		{"a form posted to the root", "POST", "/", "application/x-www-form-urlencoded", true},
		{"with a character set", "POST", "/", "application/x-www-form-urlencoded; charset=utf-8", true},
		{"in other letters", "POST", "/", "Application/X-WWW-Form-Urlencoded", true},
		{"AWS JSON", "POST", "/", "application/x-amz-json-1.1", false},
		{"a form posted elsewhere", "POST", "/v2/", "application/x-www-form-urlencoded", false},
		{"a page asked for", "GET", "/", "application/x-www-form-urlencoded", false},
		{"no content type", "POST", "/", "", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := httptest.NewRequest(tt.method, tt.target, nil)
			r.Header.Set("Content-Type", tt.contentType)
			if got := awsquery.Match(r); got != tt.want {
				t.Errorf("Match = %v", got)
			}
		})
	}
}
