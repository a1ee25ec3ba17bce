package policy_test

import (
	"testing"

	"github.com/lighterage/lighterage/internal/policy"
)

func TestADenialIsAWSsSentence(t *testing.T) {
	const user, arn = "arn:aws:iam::111122223333:user/alice", "arn:aws:ecr:eu-west-1:111122223333:repository/app"
	const start = "User: " + user + " is not authorized to perform: ecr:PutImage on resource: " + arn + " "
	for _, tt := range []struct {
		name     string
		decision policy.Decision
		want     string
	}{
		{"no identity policy", policy.Decision{Layer: policy.IdentityBased}, "because no identity-based policy allows the ecr:PutImage action"},
		{"no resource policy", policy.Decision{Layer: policy.ResourceBased}, "because no resource-based policy allows the ecr:PutImage action"},
		{"no boundary", policy.Decision{Layer: policy.PermissionsBoundary}, "because no permissions boundary allows the ecr:PutImage action"},
		{"no session policy", policy.Decision{Layer: policy.SessionScoped}, "because no session policy allows the ecr:PutImage action"},
		{"no trust policy", policy.Decision{Layer: policy.RoleTrust}, "because no role trust policy allows the ecr:PutImage action"},
		{"an identity policy", policy.Decision{Explicit: true, Layer: policy.IdentityBased}, "with an explicit deny in an identity-based policy"},
		{"a resource policy", policy.Decision{Explicit: true, Layer: policy.ResourceBased}, "with an explicit deny in a resource-based policy"},
		{"a registry policy", policy.Decision{Explicit: true, Layer: policy.RegistryBased}, "with an explicit deny in a registry policy"},
		{"a boundary", policy.Decision{Explicit: true, Layer: policy.PermissionsBoundary}, "with an explicit deny in a permissions boundary"},
		{"a session policy", policy.Decision{Explicit: true, Layer: policy.SessionScoped}, "with an explicit deny in a session policy"},
		{"a trust policy", policy.Decision{Explicit: true, Layer: policy.RoleTrust}, "with an explicit deny in the role trust policy"},
	} {
		if got := tt.decision.Denial(user, "ecr:PutImage", arn); got != start+tt.want {
			t.Errorf("%s: %q\nwant %q", tt.name, got, start+tt.want)
		}
	}
	if got := (policy.Decision{Allowed: true}).Because("ecr:PutImage"); got != "" {
		t.Errorf("allowed %q", got)
	}
}

func TestNamesOnly(t *testing.T) {
	replication := []string{"ecr:ReplicateImage", "ecr:CreateRepository", "ecr:BatchImportUpstreamImage"}
	for action, want := range map[string]bool{
		`"Action": "ecr:ReplicateImage"`:                           true,
		`"Action": ["ecr:replicateimage", "ecr:CreateRepository"]`: true,
		`"Action": ["ecr:ReplicateImage", "ecr:PutImage"]`:         false,
		`"Action": "ecr:Replicate*"`:                               false,
		`"Action": "*"`:                                            false,
		`"NotAction": "ecr:ReplicateImage"`:                        false,
	} {
		d, err := policy.Parse(policy.Registry, `{"Statement": {"Effect": "Allow", "Principal": "*", `+action+`, "Resource": "*"}}`)
		if err != nil {
			t.Fatal(err)
		}
		if got := d.NamesOnly(replication...); got != want {
			t.Errorf("%s names only those: %t", action, got)
		}
	}
}

func TestAStatementIsFoundInTheText(t *testing.T) {
	const text = `{"Statement": [
  {"Sid": "a", "Effect": "Allow", "Action": "ecr:*", "Resource": "*"} ,
  {"Sid": "b", "Effect": "Deny", "Action": "ecr:*", "Resource": "*"}
]}`
	d, err := policy.Parse(policy.Identity, text)
	if err != nil {
		t.Fatal(err)
	}
	_, lines := policy.Explain(policy.Request{Action: "ecr:PutImage"}, policy.Policies{Identity: []policy.Named{{Name: "x", Document: d}}})
	if len(lines) != 2 {
		t.Fatalf("%d lines", len(lines))
	}
	for i, want := range []string{
		`{"Sid": "a", "Effect": "Allow", "Action": "ecr:*", "Resource": "*"}`,
		`{"Sid": "b", "Effect": "Deny", "Action": "ecr:*", "Resource": "*"}`,
	} {
		if got := text[lines[i].Start:lines[i].End]; got != want {
			t.Errorf("statement %d: %q", i, got)
		}
	}
}
