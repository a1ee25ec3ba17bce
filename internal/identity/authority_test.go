package identity_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lighterage/lighterage/internal/fault"
	"github.com/lighterage/lighterage/internal/identity"
	"github.com/lighterage/lighterage/internal/meta"
	"github.com/lighterage/lighterage/internal/meta/sqlstore"
	"github.com/lighterage/lighterage/internal/name"
	"github.com/lighterage/lighterage/internal/seal"
	"github.com/lighterage/lighterage/internal/seal/sealtest"
)

const (
	account = name.AccountID("123456789012")
	region  = name.Region("eu-west-1")
	keyID   = "AKIAIOSFODNN7EXAMPLE"
)

var start = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// clock is a clock that a test sets.
type clock struct{ now time.Time }

func (c *clock) Now() time.Time { return c.now }

// secrets is a store of nothing but secrets.
type secrets struct {
	meta.Store
	meta.Tx
	mu     sync.Mutex
	values map[string][]byte
	err    error
}

func newSecrets() *secrets { return &secrets{values: map[string][]byte{}} }

func (s *secrets) View(_ context.Context, fn func(meta.Tx) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return s.err
	}
	return fn(s)
}

func (s *secrets) Look(ctx context.Context, fn func(meta.Tx) error) error { return s.View(ctx, fn) }

func (s *secrets) Update(ctx context.Context, fn func(meta.Tx) error) error { return s.View(ctx, fn) }

func (s *secrets) RecentAccessVersion(context.Context) (int64, error) { return 1, s.err }

func (s *secrets) Account(name.AccountID, meta.Lock) (meta.Account, error) {
	return meta.Account{}, meta.ErrNotFound
}

func (s *secrets) AccessKey(string) (meta.AccessKey, error) {
	return meta.AccessKey{}, meta.ErrNotFound
}

func (s *secrets) Secret(purpose string) ([]byte, error) {
	if v, ok := s.values[purpose]; ok {
		return v, nil
	}
	return nil, meta.ErrNotFound
}

func (s *secrets) PutSecret(purpose string, value []byte) error {
	if _, ok := s.values[purpose]; ok {
		return meta.ErrExists
	}
	s.values[purpose] = value
	return nil
}

func (s *secrets) SetSecret(purpose string, value []byte) error {
	s.values[purpose] = value
	return nil
}

func rootKey(secret string) identity.AccessKey {
	return identity.RootKey(account, keyID, identity.NewSecret(secret))
}

func newAuthority(t testing.TB, store meta.Store, c *clock, keys ...identity.AccessKey) *identity.Authority {
	t.Helper()
	a, err := identity.New(context.Background(), identity.Config{
		Keys:    keys,
		Store:   store,
		Seal:    sealtest.New(t),
		Regions: func(r name.Region) bool { return r == region || r == "eu-central-1" },
		Clock:   c.Now,
		Logger:  slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func wantReason(t *testing.T, err error, want fault.Reason) {
	t.Helper()
	if err == nil {
		t.Fatalf("no error, want %v", want)
	}
	if !fault.Is(err, want) {
		t.Errorf("got %v, want %v", err, want)
	}
}

func TestReplicasShareOneSigningSecret(t *testing.T) {
	store, c := newSecrets(), &clock{start}
	authorities := make([]*identity.Authority, 8)
	var wg sync.WaitGroup
	for i := range authorities {
		wg.Go(func() { authorities[i] = newAuthority(t, store, c, rootKey("s")) })
	}
	wg.Wait()
	if len(store.values) != 1 {
		t.Fatalf("%d secrets stored, want 1", len(store.values))
	}
	token := issue(t, authorities[0], identity.FullScope)
	for i, a := range authorities {
		if _, err := a.VerifyToken(context.Background(), "AWS", token.Password); err != nil {
			t.Errorf("replica %d: %v", i, err)
		}
	}
	stranger := newAuthority(t, newSecrets(), c, rootKey("s"))
	_, err := stranger.VerifyToken(context.Background(), "AWS", token.Password)
	wantReason(t, err, fault.TokenInvalid)
}

func TestTheSigningSecretOutlivesTheProcess(t *testing.T) {
	path, c := filepath.Join(t.TempDir(), "meta.db"), &clock{start}
	var token identity.Token
	for range 2 {
		store, err := sqlstore.OpenSQLite(ctx, path, sqlstore.Options{Clock: c.Now})
		if err != nil {
			t.Fatal(err)
		}
		a := newAuthority(t, store, c, rootKey("s"))
		if token.Password == "" {
			token = issue(t, a, identity.FullScope)
		}
		if _, err := a.VerifyToken(ctx, "AWS", token.Password); err != nil {
			t.Error(err)
		}
		if err := store.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestNewRefusesWhatCannotWork(t *testing.T) {
	away := newSecrets()
	away.err = meta.ErrUnavailable
	short := newSecrets()
	short.values["registry-token-signing-1"] = []byte("short")
	tests := []struct {
		name  string
		store meta.Store
		keys  []identity.AccessKey
		want  string
	}{
		{"a store that is away", away, nil, "store is unavailable"},
		{"a stored secret that is cut", short, nil, "broken"},
		{"a key id with a slash", newSecrets(), []identity.AccessKey{identity.RootKey(account, "A/B", identity.NewSecret("s"))}, "an access key id is"},
		{"an empty key id", newSecrets(), []identity.AccessKey{identity.RootKey(account, "", identity.NewSecret("s"))}, "an access key id is"},
		{"an empty secret", newSecrets(), []identity.AccessKey{rootKey("")}, "empty secret"},
		{"an account that is not one", newSecrets(), []identity.AccessKey{identity.RootKey("1", keyID, identity.NewSecret("s"))}, "parameter invalid"},
		{"a key twice", newSecrets(), []identity.AccessKey{rootKey("a"), rootKey("b")}, "given twice"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := identity.New(context.Background(), identity.Config{Keys: tt.keys, Store: tt.store, Seal: sealtest.New(t), Clock: (&clock{start}).Now, Logger: slog.New(slog.DiscardHandler)})
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q in it", err, tt.want)
			}
		})
	}
}

func TestAStoresFailureIsWrapped(t *testing.T) {
	store := newSecrets()
	store.err = meta.ErrUnavailable
	_, err := identity.New(context.Background(), identity.Config{Store: store, Seal: sealtest.New(t), Logger: slog.New(slog.DiscardHandler)})
	if !errors.Is(err, meta.ErrUnavailable) {
		t.Errorf("got %v, want meta.ErrUnavailable in its chain", err)
	}
}

func TestTheSigningSecretIsNotLogged(t *testing.T) {
	var out bytes.Buffer
	store := newSecrets()
	_, err := identity.New(context.Background(), identity.Config{Store: store, Seal: sealtest.New(t), Logger: slog.New(slog.NewJSONHandler(&out, nil))})
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(out.String(), "made the signing secret") {
		t.Errorf("log %q does not tell that the secret was made", out.String())
	}
	for _, secret := range store.values {
		if strings.Contains(out.String(), string(secret)) {
			t.Error("the secret is in the log")
		}
	}
}

func TestTheSigningSecretIsSealed(t *testing.T) {
	ctx, purpose := context.Background(), "registry-token-signing-1"
	c, store := &clock{start}, newSecrets()
	plain := bytes.Repeat([]byte{7}, 32)
	store.values[purpose] = plain // as it was kept once
	token := issue(t, newAuthority(t, store, c, rootKey("s")), identity.FullScope).Password
	if bytes.Contains(store.values[purpose], plain) || len(store.values[purpose]) != 32+seal.Overhead {
		t.Fatalf("stored as %x", store.values[purpose])
	}
	if _, err := newAuthority(t, store, c, rootKey("s")).VerifyToken(ctx, "AWS", token); err != nil {
		t.Errorf("after a restart: %v", err)
	}
	newer, err := seal.Parse(strings.Repeat("6b5a", 16))
	if err != nil {
		t.Fatal(err)
	}
	older, err := seal.Parse(strings.Repeat("5a6b", 16)) // sealtest's
	if err != nil {
		t.Fatal(err)
	}
	both, err := seal.New(newer, older)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []bool{true, false} {
		if changed, err := identity.SealSigningSecret(ctx, store, both); err != nil || changed != want {
			t.Errorf("%d: sealed anew: %t, %v", i, changed, err)
		}
	}
	if _, err := identity.New(ctx, identity.Config{Store: store, Seal: sealtest.New(t), Logger: slog.New(slog.DiscardHandler)}); !errors.Is(err, seal.ErrOtherKey) {
		t.Errorf("with the former key alone: %v", err)
	}
}
