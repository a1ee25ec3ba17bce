package server

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"strings"

	"github.com/lighterage/lighterage/internal/config"
	"github.com/lighterage/lighterage/internal/identity"
	"github.com/lighterage/lighterage/internal/meta"
	"github.com/lighterage/lighterage/internal/name"
	"github.com/lighterage/lighterage/internal/seal"
	"github.com/lighterage/lighterage/internal/seal/awskms"
)

// masterCheck is the purpose under which the metadata store keeps a known text,
// sealed: a wrong master key is found at the start and not at somebody's log-in.
const masterCheck = "master-key-check"

// kmsPurpose begins the purpose of a master key that a KMS key wrapped; the id
// of the KMS key ends it.
const kmsPurpose = "master-key-kms-"

// MasterKeys is the keys of the configuration, in its order; none: the data
// directory has the key.
type MasterKeys []masterKey

// masterKey is a key, or a KMS key that keeps one.
type masterKey struct {
	key seal.Key
	kms *kmsKey // nil: it is none of KMS's
}

// kmsKey keeps the master key that the store has under its purpose. If the
// store has none yet, it is the one that was drawn, which wrapped holds.
type kmsKey struct {
	source  config.KeySource
	vault   *awskms.Vault
	purpose string
	wrapped []byte
}

// ReadMasterKeys finds the keys, and asks KMS for one to keep, before any store
// is opened or made. Its errors are *config.Error, and *StoreError where KMS
// refuses or does not answer.
func ReadMasterKeys(ctx context.Context, c config.Config, environ []string) (MasterKeys, error) {
	var keys MasterKeys
	seen := map[string]bool{}
	for _, source := range c.MasterKeys {
		k, err := readMasterKey(ctx, c, source, environ)
		if err != nil {
			return nil, err
		}
		id := k.key.ID()
		if k.kms != nil {
			id = k.kms.purpose
		}
		if seen[id] {
			return nil, c.Fault("master-key", fmt.Errorf("%s is given twice", source))
		}
		seen[id] = true
		keys = append(keys, k)
	}
	return keys, nil
}

func readMasterKey(ctx context.Context, c config.Config, source config.KeySource, environ []string) (masterKey, error) {
	if source.Scheme != "awskms" {
		k, err := config.ReadMasterKey(source, environ)
		if err != nil {
			return masterKey{}, c.Fault("master-key", err)
		}
		return masterKey{key: k}, nil
	}
	vault, err := awskms.New(ctx, awskms.Config{Key: source.Name, Region: source.Region, Endpoint: source.Endpoint})
	if err != nil {
		return masterKey{}, c.Fault("master-key", err)
	}
	k, kms, err := draw(ctx, vault)
	if err != nil {
		return masterKey{}, &StoreError{fmt.Errorf("master key: %w", err)}
	}
	kms.source = source
	return masterKey{k, kms}, nil
}

// draw makes a master key for the KMS key to keep, and proves that it gives it
// back. Wrapping one also tells the id of the KMS key, which is the same for
// all spellings of it.
func draw(ctx context.Context, vault *awskms.Vault) (seal.Key, *kmsKey, error) {
	wrapped, id, err := vault.Wrap(ctx, seal.Generate())
	if err != nil {
		return seal.Key{}, nil, err
	}
	k, err := unwrap(ctx, vault, wrapped)
	return k, &kmsKey{vault: vault, purpose: kmsPurpose + id, wrapped: wrapped}, err
}

func unwrap(ctx context.Context, vault *awskms.Vault, wrapped []byte) (seal.Key, error) {
	text, err := vault.Unwrap(ctx, wrapped)
	if err != nil {
		return seal.Key{}, err
	}
	return seal.Parse(text)
}

// MasterKey returns what seals and opens the secrets of the store, and makes a
// key at the first start of a server that was given none. After a key was
// replaced it seals the store's secrets anew; only then can the former key go.
// Keys that are not those of the store's secrets leave it as it is. Its errors
// are *config.Error and *StoreError.
func MasterKey(ctx context.Context, c config.Config, given MasterKeys, store meta.Store, log *slog.Logger) (*seal.Sealer, error) {
	check, err := secret(ctx, store, masterCheck)
	if err != nil {
		return nil, &StoreError{err}
	}
	keys, drawn, err := given.of(ctx, store)
	if err != nil {
		return nil, &StoreError{fmt.Errorf("master key: %w", err)}
	}
	if len(given) == 0 {
		k, err := ownMasterKey(c, check != nil, log)
		if err != nil {
			return nil, err
		}
		keys = []seal.Key{k}
	}
	s, err := seal.New(keys...)
	if err != nil {
		return nil, c.Fault("master-key", err)
	}
	if check == nil {
		if err := keepFirst(ctx, store, s, drawn); err != nil {
			return nil, &StoreError{fmt.Errorf("keep the master key: %w", err)}
		}
		return s, nil
	}
	_, err = s.Open(check, []byte(masterCheck))
	switch {
	case errors.Is(err, seal.ErrOtherKey) && len(drawn) == len(keys):
		return nil, c.Fault("master-key", fmt.Errorf("is not the key of this catalogue's secrets: %s keeps no master key of it", drawn[0].source))
	case errors.Is(err, seal.ErrOtherKey):
		return nil, c.Fault("master-key", fmt.Errorf("is not the key of this catalogue's secrets: they are %w", err))
	case err != nil:
		return nil, &StoreError{fmt.Errorf("check the master key: %w", err)}
	}
	if len(drawn) > 0 {
		if err := store.Update(ctx, func(tx meta.Tx) error { return keep(tx, drawn) }); err != nil {
			return nil, &StoreError{fmt.Errorf("keep the master key: %w", err)}
		}
	}
	if s.Stale(check) {
		if err := reseal(ctx, store, s, log); err != nil {
			return nil, &StoreError{fmt.Errorf("encrypt secrets with the new master key: %w", err)}
		}
	}
	return s, nil
}

// secret returns nil if the store has none of the purpose.
func secret(ctx context.Context, store meta.Store, purpose string) (found []byte, err error) {
	err = store.View(ctx, func(tx meta.Tx) (err error) {
		found, err = tx.Secret(purpose)
		return err
	})
	if errors.Is(err, meta.ErrNotFound) {
		return nil, nil
	}
	return found, err
}

// of returns the keys for this store, and those of KMS that it does not have
// yet.
func (m MasterKeys) of(ctx context.Context, store meta.Store) (keys []seal.Key, drawn []*kmsKey, err error) {
	for _, k := range m {
		if k.kms != nil {
			wrapped, err := secret(ctx, store, k.kms.purpose)
			if err != nil {
				return nil, nil, err
			}
			if wrapped == nil {
				drawn = append(drawn, k.kms)
			} else if k.key, err = unwrap(ctx, k.kms.vault, wrapped); err != nil {
				return nil, nil, err
			}
		}
		keys = append(keys, k.key)
	}
	return keys, drawn, nil
}

// keepFirst is for a store that no master key was ever used for.
func keepFirst(ctx context.Context, store meta.Store, s *seal.Sealer, drawn []*kmsKey) error {
	check, err := s.Seal([]byte(masterCheck), []byte(masterCheck))
	if err != nil {
		return err
	}
	return store.Update(ctx, func(tx meta.Tx) error {
		if err := keep(tx, drawn); err != nil {
			return err
		}
		return tx.PutSecret(masterCheck, check)
	})
}

func keep(tx meta.Tx, drawn []*kmsKey) error {
	for _, k := range drawn {
		if err := tx.PutSecret(k.purpose, k.wrapped); err != nil {
			return err
		}
	}
	return nil
}

// ownMasterKey makes no second key for a catalogue that has one: what the first
// encrypted would be lost to this server.
func ownMasterKey(c config.Config, used bool, log *slog.Logger) (seal.Key, error) {
	k, err := config.StoredMasterKey(c.DataDir)
	switch {
	case err == nil:
		return k, nil
	case !errors.Is(err, fs.ErrNotExist):
		return k, &StoreError{err}
	case used:
		return k, c.Fault("master-key", fmt.Errorf("the catalogue has a master key, and the data directory %s has no file master-key; put it back, or say with master-key where it is", c.DataDir))
	}
	k, path, err := config.MakeMasterKey(c.DataDir)
	if err != nil {
		return k, &StoreError{err}
	}
	log.Warn("made a master key; without it the secret access keys in the catalogue are lost: keep a copy apart from the catalogue's backups", "file", path, "id", k.ID())
	return k, nil
}

// resealPage is how many rows one transaction seals anew.
const resealPage = 100

// reseal seals everything with the first key, and the check last: if it is
// interrupted, the next start goes on.
func reseal(ctx context.Context, store meta.Store, s *seal.Sealer, log *slog.Logger) error {
	var accounts []name.AccountID
	for after := name.AccountID(""); ; {
		var page []meta.Account
		err := store.View(ctx, func(tx meta.Tx) (err error) {
			page, err = tx.ListAccounts(meta.Page[name.AccountID]{After: after, Limit: resealPage})
			return err
		})
		if err != nil {
			return err
		}
		if len(page) == 0 {
			break
		}
		for _, a := range page {
			accounts = append(accounts, a.ID)
			after = a.ID
		}
	}
	count := 0
	for _, a := range accounts {
		n, err := resealAccount(ctx, store, s, a)
		if err != nil {
			return fmt.Errorf("account %s: %w", a, err)
		}
		count += n
	}
	if changed, err := identity.SealSigningSecret(ctx, store, s); err != nil {
		return fmt.Errorf("signing secret: %w", err)
	} else if changed {
		count++
	}
	check, err := s.Seal([]byte(masterCheck), []byte(masterCheck))
	if err != nil {
		return err
	}
	if err := store.Update(ctx, func(tx meta.Tx) error { return tx.SetSecret(masterCheck, check) }); err != nil {
		return err
	}
	log.Info("all secrets are encrypted with the first master key now; the others may be taken out of the settings", "key", s.KeyID(), "secrets", count)
	return nil
}

// resealAccount takes the root's keys, and those of users page by page.
func resealAccount(ctx context.Context, store meta.Store, s *seal.Sealer, account name.AccountID) (count int, err error) {
	users := []meta.Principal{{}} // the root is user 0
	for {
		n := 0
		err := store.Update(ctx, func(tx meta.Tx) error {
			n = 0
			if _, err := tx.Account(account, meta.LockExclusive); err != nil {
				return err
			}
			for _, u := range users {
				changed, err := resealKeys(tx, s, account, u.ID)
				if err != nil {
					return err
				}
				n += changed
			}
			return nil
		})
		if err != nil {
			return count, err
		}
		count += n
		after := strings.ToLower(users[len(users)-1].Key.Name)
		err = store.View(ctx, func(tx meta.Tx) (err error) {
			users, err = tx.Principals(account, meta.User, "", meta.Page[string]{After: after, Limit: resealPage})
			return err
		})
		if err != nil || len(users) == 0 {
			return count, err
		}
	}
}

// resealKeys is in the transaction that locks the account, so that no key
// changes meanwhile. A secret is bound to the id of its key.
func resealKeys(tx meta.Tx, s *seal.Sealer, account name.AccountID, user meta.PrincipalID) (count int, err error) {
	keys, err := tx.AccessKeys(account, user)
	if err != nil {
		return 0, err
	}
	for _, k := range keys {
		if !s.Stale(k.Sealed) {
			continue
		}
		secret, err := s.Open(k.Sealed, []byte(k.ID))
		if err != nil {
			return 0, fmt.Errorf("access key %s: %w", k.ID, err)
		}
		if k.Sealed, err = s.Seal(secret, []byte(k.ID)); err != nil {
			return 0, err
		}
		if err := tx.SetAccessKey(k); err != nil {
			return 0, err
		}
		count++
	}
	return count, nil
}
