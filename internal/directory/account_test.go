package directory_test

import (
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/lighterage/lighterage/internal/directory"
	"github.com/lighterage/lighterage/internal/fault"
	"github.com/lighterage/lighterage/internal/meta"
	"github.com/lighterage/lighterage/internal/name"
)

func TestAnAccountIsMadeWithAKeyOfItsRoot(t *testing.T) {
	w := newWorld(t)
	for _, tt := range []struct {
		name string
		id   name.AccountID
	}{{"with an id", "000000000001"}, {"with one that is drawn", ""}} {
		t.Run(tt.name, func(t *testing.T) {
			account, key, secret, err := w.CreateAccount(w.ctx, tt.id, "Team A")
			w.must(err)
			if !regexp.MustCompile(`^[0-9]{12}$`).MatchString(string(account.ID)) || tt.id != "" && account.ID != tt.id || account.Name != "Team A" || account.CreatedAt != instant {
				t.Errorf("made %+v", account)
			}
			if key.Account != account.ID || key.User != 0 || key.UserName != "" || !key.Active || key.CreatedAt != instant {
				t.Errorf("its key is %+v", key)
			}
			if opened, err := w.sealer.Open(w.row(key.ID).Sealed, []byte(key.ID)); err != nil || string(opened) != secret.Reveal() {
				t.Errorf("the stored secret: %v", err)
			}
			if got, err := w.GetAccount(w.ctx, account.ID); err != nil || got != account {
				t.Errorf("found %+v, %v", got, err)
			}
		})
	}
	_, key, secret, err := w.CreateAccount(w.ctx, home, "again")
	w.refused(err, fault.EntityExists, "account", string(home))
	if key.ID != "" || secret.Reveal() != "" {
		t.Error("a refused creation returned a key")
	}
	for _, tt := range []struct{ id, called string }{{"12345678901", "a"}, {"12345678901x", "a"}, {"333333333333", ""}, {"333333333333", strings.Repeat("a", 51)}, {"333333333333", "a\nb"}} {
		if _, _, _, err := w.CreateAccount(w.ctx, name.AccountID(tt.id), tt.called); !fault.Is(err, fault.ParameterInvalid) {
			t.Errorf("%+v: %v", tt, err)
		}
		if err := w.EnsureAccount(w.ctx, name.AccountID(tt.id), tt.called); !fault.Is(err, fault.ParameterInvalid) {
			t.Errorf("ensured %+v: %v", tt, err)
		}
	}
}

func raceForAccounts(w *world) {
	const own = name.AccountID("555555555555")
	if made, refused := w.race(4, func(int) error { return w.EnsureAccount(w.ctx, own, "own") }); made != 4 {
		w.t.Errorf("%d, %v", made, refused)
	}
	w.must(w.EnsureAccount(w.ctx, own, "renamed"))
	if a, err := w.GetAccount(w.ctx, own); err != nil || a.Name != "own" {
		w.t.Errorf("%+v, %v", a, err)
	}
	_, err := w.GetAccount(w.ctx, "999999999999")
	w.refused(err, fault.EntityNotFound, "account", "999999999999")
	accounts, more, err := w.ListAccounts(w.ctx, directory.Page[name.AccountID]{After: home, Limit: 1})
	if err != nil || len(accounts) != 1 || accounts[0].ID != abroad || !more {
		w.t.Errorf("listed %+v, %v, %v", accounts, more, err)
	}
	accounts, more, err = w.ListAccounts(w.ctx, directory.Page[name.AccountID]{Limit: 3})
	if err != nil || len(accounts) != 3 || more {
		w.t.Errorf("listed %+v, %v, %v", accounts, more, err)
	}
}

func TestTokensAreRevokedAndStaySo(t *testing.T) {
	w := newWorld(t)
	a := must2[directory.Account](t)(w.RevokeTokens(w.ctx, home))
	if a.RevokedAt != instant {
		t.Errorf("revoked at %s", a.RevokedAt)
	}
	later := a
	later.RevokedAt = instant.Add(time.Hour) // by a replica whose clock is ahead
	w.must(w.store.Update(w.ctx, func(tx meta.Tx) error { return tx.SetAccount(later) }))
	if a := must2[directory.Account](t)(w.RevokeTokens(w.ctx, home)); a.RevokedAt != later.RevokedAt {
		t.Errorf("revoked at %s", a.RevokedAt)
	}
	if b := must2[directory.Account](t)(w.GetAccount(w.ctx, abroad)); !b.RevokedAt.IsZero() {
		t.Error("another account's are revoked too")
	}
	_, err := w.RevokeTokens(w.ctx, "999999999999")
	w.refused(err, fault.EntityNotFound, "account", "999999999999")
}

func TestAliases(t *testing.T) {
	w := newWorld(t)
	has := func(id name.AccountID, want string) {
		t.Helper()
		if a := must2[directory.Account](t)(w.GetAccount(w.ctx, id)); a.Alias != want {
			t.Errorf("%s is %q, want %q", id, a.Alias, want)
		}
	}
	w.must(w.SetAlias(w.ctx, home, "one"))
	w.must(w.SetAlias(w.ctx, home, "two")) // in its place
	has(home, "two")
	w.refused(w.SetAlias(w.ctx, home, "two"), fault.EntityExists, "account alias", "two")
	w.refused(w.SetAlias(w.ctx, abroad, "two"), fault.EntityExists, "account alias", "two")
	w.must(w.SetAlias(w.ctx, abroad, "one"))
	w.refused(w.DeleteAlias(w.ctx, home, "one"), fault.EntityNotFound, "account alias", "one")
	w.must(w.DeleteAlias(w.ctx, home, "two"))
	has(home, "")
	has(abroad, "one")
	w.refused(w.DeleteAlias(w.ctx, home, "two"), fault.EntityNotFound, "account alias", "two")
	w.refused(w.DeleteAlias(w.ctx, home, ""), fault.EntityNotFound, "account alias", "")
	for _, bad := range []string{"", "ab", "-ab", "ab-", "a--b", "Abc", "a.b", strings.Repeat("a", 64)} {
		if err := w.SetAlias(w.ctx, home, bad); !fault.Is(err, fault.ParameterInvalid) {
			t.Errorf("%q: %v", bad, err)
		}
	}
	for _, good := range []string{"a1b", "a-b", strings.Repeat("a", 63), "123"} {
		w.must(w.SetAlias(w.ctx, home, good))
	}
}

func raceForAliases(w *world) {
	ids := []name.AccountID{home, abroad, "333333333333", "444444444444"}
	for _, id := range ids {
		w.must(w.EnsureAccount(w.ctx, id, "a"))
	}
	made, refused := w.race(len(ids), func(i int) error { return w.SetAlias(w.ctx, ids[i], "the-one") })
	if made != 1 || refused[fault.EntityExists] != 3 {
		w.t.Errorf("%d made, %v", made, refused)
	}
	made, refused = w.race(4, func(int) error { _, _, _, err := w.CreateAccount(w.ctx, "777777777777", "a"); return err })
	if made != 1 || refused[fault.EntityExists] != 3 {
		w.t.Errorf("accounts: %d made, %v", made, refused)
	}
}
