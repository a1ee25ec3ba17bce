package main

import (
	"fmt"
	"strings"
	"testing"

	sdk "github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/google/go-cmp/cmp"
)

const keepTwo = `{"rules":[{"rulePriority":7,"selection":{"tagStatus":"any","countType":"imageCountMoreThan","countNumber":2},"action":{"type":"expire"}}]}`

// pushes makes repositories with images of the tags v0 to v3.
func (s *shell) pushes(repositories ...string) {
	s.t.Helper()
	login := s.Login()
	for _, r := range repositories {
		for i := range 4 {
			s.PushImage(login, r, fmt.Sprint("v", i), fmt.Appendf(nil, "{%d}", i))
		}
	}
}

func (s *shell) setLifecycle(repository, text string) {
	s.t.Helper()
	if _, err := s.ECR().PutLifecyclePolicy(s.t.Context(), &sdk.PutLifecyclePolicyInput{RepositoryName: &repository, LifecyclePolicyText: &text}); err != nil {
		s.t.Fatal(err)
	}
}

func TestLifecyclePoliciesAreTriedRunAndListed(t *testing.T) {
	s := newShell(t)
	s.pushes("one", "team/two", "none")
	tried := s.ok("lifecycle", "run", "--dry-run", "--repository=one", "--policy="+file(t, keepTwo))
	if strings.Count(tried, "selected") != 2 || !strings.Contains(tried, "v0") || !strings.Contains(tried, "v1") || strings.Contains(tried, "v2") {
		t.Errorf("tried:\n%s", tried)
	}
	if got := s.ok("lifecycle", "list"); strings.Count(got, "\n") != 1 {
		t.Errorf("listed before there was any:\n%s", got)
	}
	s.setLifecycle("one", keepTwo)
	s.setLifecycle("team/two", keepTwo)
	if got := s.ok("lifecycle", "run", "--dry-run"); strings.Count(got, "selected") != 4 {
		t.Errorf("tried all:\n%s", got)
	}
	if got := s.ok("lifecycle", "run", "--account=210987654321"); got != "" {
		t.Errorf("ran another account's:\n%s", got)
	}
	var total lifecycleTotal
	s.json(&total, "lifecycle", "run", "--repository=team/two")
	var lines []string
	for _, o := range total.Results {
		if o.Account != "000000000000" || o.Region != "us-east-1" || o.PushedAt == "" || len(o.Digest) != 71 {
			t.Errorf("printed %+v", o)
		}
		lines = append(lines, fmt.Sprintf("%s %s %d %s %s", o.Repository, strings.Join(o.Tags, " "), o.Priority, o.Action, o.Outcome))
	}
	if diff := cmp.Diff([]string{"team/two v0 7 expire expired", "team/two v1 7 expire expired"}, lines); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	total.Results = nil
	if diff := cmp.Diff(lifecycleTotal{Repositories: 1, Images: 4, Selected: 2, Expired: 2}, total); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if got := s.ok("lifecycle", "run", "--account=000000000000"); strings.Count(got, "expired") != 2 || strings.Contains(got, "team/two") {
		t.Errorf("ran the rest:\n%s", got)
	}
	if got := s.ok("lifecycle", "run"); got != "" {
		t.Errorf("ran all again:\n%s", got)
	}
	if got := s.ok("lifecycle", "list"); strings.Count(got, "\n") != 3 || !strings.Contains(got, "000000000000  us-east-1  team/two") || strings.Contains(got, "  -") {
		t.Errorf("listed:\n%s", got)
	}
	if got := s.ok("audit", "--action=ecr:PolicyExecutionEvent"); strings.Count(got, "PolicyExecutionEvent") != 2 {
		t.Errorf("in the trail:\n%s", got)
	}
}

func TestARunArchives(t *testing.T) {
	s := newShell(t)
	s.pushes("one")
	s.setLifecycle("one", strings.Replace(keepTwo, `"expire"`, `"transition","targetStorageClass":"archive"`, 1))
	for _, want := range []lifecycleTotal{{Repositories: 1, Images: 4, Selected: 2, Archived: 2}, {Repositories: 1, Images: 4}} {
		var total lifecycleTotal
		s.json(&total, "lifecycle", "run")
		if len(total.Results) != want.Archived {
			t.Errorf("printed %+v", total.Results)
		}
		for _, o := range total.Results {
			if o.Action != "transition" || o.Outcome != "archived" {
				t.Errorf("printed %+v", o)
			}
		}
		total.Results = nil
		if diff := cmp.Diff(want, total); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
	}
	events := s.ok("audit", "--action=ecr:PolicyExecutionEvent", "--json")
	if strings.Count(events, "PolicyExecutionEvent") != 1 || strings.Count(events, "lifecycleEventImage\"") != 2 || !strings.Contains(events, `"action":"transition"`) {
		t.Errorf("in the trail:\n%s", events)
	}
}

func TestLifecycleCommandsThatAreWrong(t *testing.T) {
	s := newShell(t)
	s.pushes("one")
	policy := file(t, keepTwo)
	for _, tt := range []struct {
		name string
		code int
		args []string
		want string
	}{
		{"a policy to run", exitUsage, []string{"--repository=one", "--policy=" + policy}, "--policy is tried on one repository: it needs --dry-run and --repository"},
		{"a policy for all", exitUsage, []string{"--dry-run", "--policy=" + policy}, "--policy is tried on one repository: it needs --dry-run and --repository"},
		{"a file that is not there", exitUsage, []string{"--dry-run", "--repository=one", "--policy=nothing"}, "nothing cannot be read"},
		{"a policy that is none", exitFailed, []string{"--dry-run", "--repository=one", "--policy=" + file(t, strings.Repeat("no JSON", 20))}, "Could not map policyString into LifecyclePolicy."},
		{"no policy", exitFailed, []string{"--repository=one"}, "The repository one of the account 000000000000 has no lifecycle policy."},
		{"no repository", exitFailed, []string{"--repository=two"}, "The account 000000000000 has no repository two in the region."},
		{"an account that is none", exitFailed, []string{"--account=12"}, `"12" is no account id`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := said(t, tt.code, append([]string{"lifecycle", "run", "--data-dir=" + s.Dir}, tt.args...)...); !strings.Contains(got, tt.want) {
				t.Errorf("said %q, want %q", got, tt.want)
			}
		})
	}
}
