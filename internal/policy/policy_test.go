package policy_test

import (
	"testing"

	"github.com/lighterage/lighterage/internal/policy"
)

func TestAnEmptyWorldAllowsNothing(t *testing.T) {
	d := policy.Evaluate(policy.Request{Action: "ecr:PutImage", Resource: "*"}, policy.Policies{})
	if d.Allowed || d.Explicit {
		t.Errorf("%+v", d)
	}
}
