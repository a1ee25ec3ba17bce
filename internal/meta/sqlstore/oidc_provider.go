package sqlstore

import (
	"fmt"

	"github.com/lighterage/lighterage/internal/meta"
	"github.com/lighterage/lighterage/internal/name"
)

const providerSelect = `SELECT o.id, o.account, o.host, o.client_ids, o.thumbprints, o.created_at FROM oidc_provider o `

func readProvider(r *row) meta.OIDCProvider {
	return meta.OIDCProvider{
		ID:          meta.ProviderID(r.int(0)),
		Account:     name.AccountID(r.text(1)),
		Host:        r.text(2),
		ClientIDs:   r.strings(3),
		Thumbprints: r.strings(4),
		CreatedAt:   r.time(5),
	}
}

func providerLists(p meta.OIDCProvider) (clients, thumbprints string, err error) {
	if clients, err = stringsJSON(p.ClientIDs); err != nil {
		return "", "", fmt.Errorf("client ids: %w", err)
	}
	if thumbprints, err = stringsJSON(p.Thumbprints); err != nil {
		return "", "", fmt.Errorf("thumbprints: %w", err)
	}
	return clients, thumbprints, nil
}

// OIDCProvider finds one.
func (t *tx) OIDCProvider(account name.AccountID, host string, lock meta.Lock) (meta.OIDCProvider, error) {
	var found meta.OIDCProvider
	err := t.row(func(r *row) { found = readProvider(r) },
		t.locked(providerSelect+`WHERE o.account = ?1 AND o.host = ?2`, lock, "o"), account, host)
	return found, err
}

// OIDCProviders lists by host.
func (t *tx) OIDCProviders(account name.AccountID) ([]meta.OIDCProvider, error) {
	var found []meta.OIDCProvider
	err := t.rows(func(r *row) { found = append(found, readProvider(r)) }, providerSelect+`WHERE o.account = ?1 ORDER BY o.host`, account)
	return found, err
}

// InsertOIDCProvider adds one.
func (t *tx) InsertOIDCProvider(p meta.OIDCProvider) (meta.ProviderID, error) {
	clients, thumbprints, err := providerLists(p)
	if err != nil {
		return 0, err
	}
	id, err := t.insertAccess(`INSERT INTO oidc_provider (account, host, client_ids, thumbprints, created_at)
		VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT DO NOTHING RETURNING id`, p.Account, p.Host, clients, thumbprints, p.CreatedAt)
	return meta.ProviderID(id), err
}

// SetOIDCProvider stores what can change.
func (t *tx) SetOIDCProvider(p meta.OIDCProvider) error {
	clients, thumbprints, err := providerLists(p)
	if err != nil {
		return err
	}
	return t.changeAccess(`UPDATE oidc_provider SET client_ids = ?2, thumbprints = ?3 WHERE id = ?1`, p.ID, clients, thumbprints)
}

// DeleteOIDCProvider removes one.
func (t *tx) DeleteOIDCProvider(id meta.ProviderID) error {
	if err := t.dropResourceTags(meta.Resource{Kind: meta.ProviderResource, ID: int64(id)}); err != nil {
		return err
	}
	return t.changeAccess(`DELETE FROM oidc_provider WHERE id = ?1`, id)
}
