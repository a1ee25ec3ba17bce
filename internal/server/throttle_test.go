package server_test

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/lighterage/lighterage/internal/testkit"
)

// TestAThousandWrongPasswords are refused soon, and do not shut out who works
// behind the same address.
func TestAThousandWrongPasswords(t *testing.T) {
	clock := &still{at: time.Now()}
	s := testkit.Start(t, testkit.Clock(clock.now))
	good := s.Login()
	if a := s.Do(good, "GET", "/v2/", nil); a.Status != 200 {
		t.Fatalf("at first: %d", a.Status)
	}
	refused := map[int]int{}
	var last testkit.Answer
	for i := range 1000 {
		last = s.Do(testkit.Login{User: "AWS", Password: fmt.Sprintf("wrong-%d", i)}, "GET", "/v2/", nil)
		refused[last.Status]++
	}
	if refused[401] < 1 || refused[401] > 60 || refused[401]+refused[429] != 1000 {
		t.Errorf("answers by status: %v", refused)
	}
	checkOCI(t, last, 429, "TOOMANYREQUESTS", "Rate exceeded")
	if after := last.Header.Get("Retry-After"); after == "" || after == "0" {
		t.Errorf("Retry-After: %q", after)
	}
	if a := s.Do(good, "GET", "/v2/", nil); a.Status != 200 {
		t.Errorf("a token that has been used here: %d", a.Status)
	}
	if _, err := s.ECR().DescribeRepositories(t.Context(), &ecr.DescribeRepositoriesInput{}); err != nil {
		t.Errorf("a key that has been used here: %v", err)
	}
	clock.add(time.Hour)
	if a := s.Do(testkit.Login{User: "AWS", Password: "wrong"}, "GET", "/v2/", nil); a.Status != http.StatusUnauthorized {
		t.Errorf("an hour later: %d", a.Status)
	}
}

// TestWrongSignaturesAreThrottled asks both AWS doors.
func TestWrongSignaturesAreThrottled(t *testing.T) {
	s := testkit.Start(t)
	c := s.AWS()
	c.Credentials = credentials.NewStaticCredentialsProvider(s.Root.AccessKeyID, "wrong", "")
	c.RetryMaxAttempts = 1
	for range 30 {
		_, _ = sts.NewFromConfig(c).GetCallerIdentity(t.Context(), &sts.GetCallerIdentityInput{})
	}
	_, err := sts.NewFromConfig(c).GetCallerIdentity(t.Context(), &sts.GetCallerIdentityInput{})
	checkAWS(t, err, 400, "Throttling")
	_, err = ecr.NewFromConfig(c).DescribeRepositories(t.Context(), &ecr.DescribeRepositoriesInput{})
	checkAWS(t, err, 400, "ThrottlingException")
}
