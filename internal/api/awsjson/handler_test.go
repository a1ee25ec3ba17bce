package awsjson_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/lighterage/lighterage/internal/access"
	"github.com/lighterage/lighterage/internal/api/awsjson"
	"github.com/lighterage/lighterage/internal/edge"
	"github.com/lighterage/lighterage/internal/fault"
	"github.com/lighterage/lighterage/internal/name"
)

func TestSuccess(t *testing.T) {
	s := &stand{handle: func(_ context.Context, c *awsjson.Call, in *toyInput) (*toyOutput, error) {
		return &toyOutput{
			Text:   new(*in.Text + "@" + c.Scheme + "://" + c.Host),
			At:     new(time.UnixMilli(1448875853241)),
			Names:  []string{},
			Labels: map[string]string{"b": "<2>", "a": "1"},
		}, nil
	}}
	w := s.post(t, `{"text":"hello"}`)
	want := `{"text":"hello@http://example.com","at":1448875853.241,"names":[],"labels":{"a":"1","b":"<2>"}}`
	if w.Code != 200 || w.Body.String() != want {
		t.Errorf("got %d %s, want 200 %s", w.Code, w.Body, want)
	}
	for key, want := range map[string]string{
		"Content-Type":     "application/x-amz-json-1.1",
		"X-Amzn-RequestId": "request-1",
		"Date":             "Wed, 04 Mar 2026 12:00:00 GMT",
		"Content-Length":   "95",
	} {
		if got := w.Header().Get(key); got != want {
			t.Errorf("%s: got %q, want %q", key, got, want)
		}
	}
	if got := sha(`{"text":"hello"}`); s.hash != got {
		t.Errorf("the signature was proven over %s, want the body's hash %s", s.hash, got)
	}
	event := edge.Request{ID: "request-1", Scheme: "http", Host: "example.com", Principal: "arn:aws:iam::" + account + ":root", Action: "toy:Play", Resource: "*", Service: "toy", Operation: "Play"}
	if diff := cmp.Diff(event, s.event, cmpopts.IgnoreFields(edge.Request{}, "Client", "Input", "Output")); diff != "" {
		t.Error(diff)
	}
}

func TestEmptyOutputIsAnObject(t *testing.T) {
	if w := new(stand).post(t, ""); w.Code != 200 || w.Body.String() != "{}" {
		t.Errorf("got %d %q, want 200 {}", w.Code, w.Body)
	}
}

func TestLargeOutputHasItsLength(t *testing.T) {
	long := strings.Repeat("é\n", 200<<10)
	s := &stand{handle: func(context.Context, *awsjson.Call, *toyInput) (*toyOutput, error) {
		return &toyOutput{Text: &long, Size: new(int64(7))}, nil
	}}
	w := s.post(t, "{}")
	want := `{"text":"` + strings.ReplaceAll(long, "\n", `\n`) + `","size":7}`
	if w.Body.String() != want {
		t.Errorf("got %d bytes, want %d others", w.Body.Len(), len(want))
	}
	if got := w.Header().Get("Content-Length"); got != strconv.Itoa(len(want)) {
		t.Errorf("Content-Length: got %s, want %d", got, len(want))
	}
}

func TestErrors(t *testing.T) {
	root := "arn:aws:iam::" + account + ":root"
	tests := []struct {
		name   string
		err    error
		status int
		body   string
	}{
		{"no credential", fault.New(fault.CredentialMissing), 400,
			`{"__type":"MissingAuthenticationTokenException","message":"Missing Authentication Token"}`},
		{"unknown key", fault.New(fault.CredentialUnknown), 400,
			`{"__type":"UnrecognizedClientException","message":"The security token included in the request is invalid."}`},
		{"incomplete header", &fault.Error{Reason: fault.CredentialMalformed, Detail: "It lacks 'Signature'."}, 400,
			`{"__type":"IncompleteSignatureException","message":"It lacks 'Signature'."}`},
		{"wrong signature", &fault.Error{Reason: fault.SignatureInvalid, Detail: "It does not match."}, 400,
			`{"__type":"InvalidSignatureException","message":"It does not match."}`},
		{"expired session", fault.New(fault.TokenExpired), 400,
			`{"__type":"ExpiredTokenException","message":"The security token included in the request is expired"}`},
		{"denied", &fault.Error{Reason: fault.AccessDenied, Principal: root, Action: "toy:Play", Resource: "*", Detail: "because no identity-based policy allows the toy:Play action"}, 400,
			`{"__type":"AccessDeniedException","message":"User: ` + root + ` is not authorized to perform: toy:Play on resource: * because no identity-based policy allows the toy:Play action"}`},
		{"overloaded", fault.New(fault.Overloaded), 400, `{"__type":"ThrottlingException","message":"Rate exceeded"}`},
		{"worded by the service, with modelled members only", &fault.Error{Reason: fault.LayerMismatch, Digest: "d", LastByte: 9}, 400,
			`{"__type":"BrokenException","message":"It broke at <d>","code":"BrokenException","piece":9}`},
		{"a handler's parameter", &fault.Error{Reason: fault.ParameterInvalid, Member: "text", Constraint: "It is bad"}, 400,
			`{"__type":"InvalidParameterException","message":"Invalid parameter at 'text' failed to satisfy constraint: 'It is bad'"}`},
		{"a reason without a line", fault.New(fault.StoreFull), 500,
			`{"__type":"ServerException","message":"The request failed because of an internal error of the server."}`},
		{"an error from elsewhere", errors.New("secret cause"), 500,
			`{"__type":"ServerException","message":"The request failed because of an internal error of the server."}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := &stand{handle: func(context.Context, *awsjson.Call, *toyInput) (*toyOutput, error) { return nil, tt.err }}
			w := s.post(t, "{}")
			if w.Code != tt.status || w.Body.String() != tt.body {
				t.Errorf("got %d %s\nwant %d %s", w.Code, w.Body, tt.status, tt.body)
			}
			if got := w.Header().Get("X-Amzn-ErrorType"); !strings.Contains(tt.body, `"`+got+`"`) || got == "" {
				t.Errorf("X-Amzn-ErrorType is %q", got)
			}
			if w.Header().Get("Date") == "" || w.Header().Get("X-Amzn-RequestId") != "request-1" {
				t.Errorf("headers lack a date or the request: %v", w.Header())
			}
			if !errors.Is(s.event.Err, tt.err) {
				t.Errorf("the event has the error %v", s.event.Err)
			}
		})
	}
}

func TestRouting(t *testing.T) {
	tests := []struct {
		name, method, target string
		want                 string
	}{
		{"an operation", "POST", "Toy_20200101.Play", "{}"},
		{"no target", "POST", "", `{"__type":"UnknownOperationException"}`},
		{"an unknown service", "POST", "Game_20200101.Play", `{"__type":"UnknownOperationException"}`},
		{"an unknown operation", "POST", "Toy_20200101.Sing", `{"__type":"UnknownOperationException"}`},
		{"a service alone", "POST", "Toy_20200101", `{"__type":"UnknownOperationException"}`},
		{"another case", "POST", "toy_20200101.play", `{"__type":"UnknownOperationException"}`},
		{"GET", "GET", "Toy_20200101.Play", `{"__type":"UnknownOperationException"}`},
		{"a modelled operation that is not offered", "POST", "Toy_20200101.Rest", `{"__type":"UnknownOperationException","message":"Rest is not offered by this server"}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := request(tt.target, strings.NewReader("{}"))
			r.Method = tt.method
			w := new(stand).send(t, r)
			if w.Body.String() != tt.want {
				t.Errorf("got %s, want %s", w.Body, tt.want)
			}
			if want := map[bool]int{true: 200, false: 400}[tt.want == "{}"]; w.Code != want {
				t.Errorf("got status %d, want %d", w.Code, want)
			}
		})
	}
}

// unread fails the test if anybody reads it.
type unread struct{ t *testing.T }

func (u unread) Read([]byte) (int, error) {
	u.t.Error("the body was read")
	return 0, io.EOF
}

func TestUnknownKeyFailsBeforeTheBodyIsRead(t *testing.T) {
	s := &stand{beginErr: fault.New(fault.CredentialUnknown)}
	if w := s.send(t, request("Toy_20200101.Play", unread{t})); !strings.Contains(w.Body.String(), "UnrecognizedClientException") {
		t.Errorf("got %s", w.Body)
	}
}

func TestDeclaredOversizeFailsBeforeTheBodyIsRead(t *testing.T) {
	r := request("Toy_20200101.Play", unread{t})
	r.ContentLength = 100 << 20
	if w := new(stand).send(t, r); w.Code != 413 || !strings.Contains(w.Body.String(), "RequestEntityTooLargeException") {
		t.Errorf("got %d %s, want 413", w.Code, w.Body)
	}
}

func TestUndeclaredOversize(t *testing.T) {
	r := request("Toy_20200101.Play", io.MultiReader(strings.NewReader(`{"x":"`), strings.NewReader(strings.Repeat("a", 10<<20))))
	r.ContentLength = -1
	if w := new(stand).send(t, r); w.Code != 413 {
		t.Errorf("got %d %s, want 413", w.Code, w.Body)
	}
}

func TestSignatureWinsOverTheBody(t *testing.T) {
	for _, body := range []string{`{"text":1}`, `{`, `[]`, `{"registryId":"x"}`, `{}x` + strings.Repeat(" ", 1<<19)} {
		called := false
		s := &stand{finishErr: &fault.Error{Reason: fault.SignatureInvalid, Detail: "no"}}
		s.handle = func(context.Context, *awsjson.Call, *toyInput) (*toyOutput, error) { called = true; return nil, nil }
		w := s.post(t, body)
		if !strings.Contains(w.Body.String(), "InvalidSignatureException") || called {
			t.Errorf("%.20q: got %s, handler called: %v", body, w.Body, called)
		}
		if s.hash != sha(body) {
			t.Errorf("%.20q: the signature was not proven over the whole body", body)
		}
	}
}

func TestRegistryID(t *testing.T) {
	tests := []struct {
		name, body string
		want       name.RegistryID
		wantError  string
	}{
		{"absent means the caller's", `{}`, name.RegistryID{Account: account, Region: "eu-west-1"}, ""},
		{"null means the caller's", `{"registryId":null}`, name.RegistryID{Account: account, Region: "eu-west-1"}, ""},
		{"the caller's own", `{"registryId":"` + account + `"}`, name.RegistryID{Account: account, Region: "eu-west-1"}, ""},
		{"another account", `{"registryId":"` + other + `"}`, name.RegistryID{}, `"AccessDeniedException"`},
		{"not 12 digits", `{"registryId":"12"}`, name.RegistryID{},
			`Invalid parameter at 'registryId' failed to satisfy constraint: 'must satisfy regular expression [0-9]{12}'`},
		{"empty", `{"registryId":""}`, name.RegistryID{}, `must satisfy regular expression [0-9]{12}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var got name.RegistryID
			s := &stand{handle: func(_ context.Context, c *awsjson.Call, _ *toyInput) (*toyOutput, error) {
				got = c.Registry
				return &toyOutput{}, nil
			}}
			w := s.post(t, tt.body)
			if got != tt.want {
				t.Errorf("the handler saw %v, want %v", got, tt.want)
			}
			if !strings.Contains(w.Body.String(), tt.wantError) {
				t.Errorf("got %s, want %s", w.Body, tt.wantError)
			}
		})
	}
}

func TestNewRefusesTablesThatDoNotFit(t *testing.T) {
	row := func(n, action string) awsjson.Operation {
		return awsjson.Op(n, action, awsjson.Everything[toyInput], func(context.Context, *awsjson.Call, *toyInput) (*toyOutput, error) { return nil, nil })
	}
	play := func(n string) awsjson.Operation { return row(n, "toy:"+n) }
	tests := []struct {
		name       string
		operations []awsjson.Operation
		notOffered []string
		want       string
	}{
		{"an operation in neither list", []awsjson.Operation{play("Play")}, nil, "Rest is neither"},
		{"an operation in both", []awsjson.Operation{play("Play"), play("Rest")}, []string{"Rest"}, "twice"},
		{"a row twice", []awsjson.Operation{play("Play"), play("Play")}, []string{"Rest"}, "twice"},
		{"an operation the model does not know", []awsjson.Operation{play("Play"), play("Sing")}, []string{"Rest"}, "not in the model"},
		{"an unknown one that is not offered", []awsjson.Operation{play("Play")}, []string{"Rest", "Sing"}, "not in the model"},
		{"no action", []awsjson.Operation{row("Play", "")}, []string{"Rest"}, "names no action"},
		{"a handler of other types", []awsjson.Operation{awsjson.Op("Play", "toy:Play",
			func(*awsjson.Call, *toyOutput) (access.Resource, error) { return access.Resource{}, nil },
			func(context.Context, *awsjson.Call, *toyOutput) (*toyOutput, error) { return nil, nil })}, []string{"Rest"}, "handler is for"},
		{"a relaxed path that leads nowhere", []awsjson.Operation{play("Play").Relax("names.member", "names.membre")}, []string{"Rest"}, "names.membre"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := new(stand).service()
			s.Operations, s.NotOffered = tt.operations, tt.notOffered
			_, err := awsjson.New(awsjson.Config{Services: []awsjson.Service{s}})
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want an error with %q", err, tt.want)
			}
		})
	}
}

func TestHandlerWithoutAnswerIsAServerFault(t *testing.T) {
	s := &stand{handle: func(context.Context, *awsjson.Call, *toyInput) (*toyOutput, error) { return nil, nil }}
	if w := s.post(t, "{}"); w.Code != http.StatusInternalServerError {
		t.Errorf("got %d %s", w.Code, w.Body)
	}
}
