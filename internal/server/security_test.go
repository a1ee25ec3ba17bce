package server_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/lightsail"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/lighterage/lighterage/internal/api/apitest"
	"github.com/lighterage/lighterage/internal/api/awsmodel/lighteragemodel"
	"github.com/lighterage/lighterage/internal/client"
	"github.com/lighterage/lighterage/internal/sigv4"
	"github.com/lighterage/lighterage/internal/testkit"
)

// The tests in the files security_*_test.go go through the whole server. What
// each is about, and the flaw of others that asks for it, is in
// docs/security.md.

// TestTheChecklistNamesTestsThatExist reads that table.
func TestTheChecklistNamesTestsThatExist(t *testing.T) {
	text, err := os.ReadFile("../../docs/security.md")
	must(t, err)
	found := 0
	for line := range bytes.Lines(text) {
		cells := strings.Split(string(line), "|")
		if len(cells) < 5 || strings.Contains(cells[1], "---") {
			continue
		}
		for _, named := range regexp.MustCompile("`([a-z0-9/]+)\\.((?:Test|Fuzz)\\w+)`").FindAllStringSubmatch(string(line), -1) {
			found++
			files, err := filepath.Glob("../../" + named[1] + "/*_test.go")
			must(t, err)
			defined := false
			for _, file := range files {
				source, err := os.ReadFile(file)
				must(t, err)
				defined = defined || bytes.Contains(source, []byte("func "+named[2]+"("))
			}
			if !defined {
				t.Errorf("row %s: there is no %s in %s", strings.TrimSpace(cells[1]), named[2], named[1])
			}
		}
	}
	if found < 28 {
		t.Errorf("the table names %d tests, fewer than it has rows", found)
	}
}

// foreignAccount is the second account of a server with two.
const foreignAccount = "210987654321"

// person is somebody with credentials at a server.
type person struct {
	s               *testkit.Server
	id, key, token  string
	secret          string
	client          *http.Client // nil: the usual one
	region, account string
}

func root(s *testkit.Server) person {
	return person{s: s, id: "root", key: s.Root.AccessKeyID, secret: s.Root.SecretAccessKey.Reveal(), region: string(s.Config.Region), account: string(s.Config.Account)}
}

func (p person) aws() aws.Config {
	c := aws.Config{
		Region: p.region, BaseEndpoint: aws.String(p.s.URL), RetryMaxAttempts: 1, HTTPClient: apitest.NewClient(),
		Credentials: credentials.NewStaticCredentialsProvider(p.key, p.secret, p.token),
	}
	if p.client != nil {
		c.HTTPClient = p.client
	}
	return c
}

func (p person) ecr() *ecr.Client             { return ecr.NewFromConfig(p.aws()) }
func (p person) iam() *iam.Client             { return iam.NewFromConfig(p.aws()) }
func (p person) sts() *sts.Client             { return sts.NewFromConfig(p.aws()) }
func (p person) lightsail() *lightsail.Client { return lightsail.NewFromConfig(p.aws()) }

// call does an operation of a JSON service by its name, with any members.
func (p person) call(service, prefix, operation string, in, out any) error {
	c := client.Client{
		HTTP: http.DefaultClient, Endpoint: p.s.URL, Service: service, TargetPrefix: prefix, Region: p.region,
		Credentials: sigv4.Credentials{KeyID: p.key, Secret: p.secret, SessionToken: p.token}, Clock: time.Now,
	}
	if out == nil {
		out = &struct{}{}
	}
	return c.Call(context.Background(), operation, in, out)
}

func (p person) admin(operation string, in, out any) error {
	return p.call(lighteragemodel.Model.SigningName, lighteragemodel.Model.TargetPrefix, operation, in, out)
}

// login is what docker login gets for the person's key.
func (p person) login(t testing.TB) testkit.Login {
	t.Helper()
	out, err := p.ecr().GetAuthorizationToken(context.Background(), &ecr.GetAuthorizationTokenInput{})
	if err != nil {
		t.Fatalf("GetAuthorizationToken of %s: %v", p.id, err)
	}
	text, err := base64.StdEncoding.DecodeString(aws.ToString(out.AuthorizationData[0].AuthorizationToken))
	if err != nil {
		t.Fatal(err)
	}
	user, password, _ := strings.Cut(string(text), ":")
	return testkit.Login{User: user, Password: password}
}

// hire makes a user of the person's account with a key, and with an inline
// policy if there is one.
func (p person) hire(t testing.TB, called, policy string) person {
	t.Helper()
	ctx := context.Background()
	try := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatalf("hire %s: %v", called, err)
		}
	}
	_, err := p.iam().CreateUser(ctx, &iam.CreateUserInput{UserName: &called})
	try(err)
	if policy != "" {
		_, err = p.iam().PutUserPolicy(ctx, &iam.PutUserPolicyInput{UserName: &called, PolicyName: aws.String("own"), PolicyDocument: &policy})
		try(err)
	}
	out, err := p.iam().CreateAccessKey(ctx, &iam.CreateAccessKeyInput{UserName: &called})
	try(err)
	return person{s: p.s, id: called, key: *out.AccessKey.AccessKeyId, secret: *out.AccessKey.SecretAccessKey, region: p.region, account: p.account}
}

// foreigner makes a second account and returns its root.
func foreigner(t testing.TB, s *testkit.Server) person {
	t.Helper()
	var out struct {
		AccessKey struct{ AccessKeyID, SecretAccessKey string }
	}
	if err := root(s).admin("CreateAccount", map[string]string{"accountName": "other", "accountId": foreignAccount}, &out); err != nil {
		t.Fatal(err)
	}
	return person{s: s, id: "foreign root", key: out.AccessKey.AccessKeyID, secret: out.AccessKey.SecretAccessKey, region: string(s.Config.Region), account: foreignAccount}
}

// statements makes a policy document of "Effect action,action resource" lines.
func statements(lines ...string) string {
	type statement struct {
		Effect, Resource string
		Action           []string
	}
	doc := struct {
		Version   string
		Statement []statement
	}{Version: "2012-10-17"}
	for _, l := range lines {
		f := strings.Fields(l)
		doc.Statement = append(doc.Statement, statement{Effect: f[0], Action: strings.Split(f[1], ","), Resource: f[2]})
	}
	text, err := json.Marshal(doc)
	if err != nil {
		panic(err)
	}
	return string(text)
}

// on is the ARN of a repository of the server's own account.
func on(repository string) string {
	return "arn:aws:ecr:us-east-1:000000000000:repository/" + repository
}

// push makes a repository with an image, and returns its manifest and digest.
func push(t testing.TB, p person, repository, tag string, layer []byte) ([]byte, string) {
	t.Helper()
	_, err := p.ecr().CreateRepository(context.Background(), &ecr.CreateRepositoryInput{RepositoryName: &repository})
	if err != nil && code(err) != "RepositoryAlreadyExistsException" {
		t.Fatal(err)
	}
	return p.s.PushImage(p.login(t), repository, tag, []byte("{}"), layer)
}

// code is the code of an error of any AWS client.
func code(err error) string {
	if err == nil {
		return ""
	}
	if e, ok := errors.AsType[smithy.APIError](err); ok {
		return e.ErrorCode()
	}
	if e, ok := errors.AsType[*client.Error](err); ok {
		return e.Code
	}
	return "no answer: " + err.Error()
}

// message is the sentence of an error of any AWS client.
func message(err error) string {
	if e, ok := errors.AsType[smithy.APIError](err); ok {
		return e.ErrorMessage()
	}
	if e, ok := errors.AsType[*client.Error](err); ok {
		return e.Message
	}
	return fmt.Sprint(err)
}

// checkCode wants an error code, none for success.
func checkCode(t *testing.T, what string, err error, want string) {
	t.Helper()
	if got := code(err); got != want {
		t.Errorf("%s: got %q (%s), want %q", what, got, message(err), want)
	}
}

// checkStatus wants a status on /v2/.
func checkStatus(t *testing.T, what string, a testkit.Answer, want int) {
	t.Helper()
	if a.Status != want {
		t.Errorf("%s: got %d %s, want %d", what, a.Status, a.Body, want)
	}
}

// addresses gives each guess an address of its own, so that the throttle does
// not answer in the place of what is tested. The server must trust 127.0.0.1.
type addresses struct{ n int }

func (a *addresses) next() string {
	a.n++
	return fmt.Sprintf("X-Forwarded-For: %d.%d.1.1", 11+a.n/250, a.n%250)
}

var behindProxy = testkit.Setting("trusted-proxies", "127.0.0.0/8")

// raw sends bytes as they are, and returns the answer.
func raw(t *testing.T, s *testkit.Server, request string) testkit.Answer {
	t.Helper()
	conn := dial(t, s)
	defer conn.Close()
	if _, err := io.WriteString(conn, request); err != nil {
		t.Fatal(err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatalf("%.80q: %v", request, err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	must(t, err)
	return testkit.Answer{Status: resp.StatusCode, Header: resp.Header, Body: body}
}

func dial(t *testing.T, s *testkit.Server) net.Conn {
	t.Helper()
	conn, err := net.DialTimeout("tcp", s.Host, 5*time.Second)
	must(t, err)
	must(t, conn.SetDeadline(time.Now().Add(10*time.Second)))
	return conn
}

// host is as the registry of the account names itself.
func host(account string) string { return account + ".dkr.ecr.us-east-1.localhost" }

// at does a request to another host name of the server.
func at(t *testing.T, s *testkit.Server, host string, l testkit.Login, method, path string, body []byte, header ...string) testkit.Answer {
	t.Helper()
	request := method + " " + path + " HTTP/1.1\r\nHost: " + host + "\r\nConnection: close\r\n"
	if l != (testkit.Login{}) {
		request += "Authorization: " + l.Basic() + "\r\n"
	}
	for _, h := range header {
		request += h + "\r\n"
	}
	return raw(t, s, request+fmt.Sprintf("Content-Length: %d\r\n\r\n%s", len(body), body))
}

// discarded is the log of a server that nobody looks at.
func discarded() *slog.Logger { return slog.New(slog.DiscardHandler) }

// replaceBody sends a body of the test's in the place of the SDK's, signed.
func replaceBody(body string) func(*middleware.Stack) error {
	return func(stack *middleware.Stack) error {
		return stack.Serialize.Add(middleware.SerializeMiddlewareFunc("replace the body", func(
			ctx context.Context, in middleware.SerializeInput, next middleware.SerializeHandler,
		) (middleware.SerializeOutput, middleware.Metadata, error) {
			r, err := in.Request.(*smithyhttp.Request).SetStream(strings.NewReader(body))
			if err != nil {
				return middleware.SerializeOutput{}, middleware.Metadata{}, err
			}
			in.Request = r
			return next.HandleSerialize(ctx, in)
		}), middleware.After)
	}
}
