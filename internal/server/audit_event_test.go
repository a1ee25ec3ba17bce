package server_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	ecrtypes "github.com/aws/aws-sdk-go-v2/service/ecr/types"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/google/go-cmp/cmp"

	"github.com/lighterage/lighterage/internal/audit"
	"github.com/lighterage/lighterage/internal/testkit"
)

func TestWhatIsInTheTrail(t *testing.T) {
	s := testkit.Start(t)
	l := newTrail(t, s)
	var login testkit.Login
	wrong := testkit.Login{User: "AWS", Password: "not-a-token"}
	manifest := testkit.Manifest([]byte("{}"), []byte("layer"))
	digest := testkit.Digest(manifest)
	client := iam.NewFromConfig(s.AWS())
	for _, step := range []struct {
		name string
		do   func()
		want []string
	}{
		{"a login", func() { login = s.Login() }, []string{"Root ecr:GetAuthorizationToken"}},
		{"docker's first question", func() { s.Do(testkit.Login{}, "GET", "/v2/", nil) }, nil},
		{"docker login", func() { s.Do(login, "GET", "/v2/", nil) }, []string{"Root ecr:RegistryLogin"}},
		{"a failed log-in", func() { s.Do(wrong, "GET", "/v2/", nil) }, []string{"Unknown ecr:RegistryLogin UNAUTHORIZED"}},
		{"a push", func() { s.PushImage(login, "some/app", "1", []byte("{}"), []byte("layer")) }, []string{
			`Root ecr:CreateRepository on repository/some/app {"repositoryName":"some/app"}`,
			`Root ecr:PutImage on repository/some/app {"repositoryName":"some/app","imageTag":"1"}`}},
		{"a pull", func() { s.Do(login, "GET", "/v2/some/app/manifests/1", nil) }, []string{
			`Root ecr:BatchGetImage on repository/some/app {"repositoryName":"some/app","imageTag":"1"}`}},
		{"a look", func() { s.Do(login, "HEAD", "/v2/some/app/manifests/1", nil) }, nil},
		{"a layer", func() { s.Do(login, "GET", "/v2/some/app/blobs/"+testkit.Digest([]byte("layer")), nil) }, nil},
		{"a pull of what is not there", func() { s.Do(login, "GET", "/v2/some/app/manifests/2", nil) }, []string{
			`Root ecr:BatchGetImage MANIFEST_UNKNOWN on repository/some/app {"repositoryName":"some/app","imageTag":"2"}`}},
		{"a layer with a wrong password", func() { s.Do(wrong, "GET", "/v2/some/app/blobs/"+digest, nil) }, []string{
			`Unknown ecr:GetDownloadUrlForLayer UNAUTHORIZED`}},
		{"an image is archived", func() {
			_, _ = s.ECR().UpdateImageStorageClass(t.Context(), &ecr.UpdateImageStorageClassInput{
				RepositoryName: aws.String("some/app"), ImageId: &ecrtypes.ImageIdentifier{ImageTag: aws.String("1")}, TargetStorageClass: ecrtypes.TargetStorageClassArchive,
			})
		}, []string{`Root ecr:UpdateImageStorageClass on repository/some/app {"imageId":{"imageTag":"1"},"repositoryName":"some/app","targetStorageClass":"ARCHIVE"}`}},
		{"a pull of it", func() { s.Do(login, "GET", "/v2/some/app/manifests/1", nil) }, []string{
			`Root ecr:BatchGetImage MANIFEST_UNKNOWN on repository/some/app {"repositoryName":"some/app","imageTag":"1"}`}},
		{"a deletion", func() { s.Do(login, "DELETE", "/v2/some/app/manifests/"+digest, nil) }, []string{
			`Root ecr:BatchDeleteImage on repository/some/app {"repositoryName":"some/app","imageDigest":"` + digest + `"}`}},
		{"an upload that is cancelled", func() {
			begun := s.Do(login, "POST", "/v2/some/app/blobs/uploads/", nil)
			s.Do(login, "DELETE", begun.Header.Get("Location"), nil)
		}, []string{`Root ecr:CancelLayerUpload on repository/some/app {"repositoryName":"some/app"}`}},
		{"a push that fails after it created the repository", func() {
			s.Do(login, "POST", "/v2/other/app/blobs/uploads/?digest="+digest, []byte("something else"))
		}, []string{`Root ecr:CreateRepository on repository/other/app {"repositoryName":"other/app"}`}},
		{"a call of ECR", func() {
			_, _ = s.ECR().PutImage(t.Context(), &ecr.PutImageInput{RepositoryName: aws.String("some/app"), ImageTag: aws.String("3"), ImageManifest: aws.String("nonsense")})
		}, []string{`Root ecr:PutImage InvalidParameterException on repository/some/app ` +
			`{"imageManifestSha256":"` + strings.TrimPrefix(testkit.Digest([]byte("nonsense")), "sha256:") + `","imageTag":"3","repositoryName":"some/app"}`}},
		{"calls of IAM", func() {
			_, _ = client.CreateUser(t.Context(), &iam.CreateUserInput{UserName: aws.String("bob")})
			_, _ = client.CreateUser(t.Context(), &iam.CreateUserInput{UserName: aws.String("bob")})
		}, []string{`Root iam:CreateUser on user/bob {"userName":"bob"}`, `Root iam:CreateUser EntityAlreadyExists on user/bob {"userName":"bob"}`}},
		{"an operation that there is not", func() {
			s.Do(testkit.Login{}, "POST", "/", nil, "X-Amz-Target: AmazonEC2ContainerRegistry_V20150921.Guess")
		}, []string{"Unknown ecr:UnknownOperation UnknownOperationException"}},
	} {
		step.do()
		if diff := cmp.Diff(step.want, summary(l.next())); diff != "" {
			t.Errorf("%s (-want +got):\n%s", step.name, diff)
		}
	}
}

// TestAnybodyInTheTrail: whoever pulls without a login is CloudTrail's anonymous,
// and refusals of such are counted as those of failed log-ins are.
func TestAnybodyInTheTrail(t *testing.T) {
	s := testkit.Start(t, testkit.Setting("anonymous-pull", "true"))
	l := newTrail(t, s)
	s.PushImage(s.Login(), "public/app", "1", []byte("{}"), []byte("layer"))
	_, err := s.ECR().SetRepositoryPolicy(t.Context(), &ecr.SetRepositoryPolicyInput{RepositoryName: aws.String("public/app"),
		PolicyText: aws.String(`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":"*","Action":"ecr:BatchGetImage"}}`)})
	must(t, err)
	var token struct{ Token string }
	must(t, json.Unmarshal(s.Do(testkit.Login{}, "GET", "/v2/token", nil).Body, &token))
	ask := func(path string) { s.Do(testkit.Login{}, "GET", path, nil, "Authorization: Bearer "+token.Token) }
	l.next()
	ask("/v2/")
	ask("/v2/public/app/manifests/1")
	want := []string{`AWSAccount ecr:BatchGetImage on repository/public/app {"repositoryName":"public/app","imageTag":"1"}`}
	text := l.text()
	events := l.next()
	if diff := cmp.Diff(want, summary(events)); diff != "" {
		t.Errorf("a pull (-want +got):\n%s", diff)
	}
	if who := `"userIdentity":{"type":"AWSAccount","principalId":"","accountId":"ANONYMOUS_PRINCIPAL"},`; !bytes.Contains(text, []byte(who)) {
		t.Errorf("the trail is without %s", who)
	}
	if owner := events[0].RecipientAccountID; owner != string(s.Config.Account) {
		t.Errorf("the pull is in the trail of %q", owner)
	}
	for range 100 {
		ask("/v2/private/app/manifests/1")
	}
	events = l.next()
	if len(events) != 20 || events[0].Identity != events[19].Identity || events[0].Identity.AccountID != "ANONYMOUS_PRINCIPAL" || events[0].Outcome() != audit.Denied {
		t.Errorf("%d of 100 refusals are recorded by themselves, want 20: %+v", len(events), events[0])
	}
}

// TestAPushThatMayNotCreateItsRepositoryIsInTheTrail: it is told that there is no
// such repository, which is not all of it.
func TestAPushThatMayNotCreateItsRepositoryIsInTheTrail(t *testing.T) {
	s := testkit.Start(t)
	l := newTrail(t, s)
	client := iam.NewFromConfig(s.AWS())
	_, err := client.CreateUser(t.Context(), &iam.CreateUserInput{UserName: aws.String("bob")})
	must(t, err)
	_, err = client.PutUserPolicy(t.Context(), &iam.PutUserPolicyInput{UserName: aws.String("bob"), PolicyName: aws.String("p"),
		PolicyDocument: aws.String(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"ecr:*","Resource":"*"},{"Effect":"Deny","Action":"ecr:CreateRepository","Resource":"*"}]}`)})
	must(t, err)
	key, err := client.CreateAccessKey(t.Context(), &iam.CreateAccessKeyInput{UserName: aws.String("bob")})
	must(t, err)
	c := s.AWS()
	c.Credentials = credentials.NewStaticCredentialsProvider(*key.AccessKey.AccessKeyId, *key.AccessKey.SecretAccessKey, "")
	out, err := ecr.NewFromConfig(c).GetAuthorizationToken(t.Context(), &ecr.GetAuthorizationTokenInput{})
	must(t, err)
	pair, err := base64.StdEncoding.DecodeString(*out.AuthorizationData[0].AuthorizationToken)
	must(t, err)
	user, password, _ := strings.Cut(string(pair), ":")
	l.next()
	for _, path := range []string{"/v2/none/app/blobs/uploads/", "/v2/none/app/manifests/1"} {
		method := map[bool]string{true: "POST", false: "PUT"}[strings.HasSuffix(path, "/")]
		a := s.Do(testkit.Login{User: user, Password: password}, method, path, testkit.Manifest([]byte("{}"), []byte("layer")), "Content-Type: application/vnd.oci.image.manifest.v1+json")
		if a.Status != 404 || !strings.Contains(string(a.Body), "ecr:CreateRepository") {
			t.Errorf("%s %s: %d %s", method, path, a.Status, a.Body)
		}
		events := l.next()
		if len(events) == 0 {
			t.Fatalf("%s %s: nothing is in the trail", method, path)
		}
		if e := events[0]; e.Name != "CreateRepository" || e.Identity.UserName != "bob" || e.Outcome() != audit.Denied ||
			!strings.Contains(e.ErrorMessage, "is not authorized to perform: ecr:CreateRepository") || !strings.Contains(e.ErrorMessage, "none/app") {
			t.Errorf("%s %s: the trail has %+v", method, path, e)
		}
	}
}

// TestSecretsAreNotInTheTrail goes through what gives and takes secrets.
func TestSecretsAreNotInTheTrail(t *testing.T) {
	s := testkit.Start(t)
	l := newTrail(t, s)
	client := iam.NewFromConfig(s.AWS())
	_, err := client.CreateUser(t.Context(), &iam.CreateUserInput{UserName: aws.String("bob")})
	must(t, err)
	_, err = client.PutUserPolicy(t.Context(), &iam.PutUserPolicyInput{UserName: aws.String("bob"), PolicyName: aws.String("p"),
		PolicyDocument: aws.String(`{"Version":"2012-10-17","Statement":{"Effect":"Deny","Action":"ecr:*","Resource":"*"}}`)})
	must(t, err)
	key, err := client.CreateAccessKey(t.Context(), &iam.CreateAccessKeyInput{UserName: aws.String("bob")})
	must(t, err)
	must(t, createService(s, "front"))
	login, lightsail := s.Login(), s.LightsailLogin()
	s.Do(login, "GET", "/v2/", nil)
	c := s.AWS()
	c.Credentials = credentials.NewStaticCredentialsProvider(*key.AccessKey.AccessKeyId, *key.AccessKey.SecretAccessKey, "")
	_, err = ecr.NewFromConfig(c).DescribeRepositories(t.Context(), &ecr.DescribeRepositoriesInput{})
	checkAWS(t, err, 400, "AccessDeniedException")
	c.Credentials = credentials.NewStaticCredentialsProvider(*key.AccessKey.AccessKeyId, "wrong", "")
	_, err = sts.NewFromConfig(c).GetCallerIdentity(t.Context(), &sts.GetCallerIdentityInput{})
	checkAWS(t, err, 403, "SignatureDoesNotMatch")

	text := l.text()
	for what, secret := range map[string]string{
		"the root's secret key": s.Root.SecretAccessKey.Reveal(), "a user's secret key": *key.AccessKey.SecretAccessKey,
		"a registry login": login.Password, "a Lightsail login": lightsail.Password, "a policy": "2012-10-17",
	} {
		if bytes.Contains(text, []byte(secret)) {
			t.Errorf("the trail has %s", what)
		}
	}
	events := l.next()
	made := events[2]
	if want := `{"accessKey":{"accessKeyId":"` + *key.AccessKey.AccessKeyId + `","status":"Active","userName":"bob"}}`; string(made.ResponseElements) != want {
		t.Errorf("of a new key the trail tells %s, want %s", made.ResponseElements, want)
	}
	refused := events[len(events)-2]
	if refused.Identity.Type != "IAMUser" || refused.Identity.UserName != "bob" || refused.Outcome() != audit.Denied ||
		!strings.Contains(refused.ErrorMessage, "is not authorized to perform: ecr:DescribeRepositories") {
		t.Errorf("a denial is %+v", refused)
	}
	if failed := events[len(events)-1]; failed.Identity.Type != "Unknown" || failed.Identity.AccessKeyID != *key.AccessKey.AccessKeyId {
		t.Errorf("a wrong signature is of %+v", failed.Identity)
	}
}

// createRole makes a role that users of the account may take on, and returns its
// ARN.
func createRole(t *testing.T, s *testkit.Server, name string) string {
	t.Helper()
	out, err := iam.NewFromConfig(s.AWS()).CreateRole(t.Context(), &iam.CreateRoleInput{RoleName: &name, AssumeRolePolicyDocument: aws.String(
		`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::000000000000:root"},"Action":"sts:AssumeRole"}}`)})
	must(t, err)
	return *out.Role.Arn
}

// TestARoleThatIsTakenOn is in the trail with the key that was given, so that
// what is done with it can be followed to whom it was given to.
func TestARoleThatIsTakenOn(t *testing.T) {
	s := testkit.Start(t)
	l := newTrail(t, s)
	role := createRole(t, s, "ci")
	bob := root(s).hire(t, "bob", statements("Allow sts:AssumeRole *"))
	l.next()
	got, err := bob.sts().AssumeRole(t.Context(), &sts.AssumeRoleInput{RoleArn: &role, RoleSessionName: aws.String("job-7")})
	must(t, err)
	events := l.next()
	if len(events) != 1 {
		t.Fatalf("in the trail is %q", summary(events))
	}
	e := events[0]
	if e.Name != "AssumeRole" || e.Identity.UserName != "bob" || !e.ReadOnly || e.Outcome() != audit.OK {
		t.Errorf("the event is %+v", e)
	}
	for _, want := range []string{*got.Credentials.AccessKeyId, *got.AssumedRoleUser.Arn} {
		if !strings.Contains(string(e.ResponseElements), want) {
			t.Errorf("it is without %s: %s", want, e.ResponseElements)
		}
	}
	if text := l.text(); bytes.Contains(text, []byte(*got.Credentials.SecretAccessKey)) || bytes.Contains(text, []byte(*got.Credentials.SessionToken)) {
		t.Error("the trail has a secret")
	}
}
