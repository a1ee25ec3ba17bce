package directory_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/lighterage/lighterage/internal/directory"
	"github.com/lighterage/lighterage/internal/fault"
)

func names(principals []directory.Principal) string {
	var all []string
	for _, p := range principals {
		all = append(all, p.Key.Name)
	}
	return strings.Join(all, " ")
}

func TestAGroupIsMadeMovedAndDeleted(t *testing.T) {
	w := newWorld(t)
	made := must2[directory.Principal](t)(w.CreateGroup(w.ctx, home, "Ops", "/x/"))
	if made.ARN() != "arn:aws:iam::123456789012:group/x/Ops" || !strings.HasPrefix(made.UniqueID, "AGPA") || made.CreatedAt != instant {
		t.Errorf("made %+v", made)
	}
	_, err := w.CreateGroup(w.ctx, home, "OPS", "")
	w.refused(err, fault.EntityExists, "group", "OPS")
	if _, err := w.CreateGroup(w.ctx, home, strings.Repeat("g", 128), ""); err != nil {
		t.Errorf("a long name: %v", err)
	}
	for _, called := range []string{"", "a b", strings.Repeat("g", 129)} {
		if _, err := w.CreateGroup(w.ctx, home, called, ""); !fault.Is(err, fault.ParameterInvalid) {
			t.Errorf("%q: %v", called, err)
		}
	}
	w.group("dev")
	w.refused(w.UpdateGroup(w.ctx, home, "dev", directory.Change{Name: new("ops")}), fault.EntityExists, "group", "ops")
	w.must(w.UpdateGroup(w.ctx, home, "ops", directory.Change{Name: new("sre"), Path: new("/")}))
	got, _, _, err := w.GetGroup(w.ctx, home, "SRE", directory.Page[directory.PrincipalID]{Limit: 1})
	if err != nil || got.UniqueID != made.UniqueID || got.ARN() != "arn:aws:iam::123456789012:group/sre" {
		t.Errorf("moved: %+v, %v", got, err)
	}
	groups, more, err := w.ListGroups(w.ctx, home, "/", directory.Page[string]{After: "dev", Limit: 1})
	if err != nil || names(groups) != strings.Repeat("g", 128) || !more {
		t.Errorf("listed %q, %v, %v", names(groups), more, err)
	}
	w.must(w.DeleteGroup(w.ctx, home, "sre"))
	w.refused(w.DeleteGroup(w.ctx, home, "sre"), fault.EntityNotFound, "group", "sre")
}

func TestMembersComeAndGo(t *testing.T) {
	w := newWorld(t)
	w.group("g")
	for _, u := range []string{"c", "a", "b"} {
		w.user(u)
		w.must(w.AddMember(w.ctx, home, "G", u))
	}
	w.must(w.AddMember(w.ctx, home, "g", "A")) // again
	_, users, more, err := w.GetGroup(w.ctx, home, "g", directory.Page[directory.PrincipalID]{Limit: 2})
	if err != nil || names(users) != "c a" || !more {
		t.Errorf("first page: %q, %v, %v", names(users), more, err)
	}
	w.must(w.UpdateUser(w.ctx, home, "b", directory.Change{Name: new("0")})) // somebody is renamed between the pages
	_, users, more, err = w.GetGroup(w.ctx, home, "g", directory.Page[directory.PrincipalID]{After: users[1].ID, Limit: 2})
	if err != nil || names(users) != "0" || more {
		t.Errorf("second page: %q, %v, %v", names(users), more, err)
	}
	if f := w.refused(w.DeleteGroup(w.ctx, home, "g"), fault.EntityInUse, "group", "g"); f.Constraint != "remove users from group" {
		t.Errorf("held by %q", f.Constraint)
	}
	for _, u := range []string{"a", "0", "C"} {
		w.must(w.RemoveMember(w.ctx, home, "g", u))
	}
	if f := w.refused(w.RemoveMember(w.ctx, home, "g", "a"), fault.EntityNotFound, "group member", "a"); f.Value != "g" {
		t.Errorf("not in %q", f.Value)
	}
	w.must(w.DeleteGroup(w.ctx, home, "g"))
	for name, err := range map[string]error{
		"added":   w.AddMember(w.ctx, home, "g", "a"),
		"removed": w.RemoveMember(w.ctx, home, "g", "a"),
	} {
		if f := w.refused(err, fault.EntityNotFound, "group", "g"); f == nil {
			t.Error(name)
		}
	}
	w.group("h")
	w.refused(w.AddMember(w.ctx, home, "h", "nobody"), fault.EntityNotFound, "user", "nobody")
	w.refused(w.RemoveMember(w.ctx, home, "h", "nobody"), fault.EntityNotFound, "user", "nobody")
	_, _, err = w.ListGroupsOf(w.ctx, home, "nobody", directory.Page[directory.PrincipalID]{Limit: 1})
	w.refused(err, fault.EntityNotFound, "user", "nobody")
	_, _, _, err = w.GetGroup(w.ctx, home, "a", directory.Page[directory.PrincipalID]{Limit: 1})
	w.refused(err, fault.EntityNotFound, "group", "a")
}

// raceForGroups has a user join more groups at once than it may.
func raceForGroups(w *world) {
	w.user("bob")
	for i := range 6 {
		w.group(fmt.Sprint("g", i))
	}
	made, refused := w.race(6, func(i int) error { return w.AddMember(w.ctx, home, fmt.Sprint("g", i), "bob") })
	if made != 3 || refused[fault.LimitExceeded] != 3 {
		w.t.Errorf("%d joined, %v", made, refused)
	}
	groups, more, err := w.ListGroupsOf(w.ctx, home, "bob", directory.Page[directory.PrincipalID]{Limit: 2})
	if err != nil || len(groups) != 2 || !more {
		w.t.Errorf("in %v, %v, %v", names(groups), more, err)
	}
	if err := w.AddMember(w.ctx, home, groups[0].Key.Name, "bob"); err != nil {
		w.t.Errorf("one that it is in already: %v", err)
	}
	for i := range 6 {
		if err := w.RemoveMember(w.ctx, home, fmt.Sprint("g", i), "bob"); err != nil && !fault.Is(err, fault.EntityNotFound) {
			w.t.Error(err)
		}
	}
	// A deletion and a joining: never both.
	for i := range 6 {
		group := fmt.Sprint("g", i)
		both, _ := w.race(2, func(i int) error {
			if i == 0 {
				return w.DeleteGroup(w.ctx, home, group)
			}
			return w.AddMember(w.ctx, home, group, "bob")
		})
		if both != 1 {
			w.t.Errorf("%s: %d of deletion and joining succeeded", group, both)
		}
		w.must(w.DeleteUser(w.ctx, home, w.renewed("bob")))
		w.user("bob")
	}
}

// renewed takes a user out of all groups.
func (w *world) renewed(user string) string {
	groups, _, err := w.ListGroupsOf(w.ctx, home, user, directory.Page[directory.PrincipalID]{Limit: 100})
	w.must(err)
	for _, g := range groups {
		w.must(w.RemoveMember(w.ctx, home, g.Key.Name, user))
	}
	return user
}
