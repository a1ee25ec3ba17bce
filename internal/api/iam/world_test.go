package iam_test

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/credentials"
	sdk "github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/smithy-go"

	"github.com/lighterage/lighterage/internal/access"
	"github.com/lighterage/lighterage/internal/api/apitest"
	"github.com/lighterage/lighterage/internal/api/awsmodel/iammodel"
	"github.com/lighterage/lighterage/internal/api/awsquery"
	"github.com/lighterage/lighterage/internal/api/iam"
	"github.com/lighterage/lighterage/internal/directory"
	"github.com/lighterage/lighterage/internal/edge"
	"github.com/lighterage/lighterage/internal/fault"
	"github.com/lighterage/lighterage/internal/identity"
	"github.com/lighterage/lighterage/internal/meta/metatest"
	"github.com/lighterage/lighterage/internal/meta/sqlstore"
	"github.com/lighterage/lighterage/internal/name"
	"github.com/lighterage/lighterage/internal/seal"
)

const (
	account = name.AccountID("123456789012")
	foreign = name.AccountID("210987654321")
)

// instant is the store's time; requests are signed with the machine's.
var instant = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// world is the front on a real store, and a client of it that is the account's
// root.
type world struct {
	*sdk.Client
	t         *testing.T
	ctx       context.Context
	url       string
	directory *directory.Directory
	store     *metatest.Faults
	gate      *gate
}

func newWorld(t *testing.T, edits ...func(*directory.Limits)) *world {
	t.Helper()
	w := &world{t: t, ctx: context.Background(), gate: &gate{callers: map[string]identity.Caller{}, denied: map[string]bool{}}}
	store, err := sqlstore.OpenSQLite(w.ctx, filepath.Join(t.TempDir(), "meta.db"), sqlstore.Options{Clock: func() time.Time { return instant }})
	w.must(err)
	w.store = metatest.NewFaults(store)
	key, err := seal.Parse(seal.Generate())
	w.must(err)
	sealer, err := seal.New(key)
	w.must(err)
	limits := directory.Quotas
	for _, edit := range edits {
		edit(&limits)
	}
	w.directory = directory.New(directory.Config{Meta: w.store, Seal: sealer, Limits: limits})
	for _, id := range []name.AccountID{account, foreign} {
		w.must(w.directory.EnsureAccount(w.ctx, id, "of "+string(id)))
	}
	h, err := awsquery.New(awsquery.Config{
		Services:      []awsquery.Service{iam.New(iam.Config{Directory: w.directory, Authorizer: w.gate})},
		Authenticator: w.gate, Authorizer: w.gate,
	})
	w.must(err)
	server := httptest.NewServer(edge.Handler(h, edge.Options{Logger: slog.New(slog.DiscardHandler), Clock: time.Now}))
	w.url = server.URL
	t.Cleanup(func() {
		server.Close()
		w.store.Heal()
		w.must(store.Close())
	})
	w.Client = w.as(identity.Caller{Account: account, Kind: identity.Root, ARN: name.RootARN(account), UserID: string(account)})
	return w
}

// gate stands for who may enter: a caller is known by its access key, and may
// do what is not denied to it. It notes what it was asked.
type gate struct {
	mu      sync.Mutex
	callers map[string]identity.Caller
	denied  map[string]bool // action, a space and ARN
	asked   []asked
}

type asked struct {
	action   string
	resource access.Resource
}

var credential = regexp.MustCompile(`Credential=([^/]+)/`)

func (g *gate) Begin(r *http.Request, service string) (identity.Pending, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	m := credential.FindStringSubmatch(r.Header.Get("Authorization"))
	if m == nil || service != "iam" {
		return nil, fault.New(fault.CredentialMissing)
	}
	c, ok := g.callers[m[1]]
	if !ok {
		return nil, fault.New(fault.CredentialUnknown)
	}
	return proven(c), nil
}

type proven identity.Caller

func (p proven) Finish(string) (identity.Caller, error) { return identity.Caller(p), nil }

func (g *gate) Authorize(_ context.Context, c identity.Caller, action string, r access.Resource) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.asked = append(g.asked, asked{action, r})
	if c.Account != r.Account || g.denied[action+" "+r.ARN] {
		return &fault.Error{Reason: fault.AccessDenied, Principal: c.ARN, Action: action, Resource: r.ARN}
	}
	return nil
}

// questions returns what the gate was asked since the last time, as action, a
// space and ARN.
func (g *gate) questions() []string {
	g.mu.Lock()
	defer g.mu.Unlock()
	var all []string
	for _, a := range g.asked {
		all = append(all, a.action+" "+a.resource.ARN)
	}
	g.asked = nil
	return all
}

// as is a client that is somebody else.
func (w *world) as(c identity.Caller) *sdk.Client {
	w.gate.mu.Lock()
	defer w.gate.mu.Unlock()
	key := "AKIA" + strings.Repeat("A", 15) + string(rune('A'+len(w.gate.callers)))
	w.gate.callers[key] = c
	return sdk.New(sdk.Options{
		Region: "eu-west-1", BaseEndpoint: aws.String(w.url),
		Credentials: credentials.NewStaticCredentialsProvider(key, "secret", ""),
		Retryer:     aws.NopRetryer{},
		HTTPClient:  apitest.NewClient(),
	})
}

// asUser is a client that is a user of the account.
func (w *world) asUser(called string) *sdk.Client {
	w.t.Helper()
	u, err := w.directory.GetUser(w.ctx, account, called)
	w.must(err)
	return w.as(identity.Caller{Account: account, Kind: identity.User, ARN: u.ARN(), UserID: u.UniqueID, Principal: u.ID, Name: u.Key.Name})
}

// asSession is a client that took on a role of the account.
func (w *world) asSession() *sdk.Client {
	return w.as(identity.Caller{Account: account, Kind: identity.RoleSession, ARN: "arn:aws:sts::" + string(account) + ":assumed-role/r/s", Name: "r", Session: &identity.Session{Name: "s"}})
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// must2 returns the answer of a call that must succeed.
func must2[T any](t *testing.T) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// user and group make one in the account.
func (w *world) user(called string) {
	w.t.Helper()
	_, err := w.CreateUser(w.ctx, &sdk.CreateUserInput{UserName: &called})
	w.must(err)
}

func (w *world) group(called string) {
	w.t.Helper()
	_, err := w.CreateGroup(w.ctx, &sdk.CreateGroupInput{GroupName: &called})
	w.must(err)
}

// common are the codes that any operation may answer with.
var common = []string{"AccessDenied", "ValidationError"}

// wantRefusal asserts code, message and status, and that the code is one that
// the model gives the operation.
func wantRefusal(t *testing.T, err error, code, message string) {
	t.Helper()
	api, ok := errors.AsType[smithy.APIError](err)
	if !ok {
		t.Fatalf("got %v, want %s", err, code)
	}
	if api.ErrorCode() != code || api.ErrorMessage() != message {
		t.Fatalf("got  %s: %s\nwant %s: %s", api.ErrorCode(), api.ErrorMessage(), code, message)
	}
	status := map[string]int{"AccessDenied": 403, "ValidationError": 400}[code]
	modelled, ok := iammodel.Model.ErrorCode(code)
	if ok {
		status = modelled.Status
	}
	if response, ok := errors.AsType[*awshttp.ResponseError](err); !ok || response.HTTPStatusCode() != status {
		t.Errorf("the status of %s is not %d: %v", code, status, err)
	}
	operation, ok := errors.AsType[*smithy.OperationError](err)
	if !ok {
		t.Fatalf("%v names no operation", err)
	}
	o, _ := iammodel.Model.Operation(operation.OperationName)
	for _, allowed := range append(o.Errors, common...) {
		if allowed == code || allowed == modelled.Name {
			return
		}
	}
	t.Errorf("%s is no error of %s", code, operation.OperationName)
}
