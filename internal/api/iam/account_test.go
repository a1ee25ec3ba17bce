package iam_test

import (
	"testing"

	sdk "github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/google/go-cmp/cmp"

	"github.com/lighterage/lighterage/internal/identity"
)

func TestAccountAliasOperations(t *testing.T) {
	w := newWorld(t)
	create := func(c *sdk.Client, alias string) error {
		_, err := c.CreateAccountAlias(w.ctx, &sdk.CreateAccountAliasInput{AccountAlias: &alias})
		return err
	}
	drop := func(alias string) error {
		_, err := w.DeleteAccountAlias(w.ctx, &sdk.DeleteAccountAliasInput{AccountAlias: &alias})
		return err
	}
	has := func(want ...string) {
		t.Helper()
		got := must2[*sdk.ListAccountAliasesOutput](t)(w.ListAccountAliases(w.ctx, nil))
		if diff := cmp.Diff(append([]string{}, want...), got.AccountAliases); diff != "" || got.IsTruncated {
			t.Errorf("aliases, truncated: %v (-want +got):\n%s", got.IsTruncated, diff)
		}
	}
	has()
	w.must(create(w.Client, "team-a"))
	has("team-a")
	w.must(create(w.Client, "team-b")) // IAM puts it in the place of the other
	has("team-b")
	wantRefusal(t, create(w.Client, "team-b"), "EntityAlreadyExists", "The account alias team-b already exists.")
	other := w.as(identity.Caller{Account: foreign, Kind: identity.Root})
	wantRefusal(t, create(other, "team-b"), "EntityAlreadyExists", "The account alias team-b already exists.")
	wantRefusal(t, drop("team-a"), "NoSuchEntity", "The account alias team-a cannot be found.")
	w.must(drop("team-b"))
	has()
	wantRefusal(t, create(w.Client, "a--b"), "ValidationError",
		"1 validation error detected: Value 'a--b' at 'accountAlias' failed to satisfy constraint: Member must satisfy regular expression pattern: ^[a-z0-9]([a-z0-9]|-(?!-)){1,61}[a-z0-9]$")
}
