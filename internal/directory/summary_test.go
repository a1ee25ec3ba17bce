package directory_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lighterage/lighterage/internal/directory"
	"github.com/lighterage/lighterage/internal/fault"
)

const (
	anything  = `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}`
	ecsTrust  = `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::123456789012:root"},"Action":"sts:AssumeRole"}}`
	readOnly  = "arn:aws:iam::aws:policy/ReadOnlyAccess"
	powerUser = "arn:aws:iam::aws:policy/PowerUserAccess"
)

// furnished is a world with something of everything in the account home, and
// its own policies' ARNs.
func furnished(t *testing.T) (*world, directory.Policy, directory.Policy) {
	w := newWorld(t)
	used := must2[directory.Policy](t)(w.CreatePolicy(w.ctx, home, directory.NewPolicy{Name: "Used", Path: "/p/", Document: anything, Description: "d"}))
	idle := must2[directory.Policy](t)(w.CreatePolicy(w.ctx, home, directory.NewPolicy{Name: "idle", Path: "/", Document: anything}))
	must2[directory.PolicyVersion](t)(w.CreatePolicyVersion(w.ctx, home, used.ARN, strings.Replace(anything, "Allow", "Deny", 1), true))
	must2[directory.Principal](t)(w.CreateUser(w.ctx, home, directory.NewUser{
		Name: "bob", Path: "/x/", Boundary: powerUser, Tags: []directory.ResourceTag{{Key: "a", Value: "1"}},
	}))
	w.user("eve")
	for _, g := range []string{"ops", "dev"} {
		w.group(g)
		w.must(w.AddMember(w.ctx, home, g, "bob"))
	}
	must2[directory.Principal](t)(w.CreateRole(w.ctx, home, directory.NewRole{Name: "r", Trust: ecsTrust}))
	w.must(w.AttachPolicy(w.ctx, home, directory.User, "bob", used.ARN))
	w.must(w.AttachPolicy(w.ctx, home, directory.Group, "ops", used.ARN))
	w.must(w.AttachPolicy(w.ctx, home, directory.Role, "r", readOnly))
	w.must(w.PutInlinePolicy(w.ctx, home, directory.Group, "dev", directory.InlinePolicy{Name: "in", Document: anything}))
	if _, _, err := w.CreateAccessKey(w.ctx, roots); err != nil {
		t.Fatal(err)
	}
	return w, used, idle
}

func TestTheSummaryCounts(t *testing.T) {
	w, _, _ := furnished(t)
	got := must2[directory.Summary](t)(w.Summarize(w.ctx, home))
	want := directory.Summary{Users: 2, Groups: 2, Roles: 1, Policies: 2, VersionsInUse: 3, RootKeys: 1}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if other := must2[directory.Summary](t)(w.Summarize(w.ctx, abroad)); other != (directory.Summary{}) {
		t.Errorf("another account's: %+v", other)
	}
}

// told spells details in short.
func told(details []directory.Detail) string {
	var all []string
	for _, d := range details {
		if d.Policy != nil {
			all = append(all, fmt.Sprintf("%s:%d/%d", d.Policy.Name, d.Policy.Attached, d.Policy.Bounded))
			continue
		}
		all = append(all, d.Principal.Key.Name)
	}
	return strings.Join(all, " ")
}

func TestDetailsTellAll(t *testing.T) {
	w, used, _ := furnished(t)
	every := []directory.DetailKind{directory.AWSPolicyDetails, directory.OwnPolicyDetails, directory.RoleDetails, directory.GroupDetails, directory.UserDetails, directory.UserDetails}
	details, _, more, err := w.Details(w.ctx, home, every, directory.Page[directory.DetailKey]{Limit: 100})
	if got := told(details); err != nil || more || got != "bob eve dev ops r idle:0/0 Used:2/0 PowerUserAccess:0/1 ReadOnlyAccess:1/0" {
		t.Fatalf("got %s, %v, %v", got, more, err)
	}
	bob := details[0].Principal
	if diff := cmp.Diff([]string{"dev", "ops"}, bob.Groups); diff != "" || bob.Attached[0].ARN != used.ARN || bob.Boundary.ARN != powerUser || bob.Tags[0].Key != "a" {
		t.Errorf("bob: %+v (-want +got):\n%s", bob, diff)
	}
	if dev := details[2].Principal; len(dev.Inline) != 1 || dev.Inline[0].Document != anything {
		t.Errorf("dev: %+v", dev)
	}
	if r := details[4].Principal; r.Trust != ecsTrust || r.Attached[0].ARN != readOnly {
		t.Errorf("r: %+v", r)
	}
	if p := details[6].Policy; len(p.Versions) != 2 || p.Versions[0].ID != "v2" || !p.Versions[0].Default || p.Versions[1].Document != anything {
		t.Errorf("Used: %+v", p)
	}
	if p := details[8].Policy; len(p.Versions) != 1 || p.Versions[0].ID != "v1" || p.Versions[0].Document == "" {
		t.Errorf("ReadOnlyAccess: %+v", p)
	}
	for _, tt := range []struct {
		kinds []directory.DetailKind
		want  string
	}{
		{[]directory.DetailKind{directory.GroupDetails}, "dev ops"},
		{[]directory.DetailKind{directory.RoleDetails, directory.UserDetails}, "bob eve r"},
		{nil, ""},
	} {
		details, _, more, err := w.Details(w.ctx, home, tt.kinds, directory.Page[directory.DetailKey]{Limit: 100})
		if got := told(details); err != nil || more || got != tt.want {
			t.Errorf("%v: got %s, %v, %v", tt.kinds, got, more, err)
		}
	}
	for limit := 1; limit <= 9; limit++ {
		page, pages := directory.Page[directory.DetailKey]{Limit: limit}, []directory.Detail{}
		for more := true; more; {
			var details []directory.Detail
			details, page.After, more, err = w.Details(w.ctx, home, every, page)
			w.must(err)
			if len(details) == 0 || len(details) > limit {
				t.Fatalf("a page of %d has %d", limit, len(details))
			}
			if page.After, err = directory.ParseDetailKey(page.After.String()); err != nil {
				t.Fatal(err)
			}
			pages = append(pages, details...)
		}
		if got := told(pages); got != "bob eve dev ops r idle:0/0 Used:2/0 PowerUserAccess:0/1 ReadOnlyAccess:1/0" {
			t.Errorf("in pages of %d: %s", limit, got)
		}
	}
}

func TestAPageOfDetailsHasABound(t *testing.T) {
	w := newWorld(t, func(l *directory.Limits) { l.UserPolicySize = 1 << 20 })
	large := strings.Replace(anything, `"*"`, `"`+strings.Repeat("a", 400_000)+`*"`, 1)
	large = strings.Replace(large, `"Action":"aaaa`, `"Action":"ecr:aaaa`, 1)
	for i := range 5 {
		u := fmt.Sprint("u", i)
		w.user(u)
		w.must(w.PutInlinePolicy(w.ctx, home, directory.User, u, directory.InlinePolicy{Name: "p", Document: large}))
	}
	details, next, more, err := w.Details(w.ctx, home, []directory.DetailKind{directory.UserDetails}, directory.Page[directory.DetailKey]{Limit: 100})
	if err != nil || told(details) != "u0 u1 u2" || !more || next.Name != "u2" {
		t.Fatalf("first: %s, %v, %v, %v", told(details), next, more, err)
	}
	details, _, more, err = w.Details(w.ctx, home, []directory.DetailKind{directory.UserDetails}, directory.Page[directory.DetailKey]{After: next, Limit: 100})
	if err != nil || told(details) != "u3 u4" || more {
		t.Errorf("second: %s, %v, %v", told(details), more, err)
	}
}

func TestManyEntitiesAreToldOfInChunks(t *testing.T) {
	w := newWorld(t)
	for i := range 101 {
		w.group(fmt.Sprintf("g%03d", i))
	}
	details, _, more, err := w.Details(w.ctx, home, []directory.DetailKind{directory.GroupDetails}, directory.Page[directory.DetailKey]{Limit: 1000})
	if err != nil || len(details) != 101 || more {
		t.Errorf("%d, %v, %v", len(details), more, err)
	}
}

func TestAPlaceAmongDetailsIsReadStrictly(t *testing.T) {
	for _, bad := range []string{"0a", "6a", "a", "\xff"} {
		if k, err := directory.ParseDetailKey(bad); !fault.Is(err, fault.PageTokenInvalid) {
			t.Errorf("%q: %+v, %v", bad, k, err)
		}
	}
	if k, err := directory.ParseDetailKey(""); err != nil || k != (directory.DetailKey{}) {
		t.Errorf("nothing: %+v, %v", k, err)
	}
}
