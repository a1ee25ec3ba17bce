package access_test

import (
	"strings"
	"testing"

	"github.com/lighterage/lighterage/internal/identity"
)

// TestCreatingWithTagsTakesTheRightToTag: whoever may make a thing could
// otherwise give it what policies go by. Those of IAM are in the matrix of its
// operations.
func TestCreatingWithTagsTakesTheRightToTag(t *testing.T) {
	d := &doors{world: newWorld(t)}
	d.openDoors(t)
	const creation = "Allow\",\"Action\":[\"lightsail:CreateContainerService\",\"ecr:CreateRepository\"],\"Resource\":\"*\""
	allow := func(more string) string {
		return `{"Version":"2012-10-17","Statement":[{"Effect":"` + creation + `}` + more + `]}`
	}
	tagging := `,{"Effect":"Allow","Action":["lightsail:TagResource","ecr:TagResource"],"Resource":"*","Condition":{"StringEquals":{"aws:RequestTag/env":"dev"}}}`
	d.callers = []identity.Caller{d.user(ours, "maker", allow("")), d.user(ours, "tagger", allow(tagging))}
	for _, tt := range []struct {
		what   string
		caller int
		tags   string
		denied bool
	}{
		{"without tags", 0, ``, false},
		{"with an empty list of tags", 0, `,"tags":[]`, false},
		{"with tags and no right to tag", 0, `,"tags":[{"T":"env","V":"dev"}]`, true},
		{"with tags that may be given", 1, `,"tags":[{"T":"env","V":"dev"}]`, false},
		{"with tags that may not be given", 1, `,"tags":[{"T":"env","V":"prod"}]`, true},
	} {
		for _, r := range []request{
			{door: "lightsail", name: "CreateContainerService", body: `{"serviceName":"web","power":"nano","scale":1` + strings.NewReplacer(`"T"`, `"key"`, `"V"`, `"value"`).Replace(tt.tags) + `}`},
			{door: "ecr", name: "CreateRepository", body: `{"repositoryName":"team/app"` + strings.NewReplacer(`"T"`, `"Key"`, `"V"`, `"Value"`).Replace(tt.tags) + `}`},
		} {
			if denied := d.denied(t, r, "team/app", tt.caller); denied != tt.denied {
				t.Errorf("%s %s: denied %v, want %v", r.name, tt.what, denied, tt.denied)
			}
		}
	}
}
