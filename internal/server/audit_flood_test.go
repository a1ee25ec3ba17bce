package server_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/google/go-cmp/cmp"

	"github.com/lighterage/lighterage/internal/audit"
	"github.com/lighterage/lighterage/internal/server"
	"github.com/lighterage/lighterage/internal/testkit"
)

// TestAFloodOfFailedLogins is what the trail says of it.
func TestAFloodOfFailedLogins(t *testing.T) {
	clock := &still{at: time.Now()}
	s := testkit.Start(t, testkit.Clock(clock.now))
	l := newTrail(t, s)
	for range 100 {
		s.Do(testkit.Login{User: "AWS", Password: "wrong"}, "GET", "/v2/", nil)
	}
	if n := len(l.next()); n != 20 {
		t.Errorf("%d of 100 are recorded by themselves, want 20", n)
	}
	s.Pass("summarise failed log-ins")
	events := l.next()
	if len(events) != 1 || events[0].Name != "FailedLogins" || events[0].SourceIP != "127.0.0.1" || events[0].Outcome() != audit.Denied ||
		!strings.Contains(string(events[0].RequestParameters), `"count":80,"denied":80,`) {
		t.Errorf("the summary is %+v", events)
	}
	s.Pass("summarise failed log-ins")
	clock.add(time.Minute)
	s.Do(testkit.Login{User: "AWS", Password: "wrong"}, "GET", "/v2/", nil)
	if diff := cmp.Diff([]string{"Unknown ecr:RegistryLogin UNAUTHORIZED"}, summary(l.next())); diff != "" {
		t.Errorf("a minute later (-want +got):\n%s", diff)
	}
}

// worstAgent is a user agent that JSON writes with twice its bytes.
var worstAgent = "User-Agent: " + strings.Repeat(`"\`, 1000)

// TestAStrangerCannotFillTheTrail: whoever proves nothing has a budget, and tells
// nothing but who it is not.
func TestAStrangerCannotFillTheTrail(t *testing.T) {
	role := "arn:aws:iam::123456789012:role/" + strings.Repeat("r", 64)
	for _, c := range []struct {
		name, kind, body string
		header           []string
	}{
		{"an operation that nobody signs, with all that it takes", "application/x-www-form-urlencoded",
			"Version=2011-06-15&Action=AssumeRoleWithWebIdentity&RoleSessionName=me&WebIdentityToken=wrong&RoleArn=" + role +
				"&PolicyArns.member.1.arn=" + role + "&Policy=" + strings.Repeat("p", 2000), nil},
		{"one without a signature", "application/x-www-form-urlencoded", "Version=2010-05-08&Action=CreateUser&UserName=bob", nil},
		{"an action that there is not", "application/x-www-form-urlencoded", "Version=2010-05-08&Action=" + strings.Repeat("%01%22", 2000), nil},
		{"a target that there is not", "application/x-amz-json-1.1", "{}", []string{"X-Amz-Target: " + strings.Repeat("x", 4000)}},
		{"no target", "text/plain", "", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := testkit.Start(t, testkit.Setting("anonymous-pull", "true"))
			l := newTrail(t, s)
			for range 100 {
				s.Do(testkit.Login{}, "POST", "/", []byte(c.body), append(c.header, "Content-Type: "+c.kind, worstAgent)...)
			}
			for line := range bytes.Lines(l.text()) {
				if len(line) > 2200 {
					t.Fatalf("a line has %d bytes: %s", len(line), line)
				}
			}
			events := l.next()
			if len(events) != 20 {
				t.Fatalf("%d of 100 are recorded by themselves, want 20", len(events))
			}
			if p := events[0].RequestParameters; p != nil && string(p) != "null" {
				t.Errorf("the trail tells %s", p)
			}
		})
	}
}

// TestEveryDenialOfAPrincipalIsInTheTrail: whoever showed who it is has a line for
// each of its refusals, and a short one, whatever it sent. What others do has
// files of its own.
func TestEveryDenialOfAPrincipalIsInTheTrail(t *testing.T) {
	clock := &still{at: time.Now()}
	s := testkit.Start(t, testkit.Clock(clock.now))
	l := newTrail(t, s)
	bob := root(s).hire(t, "bob", "").ecr()
	l.next()
	long := make([]string, 100)
	for i := range long {
		long[i] = fmt.Sprintf("%s-%d", strings.Repeat("n", 250), i)
	}
	const calls = 700
	for range calls {
		_, err := bob.DescribeRepositories(t.Context(), &ecr.DescribeRepositoriesInput{RepositoryNames: long})
		checkAWS(t, err, 400, "AccessDeniedException")
	}
	events := l.next()
	if len(events) != calls {
		t.Errorf("%d of %d denials are in the trail", len(events), calls)
	}
	for _, e := range events {
		if e.Identity.UserName != "bob" || e.Outcome() != audit.Denied || e.Name != "DescribeRepositories" {
			t.Fatalf("a denial is %+v", e)
		}
	}
	refused, err := os.ReadFile(filepath.Join(l.dir, "audit-refused.jsonl"))
	must(t, err)
	if n := bytes.Count(refused, []byte("\n")); n != calls {
		t.Errorf("%d of them are in the file for them", n)
	}
	for line := range bytes.Lines(refused) {
		if len(line) > 6<<10 {
			t.Fatalf("a line has %d bytes: %s", len(line), line)
		}
	}
	s.Pass("summarise failed log-ins")
	if events := l.next(); len(events) != 0 {
		t.Errorf("there are %q beside them", summary(events))
	}
}

// TestEveryRefusalIsCounted: of what many ask at once, under many addresses and
// while summaries are made, lines and summaries together are neither more nor
// less.
func TestEveryRefusalIsCounted(t *testing.T) {
	s := testkit.Start(t, testkit.Setting("trusted-proxies", "127.0.0.1/32"))
	l := newTrail(t, s)
	bob := root(s).hire(t, "bob", "").ecr()
	l.next()
	const clients, each = 16, 120
	var wg sync.WaitGroup
	for i := range clients {
		wg.Go(func() {
			for j := range each {
				switch {
				case i == 0:
					_, _ = bob.DescribeRepositories(t.Context(), &ecr.DescribeRepositoriesInput{})
				case i == 1 && j%10 == 0:
					s.Pass("summarise failed log-ins")
					fallthrough
				default:
					s.Do(testkit.Login{User: "AWS", Password: "wrong"}, "GET", "/v2/some/app/manifests/1", nil, fmt.Sprintf("X-Forwarded-For: 192.0.2.%d", i%12))
				}
			}
		})
	}
	wg.Wait()
	s.Pass("summarise failed log-ins")
	denied := map[string]int{}
	for _, e := range l.next() {
		switch {
		case e.Outcome() != audit.Denied:
			t.Errorf("there is %q", summary([]audit.Event{e}))
		case e.Identity.UserName == "bob":
			denied["bob"]++
		case e.Name == "FailedLogins":
			var sum struct{ Count, Denied int }
			must(t, json.Unmarshal(e.RequestParameters, &sum))
			if sum.Count != sum.Denied {
				t.Errorf("the summary is %s", e.RequestParameters)
			}
			denied["summed"] += sum.Denied
		default:
			denied["lines"]++
		}
	}
	if want := (clients - 1) * each; denied["bob"] != each || denied["lines"]+denied["summed"] != want || denied["summed"] == 0 {
		t.Errorf("in the trail are %v, want %d of bob's and %d", denied, each, want)
	}
}

// TestASummaryTellsItsKeys: of wrong signatures it names the keys that they were
// said to be of, so far as there are few.
func TestASummaryTellsItsKeys(t *testing.T) {
	clock := &still{at: time.Now()}
	s := testkit.Start(t, testkit.Clock(clock.now))
	l := newTrail(t, s)
	ask := func(key string) {
		s.Do(testkit.Login{}, "POST", "/", nil, "X-Amz-Target: AmazonEC2ContainerRegistry_V20150921.DescribeRepositories",
			"Authorization: AWS4-HMAC-SHA256 Credential="+key+"/20261121/us-east-1/ecr/aws4_request, SignedHeaders=host;x-amz-date, Signature=00")
	}
	for range 20 {
		ask("AKIAFIRST")
	}
	ask("AKIATWO")
	ask("AKIAONE")
	s.Pass("summarise failed log-ins")
	for range 100 {
		ask(fmt.Sprintf("AKIA%d", len(l.seen)))
		l.seen[fmt.Sprint(len(l.seen))] = true
	}
	s.Pass("summarise failed log-ins")
	var keys [][]string
	for _, e := range l.next() {
		if e.Name == "FailedLogins" {
			var sum struct{ AccessKeyIDs []string }
			must(t, json.Unmarshal(e.RequestParameters, &sum))
			keys = append(keys, sum.AccessKeyIDs)
		}
	}
	if len(keys) != 2 || !slices.Equal(keys[0], []string{"AKIAONE", "AKIATWO"}) || len(keys[1]) != 8 {
		t.Errorf("the summaries tell of %q", keys)
	}
}

// TestAFullDiskLosesNoCount: while nothing can be recorded, what is lost and what
// is counted is all there was, and the trail says both when there is room.
func TestAFullDiskLosesNoCount(t *testing.T) {
	clock := &still{at: time.Now()}
	s := testkit.Start(t, testkit.Clock(clock.now), testkit.Setting("audit-file-bytes", "1"))
	l := newTrail(t, s)
	ask := func() { s.Do(testkit.Login{User: "AWS", Password: "wrong"}, "GET", "/v2/", nil) }
	for range 15 {
		ask()
	}
	restore := l.jam()
	for range 50 {
		ask()
	}
	restore()
	s.Pass("summarise failed log-ins")
	want := map[string]int{"RegistryLogin": 15, "AuditTrailGap": 5, "FailedLogins": 45}
	got := map[string]int{}
	for _, e := range l.next() {
		sum := struct{ Count int }{1}
		if e.Type == "AwsServiceEvent" {
			must(t, json.Unmarshal(e.RequestParameters, &sum))
		}
		got[e.Name] += sum.Count
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("in the trail (-want +got):\n%s", diff)
	}
}

// TestWhatCannotBeSummedNowIsLater: of many addresses, some of which are not told
// apart.
func TestWhatCannotBeSummedNowIsLater(t *testing.T) {
	f := server.NewFloods()
	now := time.Now()
	counted := 0
	for range 3 {
		for i := range 5000 {
			if !f.Admit(fmt.Sprint(i), now) {
				counted++
			}
		}
		for range 2 {
			if n := f.Again(now); n != counted {
				t.Fatalf("%d are summed, want %d", n, counted)
			}
		}
	}
}

// TestManyClientsHaveFewSummaries: of a flood of many clients the largest are
// told apart.
func TestManyClientsHaveFewSummaries(t *testing.T) {
	clock := &still{at: time.Now()}
	s := testkit.Start(t, testkit.Clock(clock.now), testkit.Setting("trusted-proxies", "127.0.0.1/32"))
	l := newTrail(t, s)
	for i := range 30 {
		for range 21 {
			s.Do(testkit.Login{}, "POST", "/", nil, fmt.Sprintf("X-Forwarded-For: 192.0.2.%d", i))
		}
	}
	if n := len(l.next()); n != 600 {
		t.Errorf("%d of 630 are recorded by themselves, want 600", n)
	}
	s.Pass("summarise failed log-ins")
	events := l.next()
	if len(events) != 11 {
		t.Fatalf("%d summaries, want 11", len(events))
	}
	last := events[10]
	for _, e := range events {
		if e.SourceIP == "0.0.0.0" {
			last = e
		}
	}
	if p := string(last.RequestParameters); !strings.Contains(p, `"count":20,`) || strings.Count(p, `"192.0.2.`) != 20 {
		t.Errorf("the summary of the others is %s", p)
	}
}

// TestRefusalsOfADay does its worst: every minute of the day, from many addresses.
func TestRefusalsOfADay(t *testing.T) {
	f := server.NewFloods()
	now := time.Now()
	lines := func(minutes int) (n int) {
		for range minutes {
			for i := range 1000 {
				if f.Admit(fmt.Sprint(i%50), now) {
					n++
				}
			}
			now = now.Add(time.Minute)
		}
		return n
	}
	if n := lines(24 * 60); n != 30_000 {
		t.Errorf("%d lines a day, want 30000", n)
	}
	if n := lines(1); n == 0 {
		t.Error("none on the next day")
	}
}
