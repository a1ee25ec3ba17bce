//go:build e2e

package e2e_test

import (
	"encoding/json"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// TestScripts runs the clients that need no engine.
func TestScripts(t *testing.T) {
	python := pythonWithBoto3(t)
	runScripts(t, "testdata/tools", nil, "PYTHON="+python)
}

// TestDocker runs what needs a docker engine.
func TestDocker(t *testing.T) {
	e := startEngine(t)
	t.Run("lightsailctl", func(t *testing.T) { testLightsailctl(t, e) })
	t.Run("scripts", func(t *testing.T) {
		runScripts(t, "testdata/docker", e, "DOCKER_HOST="+e.host())
	})
	t.Run("without a login", func(t *testing.T) {
		runScripts(t, "testdata/anonymous", e, "DOCKER_HOST="+e.host())
	})
}

// flags are what the servers of a folder are started with.
var flags = map[string][]string{"testdata/anonymous": {"--anonymous-pull"}}

// runScripts runs each script of the folder against a server of its own.
func runScripts(t *testing.T, dir string, e *engine, env ...string) {
	testscript.Run(t, testscript.Params{
		Dir: dir,
		Setup: func(se *testscript.Env) error {
			s := start(se.T().(testing.TB), launch{flags: flags[dir]})
			se.Vars = append(se.Vars, s.environment()...)
			se.Vars = append(se.Vars, env...)
			se.Vars = append(se.Vars, "LIGHTERAGE="+binary(se.T().(testing.TB)), "DATA_DIR="+s.dir)
			se.Vars = append(se.Vars,
				"HOME="+se.WorkDir, "DOCKER_CONFIG="+se.WorkDir+"/.docker", "REGISTRY_AUTH_FILE="+se.WorkDir+"/.auth.json")
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"json":    cmdJSON,
			"capture": cmdCapture,
			"equal":   cmdEqual,
			"layout":  cmdLayout,
			"image":   e.cmdImage,
		},
	})
}

// cmdJSON: json NAME PATH sets a variable to a member of the last output;
// members and indexes of the path are parted by dots.
func cmdJSON(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: json name path")
	}
	var v any
	ts.Check(json.Unmarshal([]byte(ts.ReadFile("stdout")), &v))
	for step := range strings.SplitSeq(args[1], ".") {
		switch node := v.(type) {
		case map[string]any:
			v = node[step]
		case []any:
			i, err := strconv.Atoi(step)
			if err != nil || i >= len(node) {
				ts.Fatalf("%s: no element %s in a list of %d", args[1], step, len(node))
			}
			v = node[i]
		default:
			v = nil
		}
	}
	switch v := v.(type) {
	case string:
		ts.Setenv(args[0], v)
	case nil:
		ts.Fatalf("%s is not in the output", args[1])
	default:
		b, err := json.Marshal(v)
		ts.Check(err)
		ts.Setenv(args[0], string(b))
	}
}

// cmdCapture: capture NAME REGEXP sets a variable to the first group's match in
// the last output.
func cmdCapture(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: capture name regexp")
	}
	re, err := regexp.Compile(args[1])
	ts.Check(err)
	m := re.FindStringSubmatch(ts.ReadFile("stdout"))
	if len(m) < 2 {
		ts.Fatalf("nothing in the output matches %s", args[1])
	}
	ts.Setenv(args[0], m[1])
}

// cmdEqual: equal A B.
func cmdEqual(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 2 {
		ts.Fatalf("usage: equal a b")
	}
	if (args[0] == args[1]) == neg {
		ts.Fatalf("%q and %q: equal is %v", args[0], args[1], args[0] == args[1])
	}
}

// cmdImage: image NAME TEXT imports an image into the engine.
func (e *engine) cmdImage(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: image name text")
	}
	ts.Check(e.importImage(args[0], args[1]))
}

// pythonWithBoto3 is the interpreter that has boto3: the first on the PATH, or
// the system's, for which Debian packages it.
func pythonWithBoto3(t *testing.T) string {
	t.Helper()
	var said []string
	for _, python := range []string{"python3", "/usr/bin/python3"} {
		out, err := exec.Command(python, "-c", "import boto3").CombinedOutput()
		if err == nil {
			return python
		}
		said = append(said, python+": "+string(out))
	}
	t.Fatalf("no python with boto3:\n%s", strings.Join(said, "\n"))
	return ""
}
