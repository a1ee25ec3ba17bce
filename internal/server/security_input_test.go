package server_test

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	ecrtypes "github.com/aws/aws-sdk-go-v2/service/ecr/types"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	iamtypes "github.com/aws/aws-sdk-go-v2/service/iam/types"

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
