package sts_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/go-jose/go-jose/v4"

	"github.com/lighterage/lighterage/internal/meta"
)

// issuer is an OpenID Connect issuer, as of a pipeline's machine.
type issuer struct {
	*httptest.Server
	key *ecdsa.PrivateKey
}

func newIssuer(t *testing.T) *issuer {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	i := &issuer{key: key}
	i.Server = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var answer any = map[string]string{"issuer": i.URL, "jwks_uri": i.URL + "/keys"}
		if r.URL.Path == "/keys" {
			answer = jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: key.Public(), KeyID: "k"}}}
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(answer)
	}))
	t.Cleanup(i.Close)
	return i
}

func (i *issuer) host() string { return strings.TrimPrefix(i.URL, "https://") }

func (i *issuer) ca() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: i.Certificate().Raw})
}

// token signs the claims of a subject.
func (i *issuer) token(t *testing.T, subject, audience string, expires time.Time) *string {
	t.Helper()
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: i.key, KeyID: "k"}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	claims, err := json.Marshal(map[string]any{"iss": i.URL, "sub": subject, "aud": audience, "exp": expires.Unix()})
	if err != nil {
		t.Fatal(err)
	}
	signed, err := signer.Sign(claims)
	if err != nil {
		t.Fatal(err)
	}
	token, err := signed.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return &token
}

const pipeline = "repo:team/app:ref:refs/heads/main"

// federation is a world with an issuer, and a role that trusts pipelines of one
// branch of it.
func federation(t *testing.T) (*world, *issuer, string, *sdk.Client) {
	t.Helper()
	i := newIssuer(t)
	w := newWorld(t, i.ca()...)
	w.update(func(tx meta.Tx) error {
		_, err := tx.InsertOIDCProvider(meta.OIDCProvider{Account: account, Host: i.host(), ClientIDs: []string{"sts.amazonaws.com", "other"}})
		return err
	})
	role := w.role("deploy", `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"Federated":"arn:aws:iam::123456789012:oidc-provider/`+i.host()+`"},
		"Action":"sts:AssumeRoleWithWebIdentity","Condition":{"StringEquals":{"`+i.host()+`:aud":"sts.amazonaws.com"},"StringLike":{"`+i.host()+`:sub":"repo:team/*"}}}}`, everything)
	o := w.options("", "", "")
	o.Credentials = aws.AnonymousCredentials{}
	return w, i, role, sdk.New(o)
}

func TestAssumeRoleWithWebIdentity(t *testing.T) {
	w, i, role, nobody := federation(t)
	got, err := nobody.AssumeRoleWithWebIdentity(t.Context(), &sdk.AssumeRoleWithWebIdentityInput{
		RoleArn: aws.String(role), RoleSessionName: aws.String("job-7"), DurationSeconds: aws.Int32(900),
		WebIdentityToken: i.token(t, pipeline, "sts.amazonaws.com", w.now().Add(time.Minute)),
	})
	w.must(err)
	if *got.SubjectFromWebIdentityToken != pipeline || *got.Audience != "sts.amazonaws.com" || *got.Provider != "arn:aws:iam::123456789012:oidc-provider/"+i.host() {
		t.Errorf("of %s, for %s, by %s", *got.SubjectFromWebIdentityToken, *got.Audience, *got.Provider)
	}
	if lasts := got.Credentials.Expiration.Sub(w.now()); lasts > 15*time.Minute || lasts < 14*time.Minute {
		t.Errorf("lasts %v", lasts)
	}
	w.is(w.with(got.Credentials), "arn:aws:sts::123456789012:assumed-role/deploy/job-7", "AROAdeploy:job-7")
}

func TestAssumeRoleWithWebIdentityRefusals(t *testing.T) {
	w, i, role, nobody := federation(t)
	away := newIssuer(t)
	away.Close()
	w.update(func(tx meta.Tx) error {
		_, err := tx.InsertOIDCProvider(meta.OIDCProvider{Account: account, Host: away.host(), ClientIDs: []string{"sts.amazonaws.com"}})
		return err
	})
	users := w.role("users", open, "")
	soon := w.now().Add(time.Minute)
	good := i.token(t, pipeline, "sts.amazonaws.com", soon)
	const no = "Not authorized to perform sts:AssumeRoleWithWebIdentity"
	for _, tt := range []struct {
		name          string
		token         *string
		edit          func(*sdk.AssumeRoleWithWebIdentityInput)
		status        int
		code, message string
	}{
		{"no token", aws.String("none"), nil, 400, "InvalidIdentityToken", "The ID Token provided is not a valid JWT."},
		{"an expired token", i.token(t, pipeline, "sts.amazonaws.com", w.now().Add(-time.Hour)), nil, 400, "ExpiredTokenException", "Token expired: current date/time "},
		{"a token of nobody", i.token(t, "", "sts.amazonaws.com", soon), nil, 403, "IDPRejectedClaim", "The ID Token must have a subject"},
		{"a token for another audience", i.token(t, pipeline, "somebody", soon), nil, 400, "InvalidIdentityToken", "Incorrect token audience"},
		{"an issuer that does not answer", away.token(t, pipeline, "sts.amazonaws.com", soon), nil, 400, "IDPCommunicationError", "Couldn't retrieve verification key"},
		{"an issuer of another account", good, func(in *sdk.AssumeRoleWithWebIdentityInput) {
			in.RoleArn = aws.String("arn:aws:iam::210987654321:role/deploy")
		}, 400, "InvalidIdentityToken", "No OpenIDConnect provider found in your account for " + i.URL},
		{"a subject that the role does not trust", i.token(t, "repo:other/app", "sts.amazonaws.com", soon), nil, 403, "AccessDenied", no},
		{"an audience that the role does not trust", i.token(t, pipeline, "other", soon), nil, 403, "AccessDenied", no},
		{"a role that trusts users only", good, func(in *sdk.AssumeRoleWithWebIdentityInput) { in.RoleArn = aws.String(users) }, 403, "AccessDenied", no},
		{"a role that is not there", good, func(in *sdk.AssumeRoleWithWebIdentityInput) { in.RoleArn = aws.String(users + "x") }, 403, "AccessDenied", no},
		{"a role that is none", good, func(in *sdk.AssumeRoleWithWebIdentityInput) {
			in.RoleArn = aws.String("arn:aws:iam::123456789012:user/x")
		}, 400, "ValidationError", "arn:aws:iam::123456789012:user/x is invalid"},
		{"a provider's id", good, func(in *sdk.AssumeRoleWithWebIdentityInput) { in.ProviderId = aws.String("www.example.com") }, 400, "InvalidIdentityToken", "ProviderId is for OAuth 2.0"},
		{"longer than the role allows", good, func(in *sdk.AssumeRoleWithWebIdentityInput) { in.DurationSeconds = aws.Int32(7201) }, 400, "ValidationError", "The requested DurationSeconds exceeds"},
		{"a policy that is none", good, func(in *sdk.AssumeRoleWithWebIdentityInput) { in.Policy = aws.String("{}") }, 400, "MalformedPolicyDocument", ""},
		{"a managed policy without an ARN", good, func(in *sdk.AssumeRoleWithWebIdentityInput) { in.PolicyArns = arns("arn:aws:iam::aws:policy/none") }, 400, "ValidationError", "The policy arn:aws:iam::aws:policy/none does not exist."},
	} {
		t.Run(tt.name, func(t *testing.T) {
			in := &sdk.AssumeRoleWithWebIdentityInput{RoleArn: aws.String(role), RoleSessionName: aws.String("job-7"), WebIdentityToken: tt.token}
			if tt.edit != nil {
				tt.edit(in)
			}
			_, err := nobody.AssumeRoleWithWebIdentity(t.Context(), in)
			wantAPIError(t, err, tt.status, tt.code, tt.message)
		})
	}
}
