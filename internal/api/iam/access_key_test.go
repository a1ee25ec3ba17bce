package iam_test

import (
	"context"
	"regexp"
	"sort"
	"strings"
	"testing"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"
	"github.com/google/go-cmp/cmp"

	"github.com/lighterage/lighterage/internal/identity"
	"github.com/lighterage/lighterage/internal/meta"
	"github.com/lighterage/lighterage/internal/name"
)

var (
	keyID  = regexp.MustCompile(`^AKIA[A-Z2-7]{16}$`)
	secret = regexp.MustCompile(`^[A-Za-z0-9+/]{40}$`)
)

func TestAccessKeyOperations(t *testing.T) {
	w := newWorld(t)
	w.user("bob")
	var ids []string
	for range 2 {
		key := must2[*sdk.CreateAccessKeyOutput](t)(w.CreateAccessKey(w.ctx, &sdk.CreateAccessKeyInput{UserName: new("Bob")})).AccessKey
		if *key.UserName != "bob" || !keyID.MatchString(*key.AccessKeyId) || !secret.MatchString(*key.SecretAccessKey) || key.Status != types.StatusTypeActive || !key.CreateDate.Equal(instant) {
			t.Errorf("made %+v", key)
		}
		ids = append(ids, *key.AccessKeyId)
	}
	sort.Strings(ids)
	_, err := w.UpdateAccessKey(w.ctx, &sdk.UpdateAccessKeyInput{UserName: new("bob"), AccessKeyId: &ids[1], Status: types.StatusTypeInactive})
	w.must(err)
	want := []types.AccessKeyMetadata{
		{UserName: new("bob"), AccessKeyId: &ids[0], Status: types.StatusTypeActive, CreateDate: new(instant)},
		{UserName: new("bob"), AccessKeyId: &ids[1], Status: types.StatusTypeInactive, CreateDate: new(instant)},
	}
	var got []types.AccessKeyMetadata
	pages := sdk.NewListAccessKeysPaginator(w, &sdk.ListAccessKeysInput{UserName: new("bob"), MaxItems: new(int32(1))})
	for pages.HasMorePages() {
		got = append(got, must2[*sdk.ListAccessKeysOutput](t)(pages.NextPage(w.ctx)).AccessKeyMetadata...)
	}
	same(t, want, got)
	_, err = w.UpdateAccessKey(w.ctx, &sdk.UpdateAccessKeyInput{UserName: new("bob"), AccessKeyId: &ids[1], Status: types.StatusTypeActive})
	w.must(err)
	_, err = w.DeleteAccessKey(w.ctx, &sdk.DeleteAccessKeyInput{UserName: new("bob"), AccessKeyId: &ids[0]})
	w.must(err)
	if left := must2[*sdk.ListAccessKeysOutput](t)(w.ListAccessKeys(w.ctx, &sdk.ListAccessKeysInput{UserName: new("bob")})).AccessKeyMetadata; len(left) != 1 || *left[0].AccessKeyId != ids[1] || left[0].Status != types.StatusTypeActive {
		t.Errorf("left %+v", left)
	}
}

func TestARootHasKeysOfItsOwn(t *testing.T) {
	w := newWorld(t)
	key := must2[*sdk.CreateAccessKeyOutput](t)(w.CreateAccessKey(w.ctx, nil)).AccessKey
	if key.UserName != nil {
		t.Errorf("it is of %s", *key.UserName)
	}
	row, err := w.directory.FindAccessKey(w.ctx, account, *key.AccessKeyId)
	if err != nil || row.User != 0 || row.Account != account {
		t.Errorf("the row is %+v, %v", row, err)
	}
	if listed := must2[*sdk.ListAccessKeysOutput](t)(w.ListAccessKeys(w.ctx, nil)).AccessKeyMetadata; len(listed) != 1 || listed[0].UserName != nil {
		t.Errorf("listed %+v", listed)
	}
	unused := must2[*sdk.GetAccessKeyLastUsedOutput](t)(w.GetAccessKeyLastUsed(w.ctx, &sdk.GetAccessKeyLastUsedInput{AccessKeyId: key.AccessKeyId}))
	if unused.UserName != nil {
		t.Errorf("it is of %s", *unused.UserName)
	}
}

func TestTheLastUseOfAKey(t *testing.T) {
	w := newWorld(t)
	w.user("bob")
	id := *must2[*sdk.CreateAccessKeyOutput](t)(w.CreateAccessKey(w.ctx, &sdk.CreateAccessKeyInput{UserName: new("bob")})).AccessKey.AccessKeyId
	lastUsed := func() *sdk.GetAccessKeyLastUsedOutput {
		t.Helper()
		return must2[*sdk.GetAccessKeyLastUsedOutput](t)(w.GetAccessKeyLastUsed(w.ctx, &sdk.GetAccessKeyLastUsedInput{AccessKeyId: &id}))
	}
	w.gate.questions()
	never := lastUsed()
	if *never.UserName != "bob" {
		t.Errorf("it is of %s", *never.UserName)
	}
	same(t, &types.AccessKeyLastUsed{Region: new("N/A"), ServiceName: new("N/A")}, never.AccessKeyLastUsed)
	use := meta.Use{At: instant.Add(time.Hour), Region: "eu-west-1", Service: "ecr"}
	w.must(w.store.Update(context.Background(), func(tx meta.Tx) error { return tx.RecordKeyUses(map[string]meta.Use{id: use}) }))
	same(t, &types.AccessKeyLastUsed{LastUsedDate: new(use.At), Region: new("eu-west-1"), ServiceName: new("ecr")}, lastUsed().AccessKeyLastUsed)

	other := w.as(identity.Caller{Account: foreign, Kind: identity.Root, ARN: name.RootARN(foreign)})
	_, err := other.GetAccessKeyLastUsed(w.ctx, &sdk.GetAccessKeyLastUsedInput{AccessKeyId: &id})
	wantRefusal(t, err, "AccessDenied", "User: arn:aws:iam::210987654321:root is not authorized to perform: iam:GetAccessKeyLastUsed on resource: access key "+id)
	want := []string{
		"iam:GetAccessKeyLastUsed arn:aws:iam::123456789012:user/bob", "iam:GetAccessKeyLastUsed arn:aws:iam::123456789012:user/bob", "iam:GetAccessKeyLastUsed *",
	}
	if diff := cmp.Diff(want, w.gate.questions()); diff != "" {
		t.Errorf("asked (-want +got):\n%s", diff)
	}
}

func TestAccessKeyRefusals(t *testing.T) {
	w := newWorld(t)
	w.user("bob")
	w.user("eve")
	var id string
	for range 2 {
		id = *must2[*sdk.CreateAccessKeyOutput](t)(w.CreateAccessKey(w.ctx, &sdk.CreateAccessKeyInput{UserName: new("bob")})).AccessKey.AccessKeyId
	}
	const none = "AKIAIOSFODNN7EXAMPLE"
	create := func(user string) error {
		_, err := w.CreateAccessKey(w.ctx, &sdk.CreateAccessKeyInput{UserName: &user})
		return err
	}
	update := func(user, id string, status types.StatusType) error {
		_, err := w.UpdateAccessKey(w.ctx, &sdk.UpdateAccessKeyInput{UserName: &user, AccessKeyId: &id, Status: status})
		return err
	}
	drop := func(user, id string) error {
		_, err := w.DeleteAccessKey(w.ctx, &sdk.DeleteAccessKeyInput{UserName: &user, AccessKeyId: &id})
		return err
	}
	const nobody = "The user with name nobody cannot be found."
	for _, tt := range []struct {
		name          string
		err           error
		code, message string
	}{
		{"a third key", create("bob"), "LimitExceeded", "Cannot exceed quota for AccessKeysPerUser: 2"},
		{"a key of nobody", create("nobody"), "NoSuchEntity", nobody},
		{"a list of nobody's", func() error {
			_, err := w.ListAccessKeys(w.ctx, &sdk.ListAccessKeysInput{UserName: new("nobody")})
			return err
		}(), "NoSuchEntity", nobody},
		{"an update of nobody's", update("nobody", id, types.StatusTypeActive), "NoSuchEntity", nobody},
		{"an update of another's", update("eve", id, types.StatusTypeInactive), "NoSuchEntity", "The Access Key with id " + id + " cannot be found."},
		{"an update of none", update("bob", none, types.StatusTypeInactive), "NoSuchEntity", "The Access Key with id " + none + " cannot be found."},
		{"a status of other credentials", update("bob", id, types.StatusTypeExpired), "ValidationError",
			"1 validation error detected: Value 'Expired' at 'status' failed to satisfy constraint: Member must satisfy enum value set: [Active, Inactive]"},
		{"a deletion of nobody's", drop("nobody", id), "NoSuchEntity", nobody},
		{"a deletion of another's", drop("eve", id), "NoSuchEntity", "The Access Key with id " + id + " cannot be found."},
		{"the last use of none", func() error {
			_, err := w.GetAccessKeyLastUsed(w.ctx, &sdk.GetAccessKeyLastUsedInput{AccessKeyId: new(none)})
			return err
		}(), "AccessDenied", "User: arn:aws:iam::123456789012:root is not authorized to perform: iam:GetAccessKeyLastUsed on resource: access key " + none},
	} {
		t.Run(tt.name, func(t *testing.T) { wantRefusal(t, tt.err, tt.code, tt.message) })
	}
}

func TestPassingCredentialsMakeNoLastingOnes(t *testing.T) {
	w := newWorld(t)
	w.user("bob")
	for _, kind := range []identity.Kind{identity.User, identity.Root} {
		passing := w.as(identity.Caller{Account: account, Kind: kind, Name: "bob", Session: &identity.Session{}})
		_, err := passing.CreateAccessKey(w.ctx, &sdk.CreateAccessKeyInput{UserName: new("bob")})
		if err == nil || !strings.Contains(err.Error(), "InvalidClientTokenId: The security token included in the request is invalid.") {
			t.Errorf("kind %d: %v", kind, err)
		}
	}
	_, err := w.asSession().CreateAccessKey(w.ctx, &sdk.CreateAccessKeyInput{UserName: new("bob")})
	w.must(err)
	keys := must2[*sdk.ListAccessKeysOutput](t)(w.ListAccessKeys(w.ctx, &sdk.ListAccessKeysInput{UserName: new("bob")}))
	if len(keys.AccessKeyMetadata) != 1 {
		t.Errorf("%d keys", len(keys.AccessKeyMetadata))
	}
}
