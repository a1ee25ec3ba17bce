package server_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	ecrtypes "github.com/aws/aws-sdk-go-v2/service/ecr/types"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	iamtypes "github.com/aws/aws-sdk-go-v2/service/iam/types"
	"github.com/google/go-cmp/cmp"

	"github.com/lighterage/lighterage/internal/meta/metatest"
	"github.com/lighterage/lighterage/internal/testkit"
)

const ecrPrefix = "AmazonEC2ContainerRegistry_V20150921"

// ecrCall calls ECR with members that no SDK would send.
func ecrCall(p person, operation string, in, out any) error {
	return p.call("ecr", ecrPrefix, operation, in, out)
}

// TestEverythingThatIsSentHasABound sends too much of everything.
func TestEverythingThatIsSentHasABound(t *testing.T) {
	s := testkit.Start(t)
	_, digest := push(t, root(s), "team/app", "1", []byte("layer"))
	l := s.Login()
	auth := "Authorization: " + l.Basic() + "\r\n"
	deep := func(n int) string { return strings.Repeat("[", n) + strings.Repeat("]", n) }
	head := "Host: x\r\nConnection: close\r\n"
	jsonHead := "POST / HTTP/1.1\r\n" + head + "X-Amz-Target: " + ecrPrefix + ".DescribeRepositories\r\nContent-Type: application/x-amz-json-1.1\r\n"
	for _, c := range []struct {
		name, request string
		status        int
	}{
		{"a header", "GET /v2/ HTTP/1.1\r\n" + head + auth + "X: " + strings.Repeat("x", 80<<10) + "\r\n\r\n", 431},
		{"a path", "GET /v2/" + strings.Repeat("x", 80<<10) + " HTTP/1.1\r\n" + head + auth + "\r\n", 431},
		{"an AWS body, as announced", jsonHead + "Authorization: AWS4-HMAC-SHA256 Credential=" + s.Root.AccessKeyID + "/20200101/us-east-1/ecr/aws4_request, SignedHeaders=host, Signature=" + strings.Repeat("a", 64) + "\r\nContent-Length: 1099511627776\r\n\r\n", 400},
		{"an AWS body of nobody", jsonHead + "Content-Length: 1099511627776\r\n\r\n", 400},
		{"a form of nobody", "POST / HTTP/1.1\r\n" + head + "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 1099511627776\r\n\r\nAction=ListUsers", 403},
	} {
		checkStatus(t, c.name, raw(t, s, c.request), c.status)
	}
	manifest := func(body string) testkit.Answer {
		return s.Do(l, "PUT", "/v2/team/app/manifests/x", []byte(body), "Content-Type: "+testkit.ManifestType)
	}
	checkStatus(t, "a manifest", manifest(`{"schemaVersion":2,"x":"`+strings.Repeat("x", 4<<20)+`"}`), 413)
	checkStatus(t, "nesting of a manifest", manifest(`{"schemaVersion":2,"mediaType":"`+testkit.ManifestType+`","x":`+deep(100_000)+`}`), 400)
	checkStatus(t, "tags in one push", s.Do(l, "PUT", "/v2/team/app/manifests/"+digest+"?tag="+strings.Repeat("&tag=x", 101), testkit.Manifest([]byte("{}"), []byte("layer"))), 400)
	checkStatus(t, "artifact types", s.Do(l, "GET", "/v2/team/app/referrers/"+digest+"?"+strings.Repeat("artifactType=a&", 100), nil), 400)
	for _, path := range []string{"/v2/_catalog", "/v2/team/app/tags/list"} {
		for n, status := range map[string]int{"99999999999999999999999999": 200, "9223372036854775807": 200, "-1": 400, "1e9": 400, "0x10": 400} {
			a := s.Do(l, "GET", path+"?n="+n, nil)
			checkStatus(t, path+" of "+n, a, status)
		}
	}
	blob := s.Do(l, "GET", "/v2/team/app/blobs/"+testkit.Digest([]byte("layer")), nil, "Range: bytes="+strings.Repeat("0-4,", 5000)+"0-4")
	if len(blob.Body) > 5 {
		t.Errorf("5001 ranges of 5 bytes are answered with %d %d bytes", blob.Status, len(blob.Body))
	}

	many := make([]ecrtypes.ImageIdentifier, 101)
	digests := make([]string, 101)
	for i := range many {
		many[i].ImageTag, digests[i] = aws.String(fmt.Sprint(i)), testkit.Digest(fmt.Append(nil, i))
	}
	ctx, app := t.Context(), aws.String("team/app")
	c := s.ECR()
	for what, do := range map[string]func() error{
		"images of BatchGetImage": func() error {
			_, err := c.BatchGetImage(ctx, &ecr.BatchGetImageInput{RepositoryName: app, ImageIds: many})
			return err
		},
		"images of BatchDeleteImage": func() error {
			_, err := c.BatchDeleteImage(ctx, &ecr.BatchDeleteImageInput{RepositoryName: app, ImageIds: many})
			return err
		},
		"layers of BatchCheckLayerAvailability": func() error {
			_, err := c.BatchCheckLayerAvailability(ctx, &ecr.BatchCheckLayerAvailabilityInput{RepositoryName: app, LayerDigests: digests})
			return err
		},
		"a page": func() error {
			_, err := c.DescribeRepositories(ctx, &ecr.DescribeRepositoriesInput{MaxResults: aws.Int32(1001)})
			return err
		},
		"a manifest of PutImage": func() error {
			_, err := c.PutImage(ctx, &ecr.PutImageInput{RepositoryName: app, ImageManifest: aws.String(strings.Repeat("x", 4<<20+1))})
			return err
		},
		"a repository policy": func() error {
			_, err := c.SetRepositoryPolicy(ctx, &ecr.SetRepositoryPolicyInput{RepositoryName: app, PolicyText: aws.String(strings.Repeat("x", 10241))})
			return err
		},
	} {
		checkCode(t, what, do(), "InvalidParameterException")
	}
	if err := ecrCall(root(s), "DescribeRepositories", map[string]any{"x": json.RawMessage(deep(10_000))}, nil); code(err) != "SerializationException" {
		t.Errorf("nesting of an AWS body: %v", err)
	}
	large := statements("Allow ecr:* arn:aws:ecr:*:*:repository/" + strings.Repeat("x", 7000))
	_, err := root(s).iam().CreatePolicy(ctx, &iam.CreatePolicyInput{PolicyName: aws.String("large"), PolicyDocument: &large})
	checkCode(t, "a policy", err, "LimitExceeded")
	checkStatus(t, "the server afterwards", s.Do(l, "GET", "/v2/team/app/manifests/1", nil), 200)
}

// TestNoBytesAreAnImageAndAnIndex offers documents that two readers would
// understand in two ways, at both doors.
func TestNoBytesAreAnImageAndAnIndex(t *testing.T) {
	s := testkit.Start(t)
	const index = "application/vnd.oci.image.index.v1+json"
	manifest, digest := push(t, root(s), "team/app", "1", []byte("layer"))
	l := s.Login()
	config := fmt.Sprintf(`"config":{"mediaType":%q,"digest":%q,"size":2}`, testkit.ConfigType, testkit.Digest([]byte("{}")))
	layers := fmt.Sprintf(`"layers":[{"mediaType":%q,"digest":%q,"size":5}]`, testkit.LayerType, testkit.Digest([]byte("layer")))
	manifests := fmt.Sprintf(`"manifests":[{"mediaType":%q,"digest":%q,"size":%d}]`, testkit.ManifestType, digest, len(manifest))
	doc := func(mediaType string, parts ...string) string {
		text := `{"schemaVersion":2`
		if mediaType != "" {
			text += fmt.Sprintf(`,"mediaType":%q`, mediaType)
		}
		return text + "," + strings.Join(parts, ",") + "}"
	}
	for _, c := range []struct{ name, mediaType, body string }{
		{"an image with manifests", testkit.ManifestType, doc(testkit.ManifestType, config, layers, manifests)},
		{"an index with layers", index, doc(index, config, layers, manifests)},
		{"both, and the header decides", index, doc("", config, layers, manifests)},
		{"an image that is sent as an index", index, doc(testkit.ManifestType, config, layers)},
		{"an index that is sent as an image", testkit.ManifestType, doc(index, manifests)},
		{"an image without a type, sent as an index", index, doc("", config, layers)},
		{"two media types", testkit.ManifestType, doc(testkit.ManifestType, config, layers, fmt.Sprintf(`"mediaType":%q`, index))},
		{"two media types in other letters", testkit.ManifestType, doc(testkit.ManifestType, config, layers, fmt.Sprintf(`"MediaType":%q,"Manifests":[]`, index))},
		{"layers twice", testkit.ManifestType, doc(testkit.ManifestType, config, layers, `"layers":[]`)},
		{"schema 1 inside", testkit.ManifestType, doc(testkit.ManifestType, config, layers, `"fsLayers":[],"history":[]`)},
		{"more behind it", testkit.ManifestType, doc(testkit.ManifestType, config, layers) + doc(index, manifests)},
		{"a type that is none", "text/html", doc("", config, layers)},
	} {
		d := testkit.Digest([]byte(c.body))
		a := s.Do(l, "PUT", "/v2/team/app/manifests/confused", []byte(c.body), "Content-Type: "+c.mediaType)
		_, err := s.ECR().PutImage(t.Context(), &ecr.PutImageInput{RepositoryName: aws.String("team/app"), ImageManifest: &c.body, ImageManifestMediaType: &c.mediaType, ImageTag: aws.String("confused")})
		stored := s.Do(l, "GET", "/v2/team/app/manifests/"+d, nil).Status
		if d == digest {
			stored = 404 // it is the good one, in the wrong words
		}
		if c.name == "two media types in other letters" || c.name == "schema 1 inside" {
			// What other readers may take for something must be taken for an image
			// alone, if it is taken.
			if a.Status == 201 && s.Do(l, "GET", "/v2/team/app/manifests/"+d, nil).Header.Get("Content-Type") != testkit.ManifestType {
				t.Errorf("%s is served as another type", c.name)
			}
			continue
		}
		if a.Status != 400 && a.Status != 415 || err == nil || stored != 404 {
			t.Errorf("%s: /v2/ says %d %s, PutImage %v; it is there: %d", c.name, a.Status, a.Body, err, stored)
		}
	}
}

// TestMembersThatNobodyAskedForAreNotMapped sends what operations answer with
// as input.
func TestMembersThatNobodyAskedForAreNotMapped(t *testing.T) {
	ctx := t.Context()
	s := testkit.Start(t)
	p := root(s)
	user := p.hire(t, "user", statements("Allow ecr:CreateRepository,ecr:TagResource,ecr:DescribeRepositories "+on("team/*")))
	forged := map[string]any{
		"repositoryName": "team/app", "RepositoryName": "vault/app", "REPOSITORYNAME": "vault/app", "registryid": foreignAccount, "accountId": foreignAccount,
		"repositoryArn": on("vault/app"), "repositoryUri": "evil.example/app", "createdAt": 0, "account": foreignAccount, "space": 2,
		"id": 1, "caller": map[string]any{"kind": 1}, "admin": true, "repository": map[string]any{"repositoryName": "vault/app", "registryId": foreignAccount},
		"__type": "com.amazonaws.ecr#DeleteRepositoryRequest", "$where": "1",
	}
	if err := ecrCall(user, "CreateRepository", forged, &struct{}{}); err != nil && code(err) != "SerializationException" && code(err) != "InvalidParameterException" {
		t.Fatal(err)
	}
	out, err := s.ECR().DescribeRepositories(ctx, &ecr.DescribeRepositoriesInput{})
	must(t, err)
	for _, r := range out.Repositories {
		if *r.RepositoryName != "team/app" || *r.RegistryId != p.account || *r.RepositoryArn != on("team/app") || r.CreatedAt.Unix() < 1_000_000_000 || strings.Contains(*r.RepositoryUri, "evil") {
			t.Errorf("the repository is %+v", r)
		}
	}
	if len(out.Repositories) != 1 {
		t.Errorf("there are %d repositories", len(out.Repositories))
	}

	form := func(operation string, extra url.Values) {
		t.Helper()
		body := url.Values{"Action": {operation}, "Version": {"2010-05-08"}}
		for k, v := range extra {
			body[k] = v
		}
		signedForm(t, p, body.Encode())
	}
	form("CreateUser", url.Values{
		"UserName": {"plain"}, "UserId": {"AIDAEVIL"}, "Arn": {"arn:aws:iam::" + foreignAccount + ":user/plain"}, "CreateDate": {"2000-01-01T00:00:00Z"},
		"AccountId": {foreignAccount}, "User.UserName": {"other"}, "AttachedManagedPolicies.member.1": {"arn:aws:iam::aws:policy/AdministratorAccess"},
		"PolicyDocument": {statements("Allow * *")}, "Groups.member.1": {"admins"},
	})
	form("CreateAccessKey", url.Values{"UserName": {"plain"}, "AccessKeyId": {"AKIAEVILEVILEVILEVIL"}, "SecretAccessKey": {"known"}, "Status": {"Inactive"}})
	details, err := p.iam().GetAccountAuthorizationDetails(ctx, &iam.GetAccountAuthorizationDetailsInput{})
	must(t, err)
	for _, u := range details.UserDetailList {
		if *u.UserName == "plain" && (*u.UserId == "AIDAEVIL" || *u.Arn != "arn:aws:iam::000000000000:user/plain" || len(u.AttachedManagedPolicies)+len(u.UserPolicyList)+len(u.GroupList) > 0 || u.CreateDate.Year() == 2000) {
			t.Errorf("the user is %+v", u)
		}
		if *u.UserName == "other" {
			t.Error("the user has another name")
		}
	}
	keys, err := p.iam().ListAccessKeys(ctx, &iam.ListAccessKeysInput{UserName: aws.String("plain")})
	if err == nil {
		for _, k := range keys.AccessKeyMetadata {
			if *k.AccessKeyId == "AKIAEVILEVILEVILEVIL" || k.Status != iamtypes.StatusTypeActive {
				t.Errorf("the key is %+v", k)
			}
		}
	}
	var account struct {
		Account struct{ AccountID, AccountName, Alias string }
	}
	err = p.admin("CreateAccount", map[string]any{"accountName": "x", "accountId": foreignAccount, "AccountId": p.account, "alias": "evil", "tokensRevokedAt": 0, "secretAccessKey": "known", "accessKey": map[string]string{"secretAccessKey": "known"}}, &account)
	if err == nil && (account.Account.AccountID != foreignAccount || account.Account.Alias != "") {
		t.Errorf("the account is %+v", account)
	}
}

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

// TestNobodyIsSentElsewhere looks for redirects, and for addresses in answers
// that the client chose.
func TestNobodyIsSentElsewhere(t *testing.T) {
	s := testkit.Start(t)
	_, _ = push(t, root(s), "team/app", "1", []byte("layer"))
	l := s.Login()
	auth := "Authorization: " + l.Basic() + "\r\n"
	for _, path := range []string{
		"//evil.example", "//evil.example/..", "/v2//evil.example", `/\evil.example`, "/?redirect=http://evil.example", "/v2/?next=//evil.example",
		"/v2/token?service=evil.example&redirect_uri=http://evil.example", "/v2", "/healthz/", "/v2/../..//evil.example", "/%2f%2fevil.example", "/v2/team/app/blobs/../../../../evil.example",
		"http://evil.example/v2/", "/v2/team/app/tags/list/", "/.well-known/x", "/login?returnUrl=//evil.example",
	} {
		for _, method := range []string{"GET", "POST"} {
			a := raw(t, s, method+" "+path+" HTTP/1.1\r\nHost: "+s.Host+"\r\nX-Forwarded-Host: evil.example\r\nX-Original-URL: //evil.example\r\nReferer: http://evil.example\r\nConnection: close\r\n"+auth+"Content-Length: 0\r\n\r\n")
			if a.Status >= 300 && a.Status < 400 || strings.Contains(a.Header.Get("Location")+a.Header.Get("Link")+a.Header.Get("Refresh"), "evil") {
				t.Errorf("%s %s: %d to %q", method, path, a.Status, a.Header.Get("Location"))
			}
		}
	}
	for _, request := range []string{"POST /v2/team/app/blobs/uploads/", "GET /v2/team/app/tags/list?n=0&last=//evil", "GET /v2/_catalog?n=1"} {
		a := raw(t, s, request+" HTTP/1.1\r\nHost: "+s.Host+"\r\nX-Forwarded-Host: evil.example\r\nX-Forwarded-Proto: https\r\nForwarded: host=evil.example\r\nConnection: close\r\n"+auth+"Content-Length: 0\r\n\r\n")
		if location := a.Header.Get("Location"); a.Status >= 300 || location != "" && !strings.HasPrefix(location, "http://"+s.Host+"/v2/team/app/") && !strings.HasPrefix(location, "/v2/team/app/") {
			t.Errorf("%s: %d to %q", request, a.Status, location)
		}
	}
}

// TestNoPathLeavesTheStore tries to reach files by every name that a request
// can have, and looks at what there is afterwards.
func TestNoPathLeavesTheStore(t *testing.T) {
	outside := t.TempDir()
	canary := filepath.Join(outside, "canary")
	must(t, os.WriteFile(canary, []byte("CanaryOfAFile"), 0o600))
	s := testkit.Start(t)
	_, _ = push(t, root(s), "team/app", "1", large("layer"))
	must(t, createService(s, "web"))
	l := s.Login()
	begun := s.Do(l, "POST", "/v2/team/app/blobs/uploads/", nil)
	files := func() (names []string) {
		must(t, filepath.WalkDir(s.Dir, func(path string, d fs.DirEntry, err error) error {
			if err == nil && !d.IsDir() && !strings.Contains(path, "/audit/") && !strings.Contains(d.Name(), ".db") {
				names = append(names, strings.TrimPrefix(path, s.Dir))
			}
			return err
		}))
		return names
	}
	before := files()
	up := strings.Repeat("../", 12)
	names := []string{up + canary[1:], url.PathEscape(up + canary[1:]), strings.ReplaceAll(up, "..", "%2e%2e") + canary[1:], strings.ReplaceAll(up+canary[1:], "/", "%5c"), canary,
		"..%00", "%2e%2e", "..;/", "....//....//canary", "%252e%252e%252f", "~root", "/etc/passwd", "root-credentials", "../root-credentials", "..%2f..%2froot-credentials", "master-key%00.json"}
	for _, n := range names {
		for _, path := range []string{
			"/v2/" + n + "/manifests/latest", "/v2/team/app/manifests/" + n, "/v2/team/app/blobs/" + n, "/v2/team/app/blobs/sha256:" + n, "/v2/team/app/blobs/uploads/" + n,
			"/v2/team/app/referrers/sha256:" + n, "/v2/team/app/tags/list/" + n, "/" + n, "/v2/" + n, "/v2/team/app/blobs/uploads/?mount=sha256:" + n + "&from=" + n,
		} {
			for _, method := range []string{"GET", "PUT", "DELETE", "POST", "PATCH"} {
				a := raw(t, s, method+" "+path+" HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: "+l.Basic()+"\r\nContent-Type: "+testkit.ManifestType+"\r\nContent-Length: 4\r\n\r\nevil")
				if bytes.Contains(a.Body, []byte("CanaryOfAFile")) || bytes.Contains(a.Body, []byte("root:")) || bytes.Contains(a.Body, []byte(s.Root.SecretAccessKey.Reveal())) || a.Status >= 500 {
					t.Errorf("%s %s: %d %s", method, path, a.Status, a.Body)
				}
				if a.Status < 300 && !strings.Contains(path, "?mount") {
					t.Errorf("%s %s is a success: %d %s", method, path, a.Status, a.Body)
				}
			}
		}
		if a := s.Do(l, "PUT", begun.Header.Get("Location")+"?digest="+url.QueryEscape("sha256:"+n), []byte("evil")); a.Status != 400 {
			t.Errorf("an upload that ends as %s: %d %s", n, a.Status, a.Body)
		}
		for operation, in := range map[string]map[string]any{
			"GetDownloadUrlForLayer": {"repositoryName": "team/app", "layerDigest": n},
			"CompleteLayerUpload":    {"repositoryName": "team/app", "uploadId": n, "layerDigests": []string{"sha256:" + n}},
			"CreateRepository":       {"repositoryName": "x/" + n + "/"},
		} {
			if err := ecrCall(root(s), operation, in, nil); err == nil || strings.Contains(code(err), "ServerException") {
				t.Errorf("%s of %s: %v", operation, n, err)
			}
		}
		if c := code(root(s).call("lightsail", "Lightsail_20161128", "RegisterContainerImage", map[string]any{"serviceName": "web", "label": n, "digest": n}, nil)); c != "InvalidInputException" && c != "NotFoundException" {
			t.Errorf("RegisterContainerImage of %s: %s", n, c)
		}
	}
	allowed := regexp.MustCompile(`^/(blobs/.*[/-]?[0-9a-f]{8,}[^/]*|blobs/[a-z-]+|[a-z-]+)$`)
	known := map[string]bool{}
	for _, f := range before {
		known[f] = true
	}
	for _, f := range files() {
		if !known[f] && !allowed.MatchString(f) || strings.Contains(f, "evil") || strings.Contains(f, "canary") {
			t.Errorf("there is a file %s", f)
		}
	}
	if rows, err := os.ReadDir(outside); err != nil || len(rows) != 1 {
		t.Errorf("outside there are %v, %v", rows, err)
	}
	if text, err := os.ReadFile(canary); err != nil || string(text) != "CanaryOfAFile" {
		t.Errorf("the file outside is %q, %v", text, err)
	}
	s.CheckInvariants(t)
}

// TestDigestsHaveOneGrammar offers what is none wherever a digest goes.
func TestDigestsHaveOneGrammar(t *testing.T) {
	s := testkit.Start(t)
	_, _ = push(t, root(s), "team/app", "1", []byte("layer"))
	must(t, createService(s, "web"))
	l := s.Login()
	hex := strings.Repeat("a", 64)
	for _, d := range []string{
		"sha256:" + hex[1:], "sha256:" + hex + "a", "sha256:" + strings.ToUpper(hex), "SHA256:" + hex, "sha256:" + strings.Repeat("g", 64), "sha256:", "sha256", ":" + hex, "sha512:" + hex,
		"md5:" + hex[:32], "sha1:" + hex[:40], "sha384:" + strings.Repeat("a", 96), "sha256+b64:" + hex, "sha256:" + hex[:60] + "/../", "sha256:" + hex + "/", " sha256:" + hex, "sha256:" + hex + " ", "sha256:" + hex + ":x", "sha256:" + hex[:62] + "é", "constructor:" + hex,
	} {
		e := url.PathEscape(d)
		for _, r := range []string{"GET blobs/", "HEAD blobs/", "DELETE blobs/", "GET referrers/"} {
			method, path, _ := strings.Cut(r, " ")
			if a := s.Do(l, method, "/v2/team/app/"+path+e, nil); a.Status != 400 && a.Status != 404 && a.Status != 405 || a.Status == 404 && method == "GET" && !strings.Contains(d, "/") {
				t.Errorf("%s of %q: %d %s", r, d, a.Status, a.Body)
			}
		}
		if a := s.Do(l, "GET", "/v2/team/app/manifests/"+e, nil); a.Status != 400 && a.Status != 404 {
			t.Errorf("the manifest %q: %d %s", d, a.Status, a.Body)
		}
		begun := s.Do(l, "POST", "/v2/team/app/blobs/uploads/", nil)
		if a := s.Do(l, "PUT", begun.Header.Get("Location")+"?digest="+url.QueryEscape(d), []byte("bytes")); a.Status != 400 {
			t.Errorf("an upload that ends as %q: %d %s", d, a.Status, a.Body)
		}
		if a := s.Do(l, "POST", "/v2/team/app/blobs/uploads/?mount="+url.QueryEscape(d)+"&from=team/app", nil); a.Status == 201 {
			t.Errorf("%q was mounted", d)
		}
		m := strings.Replace(string(testkit.Manifest([]byte("{}"), []byte("layer"))), testkit.Digest([]byte("layer")), d, 1)
		if a := s.Do(l, "PUT", "/v2/team/app/manifests/bad", []byte(m), "Content-Type: "+testkit.ManifestType); a.Status != 400 {
			t.Errorf("a manifest with a layer %q: %d %s", d, a.Status, a.Body)
		}
		for operation, in := range map[string]map[string]any{
			"GetDownloadUrlForLayer": {"repositoryName": "team/app", "layerDigest": d},
			"CompleteLayerUpload":    {"repositoryName": "team/app", "uploadId": "00000000-0000-4000-8000-000000000000", "layerDigests": []string{d}},
			"PutImage":               {"repositoryName": "team/app", "imageManifest": m, "imageTag": "bad"},
		} {
			if err := ecrCall(root(s), operation, in, nil); err == nil || strings.Contains(code(err), "ServerException") {
				t.Errorf("%s of %q: %v", operation, d, err)
			}
		}
		var got struct {
			Failures []struct{ FailureCode string }
			Images   []any
		}
		err := ecrCall(root(s), "BatchGetImage", map[string]any{"repositoryName": "team/app", "imageIds": []map[string]string{{"imageDigest": d}}}, &got)
		if err == nil && (len(got.Images) > 0 || len(got.Failures) != 1 || got.Failures[0].FailureCode != "InvalidImageDigest" && got.Failures[0].FailureCode != "ImageNotFound") {
			t.Errorf("BatchGetImage of %q: %+v", d, got)
		}
		if c := code(root(s).call("lightsail", "Lightsail_20161128", "RegisterContainerImage", map[string]any{"serviceName": "web", "label": "front", "digest": d}, nil)); c != "InvalidInputException" && c != "NotFoundException" {
			t.Errorf("RegisterContainerImage of %q: %s", d, c)
		}
	}
	s.CheckInvariants(t)
}

// TestAddressesInManifestsAreNotFetched pushes images whose layers are said to
// be elsewhere.
func TestAddressesInManifestsAreNotFetched(t *testing.T) {
	var asked atomic.Int32
	elsewhere := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked.Add(1)
		_, _ = w.Write([]byte("elsewhere"))
	}))
	defer elsewhere.Close()
	s := testkit.Start(t)
	_, _ = push(t, root(s), "team/app", "1", []byte("layer"))
	l := s.Login()
	d := testkit.Digest([]byte("elsewhere"))
	for _, c := range []struct {
		name, layerType string
		status          int
	}{
		{"a layer that may stay elsewhere", "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip", 201},
		{"a layer that is not distributable", "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip", 201},
		{"a usual layer with addresses", testkit.LayerType, 404},
		{"a type that only begins alike", "application/vnd.oci.image.layer.nondistributable.v1.tarx", 404},
	} {
		m := fmt.Sprintf(`{"schemaVersion":2,"mediaType":%q,"config":{"mediaType":%q,"digest":%q,"size":2,"urls":[%q]},"layers":[{"mediaType":%q,"digest":%q,"size":9,"urls":[%q,"file:///etc/passwd","http://169.254.169.254/"]}]}`,
			testkit.ManifestType, testkit.ConfigType, testkit.Digest([]byte("{}")), elsewhere.URL, c.layerType, d, elsewhere.URL)
		a := s.Do(l, "PUT", "/v2/team/app/manifests/foreign", []byte(m), "Content-Type: "+testkit.ManifestType)
		checkStatus(t, c.name, a, c.status)
		_, err := s.ECR().PutImage(t.Context(), &ecr.PutImageInput{RepositoryName: aws.String("team/app"), ImageManifest: &m, ImageTag: aws.String("foreign")})
		if refused := code(err) == "LayersNotFoundException"; refused != (c.status == 404) {
			t.Errorf("PutImage of %s: %v", c.name, err)
		}
		if c.status == 201 {
			checkStatus(t, "the image of "+c.name, s.Do(l, "GET", "/v2/team/app/manifests/foreign", nil), 200)
			checkStatus(t, c.name+" is not here", s.Do(l, "GET", "/v2/team/app/blobs/"+d, nil), 404)
		}
	}
	for _, pass := range []string{"park uploads", "collect garbage", "record pulls"} {
		s.Pass(pass)
	}
	s.Stop()
	if n := asked.Load(); n != 0 {
		t.Errorf("the server fetched %d times from an address in a manifest", n)
	}
}
