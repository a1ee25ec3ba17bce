package policy_test

import (
	"errors"
	"flag"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lighterage/lighterage/internal/name"
	"github.com/lighterage/lighterage/internal/policy"
)

var update = flag.Bool("update", false, "rewrite the answers in testdata")

const (
	account = "111122223333"
	other   = "444455556666"
)

// A file of testdata has sections: a line "== title", comments, which begin with
// "#", some input, and questions, lines that begin with "?". Below each question
// stands its answer,
// lines that begin with "=". The answer function gets the input once and then
// each question.
type answers func(t *testing.T, input string) func(question string) string

func TestParse(t *testing.T)      { runFiles(t, "parse*.txt", 250, parseCase) }
func TestConditions(t *testing.T) { runFiles(t, "condition*.txt", 690, conditionCase) }
func TestEvaluate(t *testing.T)   { runFiles(t, "evaluate*.txt", 1220, evaluateCase) }

// runFiles runs the files, which have at least so many questions.
func runFiles(t *testing.T, pattern string, atLeast int, a answers) {
	files, err := filepath.Glob("testdata/" + pattern)
	if err != nil || len(files) == 0 {
		t.Fatalf("no test data: %v", err)
	}
	questions := 0
	for _, file := range files {
		questions += runFile(t, file, a)
	}
	t.Logf("%d questions", questions)
	if questions < atLeast {
		t.Errorf("%d questions in %s: some were lost, there were at least %d", questions, pattern, atLeast)
	}
}

func runFile(t *testing.T, file string, a answers) int {
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	head, rest, _ := strings.Cut("\n"+string(text), "\n== ")
	rewritten := strings.TrimPrefix(head, "\n") + "\n"
	questions := 0
	for _, section := range strings.Split(rest, "\n== ") {
		title, body, _ := strings.Cut(section, "\n")
		var comment, input, want, got strings.Builder
		var ask func(string) string
		for _, line := range strings.Split(strings.TrimRight(body, "\n"), "\n") {
			switch {
			case strings.HasPrefix(line, "?"):
				questions++
				if ask == nil {
					ask = a(t, input.String())
				}
				question := strings.TrimSpace(line[1:])
				fmt.Fprintf(&got, "%s\n= %s\n", line, strings.ReplaceAll(ask(question), "\n", "\n= "))
				want.WriteString(line + "\n")
			case strings.HasPrefix(line, "="):
				want.WriteString(line + "\n")
			case strings.HasPrefix(line, "#") && input.Len() == 0:
				comment.WriteString(line + "\n")
			case ask != nil:
				t.Fatalf("%s: %q: input after a question: %s", file, title, line)
			default:
				input.WriteString(line + "\n")
			}
		}
		if ask == nil {
			t.Fatalf("%s: %q asks nothing", file, title)
		}
		rewritten += "== " + title + "\n" + comment.String() + input.String() + got.String() + "\n"
		if *update {
			continue
		}
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt")+"/"+title, func(t *testing.T) {
			if diff := cmp.Diff(want.String(), got.String()); diff != "" {
				t.Errorf("answers (-want +got):\n%s", diff)
			}
		})
	}
	if *update {
		if err := os.WriteFile(file, []byte(strings.TrimRight(rewritten, "\n")+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return questions
}

var kinds = map[string]policy.Kind{
	"identity": policy.Identity, "managed": policy.Managed, "repository": policy.Repository,
	"registry": policy.Registry, "trust": policy.Trust,
}

// parseCase: the input is a document, a question the kind to parse it as. It
// begins with "where" to ask what stands at the place of the fault, and for our
// words.
func parseCase(t *testing.T, input string) func(string) string {
	input = strings.TrimSuffix(input, "\n")
	return func(question string) string {
		question, where := strings.CutPrefix(question, "where ")
		kind, ok := kinds[question]
		if !ok {
			t.Fatalf("no kind %q", question)
		}
		d, err := policy.Parse(kind, input)
		if wrong, ok := errors.AsType[*policy.Error](err); ok && where {
			return fmt.Sprintf("at %.20q: %s", input[wrong.At:], strings.TrimSpace(wrong.Sentence+" "+wrong.Detail))
		}
		if err != nil {
			return err.Error()
		}
		s := fmt.Sprintf("statements: %d", d.Statements())
		if d.ID() != "" {
			s += ", id: " + d.ID()
		}
		if keys := d.ContextKeys(); len(keys) > 0 {
			s += ", keys: " + strings.Join(keys, " ")
		}
		return s
	}
}

// conditionCase: the input is a Condition, below a line "version: x" if it is
// of the old version. A question is the values of the request's keys, the
// answer whether the condition holds in an Allow statement, and in a Deny one
// if that differs.
func conditionCase(t *testing.T, input string) func(string) string {
	version := "2012-10-17"
	if rest, ok := strings.CutPrefix(input, "version: "); ok {
		version, input, _ = strings.Cut(rest, "\n")
	}
	var sentence string
	document := func(effect string) policy.Named {
		d, err := policy.Parse(policy.Identity, `{"Version": "`+version+`", "Statement": {"Effect": "`+effect+
			`", "Action": "*", "Resource": "*", "Condition": `+input+`}}`)
		if err != nil {
			sentence = err.Error()
		}
		return policy.Named{Name: effect, Document: d}
	}
	allow, deny := document("Allow"), document("Deny")
	yes := map[bool]string{true: "holds", false: "does not hold"}
	return func(question string) string {
		if sentence != "" {
			return sentence
		}
		r := policy.Request{
			Principal: policy.Principal{Kind: policy.User, ARN: "arn:aws:iam::" + account + ":user/alice", Account: account},
			Action:    "ecr:PutImage", Resource: "*", Account: account, Keys: keys(t, strings.Fields(question)),
		}
		a := policy.Evaluate(r, policy.Policies{Identity: []policy.Named{allow}})
		d := policy.Evaluate(r, policy.Policies{Identity: []policy.Named{deny}})
		if !a.Depends || !d.Depends {
			t.Errorf("%s: a decision that looked at a condition does not say so", input)
		}
		answer := yes[a.Allowed]
		if a.Allowed != d.Explicit {
			answer += "; to deny, " + yes[d.Explicit]
		}
		return answer
	}
}

// keys reads "key=value": values are separated by |, spaces are %20.
func keys(t *testing.T, fields []string) func(string) []string {
	values := map[string][]string{}
	for _, f := range fields {
		key, all, ok := strings.Cut(f, "=")
		if !ok {
			t.Fatalf("no key=value: %q", f)
		}
		for _, v := range strings.Split(all, "|") {
			v, err := url.PathUnescape(v)
			if err != nil {
				t.Fatal(err)
			}
			values[strings.ToLower(key)] = append(values[strings.ToLower(key)], v)
		}
	}
	return func(key string) []string { return values[key] }
}

// evaluateCase: the input is documents, each below or after a line that begins
// with its role and a colon; "none" is a Named without a document. A question is
// who, the action, the resource, and keys. It begins with "explain" to ask for
// the trace.
func evaluateCase(t *testing.T, input string) func(string) string {
	var p policy.Policies
	roles := map[string]struct {
		kind policy.Kind
		to   *[]policy.Named
	}{
		"identity": {policy.Identity, &p.Identity}, "boundary": {policy.Managed, &p.Boundary},
		"session": {policy.Identity, &p.Session}, "repository": {policy.Repository, &p.Resource},
		"registry": {policy.Registry, &p.Registry}, "trust": {policy.Trust, &p.Trust},
	}
	var role, text string
	flush := func() {
		if role == "" {
			return
		}
		r := roles[role]
		n := policy.Named{Name: fmt.Sprintf("%s %d", role, len(*r.to)+1)}
		if strings.TrimSpace(text) != "none" {
			d, err := policy.Parse(r.kind, text)
			if err != nil {
				t.Fatalf("%s: %v: %s", role, err, text)
			}
			n.Document = d
		}
		*r.to = append(*r.to, n)
	}
	for _, line := range strings.Split(input, "\n") {
		if first, rest, ok := strings.Cut(line, ":"); ok && roles[first].to != nil {
			flush()
			role, text = first, ""
			line = rest
		}
		text += line + "\n"
	}
	flush()
	return func(question string) string { return evaluate(t, p, question) }
}

func evaluate(t *testing.T, p policy.Policies, question string) string {
	question, explained := strings.CutPrefix(question, "explain ")
	f := strings.Fields(question)
	if len(f) < 3 {
		t.Fatalf("who, action and resource: %q", question)
	}
	r := policy.Request{Principal: principal(t, f[0]), Action: f[1], Resource: f[2], Account: account, Keys: keys(t, f[3:])}
	if !strings.HasPrefix(f[2], "arn:") && f[2] != "*" {
		r.Resource = "arn:aws:ecr:eu-west-1:" + account + ":repository/" + f[2]
	}
	d := policy.Evaluate(r, p)
	answer := describe(d, r.Action)
	if !explained {
		return answer
	}
	same, lines := policy.Explain(r, p)
	if same != d {
		t.Errorf("%s: Explain decides %+v, Evaluate %+v", question, same, d)
	}
	for _, l := range lines {
		at := strings.TrimSpace(fmt.Sprintf("%s #%d %s", l.Policy, l.Statement, l.Sid))
		answer += fmt.Sprintf("\n  %s, %s: %s", l.Layer, at, l.Why)
		if len(l.Missing) > 0 {
			answer += " (without " + strings.Join(l.Missing, " ") + ")"
		}
	}
	return answer
}

func describe(d policy.Decision, action string) string {
	answer := "denied " + d.Because(action)
	if d.Allowed {
		answer = "allowed by " + d.Layer.String()
	}
	switch {
	case d.Statement >= 0:
		answer += fmt.Sprintf(": %s #%d %s", d.Policy, d.Statement, d.Sid)
	case d.Allowed:
		answer += ": as root"
	}
	answer = strings.TrimSpace(answer)
	if d.Depends {
		answer += " (depends)"
	}
	return answer
}

// principal reads root, user:path/name, session:role/name, anonymous,
// web:provider or service:name. With @other it is of the other account.
func principal(t *testing.T, s string) policy.Principal {
	s, foreign := strings.CutSuffix(s, "@other")
	id := account
	if foreign {
		id = other
	}
	kind, rest, _ := strings.Cut(s, ":")
	iam := "arn:aws:iam::" + id + ":"
	switch kind {
	case "root":
		return policy.Principal{Kind: policy.Root, ARN: iam + "root", Account: name.AccountID(id)}
	case "user":
		return policy.Principal{Kind: policy.User, ARN: iam + "user/" + rest, Account: name.AccountID(id)}
	case "session":
		role, _, _ := strings.Cut(rest, "/")
		return policy.Principal{
			Kind: policy.RoleSession, ARN: "arn:aws:sts::" + id + ":assumed-role/" + rest,
			Role: iam + "role/" + role, Account: name.AccountID(id),
		}
	case "anonymous":
		return policy.Principal{}
	case "web":
		return policy.Principal{Kind: policy.WebIdentity, ARN: iam + "oidc-provider/" + rest}
	case "service":
		return policy.Principal{Kind: policy.Service, ARN: rest}
	}
	t.Fatalf("no principal %q", s)
	return policy.Principal{}
}
