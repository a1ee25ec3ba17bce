package awsjson_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/lighterage/lighterage/internal/access"
	"github.com/lighterage/lighterage/internal/api/awsjson"
	"github.com/lighterage/lighterage/internal/api/awsmodel"
	"github.com/lighterage/lighterage/internal/edge"
	"github.com/lighterage/lighterage/internal/fault"
	"github.com/lighterage/lighterage/internal/identity"
)

// The toy service has one operation with every kind of member.

type toyColor string

type toyInner struct {
	Key   *string // required
	Value *toyColor
}

type toyInput struct {
	RegistryId *string
	Text       *string
	Color      *toyColor
	Count      *int32
	Big        *int64
	Small      *float32
	Wide       *float64
	Flag       *bool
	At         *time.Time
	Data       awsmodel.Blob
	Inner      *toyInner
	Names      []string
	Inners     []toyInner
	Labels     map[string]string
	Nested     map[toyColor]toyInner
}

type toyOutput struct {
	Text   *string
	At     *time.Time
	Size   *int64
	Names  []string
	Labels map[string]string
}

var (
	toyString = &awsmodel.Shape{Name: "String", Kind: awsmodel.String}
	toyShort  = &awsmodel.Shape{Name: "Short", Kind: awsmodel.String, Min: new(int64(2)), Max: new(int64(5)), Pattern: `[a-z]+|[0-9\/]+`}
	toyColors = &awsmodel.Shape{Name: "Color", Kind: awsmodel.String, Enum: []string{"RED", "GREEN"}}
	toyInt    = &awsmodel.Shape{Name: "Count", Kind: awsmodel.Integer, Min: new(int64(1)), Max: new(int64(10))}
	toyLong   = &awsmodel.Shape{Name: "Big", Kind: awsmodel.Long}
	toyMoment = &awsmodel.Shape{Name: "At", Kind: awsmodel.Timestamp}
	toyData   = &awsmodel.Shape{Name: "Data", Kind: awsmodel.Bytes, Max: new(int64(1 << 20))}
	toyPair   = &awsmodel.Shape{Name: "Pair", Kind: awsmodel.Structure, Members: []awsmodel.Member{
		{Name: "Key", Shape: toyShort, Required: true}, {Name: "Value", Shape: toyColors},
	}}
	toyNames  = &awsmodel.Shape{Name: "Names", Kind: awsmodel.List, Elem: toyShort, Max: new(int64(3))}
	toyPairs  = &awsmodel.Shape{Name: "Pairs", Kind: awsmodel.List, Elem: toyPair, Min: new(int64(1))}
	toyLabels = &awsmodel.Shape{Name: "Labels", Kind: awsmodel.Map, Key: toyShort, Elem: toyString}
	toyNested = &awsmodel.Shape{Name: "Nested", Kind: awsmodel.Map, Key: toyColors, Elem: toyPair, Max: new(int64(2))}
	toyID     = &awsmodel.Shape{Name: "RegistryId", Kind: awsmodel.String, Pattern: `[0-9]{12}`}

	toyIn = &awsmodel.Shape{Name: "ToyInput", Kind: awsmodel.Structure, Members: []awsmodel.Member{
		{Name: "registryId", Shape: toyID},
		{Name: "text", Shape: toyString},
		{Name: "color", Shape: toyColors},
		{Name: "count", Shape: toyInt},
		{Name: "big", Shape: toyLong},
		{Name: "small", Shape: &awsmodel.Shape{Name: "Small", Kind: awsmodel.Float}},
		{Name: "wide", Shape: &awsmodel.Shape{Name: "Wide", Kind: awsmodel.Double}},
		{Name: "flag", Shape: &awsmodel.Shape{Name: "Flag", Kind: awsmodel.Boolean}},
		{Name: "at", Shape: toyMoment},
		{Name: "data", Shape: toyData},
		{Name: "inner", Shape: toyPair},
		{Name: "names", Shape: toyNames},
		{Name: "inners", Shape: toyPairs},
		{Name: "labels", Shape: toyLabels},
		{Name: "nested", Shape: toyNested},
	}}
	toyOut = &awsmodel.Shape{Name: "ToyOutput", Kind: awsmodel.Structure, Members: []awsmodel.Member{
		{Name: "text", Shape: toyString}, {Name: "at", Shape: toyMoment}, {Name: "size", Shape: toyLong},
		{Name: "names", Shape: toyNames}, {Name: "labels", Shape: toyLabels},
	}}
	toyModel = &awsmodel.Model{
		Name: "toy", SigningName: "toy", TargetPrefix: "Toy_20200101",
		Operations: []awsmodel.Operation{
			{Name: "Play", Input: toyIn, In: reflect.TypeFor[toyInput](), Output: toyOut, Out: reflect.TypeFor[toyOutput]()},
			{Name: "Rest", Input: toyIn, In: reflect.TypeFor[toyInput](), Output: toyOut, Out: reflect.TypeFor[toyOutput]()},
		},
		Errors: []awsmodel.Error{
			{Name: "BrokenException", Members: []string{"message", "piece", "code"}},
			{Name: "ServerException", Fault: true, Members: []string{"message"}},
		},
	}
)

const (
	account = "123456789012"
	other   = "999999999999"
)

var noon = time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)

// stand is a handler over the toy service with everything around it in hand.
type stand struct {
	beginErr, finishErr error
	hash                string // what Finish was told
	handle              func(context.Context, *awsjson.Call, *toyInput) (*toyOutput, error)
	event               edge.Request
	clock               func() time.Time // nil: it is always noon
}

// ownAccount lets everybody do everything in their own account.
type ownAccount struct{}

func (ownAccount) Authorize(_ context.Context, c identity.Caller, action string, r access.Resource) error {
	if c.Account == r.Account {
		return nil
	}
	return &fault.Error{Reason: fault.AccessDenied, Principal: c.ARN, Action: action, Resource: r.ARN, Detail: "because no resource-based policy allows the " + action + " action"}
}

func (s *stand) Begin(*http.Request, string) (awsjson.Pending, error) { return s, s.beginErr }

func (s *stand) Finish(hash string) (identity.Caller, error) {
	s.hash = hash
	if s.finishErr != nil {
		return identity.Caller{}, s.finishErr
	}
	return identity.Caller{Account: account, ARN: "arn:aws:iam::" + account + ":root", Region: "eu-west-1"}, nil
}

func (s *stand) now() time.Time {
	if s.clock != nil {
		return s.clock()
	}
	return noon
}

func (s *stand) service() awsjson.Service {
	return awsjson.Service{
		Model: toyModel,
		Operations: []awsjson.Operation{awsjson.Op("Play", "toy:Play", awsjson.Everything[toyInput],
			func(ctx context.Context, c *awsjson.Call, in *toyInput) (*toyOutput, error) {
				return s.handle(ctx, c, in)
			})},
		NotOffered: []string{"Rest"},
		Style:      awsjson.InvalidParameter,
		Errors: func(f *fault.Error) (string, string, map[string]any, bool) {
			if f.Reason != fault.LayerMismatch {
				return "", "", nil, false
			}
			return "BrokenException", "It broke at <" + f.Digest + ">", map[string]any{"piece": f.LastByte, "unknown": 1}, true
		},
		ErrorMembers: func(shape string) map[string]any { return map[string]any{"code": shape, "piece": "none"} },
	}
}

func (s *stand) handler(t testing.TB) *awsjson.Handler {
	t.Helper()
	if s.handle == nil {
		s.handle = func(context.Context, *awsjson.Call, *toyInput) (*toyOutput, error) { return &toyOutput{}, nil }
	}
	h, err := awsjson.New(awsjson.Config{
		Services:      []awsjson.Service{s.service()},
		Authenticator: s,
		Authorizer:    ownAccount{},
		Now:           s.now,
	})
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// post sends a body to the toy operation.
func (s *stand) post(t testing.TB, text string) *httptest.ResponseRecorder {
	t.Helper()
	return s.send(t, request("Toy_20200101.Play", strings.NewReader(text)))
}

func (s *stand) send(t testing.TB, r *http.Request) *httptest.ResponseRecorder {
	t.Helper()
	w := httptest.NewRecorder()
	s.event = edge.Request{ID: "request-1", Scheme: "http", Host: "example.com"}
	s.handler(t).ServeHTTP(w, r.WithContext(edge.With(r.Context(), &s.event)))
	return w
}

func request(target string, body io.Reader) *http.Request {
	r := httptest.NewRequest(http.MethodPost, "/", body)
	if target != "" {
		r.Header.Set("X-Amz-Target", target)
	}
	return r
}

func sha(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}
