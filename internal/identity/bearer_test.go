package identity_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lighterage/lighterage/internal/fault"
	"github.com/lighterage/lighterage/internal/identity"
)

func TestABearerTokenIsGoodForWhatTheLoginIs(t *testing.T) {
	for _, scope := range []identity.Scope{identity.FullScope, identity.LightsailPush} {
		c := &clock{start}
		a := newAuthority(t, newSecrets(), c, rootKey("secret"))
		login := basic("AWS", issue(t, a, scope).Password)
		token, err := a.IssueBearer(ctx, login)
		if err != nil || !token.ExpiresAt.Equal(start.Add(identity.BearerTTL)) {
			t.Fatalf("%+v, %v", token, err)
		}
		want, err := a.VerifyBasic(ctx, login)
		if err != nil {
			t.Fatal(err)
		}
		got, err := a.VerifyBearer(ctx, token.Password)
		if diff := cmp.Diff(want, got, addresses); diff != "" || err != nil {
			t.Errorf("%v (-want +got):\n%s", err, diff)
		}
		c.now = start.Add(12 * time.Hour)
		_, err = a.VerifyBearer(ctx, token.Password)
		wantReason(t, err, fault.TokenExpired)
		_, err = a.IssueBearer(ctx, login)
		wantReason(t, err, fault.TokenExpired)
	}
}

func TestABearerTokenOfNobody(t *testing.T) {
	c := &clock{start}
	a := newAuthority(t, newSecrets(), c, rootKey("secret"))
	token, err := a.IssueBearer(ctx, "")
	if err != nil {
		t.Fatal(err)
	}
	got, err := a.VerifyBearer(ctx, token.Password)
	if diff := cmp.Diff(identity.Caller{Kind: identity.Anonymous, Scope: identity.AnonymousPull}, got, addresses); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	_, err = a.VerifyToken(ctx, "AWS", token.Password)
	wantReason(t, err, fault.TokenInvalid)
	_, err = a.VerifyBasic(ctx, basic("AWS", token.Password))
	wantReason(t, err, fault.TokenInvalid)
	c.now = token.ExpiresAt
	_, err = a.VerifyBearer(ctx, token.Password)
	wantReason(t, err, fault.TokenInvalid) // the client asks for the next one
}

func TestForgedBearerTokensAreRefused(t *testing.T) {
	c := &clock{start}
	a, other := newAuthority(t, newSecrets(), c, rootKey("secret")), newAuthority(t, newSecrets(), c, rootKey("secret"))
	nobodys, err := a.IssueBearer(ctx, "")
	if err != nil {
		t.Fatal(err)
	}
	theirs, err := other.IssueBearer(ctx, "")
	if err != nil {
		t.Fatal(err)
	}
	login := issue(t, a, identity.FullScope).Password
	parts, full := strings.Split(nobodys.Password, "."), strings.Split(login, ".")
	for what, token := range map[string]string{
		"empty":                             "",
		"a word":                            "anonymous",
		"another server's":                  theirs.Password,
		"without a signature":               parts[0] + "." + parts[1] + ".",
		"a login's content":                 parts[0] + "." + full[1] + "." + parts[2],
		"nobody's content":                  full[0] + "." + parts[1] + "." + full[2],
		"a truncated one":                   nobodys.Password[:len(nobodys.Password)-1],
		"a truncated login":                 login[:len(login)-1],
		"too long":                          nobodys.Password + strings.Repeat("A", 20_000),
		"a download link":                   a.IssueDownload(identity.Download{}),
		"a login with the user in front":    "AWS:" + login,
		"a login as Basic has it":           strings.TrimPrefix(basic("AWS", login), "Basic "),
		"a line break behind nobody's":      nobodys.Password + "\n",
		"padding behind nobody's signature": nobodys.Password + "=",
	} {
		t.Run(what, func(t *testing.T) {
			_, err := a.VerifyBearer(ctx, token)
			wantReason(t, err, fault.TokenInvalid)
		})
	}
	for _, header := range []string{"Basic", "Basic x", "Bearer " + nobodys.Password, basic("AWS", "letmein"), basic("aws", login)} {
		_, err := a.IssueBearer(ctx, header)
		wantReason(t, err, fault.TokenInvalid)
	}
}
