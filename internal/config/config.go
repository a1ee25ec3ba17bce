// Package config is what a person decides about a server: one struct, one
// loader, and the few files of the data directory that are not a store's.
//
//  1. Flags beat environment variables, which beat the file, which beats the
//     defaults. An empty environment variable is as good as none.
//  2. A key that is not known, and a value that cannot be used, is an *Error
//     that names the key and where it was given. Nothing is guessed.
//  3. There is no built-in root credential: it is given, or drawn at the first
//     start and kept with mode 0600.
//  4. A data directory has one process.
//  5. Secrets are of type Secret, which never formats.
//
// It opens no store and no socket.
package config

import (
	"log/slog"
	"net/netip"
	"time"

	"github.com/lighterage/lighterage/internal/name"
)

// Config is all settings, checked. Paths are relative to the working directory.
type Config struct {
	Listen                string // host:port
	DataDir               string
	Database              Place // sqlite or postgres
	Storage               Place // file
	Account               name.AccountID
	Region                name.Region   // of plain host names and unscoped clients
	Regions               []name.Region // served; Region is among them
	RegistryHost          string        // template; empty: what the client used
	LightsailRegistryHost string        // the same for Lightsail logins; empty: RegistryHost
	TrustedProxies        []netip.Prefix
	TLS                   TLSSource
	TLSCert, TLSKey       string   // files; both or none
	TLSHosts              []string // of a self-signed certificate, beside what is known
	ACMEHosts             []string // public names
	ACMEEmail             string
	ACMEDirectory         string        // URL; empty: Let's Encrypt's
	ACMECA                string        // PEM file of CAs of the ACME CA's own server, beside the machine's
	Audit                 Place         // file, stdout or off
	AuditMaxBytes         int64         // of all files of the trail
	AuditFileBytes        int64         // after which a file of it is closed
	MasterKeys            []KeySource   // the first seals, all open; empty: a file in the data directory
	TokenTTL              time.Duration // how long a registry login lasts
	TokensEndWithSessions bool          // a registry login of temporary credentials ends with them
	OIDCCA                string        // PEM file of CAs of OpenID Connect issuers, beside the machine's
	OIDCPrivateHosts      []string      // of issuers that may be at private addresses
	ECRStrict             bool
	AnonymousPull         bool // what repository policies give to everybody takes no login
	LogLevel              slog.Level
	AllowUnsafePostgres   bool // a server that can lose acknowledged transactions in a crash

	KMSKeys          map[string]string // ARN, key id or alias to enabled, disabled or pending-deletion
	Quotas           Quotas
	Rates            Rates
	LayerGrace       time.Duration // how long an unreferenced layer stays
	UploadTTL        time.Duration // how long an unfinished upload stays
	LightsailPushTTL time.Duration // how long an unregistered push stays
	ShutdownTimeout  time.Duration // what requests in flight get to finish

	sources map[string]string // where each key's value came from; empty: the default
}

// Place is where a store is.
type Place struct {
	Scheme string // sqlite or postgres, file, stdout or off
	Path   string // of sqlite and file
	URL    Secret // of postgres: it may hold a password
}

// setting is one line of the table of all settings.
type setting struct {
	key      string
	fallback string // as a person would write it
	usage    string
	set      func(c *Config, v value) error
}

// settings is every key, in the order in which help lists them and errors are
// found.
var settings = []setting{
	{"listen", "127.0.0.1:5000", "address to serve on, `host:port`", setListen},
	{"data-dir", "./lighterage-data", "`directory` of everything that is kept", setDataDir},
	{"database", "sqlite:", "metadata store: sqlite:[path] (default: in the data directory) or postgres://… `url`", setDatabase},
	{"storage", "file:", "layer store: file:[path] (default: in the data directory) as `url`", setStorage},
	{"account-id", "000000000000", "account that owns everything, 12 `digits`", setAccount},
	{"region", "us-east-1", "`region` of plain host names and of clients that name none", setRegion},
	{"regions", "all", "comma-separated `regions` that are served; all: every AWS region", setRegions},
	{"registry-host", "", "`host[:port]` in answers, with optional scheme, {account} and {region} (default: what the client used)", setText(func(c *Config) *string { return &c.RegistryHost })},
	{"lightsail-registry-host", "", "the same `host[:port]` for Lightsail logins (default: the registry host)", setText(func(c *Config) *string { return &c.LightsailRegistryHost })},
	{"trusted-proxies", "", "comma-separated addresses or `networks` whose X-Forwarded-For, -Proto and -Host are believed", setProxies},
	{"tls-cert", "", "PEM `file` of the certificate and its chain; serves HTTPS", setText(func(c *Config) *string { return &c.TLSCert })},
	{"tls-key", "", "PEM `file` of the certificate's key", setText(func(c *Config) *string { return &c.TLSKey })},
	{"tls", "", "HTTPS without certificate files: self-signed makes a CA in the data directory, acme asks one that speaks ACME, such as Let's Encrypt, as `source`", setTLS},
	{"tls-host", "", "comma-separated `names` and addresses in the self-signed certificate, beside those of the machine", setList(func(c *Config) *[]string { return &c.TLSHosts })},
	{"acme-host", "", "comma-separated public `names` of the server, which ACME certificates are for", setList(func(c *Config) *[]string { return &c.ACMEHosts })},
	{"acme-email", "", "mail `address` for warnings of the ACME CA", setText(func(c *Config) *string { return &c.ACMEEmail })},
	{"acme-directory", "", "`url` of the ACME CA's directory (default: Let's Encrypt's)", setText(func(c *Config) *string { return &c.ACMEDirectory })},
	{"acme-ca", "", "PEM `file` of CAs that the ACME CA's own server may have its certificate of, beside those of the machine", setText(func(c *Config) *string { return &c.ACMECA })},
	{"master-key", "", "what secrets are encrypted with: file:PATH, env:NAME or awskms://KEY?region=…, as `source`; of several, comma-separated, the first encrypts and all decrypt (default: a file made in the data directory)", setMasterKey},
	{"audit", "file:", "audit trail: file:[path] (default: in the data directory), stdout or off, as `place`", setAudit},
	{"audit-max-bytes", "1GiB", "what all files of the audit trail may take together, a `size`; the oldest go", setSize(func(c *Config) *int64 { return &c.AuditMaxBytes })},
	{"audit-file-bytes", "64MiB", "`size` at which a file of the audit trail is closed and another begun", setSize(func(c *Config) *int64 { return &c.AuditFileBytes })},
	{"token-ttl", "12h", "how long a registry login lasts, a `duration` of a minute to 12h", setTokenTTL},
	{"tokens-end-with-sessions", "false", "end a registry login of temporary credentials with them, earlier than on AWS", setBool(func(c *Config) *bool { return &c.TokensEndWithSessions })},
	{"oidc-ca", "", "PEM `file` of CAs that OpenID Connect issuers may have their certificates of, beside those of the machine", setText(func(c *Config) *string { return &c.OIDCCA })},
	{"oidc-private-hosts", "", "comma-separated host `names` of OpenID Connect issuers that may be at private addresses", setList(func(c *Config) *[]string { return &c.OIDCPrivateHosts })},
	{"ecr-strict", "false", "refuse what Amazon ECR refuses even where a registry could do it", setBool(func(c *Config) *bool { return &c.ECRStrict })},
	{"anonymous-pull", "false", "serve what repository policies allow everybody (Principal *) to pull without a login", setBool(func(c *Config) *bool { return &c.AnonymousPull })},
	{"log-level", "info", "debug, info, warn or error as `level`", setLevel},
	{"allow-unsafe-postgres", "false", "use a PostgreSQL server whose settings lose commits in a crash", setBool(func(c *Config) *bool { return &c.AllowUnsafePostgres })},
	{"kms-keys", "", "encryption keys that exist, `key=state,…`: key is an ARN, id or alias, state is enabled, disabled or pending-deletion", setKeys},
	{"quotas", "", "quotas that differ from the defaults, `name=number,…` (0 where allowed: unlimited)", setQuotas},
	{"rates", "", "calls a second that an account may do in a region, where they differ from those of ecr-strict, `operation=number,…` (0: unlimited)", setRates},
	{"layer-grace", "1h", "how long a layer without an image stays, a `duration`", setDuration(func(c *Config) *time.Duration { return &c.LayerGrace })},
	{"upload-ttl", "24h", "how long an unfinished upload stays, a `duration`", setDuration(func(c *Config) *time.Duration { return &c.UploadTTL })},
	{"lightsail-push-ttl", "24h", "how long a Lightsail push that is not registered stays, a `duration`", setDuration(func(c *Config) *time.Duration { return &c.LightsailPushTTL })},
	{"shutdown-timeout", "30s", "how long requests in flight may take to finish at the end, a `duration`", setDuration(func(c *Config) *time.Duration { return &c.ShutdownTimeout })},
}

// Redacted returns the settings as text by key, with every secret hidden, for
// logs.
func (c Config) Redacted() map[string]string {
	return map[string]string{
		"listen": c.Listen, "data-dir": c.DataDir, "database": c.Database.redacted(), "storage": c.Storage.redacted(),
		"account-id": string(c.Account), "region": string(c.Region), "regions": join(c.Regions),
		"registry-host": c.RegistryHost, "lightsail-registry-host": c.LightsailRegistryHost,
		"trusted-proxies": join(c.TrustedProxies), "tls-cert": c.TLSCert, "tls-key": c.TLSKey,
		"tls": string(c.TLS), "tls-host": join(c.TLSHosts), "acme-host": join(c.ACMEHosts), "acme-email": c.ACMEEmail,
		"acme-directory": c.ACMEDirectory, "acme-ca": c.ACMECA,
		"audit": c.Audit.redacted(), "audit-max-bytes": format(c.AuditMaxBytes), "audit-file-bytes": format(c.AuditFileBytes),
		"master-key": join(c.MasterKeys), "token-ttl": c.TokenTTL.String(), "tokens-end-with-sessions": format(c.TokensEndWithSessions),
		"oidc-ca": c.OIDCCA, "oidc-private-hosts": join(c.OIDCPrivateHosts),
		"ecr-strict": format(c.ECRStrict), "anonymous-pull": format(c.AnonymousPull), "log-level": c.LogLevel.String(),
		"allow-unsafe-postgres": format(c.AllowUnsafePostgres), "kms-keys": format(len(c.KMSKeys)),
		"quotas": c.Quotas.String(), "rates": c.Rates.String(), "layer-grace": c.LayerGrace.String(), "upload-ttl": c.UploadTTL.String(),
		"lightsail-push-ttl": c.LightsailPushTTL.String(), "shutdown-timeout": c.ShutdownTimeout.String(),
	}
}

func (p Place) redacted() string {
	if p.Scheme == "postgres" {
		return redactURL(p.URL.Reveal())
	}
	if p.Path == "" {
		return p.Scheme
	}
	return p.Scheme + ":" + p.Path
}
