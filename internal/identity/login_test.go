package identity_test

import (
	"testing"
	"time"

	"github.com/lighterage/lighterage/internal/fault"
	"github.com/lighterage/lighterage/internal/identity"
	"github.com/lighterage/lighterage/internal/meta"
	"github.com/lighterage/lighterage/internal/sigv4"
)

func TestALoginEndsAtTheNextRequest(t *testing.T) {
	ends := userEnds("alice")
	ends["the account's tokens are revoked"] = revoke
	for name, end := range ends {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, nil)
			w.user(account, "alice")
			w.user(stranger, "bob")
			alice, bob := w.as(keyOf("alice")), w.as(keyOf("bob"))
			header, bobs := w.login(alice), w.login(bob)
			push, err := w.IssueToken(ctx, alice, identity.LightsailPush, region)
			w.must(err)
			replica := w.replica()
			works := func(a *identity.Authority, header string) error { _, err := a.VerifyBasic(ctx, header); return err }
			for range 2 {
				w.must(works(w.Authority, header))
				w.must(works(replica, header))
				w.must(works(w.Authority, basic("AWS", push.Password)))
			}
			end(w)
			for _, a := range []*identity.Authority{w.Authority, replica} {
				wantReason(t, works(a, header), fault.TokenInvalid)
				wantReason(t, works(a, basic("AWS", push.Password)), fault.TokenInvalid)
				_, err := a.VerifyToken(ctx, "AWS", push.Password)
				wantReason(t, err, fault.TokenInvalid)
				w.must(works(a, bobs))
			}
		})
	}
}

func TestALoginAfterARevocationWorks(t *testing.T) {
	w := newWorld(t, nil)
	root := sigv4.Credentials{KeyID: keyID, Secret: "secret"}
	old := w.login(w.as(root))
	revoke(w)
	_, err := w.VerifyBasic(ctx, old)
	wantReason(t, err, fault.TokenInvalid)
	w.pass(time.Millisecond)
	_, err = w.VerifyBasic(ctx, w.login(w.as(root)))
	w.must(err)
}

func TestALoginOfASession(t *testing.T) {
	for name, tt := range map[string]struct {
		bound   bool
		expires time.Duration
	}{
		"lives for 12 hours, as on AWS":               {false, 12 * time.Hour},
		"ends with the session, if the server is set": {true, time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, func(c *identity.Config) { c.TokensEndWithSessions = tt.bound })
			w.user(account, "alice")
			session := w.assume("alice", w.role("deploy"), nil)
			token, err := w.IssueToken(ctx, w.as(credentialsOf(session)), identity.FullScope, region)
			w.must(err)
			if want := start.Add(tt.expires); !token.ExpiresAt.Equal(want) {
				t.Errorf("expires %v, want %v", token.ExpiresAt, want)
			}
			w.pass(tt.expires - time.Second)
			_, err = w.VerifyToken(ctx, "AWS", token.Password)
			w.must(err)
			w.pass(time.Second)
			_, err = w.VerifyToken(ctx, "AWS", token.Password)
			wantReason(t, err, fault.TokenExpired)
		})
	}
	for name, end := range map[string]func(*world){
		"ends with its role": func(w *world) {
			w.update(func(tx meta.Tx) error {
				p, err := tx.PrincipalByUniqueID("AROAdeploy")
				if err != nil {
					return err
				}
				return tx.DeletePrincipal(p.ID)
			})
		},
		"ends with the account's revocation": revoke,
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, nil)
			w.user(account, "alice")
			header := w.login(w.as(credentialsOf(w.assume("alice", w.role("deploy"), nil))))
			_, err := w.VerifyBasic(ctx, header)
			w.must(err)
			end(w)
			_, err = w.VerifyBasic(ctx, header)
			wantReason(t, err, fault.TokenInvalid)
		})
	}
	for name, end := range userEnds("alice") {
		t.Run("of a user's own ends when "+name, func(t *testing.T) {
			w := newWorld(t, nil)
			w.user(account, "alice")
			session, err := w.IssueOwnSession(ctx, w.as(keyOf("alice")), 0)
			w.must(err)
			header := w.login(w.as(credentialsOf(session)))
			_, err = w.VerifyBasic(ctx, header)
			w.must(err)
			end(w)
			_, err = w.VerifyBasic(ctx, header)
			wantReason(t, err, fault.TokenInvalid)
		})
	}
}

func TestTheTimeOfLoginsIsASetting(t *testing.T) {
	w := newWorld(t, func(c *identity.Config) { c.TokenTTL = 15 * time.Minute })
	token, err := w.IssueToken(ctx, w.as(sigv4.Credentials{KeyID: keyID, Secret: "secret"}), identity.FullScope, region)
	w.must(err)
	if want := start.Add(15 * time.Minute); !token.ExpiresAt.Equal(want) {
		t.Errorf("expires %v, want %v", token.ExpiresAt, want)
	}
}

func TestTheLargestSessionFitsALogin(t *testing.T) {
	w := newWorld(t, nil)
	w.user(account, "alice")
	role := w.role("deploy")
	session := w.assume("alice", role, func(s *identity.RoleSessionSpec) {
		for i := 0; ; i++ { // as many tags as fit
			next := *s
			next.Tags = append(next.Tags[:i:i], [2]string{noise(i, 40), noise(-i-1, 90)})
			if _, err := w.IssueRoleSession(ctx, w.as(keyOf("alice")), next); err != nil {
				wantReason(t, err, fault.PolicyTooLarge)
				return
			}
			*s = next
		}
	})
	if session.Packed < 90 {
		t.Errorf("%d%% of the room is taken", session.Packed)
	}
	header := w.login(w.as(credentialsOf(session)))
	if len(header) > 8<<10 {
		t.Errorf("a header of %d bytes", len(header))
	}
	_, err := w.VerifyBasic(ctx, header)
	w.must(err)
}
