package awsquery_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lighterage/lighterage/internal/access"
	"github.com/lighterage/lighterage/internal/api/awsmodel"
	"github.com/lighterage/lighterage/internal/api/awsmodel/iammodel"
	"github.com/lighterage/lighterage/internal/api/awsquery"
	"github.com/lighterage/lighterage/internal/edge"
	"github.com/lighterage/lighterage/internal/fault"
)

func TestAnAnswerIsXMLInTheServicesNamespace(t *testing.T) {
	g := &gate{}
	w, event := post(front(t, g, table(nil)), "Action=Echo&Version=2000-01-01&Say=a%3Cb")
	want := `<EchoResponse xmlns="https://echo.example.com/"><EchoResult><Say>a&lt;b</Say><By>arn:aws:iam::123456789012:root</By></EchoResult>` +
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

func TestAnAnswerWithoutOutputHasNoResult(t *testing.T) {
	w, _ := post(front(t, &gate{}, table(nil)), "Action=Rest&Version=2000-01-01")
	const want = `<RestResponse xmlns="https://echo.example.com/"><ResponseMetadata><RequestId>id-1</RequestId></ResponseMetadata></RestResponse>`
	if w.Body.String() != want {
		t.Errorf("got %s", w.Body)
	}
}

func TestALongAnswerArrivesWhole(t *testing.T) {
	for _, n := range []int{10, 2000} {
		names := strings.Repeat("a", 100)
		s := table(nil)
		s.Operations[0] = awsquery.Op("Echo", "echo:Echo", awsquery.Everything[toySaid], func(context.Context, *awsquery.Call, *toySaid) (*toySaid, error) {
			out := &toySaid{}
			for range n {
				out.Names = append(out.Names, names)
			}
			return out, nil
		})
		w, event := post(front(t, &gate{}, s), "Action=Echo&Version=2000-01-01")
		want := `<EchoResponse xmlns="https://echo.example.com/"><EchoResult><Names>` + strings.Repeat("<member>"+names+"</member>", n) +
			`</Names></EchoResult><ResponseMetadata><RequestId>id-1</RequestId></ResponseMetadata></EchoResponse>`
		if w.Code != 200 || event.Err != nil || w.Body.String() != want {
			t.Errorf("%d: status %d, %v, %d bytes, want %d", n, w.Code, event.Err, w.Body.Len(), len(want))
		}
	}
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
		{name: "two actions", form: echo + "&Action=Rest", status: 400, code: "MalformedInput", message: "The parameter Action is given twice."},
		{name: "a modelled action that is not offered", form: "Action=Shout&Version=2000-01-01", status: 400, code: "UnknownOperationException", message: "Shout is not offered by this server"},
		{name: "an action that is not even modelled", form: "Action=Whisper&Version=2000-01-01", status: 400, code: "UnknownOperationException", message: "Whisper is not offered by this server"},
		{name: "a body that is no form", form: "Action=%zz", status: 400, code: "MalformedQueryString", message: "The request body is not a form."},
		{name: "a body that is not UTF-8", form: echo + "&Say=%ff", status: 400, code: "MalformedQueryString", message: "The request body is not UTF-8."},
		{name: "too many parameters", form: strings.Repeat("a&", 5_000), status: 400, code: "MalformedQueryString", message: "The request body has more than 4000 parameters."},
		{name: "a body beyond the limit", form: echo + "&Say=" + strings.Repeat("a", 1<<20), status: 413, code: "RequestEntityTooLarge", message: "The request body is too large."},
		{name: "a parameter of another kind", form: echo + "&Count=many", status: 400, code: "MalformedInput", message: "The parameter Count cannot be converted to an Integer."},
		{name: "a violated constraint", form: echo + "&Names.member.1=ab&Names.member.2=B", status: 400, code: "ValidationError", message: "1 validation error detected: Value 'B' at 'names.2.member' failed to satisfy constraint: Member must have length greater than or equal to 2"},
		{name: "no signature", form: echo, begin: fault.New(fault.CredentialMissing), status: 403, code: "MissingAuthenticationToken", message: "Request is missing Authentication Token"},
		{name: "no signature, and the rest is wrong too", form: echo + "&Count=many", begin: fault.New(fault.CredentialMissing), status: 403, code: "MissingAuthenticationToken", message: "Request is missing Authentication Token"},
		{name: "an unknown key", form: echo, begin: fault.New(fault.CredentialUnknown), status: 403, code: "InvalidClientTokenId", message: "The security token included in the request is invalid."},
		{name: "half a signature", form: echo, begin: &fault.Error{Reason: fault.CredentialMalformed, Detail: "It lacks a half."}, status: 400, code: "IncompleteSignature", message: "It lacks a half."},
		{name: "a signature that does not hold", form: echo, finish: &fault.Error{Reason: fault.SignatureInvalid, Detail: "It does not match."}, status: 403, code: "SignatureDoesNotMatch", message: "It does not match."},
		{name: "an expired session", form: echo, finish: fault.New(fault.TokenExpired), status: 403, code: "ExpiredToken", message: "The security token included in the request is expired"},
		{name: "a denial", form: echo, fails: denied, status: 403, code: "AccessDenied", message: "User: arn:p is not authorized to perform: echo:Echo on resource: * because of a test"},
		{name: "a fault that the service words", form: echo, fails: &fault.Error{Reason: fault.LayerNotFound, Digest: "<it>"}, status: 410, code: "NotHere", message: "It is gone: <it>"},
		{name: "a fault of an open operation", form: "Action=Call&Version=2000-01-01", begin: fault.New(fault.CredentialMissing), fails: &fault.Error{Reason: fault.LayerNotFound, Digest: "it"}, status: 410, code: "NotHere", message: "It is gone: it"},
		{name: "a fault that only its kind words", form: echo, fails: fault.New(fault.RepositoryNotFound), status: 404, code: "NoSuchEntity", message: "The subject of the request does not exist."},
		{name: "a parameter that a handler refuses", form: echo, fails: &fault.Error{Reason: fault.ParameterInvalid, Member: "say", Value: "x", Constraint: "Member must be louder"}, status: 400, code: "ValidationError", message: "1 validation error detected: Value 'x' at 'say' failed to satisfy constraint: Member must be louder"},
		{name: "a parameter that a handler refuses in a sentence", form: echo, fails: &fault.Error{Reason: fault.ParameterInvalid, Detail: "Speak up."}, status: 400, code: "ValidationError", message: "Speak up."},
		{name: "an error of nobody's", form: echo, fails: errors.New("secret path"), status: 500, code: "InternalFailure", message: "The request processing has failed because of an unknown error, exception or failure."},
		{name: "a store that is away", form: echo, fails: &fault.Error{Reason: fault.StoreUnavailable, Detail: "secret path"}, status: 503, code: "ServiceUnavailable", message: "The request has failed due to a temporary failure of the server."},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w, event := post(front(t, &gate{begin: tt.begin, finish: tt.finish}, table(tt.fails)), tt.form)
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
	s.Operations[0] = awsquery.Op("Echo", "echo:Echo",
		func(context.Context, *awsquery.Call, *toySaid) (access.Resource, error) {
			return access.Resource{Account: "210987654321", ARN: "arn:x"}, nil
		},
		func(context.Context, *awsquery.Call, *toySaid) (*toySaid, error) { ran = true; return &toySaid{}, nil })
	w, event := post(front(t, &gate{}, s), "Action=Echo&Version=2000-01-01")
	if w.Code != 403 || ran || event.Resource != "arn:x" {
		t.Errorf("status %d, ran: %v, event %+v", w.Code, ran, event)
	}
}

func TestAnOpenOperationNeedsNoSignature(t *testing.T) {
	g := &gate{begin: fault.New(fault.CredentialUnknown)}
	w, event := post(front(t, g, table(nil)), "Action=Call&Version=2000-01-01&Say=hello")
	if w.Code != 200 || event.Action != "echo:Call" || g.hash != "" {
		t.Errorf("status %d, event %+v, asked with the hash %q", w.Code, event, g.hash)
	}
}

// TestTheVersionNamesTheService has two services, of which a request is signed
// for one and may ask the other.
func TestTheVersionNamesTheService(t *testing.T) {
	model := *toyModel
	model.Name, model.SigningName, model.Version = "other", "other", "2001-01-01"
	other := table(nil)
	other.Model = &model
	for _, tt := range []struct{ name, signed, version, asked string }{
		{"signed for the first", "echo", "2000-01-01", "echo"},
		{"signed for the second", "other", "2001-01-01", "other"},
		{"signed for the first and asking the second", "echo", "2001-01-01", "other"},
		{"signed for neither", "sts", "2001-01-01", "other"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			g := &gate{}
			r := httptest.NewRequest("POST", "/", strings.NewReader("Action=Echo&Version="+tt.version))
			r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=A/20260301/us-east-1/"+tt.signed+"/aws4_request, SignedHeaders=host, Signature=00")
			front(t, g, table(nil), other).ServeHTTP(httptest.NewRecorder(), r.WithContext(edge.With(r.Context(), &edge.Request{})))
			if g.service != tt.asked || g.hash == "" {
				t.Errorf("the signature was looked at as one for %q", g.service)
			}
		})
	}
}

func TestEveryReasonHasACodeAndNoInnerDetail(t *testing.T) {
	for _, reason := range fault.Reasons() {
		t.Run(reason.String(), func(t *testing.T) {
			cause := errors.New("inner cause")
			w, _ := post(front(t, &gate{}, table(&fault.Error{Reason: reason, Err: cause})), "Action=Echo&Version=2000-01-01")
			e := readError(t, w.Body)
			if w.Code < 400 || e.Code == "" || e.Message == "" || strings.Contains(e.Message, "inner cause") {
				t.Errorf("status %d, %+v", w.Code, e)
			}
		})
	}
}

func TestCodesHaveTheModelsStatus(t *testing.T) {
	for _, tt := range []struct {
		code   string // that the service words any fault with
		reason fault.Reason
		want   awsquery.Answer
	}{
		{"NoSuchEntity", fault.ImageNotFound, awsquery.Answer{Status: 404, Code: "NoSuchEntity", Message: "m"}},
		{"EntityAlreadyExists", fault.ImageExists, awsquery.Answer{Status: 409, Code: "EntityAlreadyExists", Message: "m"}},
		{"DeleteConflict", fault.RepositoryNotEmpty, awsquery.Answer{Status: 409, Code: "DeleteConflict", Message: "m"}},
		{"MalformedPolicyDocument", fault.ManifestInvalid, awsquery.Answer{Status: 400, Code: "MalformedPolicyDocument", Message: "m"}},
		{"PolicyEvaluation", fault.ManifestInvalid, awsquery.Answer{Status: 500, Code: "PolicyEvaluation", Message: "m"}},
		{"AccessDenied", fault.ManifestInvalid, awsquery.Answer{Status: 403, Code: "AccessDenied", Message: "m"}},
		{"SomethingElse", fault.ManifestInvalid, awsquery.Answer{Status: 400, Code: "SomethingElse", Message: "m"}},
		{"", fault.Unexpected, awsquery.Answer{Status: 500, Code: "ServiceFailure", Message: "The request processing has failed because of an unknown error, exception or failure."}},
		{"NoSuchEntity", fault.CredentialUnknown, awsquery.Answer{Status: 403, Code: "InvalidClientTokenId", Message: "The security token included in the request is invalid."}},
		{"NoSuchEntity", fault.Overloaded, awsquery.Answer{Status: 400, Code: "Throttling", Message: "Rate exceeded"}},
	} {
		s := awsquery.Service{Model: iammodel.Model, Errors: func(*fault.Error) (string, string, bool) { return tt.code, "m", tt.code != "" }}
		if diff := cmp.Diff(tt.want, s.Answer(fault.New(tt.reason))); diff != "" {
			t.Errorf("%s as %s (-want +got):\n%s", tt.reason, tt.code, diff)
		}
	}
}

type toyFile struct{ Pages []awsmodel.Blob }

var toyFiled = &awsmodel.Shape{Name: "File", Kind: awsmodel.Structure, Members: []awsmodel.Member{
	{Name: "Pages", Shape: &awsmodel.Shape{Name: "Pages", Kind: awsmodel.List, Elem: &awsmodel.Shape{Name: "Page", Kind: awsmodel.Bytes}}},
}}

// echoing is the toy model in which Echo is another operation.
func echoing(o awsmodel.Operation) *awsmodel.Model {
	m := *toyModel
	m.Operations = slices.Clone(m.Operations)
	o.Name = m.Operations[0].Name
	m.Operations[0] = o
	return &m
}

func TestNewRefusesATableThatDoesNotFitItsModel(t *testing.T) {
	pass := func(context.Context, *awsquery.Call, *toySaid) (*toyNothing, error) { return nil, nil }
	for _, tt := range []struct {
		name string
		edit func(*awsquery.Service)
		want string
	}{
		{"a missing operation", func(s *awsquery.Service) { s.Operations = s.Operations[1:] }, "Echo is neither offered nor not offered"},
		{"an operation twice", func(s *awsquery.Service) { s.Operations = append(s.Operations, s.Operations[0]) }, "Echo is in the table twice"},
		{"one that is both offered and not", func(s *awsquery.Service) { s.NotOffered = append(s.NotOffered, "Echo") }, "Echo is offered or not offered twice"},
		{"an operation that is none", func(s *awsquery.Service) { s.Operations[0].Name = "Sing" }, "not in the model"},
		{"another handler", func(s *awsquery.Service) { s.Operations[0].Name = "Rest" }, "its handler is for"},
		{"no action", func(s *awsquery.Service) { s.Operations[0].Action = "" }, "names no action"},
		{"a signed operation as an open one", func(s *awsquery.Service) {
			s.Operations[0] = awsquery.Open("Echo", "echo:Echo", func(context.Context, *awsquery.Call, *toySaid) (*toySaid, error) { return nil, nil })
		}, "disagree on whether it is signed"},
		{"an open operation as a signed one", func(s *awsquery.Service) {
			s.Operations[2] = awsquery.Op("Call", "echo:Call", awsquery.Everything[toySaid], pass)
		}, "disagree on whether it is signed"},
		{"a relaxed member that is none", func(s *awsquery.Service) { s.Operations[0] = s.Operations[0].Relax("Say", "Sigh") }, `no member at "Sigh"`},
		{"bytes in an input", func(s *awsquery.Service) {
			s.Model = echoing(awsmodel.Operation{Input: toyFiled, In: reflect.TypeFor[toyFile](), Output: toyEmpty, Out: reflect.TypeFor[toyNothing]()})
			s.Operations[0] = awsquery.Op("Echo", "echo:Echo", awsquery.Everything[toyFile], func(context.Context, *awsquery.Call, *toyFile) (*toyNothing, error) { return nil, nil })
		}, "bytes cannot be decoded"},
		{"bytes in an output", func(s *awsquery.Service) {
			s.Model = echoing(awsmodel.Operation{Input: toyEmpty, In: reflect.TypeFor[toyNothing](), Output: toyFiled, Out: reflect.TypeFor[toyFile]()})
			s.Operations[0] = awsquery.Op("Echo", "echo:Echo", awsquery.Everything[toyNothing], func(context.Context, *awsquery.Call, *toyNothing) (*toyFile, error) { return nil, nil })
		}, "bytes cannot be decoded"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := table(nil)
			tt.edit(&s)
			_, err := awsquery.New(awsquery.Config{Services: []awsquery.Service{s}, Authenticator: &gate{}, Authorizer: ownAccount{}})
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want an error with %q", err, tt.want)
			}
		})
	}
	for _, services := range [][]awsquery.Service{nil, {table(nil), table(nil)}} {
		if _, err := awsquery.New(awsquery.Config{Services: services}); err == nil {
			t.Errorf("%d services of one version were taken", len(services))
		}
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

var _ http.Handler = (*awsquery.Handler)(nil)
