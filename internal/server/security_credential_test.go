package server_test

import (
	"crypto"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"
	"github.com/aws/aws-sdk-go-v2/service/lightsail"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/lighterage/lighterage/internal/testkit"
)

func segment(v any) string {
	text, ok := v.([]byte)
	if !ok {
		text, _ = json.Marshal(v)
	}
	return base64.RawURLEncoding.EncodeToString(text)
}

// forgeries are tokens that nobody issued, made of one that was.
func forgeries(t *testing.T, genuine string) map[string]string {
	t.Helper()
	parts := strings.Split(genuine, ".")
	if len(parts) != 3 {
		t.Fatalf("a token of %d parts", len(parts))
	}
	open := func(part string) map[string]any {
		text, err := base64.RawURLEncoding.DecodeString(part)
		must(t, err)
		var m map[string]any
		must(t, json.Unmarshal(text, &m))
		return m
	}
	header := func(change map[string]any) string {
		h := open(parts[0])
		for k, v := range change {
			h[k] = v
		}
		return segment(h)
	}
	claims := func(change map[string]any) string {
		c := open(parts[1])
		for k, v := range change {
			c[k] = v
		}
		return segment(c)
	}
	hs256 := func(head, body string, key []byte) string {
		mac := hmac.New(sha256.New, key)
		mac.Write([]byte(head + "." + body))
		return head + "." + body + "." + segment(mac.Sum(nil))
	}
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	must(t, err)
	public := x509.MarshalPKCS1PublicKey(&key.PublicKey)
	rs256 := func(head, body string) string {
		sum := sha256.Sum256([]byte(head + "." + body))
		signature, err := rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, sum[:])
		must(t, err)
		return head + "." + body + "." + segment(signature)
	}
	jwk := map[string]any{"kty": "RSA", "n": segment(key.N.Bytes()), "e": "AQAB", "kid": "own"}
	kid := open(parts[0])["kid"]
	hs512 := func(head string) string {
		mac := hmac.New(sha512.New, []byte("key"))
		mac.Write([]byte(head + "." + parts[1]))
		return head + "." + parts[1] + "." + segment(mac.Sum(nil))
	}
	later := time.Now().Add(1000 * time.Hour).Unix()
	return map[string]string{
		"alg none":                            header(map[string]any{"alg": "none"}) + "." + parts[1] + ".",
		"alg None with the signature":         header(map[string]any{"alg": "None"}) + "." + parts[1] + "." + parts[2],
		"alg nONE":                            header(map[string]any{"alg": "nONE"}) + "." + parts[1] + ".",
		"no alg":                              header(map[string]any{"alg": nil}) + "." + parts[1] + "." + parts[2],
		"no signature":                        parts[0] + "." + parts[1] + ".",
		"two parts":                           parts[0] + "." + parts[1],
		"a key of nothing":                    hs256(parts[0], parts[1], nil),
		"the kid as key":                      hs256(parts[0], parts[1], fmt.Append(nil, kid)),
		"a public key as secret":              hs256(parts[0], parts[1], public),
		"HS512":                               hs512(header(map[string]any{"alg": "HS512"})),
		"RS256":                               rs256(header(map[string]any{"alg": "RS256"}), parts[1]),
		"an own key in jwk":                   rs256(header(map[string]any{"alg": "RS256", "jwk": jwk}), parts[1]),
		"an own key in jwk under our kid":     rs256(header(map[string]any{"alg": "RS256", "jwk": jwk, "kid": kid}), parts[1]),
		"an own certificate":                  rs256(header(map[string]any{"alg": "RS256", "x5c": []string{base64.StdEncoding.EncodeToString(public)}}), parts[1]),
		"a place of keys":                     rs256(header(map[string]any{"alg": "RS256", "jku": "http://127.0.0.1:1/keys"}), parts[1]),
		"a secret in k":                       hs256(header(map[string]any{"jwk": map[string]any{"kty": "oct", "k": segment([]byte("secret"))}}), parts[1], []byte("secret")),
		"a kid that is a file":                hs256(header(map[string]any{"kid": "../../../../dev/null"}), parts[1], nil),
		"a kid of SQL":                        hs256(header(map[string]any{"kid": "' UNION SELECT '"}), parts[1], nil),
		"another kid":                         header(map[string]any{"kid": "other"}) + "." + parts[1] + "." + parts[2],
		"no kid":                              header(map[string]any{"kid": nil}) + "." + parts[1] + "." + parts[2],
		"a longer life":                       parts[0] + "." + claims(map[string]any{"exp": later}) + "." + parts[2],
		"another key":                         parts[0] + "." + claims(map[string]any{"key": "AKIAIOSFODNN7EXAMPLE"}) + "." + parts[2],
		"another account":                     parts[0] + "." + claims(map[string]any{"acc": foreignAccount}) + "." + parts[2],
		"a wider scope":                       parts[0] + "." + claims(map[string]any{"scp": "full"}) + "x." + parts[2],
		"an older spelling of the same bytes": parts[0] + "." + parts[1] + "." + parts[2] + "=",
		"a line break":                        parts[0] + "." + parts[1] + ".\n" + parts[2],
		"a part more":                         genuine + "." + parts[2],
		"half of it":                          genuine[:len(genuine)/2],
		"JSON":                                string(mustJSON(map[string]string{"protected": parts[0], "payload": parts[1], "signature": parts[2]})),
	}
}

func mustJSON(v any) []byte {
	text, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return text
}

// TestForgedTokensOpenNothing offers them as passwords and as bearer tokens,
// to a server where a public repository can be pulled without a login: who
// offers a forgery gets less than who offers nothing.
func TestForgedTokensOpenNothing(t *testing.T) {
	s := testkit.Start(t, behindProxy, testkit.Setting("anonymous-pull", "true"))
	_, _ = push(t, root(s), "public/app", "1", []byte("layer"))
	_, err := s.ECR().SetRepositoryPolicy(t.Context(), &ecr.SetRepositoryPolicyInput{RepositoryName: aws.String("public/app"),
		PolicyText: aws.String(`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":"*","Action":["ecr:BatchGetImage","ecr:GetDownloadUrlForLayer"]}}`)})
	must(t, err)
	var from addresses
	var nobody struct{ Token string }
	must(t, json.Unmarshal(s.Do(testkit.Login{}, "GET", "/v2/token", nil).Body, &nobody))
	pull := func(authorization string) testkit.Answer {
		return s.Do(testkit.Login{}, "GET", "/v2/public/app/manifests/1", nil, "Authorization: "+authorization, from.next())
	}
	genuine := s.Login()
	basic := func(password string) string { return testkit.Login{User: "AWS", Password: password}.Basic() }
	checkStatus(t, "the genuine one", pull(basic(genuine.Password)), 200)
	checkStatus(t, "the genuine one as bearer", pull("Bearer "+genuine.Password), 200)
	checkStatus(t, "nobody's", pull("Bearer "+nobody.Token), 200)
	checkStatus(t, "nobody's as a password", pull(basic(nobody.Token)), 401)
	url, err := s.ECR().GetDownloadUrlForLayer(t.Context(), &ecr.GetDownloadUrlForLayerInput{RepositoryName: aws.String("public/app"), LayerDigest: aws.String(testkit.Digest([]byte("layer")))})
	must(t, err)
	session, err := s.STS().GetSessionToken(t.Context(), &sts.GetSessionTokenInput{})
	if err != nil { // a root gets none
		user := root(s).hire(t, "user", "")
		session, err = user.sts().GetSessionToken(t.Context(), &sts.GetSessionTokenInput{})
		must(t, err)
	}
	_, download, _ := strings.Cut(aws.ToString(url.DownloadUrl), "=")
	forged := forgeries(t, genuine.Password)
	for name, token := range forgeries(t, nobody.Token) {
		forged["of nobody's, "+name] = token
	}
	forged["a download URL's token"] = download
	forged["a session token"] = *session.Credentials.SessionToken
	forged["the root's secret key"] = s.Root.SecretAccessKey.Reveal()
	forged["nothing"] = ""
	for name, token := range forged {
		if a := pull(basic(token)); a.Status != 401 {
			t.Errorf("%s as a password: %d %s", name, a.Status, a.Body)
		}
		if strings.Contains(token, "\n") {
			continue // is no header
		}
		if a := pull("Bearer " + token); a.Status != 401 {
			t.Errorf("%s as bearer: %d %s", name, a.Status, a.Body)
		}
		if a := s.Do(testkit.Login{}, "GET", "/v2/token", nil, "Authorization: "+basic(token), from.next()); a.Status != 401 || strings.Contains(string(a.Body), "token") {
			t.Errorf("%s for a bearer token: %d %s", name, a.Status, a.Body)
		}
	}
}

// TestALoginOfLessScopeIsNeverMore has a login that pushes to Lightsail.
func TestALoginOfLessScopeIsNeverMore(t *testing.T) {
	s := testkit.Start(t, testkit.Setting("anonymous-pull", "true"))
	must(t, createService(s, "web"))
	_, _ = push(t, root(s), "team/app", "1", []byte("layer"))
	l := s.LightsailLogin()
	_, _ = s.PushImage(l, "sr", "1", []byte("{}"), []byte("layer"))
	for _, header := range []string{"Authorization: " + l.Basic(), "Authorization: Bearer " + l.Password} {
		for _, r := range []string{
			"GET /v2/team/app/manifests/1", "GET /v2/team/app/tags/list", "PUT /v2/team/app/manifests/2", "POST /v2/team/app/blobs/uploads/",
			"GET /v2/_catalog", "GET /v2/sr/manifests/1", "GET /v2/sr/tags/list", "DELETE /v2/sr/manifests/1", "GET /v2/sr/blobs/" + testkit.Digest([]byte("layer")),
			"POST /v2/sr/blobs/uploads/../../team/app/blobs/uploads/",
		} {
			method, path, _ := strings.Cut(r, " ")
			if a := s.Do(testkit.Login{}, method, path, nil, header); a.Status != 403 && a.Status != 400 && a.Status != 404 {
				t.Errorf("%s with %.24s…: %d %s", r, header, a.Status, a.Body)
			}
		}
	}
	if a := s.Do(l, "POST", "/v2/sr/blobs/uploads/?mount="+testkit.Digest([]byte("layer"))+"&from=team/app", nil); a.Status == 201 {
		list := s.Do(s.Login(), "GET", "/v2/team/app/tags/list", nil)
		t.Errorf("it mounted a layer of ECR: %s", list.Body)
	}
}

// access is all ways that a person has to come in, each used before.
type access struct {
	name string
	try  func() error
}

// accesses are a key, its registry login by two schemes, its own session, that
// session's login, and a role that it took on.
func accesses(t *testing.T, p person, repository string) []access {
	t.Helper()
	ctx := t.Context()
	sdk := func(p person) func() error {
		return func() error {
			_, err := p.ecr().ListImages(ctx, &ecr.ListImagesInput{RepositoryName: &repository})
			return err
		}
	}
	v2 := func(header string) func() error {
		return func() error {
			a := p.s.Do(testkit.Login{}, "GET", "/v2/"+repository+"/tags/list", nil, header)
			if a.Status != 200 {
				return fmt.Errorf("%d %s", a.Status, a.Body)
			}
			return nil
		}
	}
	session := p
	got, err := p.sts().GetSessionToken(ctx, &sts.GetSessionTokenInput{})
	must(t, err)
	session.key, session.secret, session.token = *got.Credentials.AccessKeyId, *got.Credentials.SecretAccessKey, *got.Credentials.SessionToken
	login, sessionLogin := p.login(t), session.login(t)
	all := []access{
		{"the key", sdk(p)},
		{"the key's login", v2("Authorization: " + login.Basic())},
		{"the key's login as bearer", v2("Authorization: Bearer " + login.Password)},
		{"the key's session", sdk(session)},
		{"the session's login", v2("Authorization: " + sessionLogin.Basic())},
	}
	for _, a := range all {
		if err := a.try(); err != nil {
			t.Fatalf("%s before: %v", a.name, err)
		}
	}
	return all
}

// TestWhatIsTakenBackIsGoneAtTheNextRequest takes back in every way what was
// used, and so is in caches, a moment before.
func TestWhatIsTakenBackIsGoneAtTheNextRequest(t *testing.T) {
	ctx := t.Context()
	s := testkit.Start(t, testkit.Setting("anonymous-pull", "true"))
	_, _ = push(t, root(s), "team/app", "1", []byte("layer"))
	must(t, createService(s, "web"))
	admin := root(s).iam()
	rights := statements("Allow ecr:*,sts:* *")
	group, own := aws.String("group"), aws.String("own")
	for n, c := range []struct {
		name string
		back func(p person) error
	}{
		{"the key is deactivated", func(p person) error {
			_, err := admin.UpdateAccessKey(ctx, &iam.UpdateAccessKeyInput{UserName: &p.id, AccessKeyId: &p.key, Status: types.StatusTypeInactive})
			return err
		}},
		{"the key is deleted", func(p person) error {
			_, err := admin.DeleteAccessKey(ctx, &iam.DeleteAccessKeyInput{UserName: &p.id, AccessKeyId: &p.key})
			return err
		}},
		{"the user is deleted", func(p person) error {
			_, _ = admin.DeleteAccessKey(ctx, &iam.DeleteAccessKeyInput{UserName: &p.id, AccessKeyId: &p.key})
			_, _ = admin.DeleteUserPolicy(ctx, &iam.DeleteUserPolicyInput{UserName: &p.id, PolicyName: own})
			_, _ = admin.RemoveUserFromGroup(ctx, &iam.RemoveUserFromGroupInput{UserName: &p.id, GroupName: group})
			_, err := admin.DeleteUser(ctx, &iam.DeleteUserInput{UserName: &p.id})
			return err
		}},
		{"the policy is deleted", func(p person) error {
			_, err := admin.DeleteUserPolicy(ctx, &iam.DeleteUserPolicyInput{UserName: &p.id, PolicyName: own})
			return err
		}},
		{"the policy is narrowed", func(p person) error {
			_, err := admin.PutUserPolicy(ctx, &iam.PutUserPolicyInput{UserName: &p.id, PolicyName: own, PolicyDocument: aws.String(statements("Allow sts:* *"))})
			return err
		}},
		{"another policy denies", func(p person) error {
			_, err := admin.PutUserPolicy(ctx, &iam.PutUserPolicyInput{UserName: &p.id, PolicyName: aws.String("deny"), PolicyDocument: aws.String(statements("Deny ecr:ListImages *"))})
			return err
		}},
		{"the repository's policy denies", func(p person) error {
			_, err := s.ECR().SetRepositoryPolicy(ctx, &ecr.SetRepositoryPolicyInput{RepositoryName: aws.String("team/app"), PolicyText: aws.String(
				`{"Version":"2012-10-17","Statement":{"Effect":"Deny","Principal":{"AWS":"arn:aws:iam::000000000000:user/` + p.id + `"},"Action":"ecr:ListImages"}}`)})
			return err
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := root(s).hire(t, fmt.Sprintf("user%d", n), rights)
			all := accesses(t, p, "team/app")
			must(t, c.back(p))
			for _, a := range all {
				if err := a.try(); err == nil {
					t.Errorf("%s still works", a.name)
				}
			}
		})
	}

	t.Run("the boundary narrows", func(t *testing.T) {
		made, err := admin.CreatePolicy(ctx, &iam.CreatePolicyInput{PolicyName: aws.String("bound"), PolicyDocument: aws.String(statements("Allow * *"))})
		must(t, err)
		p := person{s: s, id: "bounded", region: "us-east-1"}
		_, err = admin.CreateUser(ctx, &iam.CreateUserInput{UserName: &p.id, PermissionsBoundary: made.Policy.Arn})
		must(t, err)
		_, err = admin.PutUserPolicy(ctx, &iam.PutUserPolicyInput{UserName: &p.id, PolicyName: own, PolicyDocument: &rights})
		must(t, err)
		key, err := admin.CreateAccessKey(ctx, &iam.CreateAccessKeyInput{UserName: &p.id})
		must(t, err)
		p.key, p.secret = *key.AccessKey.AccessKeyId, *key.AccessKey.SecretAccessKey
		all := accesses(t, p, "team/app")
		_, err = admin.CreatePolicyVersion(ctx, &iam.CreatePolicyVersionInput{PolicyArn: made.Policy.Arn, PolicyDocument: aws.String(statements("Allow sts:* *")), SetAsDefault: true})
		must(t, err)
		for _, a := range all {
			if err := a.try(); err == nil {
				t.Errorf("%s still works", a.name)
			}
		}
	})
	t.Run("the group is left", func(t *testing.T) {
		p := root(s).hire(t, "member", statements("Allow sts:* *"))
		_, err := admin.CreateGroup(ctx, &iam.CreateGroupInput{GroupName: group})
		must(t, err)
		_, err = admin.PutGroupPolicy(ctx, &iam.PutGroupPolicyInput{GroupName: group, PolicyName: own, PolicyDocument: aws.String(statements("Allow ecr:* *"))})
		must(t, err)
		_, err = admin.AddUserToGroup(ctx, &iam.AddUserToGroupInput{GroupName: group, UserName: &p.id})
		must(t, err)
		all := accesses(t, p, "team/app")
		_, err = admin.RemoveUserFromGroup(ctx, &iam.RemoveUserFromGroupInput{GroupName: group, UserName: &p.id})
		must(t, err)
		for _, a := range all {
			if err := a.try(); err == nil {
				t.Errorf("%s still works", a.name)
			}
		}
	})
	t.Run("the role is deleted", func(t *testing.T) {
		p := root(s).hire(t, "actor", rights)
		role := aws.String("role")
		_, err := admin.CreateRole(ctx, &iam.CreateRoleInput{RoleName: role, AssumeRolePolicyDocument: aws.String(
			`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"AWS":"*"},"Action":"sts:AssumeRole"}}`)})
		must(t, err)
		_, err = admin.PutRolePolicy(ctx, &iam.PutRolePolicyInput{RoleName: role, PolicyName: own, PolicyDocument: &rights})
		must(t, err)
		got, err := p.sts().AssumeRole(ctx, &sts.AssumeRoleInput{RoleArn: aws.String("arn:aws:iam::000000000000:role/role"), RoleSessionName: aws.String("session")})
		must(t, err)
		p.key, p.secret, p.token = *got.Credentials.AccessKeyId, *got.Credentials.SecretAccessKey, *got.Credentials.SessionToken
		login := p.login(t)
		try := func() (v2 int, sdk error) {
			_, sdk = p.ecr().ListImages(ctx, &ecr.ListImagesInput{RepositoryName: aws.String("team/app")})
			return s.Do(login, "GET", "/v2/team/app/tags/list", nil).Status, sdk
		}
		if v2, sdk := try(); sdk != nil || v2 != 200 {
			t.Fatalf("before: %v, %d", sdk, v2)
		}
		_, err = admin.DeleteRolePolicy(ctx, &iam.DeleteRolePolicyInput{RoleName: role, PolicyName: own})
		must(t, err)
		if v2, sdk := try(); code(sdk) != "AccessDeniedException" || v2 != 403 {
			t.Errorf("without its policy: %v, %d", sdk, v2)
		}
		_, err = admin.DeleteRole(ctx, &iam.DeleteRoleInput{RoleName: role})
		must(t, err)
		if v2, sdk := try(); sdk == nil || v2 != 401 {
			t.Errorf("without the role: %v, %d", sdk, v2)
		}
	})
	t.Run("the account's tokens are revoked", func(t *testing.T) {
		p := root(s).hire(t, "last", rights)
		all := accesses(t, p, "team/app")
		login, lightsailLogin := s.Login(), s.LightsailLogin()
		must(t, root(s).admin("RevokeTokens", struct{}{}, nil))
		for _, a := range all {
			if err := a.try(); (err == nil) != (a.name == "the key") {
				t.Errorf("%s: %v", a.name, err)
			}
		}
		checkStatus(t, "the root's login", s.Do(login, "GET", "/v2/", nil), 401)
		checkStatus(t, "the root's Lightsail login", s.Do(lightsailLogin, "GET", "/v2/", nil), 401)
		checkStatus(t, "a login of later", s.Do(s.Login(), "GET", "/v2/", nil), 200)
	})
}

// TestWhatIsNoCredentialIsRefused tries all kinds at both doors.
func TestWhatIsNoCredentialIsRefused(t *testing.T) {
	var clock moved
	s := testkit.Start(t, behindProxy, testkit.Clock(clock.now))
	_, _ = push(t, root(s), "team/app", "1", []byte("layer"))
	other := testkit.Start(t, testkit.Logger(discarded()))
	user := root(s).hire(t, "user", statements("Allow ecr:* *"))
	old := user.login(t)
	admin := root(s).iam()
	_, err := admin.UpdateAccessKey(t.Context(), &iam.UpdateAccessKeyInput{UserName: &user.id, AccessKeyId: &user.key, Status: types.StatusTypeInactive})
	must(t, err)
	them := foreigner(t, s)
	good := s.Login()
	var from addresses
	for _, c := range []struct {
		name   string
		login  testkit.Login
		host   string
		after  time.Duration
		status int
	}{
		{"the right password", good, s.Host, 0, 200},
		{"none", testkit.Login{}, s.Host, 0, 401},
		{"any password", testkit.Login{User: "AWS", Password: "password"}, s.Host, 0, 401},
		{"an empty password", testkit.Login{User: "AWS"}, s.Host, 0, 401},
		{"another user name", testkit.Login{User: "admin", Password: good.Password}, s.Host, 0, 401},
		{"the user name in lower case", testkit.Login{User: "aws", Password: good.Password}, s.Host, 0, 401},
		{"the access key", testkit.Login{User: s.Root.AccessKeyID, Password: s.Root.SecretAccessKey.Reveal()}, s.Host, 0, 401},
		{"the secret key", testkit.Login{User: "AWS", Password: s.Root.SecretAccessKey.Reveal()}, s.Host, 0, 401},
		{"a password cut short", testkit.Login{User: "AWS", Password: good.Password[:len(good.Password)-1]}, s.Host, 0, 401},
		{"a password with more behind it", testkit.Login{User: "AWS", Password: good.Password + "A"}, s.Host, 0, 401},
		{"a password with a space behind it", testkit.Login{User: "AWS", Password: good.Password + " "}, s.Host, 0, 401},
		{"a login of another server", other.Login(), s.Host, 0, 401},
		{"a login of a revoked key", old, s.Host, 0, 401},
		{"a login of another account", them.login(t), host(root(s).account), 0, 403},
		{"a login of another region", good, "000000000000.dkr.ecr.eu-west-1.localhost", 0, 401},
		{"a login that has expired", good, s.Host, 13 * time.Hour, 403},
	} {
		clock.set(c.after)
		checkStatus(t, c.name, at(t, s, c.host, c.login, "GET", "/v2/team/app/manifests/1", nil, from.next()), c.status)
	}
	clock.set(0)

	for _, c := range []struct {
		name string
		p    func(p *person)
		code string
	}{
		{"the right key", func(*person) {}, ""},
		{"a wrong secret", func(p *person) { p.secret = "wrong" }, "InvalidSignatureException"},
		{"another's secret", func(p *person) { p.secret = them.secret }, "InvalidSignatureException"},
		{"an unknown key", func(p *person) { p.key = "AKIAIOSFODNN7EXAMPLE" }, "UnrecognizedClientException"},
		{"a revoked key", func(p *person) { *p = user }, "UnrecognizedClientException"},
		{"the keys of everybody's examples", func(p *person) { p.key, p.secret = "test", "test" }, "UnrecognizedClientException"},
		{"a session token that is none", func(p *person) { p.token = "token" }, "UnrecognizedClientException"},
		{"a registry login as session token", func(p *person) { p.token = good.Password }, "UnrecognizedClientException"},
	} {
		p := root(s)
		c.p(&p)
		p.client = &http.Client{Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
			name, value, _ := strings.Cut(from.next(), ": ")
			r.Header.Set(name, value)
			return http.DefaultTransport.RoundTrip(r)
		})}
		_, err := p.ecr().DescribeRepositories(t.Context(), &ecr.DescribeRepositoriesInput{})
		checkCode(t, "ECR with "+c.name, err, c.code)
		_, err = p.iam().ListUsers(t.Context(), &iam.ListUsersInput{})
		if (err == nil) != (c.code == "") {
			t.Errorf("IAM with %s: %v", c.name, err)
		}
		_, err = p.lightsail().GetContainerServices(t.Context(), &lightsail.GetContainerServicesInput{})
		if (err == nil) != (c.code == "") {
			t.Errorf("Lightsail with %s: %v", c.name, err)
		}
	}

	// A good signature is good for its request alone.
	for what, change := range map[string]func(r *http.Request){
		"another operation": func(r *http.Request) {
			r.Header.Set("X-Amz-Target", strings.Replace(r.Header.Get("X-Amz-Target"), "DescribeRepositories", "CreateRepository", 1))
		},
		"another body": func(r *http.Request) {
			r.Body, r.ContentLength = http.NoBody, 0
		},
		"another path":    func(r *http.Request) { r.URL.RawQuery = "x=1" },
		"another service": func(r *http.Request) { r.Header.Set("X-Amz-Target", "Lightsail_20161128.GetContainerServices") },
		"no signature":    func(r *http.Request) { r.Header.Del("Authorization") },
	} {
		p := root(s)
		p.client = &http.Client{Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
			change(r)
			name, value, _ := strings.Cut(from.next(), ": ")
			r.Header.Set(name, value)
			return http.DefaultTransport.RoundTrip(r)
		})}
		if _, err := p.ecr().DescribeRepositories(t.Context(), &ecr.DescribeRepositoriesInput{}); err == nil {
			t.Errorf("a signature is good for %s", what)
		}
	}
}

// TestNoCredentialIsBakedIn compares what two first starts have made, and tries
// what others have as defaults.
func TestNoCredentialIsBakedIn(t *testing.T) {
	one, other := testkit.Start(t, behindProxy, testkit.Logger(discarded())), testkit.Start(t, testkit.Logger(discarded()))
	if one.Root.AccessKeyID == other.Root.AccessKeyID || one.Root.SecretAccessKey.Reveal() == other.Root.SecretAccessKey.Reveal() {
		t.Error("two servers have one root key")
	}
	if n := len(one.Root.SecretAccessKey.Reveal()); n < 40 {
		t.Errorf("the root's secret key has %d characters", n)
	}
	for _, file := range []string{"root-credentials", "master-key"} {
		a, err := os.ReadFile(filepath.Join(one.Dir, file))
		must(t, err)
		b, err := os.ReadFile(filepath.Join(other.Dir, file))
		must(t, err)
		info, err := os.Stat(filepath.Join(one.Dir, file))
		must(t, err)
		if string(a) == string(b) || info.Mode().Perm() != 0o600 {
			t.Errorf("%s is the same for two servers, or can be read: %v", file, info.Mode())
		}
	}
	must(t, filepath.WalkDir(one.Dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err == nil && info.Mode().Perm()&0o007 != 0 && !d.IsDir() && strings.HasSuffix(path, ".db") {
			t.Errorf("%s is for everybody: %v", path, info.Mode())
		}
		return err
	}))
	var from addresses
	for _, l := range []testkit.Login{{User: "AWS", Password: "test"}, {User: "admin", Password: "admin"}, {User: "admin", Password: "Harbor12345"}, {User: "AWS", Password: "000000000000-auth-token"}, {User: "test", Password: "test"}} {
		checkStatus(t, l.User+":"+l.Password, one.Do(l, "GET", "/v2/", nil, from.next()), 401)
	}
	signedElsewhere := root(other)
	signedElsewhere.s = one
	_, err := signedElsewhere.sts().GetCallerIdentity(t.Context(), &sts.GetCallerIdentityInput{})
	checkCode(t, "the root of another server", err, "InvalidClientTokenId")
}

// secretName is what a variable is called that holds what only one may know.
var secretName = regexp.MustCompile(`(?i)^(.*(signature|secret|password|fingerprint|mac|passwd|token))$`)

// variableTime returns the comparisons in a file that stop at the first byte
// that differs, of what has the name of a secret.
func variableTime(set *token.FileSet, file *ast.File) []string {
	named := func(e ast.Expr) bool {
		switch e := e.(type) {
		case *ast.Ident:
			return secretName.MatchString(e.Name)
		case *ast.SelectorExpr:
			return secretName.MatchString(e.Sel.Name)
		case *ast.CallExpr:
			if s, ok := e.Fun.(*ast.SelectorExpr); ok {
				return s.Sel.Name == "Reveal"
			}
		}
		return false
	}
	constant := func(e ast.Expr) bool {
		switch e := e.(type) {
		case *ast.BasicLit, *ast.CompositeLit:
			return true
		case *ast.Ident:
			return e.Name == "nil"
		}
		return false
	}
	var found []string
	ast.Inspect(file, func(n ast.Node) bool {
		var x, y ast.Expr
		switch n := n.(type) {
		case *ast.BinaryExpr:
			if n.Op != token.EQL && n.Op != token.NEQ {
				return true
			}
			x, y = n.X, n.Y
		case *ast.CallExpr:
			s, ok := n.Fun.(*ast.SelectorExpr)
			if !ok || len(n.Args) != 2 || s.Sel.Name != "Equal" && s.Sel.Name != "EqualFold" && s.Sel.Name != "Compare" {
				return true
			}
			if p, ok := s.X.(*ast.Ident); !ok || p.Name != "bytes" && p.Name != "strings" {
				return true
			}
			x, y = n.Args[0], n.Args[1]
		default:
			return true
		}
		if (named(x) || named(y)) && !constant(x) && !constant(y) {
			found = append(found, set.Position(n.Pos()).String())
		}
		return true
	})
	return found
}

// TestSecretsAreComparedInConstantTime reads the source: time cannot be measured
// well enough, and what is compared as anything else looks the same to a test.
func TestSecretsAreComparedInConstantTime(t *testing.T) {
	set := token.NewFileSet()
	example, err := parser.ParseFile(set, "example.go", `package p
		func f() bool { return password == given || c.Fingerprint != k || bytes.Equal(mac, sum) || s.Reveal() == t || strings.EqualFold(a, b.Secret) }
		func g() bool { return password == "" || mac != nil || hmac.Equal(mac, sum) || a == b }`, 0)
	must(t, err)
	if n := len(variableTime(set, example)); n != 5 {
		t.Fatalf("%d comparisons are found in the example, want 5", n)
	}
	looked := 0
	for _, dir := range []string{"identity", "sigv4", "seal", "access", "directory", "server", "config", "webidentity", "throttle", "edge", "api/oci", "api/awsjson", "api/awsquery", "api/sts", "api/iam", "api/ecr", "api/admin", "api/lightsail"} {
		files, err := filepath.Glob("../" + dir + "/*.go")
		must(t, err)
		for _, path := range files {
			if strings.HasSuffix(path, "_test.go") {
				continue
			}
			looked++
			file, err := parser.ParseFile(set, path, nil, 0)
			must(t, err)
			for _, at := range variableTime(set, file) {
				t.Errorf("%s: a secret is compared in variable time", at)
			}
		}
	}
	if looked < 100 {
		t.Errorf("only %d files were read", looked)
	}
	for _, c := range [][2]string{
		{"../sigv4", `hmac\.Equal|subtle\.ConstantTimeCompare`}, {"../identity", `hmac\.Equal`}, {"../identity", `subtle\.ConstantTimeCompare`},
	} {
		dir, call := c[0], c[1]
		files, err := filepath.Glob(filepath.Join(dir, "*.go"))
		must(t, err)
		found := false
		for _, path := range files {
			source, err := os.ReadFile(path)
			must(t, err)
			found = found || !strings.HasSuffix(path, "_test.go") && regexp.MustCompile(call).Match(source)
		}
		if !found {
			t.Errorf("%s compares nothing with %s", dir, call)
		}
	}
}
