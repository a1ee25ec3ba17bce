package config_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/pflag"

	"github.com/lighterage/lighterage/internal/config"
)

// load reads settings from a file's text, an environment and flags.
func load(t *testing.T, file string, environ, args []string) (config.Config, error) {
	t.Helper()
	flags := pflag.NewFlagSet("serve", pflag.ContinueOnError)
	config.AddFlags(flags)
	if file != "" {
		path := filepath.Join(t.TempDir(), "lighterage.yaml")
		if err := os.WriteFile(path, []byte(file), 0o600); err != nil {
			t.Fatal(err)
		}
		args = append([]string{"--config", path}, args...)
	}
	if err := flags.Parse(args); err != nil {
		t.Fatal(err)
	}
	return config.Load(flags, environ)
}

func TestPrecedence(t *testing.T) {
	const file, variable, flag = "region: eu-west-1\n", "LIGHTERAGE_REGION=eu-west-2", "--region=eu-west-3"
	for _, tc := range []struct {
		name, file string
		environ    []string
		args       []string
		want       string
	}{
		{"nothing given means the default", "", nil, nil, "us-east-1"},
		{"the file beats the default", file, nil, nil, "eu-west-1"},
		{"a variable beats the file", file, []string{variable}, nil, "eu-west-2"},
		{"a flag beats a variable and the file", file, []string{variable}, []string{flag}, "eu-west-3"},
		{"an empty variable is none", file, []string{"LIGHTERAGE_REGION="}, nil, "eu-west-1"},
		{"a flag with the default's value still beats the file", file, nil, []string{"--region=us-east-1"}, "us-east-1"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c, err := load(t, tc.file, tc.environ, tc.args)
			if err != nil {
				t.Fatal(err)
			}
			if string(c.Region) != tc.want {
				t.Errorf("region %q, want %q", c.Region, tc.want)
			}
		})
	}
}

func TestDefaults(t *testing.T) {
	c, err := load(t, "", nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	got := c.Redacted()
	regions := strings.Split(got["regions"], ",")
	if len(regions) < 40 || !slices.IsSorted(regions[:34]) || !slices.Contains(regions, "cn-north-1") || !slices.Contains(regions, "us-gov-west-1") {
		t.Errorf("regions %v", regions)
	}
	delete(got, "regions")
	want := map[string]string{
		"listen": "127.0.0.1:5000", "data-dir": "lighterage-data", "database": "sqlite:lighterage-data/lighterage.db",
		"storage": "file:lighterage-data/blobs", "account-id": "000000000000", "region": "us-east-1",
		"registry-host": "", "lightsail-registry-host": "", "trusted-proxies": "", "tls-cert": "", "tls-key": "",
		"ecr-strict": "false", "anonymous-pull": "false", "log-level": "INFO", "master-key": "",
		"token-ttl": "12h0m0s", "tokens-end-with-sessions": "false", "oidc-ca": "", "oidc-private-hosts": "",
		"tls": "", "tls-host": "", "acme-host": "", "acme-email": "", "acme-directory": "", "acme-ca": "",
		"audit": "file:lighterage-data/audit", "audit-max-bytes": "1073741824", "audit-file-bytes": "67108864", "kms-keys": "0", "layer-grace": "1h0m0s", "upload-ttl": "24h0m0s",
		"lightsail-push-ttl": "24h0m0s", "allow-unsafe-postgres": "false", "shutdown-timeout": "30s",
		"quotas": "repositories-per-registry=100000,images-per-repository=0,tags-per-image=0,layer-parts=4200," +
			"layer-part-min-bytes=5242880,layer-part-max-bytes=20971520,layer-bytes=54525952000,manifest-bytes=4194304," +
			"layers-per-image=0,resource-tags=50,container-services=100,service-nodes=20,images-per-service=150",
		"rates": "BatchCheckLayerAvailability=0,BatchGetImage=0,CompleteLayerUpload=0,GetAuthorizationToken=0," +
			"GetDownloadUrlForLayer=0,InitiateLayerUpload=0,PutImage=0,UploadLayerPart=0",
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

func TestValues(t *testing.T) {
	for _, tc := range []struct {
		name, file string
		environ    []string
		args       []string
		key, want  string
	}{
		{"an account id of digits keeps its zeros in a file", "account-id: 012345670123\n", nil, nil, "account-id", "012345670123"},
		{"a bool of a file", "ecr-strict: true\n", nil, nil, "ecr-strict", "true"},
		{"a bool flag without a value", "", nil, []string{"--ecr-strict"}, "ecr-strict", "true"},
		{"a bool flag can undo a variable", "", []string{"LIGHTERAGE_ECR_STRICT=1"}, []string{"--ecr-strict=false"}, "ecr-strict", "false"},
		{"a list in a file", "regions: [us-east-1, eu-west-1]\n", nil, nil, "regions", "us-east-1,eu-west-1"},
		{"a list as text", "", []string{"LIGHTERAGE_REGIONS=us-east-1, eu-west-1,us-east-1"}, nil, "regions", "us-east-1,eu-west-1"},
		{"proxies are addresses and networks", "", nil, []string{"--trusted-proxies=10.1.2.3/8,::1"}, "trusted-proxies", "10.0.0.0/8,::1/128"},
		{"keys in a file", "kms-keys:\n  alias/app: enabled\n  arn:aws:kms:us-east-1:111122223333:key/1234: disabled\n", nil, nil, "kms-keys", "2"},
		{"keys as text", "", nil, []string{"--kms-keys=alias/app=enabled,alias/old=pending-deletion"}, "kms-keys", "2"},
		{"a database with a path", "", nil, []string{"--database=sqlite:/srv/meta.db"}, "database", "sqlite:/srv/meta.db"},
		{"a database's password is hidden", "", nil, []string{"--database=postgres://u:secret@db/x?sslpassword=secret"}, "database", "postgres://u:xxxxx@db/x?sslpassword=xxxxx"},
		{"stores follow the data directory", "", nil, []string{"--data-dir=/srv/x/"}, "storage", "file:/srv/x/blobs"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c, err := load(t, tc.file, tc.environ, tc.args)
			if err != nil {
				t.Fatal(err)
			}
			if got := c.Redacted()[tc.key]; got != tc.want {
				t.Errorf("%s is %q, want %q", tc.key, got, tc.want)
			}
		})
	}
}

func TestQuotas(t *testing.T) {
	c, err := load(t, "ecr-strict: true\nquotas: {tags-per-image: 5, images-per-repository: 0}\n", nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	q := c.Quotas
	got := []int64{q.TagsPerImage, q.ImagesPerRepository, q.LayerPartMaxBytes, q.ImagesPerService}
	if want := []int64{5, 0, 10 << 20, 150}; !slices.Equal(got, want) {
		t.Errorf("quotas %v, want %v: what is named, else the strict table", got, want)
	}
}

// TestStrictIsECRsTable: the ECR user guide, service quotas.
func TestStrictIsECRsTable(t *testing.T) {
	c, err := load(t, "", nil, []string{"--ecr-strict"})
	if err != nil {
		t.Fatal(err)
	}
	for key, want := range map[string]string{
		"quotas": "repositories-per-registry=100000,images-per-repository=100000,tags-per-image=1000,layer-parts=4200," +
			"layer-part-min-bytes=5242880,layer-part-max-bytes=10485760,layer-bytes=54525952000,manifest-bytes=4194304," +
			"layers-per-image=500,resource-tags=50,container-services=100,service-nodes=20,images-per-service=150",
		"rates": "BatchCheckLayerAvailability=1000,BatchGetImage=2000,CompleteLayerUpload=100,GetAuthorizationToken=500," +
			"GetDownloadUrlForLayer=3000,InitiateLayerUpload=100,PutImage=10,UploadLayerPart=500",
	} {
		if got := c.Redacted()[key]; got != want {
			t.Errorf("%s %s\nwant %s", key, got, want)
		}
	}
}

func TestRates(t *testing.T) {
	for _, tc := range []struct {
		name string
		file string
		want config.Rates
	}{
		{"none without the flag", "ecr-strict: false\n", config.Rates{}},
		{"only those that are named without the flag", "rates: {PutImage: 5}\n", config.Rates{"PutImage": 5}},
		{"zero is none", "rates: {PutImage: 0}\n", config.Rates{}},
		{"what is named, else ECR's", "ecr-strict: true\nrates: {PutImage: 25, BatchGetImage: 0}\n", config.Rates{
			"BatchCheckLayerAvailability": 1000, "CompleteLayerUpload": 100, "GetAuthorizationToken": 500,
			"GetDownloadUrlForLayer": 3000, "InitiateLayerUpload": 100, "PutImage": 25, "UploadLayerPart": 500,
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c, err := load(t, tc.file, nil, nil)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(tc.want, c.Rates); d != "" {
				t.Error(d)
			}
		})
	}
}

// TestBadValues gives each key a bad value through each source.
func TestBadValues(t *testing.T) {
	for _, tc := range []struct{ key, value string }{
		{"listen", "5000"},
		{"listen", "localhost:http-ish"},
		{"listen", "localhost:70000"},
		{"data-dir", " "},
		{"database", "mysql://x"},
		{"database", "./x.db"},
		{"storage", "s3://bucket"},
		{"account-id", "12345"},
		{"account-id", "00000000000x"},
		{"region", "us-est-1"},
		{"region", "US-EAST-1"},
		{"regions", "us-east-1,eu-wets-1"},
		{"regions", ","},
		{"region", "all"},
		{"trusted-proxies", "10.0.0.0/33"},
		{"trusted-proxies", "localhost"},
		{"tls-cert", "only-one-of-two.pem"},
		{"tls-key", "only-one-of-two.pem"},
		{"token-ttl", "30s"},
		{"token-ttl", "13h"},
		{"ecr-strict", "perhaps"},
		{"log-level", "loud"},
		{"kms-keys", "alias/app"},
		{"kms-keys", "alias/app=on"},
		{"kms-keys", "my key=enabled"},
		{"kms-keys", "alias/a=enabled,alias/a=disabled"},
		{"quotas", "tags-per-images=4"},
		{"quotas", "tags-per-image=-1"},
		{"quotas", "tags-per-image=many"},
		{"quotas", "manifest-bytes=0"},
		{"quotas", "manifest-bytes=4194305"},
		{"quotas", "layer-part-min-bytes=30000000"},
		{"rates", "PutImages=4"},
		{"rates", "DescribeRepositories=4"},
		{"rates", "PutImage=-1"},
		{"rates", "PutImage=1000000001"},
		{"rates", "PutImage"},
		{"layer-grace", "1"},
		{"layer-grace", "-1h"},
		{"upload-ttl", "1day"},
		{"lightsail-push-ttl", "0s"},
		{"shutdown-timeout", "soon"},
	} {
		variable := "LIGHTERAGE_" + strings.ToUpper(strings.ReplaceAll(tc.key, "-", "_"))
		t.Run(tc.key+" "+tc.value, func(t *testing.T) {
			_, err := load(t, "", []string{variable + "=" + tc.value}, nil)
			checkError(t, err, tc.key, variable)
			_, err = load(t, fmt.Sprintf("%s: %q\n", tc.key, tc.value), nil, nil)
			checkError(t, err, tc.key, "lighterage.yaml")
			if tc.key != "ecr-strict" { // its flag is checked by the parser
				_, err = load(t, "", nil, []string{"--" + tc.key + "=" + tc.value})
				checkError(t, err, tc.key, "--"+tc.key)
			}
		})
	}
}

func checkError(t *testing.T, err error, key, source string) {
	t.Helper()
	e, ok := errors.AsType[*config.Error](err)
	if !ok {
		t.Fatalf("%v is no config.Error", err)
	}
	if e.Key != key || !strings.HasSuffix(e.Source, source) {
		t.Errorf("key %q from %q, want %q from %q", e.Key, e.Source, key, source)
	}
	if !strings.HasPrefix(err.Error(), key) || strings.Contains(err.Error(), "\n") {
		t.Errorf("not one line that begins with the key: %q", err)
	}
}

func TestUnknownKeys(t *testing.T) {
	for _, tc := range []struct {
		name, file string
		environ    []string
		key        string // empty: no error
		meant      string // empty: nothing is like it
	}{
		{"a misspelt key of the file", "regoin: us-east-1\n", nil, "regoin", "region"},
		{"a key with underscores", "data_dir: x\n", nil, "data_dir", "data-dir"},
		{"a key like no other", "frobnicate: x\n", nil, "frobnicate", ""},
		{"config is not a key of the file", "config: other.yaml\n", nil, "config", ""},
		{"a misspelt variable", "", []string{"LIGHTERAGE_REGOIN=us-east-1"}, "LIGHTERAGE_REGOIN", "LIGHTERAGE_REGION"},
		{"a misspelt variable without a value", "", []string{"LIGHTERAGE_REGOIN="}, "LIGHTERAGE_REGOIN", "LIGHTERAGE_REGION"},
		{"a variable in lower case", "", []string{"LIGHTERAGE_region=us-east-1"}, "LIGHTERAGE_region", "LIGHTERAGE_REGION"},
		{"an unknown root variable", "", []string{"LIGHTERAGE_ROOT_KEY=x"}, "LIGHTERAGE_ROOT_KEY", ""},
		{"the root key's variables", "", []string{"LIGHTERAGE_ROOT_ACCESS_KEY_ID=x", "LIGHTERAGE_ROOT_SECRET_ACCESS_KEY=y"}, "", ""},
		{"variables of others", "", []string{"REGOIN=x", "LIGHTERAGES=1"}, "", ""},
		{"what Kubernetes sets beside a service of the name", "", []string{"LIGHTERAGE_PORT=tcp://10.0.0.1:80",
			"LIGHTERAGE_PORT_80_TCP_ADDR=10.0.0.1", "LIGHTERAGE_SERVICE_HOST=10.0.0.1"}, "", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := load(t, tc.file, tc.environ, nil)
			if tc.key == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			if e, ok := errors.AsType[*config.Error](err); !ok || e.Key != tc.key {
				t.Errorf("%v does not name %s", err, tc.key)
			}
			_, meant, _ := strings.Cut(err.Error(), "did you mean ")
			if meant != tc.meant && meant != tc.meant+"?" {
				t.Errorf("%q, want %q meant", err, tc.meant)
			}
		})
	}
}

// path is the file's that load makes.
var path = regexp.MustCompile(`[^ ]*lighterage\.yaml`)

func TestFilesThatCannotBeRead(t *testing.T) {
	for _, tc := range []struct {
		name, file string
		want       string // FILE stands for the path
	}{
		{"not YAML", "region: [\n", "config (from --config): FILE, line 1: this is not YAML; a setting is a line such as region: us-east-1"},
		{"a tab", "listen: :1\n\tregion: x\n", "config (from --config): FILE, line 2: this is not YAML; a setting is a line such as region: us-east-1"},
		{"a list", "- region\n", "config (from --config): FILE, line 1: settings are lines such as region: us-east-1, not a list or a single value"},
		{"a word", "region\n", "config (from --config): FILE, line 1: settings are lines such as region: us-east-1, not a list or a single value"},
		{"a key twice", "region: us-east-1\nregion: eu-west-1\n", "region (from FILE): is given a second time on line 2"},
		{"a key of nothing", "region:\n", "region (from FILE): has no value; give it one or remove the line (line 1)"},
		{"a nested list", "regions: [[us-east-1]]\n", "regions (from FILE): is a list of which an item is not a single value (line 1)"},
		{"a nested map", "quotas: {layer-parts: {a: b}}\n", `quotas (from FILE): must have a single value for "layer-parts" (line 1)`},
		{"a name twice", "quotas: {layer-parts: 1, layer-parts: 2}\n", `quotas (from FILE): has "layer-parts" twice (line 1)`},
		{"a map for a text", "region: {a: b}\n", "region (from FILE): must be a single value"},
		{"a list for a text", "region: [us-east-1]\n", "region (from FILE): must be a single value"},
		{"a map for a list", "regions: {a: b}\n", "regions (from FILE): must be a list"},
		{"a list for a map", "quotas: [tags-per-image]\n", `quotas (from FILE): "tags-per-image" is not of the form name=value`},
		{"a misspelt quota", "quotas: {tags-per-imge: 4}\n", `quotas (from FILE): there is no quota "tags-per-imge"; did you mean tags-per-image?`},
		{"a misspelt rate", "rates: {PutImages: 4}\n", `rates (from FILE): there is no rate of "PutImages"; did you mean PutImage?`},
		{"a number that is none", "quotas: {tags-per-image: four}\n", `quotas (from FILE): tags-per-image: "four" is not a whole number of at least 0`},
		{"a misspelt region", "regions: [us-east1]\n", `regions (from FILE): "us-east1" is not an AWS region; did you mean us-east-1?`},
		{"a certificate that is not there", "tls-cert: /nonexistent\ntls-key: /nonexistent\n", "tls-cert (from FILE): cannot read /nonexistent: no such file or directory"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := load(t, tc.file, nil, nil)
			if err == nil {
				t.Fatal("it is accepted")
			}
			if got := path.ReplaceAllString(err.Error(), "FILE"); got != tc.want {
				t.Errorf("%q, want %q", got, tc.want)
			}
		})
	}
	t.Run("an empty file is fine", func(t *testing.T) {
		if _, err := load(t, "# nothing\n", nil, nil); err != nil {
			t.Error(err)
		}
	})
	t.Run("an absent file named by the variable", func(t *testing.T) {
		_, err := load(t, "", []string{"LIGHTERAGE_CONFIG=/nonexistent.yaml"}, nil)
		checkError(t, err, "config", "LIGHTERAGE_CONFIG")
	})
}

func TestSecretNeverFormats(t *testing.T) {
	c := config.Credentials{AccessKeyID: "AKIAEXAMPLE000000000", SecretAccessKey: "canary-of-a-secret"}
	p := config.Place{Scheme: "postgres", URL: "postgres://u:canary@h/d"}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		if s := fmt.Sprintf(verb+verb, c, p); strings.Contains(s, "canary") || strings.Contains(s, fmt.Sprintf("%x", "canary")) {
			t.Errorf("%s shows %s", verb, s)
		}
	}
	if c.SecretAccessKey.Reveal() != "canary-of-a-secret" {
		t.Error("Reveal does not give the text")
	}
}
