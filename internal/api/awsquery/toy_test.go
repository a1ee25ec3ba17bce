package awsquery_test

import (
	"context"
	"encoding/xml"
	"io"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/lighterage/lighterage/internal/access"
	"github.com/lighterage/lighterage/internal/api/awsmodel"
	"github.com/lighterage/lighterage/internal/api/awsquery"
	"github.com/lighterage/lighterage/internal/edge"
	"github.com/lighterage/lighterage/internal/fault"
	"github.com/lighterage/lighterage/internal/identity"
)

// The toy service answers with what it was asked, and has every kind of
// member.

type toyColor string

type toyPair struct {
	Key   *string // required
	Value *toyColor
}

type toySaid struct {
	Say    *string
	By     *string
	Secret *string
	Policy *string
	Color  *toyColor
	Count  *int32
	Big    *int64
	Small  *float32
	Wide   *float64
	Flag   *bool
	At     *time.Time
	Pair   *toyPair
	Names  []string
	Pairs  []toyPair
	Labels map[string]string
	Nested map[toyColor]toyPair
	Flat   []string
	Table  map[string]int32
}

type toyNothing struct{}

var (
	toyString = &awsmodel.Shape{Name: "String", Kind: awsmodel.String}
	toyShort  = &awsmodel.Shape{Name: "Short", Kind: awsmodel.String, Min: new(int64(2)), Max: new(int64(5)), Pattern: `[\u0061-z]+|[0-9]+`, Match: `[\x{0061}-z]+|[0-9]+`}
	toySecret = &awsmodel.Shape{Name: "Secret", Kind: awsmodel.String, Min: new(int64(8)), Secret: true}
	toyColors = &awsmodel.Shape{Name: "Color", Kind: awsmodel.String, Enum: []string{"RED", "GREEN"}}
	toyCount  = &awsmodel.Shape{Name: "Count", Kind: awsmodel.Integer, Min: new(int64(1)), Max: new(int64(10))}
	toyInt    = &awsmodel.Shape{Name: "Int", Kind: awsmodel.Integer}
	toyCouple = &awsmodel.Shape{Name: "Pair", Kind: awsmodel.Structure, Members: []awsmodel.Member{
		{Name: "Key", Shape: toyShort, Required: true}, {Name: "Value", Shape: toyColors},
	}}

	toyShape = &awsmodel.Shape{Name: "Said", Kind: awsmodel.Structure, Members: []awsmodel.Member{
		{Name: "Say", Shape: toyString},
		{Name: "By", Shape: toyString},
		{Name: "Secret", Shape: toySecret},
		{Name: "Policy", Shape: &awsmodel.Shape{Name: "Policy", Kind: awsmodel.String, Document: true}},
		{Name: "Color", Shape: toyColors},
		{Name: "Count", Shape: toyCount},
		{Name: "Big", Shape: &awsmodel.Shape{Name: "Big", Kind: awsmodel.Long}},
		{Name: "Small", Shape: &awsmodel.Shape{Name: "Small", Kind: awsmodel.Float}},
		{Name: "Wide", Shape: &awsmodel.Shape{Name: "Wide", Kind: awsmodel.Double}},
		{Name: "Flag", Shape: &awsmodel.Shape{Name: "Flag", Kind: awsmodel.Boolean}},
		{Name: "At", Shape: &awsmodel.Shape{Name: "At", Kind: awsmodel.Timestamp}},
		{Name: "Pair", Shape: toyCouple},
		{Name: "Names", Shape: &awsmodel.Shape{Name: "Names", Kind: awsmodel.List, Elem: toyShort, Max: new(int64(3))}},
		{Name: "Pairs", Shape: &awsmodel.Shape{Name: "Pairs", Kind: awsmodel.List, Elem: toyCouple, Min: new(int64(1))}},
		{Name: "Labels", Shape: &awsmodel.Shape{Name: "Labels", Kind: awsmodel.Map, Key: toyShort, Elem: toyString}},
		{Name: "Nested", Shape: &awsmodel.Shape{Name: "Nested", Kind: awsmodel.Map, Key: toyColors, Elem: toyCouple, Max: new(int64(2))}},
		{Name: "Flat", Shape: &awsmodel.Shape{Name: "Flat", Kind: awsmodel.List, Elem: toyString, Flat: true}},
		{Name: "Table", Shape: &awsmodel.Shape{Name: "Table", Kind: awsmodel.Map, Key: toyString, Elem: toyInt, Flat: true}},
	}}
	toyEmpty = &awsmodel.Shape{Name: "Nothing", Kind: awsmodel.Structure}

	toyModel = &awsmodel.Model{
		Name: "echo", SigningName: "echo", Version: "2000-01-01", Namespace: "https://echo.example.com/",
		Operations: []awsmodel.Operation{
			{Name: "Echo", Input: toyShape, In: reflect.TypeFor[toySaid](), Output: toyShape, Out: reflect.TypeFor[toySaid](), Wrapper: "EchoResult"},
			{Name: "Rest", Input: toyEmpty, In: reflect.TypeFor[toyNothing](), Output: toyEmpty, Out: reflect.TypeFor[toyNothing]()},
			{Name: "Call", Input: toyShape, In: reflect.TypeFor[toySaid](), Output: toyEmpty, Out: reflect.TypeFor[toyNothing](), Unsigned: true},
			{Name: "Shout", Input: toyShape, In: reflect.TypeFor[toySaid](), Output: toyShape, Out: reflect.TypeFor[toySaid](), Wrapper: "ShoutResult"},
		},
		Errors: []awsmodel.Error{{Name: "NotHereException", Code: "NotHere", Status: 410}},
	}
)

// ownAccount lets everybody do everything in their own account.
type ownAccount struct{}

func (ownAccount) Authorize(_ context.Context, c identity.Caller, action string, r access.Resource) error {
	if c.Account == r.Account {
		return nil
	}
	return &fault.Error{Reason: fault.AccessDenied, Principal: c.ARN, Action: action, Resource: r.ARN, Detail: "because no resource-based policy allows the " + action + " action"}
}

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

// table is the toy service, whose operations fail with err.
func table(err error) awsquery.Service {
	return awsquery.Service{
		Model: toyModel,
		Operations: []awsquery.Operation{
			awsquery.Op("Echo", "echo:Echo", awsquery.Everything[toySaid], func(_ context.Context, c *awsquery.Call, in *toySaid) (*toySaid, error) {
				in.By = &c.Caller.ARN
				return in, err
			}),
			awsquery.Op("Rest", "echo:Rest", awsquery.Everything[toyNothing], func(context.Context, *awsquery.Call, *toyNothing) (*toyNothing, error) {
				return &toyNothing{}, err
			}),
			awsquery.Open("Call", "echo:Call", func(_ context.Context, c *awsquery.Call, _ *toySaid) (*toyNothing, error) {
				if c.Caller.ARN != "" {
					panic("there is a caller")
				}
				return &toyNothing{}, err
			}),
		},
		NotOffered: []string{"Shout", "Whisper"},
		Errors: func(f *fault.Error) (string, string, bool) {
			return "NotHere", "It is gone: " + f.Digest, f.Reason == fault.LayerNotFound
		},
	}
}

// front returns a handler of the services behind the gate.
func front(t testing.TB, auth awsquery.Authenticator, services ...awsquery.Service) *awsquery.Handler {
	t.Helper()
	h, err := awsquery.New(awsquery.Config{Services: services, Authenticator: auth, Authorizer: ownAccount{}})
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// post sends the form to the handler and returns the answer and the event.
func post(h http.Handler, form string) (*httptest.ResponseRecorder, *edge.Request) {
	event := &edge.Request{ID: "id-1", Scheme: "http", Host: "example.com"}
	r := httptest.NewRequest("POST", "/", strings.NewReader(form))
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r.WithContext(edge.With(r.Context(), event)))
	return w, event
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
