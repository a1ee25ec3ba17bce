package server_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"
	"github.com/google/go-cmp/cmp"

	"github.com/lighterage/lighterage/internal/testkit"
)

const keepTwo = `{"rules":[{"rulePriority":7,"description":"keep two","selection":{"tagStatus":"any","countType":"imageCountMoreThan","countNumber":2},"action":{"type":"expire"}}]}`

// TestLifecyclePoliciesRunOnceADay: what the preview named is gone a day after,
// and in the trail.
func TestLifecyclePoliciesRunOnceADay(t *testing.T) {
	var ahead atomic.Int64 // of the machine's time, which clients sign with
	s := testkit.Start(t, testkit.Clock(func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }))
	l := newTrail(t, s)
	login := s.Login()
	var digests []string
	for i := range 4 {
		_, d := s.PushImage(login, "team/app", fmt.Sprint("v", i), fmt.Appendf(nil, "{%d}", i), []byte("layer"))
		digests = append(digests, d)
	}
	l.next()
	repository, text := "team/app", keepTwo
	_, err := s.ECR().PutLifecyclePolicy(t.Context(), &ecr.PutLifecyclePolicyInput{RepositoryName: &repository, LifecyclePolicyText: &text})
	must(t, err)
	if diff := cmp.Diff([]string{"Root ecr:PutLifecyclePolicy on repository/team/app " +
		`{"lifecyclePolicyTextSha256":"` + strings.TrimPrefix(testkit.Digest([]byte(text)), "sha256:") + `","repositoryName":"team/app"}`}, summary(l.next())); diff != "" {
		t.Errorf("in the trail (-want +got):\n%s", diff)
	}
	run := func() int {
		t.Helper()
		s.Pass("run lifecycle policies")
		was := ahead.Swap(0)
		defer ahead.Store(was)
		out, err := s.ECR().ListImages(t.Context(), &ecr.ListImagesInput{RepositoryName: &repository, Filter: &types.ListImagesFilter{}})
		must(t, err)
		return len(out.ImageIds)
	}
	if n := run(); n != 4 {
		t.Errorf("%d images before the day is over", n)
	}
	l.next()
	ahead.Store(int64(24*time.Hour + time.Minute))
	if n := run(); n != 2 {
		t.Errorf("%d images after a day", n)
	}
	events := l.next()
	if diff := cmp.Diff([]string{ // the list was asked for a day before
		`Root ecr:ListImages on repository/team/app {"repositoryName":"team/app"}`, "AWSService ecr:PolicyExecutionEvent on repository/team/app",
	}, summary(events)); diff != "" {
		t.Fatalf("in the trail (-want +got):\n%s", diff)
	}
	e := events[1]
	if e.Identity.InvokedBy != "AWS Internal" || e.Identity.AccountID != "000000000000" || e.SourceIP != "AWS Internal" || e.UserAgent != "AWS Internal" ||
		e.Type != "AwsServiceEvent" || e.ReadOnly || e.Region != "us-east-1" || e.RecipientAccountID != "000000000000" || e.Category != "Management" {
		t.Errorf("the event %+v", e)
	}
	var details struct {
		RepositoryName string
		Policy         struct {
			Rules           []map[string]any `json:"lifecycleEventRules"`
			LastEvaluatedAt *int64
		} `json:"lifecycleEventPolicy"`
		Actions []struct {
			Image struct {
				Digest, TagStatus string
				TagList           []string
				PushedAt          int64
			} `json:"lifecycleEventImage"`
			RulePriority int
		} `json:"lifecycleEventImageActions"`
		Failures []any `json:"lifecycleEventFailureDetails"`
	}
	must(t, json.Unmarshal(e.ServiceDetails, &details))
	if details.RepositoryName != "team/app" || details.Policy.LastEvaluatedAt == nil || *details.Policy.LastEvaluatedAt != 0 || len(details.Failures) != 0 || len(details.Actions) != 2 {
		t.Fatalf("details %s", e.ServiceDetails)
	}
	rule := map[string]any{
		"rulePriority": 7.0, "description": "keep two", "action": "expire",
		"lifecycleEventSelection": map[string]any{"tagStatus": "Any", "tagPrefixList": []any{}, "countType": "Image count more than", "countNumber": 2.0},
	}
	if diff := cmp.Diff([]map[string]any{rule}, details.Policy.Rules); diff != "" {
		t.Errorf("rules (-want +got):\n%s", diff)
	}
	for i, a := range details.Actions {
		if a.Image.Digest != digests[i] || a.Image.TagStatus != "Tagged" || len(a.Image.TagList) != 1 || a.Image.TagList[0] != fmt.Sprint("v", i) ||
			a.RulePriority != 7 || time.Since(time.UnixMilli(a.Image.PushedAt)) > time.Hour {
			t.Errorf("action %d: %+v", i, a)
		}
	}
	ahead.Store(0)
	s.CheckInvariants(t)
}

// TestNoLifecyclePolicyRunsWhileTheTrailCannotBeWritten: what it did would not
// be told.
func TestNoLifecyclePolicyRunsWhileTheTrailCannotBeWritten(t *testing.T) {
	s := testkit.Start(t, testkit.Setting("audit-file-bytes", "1")) // each file has a line
	l := newTrail(t, s)
	login := s.Login()
	for i := range 4 {
		s.PushImage(login, "team/app", fmt.Sprint("v", i), fmt.Appendf(nil, "{%d}", i), []byte("layer"))
	}
	repository, text := "team/app", keepTwo
	_, err := s.ECR().PutLifecyclePolicy(t.Context(), &ecr.PutLifecyclePolicyInput{RepositoryName: &repository, LifecyclePolicyText: &text})
	must(t, err)
	restore := l.jam()
	s.Do(login, "GET", "/v2/team/app/manifests/v0", nil) // after which it is known
	in := map[string]string{"repositoryName": repository}
	checkCode(t, "a run", root(s).admin("RunLifecyclePolicy", in, nil), "ServerException")
	restore()
	must(t, root(s).admin("RunLifecyclePolicy", in, &struct{}{}))
	out, err := s.ECR().ListImages(t.Context(), &ecr.ListImagesInput{RepositoryName: &repository})
	must(t, err)
	if len(out.ImageIds) != 2 {
		t.Errorf("%d images", len(out.ImageIds))
	}
}
