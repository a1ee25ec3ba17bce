package server

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"slices"

	"github.com/lighterage/lighterage/internal/config"
	"github.com/lighterage/lighterage/internal/meta"
	"github.com/lighterage/lighterage/internal/name"
)

// strangers warns of a catalogue that has content, of which the account sees
// nothing: mostly the account's id was changed. It returns the accounts whose
// content it is.
func strangers(ctx context.Context, store meta.Store, account name.AccountID, log *slog.Logger) ([]name.AccountID, error) {
	var accounts []name.AccountID
	err := store.View(ctx, func(tx meta.Tx) (err error) {
		accounts, err = tx.Accounts()
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read the catalogue's accounts: %w", err)
	}
	if len(accounts) == 0 || slices.Contains(accounts, account) {
		return nil, nil
	}
	log.Warn("the catalogue has nothing of this account; choose another with --account-id", "account", account, "has", accounts)
	return accounts, nil
}

// rootKey returns the root key, and tells of one that was made or replaced.
func rootKey(c config.Config, l Launch) (config.Credentials, error) {
	former, missing := config.StoredCredentials(c.DataDir)
	key, err := config.RootCredentials(c.DataDir, l.Environ)
	switch {
	case err != nil:
		return key, err
	case errors.Is(missing, fs.ErrNotExist):
		l.Logger.Info("a root access key was stored", "key", key.AccessKeyID)
	case key != former:
		l.Logger.Info("the root access key was replaced; the former one is refused from now on", "key", key.AccessKeyID, "former", former.AccessKeyID)
	}
	return key, nil
}
