package directory_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lighterage/lighterage/internal/directory"
	"github.com/lighterage/lighterage/internal/fault"
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
