// Package oci speaks the OCI distribution protocol (Docker Registry HTTP API
// V2) under /v2/ with Amazon ECR's authentication, codes and texts.
//
//  1. Every request but a refused one asks package access with the ECR action
//     that stands behind it, before anything is looked up.
//  2. Manifests and layers are served byte for byte; Accept changes nothing.
//  3. Without a login nothing is served, unless Anonymous is set: then what
//     package access gives to anybody can be pulled, with a bearer token that
//     anybody can have, and whoever is denied is asked to log in.
//  4. What a body brings becomes an image, a layer or an acknowledged piece of
//     one only if the credential and the permission still hold when all of it
//     has arrived, however long that took. A long body is cut when they end.
//  5. A Lightsail login pushes to the hidden repository "sr" of its account
//     and region, and does nothing else.
//
// Sources: the OCI distribution specification 1.1 and its development version
// ("spec" below), and ECR's observed behaviour.
package oci

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strings"

	"github.com/lighterage/lighterage/internal/access"
	"github.com/lighterage/lighterage/internal/digest"
	"github.com/lighterage/lighterage/internal/edge"
	"github.com/lighterage/lighterage/internal/fault"
	"github.com/lighterage/lighterage/internal/identity"
	"github.com/lighterage/lighterage/internal/name"
	"github.com/lighterage/lighterage/internal/registry"
)

// Authenticator checks what /v2/ accepts as credentials; *identity.Authority
// is one.
type Authenticator interface {
	// VerifyBasic takes the value of the Authorization header. The reasons are
	// CredentialMissing, TokenInvalid and TokenExpired.
	VerifyBasic(ctx context.Context, header string) (identity.Caller, error)
	// IssueBearer takes the same header, or none, and returns a bearer token for
	// whom VerifyBasic would return, or for anybody.
	IssueBearer(ctx context.Context, header string) (identity.Token, error)
	// VerifyBearer takes such a token. The reasons are those of VerifyBasic.
	VerifyBearer(ctx context.Context, token string) (identity.Caller, error)
	// IssueDownload returns the token of a download URL.
	IssueDownload(d identity.Download) string
	// VerifyDownload takes the token of a download URL apart.
	VerifyDownload(token string) (identity.Download, error)
}

// Authorizer decides; *access.Decider is one.
type Authorizer interface {
	Authorize(ctx context.Context, c identity.Caller, action string, r access.Resource) error
}

// Config is what the front is made of. Every field must be set but Strict, Rate
// and those of anonymous pull.
type Config struct {
	Catalogue *registry.Catalogue
	Auth      Authenticator
	Access    Authorizer
	Addresses *edge.Addresses
	Logger    *slog.Logger
	// Strict answers as ECR does where the specification says another thing:
	// docs/compatibility.md has the list. The catalogue is to be strict as well.
	Strict bool
	// Rate counts a request of an account in a region, and returns Overloaded for
	// one too many. Nil: as many as they like.
	Rate func(account name.AccountID, region name.Region, action string) error

	// Anonymous offers bearer tokens, also to those who have no login.
	Anonymous bool
	// Home is the registry that they mean on a plain host.
	Home name.RegistryID
}

type front struct {
	Config
	manifests *edge.Memory // of manifests that are being pushed
}

// manifestsMax is how many bytes of manifests are read at once, without those
// of the usual size.
const (
	manifestsMax  = 10 * maxManifest
	usualManifest = 16 << 10
)

// New returns the handler of everything under /v2/.
func New(c Config) http.Handler { return &front{c, edge.NewMemory(manifestsMax, maxManifest)} }

// call is one authenticated request on its way to its handler.
type call struct {
	w      http.ResponseWriter
	r      *http.Request
	route  *route // nil until the path has shown one
	caller identity.Caller
	key    registry.RepositoryKey
}

func (f *front) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header()["Docker-Distribution-Api-Version"] = apiVersion
	c := &call{w: w, r: r}
	if err := f.serve(c); err != nil {
		f.writeError(c, err)
	}
}

var apiVersion = []string{"registry/2.0"}

func (f *front) serve(c *call) error {
	route, repository, err := match(c.r.Method, c.r.URL.Path)
	c.route = route
	event := edge.From(c.r.Context())
	if route != nil {
		event.Service, event.Operation = "ecr", strings.TrimPrefix(route.action, "ecr:")
	}
	if route != nil && route.download && c.r.URL.RawQuery != "" {
		if token := c.r.URL.Query().Get(downloadParameter); token != "" {
			return f.download(c, repository, token)
		}
	}
	if f.Anonymous && c.r.URL.Path == tokenPath {
		return f.issueToken(c)
	}
	caller, authErr := f.authenticate(c.r)
	if authErr != nil {
		f.mention(c, route, repository, authErr)
		return authErr
	}
	c.caller = caller
	c.caller.Origin = originOf(c.r)
	event.Principal = caller.ARN
	if err != nil {
		return err
	}
	if err := f.place(c, route, repository); err != nil {
		return err
	}
	if err := f.authorize(c, route); err != nil {
		return err
	}
	if err := f.rated(c, route); err != nil {
		return err
	}
	return route.handle(f, c)
}

// place finds the registry and the repository that the request means: the
// host name's, else the caller's own. A Lightsail login means the hidden
// registry there.
func (f *front) place(c *call, route *route, repository string) error {
	id := c.caller.Registry()
	if c.caller.Kind == identity.Anonymous {
		id = f.Home
	}
	good := true
	if carried, ok := f.Addresses.Registry(edge.From(c.r.Context()).Host); ok {
		id.Account = cmp.Or(carried.Account, id.Account)
		if carried.Region != "" {
			good = c.caller.Kind == identity.Anonymous || carried.Region == c.caller.Region // tokens are good for one region, as ECR's
			id.Region = carried.Region
		}
	}
	c.key = registry.RepositoryKey{Registry: id, Space: registry.ECR}
	if c.caller.Scope == identity.LightsailPush {
		c.key.Space = registry.Lightsail
	}
	var err error
	if route.named {
		c.key.Name, err = name.ParseRepositoryName(repository)
	}
	if !good {
		edge.From(c.r.Context()).Resource = c.arn()
		return fault.New(fault.TokenInvalid)
	}
	return err
}

// mention notes what a login was asked for that has ended: whose it was says
// which registry is meant.
func (f *front) mention(c *call, route *route, repository string, err error) {
	ended, ok := errors.AsType[*identity.Ended](err)
	if !ok || route == nil || !route.named {
		return
	}
	told := *c
	told.caller = ended.Caller
	if f.place(&told, route, repository) == nil {
		edge.From(c.r.Context()).Resource = told.arn()
	}
}

// authorize asks for the route's action, and keeps a Lightsail login to what
// pushing needs.
func (f *front) authorize(c *call, route *route) error {
	if route.action == "" {
		return nil
	}
	if c.key.Space == registry.Lightsail && (!route.lightsail || c.key.Name != registry.LightsailRepository) {
		return &fault.Error{
			Reason: fault.AccessDenied, Principal: c.caller.ARN, Action: route.action, Resource: c.arn(),
			Detail: "because a Lightsail registry login can only push to the repository " + string(registry.LightsailRepository),
		}
	}
	if route.filtered {
		event := edge.From(c.r.Context())
		event.Action, event.Resource = route.action, c.arn()
		return nil
	}
	return f.allow(c, route.action)
}

// allow asks for an action on the call's repository, or on all of them where
// the path names none. A request that does the work of several actions asks
// for each.
func (f *front) allow(c *call, action string) error {
	resource := access.Resource{Account: c.key.Registry.Account, ARN: c.arn()}
	if c.key.Space == registry.Lightsail {
		action, resource.ARN = access.LoginAction, "*"
	}
	event := edge.From(c.r.Context())
	event.Action, event.Resource = action, resource.ARN
	return f.Access.Authorize(c.r.Context(), c.caller, action, resource)
}

// still asks again for the actions, of the one who has the credential now: a
// body may have taken long, and either may have ended since, also by itself.
func (f *front) still(c *call, actions ...string) error {
	caller, err := f.authenticate(c.r)
	if err != nil {
		return err
	}
	caller.Origin = c.caller.Origin
	c.caller = caller
	for _, action := range actions {
		if err := f.allow(c, action); err != nil {
			return err
		}
	}
	return nil
}

func (c *call) arn() string { return name.RepositoryARN(c.key.Registry, cmp.Or(c.key.Name, "*")) }

// may reports whether the caller may do the action on another repository, or
// something beside what is asked for. That nobody can tell is an error.
func (f *front) may(ctx context.Context, c *call, action string, key registry.RepositoryKey) (bool, error) {
	resource := access.Resource{Account: key.Registry.Account, ARN: name.RepositoryARN(key.Registry, key.Name)}
	err := f.Access.Authorize(ctx, c.caller, action, resource)
	if fault.Is(err, fault.AccessDenied) && !errors.Is(err, access.ErrTooCostly) {
		return false, nil
	}
	return err == nil, err
}

// locate makes an absolute URL of a path on this registry, as ECR does.
func (c *call) locate(parts ...string) string {
	e := edge.From(c.r.Context())
	return e.Scheme + "://" + e.Host + "/v2/" + string(c.key.Name) + "/" + strings.Join(parts, "/")
}

// reference reads a manifest reference: a digest if it has a colon, else a tag.
func reference(s string) (registry.Reference, error) {
	if strings.Contains(s, ":") {
		d, err := digest.Parse(s)
		return registry.Reference{Digest: d}, err
	}
	t, err := name.ParseTag(s)
	return registry.Reference{Tag: t}, err
}
