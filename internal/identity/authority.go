package identity

import (
	"context"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"regexp"
	"strings"
	"time"

	"github.com/lighterage/lighterage/internal/meta"
	"github.com/lighterage/lighterage/internal/name"
	"github.com/lighterage/lighterage/internal/seal"
)

// Config is what an Authority is built from.
type Config struct {
	Keys        []AccessKey // of roots, beside those in the store
	Store       meta.Store
	Seal        *seal.Sealer           // of everything secret in the store
	Regions     func(name.Region) bool // whether the region is served
	Clock       func() time.Time
	TokenTTL    time.Duration // 12 hours if zero, as ECR's
	DownloadTTL time.Duration // 1 hour if zero
	// TokensEndWithSessions ends a registry token of a session with it. On AWS
	// it lives on.
	TokensEndWithSessions bool
	Failures              Failures                         // limits failed log-ins; nil: nothing does
	Client                func(context.Context) netip.Addr // whose request a context is; nil: not known
	Logger                *slog.Logger
}

// Authority knows the access keys, and signs and verifies what is issued for
// them. Its methods are safe for concurrent use.
type Authority struct {
	config   Config
	signing  signing
	given    map[string]*credential // the keys of the configuration, by id
	stored   cache[string, *credential]
	sessions cache[hash, *opened] // by key id and security token
	tokens   cache[hash, grant]   // by password
	headers  cache[hash, grant]   // by Authorization header
	uses     uses
}

// signing is what the store's one secret gives: a key for each use, so that
// nothing signed for one passes for another.
type signing struct {
	id            string // names the secret in what it signed
	token         []byte
	download      []byte
	fingerprint   []byte
	sessionSecret []byte
	sessions      *seal.Sealer
}

// signingSecret is the purpose under which the store keeps the secret.
const signingSecret = "registry-token-signing-1"

var keyID = regexp.MustCompile(`^[A-Za-z0-9_.-]{1,128}$`)

// New returns an authority. The first on a store makes the signing secret;
// replicas share it. It fails on keys that cannot work and on a failing store.
func New(ctx context.Context, c Config) (*Authority, error) {
	secret, err := storedSecret(ctx, c.Store, c.Seal, c.Logger)
	if err != nil {
		return nil, fmt.Errorf("signing secret of registry tokens: %w", err)
	}
	signing, err := derive(secret)
	if err != nil {
		return nil, fmt.Errorf("derive the signing keys of registry tokens: %w", err)
	}
	if c.TokenTTL == 0 {
		c.TokenTTL = 12 * time.Hour
	}
	if c.DownloadTTL == 0 {
		c.DownloadTTL = time.Hour
	}
	a := &Authority{config: c, signing: signing, given: make(map[string]*credential, len(c.Keys)), uses: newUses()}
	for _, k := range c.Keys {
		if err := a.add(k); err != nil {
			return nil, err
		}
	}
	return a, nil
}

func (a *Authority) add(k AccessKey) error {
	if !keyID.MatchString(k.ID) {
		return errors.New("an access key id is 1 to 128 letters, digits, or any of _.-")
	}
	if strings.HasPrefix(k.ID, sessionPrefix) {
		return fmt.Errorf("access key %s: ids that begin with %s are those of sessions", k.ID, sessionPrefix)
	}
	if k.Secret.Reveal() == "" {
		return fmt.Errorf("access key %s has an empty secret", k.ID)
	}
	if _, err := name.ParseAccountID(string(k.Account)); err != nil {
		return fmt.Errorf("access key %s: %w", k.ID, err)
	}
	if _, twice := a.given[k.ID]; twice {
		return fmt.Errorf("access key %s is given twice", k.ID)
	}
	a.given[k.ID] = a.credential(k.Secret, rootCaller(k.Account, k.ID), false)
	return nil
}

// SealSigningSecret seals the store's signing secret, if there is one that is
// not sealed with the first key, and reports whether it did. AAD is its purpose.
func SealSigningSecret(ctx context.Context, store meta.Store, s *seal.Sealer) (changed bool, err error) {
	err = store.Update(ctx, func(tx meta.Tx) error {
		changed = false
		stored, err := tx.Secret(signingSecret)
		if errors.Is(err, meta.ErrNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		if len(stored) != signingSize {
			if !s.Stale(stored) {
				return nil
			}
			if stored, err = s.Open(stored, []byte(signingSecret)); err != nil {
				return err
			}
		}
		sealed, err := s.Seal(stored, []byte(signingSecret))
		if err != nil {
			return err
		}
		changed = true
		return tx.SetSecret(signingSecret, sealed)
	})
	return changed, err
}

// signingSize is that of the secret; what is stored in another size is sealed.
const signingSize = 32

// storedSecret reads the store's signing secret, and makes it if there is
// none. Of several replicas that start at once, one makes it for all.
func storedSecret(ctx context.Context, store meta.Store, s *seal.Sealer, log *slog.Logger) ([]byte, error) {
	if _, err := SealSigningSecret(ctx, store, s); err != nil {
		return nil, err
	}
	var stored []byte
	read := func(tx meta.Tx) (err error) {
		stored, err = tx.Secret(signingSecret)
		return err
	}
	err := store.View(ctx, read)
	if errors.Is(err, meta.ErrNotFound) {
		fresh := make([]byte, signingSize)
		_, _ = rand.Read(fresh) // never fails: it ends the process instead
		sealed, err := s.Seal(fresh, []byte(signingSecret))
		if err != nil {
			return nil, err
		}
		err = store.Update(ctx, func(tx meta.Tx) error { return tx.PutSecret(signingSecret, sealed) })
		if err == nil {
			log.InfoContext(ctx, "made the signing secret of registry tokens")
			return fresh, nil
		}
		if !errors.Is(err, meta.ErrExists) {
			return nil, err
		}
		if err := store.View(ctx, read); err != nil { // another replica was quicker
			return nil, err
		}
	} else if err != nil {
		return nil, err
	}
	return s.Open(stored, []byte(signingSecret))
}

func derive(secret []byte) (signing, error) {
	if len(secret) < 32 {
		return signing{}, errors.New("the stored secret is too short")
	}
	var s signing
	var id, sessions []byte
	for _, d := range []struct {
		to   *[]byte
		info string
		size int
	}{
		{&s.token, "registry token", 32}, {&s.download, "layer download", 32},
		{&s.fingerprint, "access key fingerprint", 32}, {&id, "key id", 6},
		{&s.sessionSecret, "session secret", 32}, {&sessions, "session token", 32},
	} {
		derived, err := hkdf.Expand(sha256.New, secret, d.info, d.size)
		if err != nil {
			return signing{}, err
		}
		*d.to = derived
	}
	s.id = encode(id)
	key, err := seal.Parse(hex.EncodeToString(sessions))
	if err != nil {
		return signing{}, err
	}
	s.sessions, err = seal.New(key)
	return s, err
}

// encode is the spelling of bytes in tokens: URL-safe.
func encode(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// newLines are what encoding/base64 reads over, even when it is strict.
const newLines = "\r\n"

// decode takes what encode wrote, and no other spelling of it.
func decode(s string) ([]byte, error) {
	if strings.ContainsAny(s, newLines) {
		return nil, errors.New("a line break in base64")
	}
	return base64.RawURLEncoding.Strict().DecodeString(s)
}
