package iam_test

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	sdk "github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"

	"github.com/lighterage/lighterage/internal/directory"
)

var groupID = regexp.MustCompile(`^AGPA[A-Z2-7]{17}$`)

func TestGroupOperations(t *testing.T) {
	w := newWorld(t)
	made := must2[*sdk.CreateGroupOutput](t)(w.CreateGroup(w.ctx, &sdk.CreateGroupInput{GroupName: new("Ops"), Path: new("/x/")})).Group
	want := types.Group{GroupName: new("Ops"), Path: new("/x/"), Arn: new("arn:aws:iam::123456789012:group/x/Ops"), GroupId: made.GroupId, CreateDate: new(instant)}
	same(t, &want, made)
	if !groupID.MatchString(*made.GroupId) {
		t.Errorf("its id is %s", *made.GroupId)
	}
	w.group("dev")
	listed := must2[*sdk.ListGroupsOutput](t)(w.ListGroups(w.ctx, &sdk.ListGroupsInput{PathPrefix: new("/x/")}))
	same(t, []types.Group{want}, listed.Groups)

	got := must2[*sdk.GetGroupOutput](t)(w.GetGroup(w.ctx, &sdk.GetGroupInput{GroupName: new("ops")}))
	same(t, &want, got.Group)
	if got.Users == nil || len(got.Users) != 0 {
		t.Errorf("its users are %v", got.Users)
	}
	_, err := w.UpdateGroup(w.ctx, &sdk.UpdateGroupInput{GroupName: new("ops"), NewGroupName: new("sre"), NewPath: new("/")})
	w.must(err)
	if moved := must2[*sdk.GetGroupOutput](t)(w.GetGroup(w.ctx, &sdk.GetGroupInput{GroupName: new("sre")})).Group; *moved.Arn != "arn:aws:iam::123456789012:group/sre" {
		t.Errorf("moved to %s", *moved.Arn)
	}
	_, err = w.DeleteGroup(w.ctx, &sdk.DeleteGroupInput{GroupName: new("sre")})
	w.must(err)
}

func TestMembersArePaged(t *testing.T) {
	w := newWorld(t)
	w.group("all")
	for i := range 3 {
		w.user(fmt.Sprint("u", i))
		w.group(fmt.Sprint("g", i))
		for _, m := range []sdk.AddUserToGroupInput{{GroupName: new("all"), UserName: new(fmt.Sprint("u", i))}, {GroupName: new(fmt.Sprint("g", i)), UserName: new("u0")}} {
			_, err := w.AddUserToGroup(w.ctx, &m)
			w.must(err)
		}
	}
	var got []string
	users := sdk.NewGetGroupPaginator(w, &sdk.GetGroupInput{GroupName: new("all"), MaxItems: new(int32(2))})
	for users.HasMorePages() {
		for _, u := range must2[*sdk.GetGroupOutput](t)(users.NextPage(w.ctx)).Users {
			got = append(got, *u.UserName)
		}
		got = append(got, "|")
	}
	groups := sdk.NewListGroupsForUserPaginator(w, &sdk.ListGroupsForUserInput{UserName: new("u0"), MaxItems: new(int32(3))})
	for groups.HasMorePages() {
		for _, g := range must2[*sdk.ListGroupsForUserOutput](t)(groups.NextPage(w.ctx)).Groups {
			got = append(got, *g.GroupName)
		}
		got = append(got, "|")
	}
	all := sdk.NewListGroupsPaginator(w, &sdk.ListGroupsInput{MaxItems: new(int32(3))})
	for all.HasMorePages() {
		for _, g := range must2[*sdk.ListGroupsOutput](t)(all.NextPage(w.ctx)).Groups {
			got = append(got, *g.GroupName)
		}
		got = append(got, "|")
	}
	if s := strings.Join(got, " "); s != "u0 u1 | u2 | all g0 g1 | g2 | all g0 g1 | g2 |" {
		t.Errorf("got %s", s)
	}
	_, err := w.RemoveUserFromGroup(w.ctx, &sdk.RemoveUserFromGroupInput{GroupName: new("all"), UserName: new("u1")})
	w.must(err)
	if left := must2[*sdk.GetGroupOutput](t)(w.GetGroup(w.ctx, &sdk.GetGroupInput{GroupName: new("all")})); len(left.Users) != 2 || left.IsTruncated {
		t.Errorf("left: %+v", left.Users)
	}
}

func TestGroupRefusals(t *testing.T) {
	w := newWorld(t, func(l *directory.Limits) { l.Groups, l.GroupsPerUser = 2, 1 })
	w.user("bob")
	w.group("g")
	w.group("h")
	_, err := w.AddUserToGroup(w.ctx, &sdk.AddUserToGroupInput{GroupName: new("g"), UserName: new("bob")})
	w.must(err)
	create := func(group string) error {
		_, err := w.CreateGroup(w.ctx, &sdk.CreateGroupInput{GroupName: &group})
		return err
	}
	update := func(in sdk.UpdateGroupInput) error { _, err := w.UpdateGroup(w.ctx, &in); return err }
	add := func(group, user string) error {
		_, err := w.AddUserToGroup(w.ctx, &sdk.AddUserToGroupInput{GroupName: &group, UserName: &user})
		return err
	}
	remove := func(group, user string) error {
		_, err := w.RemoveUserFromGroup(w.ctx, &sdk.RemoveUserFromGroupInput{GroupName: &group, UserName: &user})
		return err
	}
	drop := func(group string) error {
		_, err := w.DeleteGroup(w.ctx, &sdk.DeleteGroupInput{GroupName: &group})
		return err
	}
	const noGroup, noUser = "The group with name none cannot be found.", "The user with name none cannot be found."
	for _, tt := range []struct {
		name          string
		err           error
		code, message string
	}{
		{"a group that is there", create("G"), "EntityAlreadyExists", "Group with name G already exists."},
		{"a group too many", create("i"), "LimitExceeded", "Cannot exceed quota for GroupsPerAccount: 2"},
		{"a group that is not there", func() error { _, err := w.GetGroup(w.ctx, &sdk.GetGroupInput{GroupName: new("none")}); return err }(), "NoSuchEntity", noGroup},
		{"a move of none", update(sdk.UpdateGroupInput{GroupName: new("none")}), "NoSuchEntity", noGroup},
		{"a move to another's name", update(sdk.UpdateGroupInput{GroupName: new("g"), NewGroupName: new("h")}), "EntityAlreadyExists", "Group with name h already exists."},
		{"a member of no group", add("none", "bob"), "NoSuchEntity", noGroup},
		{"a member who is nobody", add("g", "none"), "NoSuchEntity", noUser},
		{"a member of too many groups", add("h", "bob"), "LimitExceeded", "Cannot exceed quota for GroupsPerUser: 1"},
		{"out of no group", remove("none", "bob"), "NoSuchEntity", noGroup},
		{"nobody out of a group", remove("g", "none"), "NoSuchEntity", noUser},
		{"out of a group that one is not in", remove("h", "bob"), "NoSuchEntity", "User bob is not in group h."},
		{"the groups of nobody", func() error {
			_, err := w.ListGroupsForUser(w.ctx, &sdk.ListGroupsForUserInput{UserName: new("none")})
			return err
		}(), "NoSuchEntity", noUser},
		{"a deletion of none", drop("none"), "NoSuchEntity", noGroup},
		{"a deletion of one with members", drop("g"), "DeleteConflict", "Cannot delete entity, must remove users from group first."},
	} {
		t.Run(tt.name, func(t *testing.T) { wantRefusal(t, tt.err, tt.code, tt.message) })
	}
}
