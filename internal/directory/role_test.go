package directory_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lighterage/lighterage/internal/directory"
	"github.com/lighterage/lighterage/internal/fault"
	"github.com/lighterage/lighterage/internal/name"
)

func TestARoleIsChangedInPart(t *testing.T) {
	w := newWorld(t)
	made := must2[directory.Principal](t)(w.CreateRole(w.ctx, home, directory.NewRole{
		Name: "R", Trust: trust, Description: "d", Boundary: readOnly, Tags: []directory.ResourceTag{{Key: "k", Value: "v"}},
	}))
	if made.MaxSession != time.Hour || made.Path != "/" || made.UniqueID[:4] != "AROA" {
		t.Errorf("made %+v", made)
	}
	want := made
	want.MaxSession = 12 * time.Hour
	got := must2[directory.Principal](t)(w.UpdateRole(w.ctx, home, "r", directory.RoleChange{MaxSession: new(12 * time.Hour)}))
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	want.Description = ""
	must2[directory.Principal](t)(w.UpdateRole(w.ctx, home, "r", directory.RoleChange{Description: new("")}))
	must2[directory.Principal](t)(w.UpdateRole(w.ctx, home, "r", directory.RoleChange{}))
	if diff := cmp.Diff(want, must2[directory.Principal](t)(w.GetRole(w.ctx, home, "r"))); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for _, d := range []time.Duration{0, time.Hour - 1, 12*time.Hour + 1} {
		if _, err := w.UpdateRole(w.ctx, home, "r", directory.RoleChange{MaxSession: &d}); !fault.Is(err, fault.ParameterInvalid) {
			t.Errorf("sessions of %v: %v", d, err)
		}
	}
	if _, err := w.UpdateRole(w.ctx, home, "r", directory.RoleChange{Trust: new(pull)}); !fault.Is(err, fault.PolicyMalformed) {
		t.Errorf("a trust policy that is none: %v", err)
	}
	_, err := w.UpdateRole(w.ctx, abroad, "r", directory.RoleChange{})
	w.refused(err, fault.EntityNotFound, "role", "r")
}

// TestWhomATrustPolicyNamesIsThere, in whichever account of the server.
func TestWhomATrustPolicyNamesIsThere(t *testing.T) {
	w := newWorld(t)
	for _, account := range []name.AccountID{home, abroad} {
		must2[directory.Principal](t)(w.CreateUser(w.ctx, account, directory.NewUser{Name: "bob", Path: "/a/"}))
		must2[directory.Principal](t)(w.CreateRole(w.ctx, account, directory.NewRole{Name: "ci", Path: "/b/", Trust: trust}))
	}
	must2[directory.Principal](t)(w.CreateRole(w.ctx, home, directory.NewRole{Name: "r", Trust: trust}))
	const aws, iam, sts = `"AWS":"`, `"AWS":"arn:aws:iam::`, `"AWS":"arn:aws:sts::`
	for _, tt := range []struct {
		name, principal string
		there           bool
	}{
		{"everybody", `"AWS":"*"`, true},
		{"its account", aws + string(home) + `"`, true},
		{"another account", aws + string(abroad) + `"`, true},
		{"another account's root", iam + string(abroad) + ":root" + `"`, true},
		{"a user", iam + string(home) + ":user/a/bob" + `"`, true},
		{"another account's user", iam + string(abroad) + ":user/a/bob" + `"`, true},
		{"a role", iam + string(home) + ":role/b/ci" + `"`, true},
		{"a session", sts + string(abroad) + ":assumed-role/ci/s" + `"`, true},
		{"a federated user", sts + string(home) + ":federated-user/eve" + `"`, true},
		{"a provider that nobody made", `"Federated":"arn:aws:iam::` + string(home) + `:oidc-provider/idp.example.com"`, true},
		{"a service", `"Service":"ecr.amazonaws.com"`, true},
		{"an account that nobody here has", aws + "999999999999" + `"`, true},
		{"the root of one that nobody here has", iam + "999999999999:root" + `"`, true},
		{"a user of an account that nobody here has", iam + "999999999999:user/bob" + `"`, true},
		{"a user who is not", iam + string(home) + ":user/a/eve" + `"`, false},
		{"a user without the path", iam + string(home) + ":user/bob" + `"`, false},
		{"a user in other letters", iam + string(home) + ":user/a/Bob" + `"`, false},
		{"a user's name as a role's", iam + string(home) + ":role/a/bob" + `"`, false},
		{"itself, before it is there", iam + string(home) + ":role/new" + `"`, false},
		{"a session of a role that is not", sts + string(home) + ":assumed-role/cd/s" + `"`, false},
		{"a federated user of an account that nobody here has", sts + "999999999999:federated-user/eve" + `"`, true},
		{"another partition's account", `"AWS":"arn:aws-cn:iam::` + string(home) + `:root"`, false},
		{"another partition's user", `"AWS":"arn:aws-cn:iam::` + string(home) + `:user/a/bob"`, false},
	} {
		document := `{"Statement":[{"Effect":"Allow","Principal":{"AWS":"` + string(home) + `"},"Action":"sts:AssumeRole"},
			{"Effect":"Deny","Principal":{` + tt.principal + `},"Action":"sts:*"}]}`
		_, changed := w.UpdateRole(w.ctx, home, "r", directory.RoleChange{Trust: &document})
		_, made := w.CreateRole(w.ctx, home, directory.NewRole{Name: "new", Trust: document})
		for _, err := range []error{changed, made} {
			f := fault.Of(err)
			switch {
			case tt.there && err != nil:
				t.Errorf("%s: %v", tt.name, err)
			case !tt.there && (err == nil || f.Reason != fault.PolicyMalformed || f.Detail != "Invalid principal in policy: "+tt.principal):
				t.Errorf("%s: got %v", tt.name, err)
			}
		}
		if made == nil {
			w.must(w.DeleteRole(w.ctx, home, "new"))
		}
	}
}

// TestARoleBoundaryKeepsItsPolicy: a policy that bounds somebody stays, and the
// boundary with it.
func TestARoleBoundaryKeepsItsPolicy(t *testing.T) {
	w := newWorld(t)
	arn := w.policy("p")
	must2[directory.Principal](t)(w.CreateRole(w.ctx, home, directory.NewRole{Name: "r", Trust: trust, Boundary: arn}))
	w.refused(w.DeletePolicy(w.ctx, home, arn), fault.EntityInUse, "policy", arn)
	who, more, err := w.EntitiesOf(w.ctx, home, arn, directory.EntityFilter{}, directory.Page[directory.PrincipalID]{Limit: 1})
	w.must(err)
	if len(who) != 1 || more || who[0].Boundary.ARN != arn {
		t.Errorf("bounded are %+v", who)
	}
	w.must(w.DeleteRole(w.ctx, home, "r"))
	w.must(w.DeletePolicy(w.ctx, home, arn))
}
