package oci_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/lighterage/lighterage/internal/api/oci"
	"github.com/lighterage/lighterage/internal/digest"
	"github.com/lighterage/lighterage/internal/meta"
	"github.com/lighterage/lighterage/internal/name"
	"github.com/lighterage/lighterage/internal/registry"
)

const pullForAll = `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":"*","Action":["ecr:BatchGetImage","ecr:GetDownloadUrlForLayer","ecr:BatchCheckLayerAvailability","ecr:PutImage"]}}`

func anonymousPull(_ *registry.Config, c *oci.Config) {
	c.Anonymous, c.Home = true, name.RegistryID{Account: account, Region: region}
}

// bearer asks for a token with what options set, and returns it as an option.
func (w *world) bearer(options ...option) option {
	w.t.Helper()
	a := w.do("GET", "/v2/token?service=ecr.amazonaws.com&scope=repository:any:pull,push", options...).is(200).has(
		"Content-Type", "application/json; charset=utf-8", "Cache-Control", "no-store")
	var got struct {
		Token       string `json:"token"`
		AccessToken string `json:"access_token"`
		ExpiresIn   int    `json:"expires_in"`
	}
	w.must(json.Unmarshal(a.body, &got))
	if got.Token == "" || got.AccessToken != got.Token || got.ExpiresIn != 300 {
		w.t.Errorf("%s", a.body)
	}
	return as("Bearer " + got.Token)
}

// share pushes an image to the repository and gives it the policy.
func (w *world) share(repository name.RepositoryName, policy string) (layer digest.Digest) {
	w.t.Helper()
	w.create(repository)
	layer, _ = w.pushed(repository, "v1")
	if policy != "" {
		w.must(w.catalogue.SetRepositoryPolicy(context.Background(), key(repository), policy, nil))
	}
	return layer
}

// pushed pushes a manifest with one layer, which is its config too.
func (w *world) pushed(repository name.RepositoryName, tag string) (digest.Digest, []byte) {
	w.t.Helper()
	content := []byte("the content of " + string(repository))
	d := sha(content)
	w.do("POST", "/v2/"+string(repository)+"/blobs/uploads/?digest="+string(d), body(content)).is(201)
	m := fmt.Appendf(nil, `{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"%s","size":%d},"layers":[]}`, d, len(content))
	w.do("PUT", "/v2/"+string(repository)+"/manifests/"+tag, body(m), header("Content-Type", "application/vnd.oci.image.manifest.v1+json")).is(201)
	return d, m
}

func TestAnybodyPullsWhatIsForEverybody(t *testing.T) {
	w := open(t, anonymousPull)
	layer := w.share("public/app", pullForAll)
	secret := w.share("private/app", "")
	token := w.bearer(anonymous)

	w.do("GET", "/v2/", token).is(200).holds([]byte("{}"))
	w.do("GET", "/v2/public/app/manifests/v1", token).is(200)
	w.do("HEAD", "/v2/public/app/manifests/v1", token).is(200)
	w.do("GET", "/v2/public/app/blobs/"+string(layer), token).is(200).holds([]byte("the content of public/app"))
	w.do("HEAD", "/v2/public/app/blobs/"+string(layer), token).is(200)

	refused := func(method, path, scope string, options ...option) {
		t.Helper()
		a := w.do(method, path, append(options, token)...).is(401)
		want := `Bearer realm="http://` + plain + `/v2/token",service="ecr.amazonaws.com"` + scope + `,error="insufficient_scope"`
		a.has("Www-Authenticate", want)
		if method != "HEAD" && string(a.body) != "Not Authorized\n" {
			t.Errorf("%s", a.body)
		}
	}
	for _, repository := range []string{"private/app", "not/there"} { // nobody learns which is there
		refused("GET", "/v2/"+repository+"/manifests/v1", `,scope="repository:`+repository+`:pull"`)
		refused("HEAD", "/v2/"+repository+"/manifests/v1", `,scope="repository:`+repository+`:pull"`)
		refused("GET", "/v2/"+repository+"/blobs/"+string(secret), `,scope="repository:`+repository+`:pull"`)
		refused("GET", "/v2/"+repository+"/tags/list", `,scope="repository:`+repository+`:pull"`)
	}
	refused("GET", "/v2/_catalog", "")
	// Pushing takes a login, whatever a policy says.
	refused("PUT", "/v2/public/app/manifests/v2", `,scope="repository:public/app:pull,push"`, body([]byte("{}")))
	refused("POST", "/v2/public/app/blobs/uploads/", `,scope="repository:public/app:pull,push"`)
	refused("POST", "/v2/public/app/blobs/uploads/?mount="+string(secret)+"&from=private/app", `,scope="repository:public/app:pull,push"`)
	refused("DELETE", "/v2/public/app/manifests/v1", `,scope="repository:public/app:delete"`)
	// Another account's name, and another region's.
	w.do("GET", "/v2/public/app/manifests/v1", token, host("123456789012.dkr.ecr.us-east-1.example.com")).is(200)
	w.do("GET", "/v2/public/app/manifests/v1", token, host("999999999999.dkr.ecr.us-east-1.example.com")).is(401)
	w.do("GET", "/v2/public/app/manifests/v1", token, host("123456789012.dkr.ecr.eu-west-1.example.com")).is(401)
}

func TestALoginHasItsOwnRightsByEveryScheme(t *testing.T) {
	w := open(t, anonymousPull)
	layer := w.share("private/app", "")
	w.createLightsail()
	for what, login := range map[string]option{"basic": as(w.token), "bearer": w.bearer(as(w.token))} {
		w.do("GET", "/v2/", login).is(200)
		w.do("GET", "/v2/private/app/blobs/"+string(layer), login).is(200)
		w.do("POST", "/v2/new-by-"+what+"/blobs/uploads/", login).is(202)
		w.drop(name.RepositoryName("new-by-" + what))
		w.do("GET", "/v2/_catalog", login).is(200).holds([]byte(`{"repositories":["private/app"]}` + "\n"))
	}
	for _, login := range []option{as(w.lightsail), w.bearer(as(w.lightsail))} {
		w.do("POST", "/v2/sr/blobs/uploads/", login).is(202)
		w.do("GET", "/v2/private/app/manifests/v1", login).refuses(403, "DENIED", "Lightsail")
	}
	for _, login := range []option{as(w.foreign), w.bearer(as(w.foreign))} {
		w.do("GET", "/v2/private/app/manifests/v1", login, host("123456789012.dkr.ecr.us-east-1.example.com")).refuses(403, "DENIED", "because no resource-based policy allows")
	}
}

func TestABadLoginIsNeverAnybody(t *testing.T) {
	w := open(t, anonymousPull)
	w.share("public/app", pullForAll)
	_, password, _ := strings.Cut(decode(t, w.token), ":")
	for what, credential := range map[string]option{
		"any password":         as(basic("AWS", "letmein")),
		"another user":         as(basic("aws", password)),
		"a truncated token":    as(basic("AWS", password[:len(password)-5])),
		"no base64":            as("Basic %%%"),
		"a bearer that is bad": as("Bearer x"),
		"another scheme":       as("Digest x"),
	} {
		t.Run(what, func(t *testing.T) {
			w := w.with(t)
			w.do("GET", "/v2/token", credential).is(401).has("Www-Authenticate", `Basic realm="http://`+plain+`/",service="ecr.amazonaws.com"`)
			for _, path := range []string{"/v2/", "/v2/public/app/manifests/v1"} {
				if a := w.do("GET", path, credential).is(401); !strings.HasPrefix(a.header.Get("Www-Authenticate"), "Bearer realm=") {
					t.Errorf("%s: %q", path, a.header.Get("Www-Authenticate"))
				}
			}
		})
	}
	// Nobody's token is no password.
	r, _ := http.NewRequest("GET", "/", nil)
	w.bearer(anonymous)(r)
	_, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	w.do("GET", "/v2/", as(basic("AWS", token))).is(401)
	w.do("GET", "/v2/public/app/manifests/v1", anonymous).is(401)
}

func TestTokensEnd(t *testing.T) {
	w := open(t, anonymousPull)
	w.share("public/app", pullForAll)
	nobodys, ours := w.bearer(anonymous), w.bearer(as(w.token))
	w.clock.Advance(5*time.Minute - time.Second)
	w.do("GET", "/v2/public/app/manifests/v1", nobodys).is(200)
	w.clock.Advance(time.Second)
	w.do("GET", "/v2/public/app/manifests/v1", nobodys).is(401)
	w.do("GET", "/v2/public/app/manifests/v1", ours).is(200)
	w.clock.Advance(12 * time.Hour)
	w.do("GET", "/v2/public/app/manifests/v1", ours).refuses(403, "DENIED", "expired")
	w.do("GET", "/v2/token", as(w.token)).refuses(403, "DENIED", "expired")
}

func TestTokensAreGotWithGET(t *testing.T) {
	w := open(t, anonymousPull)
	for _, method := range []string{"POST", "PUT", "HEAD", "DELETE"} {
		w.do(method, "/v2/token").is(405).has("Allow", "GET") // clients that try POST go on with GET
	}
}

// TestWithoutTheSettingThereAreNoBearerTokens: off is the default.
func TestWithoutTheSettingThereAreNoBearerTokens(t *testing.T) {
	w, with := open(t), open(t, anonymousPull)
	w.share("public/app", pullForAll)
	token := with.bearer(anonymous)
	const challenge = `Basic realm="http://` + plain + `/",service="ecr.amazonaws.com"`
	for _, credential := range []option{anonymous, token, with.bearer()} {
		w.do("GET", "/v2/", credential).is(401).has("Www-Authenticate", challenge)
		w.do("GET", "/v2/token", credential).is(401).has("Www-Authenticate", challenge)
		w.do("GET", "/v2/public/app/manifests/v1", credential).is(401).has("Www-Authenticate", challenge)
	}
	w.do("GET", "/v2/token").refuses(404, "UNSUPPORTED")
}

func TestTheChallengeQuotesNoBadName(t *testing.T) {
	w := open(t, anonymousPull)
	w.do("GET", "/v2/a%22b/manifests/v1", anonymous).is(401).has("Www-Authenticate", `Bearer realm="http://`+plain+`/v2/token",service="ecr.amazonaws.com"`)
}

// TestPoliciesHoldOnThisDoor: what a repository's policy gives and takes.
func TestPoliciesHoldOnThisDoor(t *testing.T) {
	const ours = "123456789012.dkr.ecr.us-east-1.example.com"
	allow := func(actions string) string {
		return `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"AWS":"999999999999"},"Action":[` + actions + `]}}`
	}
	w := open(t)
	w.must(w.decider.Store.Update(t.Context(), func(tx meta.Tx) error { return tx.InsertAccount(meta.Account{ID: "999999999999"}) }))
	layer := w.share("team/app", "")
	get := func() reply { return w.do("GET", "/v2/team/app/manifests/v1", as(w.foreign), host(ours)) }
	get().refuses(403, "DENIED", "User: arn:aws:iam::999999999999:root is not authorized to perform: ecr:BatchGetImage on resource: arn:aws:ecr:us-east-1:123456789012:repository/team/app because no resource-based policy allows the ecr:BatchGetImage action")
	w.must(w.catalogue.SetRepositoryPolicy(t.Context(), key("team/app"), allow(`"ecr:BatchGetImage","ecr:GetDownloadUrlForLayer"`), nil))
	get().is(200)
	w.do("GET", "/v2/team/app/blobs/"+string(layer), as(w.foreign), host(ours)).is(200)
	w.do("GET", "/v2/team/app/manifests/v1", as(w.foreign)).refuses(404, "NAME_UNKNOWN") // without the host name, its own registry
	w.do("POST", "/v2/team/app/blobs/uploads/", as(w.foreign), host(ours)).refuses(403, "DENIED")

	w.must(w.catalogue.SetRepositoryPolicy(t.Context(), key("team/app"), allow(`"ecr:InitiateLayerUpload","ecr:UploadLayerPart","ecr:CompleteLayerUpload","ecr:PutImage"`), nil))
	w.do("POST", "/v2/team/app/blobs/uploads/?digest="+string(sha([]byte("theirs"))), as(w.foreign), host(ours), body([]byte("theirs"))).is(201)
	get().refuses(403, "DENIED")

	w.must(w.catalogue.PutRegistryPolicy(t.Context(), key("x").Registry, `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"AWS":"999999999999"},"Action":["ecr:InitiateLayerUpload"],"Resource":"*"}}`))
	w.do("POST", "/v2/new/app/blobs/uploads/", as(w.foreign), host(ours)).refuses(404, "NAME_UNKNOWN", "create-repository")
	w.must(w.catalogue.PutRegistryPolicy(t.Context(), key("x").Registry, `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"AWS":"999999999999"},"Action":["ecr:InitiateLayerUpload","ecr:CreateRepository"],"Resource":"*"}}`))
	w.do("POST", "/v2/new/app/blobs/uploads/", as(w.foreign), host(ours)).is(202)
}

// TestAMountNeedsPullOnTheSource: without it the answer is that of a source
// that is not there.
func TestAMountNeedsPullOnTheSource(t *testing.T) {
	w := open(t)
	secret := w.share("secret", `{"Version":"2012-10-17","Statement":{"Effect":"Deny","Principal":"*","Action":"ecr:GetDownloadUrlForLayer"}}`)
	shared := w.share("shared", "")
	w.create("team/app")
	mount := func(d digest.Digest, from string) reply {
		return w.do("POST", "/v2/team/app/blobs/uploads/?mount="+string(d)+from)
	}
	mount(secret, "&from=secret").is(202)
	mount(secret, "&from=not/there").is(202)
	mount(secret, "").is(202)
	mount(shared, "&from=shared").is(201)
	w.drop("team/app")
	w.create("team/app")
	mount(shared, "").is(201)

	w.drop("team/app")
	w.create("team/app")
	w.must(w.catalogue.PutAccountSetting(t.Context(), key("x").Registry, "BLOB_MOUNTING", "DISABLED"))
	mount(shared, "&from=shared").is(202)
	mount(shared, "").is(202)
	w.must(w.catalogue.PutAccountSetting(t.Context(), key("x").Registry, "BLOB_MOUNTING", "ENABLED"))
	mount(shared, "&from=shared").is(201)
}
