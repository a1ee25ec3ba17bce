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

// MasterKey returns what seals and opens the secrets of the store, and makes a
// key at the first start of a server that was given none. After a key was
// replaced it seals the store's secrets anew; only then can the former key go.
// Its errors are *config.Error and *StoreError.
func MasterKey(ctx context.Context, c config.Config, store meta.Store, environ []string, log *slog.Logger) (*seal.Sealer, error) {
	check, err := storedCheck(ctx, store)
	if err != nil {
		return nil, &StoreError{err}
	}
	keys, err := masterKeys(ctx, c, store, environ, check != nil, log)
	if err != nil {
		return nil, err
	}
	s, err := seal.New(keys...)
	if err != nil {
		return nil, c.Fault("master-key", err)
	}
	if check == nil {
		if check, err = placeCheck(ctx, store, s); err != nil {
			return nil, &StoreError{err}
		}
	}
	_, err = s.Open(check, []byte(masterCheck))
	if errors.Is(err, seal.ErrOtherKey) {
		return nil, c.Fault("master-key", fmt.Errorf("is not the key of this catalogue's secrets: they are %w", err))
	}
	if err != nil {
		return nil, &StoreError{fmt.Errorf("check the master key: %w", err)}
	}
	if s.Stale(check) {
		if err := reseal(ctx, store, s, log); err != nil {
			return nil, &StoreError{fmt.Errorf("encrypt secrets with the new master key: %w", err)}
		}
	}
	return s, nil
}

// storedCheck returns nil if no master key was ever used.
func storedCheck(ctx context.Context, store meta.Store) (check []byte, err error) {
	err = store.View(ctx, func(tx meta.Tx) (err error) {
		check, err = tx.Secret(masterCheck)
		return err
	})
	if errors.Is(err, meta.ErrNotFound) {
		return nil, nil
	}
	return check, err
}

// placeCheck returns the check that the store has then: another replica may
// have been first.
func placeCheck(ctx context.Context, store meta.Store, s *seal.Sealer) ([]byte, error) {
	check, err := s.Seal([]byte(masterCheck), []byte(masterCheck))
	if err != nil {
		return nil, err
	}
	err = store.Update(ctx, func(tx meta.Tx) error { return tx.PutSecret(masterCheck, check) })
	if errors.Is(err, meta.ErrExists) {
		return storedCheck(ctx, store)
	}
	return check, err
}

// masterKeys returns the keys of the configuration, or the data directory's.
func masterKeys(ctx context.Context, c config.Config, store meta.Store, environ []string, used bool, log *slog.Logger) ([]seal.Key, error) {
	if len(c.MasterKeys) == 0 {
		k, err := ownMasterKey(c, used, log)
		return []seal.Key{k}, err
	}
	var keys []seal.Key
	for _, source := range c.MasterKeys {
		var k seal.Key
		var err error
		if source.Scheme == "awskms" {
			if k, err = kmsKey(ctx, source, store); err != nil {
				return nil, &StoreError{fmt.Errorf("master key: %w", err)}
			}
		} else if k, err = config.ReadMasterKey(source, environ); err != nil {
			return nil, c.Fault("master-key", err)
		}
		keys = append(keys, k)
	}
	return keys, nil
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

// kmsKey returns the key that the KMS key keeps for this store, and makes it if
// there is none. Asking KMS for its key's id first costs a question, and gives
// one answer for all spellings of it.
func kmsKey(ctx context.Context, source config.KeySource, store meta.Store) (seal.Key, error) {
	vault, err := awskms.New(ctx, awskms.Config{Key: source.Name, Region: source.Region, Endpoint: source.Endpoint})
	if err != nil {
		return seal.Key{}, err
	}
	text := seal.Generate()
	wrapped, id, err := vault.Wrap(ctx, text)
	if err != nil {
		return seal.Key{}, err
	}
	stored := wrapped
	err = store.Update(ctx, func(tx meta.Tx) (err error) {
		stored, err = tx.Secret(kmsPurpose + id)
		if errors.Is(err, meta.ErrNotFound) {
			stored = wrapped
			return tx.PutSecret(kmsPurpose+id, wrapped)
		}
		return err
	})
	if errors.Is(err, meta.ErrExists) { // another replica was quicker
		err = store.View(ctx, func(tx meta.Tx) (err error) {
			stored, err = tx.Secret(kmsPurpose + id)
			return err
		})
	}
	if err != nil {
		return seal.Key{}, err
	}
	if text, err = vault.Unwrap(ctx, stored); err != nil {
		return seal.Key{}, err
	}
	return seal.Parse(text)
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
