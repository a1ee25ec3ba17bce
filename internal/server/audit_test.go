package server_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/google/go-cmp/cmp"

	"github.com/lighterage/lighterage/internal/audit"
	"github.com/lighterage/lighterage/internal/server"
	"github.com/lighterage/lighterage/internal/testkit"
)

// trail returns the events in a server's trail since the last call.
type trail struct {
	t    *testing.T
	path string
	read int
}

func newTrail(t *testing.T, s *testkit.Server) *trail {
	return &trail{t: t, path: filepath.Join(s.Config.Audit.Path, "audit.jsonl")}
}

func (l *trail) next() (events []audit.Event) {
	l.t.Helper()
	text, err := os.ReadFile(l.path)
	must(l.t, err)
	for line := range bytes.Lines(text[l.read:]) {
		var e audit.Event
		if err := json.Unmarshal(line, &e); err != nil {
			l.t.Fatalf("%q: %v", line, err)
		}
		events = append(events, e)
	}
	l.read = len(text)
	return events
}

// summary is what most tests look at.
func summary(events []audit.Event) []string {
	var out []string
	for _, e := range events {
		who := e.Identity.Type
		if e.Identity.UserName != "" {
			who += " " + e.Identity.UserName
		}
		line := fmt.Sprintf("%s %s:%s", who, strings.TrimSuffix(e.Source, ".amazonaws.com"), e.Name)
		if e.ErrorCode != "" {
			line += " " + e.ErrorCode
		}
		for _, r := range e.Resources {
			_, name, _ := strings.Cut(r.ARN, ":"+r.AccountID+":")
			line += " on " + name
		}
		if e.RequestParameters != nil && string(e.RequestParameters) != "null" {
			line += " " + string(e.RequestParameters)
		}
		out = append(out, line)
	}
	return out
}

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
	text, err := os.ReadFile(l.path)
	must(t, err)
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

	text, err := os.ReadFile(l.path)
	must(t, err)
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

// TestAFloodOfFailedLogins is what the trail says of it.
func TestAFloodOfFailedLogins(t *testing.T) {
	clock := &still{at: time.Now()}
	s := testkit.Start(t, testkit.Clock(clock.now))
	l := newTrail(t, s)
	for range 100 {
		s.Do(testkit.Login{User: "AWS", Password: "wrong"}, "GET", "/v2/", nil)
	}
	if n := len(l.next()); n != 20 {
		t.Errorf("%d of 100 are recorded by themselves, want 20", n)
	}
	s.Pass("summarise failed log-ins")
	events := l.next()
	if len(events) != 1 || events[0].Name != "FailedLogins" || events[0].SourceIP != "127.0.0.1" || events[0].Outcome() != audit.Denied ||
		!strings.Contains(string(events[0].RequestParameters), `"count":80,`) {
		t.Errorf("the summary is %+v", events)
	}
	s.Pass("summarise failed log-ins")
	clock.add(time.Minute)
	s.Do(testkit.Login{User: "AWS", Password: "wrong"}, "GET", "/v2/", nil)
	if diff := cmp.Diff([]string{"Unknown ecr:RegistryLogin UNAUTHORIZED"}, summary(l.next())); diff != "" {
		t.Errorf("a minute later (-want +got):\n%s", diff)
	}
}

// worstAgent is a user agent that JSON writes with twice its bytes.
var worstAgent = "User-Agent: " + strings.Repeat(`"\`, 1000)

// TestAStrangerCannotFillTheTrail: whoever proves nothing has a budget, and tells
// nothing but who it is not.
func TestAStrangerCannotFillTheTrail(t *testing.T) {
	role := "arn:aws:iam::123456789012:role/" + strings.Repeat("r", 64)
	for _, c := range []struct {
		name, kind, body string
		header           []string
	}{
		{"an operation that nobody signs, with all that it takes", "application/x-www-form-urlencoded",
			"Version=2011-06-15&Action=AssumeRoleWithWebIdentity&RoleSessionName=me&WebIdentityToken=wrong&RoleArn=" + role +
				"&PolicyArns.member.1.arn=" + role + "&Policy=" + strings.Repeat("p", 2000), nil},
		{"one without a signature", "application/x-www-form-urlencoded", "Version=2010-05-08&Action=CreateUser&UserName=bob", nil},
		{"an action that there is not", "application/x-www-form-urlencoded", "Version=2010-05-08&Action=" + strings.Repeat("%01%22", 2000), nil},
		{"a target that there is not", "application/x-amz-json-1.1", "{}", []string{"X-Amz-Target: " + strings.Repeat("x", 4000)}},
		{"no target", "text/plain", "", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := testkit.Start(t, testkit.Setting("anonymous-pull", "true"))
			l := newTrail(t, s)
			for range 100 {
				s.Do(testkit.Login{}, "POST", "/", []byte(c.body), append(c.header, "Content-Type: "+c.kind, worstAgent)...)
			}
			text, err := os.ReadFile(l.path)
			must(t, err)
			for line := range bytes.Lines(text) {
				if len(line) > 2200 {
					t.Fatalf("a line has %d bytes: %s", len(line), line)
				}
			}
			events := l.next()
			if len(events) != 20 {
				t.Fatalf("%d of 100 are recorded by themselves, want 20", len(events))
			}
			if p := events[0].RequestParameters; p != nil && string(p) != "null" {
				t.Errorf("the trail tells %s", p)
			}
		})
	}
}

// TestADeniedKeyCannotFillTheTrail: nor can a principal that may do nothing. What
// others change is recorded all the same.
func TestADeniedKeyCannotFillTheTrail(t *testing.T) {
	clock := &still{at: time.Now()}
	s := testkit.Start(t, testkit.Clock(clock.now))
	l := newTrail(t, s)
	admin := iam.NewFromConfig(s.AWS())
	_, err := admin.CreateUser(t.Context(), &iam.CreateUserInput{UserName: aws.String("bob")})
	must(t, err)
	key, err := admin.CreateAccessKey(t.Context(), &iam.CreateAccessKeyInput{UserName: aws.String("bob")})
	must(t, err)
	c := s.AWS()
	c.Credentials = credentials.NewStaticCredentialsProvider(*key.AccessKey.AccessKeyId, *key.AccessKey.SecretAccessKey, "")
	bob := ecr.NewFromConfig(c, once)
	l.next()
	long := make([]string, 100)
	for i := range long {
		long[i] = fmt.Sprintf("%s-%d", strings.Repeat("n", 250), i)
	}
	for range 700 {
		_, err = bob.DescribeRepositories(t.Context(), &ecr.DescribeRepositoriesInput{RepositoryNames: long})
	}
	checkAWS(t, err, 400, "AccessDeniedException")
	text, err := os.ReadFile(l.path)
	must(t, err)
	for line := range bytes.Lines(text[l.read:]) {
		if len(line) > 6<<10 {
			t.Fatalf("a line has %d bytes: %s", len(line), line)
		}
	}
	if n := len(l.next()); n != 600 {
		t.Errorf("%d of 700 are recorded by themselves, want 600", n)
	}
	_, err = admin.CreateUser(t.Context(), &iam.CreateUserInput{UserName: aws.String("eve")})
	must(t, err)
	s.Pass("summarise failed log-ins")
	events := l.next()
	if len(events) != 2 {
		t.Fatalf("there are %d events, want 2", len(events))
	}
	if diff := cmp.Diff([]string{`Root iam:CreateUser on user/eve {"userName":"eve"}`}, summary(events[:1])); diff != "" {
		t.Errorf("a change (-want +got):\n%s", diff)
	}
	if last := events[1]; last.Name != "FailedCalls" || last.Identity.UserName != "bob" || last.Outcome() != audit.Denied ||
		!strings.Contains(string(last.RequestParameters), `"count":100,`) {
		t.Errorf("the summary is %+v", events[1:])
	}
}

// TestManyClientsHaveFewSummaries: of a flood of many clients the largest are
// told apart.
func TestManyClientsHaveFewSummaries(t *testing.T) {
	clock := &still{at: time.Now()}
	s := testkit.Start(t, testkit.Clock(clock.now), testkit.Setting("trusted-proxies", "127.0.0.1/32"))
	l := newTrail(t, s)
	for i := range 30 {
		for range 21 {
			s.Do(testkit.Login{}, "POST", "/", nil, fmt.Sprintf("X-Forwarded-For: 192.0.2.%d", i))
		}
	}
	if n := len(l.next()); n != 600 {
		t.Errorf("%d of 630 are recorded by themselves, want 600", n)
	}
	s.Pass("summarise failed log-ins")
	events := l.next()
	if len(events) != 11 {
		t.Fatalf("%d summaries, want 11", len(events))
	}
	if last := events[10]; last.SourceIP != "0.0.0.0" || !strings.Contains(string(last.RequestParameters), `"count":20,`) {
		t.Errorf("the last summary is %+v", last)
	}
}

// TestRefusalsOfADay does its worst: every minute of the day, from many sources.
func TestRefusalsOfADay(t *testing.T) {
	for name, want := range map[string]int{"strangers": 30_000, "principals": 8000} {
		f := server.NewFloods(server.Budgets[name])
		now := time.Now()
		lines := func(minutes int) (n int) {
			for range minutes {
				for i := range 1000 {
					if f.Admit(fmt.Sprint(i%50), now) {
						n++
					}
				}
				now = now.Add(time.Minute)
			}
			return n
		}
		if n := lines(24 * 60); n != want {
			t.Errorf("%s: %d lines a day, want %d", name, n, want)
		}
		if n := lines(1); n == 0 {
			t.Errorf("%s: none on the next day", name)
		}
	}
}

// TestATrailThatCannotBeWritten fills the disk as far as this process can see.
func TestATrailThatCannotBeWritten(t *testing.T) {
	s := testkit.Start(t)
	login := s.Login()
	manifest, _ := s.PushImage(login, "app", "1", []byte("{}"), []byte("layer"))
	registry := s.ECR(once)
	security := sts.NewFromConfig(s.AWS(), func(o *sts.Options) { o.RetryMaxAttempts = 1 })
	restore := limitFiles(t, 0)
	if a := s.Do(login, "GET", "/v2/app/manifests/1", nil); a.Status != 200 || !bytes.Equal(a.Body, manifest) {
		t.Errorf("a pull that cannot be recorded: %d", a.Status)
	}
	_, err := registry.DescribeRepositories(t.Context(), &ecr.DescribeRepositoriesInput{})
	checkAWS(t, err, 0, "")
	_, err = security.GetCallerIdentity(t.Context(), &sts.GetCallerIdentityInput{})
	checkAWS(t, err, 0, "")
	_, err = security.GetSessionToken(t.Context(), &sts.GetSessionTokenInput{})
	checkAWS(t, err, 503, "ServiceUnavailable")
	_, err = registry.GetAuthorizationToken(t.Context(), &ecr.GetAuthorizationTokenInput{})
	checkAWS(t, err, 500, "ServerException")
	_, err = registry.CreateRepository(t.Context(), &ecr.CreateRepositoryInput{RepositoryName: aws.String("other")})
	checkAWS(t, err, 500, "ServerException")
	if a := s.Do(login, "PUT", "/v2/app/manifests/2", manifest, "Content-Type: application/vnd.oci.image.manifest.v1+json"); a.Status != 503 {
		t.Errorf("a push that cannot be recorded: %d", a.Status)
	}
	if a := s.Do(testkit.Login{}, "GET", "/readyz", nil); a.Status != 503 {
		t.Errorf("ready: %d", a.Status)
	}
	restore()
	if a := s.Do(login, "GET", "/v2/app/manifests/1", nil); a.Status != 200 {
		t.Errorf("a pull with room again: %d", a.Status)
	}
	if a := s.Do(login, "PUT", "/v2/app/manifests/2", manifest, "Content-Type: application/vnd.oci.image.manifest.v1+json"); a.Status != 201 {
		t.Errorf("a push with room again: %d %s", a.Status, a.Body)
	}
}

func once(o *ecr.Options) { o.RetryMaxAttempts = 1 }

func TestPlacesOfTheTrail(t *testing.T) {
	elsewhere := t.TempDir()
	for _, c := range []struct {
		name, audit string
		files       string // pattern of what there must be
		stdout      bool
	}{
		{"by default", "file:", "DIR/audit/audit.jsonl", false},
		{"elsewhere", "file:" + elsewhere, elsewhere + "/audit.jsonl", false},
		{"standard output", "stdout", "", true},
		{"nowhere", "off", "", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			var out buffer
			dir := t.TempDir()
			trail, closer, err := server.OpenTrail(settings(t, dir, "--audit="+c.audit), &out, time.Now)
			must(t, err)
			if trail != nil {
				must(t, trail.Record(&audit.Event{Name: "Test"}))
			}
			must(t, closer.Close())
			found, err := filepath.Glob(filepath.Join(dir, "audit", "*.jsonl"))
			must(t, err)
			if want := strings.ReplaceAll(c.files, "DIR", dir); want != "" {
				if info, err := os.Stat(want); err != nil || info.Size() == 0 {
					t.Errorf("%s: %v, %v", want, info, err)
				}
			} else if len(found) > 0 {
				t.Errorf("there is %v", found)
			}
			if c.stdout != strings.Contains(out.String(), `"eventName":"Test"`) {
				t.Errorf("standard output got %q", out.String())
			}
		})
	}
	_, _, err := server.OpenTrail(settings(t, t.TempDir(), "--audit=file:/dev/null/x"), nil, time.Now)
	if _, ok := errors.AsType[*server.StoreError](err); !ok {
		t.Errorf("a trail below a file: %v", err)
	}
}

// TestAThousandWrongPasswords are refused soon, and do not shut out who works
// behind the same address.
func TestAThousandWrongPasswords(t *testing.T) {
	clock := &still{at: time.Now()}
	s := testkit.Start(t, testkit.Clock(clock.now))
	good := s.Login()
	if a := s.Do(good, "GET", "/v2/", nil); a.Status != 200 {
		t.Fatalf("at first: %d", a.Status)
	}
	refused := map[int]int{}
	var last testkit.Answer
	for i := range 1000 {
		last = s.Do(testkit.Login{User: "AWS", Password: fmt.Sprintf("wrong-%d", i)}, "GET", "/v2/", nil)
		refused[last.Status]++
	}
	if refused[401] < 1 || refused[401] > 60 || refused[401]+refused[429] != 1000 {
		t.Errorf("answers by status: %v", refused)
	}
	checkOCI(t, last, 429, "TOOMANYREQUESTS", "Rate exceeded")
	if after := last.Header.Get("Retry-After"); after == "" || after == "0" {
		t.Errorf("Retry-After: %q", after)
	}
	if a := s.Do(good, "GET", "/v2/", nil); a.Status != 200 {
		t.Errorf("a token that has been used here: %d", a.Status)
	}
	if _, err := s.ECR().DescribeRepositories(t.Context(), &ecr.DescribeRepositoriesInput{}); err != nil {
		t.Errorf("a key that has been used here: %v", err)
	}
	clock.add(time.Hour)
	if a := s.Do(testkit.Login{User: "AWS", Password: "wrong"}, "GET", "/v2/", nil); a.Status != http.StatusUnauthorized {
		t.Errorf("an hour later: %d", a.Status)
	}
}

// TestWrongSignaturesAreThrottled asks both AWS doors.
func TestWrongSignaturesAreThrottled(t *testing.T) {
	s := testkit.Start(t)
	c := s.AWS()
	c.Credentials = credentials.NewStaticCredentialsProvider(s.Root.AccessKeyID, "wrong", "")
	c.RetryMaxAttempts = 1
	for range 30 {
		_, _ = sts.NewFromConfig(c).GetCallerIdentity(t.Context(), &sts.GetCallerIdentityInput{})
	}
	_, err := sts.NewFromConfig(c).GetCallerIdentity(t.Context(), &sts.GetCallerIdentityInput{})
	checkAWS(t, err, 400, "Throttling")
	_, err = ecr.NewFromConfig(c).DescribeRepositories(t.Context(), &ecr.DescribeRepositoriesInput{})
	checkAWS(t, err, 400, "ThrottlingException")
}
