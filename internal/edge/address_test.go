package edge_test

import (
	"strings"
	"testing"

	"github.com/lighterage/lighterage/internal/edge"
	"github.com/lighterage/lighterage/internal/name"
)

var addressed = name.RegistryID{Account: "111122223333", Region: "eu-west-1"}

func TestAddressesInAnswers(t *testing.T) {
	for _, tc := range []struct {
		name, registry, lightsail string
		scheme, host              string // as the client used them
		url, lightsailHost        string
	}{
		{"by default what the client used", "", "", "http", "localhost:5000", "http://localhost:5000", "localhost:5000"},
		{"behind a proxy with TLS too", "", "", "https", "reg.test", "https://reg.test", "reg.test"},
		{"a configured host keeps the client's scheme", "reg.test:8443", "", "https", "localhost:5000", "https://reg.test:8443", "reg.test:8443"},
		{"a configured scheme beats the client's", "https://reg.test/", "", "http", "localhost:5000", "https://reg.test", "reg.test"},
		{"placeholders are filled", "{account}.dkr.ecr.{region}.reg.test", "", "http", "x",
			"http://111122223333.dkr.ecr.eu-west-1.reg.test", "111122223333.dkr.ecr.eu-west-1.reg.test"},
		{"Lightsail can have a host of its own", "reg.test", "https://push.test:5001", "http", "x", "http://reg.test", "push.test:5001"},
		{"only Lightsail's is configured", "", "127.0.0.1:5000", "http", "localhost:5000", "http://localhost:5000", "127.0.0.1:5000"},
		{"an API endpoint's host leads to the registry's", "", "", "https", "api.ecr.eu-west-1.amazonaws.com",
			"https://111122223333.dkr.ecr.eu-west-1.amazonaws.com", "111122223333.dkr.ecr.eu-west-1.amazonaws.com"},
		{"so does Lightsail's, with a port", "", "", "https", "lightsail.eu-west-1.reg.test:8443",
			"https://111122223333.dkr.ecr.eu-west-1.reg.test:8443", "111122223333.dkr.ecr.eu-west-1.reg.test:8443"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			a, err := edge.NewAddresses(tc.registry, tc.lightsail)
			if err != nil {
				t.Fatal(err)
			}
			r := &edge.Request{Scheme: tc.scheme, Host: tc.host}
			if got := a.RegistryURL(r, addressed); got != tc.url {
				t.Errorf("registry URL %s, want %s", got, tc.url)
			}
			if _, want, _ := strings.Cut(tc.url, "://"); a.RegistryHost(r, addressed) != want {
				t.Errorf("registry host %s, want %s", a.RegistryHost(r, addressed), want)
			}
			if got := a.LightsailHost(r, addressed); got != tc.lightsailHost {
				t.Errorf("Lightsail host %s, want %s", got, tc.lightsailHost)
			}
		})
	}
}

func TestRegistryThatAHostCarries(t *testing.T) {
	for _, tc := range []struct {
		name, registry, lightsail, host string
		want                            name.RegistryID
		ok                              bool
	}{
		{"AWS's own name", "", "", "111122223333.dkr.ecr.eu-west-1.amazonaws.com", addressed, true},
		{"with a port", "", "", "111122223333.dkr.ecr.eu-west-1.reg.test:8443", addressed, true},
		{"in capitals", "", "", "111122223333.DKR.ECR.eu-west-1.amazonaws.com", addressed, true},
		{"the dual-stack name", "", "", "111122223333.dkr-ecr.eu-west-1.on.aws", addressed, true},
		{"the FIPS name", "", "", "111122223333.dkr.ecr-fips.eu-west-1.amazonaws.com", addressed, true},
		{"a plain host", "", "", "localhost:5000", name.RegistryID{}, false},
		{"an address", "", "", "127.0.0.1:5000", name.RegistryID{}, false},
		{"an account of 13 digits", "", "", "1111222233334.dkr.ecr.eu-west-1.amazonaws.com", name.RegistryID{}, false},
		{"a name before the account", "", "", "x.111122223333.dkr.ecr.eu-west-1.amazonaws.com", name.RegistryID{}, false},
		{"a configured shape", "{region}-{account}.reg.test:8443", "", "eu-west-1-111122223333.reg.test:8443", addressed, true},
		{"a configured shape has its dots as dots", "{account}.reg.test", "", "111122223333xregxtest", name.RegistryID{}, false},
		{"a shape without a region", "{account}.reg.test", "", "111122223333.reg.test", name.RegistryID{Account: "111122223333"}, true},
		{"a shape without an account", "reg-{region}.test:5000", "", "reg-eu-west-1.test:5000", name.RegistryID{Region: "eu-west-1"}, true},
		{"Lightsail's shape", "", "{account}.push.test", "111122223333.push.test", name.RegistryID{Account: "111122223333"}, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			a, err := edge.NewAddresses(tc.registry, tc.lightsail)
			if err != nil {
				t.Fatal(err)
			}
			if got, ok := a.Registry(tc.host); got != tc.want || ok != tc.ok {
				t.Errorf("got %v %v, want %v %v", got, ok, tc.want, tc.ok)
			}
		})
	}
}

func TestTemplatesThatAreRefused(t *testing.T) {
	for name, s := range map[string]string{
		"a path":                 "reg.test/v2",
		"another scheme":         "ftp://reg.test",
		"an unknown placeholder": "{acount}.reg.test",
		"a space":                "reg .test",
		"a user":                 "user@reg.test",
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := edge.NewAddresses(s, ""); err == nil || !strings.HasPrefix(err.Error(), "registry-host: ") {
				t.Errorf("registry-host: %v", err)
			}
			if _, err := edge.NewAddresses("", s); err == nil || !strings.HasPrefix(err.Error(), "lightsail-registry-host: ") {
				t.Errorf("lightsail-registry-host: %v", err)
			}
		})
	}
}
