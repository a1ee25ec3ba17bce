package edge

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/lighterage/lighterage/internal/name"
)

// Addresses maps registries to host names and back.
type Addresses struct {
	registry  template
	lightsail template
}

// template is a configured address: an optional scheme, and a host with
// {account} and {region} in it. The zero template means: what the client used.
type template struct {
	scheme, host string
	carries      *regexp.Regexp // host names of its shape; nil when it names no registry
}

// awsHost is a registry's own name, on AWS and on every look-alike domain:
// <account>.dkr.ecr.<region>.<domain> or <account>.dkr-ecr.<region>.<domain>.
var awsHost = regexp.MustCompile(`^(?P<account>[0-9]{12})\.dkr[.-]ecr(?:-fips)?\.(?P<region>[a-z0-9-]+)\.[a-z0-9.-]+$`)

// apiHost is the name of an AWS API endpoint, from which the registry's own
// name follows.
var apiHost = regexp.MustCompile(`^(?:api\.ecr|ecr|lightsail)\.([a-z0-9-]+)\.([a-z0-9.-]+?)(:[0-9]+)?$`)

// NewAddresses takes the two configured templates; an empty one means the
// address that the client used. A Lightsail login falls back to registryHost.
func NewAddresses(registryHost, lightsailHost string) (*Addresses, error) {
	registry, err := parseTemplate(registryHost)
	if err != nil {
		return nil, fmt.Errorf("registry-host: %w", err)
	}
	lightsail, err := parseTemplate(lightsailHost)
	if err != nil {
		return nil, fmt.Errorf("lightsail-registry-host: %w", err)
	}
	if lightsailHost == "" {
		lightsail = registry
	}
	return &Addresses{registry, lightsail}, nil
}

func parseTemplate(s string) (template, error) {
	if s == "" {
		return template{}, nil
	}
	t := template{host: strings.TrimSuffix(s, "/")}
	if scheme, host, ok := strings.Cut(t.host, "://"); ok {
		t.scheme, t.host = scheme, host
		if scheme != "http" && scheme != "https" {
			return t, fmt.Errorf("the scheme of %q is neither http nor https", s)
		}
	}
	plain := strings.NewReplacer("{account}", "0", "{region}", "r").Replace(t.host)
	if !regexp.MustCompile(`^[a-zA-Z0-9.-]+(:[0-9]+)?$`).MatchString(plain) {
		return t, fmt.Errorf("%q is not host[:port], with {account} and {region} as the only placeholders", s)
	}
	if strings.Contains(t.host, "{account}") || strings.Contains(t.host, "{region}") {
		shape := regexp.QuoteMeta(t.host)
		shape = strings.Replace(shape, `\{account\}`, `(?P<account>[0-9]{12})`, 1)
		shape = strings.Replace(shape, `\{region\}`, `(?P<region>[a-z0-9-]+)`, 1)
		t.carries = regexp.MustCompile(`^` + shape + `$`)
	}
	return t, nil
}

// Registry returns the registry that a host name carries. An account or region
// that the name does not carry is empty. False: the host is a plain one.
func (a *Addresses) Registry(host string) (name.RegistryID, bool) {
	host = strings.ToLower(host)
	for _, t := range []template{a.registry, a.lightsail} {
		if t.carries != nil {
			if m := t.carries.FindStringSubmatch(host); m != nil {
				return carried(t.carries, m), true
			}
		}
	}
	if len(host) < 12 || host[0] < '0' || host[0] > '9' { // the common case, without a regexp
		return name.RegistryID{}, false
	}
	bare, _, _ := strings.Cut(host, ":")
	if m := awsHost.FindStringSubmatch(bare); m != nil {
		return carried(awsHost, m), true
	}
	return name.RegistryID{}, false
}

func carried(re *regexp.Regexp, m []string) name.RegistryID {
	var id name.RegistryID
	if i := re.SubexpIndex("account"); i >= 0 {
		id.Account = name.AccountID(m[i])
	}
	if i := re.SubexpIndex("region"); i >= 0 {
		id.Region = name.Region(m[i])
	}
	return id
}

// RegistryURL is the scheme and host under which the client reaches a
// registry, without a trailing slash.
func (a *Addresses) RegistryURL(r *Request, id name.RegistryID) string {
	scheme, host := a.registry.fill(r, id)
	return scheme + "://" + host
}

// RegistryHost is the host[:port] of RegistryURL.
func (a *Addresses) RegistryHost(r *Request, id name.RegistryID) string {
	_, host := a.registry.fill(r, id)
	return host
}

// LightsailHost is the bare host[:port] that a Lightsail login is for.
func (a *Addresses) LightsailHost(r *Request, id name.RegistryID) string {
	_, host := a.lightsail.fill(r, id)
	return host
}

func (t template) fill(r *Request, id name.RegistryID) (scheme, host string) {
	scheme = r.Scheme
	if t.scheme != "" {
		scheme = t.scheme
	}
	if t.host != "" {
		return scheme, strings.NewReplacer("{account}", string(id.Account), "{region}", string(id.Region)).Replace(t.host)
	}
	if m := apiHost.FindStringSubmatch(r.Host); m != nil {
		return scheme, string(id.Account) + ".dkr.ecr." + string(id.Region) + "." + m[2] + m[3]
	}
	return scheme, r.Host
}
