package directory_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lighterage/lighterage/internal/directory"
	"github.com/lighterage/lighterage/internal/fault"
	"github.com/lighterage/lighterage/internal/name"
)

func TestAUserIsMadeFoundAndDeleted(t *testing.T) {
	w := newWorld(t)
	made := must2[directory.Principal](t)(w.CreateUser(w.ctx, home, directory.NewUser{
		Name: "Bob", Path: "/team/", Boundary: "arn:aws:iam::aws:policy/PowerUserAccess", Tags: []directory.ResourceTag{{Key: "b", Value: "2"}, {Key: "A", Value: ""}},
	}))
	if made.ARN() != "arn:aws:iam::123456789012:user/team/Bob" || made.CreatedAt != instant || made.Boundary.ARN != "arn:aws:iam::aws:policy/PowerUserAccess" {
		t.Errorf("made %+v", made)
	}
	if !strings.HasPrefix(made.UniqueID, "AIDA") || len(made.UniqueID) != 21 {
		t.Errorf("its id is %s", made.UniqueID)
	}
	if diff := cmp.Diff([]directory.ResourceTag{{Key: "A"}, {Key: "b", Value: "2"}}, made.Tags); diff != "" {
		t.Errorf("tags (-want +got):\n%s", diff)
	}
	for _, called := range []string{"Bob", "bob", "BOB"} {
		got := must2[directory.Principal](t)(w.GetUser(w.ctx, home, called))
		if diff := cmp.Diff(made, got); diff != "" {
			t.Errorf("%s (-made +got):\n%s", called, diff)
		}
	}
	_, err := w.GetUser(w.ctx, abroad, "Bob")
	w.refused(err, fault.EntityNotFound, "user", "Bob")

	w.must(w.DeleteUser(w.ctx, home, "bob"))
	w.refused(w.DeleteUser(w.ctx, home, "Bob"), fault.EntityNotFound, "user", "Bob")
	if again := w.user("Bob"); again.UniqueID == made.UniqueID || len(again.Tags) != 0 {
		t.Errorf("made anew it is the old one: %+v", again)
	}
}

func TestNamesAreUniqueWithoutRegardToCase(t *testing.T) {
	w := newWorld(t)
	w.user("bob")
	_, err := w.CreateUser(w.ctx, home, directory.NewUser{Name: "BOB", Path: "/other/"})
	w.refused(err, fault.EntityExists, "user", "BOB")
	w.group("bob") // a name of another kind
	_, err = w.CreateUser(w.ctx, abroad, directory.NewUser{Name: "bob"})
	w.must(err)

	w.user("eve")
	w.refused(w.UpdateUser(w.ctx, home, "eve", directory.Change{Name: new("Bob")}), fault.EntityExists, "user", "Bob")
	w.must(w.UpdateUser(w.ctx, home, "bob", directory.Change{Name: new("Bob")}))
	if got := must2[directory.Principal](t)(w.GetUser(w.ctx, home, "bob")); got.Key.Name != "Bob" {
		t.Errorf("it is called %s", got.Key.Name)
	}
}

func TestNamesAndPathsHaveRules(t *testing.T) {
	w := newWorld(t)
	for _, tt := range []struct{ name, called, path string }{
		{"no name", "", "/"},
		{"a space", "a b", "/"},
		{"a slash", "a/b", "/"},
		{"a letter of no ASCII", "é", "/"},
		{"a line break at the end", "a\n", "/"},
		{"a name too long", strings.Repeat("a", 65), "/"},
		{"a path that does not begin with a slash", "a", "team/"},
		{"a path that does not end with a slash", "a", "/team"},
		{"a path with a space", "a", "/my team/"},
		{"a path too long", "a", "/" + strings.Repeat("a", 511) + "/"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := w.CreateUser(w.ctx, home, directory.NewUser{Name: tt.called, Path: tt.path}); !fault.Is(err, fault.ParameterInvalid) {
				t.Errorf("made: %v", err)
			}
			w.user("victim")
			if err := w.UpdateUser(w.ctx, home, "victim", directory.Change{Name: &tt.called, Path: &tt.path}); !fault.Is(err, fault.ParameterInvalid) {
				t.Errorf("moved: %v", err)
			}
			w.must(w.DeleteUser(w.ctx, home, "victim"))
		})
	}
	for _, called := range []string{"a", "A-Z_0.9+=,@", strings.Repeat("a", 64)} {
		if _, err := w.CreateUser(w.ctx, home, directory.NewUser{Name: called, Path: "/" + strings.Repeat("!~", 255) + "/"}); err != nil {
			t.Errorf("%s: %v", called, err)
		}
	}
}

func TestAUserMovesWithAllItHas(t *testing.T) {
	w := newWorld(t)
	old := w.user("bob")
	w.group("g")
	w.must(w.AddMember(w.ctx, home, "g", "bob"))
	key, _, err := w.CreateAccessKey(w.ctx, directory.Owner{Account: home, User: "bob"})
	w.must(err)
	w.must(w.UpdateUser(w.ctx, home, "bob", directory.Change{Name: new("bobby"), Path: new("/x/")}))
	got := must2[directory.Principal](t)(w.GetUser(w.ctx, home, "bobby"))
	if got.UniqueID != old.UniqueID || got.ARN() != "arn:aws:iam::123456789012:user/x/bobby" {
		t.Errorf("got %+v", got)
	}
	if k, err := w.FindAccessKey(w.ctx, home, key.ID); err != nil || k.UserName != "bobby" {
		t.Errorf("its key: %+v, %v", k, err)
	}
	groups, _, err := w.ListGroupsOf(w.ctx, home, "bobby", directory.Page[directory.PrincipalID]{Limit: 9})
	if err != nil || len(groups) != 1 {
		t.Errorf("its groups: %v, %v", groups, err)
	}
	w.refused(w.UpdateUser(w.ctx, home, "bob", directory.Change{Path: new("/")}), fault.EntityNotFound, "user", "bob")
	w.must(w.UpdateUser(w.ctx, home, "bobby", directory.Change{})) // nothing is asked for
}

func TestABoundaryMustBeThere(t *testing.T) {
	w := newWorld(t)
	for _, arn := range []string{
		"arn:aws:iam::aws:policy/NoSuchPolicy",
		"arn:aws:iam::123456789012:policy/none",
		"arn:aws:iam::210987654321:policy/theirs",
	} {
		_, err := w.CreateUser(w.ctx, home, directory.NewUser{Name: "bob", Boundary: arn})
		w.refused(err, fault.EntityNotFound, "policy", arn)
	}
	if _, err := w.GetUser(w.ctx, home, "bob"); !fault.Is(err, fault.EntityNotFound) {
		t.Errorf("a refused creation left a user: %v", err)
	}
}

func TestWhatAUserHasKeepsIt(t *testing.T) {
	w := newWorld(t)
	w.user("bob")
	w.group("g")
	w.must(w.AddMember(w.ctx, home, "g", "bob"))
	key, _, err := w.CreateAccessKey(w.ctx, directory.Owner{Account: home, User: "bob"})
	w.must(err)
	w.must(w.AttachPolicy(w.ctx, home, directory.User, "bob", "arn:aws:iam::aws:policy/ReadOnlyAccess"))
	w.must(w.PutInlinePolicy(w.ctx, home, directory.User, "bob", directory.InlinePolicy{Name: "p",
		Document: `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}`}))
	for _, tt := range []struct {
		holds string
		free  func() error
	}{
		{"detach all policies", func() error {
			return w.DetachPolicy(w.ctx, home, directory.User, "bob", "arn:aws:iam::aws:policy/ReadOnlyAccess")
		}},
		{"delete policies", func() error { return w.DeleteInlinePolicy(w.ctx, home, directory.User, "bob", "p") }},
		{"remove users from group", func() error { return w.RemoveMember(w.ctx, home, "g", "bob") }},
		{"delete access keys", func() error { return w.DeleteAccessKey(w.ctx, directory.Owner{Account: home, User: "bob"}, key.ID) }},
	} {
		f := w.refused(w.DeleteUser(w.ctx, home, "bob"), fault.EntityInUse, "user", "bob")
		if f.Constraint != tt.holds {
			t.Errorf("held by %q, want %q", f.Constraint, tt.holds)
		}
		w.must(tt.free())
	}
	w.must(w.DeleteUser(w.ctx, home, "bob"))
}

func TestUsersAreListedByNameAndPath(t *testing.T) {
	w := newWorld(t)
	for _, u := range []struct{ path, name string }{{"/", "d"}, {"/team/a/", "C"}, {"/team/b/", "a"}, {"/teams/", "B"}} {
		_, err := w.CreateUser(w.ctx, home, directory.NewUser{Name: u.name, Path: u.path})
		w.must(err)
	}
	for _, tt := range []struct {
		path, after string
		limit       int
		want        string
		more        bool
	}{
		{"/", "", 10, "a B C d", false},
		{"/", "", 4, "a B C d", false},
		{"/", "", 3, "a B C", true},
		{"/", "B", 1, "C", true},
		{"/", "b", 10, "C d", false},
		{"/team/", "", 10, "a C", false},
		{"/team", "", 10, "a B C", false},
		{"/team/", "", 1, "a", true},
		{"/none/", "", 10, "", false},
	} {
		users, more, err := w.ListUsers(w.ctx, home, tt.path, directory.Page[string]{After: tt.after, Limit: tt.limit})
		var names []string
		for _, u := range users {
			names = append(names, u.Key.Name)
		}
		if got := strings.Join(names, " "); err != nil || got != tt.want || more != tt.more {
			t.Errorf("%+v: got %q, %v, %v", tt, got, more, err)
		}
	}
}

func TestTagsOfAUser(t *testing.T) {
	w := newWorld(t, func(l *directory.Limits) { l.ResourceTags = 3 })
	w.user("bob")
	tag := func(pairs ...string) error {
		var tags []directory.ResourceTag
		for i := 0; i < len(pairs); i += 2 {
			tags = append(tags, directory.ResourceTag{Key: pairs[i], Value: pairs[i+1]})
		}
		return w.TagUser(w.ctx, home, "bob", tags)
	}
	has := func(want string) {
		t.Helper()
		var got []string
		for _, tag := range must2[directory.Principal](t)(w.GetUser(w.ctx, home, "bob")).Tags {
			got = append(got, tag.Key+"="+tag.Value)
		}
		if strings.Join(got, " ") != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	w.must(tag("Team", "x", "Cost", ""))
	has("Cost= Team=x")
	w.must(tag("TEAM", "y")) // the same key, as it is now written
	has("Cost= TEAM=y")
	w.must(tag("a", "1"))
	if f := fault.Of(tag("b", "2")); f.Reason != fault.LimitExceeded || f.Limit != 3 {
		t.Errorf("one more: %v", f)
	}
	w.must(tag("A", "2", "cost", "3")) // none is new
	has("A=2 TEAM=y cost=3")
	for name, err := range map[string]error{
		"twice":                tag("k", "1", "K", "2"),
		"of AWS's":             tag("aws:x", "1"),
		"of AWS's, in capital": tag("AWS:x", "1"),
	} {
		if !fault.Is(err, fault.InputRefused) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, err := range map[string]error{"no key": tag("", "1"), "a long key": tag(strings.Repeat("k", 129), ""), "a long value": tag("k", strings.Repeat("v", 257))} {
		if !fault.Is(err, fault.ParameterInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	w.must(w.UntagUser(w.ctx, home, "bob", []string{"team", "none"}))
	has("A=2 cost=3")
	w.refused(w.TagUser(w.ctx, home, "eve", nil), fault.EntityNotFound, "user", "eve")
	w.refused(w.UntagUser(w.ctx, home, "eve", nil), fault.EntityNotFound, "user", "eve")

	_, err := w.CreateUser(w.ctx, home, directory.NewUser{Name: "carl", Tags: []directory.ResourceTag{{Key: "1"}, {Key: "2"}, {Key: "3"}, {Key: "4"}}})
	if !fault.Is(err, fault.LimitExceeded) {
		t.Errorf("made with too many tags: %v", err)
	}
	_, err = w.GetUser(w.ctx, home, "carl")
	w.refused(err, fault.EntityNotFound, "user", "carl")
}

func TestAUserIsNamedAsDecisionsNameIt(t *testing.T) {
	w := newWorld(t)
	_, err := w.CreateUser(w.ctx, home, directory.NewUser{Name: "Bob", Path: "/x/"})
	w.must(err)
	for _, tt := range []struct {
		account name.AccountID
		called  string
		want    string
	}{
		{home, "Bob", "arn:aws:iam::123456789012:user/x/Bob"},
		{home, "bOB", "arn:aws:iam::123456789012:user/x/Bob"},
		{home, "eve", "arn:aws:iam::123456789012:user/eve"},
		{abroad, "Bob", "arn:aws:iam::210987654321:user/Bob"},
	} {
		if got, err := w.PrincipalARN(w.ctx, tt.account, directory.User, tt.called); err != nil || got != tt.want {
			t.Errorf("%s in %s: got %s, %v", tt.called, tt.account, got, err)
		}
	}
	for _, tt := range []struct {
		called string
		change directory.Change
		want   string
	}{
		{"bob", directory.Change{}, "arn:aws:iam::123456789012:user/x/Bob"},
		{"bob", directory.Change{Name: new("Eve")}, "arn:aws:iam::123456789012:user/x/Eve"},
		{"Bob", directory.Change{Path: new("/y/")}, "arn:aws:iam::123456789012:user/y/Bob"},
		{"none", directory.Change{Name: new("Eve")}, "arn:aws:iam::123456789012:user/Eve"},
	} {
		if got, err := w.MovedARN(w.ctx, home, directory.User, tt.called, tt.change); err != nil || got != tt.want {
			t.Errorf("%s: got %s, %v", tt.called, got, err)
		}
	}
}

// raceForUsers has many make the same user, and then many different ones under
// a quota.
func raceForUsers(w *world) {
	made, refused := w.race(8, func(int) error {
		_, err := w.CreateUser(w.ctx, home, directory.NewUser{Name: "bob"})
		return err
	})
	if made != 1 || refused[fault.EntityExists] != 7 {
		w.t.Errorf("one name: %d made, %v", made, refused)
	}
	made, refused = w.race(8, func(i int) error {
		_, err := w.CreateUser(w.ctx, home, directory.NewUser{Name: fmt.Sprint("u", i)})
		return err
	})
	if made != 4 || refused[fault.LimitExceeded] != 4 {
		w.t.Errorf("a quota of 5: %d made, %v", made, refused)
	}
}
