package sts_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	awssts "github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/lighterage/lighterage/internal/access"
	"github.com/lighterage/lighterage/internal/api/awsmodel/stsmodel"
	"github.com/lighterage/lighterage/internal/api/awsquery"
	"github.com/lighterage/lighterage/internal/api/sts"
	"github.com/lighterage/lighterage/internal/edge"
	"github.com/lighterage/lighterage/internal/identity"
	"github.com/lighterage/lighterage/internal/meta/sqlstore"
	"github.com/lighterage/lighterage/internal/name"
)

const account = name.AccountID("123456789012")

var root = identity.RootKey(account, "AKIAIOSFODNN7EXAMPLE", identity.NewSecret("secret"))

// serve starts a server for one root key and returns a client's options.
func serve(t *testing.T, key identity.AccessKey, now func() time.Time) awssts.Options {
	t.Helper()
	store, err := sqlstore.OpenSQLite(context.Background(), filepath.Join(t.TempDir(), "meta.db"), sqlstore.Options{Clock: now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	auth, err := identity.New(context.Background(), identity.Config{
		Keys:    []identity.AccessKey{key},
		Store:   store,
		Regions: func(r name.Region) bool { return r == "eu-west-1" },
		Clock:   now,
		Logger:  slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	handler, err := awsquery.New(awsquery.Config{Services: []awsquery.Service{sts.New()}, Authenticator: auth, Authorizer: access.New(access.Config{Store: store, Clock: now})})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		handler.ServeHTTP(w, r.WithContext(edge.With(r.Context(), &edge.Request{ID: "11111111-2222-3333-4444-555555555555"})))
	}))
	t.Cleanup(server.Close)
	return awssts.Options{
		BaseEndpoint: aws.String(server.URL),
		Region:       "eu-west-1",
		Credentials:  credentials.NewStaticCredentialsProvider(key.ID, key.Secret.Reveal(), ""),
		Retryer:      aws.NopRetryer{},
	}
}

func TestGetCallerIdentity(t *testing.T) {
	for _, region := range []string{"eu-west-1", "us-east-1"} {
		o := serve(t, root, time.Now)
		o.Region = region
		got, err := awssts.New(o).GetCallerIdentity(context.Background(), nil)
		if err != nil {
			t.Fatalf("%s: %v", region, err)
		}
		if *got.Account != "123456789012" || *got.UserId != "123456789012" || *got.Arn != "arn:aws:iam::123456789012:root" {
			t.Errorf("%s: %s, %s, %s", region, *got.Account, *got.UserId, *got.Arn)
		}
	}
}

func TestRefusalsReachTheClient(t *testing.T) {
	key := root
	tests := []struct {
		name    string
		edit    func(*awssts.Options)
		skew    time.Duration
		status  int
		code    string
		message string // the beginning
	}{
		{"another secret", func(o *awssts.Options) {
			o.Credentials = credentials.NewStaticCredentialsProvider(key.ID, "another", "")
		}, 0, 403, "SignatureDoesNotMatch", "The request signature we calculated does not match"},
		{"an unknown key", func(o *awssts.Options) {
			o.Credentials = credentials.NewStaticCredentialsProvider("AKIAUNKNOWN", key.Secret.Reveal(), "")
		}, 0, 403, "InvalidClientTokenId", "The security token included in the request is invalid."},
		{"a session token that was never issued", func(o *awssts.Options) {
			o.Credentials = credentials.NewStaticCredentialsProvider(key.ID, key.Secret.Reveal(), "token")
		}, 0, 403, "InvalidClientTokenId", "The security token included in the request is invalid."},
		{"no credentials", func(o *awssts.Options) { o.Credentials = aws.AnonymousCredentials{} },
			0, 403, "MissingAuthenticationToken", "Request is missing Authentication Token"},
		{"a region that is not served", func(o *awssts.Options) { o.Region = "us-west-2" },
			0, 403, "SignatureDoesNotMatch", "Credential should be scoped to a valid Region, not 'us-west-2'."},
		{"a clock that is an hour slow", func(*awssts.Options) {}, time.Hour, 403, "SignatureDoesNotMatch", "Signature expired: "},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			o := serve(t, key, func() time.Time { return time.Now().Add(tt.skew) })
			tt.edit(&o)
			_, err := awssts.New(o).GetCallerIdentity(context.Background(), nil)
			wantAPIError(t, err, tt.status, tt.code, tt.message)
		})
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

func TestAssumeRoleIsNotOffered(t *testing.T) {
	client := awssts.New(serve(t, root, time.Now))
	_, err := client.AssumeRole(context.Background(), &awssts.AssumeRoleInput{RoleArn: aws.String("arn:aws:iam::123456789012:role/r"), RoleSessionName: aws.String("session")})
	wantAPIError(t, err, 400, "UnknownOperationException", "AssumeRole is not offered by this server")
	_, err = client.AssumeRoleWithWebIdentity(context.Background(), &awssts.AssumeRoleWithWebIdentityInput{
		RoleArn: aws.String("arn:aws:iam::123456789012:role/r"), RoleSessionName: aws.String("session"), WebIdentityToken: aws.String("unsigned"),
	})
	wantAPIError(t, err, 400, "UnknownOperationException", "AssumeRoleWithWebIdentity is not offered by this server")
}

func TestEveryOperationIsOfferedOrRefusedByName(t *testing.T) {
	operations := sts.New().NotOffered
	for _, o := range stsmodel.Model.Operations {
		operations = append(operations, o.Name)
	}
	o := serve(t, root, time.Now)
	for _, operation := range operations {
		response, err := http.PostForm(*o.BaseEndpoint, url.Values{"Action": {operation}, "Version": {stsmodel.Model.Version}})
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(response.Body)
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		want := operation + " is not offered by this server"
		if operation == "GetCallerIdentity" {
			want = "Request is missing Authentication Token"
		}
		if !strings.Contains(string(body), want) {
			t.Errorf("%s: %q is not in %s", operation, want, body)
		}
	}
}
