package identity_test

import (
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/lighterage/lighterage/internal/fault"
	"github.com/lighterage/lighterage/internal/identity"
	"github.com/lighterage/lighterage/internal/meta"
	"github.com/lighterage/lighterage/internal/sigv4"
)

const readOnly = "arn:aws:iam::aws:policy/ReadOnlyAccess"

func TestARoleSession(t *testing.T) {
	w := newWorld(t, nil)
	w.user(account, "alice")
	role := w.role("deploy")
	const document = `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"ecr:*","Resource":"*"}}`
	got := w.assume("alice", role, func(s *identity.RoleSessionSpec) {
		s.Duration, s.Policy, s.PolicyARNs = 2*time.Hour, document, []string{readOnly}
		s.Tags, s.Transitive, s.SourceIdentity = [][2]string{{"team", "red"}, {"Env", "test"}}, []string{"Team"}, "carol"
	})
	want := identity.Caller{
		Account: account, ARN: "arn:aws:sts::123456789012:assumed-role/deploy/job-7", UserID: "AROAdeploy:job-7", KeyID: got.KeyID, Region: region,
		Kind: identity.RoleSession, Name: "deploy",
		Session: &identity.Session{
			Name: "job-7", RoleARN: role, Policies: []string{document}, PolicyARNs: []string{readOnly},
			Tags: [][2]string{{"team", "red"}, {"Env", "test"}}, Transitive: []string{"Team"}, SourceIdentity: "carol",
			Issued: start, Expires: start.Add(2 * time.Hour),
		},
	}
	but := cmpopts.IgnoreFields(identity.Caller{}, "Principal")
	for name, a := range map[string]*identity.Authority{"the authority": w.Authority, "a replica": w.replica()} {
		caller, err := w.call(a, credentialsOf(got))
		if diff := cmp.Diff(want, caller, addresses, but); diff != "" || err != nil {
			t.Errorf("%s: %v (-want +got):\n%s", name, err, diff)
		}
		login, err := a.VerifyBasic(ctx, w.login(caller))
		if diff := cmp.Diff(want, login, addresses, but); diff != "" || err != nil {
			t.Errorf("%s: logged in: %v (-want +got):\n%s", name, err, diff)
		}
	}
	if got.Packed < 1 || got.Packed > 100 || !got.Expires.Equal(start.Add(2*time.Hour)) || got.Caller.ARN != want.ARN {
		t.Errorf("%d%%, expires %v, %s", got.Packed, got.Expires, got.Caller.ARN)
	}
	if !regexp.MustCompile(`^ASIA[A-Z2-7]{16}$`).MatchString(got.KeyID) || len(got.Secret.Reveal()) != 40 {
		t.Errorf("key id %s, a secret of %d characters", got.KeyID, len(got.Secret.Reveal()))
	}
	if strings.Contains(got.Token, "carol") || len(got.Token) > 2048 {
		t.Errorf("the token is %q", got.Token)
	}
	again := w.assume("alice", role, nil)
	if again.KeyID == got.KeyID || again.Secret.Reveal() == got.Secret.Reveal() || again.Token == got.Token {
		t.Error("two sessions have something in common")
	}
	if again.Packed != 0 || again.Caller.Session.Narrowed() {
		t.Errorf("a session that nothing narrows: %d%%, %+v", again.Packed, again.Caller.Session)
	}
}

func TestWhatIsPassedOnWhenARoleTakesOnARole(t *testing.T) {
	w := newWorld(t, nil)
	w.user(account, "alice")
	first := w.assume("alice", w.role("first"), func(s *identity.RoleSessionSpec) {
		s.Tags, s.Transitive, s.SourceIdentity = [][2]string{{"team", "red"}, {"env", "test"}}, []string{"team"}, "carol"
	})
	caller := w.as(credentialsOf(first))
	got, err := w.IssueRoleSession(ctx, caller, identity.RoleSessionSpec{Role: w.role("second"), Name: "next", Tags: [][2]string{{"env", "prod"}}})
	w.must(err)
	s := w.as(credentialsOf(got)).Session
	if diff := cmp.Diff([][2]string{{"team", "red"}, {"env", "prod"}}, s.Tags); diff != "" || s.SourceIdentity != "carol" {
		t.Errorf("source identity %s; tags (-want +got):\n%s", s.SourceIdentity, diff)
	}
	if diff := cmp.Diff([]string{"team"}, s.Transitive); diff != "" {
		t.Errorf("keys that are passed on (-want +got):\n%s", diff)
	}
}

func TestAnOwnSession(t *testing.T) {
	w := newWorld(t, nil)
	w.user(account, "alice")
	root := sigv4.Credentials{KeyID: keyID, Secret: "secret"}
	for name, tt := range map[string]struct {
		of          sigv4.Credentials
		asked, want time.Duration
	}{
		"of a user":                   {keyOf("alice"), 0, 12 * time.Hour},
		"of a user, for 36 hours":     {keyOf("alice"), 36 * time.Hour, 36 * time.Hour},
		"of a root":                   {root, 0, time.Hour},
		"of a root, for half an hour": {root, 30 * time.Minute, 30 * time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			long := w.as(tt.of)
			got, err := w.IssueOwnSession(ctx, long, tt.asked)
			w.must(err)
			short := w.as(credentialsOf(got))
			want := long
			want.KeyID = got.KeyID
			want.Session = &identity.Session{SourceKey: tt.of.KeyID, Issued: start, Expires: start.Add(tt.want)}
			if diff := cmp.Diff(want, short, addresses); diff != "" {
				t.Errorf("caller (-want +got):\n%s", diff)
			}
			_, err = w.IssueOwnSession(ctx, short, 0)
			wantReason(t, err, fault.AccessDenied)
		})
	}
	for _, lasts := range []time.Duration{time.Minute, 37 * time.Hour} {
		_, err := w.IssueOwnSession(ctx, w.as(keyOf("alice")), lasts)
		wantReason(t, err, fault.InputRefused)
	}
	unknown := w.as(keyOf("alice"))
	unknown.KeyID = "AKIAnobody"
	_, err := w.IssueOwnSession(ctx, unknown, 0)
	wantReason(t, err, fault.CredentialUnknown)
	foreign := w.as(keyOf("alice"))
	foreign.Account = stranger
	_, err = w.IssueOwnSession(ctx, foreign, 0)
	wantReason(t, err, fault.CredentialUnknown)
}

func TestASecurityTokenWorksOnlyAsItWasIssued(t *testing.T) {
	w := newWorld(t, nil)
	w.user(account, "alice")
	role := w.role("deploy")
	one, two := w.assume("alice", role, nil), w.assume("alice", role, nil)
	good := credentialsOf(one)
	other := newWorld(t, nil)
	other.user(account, "alice")
	foreign := other.assume("alice", other.role("deploy"), nil)
	edit := func(change func(*sigv4.Credentials)) sigv4.Credentials {
		c := good
		change(&c)
		return c
	}
	for name, tt := range map[string]struct {
		by   sigv4.Credentials
		want fault.Reason
	}{
		"without its token":             {edit(func(c *sigv4.Credentials) { c.SessionToken = "" }), fault.CredentialUnknown},
		"with another's token":          {edit(func(c *sigv4.Credentials) { c.SessionToken = two.Token }), fault.CredentialUnknown},
		"with another's secret":         {edit(func(c *sigv4.Credentials) { c.Secret = two.Secret.Reveal() }), fault.SignatureInvalid},
		"with another's key id":         {edit(func(c *sigv4.Credentials) { c.KeyID = two.KeyID }), fault.CredentialUnknown},
		"with a word for a token":       {edit(func(c *sigv4.Credentials) { c.SessionToken = "token" }), fault.CredentialUnknown},
		"with a token that is cut":      {edit(func(c *sigv4.Credentials) { c.SessionToken = one.Token[:len(one.Token)-1] }), fault.CredentialUnknown},
		"with a token that is longer":   {edit(func(c *sigv4.Credentials) { c.SessionToken += "A" }), fault.CredentialUnknown},
		"with a very long token":        {edit(func(c *sigv4.Credentials) { c.SessionToken = strings.Repeat("A", 13<<10) }), fault.CredentialUnknown},
		"with a token of another store": {credentialsOf(foreign), fault.CredentialUnknown},
		"with a user's key and a token": {sigv4.Credentials{KeyID: "AKIAalice", Secret: secretOf("alice"), SessionToken: one.Token}, fault.CredentialUnknown},
		"with a root's key and a token": {sigv4.Credentials{KeyID: keyID, Secret: "secret", SessionToken: one.Token}, fault.CredentialUnknown},
	} {
		t.Run(name, func(t *testing.T) {
			for range 2 { // no answer is remembered wrongly
				_, err := w.call(w.Authority, tt.by)
				wantReason(t, err, tt.want)
			}
		})
	}
	t.Run("with a token that is not signed", func(t *testing.T) {
		r := w.signed(edit(func(c *sigv4.Credentials) { c.SessionToken = "" }))
		r.Header.Set("X-Amz-Security-Token", one.Token)
		if _, err := w.send(w.Authority, r); fault.Of(err).Kind() != fault.Unauthenticated {
			t.Errorf("got %v", err)
		}
	})
	t.Run("as a login", func(t *testing.T) {
		_, err := w.VerifyBasic(ctx, basic("AWS", one.Token))
		wantReason(t, err, fault.TokenInvalid)
	})
	t.Run("any character changed", func(t *testing.T) {
		for i := 0; i < len(one.Token); i += 7 {
			b := []byte(one.Token)
			b[i] ^= 1
			if _, err := w.call(w.Authority, edit(func(c *sigv4.Credentials) { c.SessionToken = string(b) })); !fault.Is(err, fault.CredentialUnknown) {
				t.Fatalf("at %d: %v", i, err)
			}
		}
	})
	w.as(good)
}

func TestASessionEnds(t *testing.T) {
	for name, tt := range map[string]struct {
		end  func(*world)
		want fault.Reason
	}{
		"with its time": {func(w *world) { w.pass(time.Hour) }, fault.TokenExpired},
		"with its role": {func(w *world) {
			w.update(func(tx meta.Tx) error {
				p, err := tx.PrincipalByUniqueID("AROAdeploy")
				if err != nil {
					return err
				}
				return tx.DeletePrincipal(p.ID)
			})
		}, fault.CredentialUnknown},
		"when the account's tokens are revoked": {revoke, fault.CredentialUnknown},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, nil)
			w.user(account, "alice")
			got := w.assume("alice", w.role("deploy"), nil)
			w.as(credentialsOf(got))
			tt.end(w)
			_, err := w.call(w.Authority, credentialsOf(got))
			wantReason(t, err, tt.want)
			_, err = w.call(w.replica(), credentialsOf(got))
			wantReason(t, err, tt.want)
		})
	}
	t.Run("but not with the user who took the role on", func(t *testing.T) {
		w := newWorld(t, nil)
		w.user(account, "alice")
		got := w.assume("alice", w.role("deploy"), nil)
		userEnds("alice")["the user is deleted"](w)
		w.as(credentialsOf(got))
	})
	for name, end := range userEnds("alice") {
		t.Run("of a user's own, when "+name, func(t *testing.T) {
			w := newWorld(t, nil)
			w.user(account, "alice")
			got, err := w.IssueOwnSession(ctx, w.as(keyOf("alice")), 0)
			w.must(err)
			w.as(credentialsOf(got))
			end(w)
			_, err = w.call(w.Authority, credentialsOf(got))
			wantReason(t, err, fault.CredentialUnknown)
		})
	}
	t.Run("and one that is issued after the revocation works", func(t *testing.T) {
		w := newWorld(t, nil)
		w.user(account, "alice")
		role := w.role("deploy")
		revoke(w)
		w.pass(time.Millisecond)
		w.as(credentialsOf(w.assume("alice", role, nil)))
	})
	t.Run("and another account's revocation changes nothing", func(t *testing.T) {
		w := newWorld(t, nil)
		w.user(account, "alice")
		got := w.assume("alice", w.role("deploy"), nil)
		w.update(func(tx meta.Tx) error { return tx.SetAccount(meta.Account{ID: stranger, RevokedAt: w.clock()}) })
		w.as(credentialsOf(got))
	})
}

func TestAWebIdentityTakesARoleOn(t *testing.T) {
	w := newWorld(t, nil)
	role := w.role("deploy")
	web := identity.Caller{Account: account, Kind: identity.WebIdentity, Session: &identity.Session{Provider: "issuer.example.com", Subject: "repo:a", Audience: "sts"}}
	got, err := w.IssueRoleSession(ctx, web, identity.RoleSessionSpec{Role: role, Name: "job-7"})
	w.must(err)
	s := w.as(credentialsOf(got)).Session
	if s.Provider != "issuer.example.com" || s.Subject != "repo:a" || s.Audience != "sts" {
		t.Errorf("the session is %+v", s)
	}
	_, err = w.IssueRoleSession(ctx, web, identity.RoleSessionSpec{Role: role + "x", Name: "job-7"})
	wantReason(t, err, fault.AccessDenied)
	_, err = w.IssueOwnSession(ctx, web, 0)
	wantReason(t, err, fault.AccessDenied)
}

func TestTheSecretsOfASessionDoNotFormat(t *testing.T) {
	w := newWorld(t, nil)
	w.user(account, "alice")
	got := w.assume("alice", w.role("deploy"), nil)
	if text := got.Secret.String() + got.Secret.GoString(); strings.Contains(text, got.Secret.Reveal()) {
		t.Errorf("formats as %s", text)
	}
}
