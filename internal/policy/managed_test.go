package policy_test

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/lighterage/lighterage/internal/policy"
)

func TestEveryManagedPolicyIsWholeAndGood(t *testing.T) {
	all := policy.ManagedPolicies()
	if len(all) != 7 {
		t.Fatalf("there are %d", len(all))
	}
	id := regexp.MustCompile(`^ANPA[A-Z0-9]{17}$`)
	for _, p := range all {
		if p.ARN != "arn:aws:iam::aws:policy"+p.Path+p.Name || !id.MatchString(p.UniqueID) || p.CreatedAt.IsZero() || p.Description == "" {
			t.Errorf("%+v", p)
		}
		if !strings.HasPrefix(p.Document, "{\n    \"Version\"") || !strings.HasSuffix(p.Document, "\n}") {
			t.Errorf("%s is laid out as %q", p.Name, p.Document)
		}
		if _, err := policy.Parse(policy.Managed, p.Document); err != nil {
			t.Errorf("%s: %v", p.Name, err)
		}
		if document, ok := policy.ManagedDocument(p.ARN); !ok || document != p.Document {
			t.Errorf("%s is not found by its ARN", p.Name)
		}
	}
	if !slices.IsSortedFunc(all, func(a, b policy.ManagedPolicy) int {
		return strings.Compare(strings.ToLower(a.Name), strings.ToLower(b.Name))
	}) {
		t.Error("they are not by name")
	}
	if _, ok := policy.ManagedDocument("arn:aws:iam::aws:policy/administratoraccess"); ok {
		t.Error("letter case does not count")
	}
}
