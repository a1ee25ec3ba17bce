package access_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lighterage/lighterage/internal/access"
	"github.com/lighterage/lighterage/internal/identity"
)

func TestExplainTellsOfEveryStatement(t *testing.T) {
	w := newWorld(t)
	app := w.repository("team/app", statement("Deny", put, everybody))
	alice := w.user(ours, "alice", statement("Allow", "ecr:*", anyResource), statement("Allow", "s3:*", anyResource))
	e, err := w.Explain(ctx, alice, put, app)
	if err != nil {
		t.Fatal(err)
	}
	if e.Allowed || !e.Explicit || e.Exception || e.Because(put) != "with an explicit deny in a resource-based policy" {
		t.Errorf("%+v", e.Decision)
	}
	var got []string
	for _, l := range e.Lines {
		got = append(got, l.Policy+": "+l.Why)
	}
	want := []string{
		"policy of arn:aws:ecr:eu-west-1:123456789012:repository/team/app: denies",
		"user_alice_a: allows",
		"user_alice_b: Action does not match ecr:PutImage",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("lines (-want +got):\n%s", diff)
	}
}

func TestExplainSaysWhenNoPolicyHadASay(t *testing.T) {
	w := newWorld(t)
	app := w.repository("team/app", statement("Deny", "ecr:*", everybody))
	for _, tt := range []struct {
		caller  identity.Caller
		action  string
		allowed bool
	}{
		{root(ours), "ecr:SetRepositoryPolicy", true},
		{w.user(ours, "alice"), "sts:GetCallerIdentity", true},
		{identity.Caller{}, get, false},
		{identity.Caller{Kind: identity.Anonymous}, put, false},
	} {
		r := app
		if tt.action == "sts:GetCallerIdentity" {
			r.ARN = "*"
		}
		e, err := w.Explain(ctx, tt.caller, tt.action, r)
		if err != nil || !e.Exception || e.Allowed != tt.allowed {
			t.Errorf("%s of %q: %+v, %v", tt.action, tt.caller.ARN, e.Decision, err)
		}
		if (w.Authorize(ctx, tt.caller, tt.action, r) == nil) != tt.allowed {
			t.Errorf("%s of %q is not decided as it is explained", tt.action, tt.caller.ARN)
		}
	}
}

func TestAPolicyThatLocksTheCallerOut(t *testing.T) {
	w := newWorld(t)
	w.repository("team/app", "")
	alice := w.user(ours, "alice", statement("Allow", "ecr:*", anyResource))
	able := w.user(ours, "able")
	w.repository("given", statement("Allow", "ecr:*", principal(able.ARN)))
	for _, tt := range []struct {
		name     string
		caller   identity.Caller
		document string
		locks    bool
	}{
		{"one that allows somebody something", alice, statement("Allow", get, everybody), false},
		{"one that denies everybody everything", alice, statement("Deny", "ecr:*", everybody), true},
		{"one that denies somebody else", alice, statement("Deny", "ecr:*", principal(able.ARN)), false},
		{"one that denies everybody, by the root", root(ours), statement("Deny", "ecr:*", everybody), true},
		{"one that allows pulls, by the root", root(ours), statement("Allow", get, everybody), false},
		{"one that takes away what let the caller set it", able, statement("Allow", get, everybody), true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			locks, err := w.LocksOut(ctx, tt.caller, registryID, "given", tt.document)
			if err != nil || locks != tt.locks {
				t.Errorf("%v, %v; want %v", locks, err, tt.locks)
			}
		})
	}
	if _, err := w.LocksOut(ctx, alice, registryID, "given", "{"); err == nil {
		t.Error("what is no policy was looked at")
	}
	w.allows(alice, "ecr:SetRepositoryPolicy", access.Resource{Account: ours, ARN: "arn:aws:ecr:eu-west-1:123456789012:repository/given"})
}
