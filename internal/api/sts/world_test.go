package sts_test

import (
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	sdk "github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/aws-sdk-go-v2/service/sts/types"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/lighterage/lighterage/internal/access"
	"github.com/lighterage/lighterage/internal/api/apitest"
	"github.com/lighterage/lighterage/internal/api/awsquery"
	"github.com/lighterage/lighterage/internal/api/sts"
	"github.com/lighterage/lighterage/internal/edge"
	"github.com/lighterage/lighterage/internal/identity"
	"github.com/lighterage/lighterage/internal/meta"
	"github.com/lighterage/lighterage/internal/meta/metatest"
	"github.com/lighterage/lighterage/internal/meta/sqlstore"
	"github.com/lighterage/lighterage/internal/name"
	"github.com/lighterage/lighterage/internal/seal"
	"github.com/lighterage/lighterage/internal/webidentity"
)

const (
	account  = name.AccountID("123456789012")
	stranger = name.AccountID("210987654321")

	// open lets everybody of both accounts take a role on, as a trust policy.
	open = `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"AWS":["123456789012","210987654321"]},"Action":["sts:AssumeRole","sts:TagSession","sts:SetSourceIdentity"]}}`
	// everything allows everything, as an identity policy.
	everything = `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}`
)

var root = identity.RootKey(account, "AKIAIOSFODNN7EXAMPLE", identity.NewSecret("secret"))

// world is the service with its store, behind a server.
type world struct {
	*testing.T
	authority *identity.Authority
	store     *metatest.Faults
	sealer    *seal.Sealer
	server    *httptest.Server

	mu    sync.Mutex
	ahead time.Duration // of the clock of clients
}

func (w *world) now() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return time.Now().Add(w.ahead)
}

// pass lets time pass for the server alone.
func (w *world) pass(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ahead += d
}

func newWorld(t *testing.T, cas ...byte) *world {
	t.Helper()
	w := &world{T: t}
	store, err := sqlstore.OpenSQLite(t.Context(), filepath.Join(t.TempDir(), "meta.db"), sqlstore.Options{Clock: w.now})
	w.must(err)
	t.Cleanup(func() { w.must(store.Close()) })
	w.store = metatest.NewFaults(store)
	key, err := seal.Parse(strings.Repeat("07", 31) + "08")
	w.must(err)
	w.sealer, err = seal.New(key)
	w.must(err)
	w.authority, err = identity.New(t.Context(), identity.Config{
		Keys:    []identity.AccessKey{root},
		Store:   w.store,
		Seal:    w.sealer,
		Regions: func(r name.Region) bool { return r == "eu-west-1" },
		Clock:   w.now,
		Logger:  slog.New(slog.DiscardHandler),
	})
	w.must(err)
	decider := access.New(access.Config{Store: w.store, Clock: w.now})
	web, err := webidentity.New(webidentity.Config{Store: w.store, Clock: w.now, CAs: cas, Private: func(host string) bool { return host == "127.0.0.1" }})
	w.must(err)
	handler, err := awsquery.New(awsquery.Config{
		Services:      []awsquery.Service{sts.New(sts.Config{Issuer: w.authority, Access: decider, WebIdentities: web})},
		Authenticator: w.authority,
		Authorizer:    decider,
	})
	w.must(err)
	w.server = httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		handler.ServeHTTP(rw, r.WithContext(edge.With(r.Context(), &edge.Request{ID: "11111111-2222-3333-4444-555555555555"})))
	}))
	t.Cleanup(w.server.Close)
	w.update(func(tx meta.Tx) error {
		return errors.Join(tx.InsertAccount(meta.Account{ID: account}), tx.InsertAccount(meta.Account{ID: stranger}))
	})
	return w
}

func (w *world) must(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

func (w *world) update(fn func(meta.Tx) error) {
	w.Helper()
	w.must(w.store.Update(w.Context(), fn))
}

// user adds a user with a policy and a key, and returns the key's client. The
// key's id is AKIA and the user's name, its secret the name alone.
func (w *world) user(of name.AccountID, who, policy string) *sdk.Client {
	w.Helper()
	sealed, err := w.sealer.Seal([]byte(who), []byte("AKIA"+who))
	w.must(err)
	w.update(func(tx meta.Tx) error {
		id, err := tx.InsertPrincipal(meta.Principal{Key: meta.PrincipalKey{Account: of, Kind: meta.User, Name: who}, Path: "/", UniqueID: "AIDA" + who})
		if err != nil {
			return err
		}
		if policy != "" {
			err = tx.PutInlinePolicy(id, meta.InlinePolicy{Name: "own", Document: policy})
		}
		return errors.Join(err, tx.InsertAccessKey(meta.AccessKey{ID: "AKIA" + who, Account: of, User: id, Sealed: sealed, Active: true}))
	})
	return w.client("AKIA"+who, who, "")
}

// role adds a role and returns its ARN.
func (w *world) role(who, trust, policy string) string {
	w.Helper()
	w.update(func(tx meta.Tx) error {
		id, err := tx.InsertPrincipal(meta.Principal{
			Key: meta.PrincipalKey{Account: account, Kind: meta.Role, Name: who}, Path: "/", UniqueID: "AROA" + who, Trust: trust, MaxSession: 2 * time.Hour,
		})
		if err == nil && policy != "" {
			err = tx.PutInlinePolicy(id, meta.InlinePolicy{Name: "own", Document: policy})
		}
		return err
	})
	return name.RoleARN(account, "/", who)
}

func (w *world) client(id, secret, token string) *sdk.Client {
	return sdk.New(w.options(id, secret, token))
}

func (w *world) options(id, secret, token string) sdk.Options {
	return sdk.Options{
		BaseEndpoint: aws.String(w.server.URL),
		Region:       "eu-west-1",
		Credentials:  credentials.NewStaticCredentialsProvider(id, secret, token),
		Retryer:      aws.NopRetryer{},
		HTTPClient:   apitest.NewClient(),
	}
}

func (w *world) root() *sdk.Client { return w.client(root.ID, root.Secret.Reveal(), "") }

// with returns a client with temporary credentials.
func (w *world) with(c *types.Credentials) *sdk.Client {
	return w.client(*c.AccessKeyId, *c.SecretAccessKey, *c.SessionToken)
}

// assume takes a role on.
func (w *world) assume(as *sdk.Client, role string, edit func(*sdk.AssumeRoleInput)) *sdk.AssumeRoleOutput {
	w.Helper()
	out, err := as.AssumeRole(w.Context(), assumption(role, edit))
	w.must(err)
	return out
}

func assumption(role string, edit func(*sdk.AssumeRoleInput)) *sdk.AssumeRoleInput {
	in := &sdk.AssumeRoleInput{RoleArn: aws.String(role), RoleSessionName: aws.String("job-7")}
	if edit != nil {
		edit(in)
	}
	return in
}

// is asserts whom a client speaks for.
func (w *world) is(c *sdk.Client, arn, userID string) {
	w.Helper()
	got, err := c.GetCallerIdentity(w.Context(), nil)
	w.must(err)
	if *got.Arn != arn || *got.UserId != userID {
		w.Errorf("the caller is %s, %s, want %s, %s", *got.Arn, *got.UserId, arn, userID)
	}
}

func wantAPIError(t *testing.T, err error, status int, code, message string) {
	t.Helper()
	api, isAPI := errors.AsType[smithy.APIError](err)
	response, isResponse := errors.AsType[*smithyhttp.ResponseError](err)
	if !isAPI || !isResponse {
		t.Fatalf("got %v, want an API error", err)
	}
	if api.ErrorCode() != code || response.HTTPStatusCode() != status || !strings.HasPrefix(api.ErrorMessage(), message) {
		t.Errorf("got  %d %s: %s\nwant %d %s: %s", response.HTTPStatusCode(), api.ErrorCode(), api.ErrorMessage(), status, code, message)
	}
}
