package archtest

import "strings"

// row says what the packages that a pattern names may import, of ours. A
// pattern is a folder from the root; a final /* stands for any one name.
type row struct {
	pattern string
	may     []string // patterns, or the name of a group
}

// groups are the floors that a row may name as a whole.
var groups = map[string][]string{
	"words": {
		"internal/fault", "internal/name", "internal/digest",
		"internal/manifest", "internal/sigv4", "internal/policy", "internal/seal",
	},
	"contracts": {"internal/meta", "internal/blob"},
	"domain": {
		"internal/registry", "internal/containers", "internal/identity", "internal/webidentity", "internal/access",
		"internal/gc", "internal/directory", "internal/lifecycle",
	},
	"drivers": {"internal/meta/sqlstore", "internal/blob/disk", "internal/seal/awskms"},
	"fronts": {
		"internal/edge", "internal/api/awsjson", "internal/api/awsquery", "internal/api/ecr", "internal/api/lightsail",
		"internal/api/admin", "internal/api/sts", "internal/api/iam", "internal/api/oci", "internal/api/ops",
	},
}

// table is the arrows of docs/ARCHITECTURE.md. The first row that matches a
// package holds.
var table = []row{
	{"internal/fault", nil},
	{"internal/name", []string{"internal/fault"}},
	{"internal/digest", []string{"internal/fault"}},
	{"internal/manifest", []string{"internal/fault", "internal/name", "internal/digest"}},
	{"internal/sigv4", []string{"internal/fault", "internal/name", "internal/digest"}},
	{"internal/policy", []string{"internal/fault", "internal/name"}},
	{"internal/seal", nil},
	{"internal/seal/awskms", nil},
	{"internal/seal/awskms/kmstest", []string{"internal/sigv4"}},

	{"internal/meta", []string{"words"}},
	{"internal/meta/metatest", []string{"words", "internal/meta"}},
	{"internal/meta/sqlstore", []string{"words", "internal/meta"}},
	{"internal/blob", []string{"words"}},
	{"internal/blob/blobtest", []string{"words", "internal/blob"}},
	{"internal/seal/sealtest", []string{"words"}},
	{"internal/blob/*", []string{"words", "internal/blob"}},

	{"internal/registry", []string{"words", "contracts"}},
	{"internal/identity", []string{"words", "contracts"}},
	{"internal/webidentity", []string{"words", "contracts"}},
	{"internal/access", []string{"words", "contracts", "internal/identity"}},
	{"internal/directory", []string{"words", "contracts", "internal/identity"}},
	{"internal/containers", []string{"words", "contracts", "internal/registry"}},
	{"internal/gc", []string{"words", "contracts", "internal/registry"}},
	{"internal/lifecycle", []string{"words", "contracts", "internal/registry"}},

	{"internal/audit", nil},
	{"internal/client", []string{"words"}},
	{"internal/certificate", nil},
	{"internal/certificate/acmetest", nil},
	{"internal/throttle", nil},
	{"internal/rate", []string{"internal/fault", "internal/name"}},
	{"internal/config", []string{"words"}},
	{"internal/edge", []string{"words"}},
	{"internal/worker", []string{"words", "internal/meta"}},

	{"internal/api/awsmodel", nil},
	{"internal/api/awsmodel/*", []string{"internal/api/awsmodel"}},
	{"internal/api/apitest", nil},
	{"internal/api/awsplan", []string{"words", "internal/api/awsmodel"}},
	{"internal/api/awsjson", []string{"words", "internal/edge", "internal/identity", "internal/access", "internal/api/awsmodel", "internal/api/awsplan"}},
	{"internal/api/awsquery", []string{"words", "internal/edge", "internal/identity", "internal/access", "internal/api/awsmodel", "internal/api/awsplan"}},
	{"internal/api/ecr", []string{"words", "domain", "internal/edge", "internal/api/awsjson", "internal/api/awsmodel", "internal/api/awsplan", "internal/api/awsmodel/ecrmodel"}},
	{"internal/api/admin", []string{"words", "domain", "internal/api/awsjson", "internal/api/awsmodel/lighteragemodel"}},
	{"internal/api/lightsail", []string{"words", "domain", "internal/edge", "internal/api/awsjson", "internal/api/awsmodel", "internal/api/awsmodel/lightsailmodel"}},
	{"internal/api/sts", []string{"words", "domain", "internal/edge", "internal/api/awsquery", "internal/api/awsmodel/stsmodel"}},
	{"internal/api/iam", []string{"words", "domain", "internal/edge", "internal/api/awsquery", "internal/api/awsplan", "internal/api/awsmodel/iammodel"}},
	{"internal/api/oci", []string{"words", "domain", "internal/edge"}},
	{"internal/api/ops", []string{"words", "internal/edge"}},

	{"internal/server", []string{"words", "contracts", "drivers", "domain", "fronts", "internal/config", "internal/worker", "internal/audit", "internal/certificate", "internal/throttle", "internal/rate"}},
	{"cmd/lighterage", []string{"words", "internal/config", "internal/server", "internal/client", "internal/audit"}},

	{"internal/archtest", nil},
	{"internal/testkit/apart", nil},
	{"internal/testkit", []string{"words", "contracts", "drivers", "domain", "fronts", "internal/api/apitest", "internal/config", "internal/worker", "internal/server"}},
}

// place says that an import, or some names of it, stands only in the packages
// named; why tells whoever meets the rule what to do instead.
type place struct {
	path  string   // import path; a final /... stands for everything below
	names []string // selectors; none: the import itself
	only  []string // patterns of packages
	tests bool     // holds in test files too
	why   string
}

var places = []place{
	{path: "net/http", why: "HTTP is spoken by the fronts",
		// Certificates: the client that an ACME CA is asked with. Client: that of the commands.
		// Web identities: the client that issuers are asked with.
		only: []string{"internal/edge", "internal/api/*", "internal/server", "internal/sigv4", "internal/certificate", "internal/client", "internal/webidentity"}},
	{path: "database/sql/...", why: "SQL is the metadata driver's", only: []string{"internal/meta/sqlstore"}},
	{path: "github.com/jackc/pgx/...", why: "SQL is the metadata driver's", only: []string{"internal/meta/sqlstore"}},
	{path: "modernc.org/...", why: "SQL is the metadata driver's", only: []string{"internal/meta/sqlstore"}},
	{path: "github.com/pressly/goose/...", why: "migrations are the metadata driver's", only: []string{"internal/meta/sqlstore"}},
	{path: "github.com/aws/...", why: "AWS is called by the key driver and by commands", only: []string{"internal/seal/awskms", "cmd/lighterage"}},
	{path: "github.com/spf13/...", why: "flags are the command's and the loader's", only: []string{"cmd/lighterage", "internal/config"}},
	{path: "github.com/knadh/koanf/...", why: "settings are read once, by the loader", only: []string{"internal/config"}},
	{path: "os", names: fileCalls, why: "files are the disk store's, the audit trail's, the certificates', the loader's and the command's",
		// The audit trail does not go through a store: it must be written when the store fails.
		// Certificates are renewed by others, as files; keys of ours are for the owner alone.
		only: []string{"internal/blob/disk", "internal/audit", "internal/certificate", "internal/config", "cmd/lighterage"}},
	{path: "os", names: []string{"Getenv", "LookupEnv", "Environ", "ExpandEnv"}, why: "settings come through config",
		only: []string{"internal/config"}},
	{path: "os", names: []string{"Exit"}, why: "only a command ends the process", only: []string{"cmd/lighterage"}},
	{path: "log", why: "a slog.Logger is passed in", only: nil},
	{path: "log/slog", names: []string{"Default", "SetDefault", "Debug", "Info", "Warn", "Error", "Log", "LogAttrs",
		"DebugContext", "InfoContext", "WarnContext", "ErrorContext"}, why: "a slog.Logger is passed in", only: nil},
	{path: "time", names: []string{"Now", "Since", "Until"}, why: "a clock is passed in",
		// A SQLite store is its own clock: its transactions' time is its promise.
		only: []string{"internal/server", "cmd/lighterage", "internal/meta/sqlstore"}},
	{path: "time", names: []string{"Sleep"}, why: "wait on a timer and the context; tests poll with a deadline or use testing/synctest",
		only: nil, tests: true},
}

var fileCalls = []string{
	"Open", "OpenFile", "OpenRoot", "OpenInRoot", "Create", "CreateTemp", "NewFile", "MkdirTemp", "Mkdir", "MkdirAll",
	"ReadFile", "WriteFile", "ReadDir", "DirFS", "CopyFS", "Remove", "RemoveAll", "Rename", "Stat", "Lstat",
	"Link", "Symlink", "Readlink", "Chmod", "Chown", "Chtimes", "Truncate",
}

// free are the packages beside the product, which the places do not bind.
var free = []string{"internal/archtest", "internal/testkit", "internal/testkit/apart", "internal/meta/metatest", "internal/blob/blobtest", "internal/seal/sealtest", "internal/seal/awskms/kmstest", "internal/certificate/acmetest"}

// blank are the imports that may be made for their effect alone.
var blank = map[string][]string{
	"embed":                          {"*"},
	"github.com/jackc/pgx/v5/stdlib": {"internal/meta/sqlstore"},
	"modernc.org/sqlite":             {"internal/meta/sqlstore"},
}

// bannedNames say nothing about what a package is.
var bannedNames = []string{
	"util", "utils", "common", "helper", "helpers", "base", "core", "types", "models",
	"manager", "service", "services", "impl", "misc", "shared", "lib", "pkg",
}

// matches reports whether the package is one of the patterns.
func matches(patterns []string, pkg string) bool {
	for _, p := range patterns {
		if match(p, pkg) {
			return true
		}
	}
	return false
}

func match(pattern, pkg string) bool {
	switch {
	case pattern == "*" || pattern == pkg:
		return true
	case strings.HasSuffix(pattern, "/..."):
		dir := strings.TrimSuffix(pattern, "/...")
		return pkg == dir || strings.HasPrefix(pkg, dir+"/")
	case strings.HasSuffix(pattern, "/*"):
		rest, ok := strings.CutPrefix(pkg, strings.TrimSuffix(pattern, "*"))
		return ok && rest != "" && !strings.Contains(rest, "/")
	}
	return false
}
