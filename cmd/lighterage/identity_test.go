package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/google/go-cmp/cmp"

	"github.com/lighterage/lighterage/internal/audit"
	"github.com/lighterage/lighterage/internal/config"
	"github.com/lighterage/lighterage/internal/testkit"
)

// shell runs commands against a server of the test's own.
type shell struct {
	t *testing.T
	*testkit.Server
}

func newShell(t *testing.T) *shell {
	t.Helper()
	noCredentials(t)
	s := &shell{t, testkit.Start(t)}
	if err := config.WriteRunning(s.Dir, config.Running{URL: s.URL, Region: "us-east-1"}); err != nil {
		t.Fatal(err)
	}
	return s
}

// noCredentials hides what the machine has for AWS clients.
func noCredentials(t *testing.T) {
	t.Helper()
	for _, v := range []string{"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE", "AWS_REGION",
		"AWS_DEFAULT_REGION", "AWS_ENDPOINT_URL_IAM", "AWS_ENDPOINT_URL", "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_CA_BUNDLE", "LIGHTERAGE_ENDPOINT", "LIGHTERAGE_DATA_DIR"} {
		t.Setenv(v, "")
	}
	nowhere := filepath.Join(t.TempDir(), "none")
	t.Setenv("AWS_CONFIG_FILE", nowhere)
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", nowhere)
}

// said runs a command that must end with the code, and returns what it printed:
// on stdout if the code is 0, else on stderr.
func said(t *testing.T, code int, args ...string) string {
	t.Helper()
	var stdout, stderr bytes.Buffer
	if got := run(append([]string{"lighterage"}, args...), &stdout, &stderr); got != code {
		t.Fatalf("%q: exit code %d, want %d: %s", args, got, code, stderr.String())
	}
	if code != 0 {
		if strings.Count(stderr.String(), "\n") != 1 {
			t.Errorf("%q: not one line: %q", args, stderr.String())
		}
		return stderr.String()
	}
	return stdout.String()
}

func (s *shell) ok(args ...string) string {
	s.t.Helper()
	return said(s.t, 0, append(args, "--data-dir="+s.Dir)...)
}

func (s *shell) json(v any, args ...string) {
	s.t.Helper()
	out := s.ok(append(args, "--json")...)
	if err := json.Unmarshal([]byte(out), v); err != nil {
		s.t.Fatalf("%q printed %q: %v", args, out, err)
	}
}

func (s *shell) fails(want string, args ...string) {
	s.t.Helper()
	if got := said(s.t, 1, append(args, "--data-dir="+s.Dir)...); !strings.Contains(got, want) {
		s.t.Errorf("%q said %q, want %q in it", args, got, want)
	}
}

// file writes a file and returns its path.
func file(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

const pull = `{"Version":"2012-10-17","Statement":[
	{"Sid":"Login","Effect":"Allow","Action":"ecr:GetAuthorizationToken","Resource":"*"},
	{"Effect":"Allow","Action":["ecr:BatchGetImage","iam:GetUser"],"Resource":["arn:aws:ecr:*:*:repository/team/*","*"],
	 "Condition":{"IpAddress":{"aws:SourceIp":["127.0.0.1","::1"]}}}]}`

// TestAUserFromTheFirstCommandToTheLast is the life that the README shows.
func TestAUserFromTheFirstCommandToTheLast(t *testing.T) {
	s := newShell(t)
	if got := s.ok("user", "create", "bob", "--path=/dev/", "--tag=team=blue"); !strings.Contains(got, "arn:aws:iam::000000000000:user/dev/bob") {
		t.Errorf("user create printed %q", got)
	}
	s.fails("User with name bob already exists.", "user", "create", "bob")
	var users []userView
	s.json(&users, "user", "list", "--path-prefix=/dev/")
	if len(users) != 1 || users[0].Name != "bob" || users[0].CreatedAt == "" {
		t.Errorf("users %+v", users)
	}
	s.ok("policy", "create", "TeamPull", file(t, pull))
	s.fails("Syntax error", "policy", "create", "Bad", file(t, "{"))
	s.ok("policy", "attach", "TeamPull", "--user=bob")
	s.ok("policy", "attach", "ReadOnlyAccess", "--user=bob")
	if got := s.ok("policy", "list"); !strings.Contains(got, "TeamPull  arn:aws:iam::000000000000:policy/TeamPull  v1       1") {
		t.Errorf("policy list printed %q", got)
	}
	var own, all []policyView
	s.json(&own, "policy", "list")
	s.json(&all, "policy", "list", "--scope=all")
	if len(own) != 1 || len(all) <= 5 {
		t.Errorf("%d policies of the account, %d with AWS's", len(own), len(all))
	}

	var key keyView
	s.json(&key, "key", "create", "--user=bob")
	bob := iam.NewFromConfig(s.AWS(), func(o *iam.Options) {
		o.Credentials = credentials.NewStaticCredentialsProvider(key.ID, key.Secret, "")
	})
	works := func() error { _, err := bob.GetUser(context.Background(), &iam.GetUserInput{}); return err }
	if err := works(); err != nil {
		t.Errorf("the key does not work: %v", err)
	}
	s.ok("key", "deactivate", key.ID)
	if err := works(); err == nil {
		t.Error("an inactive key works")
	}
	if got := s.ok("key", "list", "--user=bob"); !strings.Contains(got, key.ID) || !strings.Contains(got, "Inactive") || strings.Contains(got, key.Secret) {
		t.Errorf("key list printed %q", got)
	}
	s.ok("key", "activate", key.ID)
	if err := works(); err != nil {
		t.Errorf("the key does not work again: %v", err)
	}
	s.fails("cannot be found", "key", "delete", "AKIANOTTHERE00000000")

	s.fails("--force removes what it has", "user", "delete", "bob")
	s.fails("--force removes what it has", "policy", "delete", "TeamPull")
	s.ok("policy", "delete", "TeamPull", "--force")
	s.ok("user", "delete", "bob", "--force")
	if err := works(); err == nil {
		t.Error("the key of a user who is gone works")
	}
	s.fails("The user with name bob cannot be found.", "user", "delete", "bob")
	s.fails("there is no policy TeamPull", "policy", "attach", "TeamPull", "--user=bob")
}

// TestADocumentIsWrongSomewhere says so before the server does, and in its words
// too.
func TestADocumentIsWrongSomewhere(t *testing.T) {
	s := newShell(t)
	tests := []struct{ name, document, want string }{
		{"no JSON", "{\n  \"Version\": 2012-10-17\n}", ":2:18: invalid character '-' after object key:value pair (IAM says: Syntax errors in policy.)"},
		{"an element", "{\"Statement\": {\n\t\"Actions\": \"ecr:*\"}}", `:2:2: "Actions" is no element of a statement; did you mean Action? (IAM says: Syntax errors in policy.)`},
		{"a resource behind letters of several bytes", `{"Id": "größe", "Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "*", "Resource": "prod"}}`,
			`:1:102: Resource prod must be in ARN format or "*".`},
		{"the older language", `{"Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}`, ":1:1: Policy document must be version 2012-10-17 or greater."},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			path := file(t, tt.document)
			if got, want := said(t, 1, "policy", "create", "P", path, "--data-dir="+s.Dir), "lighterage: "+path+tt.want+"\n"; got != want {
				t.Errorf("said %q, want %q", got, want)
			}
		})
	}
	if got := said(t, 2, "policy", "create", "P", filepath.Join(s.Dir, "none.json"), "--data-dir="+s.Dir); !strings.Contains(got, "none.json cannot be read: no such file or directory") {
		t.Errorf("said %q", got)
	}
}

func TestPolicyGet(t *testing.T) {
	s := newShell(t)
	s.ok("policy", "create", "TeamPull", file(t, pull))
	for _, called := range []string{"TeamPull", "arn:aws:iam::000000000000:policy/TeamPull"} {
		if diff := cmp.Diff(pull+"\n", s.ok("policy", "get", called)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", called, diff)
		}
	}
	var got struct {
		policyView
		Document struct {
			Version   string
			Statement []struct{ Sid string }
		}
	}
	s.json(&got, "policy", "get", "TeamPull")
	if got.Name != "TeamPull" || got.Version != "v1" || got.Document.Version != "2012-10-17" || got.Document.Statement[0].Sid != "Login" {
		t.Errorf("printed %+v", got)
	}
	if got := s.ok("policy", "get", "ReadOnlyAccess"); !strings.Contains(got, `"ecr:BatchGetImage"`) && !strings.Contains(got, `"ecr:BatchGet*"`) {
		t.Errorf("AWS's policy: %q", got)
	}
	s.fails("there is no policy Other", "policy", "get", "Other")
	s.ok("policy", "create", "Drawing", file(t, strings.Replace(pull, "team/*", "team/\u009b2J*", 1)))
	if got := s.ok("policy", "get", "Drawing"); !strings.Contains(got, `team/\u009b2J*`) {
		t.Errorf("a document draws on the terminal: %q", got)
	}
}

// TestInputsThatTheServerRefuses are told in a sentence.
func TestInputsThatTheServerRefuses(t *testing.T) {
	s := newShell(t)
	tests := []struct {
		name string
		args []string
		want string
	}{
		{"a user's name", []string{"user", "create", "bad name!"}, `"bad name!" is no user name: it must match [\w+=,.@-]+`},
		{"a long name", []string{"user", "create", strings.Repeat("x", 65)}, `x" is no user name: it must have at most 64 characters`},
		{"no name", []string{"account", "create", ""}, `"" is no account name: it must have at least 1 characters`},
		{"an account", []string{"token", "revoke", "--account=12"}, `"12" is no account id: it must match [0-9]{12}`},
		{"a key", []string{"key", "delete", "X"}, `"X" is no access key id: it must have at least 16 characters`},
		{"a path", []string{"user", "create", "bob", "--path=x"}, `"x" is no path: it must begin and end with a slash`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { s.fails(tt.want, tt.args...) })
	}
}

func TestPolicySimulate(t *testing.T) {
	s := newShell(t)
	s.ok("user", "create", "bob")
	s.ok("policy", "create", "TeamPull", file(t, pull))
	s.ok("policy", "attach", "TeamPull", "--user=bob")
	tests := []struct {
		name string
		args []string
		want []string
	}{
		{"allowed, with the context that the statement asks for",
			[]string{"--principal=bob", "--action=ecr:BatchGetImage", "--resource=team/app", "--context=aws:SourceIp=127.0.0.1"},
			[]string{"ALLOWED  Allowed by the identity-based policy arn:aws:iam::000000000000:policy/TeamPull.", "Login", "yes"}},
		{"denied, and why",
			[]string{"--principal=arn:aws:iam::000000000000:user/bob", "--action=ecr:BatchGetImage", "--resource=team/app", "--context=aws:SourceIp=10.0.0.1"},
			[]string{"DENIED  User: arn:aws:iam::000000000000:user/bob is not authorized to perform: ecr:BatchGetImage on resource: arn:aws:ecr:us-east-1:000000000000:repository/team/app because no identity-based policy allows the ecr:BatchGetImage action", "LAYER"}},
		{"a key without a value is named",
			[]string{"--principal=user/bob", "--action=ecr:BatchGetImage", "--resource=*"},
			[]string{"DENIED", "(no value: aws:sourceip)"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := s.ok(append([]string{"policy", "simulate"}, tt.args...)...)
			for _, want := range tt.want {
				if !strings.Contains(got, want) {
					t.Errorf("%q is not in\n%s", want, got)
				}
			}
		})
	}
	var d decision
	s.json(&d, "policy", "simulate", "--principal=bob", "--action=ecr:PutImage", "--resource=team/app")
	if d.Allowed || d.Decision != "implicitDeny" || len(d.Statements) != 2 {
		t.Errorf("decision %+v", d)
	}
	s.fails("cannot be found", "policy", "simulate", "--principal=role/nobody", "--action=ecr:PutImage", "--resource=*")
}

func TestAccounts(t *testing.T) {
	s := newShell(t)
	var made struct {
		Account   accountView
		AccessKey keyView
	}
	s.json(&made, "account", "create", "Other Team", "--id=210987654321")
	if made.Account.ID != "210987654321" || made.AccessKey.Secret == "" {
		t.Errorf("made %+v", made.Account)
	}
	if got := s.ok("account", "list"); !strings.Contains(got, "210987654321  Other Team  -") {
		t.Errorf("account list printed %q", got)
	}
	s.fails("The account 210987654321 exists already.", "account", "create", "x", "--id=210987654321")
	t.Setenv("AWS_ACCESS_KEY_ID", made.AccessKey.ID)
	t.Setenv("AWS_SECRET_ACCESS_KEY", made.AccessKey.Secret)
	t.Setenv("LIGHTERAGE_ENDPOINT", s.URL)
	if got := said(t, 1, "account", "list"); !strings.Contains(got, "arn:aws:iam::210987654321:root is not authorized to perform: lighterage:ListAccounts") {
		t.Errorf("another account's root was told %q", got)
	}
	if got := said(t, 0, "user", "create", "theirs"); !strings.Contains(got, "arn:aws:iam::210987654321:user/theirs") {
		t.Errorf("another account's root made %q", got)
	}
}

func TestTokenRevoke(t *testing.T) {
	s := newShell(t)
	login := s.Login()
	if a := s.Do(login, "GET", "/v2/", nil); a.Status != 200 {
		t.Fatalf("before: %d", a.Status)
	}
	var out struct {
		ID string `json:"accountId"`
		At string `json:"tokensRevokedAt"`
	}
	s.json(&out, "token", "revoke")
	if at, err := time.Parse(time.RFC3339, out.At); err != nil || out.ID != "000000000000" || time.Since(at) > time.Hour {
		t.Errorf("printed %+v", out)
	}
	if a := s.Do(login, "GET", "/v2/", nil); a.Status == 200 {
		t.Error("a revoked login works")
	}
}

// TestWhichServerIsMeant and with which credentials.
func TestWhichServerIsMeant(t *testing.T) {
	s := newShell(t)
	t.Chdir(t.TempDir())
	tests := []struct {
		name string
		env  map[string]string
		args []string
		code int
		want string
	}{
		{"none runs here", nil, nil, 1, "there are no credentials"},
		{"none runs where one is expected", map[string]string{"AWS_ACCESS_KEY_ID": s.Root.AccessKeyID, "AWS_SECRET_ACCESS_KEY": "x"},
			[]string{"--endpoint=http://127.0.0.1:1"}, 1, "no server answers at http://127.0.0.1:1"},
		{"a directory without a server", nil, []string{"--data-dir=" + t.TempDir()}, 3, "no server has run"},
		{"an address that is none", nil, []string{"--endpoint=localhost:5000"}, 2, "is no URL"},
		{"the directory of a variable", map[string]string{"LIGHTERAGE_DATA_DIR": s.Dir}, nil, 0, "USER"},
		{"the endpoint and key of AWS's variables", map[string]string{
			"AWS_ENDPOINT_URL_IAM": s.URL, "AWS_ACCESS_KEY_ID": s.Root.AccessKeyID, "AWS_SECRET_ACCESS_KEY": s.Root.SecretAccessKey.Reveal(),
		}, nil, 0, "USER"},
		{"a profile", map[string]string{"LIGHTERAGE_ENDPOINT": s.URL, "AWS_PROFILE": "ours", "AWS_SHARED_CREDENTIALS_FILE": file(t,
			"[ours]\naws_access_key_id = "+s.Root.AccessKeyID+"\naws_secret_access_key = "+s.Root.SecretAccessKey.Reveal()+"\n")}, nil, 0, "USER"},
		{"a key that is unknown", map[string]string{"LIGHTERAGE_ENDPOINT": s.URL, "AWS_ACCESS_KEY_ID": "AKIAUNKNOWN000000000", "AWS_SECRET_ACCESS_KEY": "x"},
			nil, 1, "the server does not know the access key"},
		{"a wrong secret", map[string]string{"LIGHTERAGE_ENDPOINT": s.URL, "AWS_ACCESS_KEY_ID": s.Root.AccessKeyID, "AWS_SECRET_ACCESS_KEY": "x"},
			nil, 1, "the signature is wrong"},
		{"a key without its secret", map[string]string{"LIGHTERAGE_ENDPOINT": s.URL, "AWS_ACCESS_KEY_ID": s.Root.AccessKeyID},
			nil, 1, "AWS_ACCESS_KEY_ID is set without AWS_SECRET_ACCESS_KEY"},
		{"a profile that is not there", map[string]string{"LIGHTERAGE_ENDPOINT": s.URL, "AWS_PROFILE": "theirs"}, nil, 1, "no profile theirs"},
		{"HTTPS where HTTP is spoken", nil, []string{"--data-dir=" + s.Dir, "--endpoint=https" + strings.TrimPrefix(s.URL, "http")}, 1, "begin its address with http://"},
		{"something else", nil, []string{"--data-dir=" + s.Dir, "--endpoint=" + s.URL + "/elsewhere"}, 1, "/elsewhere: the answer is 404 Not Found, not one of a Lighterage server"},
		{"the directory's key beats the environment's", map[string]string{"AWS_ACCESS_KEY_ID": "AKIAUNKNOWN000000000", "AWS_SECRET_ACCESS_KEY": "x"},
			[]string{"--data-dir=" + s.Dir}, 0, "USER"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for k, v := range tt.env {
				t.Setenv(k, v)
			}
			if got := said(t, tt.code, append([]string{"user", "list"}, tt.args...)...); !strings.Contains(got, tt.want) {
				t.Errorf("said %q, want %q in it", got, tt.want)
			}
		})
	}
}

func TestCommandLinesThatAreWrong(t *testing.T) {
	noCredentials(t)
	tests := []struct {
		name string
		args []string
		want string
	}{
		{"a command that is none", []string{"user", "craete"}, `"craete" is nothing that lighterage user knows; did you mean create?`},
		{"an argument that is missing", []string{"policy", "create", "p"}, "lighterage policy create needs FILE"},
		{"an argument too many", []string{"user", "create", "a", "b"}, `"b" is an argument too many`},
		{"an outcome that is none", []string{"audit", "--outcome=bad"}, `outcome "bad" is none of`},
		{"a time that is none", []string{"audit", "--since=yesterday"}, `--since: "yesterday" is no time`},
		{"times in the wrong order", []string{"audit", "--since=2026-02-01", "--until=2026-01-01"}, "no time is from"},
		{"a flag that is none", []string{"key", "create", "--usr=bob"}, "did you mean --user?"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := said(t, 2, tt.args...); !strings.Contains(got, tt.want) {
				t.Errorf("said %q, want %q in it", got, tt.want)
			}
		})
	}
	s := newShell(t)
	for name, args := range map[string][]string{
		"one of --user, --group and --role": {"policy", "attach", "p"},
		"--scope \"mine\" is none of":       {"policy", "list", "--scope=mine"},
		"--action must be given":            {"policy", "simulate", "--principal=bob"},
		"--context takes key=value":         {"policy", "simulate", "--context=x"},
	} {
		if got := said(t, 2, append(args, "--data-dir="+s.Dir)...); !strings.Contains(got, name) {
			t.Errorf("%q said %q, want %q in it", args, got, name)
		}
	}
}

func TestAuditSearchesTheTrail(t *testing.T) {
	dir := t.TempDir()
	now := time.Now().Truncate(time.Second)
	trail, err := audit.OpenFile(audit.FileConfig{Dir: filepath.Join(dir, "audit"), Clock: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	for i, name := range []string{"PutImage", "BatchGetImage", "PutImage"} {
		e := audit.Event{
			Identity: audit.Identity{Type: "IAMUser", ARN: "arn:aws:iam::000000000000:user/bob", UserName: "bob"},
			Time:     now.Add(time.Duration(i-3) * time.Hour), Source: "ecr.amazonaws.com", Name: name, SourceIP: "10.0.0.1",
			Resources: []audit.Resource{{ARN: "arn:aws:ecr:us-east-1:000000000000:repository/team/app"}},
		}
		if i == 2 {
			e.ErrorCode = "AccessDeniedException"
		}
		if err := trail.Record(&e); err != nil {
			t.Fatal(err)
		}
	}
	if err := trail.Close(); err != nil {
		t.Fatal(err)
	}
	search := func(args ...string) string {
		return said(t, 0, append([]string{"audit", "--data-dir=" + dir}, args...)...)
	}
	stamp := func(hours int) string { return now.Add(time.Duration(hours) * time.Hour).UTC().Format(time.RFC3339) }
	want := "TIME                  OUTCOME  PRINCIPAL                           ACTION        RESOURCE                                                FROM      ERROR\n" +
		stamp(-1) + "  denied   arn:aws:iam::000000000000:user/bob  ecr:PutImage  arn:aws:ecr:us-east-1:000000000000:repository/team/app  10.0.0.1  AccessDeniedException\n" +
		stamp(-3) + "  ok       arn:aws:iam::000000000000:user/bob  ecr:PutImage  arn:aws:ecr:us-east-1:000000000000:repository/team/app  10.0.0.1  -\n"
	if diff := cmp.Diff(want, search("--principal=bob", "--repository=team/*", "--action=ecr:PutImage")); diff != "" {
		t.Errorf("table (-want +got):\n%s", diff)
	}
	for _, tt := range []struct {
		name string
		args []string
		want []string // names, in order
	}{
		{"the oldest first", []string{"--oldest-first"}, []string{"PutImage", "BatchGetImage", "PutImage"}},
		{"a limit", []string{"--limit=2"}, []string{"PutImage", "BatchGetImage"}},
		{"denials", []string{"--outcome=denied"}, []string{"PutImage"}},
		{"since a while ago", []string{"--since=150m"}, []string{"PutImage", "BatchGetImage"}},
		{"until a moment", []string{"--until=" + stamp(-2)}, []string{"PutImage"}},
		{"nobody's", []string{"--principal=alice"}, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var got []string
			for line := range strings.Lines(search(append(tt.args, "--json")...)) {
				var e audit.Event
				if err := json.Unmarshal([]byte(line), &e); err != nil {
					t.Fatal(err)
				}
				got = append(got, e.Name)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("events (-want +got):\n%s", diff)
			}
		})
	}
	if got := said(t, 3, "audit", "--data-dir="+t.TempDir()); !strings.Contains(got, "there is no audit trail") {
		t.Errorf("without a trail: %q", got)
	}
	if got := said(t, 3, "audit", "--audit=stdout"); !strings.Contains(got, "the audit setting is stdout") {
		t.Errorf("without files: %q", got)
	}
}

func TestWhatOthersNamedDoesNotDrawOnTheTerminal(t *testing.T) {
	var out bytes.Buffer
	if err := (table{head: []string{"A"}, rows: [][]string{{"x\x1b[2J\u009b1m\n"}, {""}}}).print(&out); err != nil {
		t.Fatal(err)
	}
	if got, want := out.String(), "A\nx?[2J?1m?\n-\n"; got != want {
		t.Errorf("printed %q, want %q", got, want)
	}
}

// TestTheServersOwnCAIsTrusted where the data directory says which it is.
func TestTheServersOwnCAIsTrusted(t *testing.T) {
	noCredentials(t)
	s := testkit.Start(t, testkit.Setting("tls", "self-signed"))
	url := "https://" + s.Host
	running := config.Running{URL: url, Region: "us-east-1", CA: filepath.Join(s.Dir, "tls", "ca.crt")}
	if err := config.WriteRunning(s.Dir, running); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"user", "list"}, {"account", "list"}} { // the SDK's client and ours
		said(t, 0, append(args, "--data-dir="+s.Dir)...)
		t.Run(args[0]+" in the clear", func(t *testing.T) {
			got := said(t, 1, append(args, "--data-dir="+s.Dir, "--endpoint=http://"+s.Host)...)
			if !strings.Contains(got, "does not understand plain HTTP: begin its address with https://") {
				t.Errorf("said %q", got)
			}
		})
		t.Run(args[0]+" without the directory", func(t *testing.T) {
			t.Setenv("AWS_ACCESS_KEY_ID", s.Root.AccessKeyID)
			t.Setenv("AWS_SECRET_ACCESS_KEY", s.Root.SecretAccessKey.Reveal())
			got := said(t, 1, append(args, "--endpoint="+url)...)
			if !strings.Contains(got, "is not trusted") || !strings.Contains(got, "AWS_CA_BUNDLE") {
				t.Errorf("said %q", got)
			}
		})
	}
}
