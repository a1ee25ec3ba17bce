package identity_test

import (
	"testing"

	"github.com/lighterage/lighterage/internal/identity"
)

func TestARootKeySpeaksForItsAccount(t *testing.T) {
	a := newAuthority(t, newSecrets(), &clock{start}, identity.RootKey("210987654321", keyID, identity.NewSecret("x")))
	token, err := a.IssueToken(ctx, identity.Caller{Account: "210987654321", KeyID: keyID}, identity.FullScope, region)
	if err != nil {
		t.Fatal(err)
	}
	c, err := a.VerifyToken(ctx, "AWS", token.Password)
	if err != nil || c.ARN != "arn:aws:iam::210987654321:root" || c.UserID != "210987654321" || c.Account != "210987654321" {
		t.Errorf("speaks for %s, %s, %s, %v", c.Account, c.ARN, c.UserID, err)
	}
}
