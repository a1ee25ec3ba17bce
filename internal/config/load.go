package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/knadh/koanf/providers/confmap"
	"github.com/knadh/koanf/providers/env/v2"
	"github.com/knadh/koanf/providers/posflag"
	"github.com/knadh/koanf/v2"
	"github.com/spf13/pflag"
)

// Error is a setting that cannot be used.
type Error struct {
	Key    string // as in the table; empty when no key is to blame
	Source string // --flag, environment variable or file; empty: the default
	Err    error
}

// Error names the key and where its value came from.
func (e *Error) Error() string {
	switch {
	case e.Key == "":
		return e.Err.Error()
	case e.Source == "":
		return e.Key + ": " + e.Err.Error()
	}
	return fmt.Sprintf("%s (from %s): %v", e.Key, e.Source, e.Err)
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

const (
	prefix  = "LIGHTERAGE_"
	fileKey = "config"
	// delim separates nested keys for koanf; here no key is nested.
	delim = "\x00"
)

// The environment variables that are no settings.
const (
	rootKeyVariable    = "LIGHTERAGE_ROOT_ACCESS_KEY_ID"
	rootSecretVariable = "LIGHTERAGE_ROOT_SECRET_ACCESS_KEY"

	// EndpointVariable tells the commands that call a server which one.
	EndpointVariable = "LIGHTERAGE_ENDPOINT"
)

// AddFlags defines a flag for every setting and for the file.
func AddFlags(flags *pflag.FlagSet) {
	for _, s := range settings {
		if s.fallback == "false" {
			flags.Bool(s.key, false, s.usage)
			continue
		}
		flags.String(s.key, s.fallback, s.usage)
	}
	flags.String(fileKey, "", "YAML `file` of settings, with the keys of the flags")
}

// Keys returns the name of every setting's flag.
func Keys() []string {
	var keys []string
	for _, s := range settings {
		keys = append(keys, s.key)
	}
	return keys
}

// Environ returns the process's environment.
func Environ() []string { return os.Environ() }

// Variable returns the value of a variable in an environment; the last counts.
func Variable(environ []string, variable string) string {
	found := ""
	for _, line := range environ {
		if key, v, _ := strings.Cut(line, "="); key == variable {
			found = v
		}
	}
	return found
}

// Load merges the sources and checks the result. The errors are *Error.
func Load(flags *pflag.FlagSet, environ []string) (Config, error) {
	s := sources{flags: flags, environ: environ}
	k, err := s.merge()
	if err != nil {
		return Config{}, err
	}
	c := Config{sources: map[string]string{}}
	for _, setting := range settings {
		c.sources[setting.key] = s.of(setting.key)
		if err := setting.set(&c, value{k.Get(setting.key)}); err != nil {
			return Config{}, c.Fault(setting.key, err)
		}
	}
	c.place()
	if key, err := c.Validate(); err != nil {
		return Config{}, c.Fault(key, err)
	}
	return c, nil
}

// Fault is the *Error of a setting whose value turned out to be of no use. It
// names where the value came from.
func (c Config) Fault(key string, err error) error { return &Error{key, c.sources[key], err} }

// place puts stores without a path into the data directory.
func (c *Config) place() {
	if c.Database.Scheme == "sqlite" && c.Database.Path == "" {
		c.Database.Path = filepath.Join(c.DataDir, "lighterage.db")
	}
	if c.Storage.Path == "" {
		c.Storage.Path = filepath.Join(c.DataDir, "blobs")
	}
	if c.Audit.Scheme == "file" && c.Audit.Path == "" {
		c.Audit.Path = filepath.Join(c.DataDir, "audit")
	}
}

// Validate checks what no single setting shows, and returns the key to blame.
func (c *Config) Validate() (key string, err error) {
	if !slices.Contains(c.Regions, c.Region) {
		return "region", fmt.Errorf("%q is not among the regions that are served, which regions names", c.Region)
	}
	if c.AuditMaxBytes < 2*c.AuditFileBytes {
		return "audit-max-bytes", fmt.Errorf("%d bytes do not hold two files of %d bytes, which audit-file-bytes allows", c.AuditMaxBytes, c.AuditFileBytes)
	}
	if c.Quotas.LayerPartMinBytes > c.Quotas.LayerPartMaxBytes {
		return "quotas", errors.New("layer-part-min-bytes is above layer-part-max-bytes")
	}
	return c.validateTLS()
}

// cannotRead is a file that is not there or not ours.
func cannotRead(path string, err error) error {
	if cause, ok := errors.AsType[*fs.PathError](err); ok {
		err = cause.Err
	}
	return fmt.Errorf("cannot read %s: %w", path, err)
}

// sources is where settings come from.
type sources struct {
	flags   *pflag.FlagSet
	environ []string
	path    string // of the file
	inFile  map[string]bool
	inEnv   map[string]bool
}

func (s *sources) merge() (*koanf.Koanf, error) {
	k := koanf.New(delim)
	defaults := map[string]any{}
	for _, setting := range settings {
		defaults[setting.key] = setting.fallback
	}
	if err := k.Load(confmap.Provider(defaults, delim), nil); err != nil {
		return nil, &Error{Err: err}
	}
	if err := s.checkEnvironment(); err != nil {
		return nil, err
	}
	if err := s.loadFile(k); err != nil {
		return nil, err
	}
	variables := env.Provider(delim, env.Opt{
		Prefix:        prefix,
		EnvironFunc:   func() []string { return s.environ },
		TransformFunc: func(name, v string) (string, any) { return settingOf(name, v), v },
	})
	if err := k.Load(variables, nil); err != nil {
		return nil, &Error{Err: err}
	}
	changed := func(key, v string) (string, any) {
		if !isSetting(key) || !s.flags.Changed(key) {
			return "", nil
		}
		return key, v
	}
	if err := k.Load(posflag.ProviderWithValue(s.flags, delim, k, changed), nil); err != nil {
		return nil, &Error{Err: err}
	}
	return k, nil
}

// settingOf returns the key that an environment variable sets, or nothing.
func settingOf(variable, v string) string {
	key := strings.ToLower(strings.ReplaceAll(strings.TrimPrefix(variable, prefix), "_", "-"))
	if v == "" || !isSetting(key) || variable != variableOf(key) {
		return ""
	}
	return key
}

func variableOf(key string) string {
	return prefix + strings.ToUpper(strings.ReplaceAll(key, "-", "_"))
}

func isSetting(key string) bool {
	return slices.ContainsFunc(settings, func(s setting) bool { return s.key == key })
}

// checkEnvironment refuses variables that look like settings and are none.
func (s *sources) checkEnvironment() error {
	s.inEnv = map[string]bool{}
	for _, line := range s.environ {
		variable, v, _ := strings.Cut(line, "=")
		switch {
		case !strings.HasPrefix(variable, prefix), injected(variable),
			variable == rootKeyVariable, variable == rootSecretVariable, variable == EndpointVariable, variable == variableOf(fileKey):
		case v == "" && isSetting(strings.ToLower(strings.ReplaceAll(strings.TrimPrefix(variable, prefix), "_", "-"))):
		case settingOf(variable, v) == "":
			return &Error{Key: variable, Source: "the environment", Err: errors.New("is not a setting" + didYouMean(variable, variables()))}
		default:
			s.inEnv[settingOf(variable, v)] = true
		}
	}
	return nil
}

// variables is every variable that is known.
func variables() []string {
	all := []string{rootKeyVariable, rootSecretVariable, EndpointVariable, variableOf(fileKey)}
	for _, key := range Keys() {
		all = append(all, variableOf(key))
	}
	return all
}

// injected reports a variable that Kubernetes sets in every container beside a
// service named lighterage: LIGHTERAGE_SERVICE_HOST, LIGHTERAGE_PORT_5000_TCP.
func injected(variable string) bool {
	rest := strings.TrimPrefix(variable, prefix)
	return rest == "PORT" || strings.HasPrefix(rest, "PORT_") || strings.HasPrefix(rest, "SERVICE_")
}

func (s *sources) loadFile(k *koanf.Koanf) error {
	source := ""
	for _, line := range s.environ {
		if v, ok := strings.CutPrefix(line, variableOf(fileKey)+"="); ok && v != "" {
			s.path, source = v, variableOf(fileKey)
		}
	}
	if s.flags.Changed(fileKey) {
		s.path, source = s.flags.Lookup(fileKey).Value.String(), "--"+fileKey
	}
	if s.path == "" {
		return nil
	}
	b, err := os.ReadFile(s.path)
	if err != nil {
		return &Error{fileKey, source, cannotRead(s.path, err)}
	}
	given, err := s.parse(b, source)
	if err != nil {
		return err
	}
	s.inFile = map[string]bool{}
	for key := range given {
		s.inFile[key] = true
	}
	return k.Load(confmap.Provider(given, ""), nil)
}

// of names the source that decided a key.
func (s *sources) of(key string) string {
	switch {
	case key == "":
		return ""
	case s.flags.Changed(key):
		return "--" + key
	case s.inEnv[key]:
		return variableOf(key)
	case s.inFile[key]:
		return s.path
	}
	return ""
}
