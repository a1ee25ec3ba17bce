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
	"sync/atomic"
	"time"

	"github.com/lighterage/lighterage/internal/blob"
	"github.com/lighterage/lighterage/internal/config"
	"github.com/lighterage/lighterage/internal/containers"
	"github.com/lighterage/lighterage/internal/directory"
	"github.com/lighterage/lighterage/internal/edge"
	"github.com/lighterage/lighterage/internal/gc"
	"github.com/lighterage/lighterage/internal/identity"
	"github.com/lighterage/lighterage/internal/lifecycle"
	"github.com/lighterage/lighterage/internal/meta"
	"github.com/lighterage/lighterage/internal/name"
	"github.com/lighterage/lighterage/internal/registry"
	"github.com/lighterage/lighterage/internal/seal"
	"github.com/lighterage/lighterage/internal/throttle"
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
	lifecycle *lifecycle.Runner
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
	addresses, err := newAddresses(p.Config)
	if err != nil {
		return nil, err
	}
	authority, err := newAuthority(ctx, p)
	if err != nil {
		return nil, err
	}
	s := &Server{
		parts: p, catalogue: registry.New(registryConfig(p)), authority: authority, auditor: newAuditor(p), room: newRoom(p.Config, p.Clock),
		directory: directory.New(directory.Config{Meta: p.Meta, Seal: p.Seal, Limits: directory.Quotas}),
	}
	s.lifecycle = lifecycle.New(lifecycle.Config{
		Meta: p.Meta, Logger: p.Logger, LayerGrace: p.Config.LayerGrace, Strict: p.Config.ECRStrict,
		FlushPulls: s.catalogue.FlushPulls, Journal: journal{s.auditor},
	})
	if err := s.directory.EnsureAccount(ctx, p.Config.Account, ownAccount); err != nil {
		return nil, err
	}
	fronts, err := s.fronts(addresses)
	if err != nil {
		return nil, err
	}
	s.handler = edge.Handler(newHeaders(fronts, p.Config), edge.Options{
		Logger: p.Logger, Clock: time.Now, Trusted: p.Config.TrustedProxies, Idle: idle, Record: s.auditor.record,
	})
	s.passes = s.background()
	return s, nil
}

// newAuthority makes what knows who calls; whoever guesses is slowed down.
func newAuthority(ctx context.Context, p Parts) (*identity.Authority, error) {
	c := p.Config
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
	return authority, nil
}

func (s *Server) background() []worker.Pass {
	collector := gc.New(gc.Config{
		Meta: s.parts.Meta, Blobs: s.parts.Blobs, Logger: s.parts.Logger, LayerGrace: s.parts.Config.LayerGrace, URLTTL: urlTTL,
	})
	return []worker.Pass{
		{Name: "park uploads", Every: 20 * time.Second, Run: s.catalogue.ParkUploads},
		{Name: "collect garbage", Every: 30 * time.Second, Run: func(ctx context.Context) error { _, err := collector.Run(ctx); return err }},
		{Name: "record pulls", Every: time.Minute, Run: s.catalogue.FlushPulls},
		{Name: "record key uses", Every: time.Minute, Run: s.authority.FlushUses},
		{Name: "run lifecycle policies", Every: 5 * time.Minute, Run: s.lifecycle.RunDue},
		{Name: "summarise failed log-ins", Every: time.Minute, Run: s.auditor.summarise},
	}
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
			ResourceTags: int(q.ResourceTags), ManifestSize: q.ManifestBytes, LayersPerImage: q.LayersPerImage, Strict: c.ECRStrict,
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
