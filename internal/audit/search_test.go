package audit_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lighterage/lighterage/internal/audit"
)

// story is a trail of few events that differ in everything one can ask for.
func story(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	pushed := push("team/app")
	pushed.ID = "pushed"

	refused := push("team/secret")
	refused.ID, refused.Time, refused.ErrorCode = "refused", noon.Add(time.Minute), "AccessDeniedException"

	pulled := push("team/app")
	pulled.ID, pulled.Time, pulled.Name, pulled.ReadOnly = "pulled", noon.Add(2*time.Minute), "BatchGetImage", true
	pulled.Identity = audit.Identity{
		Type: "AssumedRole", PrincipalID: "AROACI:run-7", ARN: "arn:aws:sts::123456789012:assumed-role/ci/run-7", AccessKeyID: "ASIACI",
		SessionContext: &audit.SessionContext{Issuer: &audit.Issuer{
			Type: "Role", PrincipalID: "AROACI", ARN: "arn:aws:iam::123456789012:role/ci", UserName: "ci",
		}},
	}

	missing := push("gone")
	missing.ID, missing.Time, missing.ErrorCode = "missing", noon.Add(3*time.Minute), "RepositoryNotFoundException"

	made := push("")
	made.ID, made.Time, made.Source, made.Name = "made", noon.Add(4*time.Minute), "iam.amazonaws.com", "CreateUser"
	made.Identity = audit.Identity{Type: "Root", PrincipalID: "123456789012", ARN: "arn:aws:iam::123456789012:root"}
	made.Resources = []audit.Resource{{ARN: "arn:aws:iam::123456789012:user/bob"}}

	anonymous := push("public")
	anonymous.ID, anonymous.Time, anonymous.Name = "anonymous", noon.Add(5*time.Minute), "BatchGetImage"
	anonymous.Identity = audit.Identity{Type: "Unknown"}

	// Small files: the story has one event in each.
	record(t, open(t, audit.FileConfig{Dir: dir, MaxFile: 600, MaxTotal: 1 << 20}),
		pushed, refused, pulled, missing, made, anonymous)
	return dir
}

func TestFilters(t *testing.T) {
	dir := story(t)
	tests := []struct {
		name   string
		filter audit.Filter
		want   string
	}{
		{"no filter", audit.Filter{}, "pushed refused pulled missing made anonymous"},
		{"a user's ARN", audit.Filter{Principal: "arn:aws:iam::123456789012:user/dev/alice"}, "pushed refused missing"},
		{"a user's name", audit.Filter{Principal: "alice"}, "pushed refused missing"},
		{"a user's path and name", audit.Filter{Principal: "dev/*"}, "pushed refused missing"},
		{"part of a name", audit.Filter{Principal: "ali"}, ""},
		{"an access key", audit.Filter{Principal: "AKIAALICE"}, "pushed refused missing"},
		{"a role's name", audit.Filter{Principal: "ci"}, "pulled"},
		{"a role's ARN", audit.Filter{Principal: "arn:aws:iam::*:role/c?"}, "pulled"},
		{"a session", audit.Filter{Principal: "ci/run-*"}, "pulled"},
		{"root", audit.Filter{Principal: "root"}, "made"},
		{"everybody with a name", audit.Filter{Principal: "*"}, "pushed refused pulled missing made"},
		{"a repository", audit.Filter{Repository: "team/app"}, "pushed pulled"},
		{"a repository's ARN", audit.Filter{Repository: "arn:aws:ecr:eu-central-1:123456789012:repository/team/app"}, "pushed pulled"},
		{"repositories of a team", audit.Filter{Repository: "team/*"}, "pushed refused pulled"},
		{"another resource's ARN", audit.Filter{Repository: "*:user/bob"}, "made"},
		{"an action", audit.Filter{Action: "PutImage"}, "pushed refused missing"},
		{"an action in other case", audit.Filter{Action: "putimage"}, "pushed refused missing"},
		{"an action with its service", audit.Filter{Action: "ecr:PutImage"}, "pushed refused missing"},
		{"all of a service", audit.Filter{Action: "iam:*"}, "made"},
		{"an action of another service", audit.Filter{Action: "iam:PutImage"}, ""},
		{"what succeeded", audit.Filter{Outcome: audit.OK}, "pushed pulled made anonymous"},
		{"what was denied", audit.Filter{Outcome: audit.Denied}, "refused"},
		{"what failed", audit.Filter{Outcome: audit.Failed}, "missing"},
		{"from a time on", audit.Filter{From: noon.Add(3 * time.Minute)}, "missing made anonymous"},
		{"before a time", audit.Filter{To: noon.Add(2 * time.Minute)}, "pushed refused"},
		{"between two times", audit.Filter{From: noon.Add(time.Minute), To: noon.Add(3 * time.Minute)}, "refused pulled"},
		{"times of another zone", audit.Filter{From: noon.Add(time.Minute).In(time.FixedZone("", -7200)), To: noon.Add(61 * time.Second)}, "refused"},
		{"all at once", audit.Filter{Principal: "alice", Repository: "team/*", Action: "ecr:Put*", Outcome: audit.Denied, From: noon, To: noon.Add(time.Hour)}, "refused"},
		{"a pattern with odd characters", audit.Filter{Principal: "ali\u00e9\"<ce"}, ""},
		{"nothing", audit.Filter{Principal: "mallory"}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			want := strings.Fields(tt.want)
			got, _ := found(t, dir, audit.Query{Filter: tt.filter, OldestFirst: true})
			if !slices.Equal(got, want) {
				t.Errorf("oldest first: found %q, want %q", got, want)
			}
			slices.Reverse(want)
			got, _ = found(t, dir, audit.Query{Filter: tt.filter})
			if !slices.Equal(got, want) {
				t.Errorf("newest first: found %q, want %q", got, want)
			}
		})
	}
}

func TestFilesThatEndedBeforeAreNotRead(t *testing.T) {
	dir := t.TempDir()
	f := open(t, audit.FileConfig{Dir: dir, MaxFile: 600, MaxTotal: 1 << 20})
	for range 6 { // one event in each of six files
		record(t, f, push("team/app"))
	}
	for n := 1; n <= 3; n++ {
		path := filepath.Join(dir, fmt.Sprintf("audit-%012d.jsonl", n))
		if err := os.Chtimes(path, noon, noon.Add(time.Duration(n)*time.Minute)); err != nil {
			t.Fatal(err)
		}
	}
	for _, oldest := range []bool{true, false} {
		_, sum := found(t, dir, audit.Query{OldestFirst: oldest, Filter: audit.Filter{From: noon.Add(2 * time.Hour)}})
		if sum.Read != 3 {
			t.Errorf("%d lines were read, want those of the three later files", sum.Read)
		}
	}
	// Within the hour that clocks may differ by, all are.
	if _, sum := found(t, dir, audit.Query{Filter: audit.Filter{From: noon.Add(time.Hour)}}); sum.Read != 6 {
		t.Errorf("%d lines were read, want 6", sum.Read)
	}
}

func TestFiltersThatAskForNothing(t *testing.T) {
	dir := story(t)
	for name, f := range map[string]audit.Filter{
		"an outcome that is none": {Outcome: "allowed"},
		"times the wrong way":     {From: noon, To: noon},
	} {
		_, err := audit.Search(context.Background(), dir, audit.Query{Filter: f}, func(audit.Event) bool { return true })
		if err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestLimits(t *testing.T) {
	dir := story(t)
	all, _ := found(t, dir, audit.Query{})
	for limit := 1; limit <= len(all)+1; limit++ {
		ids, sum := found(t, dir, audit.Query{Limit: limit})
		if want := all[:min(limit, len(all))]; !slices.Equal(ids, want) || sum.Found != len(want) || sum.More != (limit < len(all)) {
			t.Errorf("of %d, at most %d: found %q, summary %+v", len(all), limit, ids, sum)
		}
	}
}

func TestASearchStops(t *testing.T) {
	dir := story(t)
	calls := 0
	sum, err := audit.Search(context.Background(), dir, audit.Query{}, func(audit.Event) bool {
		calls++
		return calls < 2
	})
	if err != nil || calls != 2 || sum.Found != 2 {
		t.Errorf("%d calls, summary %+v, error %v; want 2", calls, sum, err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	_, err = audit.Search(ctx, dir, audit.Query{}, func(audit.Event) bool { cancel(); return true })
	if !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want %v", err, context.Canceled)
	}
}

func TestTrailsWithoutEvents(t *testing.T) {
	empty := t.TempDir()
	open(t, audit.FileConfig{Dir: empty})
	for name, dir := range map[string]string{"an empty directory": t.TempDir(), "a trail just begun": empty} {
		if ids, sum := found(t, dir, audit.Query{}); len(ids) != 0 || sum != (audit.Summary{}) {
			t.Errorf("%s: found %q, summary %+v", name, ids, sum)
		}
	}
	_, err := audit.Search(context.Background(), filepath.Join(empty, "none"), audit.Query{}, func(audit.Event) bool { return true })
	if !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no directory: error %v", err)
	}
}

func TestALineThatIsBeingWrittenIsNotSeen(t *testing.T) {
	dir := t.TempDir()
	record(t, open(t, audit.FileConfig{Dir: dir}), push("team/app"))
	path := filepath.Join(dir, "audit.jsonl")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for n := 0; n < len(text); n += 7 {
		if err := os.WriteFile(path, append(slices.Clone(text), text[:n]...), 0o600); err != nil {
			t.Fatal(err)
		}
		if ids, sum := found(t, dir, audit.Query{}); len(ids) != 1 || sum.Broken != 0 {
			t.Fatalf("with %d bytes of the second line: found %q, summary %+v", n, ids, sum)
		}
	}
}

// TestSearchWhileWritten searches again and again while files are filled,
// numbered and removed.
func TestSearchWhileWritten(t *testing.T) {
	dir := t.TempDir()
	f := open(t, audit.FileConfig{Dir: dir, MaxFile: 8 << 10, MaxTotal: 1 << 20})
	record(t, f, push("first"))
	done := make(chan struct{})
	go func() {
		defer close(done)
		for i := range 3000 {
			e := push("team/app")
			e.ID = fmt.Sprint(i)
			if err := f.Record(e); err != nil {
				t.Error(err)
			}
		}
	}()
	for searches, writing := 0, true; writing; searches++ {
		select {
		case <-done:
			writing = false
		default:
		}
		ids, sum := found(t, dir, audit.Query{OldestFirst: searches%2 == 0})
		if sum.Broken != 0 || len(ids) == 0 {
			t.Fatalf("found %d events, summary %+v", len(ids), sum)
		}
		slices.Sort(ids)
		if unique := len(slices.Compact(slices.Clone(ids))); unique != len(ids) {
			t.Fatalf("%d events were given twice", len(ids)-unique)
		}
	}
}

func TestGlob(t *testing.T) {
	for _, tt := range []struct {
		pattern, s string
		want       bool
	}{
		{"", "", true}, {"", "a", false}, {"*", "", true}, {"*", "anything", true}, {"a", "a", true}, {"a", "b", false},
		{"a", "ab", false}, {"?", "a", true}, {"?", "", false}, {"a*c", "abbbc", true}, {"a*c", "abbbd", false},
		{"*a*b*", "xxaxxbxx", true}, {"*a*b", "ab-ab", true}, {"**", "x", true}, {"a**", "a", true}, {"a?*", "a", false},
		{strings.Repeat("a*", 50) + "b", strings.Repeat("a", 5000), false},
	} {
		if got := audit.Glob(tt.pattern, tt.s); got != tt.want {
			t.Errorf("%q for %.20q is %t, want %t", tt.pattern, tt.s, got, tt.want)
		}
	}
}
