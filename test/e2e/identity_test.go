//go:build e2e

package e2e_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// refusedMark ends a line of the README that must fail.
const refusedMark = "# refused"

// TestTheReadmesIdentities runs the commands of a section of the README as they
// stand there; only the address is the test's, and hello:stable, which an
// earlier section makes, is pushed before.
func TestTheReadmesIdentities(t *testing.T) {
	e := startEngine(t)
	work := t.TempDir()
	s := start(t, launch{dir: filepath.Join(work, "lighterage-data"), ownKeys: true})
	if err := os.Mkdir(filepath.Join(work, "bin"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(binary(t), filepath.Join(work, "bin", "lighterage")); err != nil {
		t.Fatal(err)
	}
	if err := e.importImage(s.addr+"/hello:stable", "hello"); err != nil {
		t.Fatal(err)
	}
	const before = `eval "$(bin/lighterage env)"
aws ecr create-repository --repository-name hello
aws ecr get-login-password | docker login --username AWS --password-stdin localhost:5000
docker push localhost:5000/hello:stable
`
	commands := "set -euo pipefail\n" + before + script(t, "## Identities and policies")
	cmd := exec.Command("bash", "-c", strings.ReplaceAll(commands, "localhost:5000", s.addr))
	cmd.Dir = work
	cmd.Env = append(os.Environ(), "HOME="+work, "DOCKER_HOST="+e.host(), "DOCKER_CONFIG="+work+"/.docker", "AWS_PAGER=")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v:\n%s\n%s", err, commands, out)
	}
	for _, want := range []string{
		"Login Succeeded",
		"denied: User: arn:aws:iam::000000000000:user/ci is not authorized to perform: ecr:PutImage on resource: arn:aws:ecr:us-east-1:000000000000:repository/hello because no identity-based policy allows the ecr:PutImage",
		"DENIED  User: arn:aws:iam::000000000000:user/ci",
		"unauthorized: authentication required",
		"Another team",
	} {
		if !strings.Contains(string(out), want) {
			t.Errorf("%q was not said", want)
		}
	}
	if t.Failed() {
		t.Logf("%s", out)
	}
}

// script is the commands of the README's section: its indented lines, of which
// those that end with refusedMark fail.
func script(t *testing.T, section string) string {
	t.Helper()
	text, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, found := strings.Cut(string(text), "\n"+section+"\n")
	if !found {
		t.Fatalf("the README has no section %q", section)
	}
	rest, _, _ = strings.Cut(rest, "\n## ")
	var b strings.Builder
	refused := 0
	for line := range strings.Lines(rest) {
		line, ok := strings.CutPrefix(line, "    ")
		if !ok {
			continue
		}
		if command, must := strings.CutSuffix(strings.TrimRight(line, "\n"), refusedMark); must {
			refused++
			line = "if " + strings.TrimSpace(command) + "; then echo it was not refused; exit 1; fi\n"
		}
		b.WriteString(line)
	}
	if refused == 0 {
		t.Fatalf("nothing is refused in the README's section %q", section)
	}
	return b.String()
}
