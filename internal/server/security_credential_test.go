package server_test

import (
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"
	"github.com/aws/aws-sdk-go-v2/service/lightsail"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/lighterage/lighterage/internal/testkit"
)

// TestWhatIsNoCredentialIsRefused tries all kinds at both doors.
func TestWhatIsNoCredentialIsRefused(t *testing.T) {
	var clock moved
	s := testkit.Start(t, behindProxy, testkit.Clock(clock.now))
	_, _ = push(t, root(s), "team/app", "1", []byte("layer"))
	other := testkit.Start(t, testkit.Logger(discarded()))
	user := root(s).hire(t, "user", statements("Allow ecr:* *"))
	old := user.login(t)
	admin := root(s).iam()
	_, err := admin.UpdateAccessKey(t.Context(), &iam.UpdateAccessKeyInput{UserName: &user.id, AccessKeyId: &user.key, Status: types.StatusTypeInactive})
	must(t, err)
	them := foreigner(t, s)
	good := s.Login()
	var from addresses
	for _, c := range []struct {
		name   string
		login  testkit.Login
		host   string
		after  time.Duration
		status int
	}{
		{"the right password", good, s.Host, 0, 200},
		{"none", testkit.Login{}, s.Host, 0, 401},
		{"any password", testkit.Login{User: "AWS", Password: "password"}, s.Host, 0, 401},
		{"an empty password", testkit.Login{User: "AWS"}, s.Host, 0, 401},
		{"another user name", testkit.Login{User: "admin", Password: good.Password}, s.Host, 0, 401},
		{"the user name in lower case", testkit.Login{User: "aws", Password: good.Password}, s.Host, 0, 401},
		{"the access key", testkit.Login{User: s.Root.AccessKeyID, Password: s.Root.SecretAccessKey.Reveal()}, s.Host, 0, 401},
		{"the secret key", testkit.Login{User: "AWS", Password: s.Root.SecretAccessKey.Reveal()}, s.Host, 0, 401},
		{"a password cut short", testkit.Login{User: "AWS", Password: good.Password[:len(good.Password)-1]}, s.Host, 0, 401},
		{"a password with more behind it", testkit.Login{User: "AWS", Password: good.Password + "A"}, s.Host, 0, 401},
		{"a password with a space behind it", testkit.Login{User: "AWS", Password: good.Password + " "}, s.Host, 0, 401},
		{"a login of another server", other.Login(), s.Host, 0, 401},
		{"a login of a revoked key", old, s.Host, 0, 401},
		{"a login of another account", them.login(t), host(root(s).account), 0, 403},
		{"a login of another region", good, "000000000000.dkr.ecr.eu-west-1.localhost", 0, 401},
		{"a login that has expired", good, s.Host, 13 * time.Hour, 403},
	} {
		clock.set(c.after)
		checkStatus(t, c.name, at(t, s, c.host, c.login, "GET", "/v2/team/app/manifests/1", nil, from.next()), c.status)
	}
	clock.set(0)

	for _, c := range []struct {
		name string
		p    func(p *person)
		code string
	}{
		{"the right key", func(*person) {}, ""},
		{"a wrong secret", func(p *person) { p.secret = "wrong" }, "InvalidSignatureException"},
		{"another's secret", func(p *person) { p.secret = them.secret }, "InvalidSignatureException"},
		{"an unknown key", func(p *person) { p.key = "AKIAIOSFODNN7EXAMPLE" }, "UnrecognizedClientException"},
		{"a revoked key", func(p *person) { *p = user }, "UnrecognizedClientException"},
		{"the keys of everybody's examples", func(p *person) { p.key, p.secret = "test", "test" }, "UnrecognizedClientException"},
		{"a session token that is none", func(p *person) { p.token = "token" }, "UnrecognizedClientException"},
		{"a registry login as session token", func(p *person) { p.token = good.Password }, "UnrecognizedClientException"},
	} {
		p := root(s)
		c.p(&p)
		p.client = &http.Client{Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
			name, value, _ := strings.Cut(from.next(), ": ")
			r.Header.Set(name, value)
			return http.DefaultTransport.RoundTrip(r)
		})}
		_, err := p.ecr().DescribeRepositories(t.Context(), &ecr.DescribeRepositoriesInput{})
		checkCode(t, "ECR with "+c.name, err, c.code)
		_, err = p.iam().ListUsers(t.Context(), &iam.ListUsersInput{})
		if (err == nil) != (c.code == "") {
			t.Errorf("IAM with %s: %v", c.name, err)
		}
		_, err = p.lightsail().GetContainerServices(t.Context(), &lightsail.GetContainerServicesInput{})
		if (err == nil) != (c.code == "") {
			t.Errorf("Lightsail with %s: %v", c.name, err)
		}
	}

	// A good signature is good for its request alone.
	for what, change := range map[string]func(r *http.Request){
		"another operation": func(r *http.Request) {
			r.Header.Set("X-Amz-Target", strings.Replace(r.Header.Get("X-Amz-Target"), "DescribeRepositories", "CreateRepository", 1))
		},
		"another body": func(r *http.Request) {
			r.Body, r.ContentLength = http.NoBody, 0
		},
		"another path":    func(r *http.Request) { r.URL.RawQuery = "x=1" },
		"another service": func(r *http.Request) { r.Header.Set("X-Amz-Target", "Lightsail_20161128.GetContainerServices") },
		"no signature":    func(r *http.Request) { r.Header.Del("Authorization") },
	} {
		p := root(s)
		p.client = &http.Client{Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
			change(r)
			name, value, _ := strings.Cut(from.next(), ": ")
			r.Header.Set(name, value)
			return http.DefaultTransport.RoundTrip(r)
		})}
		if _, err := p.ecr().DescribeRepositories(t.Context(), &ecr.DescribeRepositoriesInput{}); err == nil {
			t.Errorf("a signature is good for %s", what)
		}
	}
}

// TestNoCredentialIsBakedIn compares what two first starts have made, and tries
// what others have as defaults.
func TestNoCredentialIsBakedIn(t *testing.T) {
	one, other := testkit.Start(t, behindProxy, testkit.Logger(discarded())), testkit.Start(t, testkit.Logger(discarded()))
	if one.Root.AccessKeyID == other.Root.AccessKeyID || one.Root.SecretAccessKey.Reveal() == other.Root.SecretAccessKey.Reveal() {
		t.Error("two servers have one root key")
	}
	if n := len(one.Root.SecretAccessKey.Reveal()); n < 40 {
		t.Errorf("the root's secret key has %d characters", n)
	}
	for _, file := range []string{"root-credentials", "master-key"} {
		a, err := os.ReadFile(filepath.Join(one.Dir, file))
		must(t, err)
		b, err := os.ReadFile(filepath.Join(other.Dir, file))
		must(t, err)
		info, err := os.Stat(filepath.Join(one.Dir, file))
		must(t, err)
		if string(a) == string(b) || info.Mode().Perm() != 0o600 {
			t.Errorf("%s is the same for two servers, or can be read: %v", file, info.Mode())
		}
	}
	must(t, filepath.WalkDir(one.Dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err == nil && info.Mode().Perm()&0o007 != 0 && !d.IsDir() && strings.HasSuffix(path, ".db") {
			t.Errorf("%s is for everybody: %v", path, info.Mode())
		}
		return err
	}))
	var from addresses
	for _, l := range []testkit.Login{{User: "AWS", Password: "test"}, {User: "admin", Password: "admin"}, {User: "admin", Password: "Harbor12345"}, {User: "AWS", Password: "000000000000-auth-token"}, {User: "test", Password: "test"}} {
		checkStatus(t, l.User+":"+l.Password, one.Do(l, "GET", "/v2/", nil, from.next()), 401)
	}
	signedElsewhere := root(other)
	signedElsewhere.s = one
	_, err := signedElsewhere.sts().GetCallerIdentity(t.Context(), &sts.GetCallerIdentityInput{})
	checkCode(t, "the root of another server", err, "InvalidClientTokenId")
}
