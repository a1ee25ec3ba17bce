package policy_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/lighterage/lighterage/internal/policy"
)

// addDocuments seeds with the documents of testdata.
func addDocuments(f *testing.F, add func(text string)) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		f.Fatalf("no test data: %v", err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		for _, line := range strings.Split(string(text), "\n") {
			if at := strings.Index(line, "{"); at >= 0 && strings.Contains(line, `"Statement"`) {
				add(line[at:])
			}
		}
	}
}

// FuzzParse: a document that is accepted is JSON with statements, accepted
// again, and a refusal has a sentence and a place in the text.
func FuzzParse(f *testing.F) {
	addDocuments(f, func(text string) { f.Add(text, byte(0)) })
	f.Fuzz(func(t *testing.T, text string, kind byte) {
		k := policy.Kind(kind % 5)
		d, err := policy.Parse(k, text)
		if err != nil {
			wrong, ok := err.(*policy.Error)
			if !ok || wrong.Sentence == "" || d != nil || wrong.At < 0 || wrong.At > len(text) {
				t.Fatalf("%#v, %v", err, d)
			}
			return
		}
		if !json.Valid([]byte(text)) || d.Statements() < 1 || d.Kind() != k {
			t.Fatalf("accepted: %q", text)
		}
		_, lines := policy.Explain(policy.Request{}, policy.Policies{Identity: []policy.Named{{Document: d}}})
		if len(lines) != d.Statements() {
			t.Fatalf("%d lines of %d statements", len(lines), d.Statements())
		}
		for _, l := range lines {
			if s := text[l.Start:l.End]; s[0] != '{' || !json.Valid([]byte(s)) {
				t.Fatalf("statement %d stands at %q", l.Statement, s)
			}
		}
	})
}

// FuzzEvaluate: what Evaluate decides follows from what Explain tells.
func FuzzEvaluate(f *testing.F) {
	addDocuments(f, func(text string) {
		f.Add(text, text, byte(1), "ecr:PutImage", "arn:aws:ecr:eu-west-1:111122223333:repository/app", "alice")
	})
	f.Fuzz(func(t *testing.T, identity, resource string, kind byte, action, arn, value string) {
		var p policy.Policies
		if d, err := policy.Parse(policy.Identity, identity); err == nil {
			p.Identity = []policy.Named{{Document: d}}
		}
		if d, err := policy.Parse(policy.Repository, resource); err == nil {
			p.Resource = []policy.Named{{Document: d}}
		}
		r := policy.Request{
			Principal: policy.Principal{Kind: policy.PrincipalKind(kind % 6), ARN: "arn:aws:iam::111122223333:user/alice", Account: account},
			Action:    action, Resource: arn, Account: account,
			Keys: func(string) []string { return []string{value} },
		}
		d, lines := policy.Explain(r, p)
		denied, allows := false, false
		for _, l := range lines {
			denied = denied || l.Matched && !l.Allow
			allows = allows || l.Matched && l.Allow
		}
		if denied != d.Explicit || d.Allowed && (denied || !allows && r.Principal.Kind != policy.Root) {
			t.Fatalf("%+v\n%+v", d, lines)
		}
		if d.Allowed == (d.Because(action) != "") {
			t.Fatalf("%+v: %q", d, d.Because(action))
		}
		if again := policy.Evaluate(policy.Request{Principal: r.Principal, Action: action, Resource: arn, Account: account}, p); !d.Depends && again != d {
			t.Fatalf("%+v depends on no key, and without keys is %+v", d, again)
		}
	})
}

// FuzzLike compares patterns with regular expressions.
func FuzzLike(f *testing.F) {
	f.Add("a*b?c", "axxbyc")
	f.Add("*é?*", "aéb")
	f.Add("**??", "ab")
	f.Fuzz(func(t *testing.T, pattern, s string) {
		if !utf8.ValidString(pattern) || !utf8.ValidString(s) {
			return
		}
		text, err := json.Marshal(pattern)
		if err != nil {
			t.Fatal(err)
		}
		d, err := policy.Parse(policy.Identity, `{"Statement": {"Effect": "Allow", "Action": "*", "Resource": "*", "Condition": {"StringLike": {"a:b": `+string(text)+`}}}}`)
		if err != nil {
			t.Fatal(err)
		}
		got := policy.Evaluate(policy.Request{
			Principal: policy.Principal{Kind: policy.User, Account: account}, Account: account, Action: "a:b",
			Keys: func(string) []string { return []string{s} },
		}, policy.Policies{Identity: []policy.Named{{Document: d}}}).Allowed
		if want := regexp.MustCompile("(?s)^" + quote(pattern, true) + "$").MatchString(s); got != want {
			t.Fatalf("%q like %q: %t, want %t", s, pattern, got, want)
		}
	})
}
