package config

import (
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math"
	"net"
	"net/netip"
	"net/url"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/lighterage/lighterage/internal/name"
)

// value is what a source says about one key: a string, or in a file also a
// list or a map of strings.
type value struct{ any }

func (v value) text() (string, error) {
	s, ok := v.any.(string)
	if !ok {
		return "", errors.New("must be a single value")
	}
	return strings.TrimSpace(s), nil
}

// list splits a text at commas.
func (v value) list() ([]string, error) {
	var items []string
	switch v := v.any.(type) {
	case string:
		items = strings.Split(v, ",")
	case []string:
		items = v
	default:
		return nil, errors.New("must be a list")
	}
	var out []string
	for _, item := range items {
		if item = strings.TrimSpace(item); item != "" {
			out = append(out, item)
		}
	}
	return out, nil
}

// pairs splits a text like a=1,b=2.
func (v value) pairs() (map[string]string, error) {
	if m, ok := v.any.(map[string]string); ok {
		return m, nil
	}
	list, err := v.list()
	if err != nil {
		return nil, errors.New("must be a map")
	}
	out := map[string]string{}
	for _, item := range list {
		k, val, ok := strings.Cut(item, "=")
		k, val = strings.TrimSpace(k), strings.TrimSpace(val)
		if !ok || k == "" {
			return nil, fmt.Errorf("%q is not of the form name=value", item)
		}
		if _, twice := out[k]; twice {
			return nil, fmt.Errorf("%q is given twice", k)
		}
		out[k] = val
	}
	return out, nil
}

func setText(of func(*Config) *string) func(*Config, value) error {
	return func(c *Config, v value) (err error) {
		*of(c), err = v.text()
		return err
	}
}

func setDuration(of func(*Config) *time.Duration) func(*Config, value) error {
	return func(c *Config, v value) error {
		s, err := v.text()
		if err != nil {
			return err
		}
		d, err := time.ParseDuration(s)
		if err != nil || d <= 0 {
			return fmt.Errorf("%q is not a duration above zero, such as 90s or 24h", s)
		}
		*of(c) = d
		return nil
	}
}

func setListen(c *Config, v value) error {
	s, err := v.text()
	if err != nil {
		return err
	}
	_, port, err := net.SplitHostPort(s)
	if err != nil {
		return fmt.Errorf("%q is not host:port, such as 127.0.0.1:5000", s)
	}
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		return fmt.Errorf("%q is not a port, a number of 0 to 65535", port)
	}
	c.Listen = s
	return nil
}

func setDataDir(c *Config, v value) error {
	s, err := v.text()
	if err != nil {
		return err
	}
	if s == "" {
		return errors.New("must not be empty")
	}
	c.DataDir = filepath.Clean(s)
	return nil
}

func setDatabase(c *Config, v value) error {
	s, err := v.text()
	if err != nil {
		return err
	}
	if path, ok := strings.CutPrefix(s, "sqlite:"); ok {
		c.Database = Place{Scheme: "sqlite", Path: path}
		return nil
	}
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "postgres" && u.Scheme != "postgresql" {
		return fmt.Errorf("%q is neither sqlite:[path] nor postgres://…", redactURL(s))
	}
	c.Database = Place{Scheme: "postgres", URL: Secret(s)}
	return nil
}

func setStorage(c *Config, v value) error {
	s, err := v.text()
	if err != nil {
		return err
	}
	path, ok := strings.CutPrefix(s, "file:")
	if !ok {
		return fmt.Errorf("%q is not file:[path]", redactURL(s))
	}
	c.Storage = Place{Scheme: "file", Path: path}
	return nil
}

func setAudit(c *Config, v value) error {
	s, err := v.text()
	if err != nil {
		return err
	}
	if s == "stdout" || s == "off" {
		c.Audit = Place{Scheme: s}
		return nil
	}
	path, ok := strings.CutPrefix(s, "file:")
	if !ok {
		return fmt.Errorf("%q is not file:[path], stdout or off", s)
	}
	c.Audit = Place{Scheme: "file", Path: path}
	return nil
}

// units are those of sizes, the larger first.
var units = []struct {
	name string
	size int64
}{{"TiB", 1 << 40}, {"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}, {"", 1}}

func setSize(of func(*Config) *int64) func(*Config, value) error {
	return func(c *Config, v value) error {
		s, err := v.text()
		if err != nil {
			return err
		}
		for _, u := range units {
			number, ok := strings.CutSuffix(s, u.name)
			if !ok {
				continue
			}
			n, err := parseCount(strings.TrimSpace(number))
			if err != nil || n == 0 || n > math.MaxInt64/u.size {
				break
			}
			*of(c) = n * u.size
			return nil
		}
		return fmt.Errorf("%q is not a size above zero, such as 500000000 or 64MiB", s)
	}
}

func setAccount(c *Config, v value) error {
	s, err := v.text()
	if err != nil {
		return err
	}
	if c.Account, err = name.ParseAccountID(s); err != nil {
		return fmt.Errorf("%q is not an account id of 12 digits", s)
	}
	return nil
}

func setRegion(c *Config, v value) error {
	s, err := v.text()
	if err != nil {
		return err
	}
	c.Region = name.Region(s)
	if !known(c.Region) {
		return fmt.Errorf("%q is not an AWS region%s", s, didYouMean(s, regionNames()))
	}
	return nil
}

func setRegions(c *Config, v value) error {
	list, err := v.list()
	if err != nil {
		return err
	}
	if len(list) == 1 && list[0] == "all" {
		c.Regions = slices.Clone(allRegions)
		return nil
	}
	c.Regions = nil
	for _, s := range list {
		r := name.Region(s)
		if !known(r) {
			return fmt.Errorf("%q is not an AWS region%s", s, didYouMean(s, regionNames()))
		}
		if !slices.Contains(c.Regions, r) {
			c.Regions = append(c.Regions, r)
		}
	}
	if c.Regions == nil {
		return errors.New("must name a region, or be all")
	}
	return nil
}

func setProxies(c *Config, v value) error {
	list, err := v.list()
	if err != nil {
		return err
	}
	c.TrustedProxies = nil
	for _, s := range list {
		p, err := netip.ParsePrefix(s)
		if a, err2 := netip.ParseAddr(s); err2 == nil {
			p, err = netip.PrefixFrom(a.Unmap().WithZone(""), a.Unmap().BitLen()), nil
		}
		if err != nil {
			return fmt.Errorf("%q is neither an address nor a network such as 10.0.0.0/8", s)
		}
		c.TrustedProxies = append(c.TrustedProxies, p.Masked())
	}
	return nil
}

func setBool(of func(*Config) *bool) func(*Config, value) error {
	return func(c *Config, v value) error {
		s, err := v.text()
		if err != nil {
			return err
		}
		if *of(c), err = strconv.ParseBool(s); err != nil {
			return fmt.Errorf("%q is neither true nor false", s)
		}
		return nil
	}
}

var levels = map[string]slog.Level{
	"debug": slog.LevelDebug, "info": slog.LevelInfo, "warn": slog.LevelWarn, "error": slog.LevelError,
}

func setLevel(c *Config, v value) error {
	s, err := v.text()
	if err != nil {
		return err
	}
	level, ok := levels[strings.ToLower(s)]
	if !ok {
		return fmt.Errorf("%q is not one of debug, info, warn and error", s)
	}
	c.LogLevel = level
	return nil
}

var (
	keyName   = regexp.MustCompile(`^(arn:[a-z-]+:kms:[a-z0-9-]+:[0-9]{12}:(key|alias)/[\w/:-]+|alias/[\w/:-]+|(mrk-)?[0-9a-f-]{32,36})$`)
	keyStates = []string{"enabled", "disabled", "pending-deletion"}
)

func setKeys(c *Config, v value) error {
	m, err := v.pairs()
	if err != nil {
		return err
	}
	for _, k := range sortedKeys(m) {
		if !keyName.MatchString(k) {
			return fmt.Errorf("%q is not a key's ARN, id or alias", k)
		}
		if !slices.Contains(keyStates, m[k]) {
			return fmt.Errorf("%s: %q is not one of enabled, disabled and pending-deletion", k, m[k])
		}
	}
	c.KMSKeys = m
	return nil
}

// setQuotas needs ecr-strict, which the table sets before.
func setQuotas(c *Config, v value) error {
	m, err := v.pairs()
	if err != nil {
		return err
	}
	c.Quotas = defaultQuotas(c.ECRStrict)
	return c.Quotas.set(m)
}

func parseCount(s string) (int64, error) {
	n, err := strconv.ParseInt(strings.ReplaceAll(s, "_", ""), 10, 64)
	if err == nil && n < 0 {
		return 0, strconv.ErrRange
	}
	return n, err
}

func sortedKeys(m map[string]string) []string { return slices.Sorted(maps.Keys(m)) }

func format(v any) string { return fmt.Sprint(v) }

func join[T any](list []T) string {
	var out []string
	for _, v := range list {
		out = append(out, format(v))
	}
	return strings.Join(out, ",")
}
