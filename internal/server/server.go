// Package server is the assembly: it alone knows which store, which rules and
// which fronts there are, builds each from the configuration, and runs them
// from the first connection to the last.
//
//  1. A store that is not the one that belongs to the other is refused before
//     anything is written to either.
//  2. A directory has one server.
//  3. At the end nothing is cut that can finish within the time allowed, and
//     what was answered is durable before the stores close.
//
// It has no rule and speaks no protocol of its own.
package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/lighterage/lighterage/internal/access"
	"github.com/lighterage/lighterage/internal/api/awsquery"
	"github.com/lighterage/lighterage/internal/api/iam"
	"github.com/lighterage/lighterage/internal/api/oci"
	"github.com/lighterage/lighterage/internal/api/ops"
	"github.com/lighterage/lighterage/internal/api/sts"
	"github.com/lighterage/lighterage/internal/blob"
	"github.com/lighterage/lighterage/internal/config"
	"github.com/lighterage/lighterage/internal/containers"
	"github.com/lighterage/lighterage/internal/directory"
	"github.com/lighterage/lighterage/internal/edge"
	"github.com/lighterage/lighterage/internal/gc"
	"github.com/lighterage/lighterage/internal/identity"
	"github.com/lighterage/lighterage/internal/meta"
	"github.com/lighterage/lighterage/internal/name"
	"github.com/lighterage/lighterage/internal/registry"
	"github.com/lighterage/lighterage/internal/seal"
	"github.com/lighterage/lighterage/internal/throttle"
	"github.com/lighterage/lighterage/internal/webidentity"
	"github.com/lighterage/lighterage/internal/worker"
)

// Parts is what a server is made of. Every field but Trail must be set.
type Parts struct {
	Config config.Config
	Root   config.Credentials
	Meta   meta.Store
	Blobs  blob.Store
	Seal   *seal.Sealer // of the secrets in Meta
	Trail  Trail        // of audit events; nil: there is none
	BootID string       // of the machine
	Clock  func() time.Time
	Logger *slog.Logger
}

// Server is the rules and fronts over two stores.
type Server struct {
	parts     Parts
	catalogue *registry.Catalogue
	directory *directory.Directory
	handler   http.Handler
	passes    []worker.Pass
	authority *identity.Authority
	auditor   *auditor
	room      *room
	ending    atomic.Bool
}

const (
	downloadTTL = time.Hour
	// urlTTL keeps removed bytes longer than any download URL to them works.
	urlTTL = downloadTTL + 10*time.Minute
	// idle cuts a connection whose request or answer does not move.
	idle = time.Minute
	// ownAccount is the name that the server's account gets at its first start.
	ownAccount = "lighterage"
)

// Build makes a server over opened stores, which stay the caller's to close.
func Build(ctx context.Context, p Parts) (*Server, error) {
	c := p.Config
	addresses, err := newAddresses(c)
	if err != nil {
		return nil, err
	}
	limiter, err := throttle.New(throttle.Config{Clock: p.Clock})
	if err != nil {
		return nil, err
	}
	authority, err := identity.New(ctx, identity.Config{
		Keys:        []identity.AccessKey{identity.RootKey(c.Account, p.Root.AccessKeyID, identity.NewSecret(p.Root.SecretAccessKey.Reveal()))},
		Store:       p.Meta,
		Seal:        p.Seal,
		Regions:     func(r name.Region) bool { return slices.Contains(c.Regions, r) },
		Clock:       p.Clock,
		DownloadTTL: downloadTTL,
		TokenTTL:    c.TokenTTL,
		Failures:    limiter,
		Client:      func(ctx context.Context) netip.Addr { return edge.From(ctx).Client },
		Logger:      p.Logger,

		TokensEndWithSessions: c.TokensEndWithSessions,
	})
	if err != nil {
		return nil, fmt.Errorf("root credentials: %w", err)
	}
	s := &Server{
		parts: p, catalogue: registry.New(registryConfig(p)), room: newRoom(c, p.Clock),
		directory: directory.New(directory.Config{Meta: p.Meta, Seal: p.Seal, Limits: directory.Quotas}),
	}
	if err := s.directory.EnsureAccount(ctx, c.Account, ownAccount); err != nil {
		return nil, err
	}
	s.authority, s.auditor = authority, newAuditor(p)
	decider := gate{access.New(access.Config{Store: p.Meta, Clock: p.Clock}), s.auditor}
	auth := noting{authority}
	json, err := s.awsJSON(auth, authority, decider, addresses)
	if err != nil {
		return nil, err
	}
	web, err := webIdentities(p)
	if err != nil {
		return nil, err
	}
	query, err := awsquery.New(awsquery.Config{
		Services: []awsquery.Service{
			sts.New(sts.Config{Issuer: authority, Access: decider, WebIdentities: web}),
			iam.New(iam.Config{Directory: s.directory, Authorizer: decider}),
		},
		Authenticator: auth,
		Authorizer:    decider,
	})
	if err != nil {
		return nil, err
	}
	root := &router{
		oci: oci.New(oci.Config{
			Catalogue: s.catalogue, Auth: auth, Access: decider, Addresses: addresses, Logger: p.Logger, Strict: c.ECRStrict,
			Anonymous: c.AnonymousPull, Home: name.RegistryID{Account: c.Account, Region: c.Region},
		}),
		aws:   json,
		query: query,
		ops:   ops.New(s.ready),
	}
	s.handler = edge.Handler(newHeaders(root, c), edge.Options{Logger: p.Logger, Clock: time.Now, Trusted: c.TrustedProxies, Idle: idle, Record: s.auditor.record})
	collector := gc.New(gc.Config{Meta: p.Meta, Blobs: p.Blobs, Logger: p.Logger, LayerGrace: c.LayerGrace, URLTTL: urlTTL})
	s.passes = []worker.Pass{
		{Name: "park uploads", Every: 20 * time.Second, Run: s.catalogue.ParkUploads},
		{Name: "collect garbage", Every: 30 * time.Second, Run: func(ctx context.Context) error { _, err := collector.Run(ctx); return err }},
		{Name: "record pulls", Every: time.Minute, Run: s.catalogue.FlushPulls},
		{Name: "record key uses", Every: time.Minute, Run: authority.FlushUses},
		{Name: "summarise failed log-ins", Every: time.Minute, Run: s.auditor.summarise},
	}
	return s, nil
}

func webIdentities(p Parts) (*webidentity.Verifier, error) {
	cas, err := p.Config.OIDCCAs()
	if err != nil {
		return nil, err
	}
	v, err := webidentity.New(webidentity.Config{
		Store: p.Meta, Clock: p.Clock, CAs: cas,
		Private: func(host string) bool {
			return slices.ContainsFunc(p.Config.OIDCPrivateHosts, func(h string) bool { return strings.EqualFold(h, host) })
		},
	})
	if err != nil {
		return nil, p.Config.Fault("oidc-ca", err)
	}
	return v, nil
}

// newAddresses tries the host names one after the other, to know which is to
// blame.
func newAddresses(c config.Config) (*edge.Addresses, error) {
	if _, err := edge.NewAddresses(c.RegistryHost, ""); err != nil {
		return nil, c.Fault("registry-host", errors.Unwrap(err))
	}
	addresses, err := edge.NewAddresses(c.RegistryHost, c.LightsailRegistryHost)
	if err != nil {
		return nil, c.Fault("lightsail-registry-host", errors.Unwrap(err))
	}
	return addresses, nil
}

// Passes is what the server does in the background while Serve runs.
func (s *Server) Passes() []worker.Pass { return s.passes }

// Close writes down what is only in memory. The stores may be closed after it.
func (s *Server) Close(ctx context.Context) error {
	return errors.Join(s.catalogue.Close(ctx), s.authority.FlushUses(ctx), s.auditor.summarise(ctx), s.room.close(ctx))
}

var errEnding = errors.New("the server is shutting down")

func (s *Server) ready(ctx context.Context) error {
	if s.ending.Load() {
		return errEnding
	}
	if err := s.parts.Meta.Ping(ctx); err != nil {
		return err
	}
	if err := s.auditor.ready(); err != nil {
		return err
	}
	return s.room.check(ctx)
}

func registryConfig(p Parts) registry.Config {
	c, q := p.Config, p.Config.Quotas
	keys := registry.Keys{}
	for key, state := range c.KMSKeys {
		keys[key] = registry.KeyState(state)
	}
	return registry.Config{
		Meta: p.Meta, Blobs: p.Blobs, Clock: p.Clock, Logger: p.Logger, BootID: p.BootID, Keys: keys,
		Limits: registry.Limits{
			Repositories: q.RepositoriesPerRegistry, ImagesPerRepo: q.ImagesPerRepository, TagsPerImage: q.TagsPerImage,
			LayerSize: q.LayerBytes, LayerParts: q.LayerParts, MinPartSize: q.LayerPartMinBytes, MaxPartSize: q.LayerPartMaxBytes,
			ResourceTags: int(q.ResourceTags), ManifestSize: q.ManifestBytes, MountReferencedOnly: c.ECRStrict,
		},
		LayerGrace: c.LayerGrace, UploadTTL: c.UploadTTL, PushTTL: c.LightsailPushTTL, URLTTL: urlTTL,
	}
}

func containersConfig(p Parts, repositories containers.Repositories) containers.Config {
	q := p.Config.Quotas
	return containers.Config{
		Meta: p.Meta, Repositories: repositories, PushTTL: p.Config.LightsailPushTTL,
		Limits: containers.Limits{
			Services: q.ContainerServices, Nodes: q.ServiceNodes, Images: q.ImagesPerService, ResourceTags: int(q.ResourceTags),
		},
	}
}
