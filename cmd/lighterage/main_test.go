package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lighterage/lighterage/internal/config"
	"github.com/lighterage/lighterage/internal/name"
	"github.com/lighterage/lighterage/internal/server"
)

func TestExitCodes(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, []byte("regoin: x\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		name string
		args []string
		code int
		want string // on stderr, or on stdout when the code is 0
	}{
		{"no command shows help", nil, 0, "Available Commands"},
		{"the version", []string{"version"}, 0, "lighterage "},
		{"help lists the exit codes", []string{"help", "serve"}, 0, "Exit codes:"},
		{"help lists the quotas", []string{"serve", "--help"}, 0, "images-per-service=150"},
		{"help lists the rates", []string{"serve", "--help"}, 0, "InitiateLayerUpload=100"},
		{"an unknown command", []string{"sevre"}, 2, `"sevre" is nothing that lighterage knows; did you mean serve?`},
		{"a command like no other", []string{"frobnicate"}, 2, `"frobnicate" is nothing that lighterage knows; see lighterage --help`},
		{"an unknown flag", []string{"serve", "--lisen=x"}, 2, "there is no flag --lisen; did you mean --listen?"},
		{"a flag like no other", []string{"serve", "--frobnicate"}, 2, "there is no flag --frobnicate\n"},
		{"a flag that is neither true nor false", []string{"serve", "--ecr-strict=perhaps"}, 2, `lighterage: ecr-strict (from --ecr-strict): "perhaps" is neither true nor false`},
		{"a flag that is no number", []string{"audit", "--limit", "x"}, 2, `lighterage: limit (from --limit): "x" is not a whole number`},
		{"a flag without its value", []string{"serve", "--region"}, 2, "--region needs a value"},
		{"an unknown letter", []string{"serve", "-x"}, 2, "-x"},
		{"an argument too many", []string{"serve", "now"}, 2, "now"},
		{"a bad value", []string{"serve", "--region=us-est-1"}, 2, `region (from --region): "us-est-1" is not an AWS region; did you mean us-east-1?`},
		{"a bad host", []string{"serve", "--listen=127.0.0.1:0", "--data-dir=" + t.TempDir(), "--registry-host=ftp://x"}, 2, "registry-host (from --registry-host): the scheme of"},
		{"a bad file", []string{"serve", "--config=" + file}, 2, "regoin (from " + file + "): is not a setting (line 1); did you mean region?"},
		{"a directory that is a file", []string{"serve", "--listen=127.0.0.1:0", "--data-dir=" + file}, 3, file},
		{"no server for env", []string{"env", "--data-dir=" + t.TempDir()}, 3, "no server has run"},
		{"an address that is none", []string{"serve", "--listen=256.0.0.1:1", "--data-dir=" + t.TempDir()}, 1, "cannot listen"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var stdout, stderr bytes.Buffer
			if code := run(append([]string{"lighterage"}, tc.args...), &stdout, &stderr); code != tc.code {
				t.Errorf("exit code %d, want %d", code, tc.code)
			}
			said := stdout.String()
			if tc.code != 0 {
				said = stderr.String()
				if strings.Count(said, "\n") != 1 {
					t.Errorf("not one line: %q", said)
				}
			}
			if !strings.Contains(said, tc.want) {
				t.Errorf("%q does not contain %q", said, tc.want)
			}
		})
	}
}

// TestEnvIsForEval gives what env prints to a shell.
func TestEnvIsForEval(t *testing.T) {
	dir := t.TempDir()
	secret := `it's "$(a) \secret`
	environ := []string{"LIGHTERAGE_ROOT_ACCESS_KEY_ID=AKIAIOSFODNN7EXAMPLE", "LIGHTERAGE_ROOT_SECRET_ACCESS_KEY=" + secret}
	if _, err := config.RootCredentials(dir, environ); err != nil {
		t.Fatal(err)
	}
	if err := config.WriteRunning(dir, config.Running{URL: "http://localhost:5000", Region: "eu-west-1"}); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		name, flag, region string
	}{
		{"the region is the server's", "--data-dir=" + dir, "eu-west-1"},
		{"unless another is asked for", "--region=us-west-2", "us-west-2"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var stdout, stderr bytes.Buffer
			if code := run([]string{"lighterage", "env", "--data-dir=" + dir, tc.flag}, &stdout, &stderr); code != 0 {
				t.Fatal(stderr.String())
			}
			script := stdout.String() + `printf '%s\n' "$AWS_ENDPOINT_URL_ECR" "$AWS_ENDPOINT_URL_LIGHTSAIL" "$AWS_ENDPOINT_URL_STS" \
				"$AWS_ENDPOINT_URL_IAM" "$AWS_REGION" "$AWS_DEFAULT_REGION" "$AWS_ACCESS_KEY_ID" "$AWS_SECRET_ACCESS_KEY" "[$AWS_SESSION_TOKEN]" "[$AWS_ENDPOINT_URL]"`
			cmd := exec.Command("sh", "-c", script)
			cmd.Env = []string{"AWS_SESSION_TOKEN=left over"}
			out, err := cmd.CombinedOutput()
			if err != nil {
				t.Fatalf("%v: %s", err, out)
			}
			url := "http://localhost:5000"
			want := strings.Join([]string{url, url, url, url, tc.region, tc.region, "AKIAIOSFODNN7EXAMPLE", secret, "[]", "[]"}, "\n") + "\n"
			if string(out) != want {
				t.Errorf("the shell has %q, want %q", out, want)
			}
		})
	}
}

func TestStartPage(t *testing.T) {
	var page bytes.Buffer
	started := server.Started{Running: config.Running{URL: "http://localhost:5000", Region: "us-east-1"}}
	c := config.Config{DataDir: "/srv/my data", Account: "000000000000"}
	startPage(&page, "bin/lighterage", c, started)
	for _, want := range []string{
		"Lighterage serves on http://localhost:5000",
		`eval "$(bin/lighterage env --data-dir '/srv/my data')"`,
		"docker login -u AWS --password-stdin localhost:5000",
		"aws ecr create-repository",
		"docker pull alpine && docker tag alpine localhost:5000/hello:1 && docker push localhost:5000/hello:1\n",
	} {
		if !strings.Contains(page.String(), want) {
			t.Errorf("%q is not on the page:\n%s", want, page.String())
		}
	}
	if strings.Contains(page.String(), "WARNING") {
		t.Errorf("it warns of nothing:\n%s", page.String())
	}
	page.Reset()
	started.Strangers = []name.AccountID{"111122223333", "444455556666"}
	startPage(&page, "bin/lighterage", c, started)
	if want := "nothing in it belongs to account 000000000000, but it has content of\n  111122223333, 444455556666."; !strings.Contains(page.String(), want) {
		t.Errorf("it does not warn:\n%s", page.String())
	}
}
