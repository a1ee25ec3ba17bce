package server_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	ecrtypes "github.com/aws/aws-sdk-go-v2/service/ecr/types"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/lighterage/lighterage/internal/testkit"
)

// TestAnswersWithoutCredentialsTellNothing compares what is there with what is
// not, at every door.
func TestAnswersWithoutCredentialsTellNothing(t *testing.T) {
	s := testkit.Start(t, behindProxy)
	_, digest := push(t, root(s), "team/app", "1", []byte("layer"))
	nobody := root(s).hire(t, "nobody", statements("Allow ecr:GetAuthorizationToken *"))
	var from addresses
	layer := testkit.Digest([]byte("layer"))
	said := func(l testkit.Login, method, path string) string {
		a := s.Do(l, method, path, nil, from.next())
		for _, h := range []string{"Date", "X-Request-Id", "X-Amzn-Requestid"} {
			a.Header.Del(h)
		}
		return fmt.Sprintf("%d %v %s", a.Status, a.Header, a.Body)
	}
	for what, l := range map[string]testkit.Login{
		"no credentials": {}, "a wrong password": {User: "AWS", Password: "wrong"}, "another user": {User: "root", Password: "wrong"},
	} {
		for _, route := range []string{
			"GET tags/list", "GET manifests/1", "HEAD manifests/1", "PUT manifests/1", "DELETE manifests/1", "GET manifests/" + digest,
			"GET blobs/" + layer, "HEAD blobs/" + layer, "DELETE blobs/" + layer, "POST blobs/uploads/", "GET referrers/" + digest,
		} {
			method, path, _ := strings.Cut(route, " ")
			there := said(l, method, "/v2/team/app/"+path)
			for _, other := range []string{"/v2/team/none/" + path, "/v2/team/app/no/such/" + path, "/v2/NOT-A-NAME/" + path} {
				if absent := said(l, method, other); absent != there {
					t.Errorf("%s %s with %s is answered\n%s\nand %s\n%s", method, path, what, there, other, absent)
				}
			}
			if !strings.HasPrefix(there, "401 ") {
				t.Errorf("%s %s with %s: %s", method, path, what, there)
			}
		}
	}

	stranger := person{s: s, id: "stranger", key: "AKIAIOSFODNN7EXAMPLE", secret: "wrong", region: "us-east-1"}
	for what, p := range map[string]person{"an unknown key": stranger, "a key without a policy": nobody} {
		describe := func(name string) string {
			_, err := p.ecr().DescribeImages(t.Context(), &ecr.DescribeImagesInput{RepositoryName: &name})
			return code(err) + strings.ReplaceAll(message(err), name, "NAME")
		}
		if there, absent := describe("team/app"), describe("team/none"); there != absent || there == "" {
			t.Errorf("%s: there: %s, absent: %s", what, there, absent)
		}
	}
	l := nobody.login(t)
	there, absent := s.Do(l, "GET", "/v2/team/app/tags/list", nil), s.Do(l, "GET", "/v2/team/not/tags/list", nil)
	if got := strings.ReplaceAll(string(absent.Body), "team/not", "team/app"); there.Status != 403 || absent.Status != 403 || got != string(there.Body) {
		t.Errorf("a login without a policy: there %d %s, absent %d %s", there.Status, there.Body, absent.Status, absent.Body)
	}
	checkStatus(t, "_catalog without a right", s.Do(l, "GET", "/v2/_catalog", nil), 403)
	some := root(s).hire(t, "some", statements("Allow ecr:GetAuthorizationToken *", "Allow ecr:DescribeRepositories "+on("own/*")))
	push(t, root(s), "own/app", "1", []byte("layer"))
	if a := s.Do(some.login(t), "GET", "/v2/_catalog", nil); string(a.Body) != `{"repositories":["own/app"]}`+"\n" {
		t.Errorf("_catalog with a right to one of two: %d %s", a.Status, a.Body)
	}
}

// TestRightsAreTheSameByEveryScheme compares what a Basic login, a bearer token
// and a signature are good for, for users and for a narrowed session.
func TestRightsAreTheSameByEveryScheme(t *testing.T) {
	ctx := t.Context()
	s := testkit.Start(t, testkit.Setting("anonymous-pull", "true"))
	manifest, _ := push(t, root(s), "team/app", "1", []byte("layer"))
	_, _ = push(t, root(s), "other/app", "1", []byte("layer"))
	puller := root(s).hire(t, "puller", statements("Allow ecr:GetAuthorizationToken *", "Allow ecr:BatchGetImage,ecr:ListImages "+on("team/app")))
	pusher := root(s).hire(t, "pusher", statements("Allow ecr:* *", "Deny ecr:* "+on("other/*")))
	_, err := root(s).iam().CreateRole(ctx, &iam.CreateRoleInput{RoleName: aws.String("admin"), AssumeRolePolicyDocument: aws.String(
		`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::000000000000:root"},"Action":"sts:AssumeRole"}}`)})
	must(t, err)
	_, err = root(s).iam().PutRolePolicy(ctx, &iam.PutRolePolicyInput{RoleName: aws.String("admin"), PolicyName: aws.String("all"), PolicyDocument: aws.String(statements("Allow * *"))})
	must(t, err)
	_, err = root(s).iam().PutUserPolicy(ctx, &iam.PutUserPolicyInput{UserName: aws.String("pusher"), PolicyName: aws.String("sts"), PolicyDocument: aws.String(statements("Allow sts:AssumeRole *"))})
	must(t, err)
	assumed, err := pusher.sts().AssumeRole(ctx, &sts.AssumeRoleInput{RoleArn: aws.String("arn:aws:iam::000000000000:role/admin"), RoleSessionName: aws.String("narrow"),
		Policy: aws.String(statements("Allow ecr:GetAuthorizationToken *", "Allow ecr:BatchGetImage "+on("other/app")))})
	must(t, err)
	narrow := pusher
	narrow.id, narrow.key, narrow.secret, narrow.token = "narrowed session", *assumed.Credentials.AccessKeyId, *assumed.Credentials.SecretAccessKey, *assumed.Credentials.SessionToken

	acts := []struct {
		name, method, path string
		sdk                func(c *ecr.Client, repository string) error
	}{
		{"pull", "GET", "manifests/1", func(c *ecr.Client, repository string) error {
			_, err := c.BatchGetImage(ctx, &ecr.BatchGetImageInput{RepositoryName: &repository, ImageIds: []ecrtypes.ImageIdentifier{{ImageTag: aws.String("1")}}})
			return err
		}},
		{"list", "GET", "tags/list", func(c *ecr.Client, repository string) error {
			_, err := c.ListImages(ctx, &ecr.ListImagesInput{RepositoryName: &repository})
			return err
		}},
		{"push", "PUT", "manifests/1", func(c *ecr.Client, repository string) error {
			_, err := c.PutImage(ctx, &ecr.PutImageInput{RepositoryName: &repository, ImageManifest: aws.String(string(manifest)), ImageTag: aws.String("fresh")})
			if code(err) == "ImageAlreadyExistsException" {
				return nil
			}
			return err
		}},
		{"delete", "DELETE", "manifests/absent", func(c *ecr.Client, repository string) error {
			_, err := c.BatchDeleteImage(ctx, &ecr.BatchDeleteImageInput{RepositoryName: &repository, ImageIds: []ecrtypes.ImageIdentifier{{ImageTag: aws.String("absent")}}})
			return err
		}},
	}
	want := map[string]string{
		"puller team/app": "pull list", "puller other/app": "", "pusher team/app": "pull list push delete", "pusher other/app": "",
		"narrowed session team/app": "", "narrowed session other/app": "pull",
	}
	for _, p := range []person{puller, pusher, narrow} {
		l := p.login(t)
		var bearer struct{ Token string }
		must(t, json.Unmarshal(s.Do(l, "GET", "/v2/token?scope=repository:other/app:pull,push,delete", nil).Body, &bearer))
		for _, repository := range []string{"team/app", "other/app"} {
			got := map[string][]string{}
			for _, act := range acts {
				v2 := func(header string) bool {
					a := s.Do(testkit.Login{}, act.method, "/v2/"+repository+"/"+act.path, manifest, header, "Content-Type: "+testkit.ManifestType)
					if a.Status == 401 || a.Status >= 500 {
						t.Errorf("%s: %s %s: %d %s", p.id, act.name, repository, a.Status, a.Body)
					}
					return a.Status != 403
				}
				err := act.sdk(p.ecr(), repository)
				if err != nil && code(err) != "AccessDeniedException" {
					t.Errorf("%s: %s %s: %v", p.id, act.name, repository, err)
				}
				for scheme, allowed := range map[string]bool{"Basic": v2("Authorization: " + l.Basic()), "Bearer": v2("Authorization: Bearer " + bearer.Token), "SigV4": err == nil} {
					if allowed {
						got[scheme] = append(got[scheme], act.name)
					}
				}
			}
			for _, scheme := range []string{"Basic", "Bearer", "SigV4"} {
				if allowed := strings.Join(got[scheme], " "); allowed != want[p.id+" "+repository] {
					t.Errorf("%s may %q on %s by %s, want %q", p.id, allowed, repository, scheme, want[p.id+" "+repository])
				}
			}
		}
	}
}

// TestProxyHeadersAreBelievedOfTrustedProxiesAlone has a policy that depends on
// the address, and one that depends on TLS.
func TestProxyHeadersAreBelievedOfTrustedProxiesAlone(t *testing.T) {
	policy := `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"ecr:*","Resource":"*","Condition":{
		"IpAddress":{"aws:SourceIp":"10.1.0.0/16"},"Bool":{"aws:SecureTransport":"true"}}}]}`
	inside := []string{"X-Forwarded-For: 10.1.2.3", "X-Forwarded-Proto: https"}
	s := testkit.Start(t)
	_, _ = push(t, root(s), "team/app", "1", []byte("layer"))
	user := root(s).hire(t, "inside", policy)
	from := func(headers ...string) *http.Client {
		return &http.Client{Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
			for _, h := range headers {
				name, value, _ := strings.Cut(h, ": ")
				r.Header.Set(name, value)
			}
			return http.DefaultTransport.RoundTrip(r)
		})}
	}
	describe := func(headers ...string) error {
		u := user
		u.client = from(headers...)
		_, err := u.ecr().DescribeRepositories(t.Context(), &ecr.DescribeRepositoriesInput{})
		return err
	}
	checkCode(t, "of somebody who only says so", describe(inside...), "AccessDeniedException")
	a := s.Do(testkit.Login{}, "GET", "/v2/", nil, "X-Forwarded-Host: evil.example", "X-Forwarded-Proto: https", "Forwarded: host=evil.example")
	if challenge := a.Header.Get("Www-Authenticate"); strings.Contains(challenge, "evil") || !strings.Contains(challenge, `realm="http://`+s.Host+`/"`) {
		t.Errorf("a stranger chose the realm %s", challenge)
	}

	s.Restart(behindProxy)
	checkCode(t, "of the proxy", describe(inside...), "")
	checkCode(t, "of the proxy, from outside", describe("X-Forwarded-For: 10.1.2.3, 203.0.113.1", "X-Forwarded-Proto: https"), "AccessDeniedException")
	checkCode(t, "of the proxy, without TLS", describe("X-Forwarded-For: 10.1.2.3", "X-Forwarded-Proto: http"), "AccessDeniedException")

	user.client = from(inside...)
	l := user.login(t)
	checkStatus(t, "a login from inside", s.Do(l, "GET", "/v2/team/app/manifests/1", nil, inside...), 200)
	checkStatus(t, "the same login from outside", s.Do(l, "GET", "/v2/team/app/manifests/1", nil, "X-Forwarded-For: 203.0.113.1", "X-Forwarded-Proto: https"), 403)
	bad := testkit.Login{User: "AWS", Password: base64.StdEncoding.EncodeToString([]byte("x"))}
	checkStatus(t, "inside is no password", s.Do(bad, "GET", "/v2/", nil, inside...), 401)
}
