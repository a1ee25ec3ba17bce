package identity_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lighterage/lighterage/internal/fault"
	"github.com/lighterage/lighterage/internal/identity"
	"github.com/lighterage/lighterage/internal/meta"
	"github.com/lighterage/lighterage/internal/meta/metatest"
	"github.com/lighterage/lighterage/internal/sigv4"
	"github.com/lighterage/lighterage/internal/throttle"
)

// noise is text that does not compress.
func noise(seed, length int) string {
	text := ""
	for i := 0; len(text) < length; i++ {
		sum := sha256.Sum256([]byte(fmt.Sprint(seed, i)))
		text += hex.EncodeToString(sum[:])
	}
	return text[:length]
}

// tally is a limit that counts, and refuses when it is told to.
type tally struct {
	mu     sync.Mutex
	shut   bool
	events []string
}

func (f *tally) note(what string, a netip.Addr, key string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.events = append(f.events, what+" "+a.String()+" "+key)
}

func (f *tally) Allow(a netip.Addr, key string) (time.Duration, bool) {
	f.note("allow", a, key)
	return 90 * time.Second, !f.shut
}

func (f *tally) Failed(a netip.Addr, key string)    { f.note("failed", a, key) }
func (f *tally) Succeeded(a netip.Addr, key string) { f.note("succeeded", a, key) }

// since returns what happened since the last call.
func (f *tally) since() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	events := f.events
	f.events = nil
	return events
}

func limited(t *testing.T) (*world, *tally) {
	f := &tally{}
	w := newWorld(t, func(c *identity.Config) {
		c.Failures, c.Client = f, func(context.Context) netip.Addr { return client }
	})
	w.user(account, "alice")
	return w, f
}

func TestWhatCountsAsAFailure(t *testing.T) {
	w, f := limited(t)
	alice := w.as(keyOf("alice"))
	header := w.login(alice)
	session, err := w.IssueOwnSession(ctx, alice, 15*time.Minute)
	w.must(err)
	stolen := credentialsOf(session)
	stolen.Secret = "wrong"
	f.since()
	basicIs := func(header string) func() error {
		return func() error { _, err := w.VerifyBasic(ctx, header); return err }
	}
	signedIs := func(c sigv4.Credentials) func() error {
		return func() error { _, err := w.call(w.Authority, c); return err }
	}
	for _, tt := range []struct {
		name   string
		try    func() error
		events []string
	}{
		{"a signature", signedIs(keyOf("alice")), []string{"succeeded 192.0.2.7 AKIAalice"}},
		{"a wrong secret", signedIs(sigv4.Credentials{KeyID: "AKIAalice", Secret: "x"}), []string{"allow 192.0.2.7 AKIAalice", "failed 192.0.2.7 AKIAalice"}},
		{"an unknown key", signedIs(keyOf("nobody")), []string{"allow 192.0.2.7 AKIAnobody", "failed 192.0.2.7 AKIAnobody"}},
		{"a session's wrong secret", signedIs(stolen), []string{"allow 192.0.2.7 " + session.KeyID, "failed 192.0.2.7 " + session.KeyID}},
		{"a login", basicIs(header), []string{"succeeded 192.0.2.7 AKIAalice"}},
		{"the same login again", basicIs(header), nil},
		{"a forged login", basicIs(header[:len(header)-8]), []string{"allow 192.0.2.7 ", "failed 192.0.2.7 "}},
		{"a login that is no token", basicIs(basic("AWS", "password")), []string{"allow 192.0.2.7 ", "failed 192.0.2.7 "}},
		{"a login of another user", basicIs(basic("admin", "password")), []string{"allow 192.0.2.7 ", "failed 192.0.2.7 "}},
		{"no login", basicIs(""), nil},
		{"a signature of long ago", func() error {
			r := w.signed(keyOf("alice"))
			w.pass(time.Hour)
			_, err := w.send(w.Authority, r)
			return err
		}, nil},
		{"a session that has expired", signedIs(credentialsOf(session)), nil},
		{"a login that has expired", func() error {
			w.pass(12 * time.Hour)
			return basicIs(header)()
		}, nil},
		{"a store that is away", func() error {
			w.store.SetDown(meta.ErrUnavailable)
			defer w.store.Heal()
			return signedIs(keyOf("alice"))()
		}, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_ = tt.try()
			if diff := cmp.Diff(tt.events, f.since()); diff != "" {
				t.Errorf("what was counted (-want +got):\n%s", diff)
			}
		})
	}
}

func TestWhoFailedTooOftenIsToldSoUnlessTheCredentialIsGood(t *testing.T) {
	w, f := limited(t)
	session, err := w.IssueOwnSession(ctx, w.as(keyOf("alice")), time.Hour)
	w.must(err)
	header := w.login(w.as(keyOf("alice")))
	f.shut = true
	f.since()
	for name, try := range map[string]func() error{
		"a signature": func() error { _, err := w.call(w.replica(), keyOf("alice")); return err },
		"a signature of a session": func() error {
			_, err := w.call(w.replica(), credentialsOf(session))
			return err
		},
		"a login": func() error { _, err := w.replica().VerifyBasic(ctx, header); return err },
	} {
		t.Run("a good one: "+name, func(t *testing.T) {
			if err := try(); err != nil {
				t.Errorf("refused: %v", err)
			}
		})
	}
	f.since()
	weak := sigv4.Credentials{KeyID: keyID, Secret: "secret"}
	wrong := sigv4.Credentials{KeyID: "AKIAalice", Secret: "x"}
	for name, try := range map[string]func() error{
		"a signature of an unknown key": func() error { _, err := w.call(w.Authority, keyOf("nobody")); return err },
		"a secret that is guessed":      func() error { _, err := w.call(w.Authority, weak); return err },
		"a wrong signature":             func() error { _, err := w.call(w.Authority, wrong); return err },
		"a login":                       func() error { _, err := w.VerifyBasic(ctx, basic("AWS", "x")); return err },
		"a forged login":                func() error { _, err := w.VerifyBasic(ctx, header[:len(header)-8]); return err },
		"a wrong user":                  func() error { _, err := w.VerifyToken(ctx, "root", "x"); return err },
	} {
		t.Run("a bad one: "+name, func(t *testing.T) {
			err := try()
			wantReason(t, err, fault.Overloaded)
			if f := fault.Of(err); f.RetryAfter != 90*time.Second {
				t.Errorf("says to try again after %v: %s", f.RetryAfter, f.Detail)
			}
			if events := f.since(); len(events) != 1 {
				t.Errorf("it was counted: %q", events)
			}
		})
	}
}

func TestWithTheRealLimiterGuessesEndAndOthersGoOn(t *testing.T) {
	w := newWorld(t, nil)
	limiter, err := throttle.New(throttle.Config{Clock: w.clock})
	w.must(err)
	type address struct{}
	w.config.Failures = limiter
	w.config.Client = func(ctx context.Context) netip.Addr { a, _ := ctx.Value(address{}).(netip.Addr); return a }
	w.user(account, "alice")
	a := w.replica()
	from := func(addr netip.Addr, c sigv4.Credentials) error {
		r := w.signed(c)
		_, err := w.send(a, r.WithContext(context.WithValue(r.Context(), address{}, addr)))
		return err
	}
	attacker, friend := netip.MustParseAddr("198.51.100.1"), netip.MustParseAddr("192.0.2.1")
	tries := 0
	for ; tries < 1000; tries++ {
		if err = from(attacker, sigv4.Credentials{KeyID: "AKIAalice", Secret: fmt.Sprint(tries)}); !fault.Is(err, fault.SignatureInvalid) {
			break
		}
	}
	wantReason(t, err, fault.Overloaded)
	if tries > 100 {
		t.Errorf("%d guesses were allowed", tries)
	}
	w.must(from(friend, keyOf("alice")))
	w.must(from(attacker, keyOf("alice"))) // whoever else is behind the attacker's address
	wantReason(t, from(attacker, sigv4.Credentials{KeyID: "AKIAalice", Secret: "x"}), fault.Overloaded)
	w.pass(time.Hour)
	wantReason(t, from(attacker, sigv4.Credentials{KeyID: "AKIAalice", Secret: "x"}), fault.SignatureInvalid)
}

func TestUsesAreRecorded(t *testing.T) {
	w := newWorld(t, nil)
	w.user(account, "alice")
	w.user(account, "bob")
	role := w.role("deploy")
	session := w.assume("alice", role, nil)
	w.pass(time.Minute)
	w.as(credentialsOf(session))
	_, err := w.call(w.Authority, sigv4.Credentials{KeyID: "AKIAbob", Secret: "wrong"})
	wantReason(t, err, fault.SignatureInvalid)
	_, err = w.VerifyBasic(ctx, w.login(w.as(sigv4.Credentials{KeyID: keyID, Secret: "secret"})))
	w.must(err)

	w.store.FailUpdate(1, metatest.NotApplied)
	wantReason(t, w.FlushUses(ctx), fault.StoreUnavailable)
	w.must(w.FlushUses(ctx))
	var alice, bob meta.AccessKey
	var deploy meta.Principal
	w.must(w.store.View(ctx, func(tx meta.Tx) error {
		var errs [3]error
		alice, errs[0] = tx.AccessKey("AKIAalice")
		bob, errs[1] = tx.AccessKey("AKIAbob")
		deploy, errs[2] = tx.PrincipalByUniqueID("AROAdeploy")
		return errors.Join(errs[:]...)
	}))
	if diff := cmp.Diff(meta.Use{At: start, Region: region, Service: "ecr"}, alice.LastUse); diff != "" {
		t.Errorf("alice's key (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(meta.Use{}, bob.LastUse); diff != "" {
		t.Errorf("bob's key, which failed (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(meta.Use{At: start.Add(time.Minute), Region: region}, deploy.LastUse); diff != "" {
		t.Errorf("the role (-want +got):\n%s", diff)
	}
	before := w.store.Updates()
	w.must(w.FlushUses(ctx))
	if w.store.Updates() != before {
		t.Error("nothing was written again")
	}
}

func TestManyUsesAreWrittenInPages(t *testing.T) {
	w := newWorld(t, nil)
	const keys = 2100
	w.user(account, "alice")
	alice := w.as(keyOf("alice")).Principal
	w.update(func(tx meta.Tx) error {
		for i := range keys {
			id := fmt.Sprint("AKIA", i)
			if err := tx.InsertAccessKey(meta.AccessKey{ID: id, Account: account, User: alice, Sealed: w.seal(id, "s"), Active: true}); err != nil {
				return err
			}
		}
		return nil
	})
	for i := range keys {
		w.as(sigv4.Credentials{KeyID: fmt.Sprint("AKIA", i), Secret: "s"})
	}
	before := w.store.Updates()
	w.must(w.FlushUses(ctx))
	if pages := w.store.Updates() - before; pages != 3 {
		t.Errorf("%d updates, want 3", pages)
	}
	w.must(w.store.View(ctx, func(tx meta.Tx) error {
		k, err := tx.AccessKey(fmt.Sprint("AKIA", keys-1))
		if !k.LastUse.At.Equal(start) {
			t.Errorf("the last key was used at %v", k.LastUse.At)
		}
		return err
	}))
}
