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
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
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
