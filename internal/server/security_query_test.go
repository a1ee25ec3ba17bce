package server_test

import (
	"bytes"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	ecrtypes "github.com/aws/aws-sdk-go-v2/service/ecr/types"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/google/go-cmp/cmp"

	"github.com/lighterage/lighterage/internal/meta/metatest"
	"github.com/lighterage/lighterage/internal/testkit"
)

// signedForm sends a form of the query protocol as it is.
func signedForm(t *testing.T, p person, body string) (int, string) {
	t.Helper()
	c := p.iam()
	var status int
	var answer string
	_, _ = c.ListUsers(t.Context(), &iam.ListUsersInput{}, func(o *iam.Options) {
		o.APIOptions = append(o.APIOptions, replaceBody(body))
		o.HTTPClient = &http.Client{Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
			resp, err := http.DefaultTransport.RoundTrip(r)
			if err == nil {
				var b bytes.Buffer
				_, _ = b.ReadFrom(resp.Body)
				status, answer = resp.StatusCode, b.String()
				resp.Body = http.NoBody
			}
			return resp, err
		})}
	})
	if status == 0 {
		t.Fatal("the form was not answered")
	}
	return status, answer
}

// hostile are texts that mean something to a database, a template or a shell.
var hostile = []string{
	`' OR '1'='1`, `'; DROP TABLE repositories; --`, `") OR 1=1 --`, `x' UNION SELECT secret FROM secrets --`, `%`, `a_%`, `\`, `%' ESCAPE '`, `$1`, `?1`, `:a`, `@a`,
	"\x00", "\x00'", "a\nb", `{"$gt":""}`, `${jndi:x}`, `{{7*7}}`, strings.Repeat("'", 999), "𝒳'", "\u2028",
}

// TestTextsAreNeverPartsOfAQuery puts them wherever a text goes in a query, on
// both databases.
func TestTextsAreNeverPartsOfAQuery(t *testing.T) {
	for _, db := range []struct {
		name   string
		option func(t *testing.T) testkit.Option
	}{
		{"SQLite", func(*testing.T) testkit.Option { return testkit.Setting("log-level", "info") }},
		{"PostgreSQL", func(t *testing.T) testkit.Option {
			return testkit.Postgres(metatest.StartPostgres(t).NewDatabase(t))
		}},
	} {
		t.Run(db.name, func(t *testing.T) { textsInQueries(t, testkit.Start(t, db.option(t))) })
	}
}

func textsInQueries(t *testing.T, s *testkit.Server) {
	ctx := t.Context()
	p := root(s)
	_, digest := push(t, p, "team/app", "1", []byte("layer"))
	_, _ = push(t, p, "vault/app", "1", []byte("layer"))
	furnish(t, p)
	_, err := p.iam().CreateUser(ctx, &iam.CreateUserInput{UserName: aws.String("deep"), Path: aws.String("/aXb/")})
	must(t, err)
	l, app := s.Login(), aws.String("team/app")
	dev := p.hire(t, "dev", statements("Allow ecr:* "+on("team/*"), "Allow ecr:GetAuthorizationToken *"))
	before := snapshot(t, p, "team/app", "vault/app")
	for _, text := range hostile {
		for operation, in := range map[string]map[string]any{
			"DescribeRepositories": {"nextToken": text},
			"ListImages":           {"repositoryName": "team/app", "nextToken": text},
			"DescribeImages":       {"repositoryName": "team/app", "nextToken": text},
			"ListImageReferrers":   {"repositoryName": "team/app", "subjectId": map[string]string{"imageDigest": digest}, "nextToken": text},
			"BatchGetImage":        {"repositoryName": "team/app", "imageIds": []map[string]string{{"imageTag": text}}},
			"BatchDeleteImage":     {"repositoryName": "team/app", "imageIds": []map[string]string{{"imageTag": text}}},
			"CreateRepository":     {"repositoryName": text},
			"DeleteRepository":     {"repositoryName": text, "force": true},
			"PutImage":             {"repositoryName": "team/app", "imageManifest": string(testkit.Manifest([]byte("{}"), []byte("layer"))), "imageTag": text},
			"UploadLayerPart":      {"repositoryName": "team/app", "uploadId": text, "partFirstByte": 0, "partLastByte": 0, "layerPartBlob": "eA=="},
			"GetAccountSetting":    {"name": text},
			"ListTagsForResource":  {"resourceArn": on(text)},
		} {
			for _, who := range []person{p, dev} {
				var out map[string]any
				err := ecrCall(who, operation, in, &out)
				if err == nil && operation != "BatchGetImage" && operation != "BatchDeleteImage" {
					t.Errorf("%s takes %.40q: %v", operation, text, out)
				}
				if err == nil && strings.Contains(fmt.Sprint(out["images"], out["imageIds"]), "sha256") {
					t.Errorf("%s of %.40q found %v", operation, text, out)
				}
				if c := code(err); strings.Contains(c, "ServerException") || strings.HasPrefix(c, "no answer") {
					t.Errorf("%s of %.40q: %v", operation, text, err)
				}
			}
		}
		if clean := strings.Map(func(r rune) rune {
			if r == 0 {
				return -1
			}
			return r
		}, text); clean == text {
			for _, path := range []string{"/v2/_catalog?n=1&last=", "/v2/team/app/tags/list?n=1&last=", "/v2/team/app/referrers/" + digest + "?artifactType=", "/v2/team/app/blobs/uploads/?from="} {
				method := "GET"
				if strings.Contains(path, "uploads") {
					method = "POST"
				}
				if a := s.Do(l, method, path+url.QueryEscape(text), nil); a.Status >= 500 {
					t.Errorf("%s%q: %d %s", path, text, a.Status, a.Body)
				}
			}
			for _, path := range []string{"/v2/" + url.PathEscape(text) + "/tags/list", "/v2/team/app/manifests/" + url.PathEscape(text), "/v2/team/app/blobs/uploads/" + url.PathEscape(text)} {
				if a := s.Do(l, "GET", path, nil); a.Status != 400 && a.Status != 404 {
					t.Errorf("%s: %d %s", path, a.Status, a.Body)
				}
			}
		}
		for _, operation := range []string{"ListAccounts"} {
			if c := code(p.admin(operation, map[string]any{"nextToken": text}, nil)); c != "ValidationException" && c != "SerializationException" {
				t.Errorf("%s of %.40q: %s", operation, text, c)
			}
		}
		for operation, member := range map[string]string{"ListUsers": "PathPrefix", "ListRoles": "Marker", "ListPolicies": "Marker", "GetUser": "UserName", "DeleteUser": "UserName", "GetAccessKeyLastUsed": "AccessKeyId"} {
			status, answer := signedForm(t, p, url.Values{"Action": {operation}, "Version": {"2010-05-08"}, member: {text}}.Encode())
			if status < 400 || status >= 500 {
				t.Errorf("%s with %s %.40q: %d %s", operation, member, text, status, answer)
			}
		}
	}
	if diff := cmp.Diff(before, snapshot(t, p, "team/app", "vault/app")); diff != "" {
		t.Errorf("after all of them (-before +after):\n%s", diff)
	}
	// A wildcard of LIKE is a letter like others.
	for prefix, want := range map[string]int{"/aXb/": 1, "/a_b/": 0, "/%/": 0} {
		out, err := p.iam().ListUsers(ctx, &iam.ListUsersInput{PathPrefix: &prefix})
		if err != nil || len(out.Users) != want {
			t.Errorf("below %s there are %v, %v, want %d", prefix, out, err, want)
		}
	}
	// What may have such letters keeps them.
	tags := []ecrtypes.Tag{{Key: aws.String("a/b:c"), Value: aws.String("= + - @ _ . /")}}
	if _, err := s.ECR().TagResource(ctx, &ecr.TagResourceInput{ResourceArn: aws.String(on(*app)), Tags: tags}); err != nil {
		t.Errorf("tags: %v", err)
	}
	got, err := s.ECR().ListTagsForResource(ctx, &ecr.ListTagsForResourceInput{ResourceArn: aws.String(on(*app))})
	must(t, err)
	if diff := cmp.Diff(values(tags), values(got.Tags)); diff != "" {
		t.Errorf("tags are not kept (-want +got):\n%s", diff)
	}
}

func values(tags []ecrtypes.Tag) map[string]string {
	m := map[string]string{}
	for _, t := range tags {
		m[*t.Key] = *t.Value
	}
	return m
}
