package directory_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lighterage/lighterage/internal/directory"
	"github.com/lighterage/lighterage/internal/fault"
)

func TestPagesOfASimulationMeet(t *testing.T) {
	w := newWorld(t)
	s := directory.Simulation{Policies: []string{pull}, Actions: []string{"ecr:BatchGetImage", "ecr:PutImage", "ecr:GetX"}, Resources: []string{"*", "arn:aws:ecr:eu-west-1:123456789012:repository/a"}}
	whole, more, err := w.Simulate(w.ctx, home, s, 0, 100)
	w.must(err)
	if len(whole) != 6 || more {
		t.Fatalf("%d outcomes, more %v", len(whole), more)
	}
	for size := 1; size < 7; size++ {
		var got []directory.Outcome
		for more := true; more; {
			var page []directory.Outcome
			page, more, err = w.Simulate(w.ctx, home, s, len(got), size)
			w.must(err)
			got = append(got, page...)
			if len(page) == 0 || len(page) > size {
				t.Fatalf("a page of %d, of %d wanted", len(page), size)
			}
		}
		if diff := cmp.Diff(whole, got); diff != "" {
			t.Errorf("in pages of %d (-whole +got):\n%s", size, diff)
		}
	}
	for _, first := range []int{6, 7, 1<<63 - 1} {
		if page, more, err := w.Simulate(w.ctx, home, s, first, 10); len(page) > 0 || more || err != nil {
			t.Errorf("from %d: %d outcomes, more %v, %v", first, len(page), more, err)
		}
	}
}

// TestLargeDocumentsMakeSmallPages: what one request costs is bounded.
func TestLargeDocumentsMakeSmallPages(t *testing.T) {
	w := newWorld(t)
	large := pull + strings.Repeat(" ", 10<<20)
	page, more, err := w.Simulate(w.ctx, home, directory.Simulation{Policies: []string{large}, Actions: []string{"a:A", "a:B", "a:C"}}, 0, 100)
	w.must(err)
	if len(page) != 2 || !more {
		t.Errorf("%d outcomes, more %v", len(page), more)
	}
}

// TestASimulationReadsEveryGroup, however many pages they take.
func TestASimulationReadsEveryGroup(t *testing.T) {
	w := newWorld(t, func(l *directory.Limits) { l.GroupsPerUser = 120 })
	w.user("bob")
	for i := range 101 {
		g := fmt.Sprint("g", i)
		w.group(g)
		w.must(w.AddMember(w.ctx, home, g, "bob"))
		if i == 100 {
			w.must(w.PutInlinePolicy(w.ctx, home, directory.Group, g, directory.InlinePolicy{Name: "last", Document: pull}))
		}
	}
	s := directory.Simulation{Source: "arn:aws:iam::123456789012:user/bob", Actions: []string{"ecr:BatchGetImage"}}
	page, _, err := w.Simulate(w.ctx, home, s, 0, 1)
	w.must(err)
	want := []directory.Match{{Policy: "group_g100_last", Kind: directory.OfGroup, Start: directory.Position{Line: 1, Column: 37}, End: directory.Position{Line: 1, Column: 1 + len(pull) - 1}}}
	if diff := cmp.Diff(want, page[0].Matched); diff != "" || !page[0].Allowed {
		t.Errorf("allowed %v (-want +got):\n%s", page[0].Allowed, diff)
	}
	_, _, err = w.Simulate(w.ctx, abroad, s, 0, 1)
	w.refused(err, fault.EntityNotFound, "user", "bob")
}

// TestTheDefaultVersionIsSimulated and no other.
func TestTheDefaultVersionIsSimulated(t *testing.T) {
	w := newWorld(t)
	arn := w.policy("p")
	w.role("r")
	w.must(w.AttachPolicy(w.ctx, home, directory.Role, "r", arn))
	must2[directory.PolicyVersion](t)(w.CreatePolicyVersion(w.ctx, home, arn, strings.Replace(pull, "Allow", "Deny", 1), false))
	s := directory.Simulation{Source: "arn:aws:iam::123456789012:role/r", Actions: []string{"ecr:BatchGetImage"}}
	for _, version := range []string{"v2", "v1"} {
		w.must(w.SetDefaultPolicyVersion(w.ctx, home, arn, version))
		page, _, err := w.Simulate(w.ctx, home, s, 0, 1)
		w.must(err)
		if page[0].Allowed != (version == "v1") || page[0].Explicit != (version == "v2") || page[0].Matched[0].Kind != directory.ManagedByUs {
			t.Errorf("with %s: %+v", version, page[0])
		}
	}
}

func TestPositionsCountCharacters(t *testing.T) {
	w := newWorld(t)
	document := "{\"Id\": \"äöü\",\r\n \"Statement\": [\n" +
		`{"Sid": "a", "Effect": "Allow", "Action": "*", "Resource": "*"}, {"Effect": "Allow", "Action": "*", "Resource": "arn:aws:ecr:*:*:é*"}]}`
	page, _, err := w.Simulate(w.ctx, home, directory.Simulation{
		Policies: []string{document}, Actions: []string{"ecr:PutImage"}, Resources: []string{"arn:aws:ecr:eu-west-1:123456789012:éa"},
	}, 0, 1)
	w.must(err)
	want := []directory.Match{
		{Policy: "PolicyInputList.1", Start: directory.Position{Line: 3, Column: 1}, End: directory.Position{Line: 3, Column: 64}},
		{Policy: "PolicyInputList.1", Start: directory.Position{Line: 3, Column: 66}, End: directory.Position{Line: 3, Column: 134}},
	}
	if diff := cmp.Diff(want, page[0].Matched); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestCostlyPatternsMakeSmallPages: a page's work is bounded by what matching
// takes too, and not by the documents' sizes alone.
func TestCostlyPatternsMakeSmallPages(t *testing.T) {
	w := newWorld(t)
	costly := `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"StringLike":{"aws:UserAgent":"*` + strings.Repeat("a", 1800) + `?b"}}}}`
	s := directory.Simulation{
		Policies: []string{costly}, Context: []directory.ContextValue{{Key: "aws:UserAgent", Values: []string{strings.Repeat("a", 60<<10)}}},
	}
	for i := range 50 {
		s.Actions = append(s.Actions, fmt.Sprint("ecr:A", i))
	}
	seen := 0
	for pages := 0; ; pages++ {
		page, more, err := w.Simulate(w.ctx, home, s, seen, 100)
		w.must(err)
		for i, o := range page {
			if o.Allowed || o.Action != s.Actions[seen+i] {
				t.Fatalf("outcome %d: %+v", seen+i, o)
			}
		}
		seen += len(page)
		if len(page) == 0 || len(page) > 5 {
			t.Fatalf("a page of %d", len(page))
		}
		if !more {
			break
		}
	}
	if seen != 50 {
		t.Errorf("%d outcomes", seen)
	}
	ctx, cancel := context.WithCancel(w.ctx)
	cancel()
	if _, _, err := w.Simulate(ctx, home, s, 0, 100); !fault.Is(err, fault.Overloaded) {
		t.Errorf("for a client that left: %v", err)
	}
}

// TestManyMatchesMakeSmallPages: an answer is bounded, and so is finding out
// where statements stand.
func TestManyMatchesMakeSmallPages(t *testing.T) {
	w := newWorld(t)
	const statement = `{"Sid":"","Effect":"Allow","Action":"*","Resource":"*"}`
	long := `{"Version":"2012-10-17","Statement":[` + strings.TrimSuffix(strings.Repeat(statement+",", 4000), ",") + `]}`
	s := directory.Simulation{Policies: []string{long, long}, Actions: []string{"ecr:A", "ecr:B", "ecr:C", "ecr:D"}}
	page, more, err := w.Simulate(w.ctx, home, s, 0, 100)
	w.must(err)
	if len(page) != 2 || !more { // the second is beyond the limit
		t.Fatalf("%d outcomes, more %v", len(page), more)
	}
	rest, more, err := w.Simulate(w.ctx, home, s, 2, 100)
	w.must(err)
	if len(rest) != 2 || more {
		t.Fatalf("then %d outcomes, more %v", len(rest), more)
	}
	for _, o := range append(page, rest...) {
		if len(o.Matched) != 8000 {
			t.Fatalf("%d statements matched", len(o.Matched))
		}
		for i, m := range o.Matched {
			column := len(`{"Version":"2012-10-17","Statement":[`) + 1 + i%4000*(len(statement)+1)
			want := directory.Match{
				Policy: fmt.Sprint("PolicyInputList.", 1+i/4000), Kind: directory.Given,
				Start: directory.Position{Line: 1, Column: column}, End: directory.Position{Line: 1, Column: column + len(statement)},
			}
			if m != want {
				t.Fatalf("match %d: %+v, want %+v", i, m, want)
			}
		}
	}
}

// TestManyMissingKeysMakeSmallPages: they are told with each outcome.
func TestManyMissingKeysMakeSmallPages(t *testing.T) {
	w := newWorld(t)
	var keys []string
	for i := range 6000 {
		keys = append(keys, fmt.Sprintf(`"a:%d":"x"`, i))
	}
	s := directory.Simulation{
		Policies: []string{`{"Statement":{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"StringEquals":{` + strings.Join(keys, ",") + `}}}}`},
		Actions:  []string{"ecr:A", "ecr:B", "ecr:C", "ecr:D", "ecr:E", "ecr:F"},
	}
	page, more, err := w.Simulate(w.ctx, home, s, 0, 100)
	w.must(err)
	if len(page) != 2 || !more || len(page[0].Missing) != 6000 {
		t.Errorf("%d outcomes, more %v", len(page), more)
	}
}

// TestASimulationEndsWithItsCaller: nobody waits for it any more.
func TestASimulationEndsWithItsCaller(t *testing.T) {
	w := newWorld(t)
	ctx, leave := context.WithCancel(w.ctx)
	leave()
	page, _, err := w.Simulate(ctx, home, directory.Simulation{Policies: []string{pull}, Actions: []string{"a:A"}}, 0, 1)
	if err == nil || fault.Is(err, fault.InputRefused) {
		t.Errorf("%d outcomes, %v", len(page), err)
	}
}
