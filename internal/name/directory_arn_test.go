package name_test

import (
	"testing"

	"github.com/lighterage/lighterage/internal/name"
)

func TestDirectoryARNs(t *testing.T) {
	const account = name.AccountID("123456789012")
	for _, tt := range []struct{ name, got, want string }{
		{"a user", name.UserARN(account, "/", "bob"), "arn:aws:iam::123456789012:user/bob"},
		{"a user with a path", name.UserARN(account, "/a/b/", "bob"), "arn:aws:iam::123456789012:user/a/b/bob"},
		{"a group", name.GroupARN(account, "/a/", "ops"), "arn:aws:iam::123456789012:group/a/ops"},
		{"a role", name.RoleARN(account, "/", "r"), "arn:aws:iam::123456789012:role/r"},
		{"a policy", name.PolicyARN(account, "/p/", "all"), "arn:aws:iam::123456789012:policy/p/all"},
		{"an OIDC provider", name.ProviderARN(account, "idp.example.com/x"), "arn:aws:iam::123456789012:oidc-provider/idp.example.com/x"},
	} {
		if tt.got != tt.want {
			t.Errorf("%s: got %s", tt.name, tt.got)
		}
	}
}

type directoryARN struct{ account, kind, path, entity string }

func TestADirectoryARNIsTakenApart(t *testing.T) {
	for _, tt := range []struct {
		name, arn string
		want      directoryARN // zero: it is none
	}{
		{"a policy", "arn:aws:iam::123456789012:policy/all", directoryARN{"123456789012", "policy", "/", "all"}},
		{"a path", "arn:aws:iam::123456789012:role/a/b/r", directoryARN{"123456789012", "role", "/a/b/", "r"}},
		{"a path with an empty part", "arn:aws:iam::123456789012:role/a//r", directoryARN{"123456789012", "role", "/a//", "r"}},
		{"a colon in the name", "arn:aws:iam::123456789012:user/a:b", directoryARN{"123456789012", "user", "/", "a:b"}},
		{"AWS's own", "arn:aws:iam::aws:policy/service-role/X", directoryARN{"aws", "policy", "/service-role/", "X"}},
		{"a root", "arn:aws:iam::123456789012:root", directoryARN{}},
		{"another service", "arn:aws:ecr::123456789012:user/bob", directoryARN{}},
		{"a region", "arn:aws:iam:eu-west-1:123456789012:user/bob", directoryARN{}},
		{"another partition", "arn:aws-cn:iam::123456789012:user/bob", directoryARN{}},
		{"an account that is none", "arn:aws:iam::12345678901:user/bob", directoryARN{}},
		{"no account", "arn:aws:iam:::user/bob", directoryARN{}},
		{"no name", "arn:aws:iam::123456789012:user/", directoryARN{}},
		{"a path and no name", "arn:aws:iam::123456789012:user/a/", directoryARN{}},
		{"no kind", "arn:aws:iam::123456789012:/bob", directoryARN{}},
		{"a second slash", "arn:aws:iam::123456789012:user//bob", directoryARN{}},
		{"nothing", "", directoryARN{}},
	} {
		account, kind, path, entity, ok := name.ParseDirectoryARN(tt.arn)
		if got := (directoryARN{string(account), kind, path, entity}); got != tt.want || ok != (tt.want != directoryARN{}) {
			t.Errorf("%s: got %+v, %v", tt.name, got, ok)
		}
	}
}

func TestAProviderARNIsTakenApart(t *testing.T) {
	for _, tt := range []struct{ name, arn, account, host string }{
		{"a host", "arn:aws:iam::123456789012:oidc-provider/idp.example.com", "123456789012", "idp.example.com"},
		{"a path", "arn:aws:iam::123456789012:oidc-provider/idp.example.com/a/b", "123456789012", "idp.example.com/a/b"},
		{"a slash at the end", "arn:aws:iam::123456789012:oidc-provider/idp.example.com/", "123456789012", "idp.example.com/"},
		{"a port", "arn:aws:iam::123456789012:oidc-provider/localhost:8443/x/", "123456789012", "localhost:8443/x/"},
		{"no host", "arn:aws:iam::123456789012:oidc-provider/", "", ""},
		{"a provider of another sort", "arn:aws:iam::123456789012:saml-provider/idp.example.com", "", ""},
		{"AWS's own", "arn:aws:iam::aws:oidc-provider/idp.example.com", "", ""},
		{"another partition", "arn:aws-cn:iam::123456789012:oidc-provider/idp.example.com", "", ""},
		{"a host alone", "idp.example.com", "", ""},
		{"the end of an ARN", "123456789012:oidc-provider/idp.example.com", "", ""},
	} {
		account, host, ok := name.ParseProviderARN(tt.arn)
		if string(account) != tt.account || host != tt.host || ok != (tt.account != "") {
			t.Errorf("%s: got %s, %s, %v", tt.name, account, host, ok)
		}
	}
}

// FuzzDirectoryARN: what is taken apart makes the same ARN again, so that no
// entity has two.
func FuzzDirectoryARN(f *testing.F) {
	f.Add("arn:aws:iam::123456789012:user/a/b/bob")
	f.Add("arn:aws:iam::aws:policy/X")
	f.Add("arn:aws:iam::123456789012:user//bob")
	f.Fuzz(func(t *testing.T, s string) {
		account, kind, path, entity, ok := name.ParseDirectoryARN(s)
		if again := "arn:aws:iam::" + string(account) + ":" + kind + path + entity; ok && again != s {
			t.Fatalf("%q became %q", s, again)
		}
	})
}
