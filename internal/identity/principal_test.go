package identity_test

import (
	"errors"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/lighterage/lighterage/internal/fault"
	"github.com/lighterage/lighterage/internal/identity"
	"github.com/lighterage/lighterage/internal/meta"
	"github.com/lighterage/lighterage/internal/name"
	"github.com/lighterage/lighterage/internal/seal"
	"github.com/lighterage/lighterage/internal/sigv4"
)

func TestAStoredKeySpeaksForItsUserOrRoot(t *testing.T) {
	w := newWorld(t, nil)
	w.user(account, "alice")
	w.update(func(tx meta.Tx) error {
		return tx.InsertAccessKey(meta.AccessKey{ID: "AKIAROOT", Account: stranger, Sealed: w.seal("AKIAROOT", "root's"), Active: true})
	})
	for name, tt := range map[string]struct {
		by   sigv4.Credentials
		want identity.Caller
	}{
		"of a user": {keyOf("alice"), identity.Caller{
			Account: account, ARN: "arn:aws:iam::123456789012:user/team/alice", UserID: "AIDAalice", KeyID: "AKIAalice", Region: region, Kind: identity.User, Name: "alice",
		}},
		"of another account's root": {sigv4.Credentials{KeyID: "AKIAROOT", Secret: "root's"}, identity.Caller{
			Account: stranger, ARN: "arn:aws:iam::210987654321:root", UserID: "210987654321", KeyID: "AKIAROOT", Region: region, Kind: identity.Root,
		}},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := w.call(w.Authority, tt.by)
			if diff := cmp.Diff(tt.want, got, addresses, cmpopts.IgnoreFields(identity.Caller{}, "Principal")); diff != "" || err != nil {
				t.Errorf("%v (-want +got):\n%s", err, diff)
			}
			if (got.Principal != 0) != (got.Kind == identity.User) {
				t.Errorf("principal %d", got.Principal)
			}
			wrong := tt.by
			wrong.Secret = "wrong"
			_, err = w.call(w.Authority, wrong)
			wantReason(t, err, fault.SignatureInvalid)
			_, err = w.VerifyBasic(ctx, w.login(got))
			w.must(err)
		})
	}
}

func TestAChangeOfAUserIsSeenAtTheNextRequest(t *testing.T) {
	w := newWorld(t, nil)
	w.user(account, "alice")
	header := w.login(w.as(keyOf("alice")))
	w.update(func(tx meta.Tx) error {
		p, err := tx.Principal(meta.PrincipalKey{Account: account, Kind: meta.User, Name: "alice"}, meta.NoLock)
		p.Key.Name, p.Path = "Alicia", "/"
		return errors.Join(err, tx.SetPrincipal(p))
	})
	const want = "arn:aws:iam::123456789012:user/Alicia"
	if got := w.as(keyOf("alice")); got.ARN != want || got.UserID != "AIDAalice" {
		t.Errorf("signs as %s, %s", got.ARN, got.UserID)
	}
	if got, err := w.VerifyBasic(ctx, header); got.ARN != want || err != nil {
		t.Errorf("is logged in as %s, %v", got.ARN, err)
	}
}

func TestAKeyEndsAtTheNextRequest(t *testing.T) {
	for name, end := range userEnds("alice") {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, nil)
			w.user(account, "alice")
			w.user(account, "bob")
			w.as(keyOf("alice"))
			end(w)
			_, err := w.call(w.Authority, keyOf("alice"))
			if name == "the user is made anew with the same key" {
				wantReason(t, err, fault.SignatureInvalid) // the secret is another
			} else {
				wantReason(t, err, fault.CredentialUnknown)
			}
			w.as(keyOf("bob"))
		})
	}
	t.Run("and works again when it is active again", func(t *testing.T) {
		w := newWorld(t, nil)
		w.user(account, "alice")
		set := func(active bool) {
			w.update(func(tx meta.Tx) error {
				return tx.SetAccessKey(meta.AccessKey{ID: "AKIAalice", Sealed: w.seal("AKIAalice", secretOf("alice")), Active: active})
			})
		}
		set(false)
		_, err := w.call(w.Authority, keyOf("alice"))
		wantReason(t, err, fault.CredentialUnknown)
		set(true)
		w.as(keyOf("alice"))
	})
}

func TestAKeyThatCannotBeOpenedIsTheServersFault(t *testing.T) {
	w := newWorld(t, nil)
	w.user(account, "alice")
	w.user(account, "bob")
	other := newSealer(t, "2")
	sealed, err := other.Seal([]byte(secretOf("alice")), []byte("AKIAalice"))
	w.must(err)
	w.update(func(tx meta.Tx) error {
		return errors.Join(
			tx.SetAccessKey(meta.AccessKey{ID: "AKIAalice", Sealed: sealed, Active: true}),
			tx.SetAccessKey(meta.AccessKey{ID: "AKIAbob", Sealed: w.seal("AKIAalice", "bob"), Active: true}), // moved from another row
		)
	})
	_, err = w.call(w.Authority, keyOf("alice"))
	wantReason(t, err, fault.Unexpected)
	if !errors.Is(err, seal.ErrOtherKey) {
		t.Errorf("got %v", err)
	}
	_, err = w.call(w.Authority, keyOf("bob"))
	if !errors.Is(err, seal.ErrBroken) {
		t.Errorf("got %v", err)
	}
}

func TestAStoreThatIsAwayIsNoRefusal(t *testing.T) {
	w := newWorld(t, nil)
	w.user(account, "alice")
	alice := w.as(keyOf("alice"))
	header := w.login(alice)
	session, err := w.IssueOwnSession(ctx, alice, 0)
	w.must(err)
	w.store.SetDown(meta.ErrUnavailable)
	for name, try := range map[string]func() error{
		"a signature":     func() error { _, err := w.call(w.Authority, keyOf("alice")); return err },
		"an unknown key":  func() error { _, err := w.call(w.Authority, keyOf("nobody")); return err },
		"a session":       func() error { _, err := w.call(w.Authority, credentialsOf(session)); return err },
		"a login":         func() error { _, err := w.VerifyBasic(ctx, header); return err },
		"a forged login":  func() error { _, err := w.VerifyBasic(ctx, basic("AWS", "x")); return err },
		"a token to be":   func() error { _, err := w.IssueToken(ctx, alice, identity.FullScope, region); return err },
		"a session to be": func() error { _, err := w.IssueOwnSession(ctx, alice, 0); return err },
		"a role": func() error {
			_, err := w.IssueRoleSession(ctx, alice, identity.RoleSessionSpec{Role: "x"})
			return err
		},
		"a principal":       func() error { _, err := w.CallerOf(ctx, alice.ARN); return err },
		"a key's account":   func() error { _, err := w.KeyAccount(ctx, "AKIAalice"); return err },
		"uses to be stored": func() error { return w.FlushUses(ctx) },
	} {
		t.Run(name, func(t *testing.T) { wantReason(t, try(), fault.StoreUnavailable) })
	}
	w.as(sigv4.Credentials{KeyID: keyID, Secret: "secret"}) // needs no store
	w.store.Heal()
	_, err = w.VerifyBasic(ctx, header)
	w.must(err)
}

func TestCallerOf(t *testing.T) {
	w := newWorld(t, nil)
	w.user(account, "alice")
	w.role("deploy")
	for arn, want := range map[string]identity.Caller{
		"arn:aws:iam::123456789012:root":            {Kind: identity.Root, UserID: "123456789012"},
		"arn:aws:iam::210987654321:root":            {Kind: identity.Root, UserID: "210987654321"},
		"arn:aws:iam::123456789012:user/team/alice": {Kind: identity.User, UserID: "AIDAalice", Name: "alice"},
		"arn:aws:iam::123456789012:role/ci/deploy": {Kind: identity.RoleSession, UserID: "AROAdeploy", Name: "deploy",
			Session: &identity.Session{RoleARN: "arn:aws:iam::123456789012:role/ci/deploy"}},
		"arn:aws:sts::123456789012:assumed-role/deploy/job-7": {Kind: identity.RoleSession, UserID: "AROAdeploy:job-7", Name: "deploy",
			Session: &identity.Session{RoleARN: "arn:aws:iam::123456789012:role/ci/deploy", Name: "job-7"}},
	} {
		t.Run(arn, func(t *testing.T) {
			want.ARN, want.Account = arn, name.AccountID(strings.Split(arn, ":")[4])
			got, err := w.CallerOf(ctx, arn)
			if diff := cmp.Diff(want, got, addresses, cmpopts.IgnoreFields(identity.Caller{}, "Principal")); diff != "" || err != nil {
				t.Errorf("%v (-want +got):\n%s", err, diff)
			}
		})
	}
	for arn, want := range map[string]fault.Reason{
		"arn:aws:iam::999999999999:root":                       fault.EntityNotFound,
		"arn:aws:iam::123456789012:user/alice":                 fault.EntityNotFound, // another path
		"arn:aws:iam::123456789012:user/team/Alice":            fault.EntityNotFound, // another case
		"arn:aws:iam::210987654321:user/team/alice":            fault.EntityNotFound,
		"arn:aws:iam::123456789012:role/deploy":                fault.EntityNotFound,
		"arn:aws:sts::123456789012:assumed-role/nothing/job-7": fault.EntityNotFound,
		"arn:aws:iam::123456789012:group/team":                 fault.InputRefused,
		"arn:aws:iam::123456789012:user":                       fault.InputRefused,
		"arn:aws:sts::123456789012:assumed-role/deploy":        fault.InputRefused,
		"arn:aws:sts::12:assumed-role/deploy/job":              fault.InputRefused,
		"arn:aws:iam::12:root":                                 fault.InputRefused,
		"alice":                                                fault.InputRefused,
		"":                                                     fault.InputRefused,
	} {
		t.Run("not "+arn, func(t *testing.T) {
			got, err := w.CallerOf(ctx, arn)
			wantReason(t, err, want)
			if got != (identity.Caller{}) {
				t.Errorf("got %+v", got)
			}
		})
	}
}

func TestTheServersOwnAccountNeedsNoRow(t *testing.T) {
	w := newWorld(t, func(c *identity.Config) {
		c.Keys = append(c.Keys, identity.RootKey("333333333333", "AKIATHREE", identity.NewSecret("three")))
	})
	if c, err := w.CallerOf(ctx, "arn:aws:iam::333333333333:root"); err != nil || c.Kind != identity.Root {
		t.Errorf("%+v, %v", c, err)
	}
	_, err := w.VerifyBasic(ctx, w.login(w.as(sigv4.Credentials{KeyID: "AKIATHREE", Secret: "three"})))
	w.must(err)
}

func TestKeyAccount(t *testing.T) {
	w := newWorld(t, nil)
	w.user(stranger, "alice")
	w.update(func(tx meta.Tx) error {
		return tx.SetAccessKey(meta.AccessKey{ID: "AKIAalice", Sealed: []byte("x")}) // not active
	})
	session, err := w.IssueOwnSession(ctx, w.as(sigv4.Credentials{KeyID: keyID, Secret: "secret"}), 0)
	w.must(err)
	for id, want := range map[string]name.AccountID{"AKIAalice": stranger, keyID: account, session.KeyID: account} {
		if got, err := w.KeyAccount(ctx, id); got != want || err != nil {
			t.Errorf("%s is of %s, %v; want %s", id, got, err, want)
		}
	}
	for _, id := range []string{"", "AKIAnobody", "ASIA", "ASIA2222222222222222222", "ASIA7777777777777777"} {
		_, err := w.KeyAccount(ctx, id)
		wantReason(t, err, fault.EntityNotFound)
	}
}

// A change and its effects race with requests: after the change has returned,
// no request succeeds.
func TestNothingOldIsRememberedPastAChange(t *testing.T) {
	w := newWorld(t, nil)
	w.user(account, "alice")
	header := w.login(w.as(keyOf("alice")))
	for range 20 {
		stop := make(chan struct{})
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				for {
					select {
					case <-stop:
						return
					default:
						_, _ = w.VerifyBasic(ctx, header)
					}
				}
			})
		}
		set := func(active bool) {
			w.update(func(tx meta.Tx) error {
				return tx.SetAccessKey(meta.AccessKey{ID: "AKIAalice", Sealed: w.seal("AKIAalice", secretOf("alice")), Active: active})
			})
		}
		set(false)
		_, err := w.VerifyBasic(ctx, header)
		wantReason(t, err, fault.TokenInvalid)
		set(true)
		_, err = w.VerifyBasic(ctx, header)
		w.must(err)
		close(stop)
		wg.Wait()
	}
}
