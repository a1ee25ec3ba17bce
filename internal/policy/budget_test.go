package policy_test

import (
	"strings"
	"testing"

	"github.com/lighterage/lighterage/internal/policy"
)

// conditional is a policy of one statement with the condition.
func conditional(t *testing.T, condition string) policy.Policies {
	t.Helper()
	d, err := policy.Parse(policy.Identity, `{"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "ecr:*", "Resource": "*", "Condition": {`+condition+`}}}`)
	if err != nil {
		t.Fatal(err)
	}
	return policy.Policies{Identity: []policy.Named{{Document: d}}}
}

// having makes every condition key have n times the value.
func having(value string, n int) (policy.Request, *int) {
	values := make([]string, n)
	for i := range values {
		values[i] = value
	}
	r, steps := ask("ecr:PutImage", "app"), new(int)
	r.Keys = func(string) []string { return values }
	r.Steps = steps
	return r, steps
}

// TestStarsInARowAreOne: a pattern of stars costs what one star does.
func TestStarsInARowAreOne(t *testing.T) {
	stars := strings.Repeat("*", 100_000)
	one, many := 0, 0
	for _, c := range []struct {
		steps   *int
		pattern string
	}{{&one, "*"}, {&many, stars}} {
		d, err := policy.Parse(policy.Identity, `{"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "ecr:`+c.pattern+`",
			"Resource": "arn:aws:ecr:`+c.pattern+`", "Condition": {
			"ForAllValues:StringLike": {"aws:a": "`+c.pattern+`", "aws:b": "x`+c.pattern+`?", "aws:c": "${aws:username}`+c.pattern+`"},
			"ForAllValues:ArnLike": {"aws:d": "`+c.pattern+`"}}}}`)
		if err != nil {
			t.Fatal(err)
		}
		r := ask("ecr:PutImage", "app")
		r.Steps = c.steps
		r.Keys = func(key string) []string {
			switch key {
			case "aws:username":
				return []string{"x"}
			case "aws:d":
				return []string{"arn:aws:ecr:a:b:c", "arn:aws:ecr:a:b:d"}
			}
			return []string{"xy", "xyz"}
		}
		if d := policy.Evaluate(r, policy.Policies{Identity: []policy.Named{{Document: d}}}); !d.Allowed {
			t.Errorf("denied: %+v", d)
		}
	}
	if many != one {
		t.Errorf("%d steps with many stars, %d with one", many, one)
	}
}

// TestWhatIsLookedAtIsCharged: no text is gone through for nothing, however a
// document and the values are made.
func TestWhatIsLookedAtIsCharged(t *testing.T) {
	const long = 50_000
	text := strings.Repeat("x", long)
	for name, c := range map[string]struct {
		condition, value string
		values           int
		least            int // steps; what a step stands for takes some nanoseconds
	}{
		"a long equal value":             {`"ForAllValues:StringEquals": {"aws:a": "` + text + `"}`, text, 100, 100 * long / 32},
		"a long pattern without stars":   {`"ForAllValues:StringLike": {"aws:a": "` + text + `"}`, text, 100, 100 * long / 32},
		"a long pattern with stars":      {`"ForAllValues:StringLike": {"aws:a": "*` + text + `*"}`, text, 100, 100 * long / 32},
		"many runs":                      {`"ForAllValues:StringLike": {"aws:a": "` + strings.Repeat("*x", long/2) + `"}`, text, 100, 100 * long / 2},
		"a long text beside a variable":  {`"ForAnyValue:StringEquals": {"aws:a": "` + text + `${aws:username}"}`, "y", 1, long / 32},
		"a long pattern of an ARN":       {`"ForAllValues:ArnLike": {"aws:a": "arn:aws:ecr:a:b:` + strings.Repeat("*?", long/2) + `"}`, "arn:aws:ecr:a:b:c", 1, long / 32},
		"a number that is none":          {`"ForAllValues:NumericNotEquals": {"aws:a": 1}`, strings.Repeat("1", long), 100, 100 * long / 32},
		"many values that are empty":     {`"ForAllValues:StringEquals": {"aws:a": "x", "aws:b": "x", "aws:c": "x"}`, "", long, 3 * long},
		"a truth that is asked for much": {`"Null": {"aws:a": [` + strings.TrimSuffix(strings.Repeat("true,", long), ",") + `]}`, "x", 1, long / 32},
	} {
		t.Run(name, func(t *testing.T) {
			r, steps := having(c.value, c.values)
			d := policy.Evaluate(r, conditional(t, c.condition))
			if *steps < c.least && !d.TooCostly {
				t.Errorf("%d steps, want at least %d: %+v", *steps, c.least, d)
			}
		})
	}
}

// TestDecisionsCanShareABudget: many decisions for one request take no more
// than one may, and what is beyond is denied.
func TestDecisionsCanShareABudget(t *testing.T) {
	p := conditional(t, `"StringEquals": {"aws:a": "x"}`)
	r, steps := having("x", 1)
	if !policy.Evaluate(r, p).Allowed {
		t.Fatal("denied")
	}
	one := *steps
	*steps, r.Limit = 0, 3*one
	for i := range 3 {
		if d := policy.Evaluate(r, p); !d.Allowed {
			t.Errorf("decision %d: %+v", i, d)
		}
	}
	for range 3 {
		if d := policy.Evaluate(r, p); d.Allowed || !d.TooCostly {
			t.Errorf("beyond the limit: %+v", d)
		}
		if _, lines := policy.Explain(r, p); lines[0].Matched {
			t.Errorf("beyond the limit: %+v", lines[0])
		}
	}
	if *steps != r.Limit {
		t.Errorf("%d steps of %d", *steps, r.Limit)
	}
}

// TestADecisionCanBeAbandoned: nobody waits, so nothing is looked at.
func TestADecisionCanBeAbandoned(t *testing.T) {
	p := conditional(t, `"StringEquals": {"aws:a": "x"}`)
	r, _ := having("x", 1)
	done := make(chan struct{})
	r.Done = done
	if d := policy.Evaluate(r, p); !d.Allowed {
		t.Errorf("while somebody waits: %+v", d)
	}
	close(done)
	if d := policy.Evaluate(r, p); d.Allowed || !d.TooCostly {
		t.Errorf("abandoned: %+v", d)
	}
	if _, lines := policy.Explain(r, p); lines[0].Matched {
		t.Errorf("abandoned: %+v", lines[0])
	}
}

// TestATruthIsNoCharacter: what stands for a character is no variable, so that
// what is left could mean nothing.
func TestATruthIsNoCharacter(t *testing.T) {
	for value, good := range map[string]bool{
		"${*}": false, "${?}": false, "tru${*}": false, "${$}{aws:a}": false, "${aws:a}": true, "true": true, "${aws:a, 'true'}": true,
	} {
		_, err := policy.Parse(policy.Identity, `{"Version": "2012-10-17", "Statement": {"Effect": "Deny", "Action": "*", "Resource": "*", "Condition": {"Bool": {"aws:SecureTransport": "`+value+`"}}}}`)
		if (err == nil) != good {
			t.Errorf("%s: %v", value, err)
		}
	}
}

// TestAValueIsReadOnce: however many values it is compared with.
func TestAValueIsReadOnce(t *testing.T) {
	for name, c := range map[string]struct{ operator, one, value string }{
		"a time":      {"DateEquals", `"2030-01-01"`, "2020-01-01T00:00:00Z"},
		"a number":    {"NumericEquals", `1`, "2"},
		"an address":  {"IpAddress", `"10.0.0.0/8"`, "192.168.1.1"},
		"bytes":       {"BinaryEquals", `"QUJD"`, "REVG"},
		"no time":     {"DateEquals", `"2030-01-01"`, "never"},
		"no address":  {"IpAddress", `"10.0.0.0/8"`, "somewhere"},
		"a truth":     {"Bool", `"true"`, "false"},
		"not a truth": {"Bool", `"true"`, "perhaps"},
	} {
		t.Run(name, func(t *testing.T) {
			cost := func(n int) int {
				values := strings.TrimSuffix(strings.Repeat(c.one+",", n), ",")
				r, steps := having(c.value, 1)
				if d := policy.Evaluate(r, conditional(t, `"`+c.operator+`": {"aws:a": [`+values+`]}`)); d.Allowed || d.TooCostly {
					t.Errorf("%+v", d)
				}
				return *steps
			}
			if more := cost(1001) - cost(1); more > 2000 {
				t.Errorf("a thousand more values are %d steps", more)
			}
		})
	}
}
