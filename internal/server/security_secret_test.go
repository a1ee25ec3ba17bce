package server_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/lighterage/lighterage/internal/meta"
	"github.com/lighterage/lighterage/internal/meta/metatest"
	"github.com/lighterage/lighterage/internal/testkit"
)

// TestSecretsAreInNoLogTrailErrorOrFile gives the server secrets of every kind,
// in requests that succeed, that are refused and that fail, with the log at its
// most talkative.
func TestSecretsAreInNoLogTrailErrorOrFile(t *testing.T) {
	ctx := t.Context()
	var log buffer
	var faults *metatest.Faults
	s := testkit.Start(t, behindProxy, testkit.Setting("anonymous-pull", "true"), testkit.Setting("log-level", "debug"),
		testkit.Logger(slog.New(slog.NewJSONHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))),
		testkit.WrapMeta(func(m meta.Store) meta.Store {
			faults = metatest.NewFaults(m)
			return faults
		}))
	secrets := map[string]string{}
	var from addresses
	var answers []string // errors alone: some answers are there to give a secret
	v2 := func(method, path string, header ...string) testkit.Answer {
		a := s.Do(testkit.Login{}, method, path, nil, append(header, from.next())...)
		if a.Status >= 400 {
			answers = append(answers, fmt.Sprintf("%d %v %s", a.Status, a.Header, a.Body))
		}
		return a
	}
	// recorded keeps answers to the SDK that are errors.
	recorded := &http.Client{Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
		name, value, _ := strings.Cut(from.next(), ": ")
		r.Header.Set(name, value)
		resp, err := http.DefaultTransport.RoundTrip(r)
		if err == nil && resp.StatusCode >= 400 {
			body, _ := io.ReadAll(resp.Body)
			resp.Body = io.NopCloser(bytes.NewReader(body))
			answers = append(answers, fmt.Sprintf("%d %v %s", resp.StatusCode, resp.Header, body))
		}
		return resp, err
	})}

	_, _ = push(t, root(s), "team/app", "1", large("layer"))
	must(t, createService(s, "web"))
	user := root(s).hire(t, "user", statements("Allow ecr:*,sts:* *"))
	user.client = recorded
	them := foreigner(t, s)
	session, err := user.sts().GetSessionToken(ctx, &sts.GetSessionTokenInput{})
	must(t, err)
	_, err = root(s).iam().CreateRole(ctx, &iam.CreateRoleInput{RoleName: aws.String("role"), AssumeRolePolicyDocument: aws.String(
		`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"AWS":"*"},"Action":"sts:AssumeRole"}}`)})
	must(t, err)
	assumed, err := user.sts().AssumeRole(ctx, &sts.AssumeRoleInput{RoleArn: aws.String("arn:aws:iam::000000000000:role/role"), RoleSessionName: aws.String("session")})
	must(t, err)
	login, lightsailLogin := user.login(t), s.LightsailLogin()
	var bearer struct{ Token string }
	must(t, json.Unmarshal(v2("GET", "/v2/token").Body, &bearer))
	download, err := user.ecr().GetDownloadUrlForLayer(ctx, &ecr.GetDownloadUrlForLayerInput{RepositoryName: aws.String("team/app"), LayerDigest: aws.String(testkit.Digest(large("layer")))})
	must(t, err)
	_, downloadToken, _ := strings.Cut(*download.DownloadUrl, "=")
	master, err := os.ReadFile(filepath.Join(s.Dir, "master-key"))
	must(t, err)

	secrets["the root's secret key"] = s.Root.SecretAccessKey.Reveal()
	secrets["a user's secret key"] = user.secret
	secrets["another account's secret key"] = them.secret
	secrets["a session's secret key"] = *session.Credentials.SecretAccessKey
	secrets["a session's token"] = *session.Credentials.SessionToken
	secrets["a role session's secret key"] = *assumed.Credentials.SecretAccessKey
	secrets["a role session's token"] = *assumed.Credentials.SessionToken
	secrets["a registry login"] = login.Password
	secrets["a Basic header"] = strings.TrimPrefix(login.Basic(), "Basic ")
	secrets["a Lightsail login"] = lightsailLogin.Password
	secrets["a bearer token"] = bearer.Token
	secrets["a download URL's token"] = downloadToken
	secrets["the master key"] = strings.TrimSpace(string(master))
	secrets["a password that is wrong here"] = "CanaryOfAPassword"
	secrets["that password in Basic"] = base64.StdEncoding.EncodeToString([]byte("admin:CanaryOfAPassword"))
	secrets["a token that is wrong here"] = "CanaryOfAToken"
	secrets["a session token that is wrong here"] = "CanaryOfASessionToken"
	secrets["a secret that is wrong here"] = "CanaryOfASecret"

	narrow := user
	narrow.key, narrow.secret, narrow.token = *session.Credentials.AccessKeyId, *session.Credentials.SecretAccessKey, *session.Credentials.SessionToken
	role := user
	role.key, role.secret, role.token = *assumed.Credentials.AccessKeyId, *assumed.Credentials.SecretAccessKey, *assumed.Credentials.SessionToken
	wrong, forged := user, narrow
	wrong.secret, forged.token = "CanaryOfASecret", "CanaryOfASessionToken"
	presigned := func(p person) string {
		r, err := http.NewRequest("GET", s.URL+"/v2/team/app/tags/list?Action=GetCallerIdentity&Version=2011-06-15", nil)
		must(t, err)
		signed, _, err := v4.NewSigner().PresignHTTP(ctx, aws.Credentials{AccessKeyID: p.key, SecretAccessKey: p.secret, SessionToken: p.token}, r, testkit.Digest(nil)[7:], "sts", "us-east-1", time.Now())
		must(t, err)
		u, err := url.Parse(signed)
		must(t, err)
		secrets["a presigned URL's signature of "+p.key] = u.Query().Get("X-Amz-Signature")
		return strings.TrimPrefix(signed, s.URL)
	}
	use := func() {
		for _, p := range []person{user, narrow, role, wrong, forged} {
			_, _ = p.ecr().DescribeRepositories(ctx, &ecr.DescribeRepositoriesInput{})
			_, _ = p.ecr().GetAuthorizationToken(ctx, &ecr.GetAuthorizationTokenInput{})
			_, _ = p.iam().ListUsers(ctx, &iam.ListUsersInput{})
			_, _ = p.iam().CreateAccessKey(ctx, &iam.CreateAccessKeyInput{UserName: aws.String("user")})
			_, _ = p.sts().GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
			_, _ = p.sts().AssumeRoleWithWebIdentity(ctx, &sts.AssumeRoleWithWebIdentityInput{
				RoleArn: aws.String("arn:aws:iam::000000000000:role/role"), RoleSessionName: aws.String("session"), WebIdentityToken: aws.String("CanaryOfAToken")})
			v2("GET", presigned(p))
			v2("POST", strings.Replace(presigned(p), "/v2/team/app/tags/list", "/", 1), "Content-Type: application/x-www-form-urlencoded")
		}
		for _, l := range []testkit.Login{login, lightsailLogin, {User: "admin", Password: "CanaryOfAPassword"}, {User: "AWS", Password: "CanaryOfAPassword"}, {User: user.key, Password: user.secret}} {
			for _, path := range []string{"/v2/", "/v2/token", "/v2/team/app/manifests/1", "/v2/team/app/manifests/none", "/v2/NOT-A-NAME/tags/list", "/v2/team/app/blobs/sha256:x"} {
				v2("GET", path, "Authorization: "+l.Basic())
				v2("DELETE", path, "Authorization: "+l.Basic())
			}
		}
		for _, header := range []string{"Bearer " + bearer.Token, "Bearer " + login.Password, "Bearer CanaryOfAToken", "CanaryOfAToken", "AWS4-HMAC-SHA256 CanaryOfAToken", "Basic CanaryOfAToken"} {
			v2("GET", "/v2/team/app/manifests/1", "Authorization: "+header)
			v2("POST", "/", "Authorization: "+header, "X-Amz-Target: AmazonEC2ContainerRegistry_V20150921.DescribeRepositories", "Content-Type: application/x-amz-json-1.1")
			v2("POST", "/", "Authorization: "+header, "Content-Type: application/x-www-form-urlencoded")
		}
		u, err := url.Parse(*download.DownloadUrl)
		must(t, err)
		v2("GET", u.RequestURI())
		v2("PUT", u.RequestURI())
		v2("GET", u.Path+"x?"+u.RawQuery)
		v2("GET", u.Path+"?X-Lighterage-Token=CanaryOfAToken")
		v2("GET", "/?X-Amz-Security-Token=CanaryOfASessionToken&X-Amz-Signature=CanaryOfASecret")
	}
	use()
	faults.SetDown(meta.ErrUnavailable)
	use()
	faults.Heal()
	if len(answers) < 100 || len(log.String()) < 10_000 {
		t.Fatalf("only %d errors were answered, and %d bytes logged", len(answers), len(log.String()))
	}
	s.Stop()

	look := func(where string, text []byte) {
		t.Helper()
		for what, secret := range secrets {
			if i := bytes.Index(text, []byte(secret)); i >= 0 {
				t.Errorf("%s has %s: …%s", where, what, text[max(0, i-80):min(len(text), i+20)])
			}
			if escaped := url.QueryEscape(secret); escaped != secret && bytes.Contains(text, []byte(escaped)) {
				t.Errorf("%s has %s, escaped for a URL", where, what)
			}
		}
	}
	if secrets["the master key"] == "" || len(secrets) < 20 {
		t.Fatalf("%d secrets", len(secrets))
	}
	look("the log", []byte(log.String()))
	for _, a := range answers {
		look("an error", []byte(a))
	}
	files := 0
	must(t, filepath.WalkDir(s.Dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || d.Name() == "root-credentials" || d.Name() == "master-key" {
			return err
		}
		text, err := os.ReadFile(path)
		if files++; err == nil {
			look(strings.TrimPrefix(path, s.Dir), text)
		}
		return err
	}))
	trail := newTrail(t, s).text()
	if files < 4 || !bytes.Contains(trail, []byte("GetSessionToken")) || !bytes.Contains(trail, []byte("CreateAccount")) {
		t.Errorf("of %d files the trail has %d bytes", files, len(trail))
	}
}
