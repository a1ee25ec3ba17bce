package iam_test

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	sdk "github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"
	"github.com/google/go-cmp/cmp"

	"github.com/lighterage/lighterage/internal/access"
	"github.com/lighterage/lighterage/internal/api/awsmodel/iammodel"
	"github.com/lighterage/lighterage/internal/api/iam"
)

func TestEveryOperationOfTheModelIsOffered(t *testing.T) {
	s := iam.New(iam.Config{})
	offered := map[string]bool{}
	for _, o := range s.Operations {
		if o.Action != "iam:"+o.Name {
			t.Errorf("%s asks for the action %s", o.Name, o.Action)
		}
		offered[o.Name] = true
	}
	if len(iammodel.Model.Operations) != 80 {
		t.Errorf("the model has %d operations", len(iammodel.Model.Operations))
	}
	for _, o := range iammodel.Model.Operations {
		if !offered[o.Name] {
			t.Errorf("%s is not offered", o.Name)
		}
	}
	// What the SDK has beyond is refused by name.
	client := reflect.TypeFor[*sdk.Client]()
	for i := range client.NumMethod() {
		name := client.Method(i).Name
		if name != "Options" && offered[name] == slices.Contains(s.NotOffered, name) {
			t.Errorf("%s is both offered and not, or neither", name)
		}
	}
}

func TestWhatIsNotOfferedIsRefusedByName(t *testing.T) {
	w := newWorld(t)
	_, err := w.CreateLoginProfile(w.ctx, &sdk.CreateLoginProfileInput{UserName: new("bob")})
	if err == nil || !strings.Contains(err.Error(), "UnknownOperationException: CreateLoginProfile is not offered by this server") {
		t.Errorf("got %v", err)
	}
}

// TestEveryOperationIsDecidedOnItsResource has all denied: the question is the
// resource's name, and nothing is done.
func TestEveryOperationIsDecidedOnItsResource(t *testing.T) {
	const (
		arn   = "arn:aws:iam::123456789012:"
		keyID = "AKIAIOSFODNN7EXAMPLE"
	)
	w := newWorld(t)
	_, err := w.CreateUser(w.ctx, &sdk.CreateUserInput{UserName: new("Bob"), Path: new("/x/")})
	w.must(err)
	_, err = w.CreateGroup(w.ctx, &sdk.CreateGroupInput{GroupName: new("Ops"), Path: new("/y/")})
	w.must(err)
	w.gate.questions()
	before := must2[*sdk.GetAccountAuthorizationDetailsOutput](t)(w.GetAccountAuthorizationDetails(w.ctx, nil))
	tags := []types.Tag{{Key: new("a"), Value: new("1")}}
	for _, tt := range []struct {
		in   any
		want access.Resource // without the account
	}{
		{&sdk.CreateUserInput{UserName: new("eve"), Path: new("/z/"), Tags: tags, PermissionsBoundary: new("arn:aws:iam::aws:policy/ReadOnlyAccess")},
			access.Resource{ARN: arn + "user/z/eve", RequestTags: [][2]string{{"a", "1"}}, Keys: map[string][]string{"iam:permissionsboundary": {"arn:aws:iam::aws:policy/ReadOnlyAccess"}}}},
		{&sdk.CreateUserInput{UserName: new("eve")}, access.Resource{ARN: arn + "user/eve", RequestTags: [][2]string{}}},
		{&sdk.GetUserInput{UserName: new("bob")}, access.Resource{ARN: arn + "user/x/Bob"}},
		{&sdk.GetUserInput{UserName: new("none")}, access.Resource{ARN: arn + "user/none"}},
		{&sdk.GetUserInput{}, access.Resource{ARN: arn + "root"}},
		{&sdk.ListUsersInput{}, access.Resource{ARN: arn + "user/"}},
		{&sdk.ListUsersInput{PathPrefix: new("/x/")}, access.Resource{ARN: arn + "user/x/"}},
		{&sdk.UpdateUserInput{UserName: new("bob"), NewUserName: new("eve")}, access.Resource{ARN: arn + "user/x/Bob"}},
		{&sdk.DeleteUserInput{UserName: new("bob")}, access.Resource{ARN: arn + "user/x/Bob"}},
		{&sdk.TagUserInput{UserName: new("bob"), Tags: tags}, access.Resource{ARN: arn + "user/x/Bob", RequestTags: [][2]string{{"a", "1"}}}},
		{&sdk.UntagUserInput{UserName: new("bob"), TagKeys: []string{"a"}}, access.Resource{ARN: arn + "user/x/Bob", TagKeys: []string{"a"}}},
		{&sdk.ListUserTagsInput{UserName: new("bob")}, access.Resource{ARN: arn + "user/x/Bob"}},
		{&sdk.CreateGroupInput{GroupName: new("dev"), Path: new("/z/")}, access.Resource{ARN: arn + "group/z/dev"}},
		{&sdk.GetGroupInput{GroupName: new("ops")}, access.Resource{ARN: arn + "group/y/Ops"}},
		{&sdk.ListGroupsInput{}, access.Resource{ARN: arn + "group/"}},
		{&sdk.ListGroupsForUserInput{UserName: new("bob")}, access.Resource{ARN: arn + "user/x/Bob"}},
		{&sdk.UpdateGroupInput{GroupName: new("ops"), NewPath: new("/")}, access.Resource{ARN: arn + "group/y/Ops"}},
		{&sdk.DeleteGroupInput{GroupName: new("ops")}, access.Resource{ARN: arn + "group/y/Ops"}},
		{&sdk.AddUserToGroupInput{GroupName: new("ops"), UserName: new("bob")}, access.Resource{ARN: arn + "group/y/Ops"}},
		{&sdk.RemoveUserFromGroupInput{GroupName: new("ops"), UserName: new("bob")}, access.Resource{ARN: arn + "group/y/Ops"}},
		{&sdk.CreateAccessKeyInput{UserName: new("bob")}, access.Resource{ARN: arn + "user/x/Bob"}},
		{&sdk.ListAccessKeysInput{UserName: new("bob")}, access.Resource{ARN: arn + "user/x/Bob"}},
		{&sdk.UpdateAccessKeyInput{UserName: new("bob"), AccessKeyId: new(keyID), Status: types.StatusTypeActive}, access.Resource{ARN: arn + "user/x/Bob"}},
		{&sdk.DeleteAccessKeyInput{UserName: new("bob"), AccessKeyId: new(keyID)}, access.Resource{ARN: arn + "user/x/Bob"}},
		{&sdk.GetAccessKeyLastUsedInput{AccessKeyId: new(keyID)}, access.Resource{ARN: "*"}},
		{&sdk.CreateAccountAliasInput{AccountAlias: new("team")}, access.Resource{ARN: "*"}},
		{&sdk.ListAccountAliasesInput{}, access.Resource{ARN: "*"}},
		{&sdk.DeleteAccountAliasInput{AccountAlias: new("team")}, access.Resource{ARN: "*"}},
		{&sdk.GetAccountSummaryInput{}, access.Resource{ARN: "*"}},
		{&sdk.GetAccountAuthorizationDetailsInput{}, access.Resource{ARN: "*"}},
	} {
		operation := strings.TrimSuffix(reflect.TypeOf(tt.in).Elem().Name(), "Input")
		t.Run(operation+" on "+tt.want.ARN, func(t *testing.T) {
			tt.want.Account = account
			w.gate.denied["iam:"+operation+" "+tt.want.ARN] = true
			w.gate.questions()
			answer := reflect.ValueOf(w.Client).MethodByName(operation).Call([]reflect.Value{reflect.ValueOf(w.ctx), reflect.ValueOf(tt.in)})
			err, _ := answer[1].Interface().(error)
			if diff := cmp.Diff([]asked{{"iam:" + operation, tt.want}}, w.gate.asked, cmp.AllowUnexported(asked{})); diff != "" {
				t.Errorf("asked (-want +got):\n%s", diff)
			}
			wantRefusal(t, err, "AccessDenied", "User: arn:aws:iam::123456789012:root is not authorized to perform: iam:"+operation+" on resource: "+tt.want.ARN)
		})
	}
	w.gate.denied = map[string]bool{}
	after := must2[*sdk.GetAccountAuthorizationDetailsOutput](t)(w.GetAccountAuthorizationDetails(w.ctx, nil))
	before.ResultMetadata = after.ResultMetadata
	if !reflect.DeepEqual(before, after) {
		t.Errorf("something was done: %+v, %+v", before, after)
	}
}
