package config_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/lighterage/lighterage/internal/config"
	"github.com/lighterage/lighterage/internal/seal"
)

func TestMasterKeySources(t *testing.T) {
	const arn = "arn:aws:kms:eu-west-1:111122223333:key/11111111-2222-3333-4444-555555555555"
	key := seal.Generate()
	for _, c := range []struct {
		name, given string
		want        []config.KeySource
		fault       string
	}{
		{"a file", "file:/run/secrets//key", []config.KeySource{{Scheme: "file", Name: "/run/secrets/key"}}, ""},
		{"a variable", "env:MASTER_KEY", []config.KeySource{{Scheme: "env", Name: "MASTER_KEY"}}, ""},
		{"an alias in KMS", "awskms://alias/some/key?region=eu-west-1", []config.KeySource{{Scheme: "awskms", Name: "alias/some/key", Region: "eu-west-1"}}, ""},
		{"an ARN after three slashes", "awskms:///" + arn, []config.KeySource{{Scheme: "awskms", Name: arn}}, ""},
		{"an endpoint", "awskms://" + arn + "?endpoint=http://127.0.0.1:8080", []config.KeySource{{Scheme: "awskms", Name: arn, Endpoint: "http://127.0.0.1:8080"}}, ""},
		{"several", "env:NEW, file:old", []config.KeySource{{Scheme: "env", Name: "NEW"}, {Scheme: "file", Name: "old"}}, ""},
		{"the key itself", key, nil, "is not file:PATH, env:NAME or awskms://KEY; a key itself does not belong into the settings"},
		{"the key itself after another", "env:A," + key, nil, "key 2 of 2 is not file:PATH, env:NAME or awskms://KEY; a key itself does not belong into the settings"},
		{"the key itself as a file's scheme", "base64:" + key, nil, "is not file:PATH, env:NAME or awskms://KEY; a key itself does not belong into the settings"},
		{"no file", "file:", nil, "names no file behind its scheme"},
		{"the key itself as a variable", "env:" + key, nil, "names no environment variable behind its scheme"},
		{"a variable that looks like a setting", "env:LIGHTERAGE_KEY", nil, "names a variable that begins with LIGHTERAGE_, as settings do; choose another"},
		{"no KMS key", "awskms://", nil, "names no KMS key after awskms://: an ARN, an id or alias/NAME"},
		{"a parameter that is unknown", "awskms://alias/a?regoin=x", nil, "has a parameter that is neither region nor endpoint; did you mean region?"},
		{"an endpoint that is none", "awskms://alias/a?endpoint=localhost", nil, "has an endpoint that is no http or https URL"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := load(t, "", []string{"LIGHTERAGE_MASTER_KEY=" + c.given}, nil)
			if c.fault != "" {
				if want := "master-key (from LIGHTERAGE_MASTER_KEY): " + c.fault; err == nil || err.Error() != want {
					t.Errorf("got %v, want %s", err, want)
				}
				if err != nil && strings.Contains(err.Error(), key) {
					t.Error("the error has the key")
				}
				return
			}
			if err != nil || !slices.Equal(got.MasterKeys, c.want) {
				t.Errorf("got %v, %v; want %v", got.MasterKeys, err, c.want)
			}
		})
	}
}

func TestAuditAndTLSSettings(t *testing.T) {
	for _, c := range []struct {
		name  string
		args  []string
		check func(config.Config) bool
		fault string
	}{
		{"the trail is in the data directory", []string{"--data-dir=d"}, func(c config.Config) bool { return c.Audit == config.Place{Scheme: "file", Path: "d/audit"} }, ""},
		{"the trail is elsewhere", []string{"--audit=file:/var/a"}, func(c config.Config) bool { return c.Audit.Path == "/var/a" }, ""},
		{"no trail", []string{"--audit=off"}, func(c config.Config) bool { return c.Audit.Scheme == "off" }, ""},
		{"a trail nowhere", []string{"--audit=syslog"}, nil, `audit (from --audit): "syslog" is not file:[path], stdout or off`},
		{"sizes with units", []string{"--audit-max-bytes=10MiB", "--audit-file-bytes=1_000"}, func(c config.Config) bool { return c.AuditMaxBytes == 10<<20 && c.AuditFileBytes == 1000 }, ""},
		{"a size that is none", []string{"--audit-max-bytes=much"}, nil, `audit-max-bytes (from --audit-max-bytes): "much" is not a size above zero, such as 500000000 or 64MiB`},
		{"a size that is too large", []string{"--audit-max-bytes=99999999TiB"}, nil, `audit-max-bytes (from --audit-max-bytes): "99999999TiB" is not a size above zero, such as 500000000 or 64MiB`},
		{"no room for two files", []string{"--audit-max-bytes=64MiB"}, nil, "audit-max-bytes (from --audit-max-bytes): 67108864 bytes do not hold two files of 67108864 bytes, which audit-file-bytes allows"},
		{"self-signed", []string{"--tls=self-signed", "--tls-host=a.example,b.example"}, func(c config.Config) bool { return c.TLS == config.SelfSignedTLS && len(c.TLSHosts) == 2 }, ""},
		{"ACME", []string{"--tls=acme", "--acme-host=a.example"}, func(c config.Config) bool { return c.TLS == config.ACMETLS }, ""},
		{"ACME for nobody", []string{"--tls=acme"}, nil, "tls (from --tls): acme needs acme-host: the public names of the server"},
		{"names without ACME", []string{"--acme-host=a.example"}, nil, "acme-host (from --acme-host): needs tls to be acme"},
		{"names without a certificate of our own", []string{"--tls-host=a.example"}, nil, "tls-host (from --tls-host): needs tls to be self-signed"},
		{"files and a CA", []string{"--tls=self-signed", "--tls-cert=c"}, nil, "tls (from --tls): self-signed makes certificates; leave out tls-cert and tls-key"},
		{"a source that is none", []string{"--tls=selfsigned"}, nil, `tls (from --tls): "selfsigned" is neither self-signed nor acme (files are tls-cert and tls-key); did you mean self-signed?`},
		{"a CA over HTTP", []string{"--tls=acme", "--acme-host=a.example", "--acme-directory=http://ca"}, nil, `acme-directory (from --acme-directory): "http://ca" is no https URL`},
		{"a company's CA", []string{"--tls=acme", "--acme-host=a.example", "--acme-directory=https://ca.internal/acme/acme/directory", "--acme-ca=root.pem"}, func(c config.Config) bool { return c.ACMECA == "root.pem" }, ""},
		{"a CA's CA without ACME", []string{"--acme-ca=root.pem"}, nil, "acme-ca (from --acme-ca): needs tls to be acme"},
		{"no mail address", []string{"--tls=acme", "--acme-host=a.example", "--acme-email=me"}, nil, `acme-email (from --acme-email): "me" is no mail address`},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := load(t, "", nil, c.args)
			if c.fault != "" {
				if err == nil || err.Error() != c.fault {
					t.Errorf("got %v, want %s", err, c.fault)
				}
				return
			}
			if err != nil || !c.check(got) {
				t.Errorf("got %+v, %v", got, err)
			}
		})
	}
}
