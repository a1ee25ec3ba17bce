package policy_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/lighterage/lighterage/internal/policy"
)

// company returns n policies of ten statements each, as a large company has,
// and a last one with the statement.
func company(tb testing.TB, n int, last string) policy.Policies {
	var p policy.Policies
	add := func(text string) {
		d, err := policy.Parse(policy.Managed, text)
		if err != nil {
			tb.Fatalf("%v: %s", err, text)
		}
		p.Identity = append(p.Identity, policy.Named{Name: fmt.Sprint(len(p.Identity)), Document: d})
	}
	for i := range n {
		var statements []string
		for j := range 10 {
			statements = append(statements, fmt.Sprintf(`{"Effect": "Allow", "Action": ["s3:GetObject", "s3:List*", "ecs:Describe*", "ecr:BatchGetImage", "ecr:PutImage"],
				"Resource": ["arn:aws:ecr:*:111122223333:repository/team-%d/app-%d/*", "arn:aws:s3:::bucket-%d/*"]}`, i, j, j))
		}
		statements[9] = `{"Effect": "Deny", "Action": ["ecr:DeleteRepository", "iam:*"], "Resource": "*", "Condition": {"Bool": {"aws:SecureTransport": "false"}}}`
		add(`{"Version": "2012-10-17", "Statement": [` + strings.Join(statements, ",") + `]}`)
	}
	add(`{"Version": "2012-10-17", "Statement": ` + last + `}`)
	return p
}

func ask(action, repository string) policy.Request {
	values := []string{"alice"}
	return policy.Request{
		Principal: policy.Principal{Kind: policy.User, ARN: "arn:aws:iam::" + account + ":user/alice", Account: account},
		Action:    action, Resource: "arn:aws:ecr:eu-west-1:" + account + ":repository/" + repository, Account: account,
		Keys: func(string) []string { return values },
	}
}

var costs = []struct {
	name, last, action, repository string
}{
	{"by name", `{"Effect": "Allow", "Action": "ecr:BatchGetImage", "Resource": "*"}`, "ecr:BatchGetImage", "app"},
	{"an action few name", `{"Effect": "Allow", "Action": "ecr:ListTagsForResource", "Resource": "*"}`, "ecr:ListTagsForResource", "app"},
	{"with a variable", `{"Effect": "Allow", "Action": "ecr:*", "Resource": "arn:aws:ecr:*:*:repository/${aws:username}/*"}`, "ecr:BatchGetImage", "alice/app"},
	{"with a condition", `{"Effect": "Allow", "Action": "ecr:*", "Resource": "*", "Condition": {"StringLike": {"aws:username": "a*e"}, "StringNotEquals": {"aws:username": "bob"}}}`, "ecr:BatchGetImage", "app"},
}

// TestDecidingAllocatesNothing: a decision costs no memory, however many
// policies there are.
func TestDecidingAllocatesNothing(t *testing.T) {
	for _, c := range costs {
		p, r := company(t, 50, c.last), ask(c.action, c.repository)
		if d := policy.Evaluate(r, p); !d.Allowed || d.Policy != "50" {
			t.Fatalf("%s: %+v", c.name, d)
		}
		if n := testing.AllocsPerRun(100, func() { policy.Evaluate(r, p) }); n > 0 {
			t.Errorf("%s: %v allocations", c.name, n)
		}
	}
}

// TestHostilePatternsEnd: patterns that make a backtracking matcher run for
// ever take no time to speak of; the test would not end otherwise.
func TestHostilePatternsEnd(t *testing.T) {
	for name, pattern := range map[string]string{
		"stars and letters":   strings.Repeat("*a", 500) + "b",
		"stars and questions": strings.Repeat("*?", 500) + "b",
		"stars":               strings.Repeat("*", 1000) + "b",
	} {
		d, err := policy.Parse(policy.Identity, `{"Statement": {"Effect": "Allow", "Action": "*", "Resource": "arn:aws:ecr:*:*:repository/`+pattern+`"}}`)
		if err != nil {
			t.Fatal(err)
		}
		if policy.Evaluate(ask("ecr:PutImage", strings.Repeat("a", 2000)), policy.Policies{Identity: []policy.Named{{Document: d}}}).Allowed {
			t.Errorf("%s: matched", name)
		}
	}
}

// hostile are as many documents as a user may have, of patterns made to match
// badly, and the value that they are made for.
func hostile(t *testing.T, effect, condition string) ([]policy.Named, string) {
	var all []policy.Named
	for range 110 {
		d, err := policy.Parse(policy.Identity, `{"Version": "2012-10-17", "Statement": {"Effect": "`+effect+`", "Action": "*", "Resource": "*", "Condition": {`+condition+`}}}`)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, policy.Named{Document: d})
	}
	return all, strings.Repeat("a", 60<<10)
}

// TestADecisionHasABudget: however patterns and values are made, a decision
// ends soon, and as a denial if nothing else came out by then.
func TestADecisionHasABudget(t *testing.T) {
	bad := "*" + strings.Repeat("a", 1800) + "?b"
	dates := strings.TrimSuffix(strings.Repeat(`"2030",`, 800), ",")
	everything, err := policy.Parse(policy.Identity, `{"Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}`)
	if err != nil {
		t.Fatal(err)
	}
	for name, condition := range map[string]string{
		"a pattern":                  `"StringLike": {"aws:UserAgent": "` + bad + `"}`,
		"a pattern of an ARN":        `"ArnLike": {"aws:UserAgent": "arn:*:*:*:*:` + bad + `"}`,
		"a pattern of many values":   `"ForAnyValue:StringLike": {"aws:TagKeys": "` + bad + `"}`,
		"a pattern with a variable":  `"StringLike": {"aws:UserAgent": "` + bad + `${aws:username}"}`,
		"a long variable":            `"StringEquals": {"aws:UserAgent": "` + strings.Repeat("${aws:UserAgent}", 100) + `"}`,
		"times that are none":        `"DateEquals": {"aws:UserAgent": [` + dates + `]}`,
		"a negation that would hold": `"StringNotLike": {"aws:UserAgent": "` + bad + `"}`,
	} {
		for _, effect := range []string{"Allow", "Deny"} {
			t.Run(effect+" by "+name, func(t *testing.T) {
				documents, value := hostile(t, effect, condition)
				if effect == "Deny" { // nobody can tell whether one matches
					documents = append([]policy.Named{{Document: everything}}, documents...)
				}
				r := ask("ecr:PutImage", "app")
				steps := 0
				r.Steps = &steps
				if strings.HasPrefix(name, "a pattern of an ARN") {
					value = "arn:aws:ecr:eu-west-1:1:" + value
				}
				r.Keys = func(key string) []string {
					switch key {
					case "aws:username":
						return []string{"b"}
					case "aws:tagkeys":
						return []string{value, value, value}
					}
					return []string{value}
				}
				d := policy.Evaluate(r, policy.Policies{Identity: documents})
				if d.Allowed || !d.TooCostly || d.Explicit {
					t.Errorf("got %+v", d)
				}
				if want := "because matching the policies with the request takes too long"; d.Because("ecr:PutImage") != want {
					t.Errorf("got %q", d.Because("ecr:PutImage"))
				}
				if steps > 5<<20 {
					t.Errorf("a decision took %d steps", steps)
				}
				before := steps
				if _, lines := policy.Explain(r, policy.Policies{Identity: documents}); len(lines) != len(documents) || lines[len(lines)-1].Matched {
					t.Errorf("%d lines, the last %+v", len(lines), lines[len(lines)-1])
				}
				if steps-before > 10<<20 {
					t.Errorf("an explanation took %d steps", steps-before)
				}
			})
		}
	}
}

// TestManyPoliciesAreWithinTheBudget: what the quotas allow is decided.
func TestManyPoliciesAreWithinTheBudget(t *testing.T) {
	const quota = 6144
	one := `{"Effect": "Allow", "Action": "ecr:*", "Resource": "arn:aws:ecr:*:*:repository/${aws:username}/?pp/*x", "Condition": {"StringLike": {"aws:username": "b?b*"}}}`
	text := `{"Version": "2012-10-17", "Statement": [` + strings.TrimSuffix(strings.Repeat(one+",", quota/len(one)), ",") + `]}`
	var all []policy.Named
	for range 110 {
		d, err := policy.Parse(policy.Identity, text)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, policy.Named{Document: d})
	}
	steps := 0
	r := ask("ecr:PutImage", "alice/app/"+strings.Repeat("x", 200)+"y")
	r.Steps = &steps
	if d := policy.Evaluate(r, policy.Policies{Identity: all}); d.TooCostly || d.Allowed {
		t.Errorf("got %+v after %d steps", d, steps)
	}
	t.Logf("%d steps", steps)
}

func BenchmarkEvaluate(b *testing.B) {
	for _, c := range costs {
		b.Run(c.name, func(b *testing.B) {
			p, r := company(b, 50, c.last), ask(c.action, c.repository)
			b.ReportAllocs()
			for b.Loop() {
				if !policy.Evaluate(r, p).Allowed {
					b.Fatal("denied")
				}
			}
		})
	}
}

func BenchmarkParse(b *testing.B) {
	const text = `{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"AWS": "111122223333"}, "Action": ["ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"], "Condition": {"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}}]}`
	b.ReportAllocs()
	for b.Loop() {
		if _, err := policy.Parse(policy.Repository, text); err != nil {
			b.Fatal(err)
		}
	}
}
