package identity_test

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/netip"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lighterage/lighterage/internal/identity"
	"github.com/lighterage/lighterage/internal/meta"
	"github.com/lighterage/lighterage/internal/meta/metatest"
	"github.com/lighterage/lighterage/internal/meta/sqlstore"
	"github.com/lighterage/lighterage/internal/name"
	"github.com/lighterage/lighterage/internal/seal"
	"github.com/lighterage/lighterage/internal/sigv4"
)

const stranger = name.AccountID("210987654321")

// world is an authority on a real store with two accounts.
type world struct {
	testing.TB
	*identity.Authority
	config identity.Config
	store  *metatest.Faults
	sealer *seal.Sealer

	mu  sync.Mutex
	now time.Time
}

func newSealer(t testing.TB, digit string) *seal.Sealer {
	t.Helper()
	key, err := seal.Parse(strings.Repeat("a"+digit, 31) + "00")
	if err != nil {
		t.Fatal(err)
	}
	s, err := seal.New(key)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func newWorld(t testing.TB, edit func(*identity.Config)) *world {
	t.Helper()
	w := &world{TB: t, now: start, sealer: newSealer(t, "1")}
	store, err := sqlstore.OpenSQLite(t.Context(), filepath.Join(t.TempDir(), "meta.db"), sqlstore.Options{Clock: w.clock})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	w.store = metatest.NewFaults(store)
	w.update(func(tx meta.Tx) error {
		return errors.Join(tx.InsertAccount(meta.Account{ID: account}), tx.InsertAccount(meta.Account{ID: stranger}))
	})
	w.config = identity.Config{
		Keys:    []identity.AccessKey{rootKey("secret")},
		Store:   w.store,
		Seal:    w.sealer,
		Regions: func(r name.Region) bool { return r == region },
		Clock:   w.clock,
		Logger:  slog.New(slog.DiscardHandler),
	}
	if edit != nil {
		edit(&w.config)
	}
	w.Authority = w.replica()
	return w
}

// replica returns another authority on the store.
func (w *world) replica() *identity.Authority {
	w.Helper()
	a, err := identity.New(w.Context(), w.config)
	if err != nil {
		w.Fatal(err)
	}
	return a
}

func (w *world) clock() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

func (w *world) pass(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = w.now.Add(d)
}

func (w *world) must(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

func (w *world) update(fn func(meta.Tx) error) {
	w.Helper()
	w.must(w.store.Update(context.Background(), fn))
}

// user adds a user with a key: AKIA and the name, with secretOf it.
func (w *world) user(of name.AccountID, who string) {
	w.Helper()
	w.update(func(tx meta.Tx) error {
		id, err := tx.InsertPrincipal(meta.Principal{Key: meta.PrincipalKey{Account: of, Kind: meta.User, Name: who}, Path: "/team/", UniqueID: "AIDA" + who})
		if err != nil {
			return err
		}
		return tx.InsertAccessKey(meta.AccessKey{ID: "AKIA" + who, Account: of, User: id, Sealed: w.seal("AKIA"+who, secretOf(who)), Active: true})
	})
}

func (w *world) seal(id, secret string) []byte {
	w.Helper()
	sealed, err := w.sealer.Seal([]byte(secret), []byte(id))
	w.must(err)
	return sealed
}

// role adds a role and returns its ARN.
func (w *world) role(who string) string {
	w.Helper()
	w.update(func(tx meta.Tx) error {
		_, err := tx.InsertPrincipal(meta.Principal{
			Key: meta.PrincipalKey{Account: account, Kind: meta.Role, Name: who}, Path: "/ci/", UniqueID: "AROA" + who, MaxSession: 12 * time.Hour,
		})
		return err
	})
	return name.RoleARN(account, "/ci/", who)
}

// call sends a signed request and returns who it is from.
func (w *world) call(a *identity.Authority, c sigv4.Credentials) (identity.Caller, error) {
	w.Helper()
	return w.send(a, w.signed(c))
}

func (w *world) signed(c sigv4.Credentials) *http.Request {
	w.Helper()
	return signed(w, c, string(region), "ecr", "{}", w.clock())
}

func (w *world) send(a *identity.Authority, r *http.Request) (identity.Caller, error) {
	p, err := a.Begin(r, "ecr")
	if err != nil {
		return identity.Caller{}, err
	}
	return p.Finish(bodyHash("{}"))
}

func keyOf(who string) sigv4.Credentials {
	return sigv4.Credentials{KeyID: "AKIA" + who, Secret: secretOf(who)}
}

// secretOf is too long to be guessed.
func secretOf(who string) string { return "the secret key of " + who }

// as returns whom a key speaks for.
func (w *world) as(c sigv4.Credentials) identity.Caller {
	w.Helper()
	caller, err := w.call(w.Authority, c)
	w.must(err)
	return caller
}

func credentialsOf(c identity.SessionCredentials) sigv4.Credentials {
	return sigv4.Credentials{KeyID: c.KeyID, Secret: c.Secret.Reveal(), SessionToken: c.Token}
}

// assume issues a session of the role for the user.
func (w *world) assume(who, role string, edit func(*identity.RoleSessionSpec)) identity.SessionCredentials {
	w.Helper()
	spec := identity.RoleSessionSpec{Role: role, Name: "job-7"}
	if edit != nil {
		edit(&spec)
	}
	got, err := w.IssueRoleSession(w.Context(), w.as(keyOf(who)), spec)
	w.must(err)
	return got
}

// login returns the header of a registry login.
func (w *world) login(c identity.Caller) string {
	w.Helper()
	token, err := w.IssueToken(w.Context(), c, identity.FullScope, region)
	w.must(err)
	return basic("AWS", token.Password)
}

// ends are all the ways in which what a user's credentials stand on can go.
func userEnds(who string) map[string]func(*world) {
	key := func(edit func(*meta.AccessKey)) func(*world) {
		return func(w *world) {
			w.update(func(tx meta.Tx) error {
				k, err := tx.AccessKey("AKIA" + who)
				if err != nil {
					return err
				}
				edit(&k)
				return tx.SetAccessKey(k)
			})
		}
	}
	return map[string]func(*world){
		"the key is deactivated": key(func(k *meta.AccessKey) { k.Active = false }),
		"the key is deleted":     func(w *world) { w.update(func(tx meta.Tx) error { return tx.DeleteAccessKey("AKIA" + who) }) },
		"the user is deleted": func(w *world) {
			w.update(func(tx meta.Tx) error {
				p, err := tx.Principal(meta.PrincipalKey{Account: account, Kind: meta.User, Name: who}, meta.NoLock)
				return errors.Join(err, tx.DeleteAccessKey("AKIA"+who), tx.DeletePrincipal(p.ID))
			})
		},
		"the user is made anew with the same key": func(w *world) {
			w.update(func(tx meta.Tx) error {
				p, err := tx.Principal(meta.PrincipalKey{Account: account, Kind: meta.User, Name: who}, meta.NoLock)
				if err := errors.Join(err, tx.DeleteAccessKey("AKIA"+who), tx.DeletePrincipal(p.ID)); err != nil {
					return err
				}
				p.UniqueID = "AIDAnew"
				id, err := tx.InsertPrincipal(p)
				return errors.Join(err, tx.InsertAccessKey(meta.AccessKey{ID: "AKIA" + who, Account: account, User: id, Sealed: w.seal("AKIA"+who, "another"), Active: true}))
			})
		},
	}
}

func revoke(w *world) {
	w.update(func(tx meta.Tx) error { return tx.SetAccount(meta.Account{ID: account, RevokedAt: w.clock()}) })
}

var client = netip.MustParseAddr("192.0.2.7")
