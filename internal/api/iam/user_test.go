package iam_test

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	sdk "github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/lighterage/lighterage/internal/directory"
	"github.com/lighterage/lighterage/internal/identity"
	"github.com/lighterage/lighterage/internal/name"
)

// same compares answers of the SDK.
func same(t *testing.T, want, got any) {
	t.Helper()
	if diff := cmp.Diff(want, got, cmpopts.IgnoreUnexported(types.User{}, types.Tag{}, types.AttachedPermissionsBoundary{}, types.Group{},
		types.AccessKeyMetadata{}, types.AccessKey{}, types.AccessKeyLastUsed{})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

var userID = regexp.MustCompile(`^AIDA[A-Z2-7]{17}$`)

func TestUserOperations(t *testing.T) {
	w := newWorld(t)
	made := must2[*sdk.CreateUserOutput](t)(w.CreateUser(w.ctx, &sdk.CreateUserInput{
		UserName: new("Bob"), Path: new("/team/"), PermissionsBoundary: new("arn:aws:iam::aws:policy/PowerUserAccess"),
		Tags: []types.Tag{{Key: new("b"), Value: new("2")}, {Key: new("a"), Value: new("")}},
	})).User
	want := &types.User{
		UserName: new("Bob"), Path: new("/team/"), Arn: new("arn:aws:iam::123456789012:user/team/Bob"), UserId: made.UserId, CreateDate: new(instant),
		PermissionsBoundary: &types.AttachedPermissionsBoundary{
			PermissionsBoundaryType: types.PermissionsBoundaryAttachmentTypePolicy, PermissionsBoundaryArn: new("arn:aws:iam::aws:policy/PowerUserAccess"),
		},
		Tags: []types.Tag{{Key: new("a"), Value: new("")}, {Key: new("b"), Value: new("2")}},
	}
	same(t, want, made)
	if !userID.MatchString(*made.UserId) {
		t.Errorf("its id is %s", *made.UserId)
	}
	same(t, want, must2[*sdk.GetUserOutput](t)(w.GetUser(w.ctx, &sdk.GetUserInput{UserName: new("bob")})).User)

	listed := must2[*sdk.ListUsersOutput](t)(w.ListUsers(w.ctx, nil))
	same(t, []types.User{{UserName: want.UserName, Path: want.Path, Arn: want.Arn, UserId: want.UserId, CreateDate: want.CreateDate}}, listed.Users)
	if listed.IsTruncated || listed.Marker != nil {
		t.Errorf("the list is cut: %+v", listed)
	}

	_, err := w.UpdateUser(w.ctx, &sdk.UpdateUserInput{UserName: new("bob"), NewUserName: new("bobby"), NewPath: new("/")})
	w.must(err)
	moved := must2[*sdk.GetUserOutput](t)(w.GetUser(w.ctx, &sdk.GetUserInput{UserName: new("bobby")})).User
	if *moved.Arn != "arn:aws:iam::123456789012:user/bobby" || *moved.UserId != *made.UserId {
		t.Errorf("moved: %s %s", *moved.Arn, *moved.UserId)
	}
	_, err = w.DeleteUser(w.ctx, &sdk.DeleteUserInput{UserName: new("bobby")})
	w.must(err)
	if left := must2[*sdk.ListUsersOutput](t)(w.ListUsers(w.ctx, nil)); left.Users == nil || len(left.Users) != 0 {
		t.Errorf("left: %+v", left.Users)
	}
}

func TestUserTagOperations(t *testing.T) {
	w := newWorld(t)
	w.user("bob")
	var tags []types.Tag
	for i := range 5 {
		tags = append(tags, types.Tag{Key: new(fmt.Sprint("Key", i)), Value: new("v")})
	}
	_, err := w.TagUser(w.ctx, &sdk.TagUserInput{UserName: new("bob"), Tags: tags})
	w.must(err)
	_, err = w.UntagUser(w.ctx, &sdk.UntagUserInput{UserName: new("bob"), TagKeys: []string{"key3", "none"}})
	w.must(err)
	var got []string
	pages := sdk.NewListUserTagsPaginator(w, &sdk.ListUserTagsInput{UserName: new("bob"), MaxItems: new(int32(3))})
	for pages.HasMorePages() {
		page := must2[*sdk.ListUserTagsOutput](t)(pages.NextPage(w.ctx))
		for _, tag := range page.Tags {
			got = append(got, *tag.Key)
		}
		got = append(got, "|")
	}
	if s := strings.Join(got, " "); s != "Key0 Key1 Key2 | Key4 |" {
		t.Errorf("got %s", s)
	}
}

func TestListsOfUsersArePaged(t *testing.T) {
	w := newWorld(t)
	for i := range 5 {
		_, err := w.CreateUser(w.ctx, &sdk.CreateUserInput{UserName: new(fmt.Sprint("u", i)), Path: new([]string{"/a/", "/b/"}[i%2])})
		w.must(err)
	}
	for _, tt := range []struct {
		path *string
		size int32
		want string
	}{
		{nil, 2, "u0 u1 | u2 u3 | u4 |"},
		{nil, 5, "u0 u1 u2 u3 u4 |"},
		{new("/a/"), 2, "u0 u2 | u4 |"},
		{new("/c/"), 2, "|"},
	} {
		var got []string
		pages := sdk.NewListUsersPaginator(w, &sdk.ListUsersInput{PathPrefix: tt.path, MaxItems: &tt.size})
		for pages.HasMorePages() {
			for _, u := range must2[*sdk.ListUsersOutput](t)(pages.NextPage(w.ctx)).Users {
				got = append(got, *u.UserName)
			}
			got = append(got, "|")
		}
		if s := strings.Join(got, " "); s != tt.want {
			t.Errorf("%+v: got %s", tt, s)
		}
	}
}

func TestAMarkerIsOfItsListAlone(t *testing.T) {
	w := newWorld(t)
	for i := range 3 {
		w.user(fmt.Sprint("u", i))
		w.group(fmt.Sprint("g", i))
	}
	first := must2[*sdk.ListUsersOutput](t)(w.ListUsers(w.ctx, &sdk.ListUsersInput{MaxItems: new(int32(1))}))
	for name, call := range map[string]func() error{
		"of another operation": func() error { _, err := w.ListGroups(w.ctx, &sdk.ListGroupsInput{Marker: first.Marker}); return err },
		"of another filter": func() error {
			_, err := w.ListUsers(w.ctx, &sdk.ListUsersInput{Marker: first.Marker, PathPrefix: new("/x/")})
			return err
		},
		"of another account": func() error {
			_, err := w.as(identity.Caller{Account: foreign, Kind: identity.Root}).ListUsers(w.ctx, &sdk.ListUsersInput{Marker: first.Marker})
			return err
		},
		"made up": func() error { _, err := w.ListUsers(w.ctx, &sdk.ListUsersInput{Marker: new("u1")}); return err },
		"cut": func() error {
			_, err := w.ListUsers(w.ctx, &sdk.ListUsersInput{Marker: new((*first.Marker)[1:])})
			return err
		},
		"no number": func() error {
			_, err := w.GetGroup(w.ctx, &sdk.GetGroupInput{GroupName: new("g1"), Marker: first.Marker})
			return err
		},
		"of aliases": func() error {
			_, err := w.ListAccountAliases(w.ctx, &sdk.ListAccountAliasesInput{Marker: first.Marker})
			return err
		},
		"of no detail": func() error {
			_, err := w.GetAccountAuthorizationDetails(w.ctx, &sdk.GetAccountAuthorizationDetailsInput{Marker: first.Marker})
			return err
		},
	} {
		t.Run(name, func(t *testing.T) { wantRefusal(t, call(), "ValidationError", "Invalid Marker.") })
	}
}

func TestWithoutANameTheCallerIsMeant(t *testing.T) {
	w := newWorld(t)
	w.user("bob")
	bob := w.asUser("bob")
	if got := must2[*sdk.GetUserOutput](t)(bob.GetUser(w.ctx, nil)).User; *got.UserName != "bob" {
		t.Errorf("got %s", *got.UserName)
	}
	root := must2[*sdk.GetUserOutput](t)(w.GetUser(w.ctx, nil)).User
	same(t, &types.User{Arn: new("arn:aws:iam::123456789012:root"), UserId: new("123456789012"), CreateDate: new(instant)}, root)
	key := must2[*sdk.CreateAccessKeyOutput](t)(bob.CreateAccessKey(w.ctx, nil)).AccessKey
	if *key.UserName != "bob" {
		t.Errorf("the key is of %s", *key.UserName)
	}
	_, err := bob.UpdateAccessKey(w.ctx, &sdk.UpdateAccessKeyInput{AccessKeyId: key.AccessKeyId, Status: types.StatusTypeInactive})
	w.must(err)
	_, err = bob.DeleteAccessKey(w.ctx, &sdk.DeleteAccessKeyInput{AccessKeyId: key.AccessKeyId})
	w.must(err)
	want := []string{
		"iam:CreateUser arn:aws:iam::123456789012:user/bob", "iam:GetUser arn:aws:iam::123456789012:user/bob", "iam:GetUser arn:aws:iam::123456789012:root",
		"iam:CreateAccessKey arn:aws:iam::123456789012:user/bob", "iam:UpdateAccessKey arn:aws:iam::123456789012:user/bob", "iam:DeleteAccessKey arn:aws:iam::123456789012:user/bob",
	}
	if diff := cmp.Diff(want, w.gate.questions()); diff != "" {
		t.Errorf("asked (-want +got):\n%s", diff)
	}
	session := w.asSession()
	for name, call := range map[string]func() error{
		"GetUser":         func() error { _, err := session.GetUser(w.ctx, nil); return err },
		"CreateAccessKey": func() error { _, err := session.CreateAccessKey(w.ctx, nil); return err },
		"ListAccessKeys":  func() error { _, err := session.ListAccessKeys(w.ctx, nil); return err },
		"UpdateAccessKey": func() error {
			_, err := session.UpdateAccessKey(w.ctx, &sdk.UpdateAccessKeyInput{AccessKeyId: key.AccessKeyId, Status: types.StatusTypeActive})
			return err
		},
		"DeleteAccessKey": func() error {
			_, err := session.DeleteAccessKey(w.ctx, &sdk.DeleteAccessKeyInput{AccessKeyId: key.AccessKeyId})
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			wantRefusal(t, call(), "ValidationError", "Must specify userName when calling with non-User credentials")
		})
	}
}

func TestUserRefusals(t *testing.T) {
	w := newWorld(t, func(l *directory.Limits) { l.Users, l.ResourceTags = 2, 2 })
	w.user("bob")
	w.group("g")
	_, err := w.AddUserToGroup(w.ctx, &sdk.AddUserToGroupInput{GroupName: new("g"), UserName: new("bob")})
	w.must(err)
	w.user("eve")
	create := func(in sdk.CreateUserInput) error { _, err := w.CreateUser(w.ctx, &in); return err }
	update := func(in sdk.UpdateUserInput) error { _, err := w.UpdateUser(w.ctx, &in); return err }
	tag := func(user string, keys ...string) error {
		in := &sdk.TagUserInput{UserName: &user}
		for _, k := range keys {
			in.Tags = append(in.Tags, types.Tag{Key: &k, Value: new("")})
		}
		_, err := w.TagUser(w.ctx, in)
		return err
	}
	for _, tt := range []struct {
		name          string
		err           error
		code, message string
	}{
		{"a user that is there", create(sdk.CreateUserInput{UserName: new("BOB")}), "EntityAlreadyExists", "User with name BOB already exists."},
		{"a user too many", create(sdk.CreateUserInput{UserName: new("carl")}), "LimitExceeded", "Cannot exceed quota for UsersPerAccount: 2"},
		{"a boundary that is not there", create(sdk.CreateUserInput{UserName: new("carl"), PermissionsBoundary: new("arn:aws:iam::aws:policy/None")}),
			"NoSuchEntity", "Scope ARN: arn:aws:iam::aws:policy/None does not exist or is not attachable."},
		{"a boundary that is none", create(sdk.CreateUserInput{UserName: new("carl"), PermissionsBoundary: new("arn:aws:iam::x:policy/None")}),
			"InvalidInput", "ARN arn:aws:iam::x:policy/None is not valid."},
		{"a name that is none", create(sdk.CreateUserInput{UserName: new("a b")}), "ValidationError",
			`1 validation error detected: Value 'a b' at 'userName' failed to satisfy constraint: Member must satisfy regular expression pattern: [\w+=,.@-]+`},
		{"a user of no name", func() error { _, err := w.GetUser(w.ctx, &sdk.GetUserInput{UserName: new("")}); return err }(), "ValidationError",
			"1 validation error detected: Value '' at 'userName' failed to satisfy constraint: Member must have length greater than or equal to 1"},
		{"a user that is not there", func() error { _, err := w.GetUser(w.ctx, &sdk.GetUserInput{UserName: new("Nobody")}); return err }(),
			"NoSuchEntity", "The user with name Nobody cannot be found."},
		{"a move of nobody", update(sdk.UpdateUserInput{UserName: new("nobody")}), "NoSuchEntity", "The user with name nobody cannot be found."},
		{"a move to another's name", update(sdk.UpdateUserInput{UserName: new("eve"), NewUserName: new("bob")}), "EntityAlreadyExists", "User with name bob already exists."},
		{"a deletion of nobody", func() error { _, err := w.DeleteUser(w.ctx, &sdk.DeleteUserInput{UserName: new("nobody")}); return err }(),
			"NoSuchEntity", "The user with name nobody cannot be found."},
		{"a deletion of a member", func() error { _, err := w.DeleteUser(w.ctx, &sdk.DeleteUserInput{UserName: new("bob")}); return err }(),
			"DeleteConflict", "Cannot delete entity, must remove users from group first."},
		{"tags of nobody", tag("nobody", "a"), "NoSuchEntity", "The user with name nobody cannot be found."},
		{"too many tags", tag("bob", "a", "b", "c"), "LimitExceeded", "Cannot exceed quota for TagsPerResource: 2"},
		{"a tag twice", tag("bob", "a", "A"), "InvalidInput", "Duplicate tag keys found. Please note that Tag keys are case insensitive."},
		{"a tag of AWS's", tag("bob", "aws:a"), "InvalidInput", "Tag keys that start with aws: are reserved for AWS use."},
		{"tags taken off nobody", func() error {
			_, err := w.UntagUser(w.ctx, &sdk.UntagUserInput{UserName: new("nobody"), TagKeys: []string{"a"}})
			return err
		}(), "NoSuchEntity", "The user with name nobody cannot be found."},
		{"a list of nobody's tags", func() error {
			_, err := w.ListUserTags(w.ctx, &sdk.ListUserTagsInput{UserName: new("nobody")})
			return err
		}(),
			"NoSuchEntity", "The user with name nobody cannot be found."},
		{"a list of a path that is none", func() error { _, err := w.ListUsers(w.ctx, &sdk.ListUsersInput{PathPrefix: new("team")}); return err }(), "ValidationError",
			`1 validation error detected: Value 'team' at 'pathPrefix' failed to satisfy constraint: Member must satisfy regular expression pattern: \u002F[\u0021-\u007F]*`},
	} {
		t.Run(tt.name, func(t *testing.T) { wantRefusal(t, tt.err, tt.code, tt.message) })
	}
}

// TestAMoveIsDecidedOnBothNames: policies grant by ARN.
func TestAMoveIsDecidedOnBothNames(t *testing.T) {
	w := newWorld(t)
	w.user("bob")
	w.group("g")
	w.gate.questions()
	w.gate.denied["iam:UpdateUser arn:aws:iam::123456789012:user/admin/boss"] = true
	w.gate.denied["iam:UpdateGroup arn:aws:iam::123456789012:group/admin/g"] = true
	_, err := w.UpdateUser(w.ctx, &sdk.UpdateUserInput{UserName: new("Bob"), NewUserName: new("boss"), NewPath: new("/admin/")})
	wantRefusal(t, err, "AccessDenied", "User: arn:aws:iam::123456789012:root is not authorized to perform: iam:UpdateUser on resource: arn:aws:iam::123456789012:user/admin/boss")
	_, err = w.UpdateGroup(w.ctx, &sdk.UpdateGroupInput{GroupName: new("g"), NewPath: new("/admin/")})
	wantRefusal(t, err, "AccessDenied", "User: arn:aws:iam::123456789012:root is not authorized to perform: iam:UpdateGroup on resource: arn:aws:iam::123456789012:group/admin/g")
	want := []string{
		"iam:UpdateUser arn:aws:iam::123456789012:user/bob", "iam:UpdateUser arn:aws:iam::123456789012:user/admin/boss",
		"iam:UpdateGroup arn:aws:iam::123456789012:group/g", "iam:UpdateGroup arn:aws:iam::123456789012:group/admin/g",
	}
	if diff := cmp.Diff(want, w.gate.questions()); diff != "" {
		t.Errorf("asked (-want +got):\n%s", diff)
	}
	if _, err := w.directory.GetUser(w.ctx, account, "bob"); err != nil {
		t.Errorf("it moved: %v", err)
	}
}

// TestAccountsAreApart has the same names in two accounts.
func TestAccountsAreApart(t *testing.T) {
	w := newWorld(t)
	other := w.as(identity.Caller{Account: foreign, Kind: identity.Root, ARN: name.RootARN(foreign)})
	w.user("bob")
	if got := must2[*sdk.ListUsersOutput](t)(other.ListUsers(w.ctx, nil)); len(got.Users) != 0 {
		t.Errorf("the other account lists %v", got.Users)
	}
	_, err := other.GetUser(w.ctx, &sdk.GetUserInput{UserName: new("bob")})
	wantRefusal(t, err, "NoSuchEntity", "The user with name bob cannot be found.")
	_, err = other.CreateUser(w.ctx, &sdk.CreateUserInput{UserName: new("bob")})
	w.must(err)
	_, err = other.DeleteUser(w.ctx, &sdk.DeleteUserInput{UserName: new("bob")})
	w.must(err)
	_, err = w.GetUser(w.ctx, &sdk.GetUserInput{UserName: new("bob")})
	w.must(err)
}
