package identity_test

import (
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lighterage/lighterage/internal/fault"
	"github.com/lighterage/lighterage/internal/identity"
	"github.com/lighterage/lighterage/internal/meta"
	"github.com/lighterage/lighterage/internal/meta/sqlstore"
	"github.com/lighterage/lighterage/internal/name"
	"github.com/lighterage/lighterage/internal/seal/sealtest"
)

// counter allows everything and counts failures.
type counter struct{ failed atomic.Int64 }

func (c *counter) Allow(netip.Addr, string) (time.Duration, bool) { return 0, true }
func (c *counter) Failed(netip.Addr, string)                      { c.failed.Add(1) }
func (c *counter) Succeeded(netip.Addr, string)                   {}

// TestALoginThatWasEndedIsNoGuess keeps machines with old logins from shutting
// out those behind the same address.
func TestALoginThatWasEndedIsNoGuess(t *testing.T) {
	const owner = name.AccountID("123456789012")
	store, err := sqlstore.OpenSQLite(t.Context(), filepath.Join(t.TempDir(), "meta.db"), sqlstore.Options{Clock: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	failures := new(counter)
	a, err := identity.New(t.Context(), identity.Config{
		Keys:  []identity.AccessKey{identity.RootKey(owner, "AKIAIOSFODNN7EXAMPLE", identity.NewSecret("secret"))},
		Store: store, Seal: sealtest.New(t), Regions: func(name.Region) bool { return true }, Clock: time.Now, Failures: failures, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	update := func(fn func(tx meta.Tx) error) {
		t.Helper()
		if err := store.Update(context.Background(), fn); err != nil {
			t.Fatal(err)
		}
	}
	update(func(tx meta.Tx) error { return tx.InsertAccount(meta.Account{ID: owner, CreatedAt: time.Now()}) })
	root, err := a.CallerOf(t.Context(), name.RootARN(owner))
	if err != nil {
		t.Fatal(err)
	}
	root.KeyID = "AKIAIOSFODNN7EXAMPLE"
	token, err := a.IssueToken(t.Context(), root, identity.FullScope, "eu-west-1")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := a.VerifyToken(t.Context(), identity.TokenUser, token.Password); err != nil {
		t.Fatal(err)
	}
	update(func(tx meta.Tx) error {
		return tx.SetAccount(meta.Account{ID: owner, RevokedAt: time.Now().Add(time.Second)})
	})
	for _, tt := range []struct {
		name, password string
		failures       int64
	}{
		{"a revoked login", token.Password, 0},
		{"the same one a character shorter", token.Password[:len(token.Password)-1], 1},
	} {
		failures.failed.Store(0)
		_, err := a.VerifyToken(t.Context(), identity.TokenUser, tt.password)
		if !fault.Is(err, fault.TokenInvalid) {
			t.Errorf("%s: %v, want TokenInvalid", tt.name, err)
		}
		ended, genuine := errors.AsType[*identity.Ended](err)
		if genuine != (tt.failures == 0) {
			t.Errorf("%s: %v", tt.name, err)
		}
		if genuine && (ended.Caller.ARN != root.ARN || ended.Caller.KeyID != root.KeyID || ended.Caller.Kind != identity.Root) {
			t.Errorf("%s is of %+v", tt.name, ended.Caller)
		}
		if got := failures.failed.Load(); got != tt.failures {
			t.Errorf("%s counted as %d failures, want %d", tt.name, got, tt.failures)
		}
	}
}
