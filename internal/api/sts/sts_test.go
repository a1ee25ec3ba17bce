package sts_test

import (
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	sdk "github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/lighterage/lighterage/internal/api/awsmodel/stsmodel"
	"github.com/lighterage/lighterage/internal/api/sts"
	"github.com/lighterage/lighterage/internal/meta"
)

func TestGetCallerIdentity(t *testing.T) {
	w := newWorld(t)
	for _, region := range []string{"eu-west-1", "us-east-1"} {
		o := w.options(root.ID, root.Secret.Reveal(), "")
		o.Region = region
		w.is(sdk.New(o), "arn:aws:iam::123456789012:root", "123456789012")
	}
	nobody := `{"Version":"2012-10-17","Statement":{"Effect":"Deny","Action":"*","Resource":"*"}}`
	w.is(w.user(stranger, "alice", nobody), "arn:aws:iam::210987654321:user/alice", "AIDAalice")
}

func TestRefusalsReachTheClient(t *testing.T) {
	tests := []struct {
		name    string
		edit    func(*sdk.Options)
		skew    time.Duration
		status  int
		code    string
		message string // the beginning
	}{
		{"another secret", func(o *sdk.Options) {
			o.Credentials = credentials.NewStaticCredentialsProvider(root.ID, "another", "")
		}, 0, 403, "SignatureDoesNotMatch", "The request signature we calculated does not match"},
		{"an unknown key", func(o *sdk.Options) {
			o.Credentials = credentials.NewStaticCredentialsProvider("AKIAUNKNOWN", root.Secret.Reveal(), "")
		}, 0, 403, "InvalidClientTokenId", "The security token included in the request is invalid."},
		{"a session token that was never issued", func(o *sdk.Options) {
			o.Credentials = credentials.NewStaticCredentialsProvider(root.ID, root.Secret.Reveal(), "token")
		}, 0, 403, "InvalidClientTokenId", "The security token included in the request is invalid."},
		{"no credentials", func(o *sdk.Options) { o.Credentials = aws.AnonymousCredentials{} },
			0, 403, "MissingAuthenticationToken", "Request is missing Authentication Token"},
		{"a region that is not served", func(o *sdk.Options) { o.Region = "us-west-2" },
			0, 403, "SignatureDoesNotMatch", "Credential should be scoped to a valid Region, not 'us-west-2'."},
		{"a clock that is an hour slow", func(*sdk.Options) {}, time.Hour, 403, "SignatureDoesNotMatch", "Signature expired: "},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			w.pass(tt.skew)
			o := w.options(root.ID, root.Secret.Reveal(), "")
			tt.edit(&o)
			_, err := sdk.New(o).GetCallerIdentity(t.Context(), nil)
			wantAPIError(t, err, tt.status, tt.code, tt.message)
		})
	}
}

func TestAStoreThatIsAwayIsTheServersFault(t *testing.T) {
	w := newWorld(t)
	alice := w.user(account, "alice", "")
	w.store.SetDown(meta.ErrUnavailable)
	_, err := alice.GetCallerIdentity(t.Context(), nil)
	wantAPIError(t, err, 503, "ServiceUnavailable", "The request has failed due to a temporary failure of the server.")
}

func TestGetAccessKeyInfo(t *testing.T) {
	w := newWorld(t)
	w.user(stranger, "alicealicealice", "")
	session, err := w.root().GetSessionToken(t.Context(), nil)
	w.must(err)
	for id, want := range map[string]string{root.ID: "123456789012", "AKIAalicealicealice": "210987654321", *session.Credentials.AccessKeyId: "123456789012"} {
		got, err := w.root().GetAccessKeyInfo(t.Context(), &sdk.GetAccessKeyInfoInput{AccessKeyId: aws.String(id)})
		w.must(err)
		if *got.Account != want {
			t.Errorf("%s is of %s, want %s", id, *got.Account, want)
		}
	}
	_, err = w.root().GetAccessKeyInfo(t.Context(), &sdk.GetAccessKeyInfoInput{AccessKeyId: aws.String("AKIAUNKNOWNUNKNOWN")})
	wantAPIError(t, err, 400, "ValidationError", "The access key AKIAUNKNOWNUNKNOWN does not exist.")
	_, err = w.user(account, "bob", "").GetAccessKeyInfo(t.Context(), &sdk.GetAccessKeyInfoInput{AccessKeyId: aws.String(root.ID)})
	wantAPIError(t, err, 403, "AccessDenied", "User: arn:aws:iam::123456789012:user/bob is not authorized to perform: sts:GetAccessKeyInfo on resource: * because no identity-based policy allows the sts:GetAccessKeyInfo action")
}

func TestEveryOperationIsOfferedOrRefusedByName(t *testing.T) {
	service := sts.New(sts.Config{})
	operations := slices.Clone(service.NotOffered)
	for _, o := range stsmodel.Model.Operations {
		operations = append(operations, o.Name)
	}
	w := newWorld(t)
	for _, operation := range operations {
		response, err := http.PostForm(w.server.URL, url.Values{"Action": {operation}, "Version": {stsmodel.Model.Version}})
		w.must(err)
		body, err := io.ReadAll(response.Body)
		w.must(err)
		response.Body.Close()
		want := operation + " is not offered by this server"
		if !slices.Contains(service.NotOffered, operation) {
			want = "Request is missing Authentication Token"
		}
		if operation == "AssumeRoleWithWebIdentity" {
			want = "ValidationError" // it needs no signature
		}
		if !strings.Contains(string(body), want) {
			t.Errorf("%s: %q is not in %s", operation, want, body)
		}
	}
}
