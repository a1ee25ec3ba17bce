package directory

import (
	"context"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/lighterage/lighterage/internal/fault"
	"github.com/lighterage/lighterage/internal/meta"
	"github.com/lighterage/lighterage/internal/name"
)

// Provider is an OIDC provider: an issuer of web identities that the account
// trusts.
type Provider struct {
	ARN         string
	Host        string // host and path of the issuer's URL, as in the ARN
	ClientIDs   []string
	Thumbprints []string
	CreatedAt   time.Time
	Tags        []ResourceTag // not in lists
}

// NewProvider is a provider to be made.
type NewProvider struct {
	URL         string
	ClientIDs   []string
	Thumbprints []string
	Tags        []ResourceTag
}

const (
	maxProviderURL = 255
	maxClientID    = 255
)

var (
	providerHost = regexp.MustCompile(`^[A-Za-z0-9._-]+(:[0-9]+)?(/[A-Za-z0-9._~%!$&'()+,;=@-]*)*$`)
	thumbprint   = regexp.MustCompile(`^[0-9A-Fa-f]{40}$`)
)

// ProviderHost returns the host and path of an issuer's URL. It begins with
// https://, or with http:// on a loopback address, and has neither user, query
// nor fragment. InputRefused.
func ProviderHost(issuer string) (string, error) {
	bad := refused("Invalid Open ID Connect Provider URL")
	u, err := url.Parse(issuer)
	if err != nil || len(issuer) > maxProviderURL || u.User != nil || u.RawQuery != "" || u.ForceQuery || u.Fragment != "" {
		return "", bad
	}
	host, ok := strings.CutPrefix(issuer, "https://")
	if !ok {
		if host, ok = strings.CutPrefix(issuer, "http://"); !ok || !loopback(u.Hostname()) {
			return "", bad
		}
	}
	if !providerHost.MatchString(host) {
		return "", bad
	}
	return host, nil
}

func loopback(host string) bool {
	a, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && a.IsLoopback()
}

// checkClientIDs checks the list that a provider is to have. LimitExceeded,
// InputRefused.
func (d *Directory) checkClientIDs(ids []string) error {
	if int64(len(ids)) > d.Limits.ClientIDs {
		return quotaFault("ClientIdsPerOpenIdConnectProvider", d.Limits.ClientIDs)
	}
	for _, id := range ids {
		if id == "" || len(id) > maxClientID {
			return refused("A client ID must have 1 to 255 characters.")
		}
	}
	return nil
}

// checkThumbprints checks the list that a provider is to have. InputRefused.
func (d *Directory) checkThumbprints(all []string) error {
	if int64(len(all)) > d.Limits.Thumbprints {
		return refused("Thumbprint list must contain at most " + strconv.FormatInt(d.Limits.Thumbprints, 10) + " entries.")
	}
	for _, t := range all {
		if !thumbprint.MatchString(t) {
			return refused("A thumbprint must have 40 hexadecimal digits.")
		}
	}
	return nil
}

func lowered(all []string) []string {
	out := make([]string, len(all))
	for i, s := range all {
		out[i] = strings.ToLower(s)
	}
	return unique(out)
}

// unique returns the texts in their order, each once.
func unique(all []string) []string {
	seen := make(map[string]bool, len(all))
	var out []string
	for _, s := range all {
		if !seen[s] {
			seen[s] = true
			out = append(out, s)
		}
	}
	return out
}

// CreateProvider adds an OIDC provider. Nobody asks the issuer now: whether its
// tokens are good is found out when one comes. EntityExists, LimitExceeded,
// InputRefused, ParameterInvalid.
func (d *Directory) CreateProvider(ctx context.Context, account name.AccountID, n NewProvider) (Provider, error) {
	host, err := ProviderHost(n.URL)
	if err != nil {
		return Provider{}, err
	}
	row := meta.OIDCProvider{Account: account, Host: host, ClientIDs: unique(n.ClientIDs), Thumbprints: lowered(n.Thumbprints)}
	if err := d.checkClientIDs(row.ClientIDs); err != nil {
		return Provider{}, err
	}
	if err := d.checkThumbprints(row.Thumbprints); err != nil {
		return Provider{}, err
	}
	var made Provider
	err = d.change(ctx, account, func(tx meta.Tx) error {
		have, err := tx.OIDCProviders(account)
		if err != nil {
			return err
		}
		if slices.ContainsFunc(have, func(p meta.OIDCProvider) bool { return p.Host == host }) {
			return entityFault(fault.EntityExists, ProviderEntity, n.URL)
		}
		if int64(len(have)) >= d.Limits.Providers {
			return quotaFault("OpenIdConnectProvidersPerAccount", d.Limits.Providers)
		}
		if row.CreatedAt, err = tx.Now(); err != nil {
			return err
		}
		if row.ID, err = tx.InsertOIDCProvider(row); err != nil {
			return taken(err, ProviderEntity, n.URL)
		}
		made = providerOf(row)
		made.Tags = n.Tags
		return d.putResourceTags(tx, providerResource(row), n.Tags)
	})
	return made, err
}

func providerResource(p meta.OIDCProvider) meta.Resource {
	return meta.Resource{Kind: meta.ProviderResource, ID: int64(p.ID)}
}

func providerOf(p meta.OIDCProvider) Provider {
	return Provider{
		ARN: name.ProviderARN(p.Account, p.Host), Host: p.Host,
		ClientIDs: p.ClientIDs, Thumbprints: p.Thumbprints, CreatedAt: p.CreatedAt,
	}
}

// findProvider finds a provider by its ARN. InputRefused for what is no ARN of
// one; EntityNotFound, also for one of another account.
func findProvider(tx meta.Tx, account name.AccountID, arn string, lock meta.Lock) (meta.OIDCProvider, error) {
	parts := strings.SplitN(arn, ":", 6)
	if len(parts) != 6 || !strings.HasPrefix(arn, "arn:aws:iam::") || !strings.HasPrefix(parts[5], "oidc-provider/") {
		return meta.OIDCProvider{}, refused("ARN " + arn + " is not valid.")
	}
	host, ok := strings.CutPrefix(arn, name.ProviderARN(account, ""))
	if !ok {
		return meta.OIDCProvider{}, entityFault(fault.EntityNotFound, ProviderEntity, arn)
	}
	row, err := tx.OIDCProvider(account, host, lock)
	return row, missing(err, ProviderEntity, arn)
}

// GetProvider returns a provider with its tags. EntityNotFound, InputRefused.
func (d *Directory) GetProvider(ctx context.Context, account name.AccountID, arn string) (Provider, error) {
	var got Provider
	err := d.view(ctx, func(tx meta.Tx) error {
		row, err := findProvider(tx, account, arn, meta.NoLock)
		if err != nil {
			return err
		}
		got = providerOf(row)
		got.Tags, err = tx.ResourceTags(providerResource(row))
		return err
	})
	return got, err
}

// ListProviders lists the account's providers by host. Tags are not filled in.
func (d *Directory) ListProviders(ctx context.Context, account name.AccountID) ([]Provider, error) {
	var all []Provider
	err := d.view(ctx, func(tx meta.Tx) error {
		all = nil
		rows, err := tx.OIDCProviders(account)
		for _, row := range rows {
			all = append(all, providerOf(row))
		}
		return err
	})
	return all, err
}

// changeProvider runs edit on a provider's row and stores it.
func (d *Directory) changeProvider(ctx context.Context, account name.AccountID, arn string, edit func(*meta.OIDCProvider) error) error {
	return d.change(ctx, account, func(tx meta.Tx) error {
		row, err := findProvider(tx, account, arn, meta.LockExclusive)
		if err != nil {
			return err
		}
		if err := edit(&row); err != nil {
			return err
		}
		return tx.SetOIDCProvider(row)
	})
}

// AddClientID adds an audience that the account takes tokens for; one that is
// there is no error. EntityNotFound, LimitExceeded, InputRefused.
func (d *Directory) AddClientID(ctx context.Context, account name.AccountID, arn, id string) error {
	return d.changeProvider(ctx, account, arn, func(p *meta.OIDCProvider) error {
		p.ClientIDs = unique(append(p.ClientIDs, id))
		return d.checkClientIDs(p.ClientIDs)
	})
}

// RemoveClientID takes an audience away; one that is not there is no error.
// EntityNotFound, InputRefused.
func (d *Directory) RemoveClientID(ctx context.Context, account name.AccountID, arn, id string) error {
	return d.changeProvider(ctx, account, arn, func(p *meta.OIDCProvider) error {
		p.ClientIDs = slices.DeleteFunc(p.ClientIDs, func(have string) bool { return have == id })
		return nil
	})
}

// SetThumbprints replaces a provider's thumbprints. EntityNotFound,
// InputRefused.
func (d *Directory) SetThumbprints(ctx context.Context, account name.AccountID, arn string, all []string) error {
	return d.changeProvider(ctx, account, arn, func(p *meta.OIDCProvider) error {
		p.Thumbprints = lowered(all)
		return d.checkThumbprints(p.Thumbprints)
	})
}

// DeleteProvider removes a provider. Roles that trust it stay, and trust
// nobody by it. EntityNotFound, InputRefused.
func (d *Directory) DeleteProvider(ctx context.Context, account name.AccountID, arn string) error {
	return d.change(ctx, account, func(tx meta.Tx) error {
		row, err := findProvider(tx, account, arn, meta.LockExclusive)
		if err != nil {
			return err
		}
		return tx.DeleteOIDCProvider(row.ID)
	})
}
